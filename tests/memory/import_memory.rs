//! The memory that the import of large messages takes.

use std::time::Instant;

use crate::{MEMORY, Outcome};
use tidemill::formats::map_file;
use tidemill::prelude::*;
use tidemill::proto::{Bytes, Message};
use tidemill::{import_graph_def, to_graph_def};

/// The message of a graph with `count` constants of `elements` elements.
fn message(count: usize, elements: usize) -> Bytes {
    let graph = Graph::new();
    let _default = graph.as_default();
    for i in 0..count {
        let numbers: Vec<f32> = (0..elements).map(|j| (i + j) as f32).collect();
        let _ = constant(numbers);
    }
    to_graph_def(&graph).unwrap().encode_to_vec().into()
}

pub(crate) fn constants_of_a_mapped_file_are_copied_once() -> Outcome {
    const ELEMENTS: usize = 1_000_000;
    const CONSTANTS: usize = 24;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("graph.pb");
    std::fs::write(&path, message(CONSTANTS, ELEMENTS)).unwrap();
    let file = map_file(&path).unwrap();
    let taken = CONSTANTS * ELEMENTS * size_of::<f32>();
    let graph = Graph::new();
    let _default = graph.as_default();
    let before = MEMORY.in_use();
    let (peak, imported) = MEMORY.peak_in(|| import_graph_def(file));
    imported.unwrap();
    let most = (peak - before) as f64 / taken as f64;
    assert!((1.0..=1.05).contains(&most), "{most} of what the constants take");
    Ok(())
}

/// `cargo test --release --test import_memory -- --ignored`
pub(crate) fn half_a_gigabyte_of_constants_and_200_000_nodes_are_imported() -> Outcome {
    let bytes = message(5, 25 << 20);
    let before = MEMORY.in_use();
    {
        let graph = Graph::new();
        let _default = graph.as_default();
        let (peak, imported) = MEMORY.peak_in(|| import_graph_def(bytes.clone()));
        imported.unwrap();
        let most = (peak - before) as f64 / bytes.len() as f64;
        println!("{} MB of constants: {most:.3} of them", bytes.len() >> 20);
        assert!(most <= 1.2);
    }
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([]);
    let _sum = (0..200_000).fold(x, |sum, _| sum + x);
    let bytes = to_graph_def(&graph).unwrap().encode_to_vec();
    let again = Graph::new();
    let _again = again.as_default();
    let start = Instant::now();
    import_graph_def(&bytes).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!("200,000 nodes: {seconds:.3} s");
    assert!(seconds < 1.0);
    Ok(())
}
