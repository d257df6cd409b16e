//! The default graph of a process that has done nothing yet. This is the only test here, so that no
//! other has run before it.

use tidemill::prelude::*;

#[test]
fn the_default_graph_of_a_fresh_process_is_empty() {
    assert!(default_graph().is_empty());
    assert_eq!(default_graph().operations(), []);
    let two = constant(2);
    assert_eq!(two.name(), "Const:0");
    assert_eq!(default_graph().operations(), [two.op()]);
}
