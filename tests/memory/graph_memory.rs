//! The memory that graphs take.

use crate::{MEMORY, Outcome};
use tidemill::prelude::*;

pub(crate) fn a_scalar_add_takes_at_most_400_bytes_with_its_name_line_and_edges() -> Outcome {
    for nodes in [1_000, 10_000, 100_000] {
        let graph = Graph::new();
        let _default = graph.as_default();
        let x = placeholder::<f32>([]);
        let before = MEMORY.in_use();
        let _sum = (0..nodes).fold(x, |sum, _| sum + x);
        let bytes = (MEMORY.in_use() - before) / nodes;
        assert!(bytes <= 400, "{bytes} bytes a node, of {nodes}");
    }
    Ok(())
}
