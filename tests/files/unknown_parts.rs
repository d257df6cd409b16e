//! Graphs of files with nodes that are not understood.

use tidemill::prelude::*;
use tidemill::proto::{FunctionDef, GraphDef, NodeDef};
use tidemill::{ImportOptions, TextMessage, import_graph_def, import_graph_def_with, to_graph_def};

use crate::common::{Outcome, relative};

const FLOAT: &str = "attr { key: 'T' value { type: DT_FLOAT } }";

/// A placeholder `x`, and the nodes of this text.
fn message(nodes: &str) -> GraphDef {
    let input =
        "node { name: 'x' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } }";
    GraphDef::from_text(&format!("{input} {nodes} versions {{ producer: 2300 }}")).unwrap()
}

/// `unknown`, of an unknown operation, on the way to `z` but not to `y`.
fn with_an_unknown_operation() -> GraphDef {
    message(&format!(
        "node {{ name: 'y' op: 'Neg' input: 'x' {FLOAT} }}
         node {{ name: 'unknown' op: 'NoSuchOp' input: 'x' input: '^y' device: '/gpu:0'
                 attr {{ key: 'mystery' value {{ list {{ f: 2.5 f: 3 }} }} }} {FLOAT} }}
         node {{ name: 'z' op: 'AddV2' input: 'unknown:1' input: 'y' {FLOAT} }}"
    ))
}

fn written(graph: &Graph, name: &str) -> NodeDef {
    let message = to_graph_def(graph).unwrap();
    message.node.into_iter().find(|node| node.name == name).unwrap()
}

fn node_of(message: &GraphDef, name: &str) -> NodeDef {
    message.node.iter().find(|node| node.name == name).unwrap().clone()
}

/// Each node is written again as the message has it.
fn assert_kept(message: &GraphDef, names: &[&str]) {
    for name in names {
        assert_eq!(written(&default_graph(), name), node_of(message, name));
    }
}

/// The number that a tensor has if `x` is 2.
fn value_of(fetch: &str) -> f32 {
    number(&Session::new().run_with(fetch, feeds!["x:0" => 2.0]).unwrap())
}

fn number(value: &Value) -> f32 {
    value.to_scalar().unwrap()
}

/// The text of the error of a run of `fetch`, with `x` fed.
fn error_of(fetch: &str) -> String {
    Session::new().run_with(fetch, feeds!["x:0" => 2.0]).unwrap_err().to_string()
}

#[test]
fn only_what_needs_an_unknown_operation_does_not_run() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (message, base) = (with_an_unknown_operation(), line!());
    import_graph_def(&message)?;
    assert_eq!(value_of("y:0"), -2.0);
    insta::assert_snapshot!(relative(error_of("z:0"), file!(), base), @r"
    the operation `NoSuchOp` does not exist or is not supported yet (the file's producer version is 2300)
      help: feed what is computed from it, replace that by `ImportOptions::input_map`, or keep only what does not need it by `extract_sub_graph`
      --> +1:5 (in `unknown`, of type NoSuchOp)
      input: `x`, float32[..] (+1:5)
    ");
    let fed = feeds!["x:0" => 2.0, "unknown:1" => 5.0];
    assert_eq!(number(&Session::new().run_with("z:0", fed)?), 3.0);
    assert_kept(&message, &["unknown", "z"]);
    Ok(())
}

#[test]
fn a_mapped_tensor_takes_the_place_of_what_is_not_understood() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let input_map = vec![("unknown:1".to_owned(), constant(7.0_f32))];
    let options = ImportOptions { input_map, ..ImportOptions::default() };
    import_graph_def_with(with_an_unknown_operation(), &options)?;
    assert_eq!(value_of("z:0"), 5.0);
    Ok(())
}

#[test]
fn a_gradient_fails_only_where_it_crosses_an_unknown_operation() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    import_graph_def(with_an_unknown_operation())?;
    let [x, y, z] = ["x:0", "y:0", "z:0"].map(|name| graph.tensor(name).unwrap());
    let through = gradients([y], [x])[0].ok_or("no gradient")?;
    assert_eq!(Session::new().run_with(through, feeds![x => 2.0])?, Value::from(-1.0_f32));
    let crossing = gradients([z], [x])[0].ok_or("no gradient")?;
    let text = Session::new().run_with(crossing, feeds![x => 2.0]).unwrap_err().to_string();
    assert!(text.contains("the operation `NoSuchOp` does not exist"), "{text}");
    Ok(())
}

#[test]
fn an_unknown_attribute_matters_unless_it_is_empty() -> Outcome {
    let neg = |name: &str, value: &str| {
        let attr = format!("attr {{ key: 'extra' value {{ {value} }} }}");
        format!("node {{ name: '{name}' op: 'Neg' input: 'x' {FLOAT} {attr} }}")
    };
    let empty = ["i: 0", "f: 0", "b: false", "s: ''", "list { }"];
    let nodes = empty.iter().enumerate().map(|(i, value)| neg(&format!("e{i}"), value));
    let nodes = nodes.chain([neg("full", "i: 3")]).collect::<String>();
    let graph = Graph::new();
    let _default = graph.as_default();
    let message = message(&nodes);
    import_graph_def(&message)?;
    for i in 0..empty.len() {
        assert_eq!(value_of(&format!("e{i}:0")), -2.0);
    }
    let text = error_of("full:0");
    assert!(text.contains("there is no attribute `extra`"), "{text}");
    assert_kept(&message, &["e0", "e1", "e2", "e3", "full"]);
    Ok(())
}

#[test]
fn values_of_a_type_that_we_lack_are_kept() -> Outcome {
    let complex = "attr { key: 'T' value { type: DT_COMPLEX64 } }";
    let graph = Graph::new();
    let _default = graph.as_default();
    let message = message(&format!(
        "node {{ name: 'c' op: 'Const' attr {{ key: 'dtype' value {{ type: DT_COMPLEX64 }} }}
           attr {{ key: 'value' value {{ tensor {{ dtype: DT_COMPLEX64 tensor_shape {{ }}
             scomplex_val: 1 scomplex_val: 2 }} }} }} }}
         node {{ name: 'neg' op: 'Neg' input: 'c' {complex} }}
         node {{ name: 'same' op: 'NoSuchOp' input: 'neg' {complex} }}
         node {{ name: 'shape' op: 'Shape' input: 'same' {complex} }}
         node {{ name: 'y' op: 'Neg' input: 'x' {FLOAT} }}"
    ));
    import_graph_def(&message)?;
    assert_eq!(value_of("y:0"), -2.0);
    let text = error_of("shape:0");
    assert!(text.contains("`c`") && text.contains("DT_COMPLEX64 is not supported yet"), "{text}");
    assert_kept(&message, &["c", "neg", "same", "shape"]);
    Ok(())
}

#[test]
fn a_node_whose_input_has_no_known_type_is_kept_too() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let message = message(
        "node { name: 'table' op: 'NoSuchTable' }
         node { name: 'read' op: 'ReadVariableOp' input: 'table'
                attr { key: 'dtype' value { type: DT_FLOAT } } }
         node { name: 'y' op: 'AddV2' input: 'read' input: 'x'
                attr { key: 'T' value { type: DT_FLOAT } } }",
    );
    import_graph_def(&message)?;
    assert!(error_of("y:0").contains("`table`"), "{}", error_of("y:0"));
    let fed = feeds!["x:0" => 2.0, "read:0" => 1.0];
    assert_eq!(number(&Session::new().run_with("y:0", fed)?), 3.0);
    assert_kept(&message, &["table", "read", "y"]);
    Ok(())
}

#[test]
fn what_writes_a_frozen_variable_is_kept() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let message = message(&format!(
        "node {{ name: 'v' op: 'Const' attr {{ key: 'dtype' value {{ type: DT_FLOAT }} }}
           attr {{ key: 'value' value {{ tensor {{ dtype: DT_FLOAT tensor_shape {{ }}
             float_val: 4 }} }} }} }}
         node {{ name: 'assign' op: 'Assign' input: 'v' input: 'x' {FLOAT} }}
         node {{ name: 'y' op: 'AddV2' input: 'v' input: 'x' {FLOAT} }}"
    ));
    import_graph_def(&message)?;
    assert_eq!(value_of("y:0"), 6.0);
    assert!(error_of("assign:0").contains("must be a variable"), "{}", error_of("assign:0"));
    assert_kept(&message, &["assign"]);
    Ok(())
}

#[test]
fn a_call_of_a_function_that_is_missing_is_kept() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let message = message(
        "node { name: 'call' op: 'PartitionedCall' input: 'x'
           attr { key: 'f' value { func { name: 'nowhere' } } }
           attr { key: 'Tin' value { list { type: DT_FLOAT } } }
           attr { key: 'Tout' value { list { type: DT_FLOAT } } } }
         node { name: 'choice' op: 'If' input: 'x' input: 'x'
           attr { key: 'Tcond' value { type: DT_FLOAT } }
           attr { key: 'then_branch' value { func { name: 'nowhere' } } }
           attr { key: 'else_branch' value { func { name: 'nowhere' } } }
           attr { key: 'Tin' value { list { type: DT_FLOAT } } }
           attr { key: 'Tout' value { list { type: DT_FLOAT } } } }",
    );
    import_graph_def(&message)?;
    for fetch in ["call:0", "choice:0"] {
        let text = error_of(fetch);
        assert!(text.contains("there is no function `nowhere`"), "{text}");
    }
    assert_kept(&message, &["call", "choice"]);
    Ok(())
}

#[test]
fn a_program_cannot_compute_with_a_tensor_of_unknown_type() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    import_graph_def(message(
        "node { name: 'table' op: 'NoSuchTable' }
        node { name: 'take' op: 'NoSuchTake' input: 'table' }",
    ))?;
    let sum = abs(graph.tensor("table:0")?);
    let text = Session::new().run(sum).unwrap_err().to_string();
    assert!(text.contains("is unknown, because it is made by an operation"), "{text}");
    Ok(())
}

#[test]
fn references_to_unknown_operations_do_not_fill_the_memory() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let text =
        "node { name: 'u' op: 'NoSuchOp' } node { name: 'v' op: 'NoSuchOp' input: 'u:4294967295' }";
    let error = import_graph_def(message(text)).unwrap_err().to_string();
    assert!(error.contains("outputs were requested"), "{error}");
}

/// A function with a node of an unknown operation, and a node that runs it where `x` is not zero.
const CHOICE: &str = "
    node { name: 'choice' op: 'If' input: 'x' input: 'x'
      attr { key: 'Tcond' value { type: DT_FLOAT } }
      attr { key: 'then_branch' value { func { name: 'unknown' } } }
      attr { key: 'else_branch' value { func { name: 'known' } } }
      attr { key: 'Tin' value { list { type: DT_FLOAT } } }
      attr { key: 'Tout' value { list { type: DT_FLOAT } } } }
    library {
      function {
        signature { name: 'unknown' input_arg { name: 'a' type: DT_FLOAT }
                    output_arg { name: 'r' type: DT_FLOAT } }
        node_def { name: 'pair' op: 'NoSuchPair' input: 'a' }
        node_def { name: 'sum' op: 'AddV2' input: 'pair:right:0' input: 'pair:left:0'
                   attr { key: 'T' value { type: DT_FLOAT } } }
        ret { key: 'r' value: 'sum:z:0' } }
      function {
        signature { name: 'known' input_arg { name: 'a' type: DT_FLOAT }
                    output_arg { name: 'r' type: DT_FLOAT } }
        node_def { name: 'neg' op: 'Neg' input: 'a' attr { key: 'T' value { type: DT_FLOAT } } }
        ret { key: 'r' value: 'neg:y:0' } } }";

#[test]
fn a_branch_with_an_unknown_operation_fails_only_where_it_is_taken() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    import_graph_def(message(CHOICE))?;
    let untaken = Session::new().run_with("choice:0", feeds!["x:0" => 0.0])?;
    assert_eq!(number(&untaken), 0.0);
    assert!(error_of("choice:0").contains("NoSuchPair"), "{}", error_of("choice:0"));
    let library = to_graph_def(&graph)?.library.unwrap_or_default();
    let is_unknown = |function: &&FunctionDef| {
        function.signature.as_ref().is_some_and(|signature| signature.name == "unknown")
    };
    let function = library.function.iter().find(is_unknown).ok_or("no function")?;
    let sum = function.node_def.iter().find(|node| node.name == "sum").ok_or("no sum")?;
    assert_eq!(sum.input, ["pair:right:0", "pair:left:0"]);
    Ok(())
}

#[test]
fn outputs_known_by_name_alone_are_not_written_by_number() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let call = CHOICE.replace("op: 'If' input: 'x' input: 'x'", "op: 'unknown' input: 'x'");
    import_graph_def(message(&call))?;
    let error = to_graph_def(&graph).unwrap_err().to_string();
    assert!(error.contains("the order of its outputs is unknown"), "{error}");
    let fed = feeds!["choice/pair:0" => 1.0, "choice/pair:1" => 2.0];
    assert_eq!(number(&Session::new().run_with("choice:0", fed)?), 3.0);
    Ok(())
}
