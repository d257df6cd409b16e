//! Control flow of TensorFlow 1, imported from its graphs.

use std::fs;

use crate::common::{Outcome, in_both_modes};
use tidemill::prelude::*;
use tidemill::{ImportOptions, import_graph_def, import_graph_def_with};

fn of_corpus(name: &str) -> std::io::Result<Vec<u8>> {
    fs::read(format!("{}/tests/conformance/corpus/{name}.pb", env!("CARGO_MANIFEST_DIR")))
}

#[test]
fn what_a_loop_gives_has_the_name_that_it_had() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    import_graph_def(&of_corpus("control_flow_v1/while_counter")?)?;
    let start = Value::zeros(DType::F32, [2, 3])?;
    for session in in_both_modes() {
        let feeds = feeds!["in0:0" => start.clone()];
        let (count, sums) = session.run_with(("while/Exit:0", "while/Exit_1:0"), feeds)?;
        assert_eq!(count, Value::from(5));
        assert_eq!(sums, Value::full(10.0_f32.into(), [2, 3])?);
    }
    Ok(())
}

#[test]
fn the_error_of_a_name_inside_a_loop_says_what_can_be_fetched() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let nested = of_corpus("control_flow_v1/while_nested")?;
    let options = ImportOptions { prefix: "model".to_owned(), ..ImportOptions::default() };
    import_graph_def(&nested)?;
    let imported = import_graph_def_with(&nested, &options)?;
    let text = graph.tensor("while/while/mul:0").unwrap_err().to_string();
    let expected = "`while/while/mul` is inside `while`, of type StatelessWhile, and has no single \
                    value; fetch an output of `while` instead: while:0, while:1";
    assert_eq!(text, expected);
    let text = imported.tensor("while/add").unwrap_err().to_string();
    assert!(text.starts_with("`model/while/add` is inside `model/while`"), "{text}");
    let text = graph.tensor("nothing/while/add").unwrap_err().to_string();
    assert!(text.starts_with("there is no operation `nothing/while/add`"), "{text}");
    Ok(())
}
