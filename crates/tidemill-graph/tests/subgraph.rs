//! The path of one run: its text form, and its invariants.

#![allow(clippy::expect_used, clippy::panic)]

mod common;

use common::ops::{ADD, CONST, NEG};
use common::*;
use smallvec::smallvec;
use tidemill_graph::{
    Attrs, Commit, FEED, Fact, Graph, Instr, NodeId, OpDef, Subgraph, TensorId, TextError,
    TextErrorKind, VerifyError,
};
use tidemill_value::{DType, PartialShape, Value, shape};

const STEP: &str = "x: float32[?, 2] = _Feed() dtype=float32 shape=[?, 2]
w: float32_ref[2] = VariableV2() dtype=float32 shape=[2]
two: float32[2] = Const() value=float32[2]{2.0, 2.0}
y: float32[?, 2] = AddV2(x, w)
w/Assign: float32_ref[2] = Assign(w, two)
w/AssignAdd: float32_ref[2] = AssignAdd(w/Assign, two)
@fetch y:0 w:0
@commit w = w/AssignAdd:0
";

fn read(text: &str) -> (Subgraph, Vec<String>) {
    Subgraph::from_text(text, &find_op).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn error_of(text: &str) -> TextError {
    Subgraph::from_text(text, &find_op).map(|_| ()).expect_err("the text is wrong")
}

fn text_of((subgraph, names): &(Subgraph, Vec<String>)) -> String {
    subgraph.to_text(&|id| names[id.index()].clone())
}

/// This many node numbers of some graph.
fn node_ids<const N: usize>() -> [NodeId; N] {
    let graph = Graph::new();
    let _default = graph.as_default();
    std::array::from_fn(|_| id(no_op()))
}

fn of_floats(op: &'static OpDef, inputs: &[TensorId], origin: NodeId) -> Instr {
    Instr {
        op,
        attrs: Attrs::NONE,
        inputs: inputs.into(),
        outputs: smallvec![Fact::new(DType::F32, [2])],
        regions: vec![],
        origin,
    }
}

fn constant(origin: NodeId) -> Instr {
    let value = Value::from([1.0_f32, 2.0]);
    let attrs = [("dtype".into(), DType::F32.into()), ("value".into(), value.into())];
    Instr { attrs: attrs.into_iter().collect(), ..of_floats(&CONST, &[], origin) }
}

#[test]
fn a_subgraph_reads_back_from_its_text() {
    let read = read(STEP);
    assert_eq!(text_of(&read), STEP);
    assert_eq!(read.1, ["x", "w", "two", "y", "w/Assign", "w/AssignAdd"]);
    assert!(read.0.verify().is_ok());
}

#[test]
fn feeds_fetches_commits_and_origins_are_read() {
    let (subgraph, _) = read(STEP);
    let ids: Vec<NodeId> = subgraph.instrs().map(|(id, _)| id).collect();
    assert!(ids.iter().all(|&id| subgraph.instr(id).origin == id));
    assert_eq!(subgraph.feeds, [ids[0]]);
    assert_eq!(subgraph.instr(ids[0]).op, &FEED);
    assert_eq!(subgraph.fetches, [TensorId::new(ids[3], 0), TensorId::new(ids[1], 0)]);
    let commit = Commit { variable: ids[1], value: TensorId::new(ids[5], 0) };
    assert_eq!(subgraph.commits, [commit]);
}

#[test]
fn further_nodes_of_one_origin_are_numbered() {
    let [a, b] = node_ids();
    let fact = Fact::new(DType::F32, shape![?]);
    let mut subgraph = Subgraph::default();
    let feeds = [a, a, b, a].map(|origin| subgraph.push_feed(&fact, origin));
    subgraph.feeds = feeds.to_vec();
    let text = subgraph.to_text(&|origin| if origin == a { "a" } else { "a.1" }.to_owned());
    let names: Vec<&str> = text.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(names, ["a", "a.1", "a.1.1", "a.2"]);
    assert_eq!(text_of(&read(&text)), text);
}

#[test]
fn feeds_in_another_order_than_their_nodes_are_listed() {
    let text = "x: int32[] = _Feed() dtype=int32 shape=[]\n\
                y: int32[] = _Feed() dtype=int32 shape=[]\n\
                @feed y x\n";
    let read = read(text);
    let ids: Vec<NodeId> = read.0.instrs().map(|(id, _)| id).collect();
    assert_eq!(read.0.feeds, [ids[1], ids[0]]);
    assert_eq!(text_of(&read), text);
}

#[test]
fn a_committed_variable_need_not_be_a_node() {
    let text = "c: float32[] = Const() value=float32[]{1.0}\n\
                @commit v = c:0\n\
                @commit w = c:0\n\
                @commit v = c:0\n";
    let read = read(text);
    assert_eq!(read.1, ["c", "v", "w"]);
    let variables: Vec<usize> = read.0.commits.iter().map(|c| c.variable.index()).collect();
    assert_eq!(variables, [1, 2, 1]);
    assert_eq!(text_of(&read), text);
}

#[test]
fn a_stated_type_adds_to_what_is_inferred() {
    let text = "x: float32[..] = _Feed() dtype=float32 shape=[..]\n\
                y: float32[?, 2] = Neg(x)\n";
    assert_eq!(text_of(&read(text)), text);
}

#[test]
fn a_write_may_follow_what_is_no_variable_any_more() {
    let text = "c: float32[] = Const() value=float32[]{1.0}\n\
                w/AssignAdd: float32_ref[] = AssignAdd(c, c)\n\
                @commit w = w/AssignAdd:0\n";
    assert_eq!(text_of(&read(text)), text);
}

#[test]
fn control_edges_and_directives_of_graphs_are_errors() {
    let error = error_of("x = NoOp()\ny = NoOp() ^x");
    assert!(matches!(*error.kind, TextErrorKind::ControlInSubgraph));
    assert_eq!((error.line, error.column), (2, 13));
    let error = error_of("x = NoOp()\n @collection losses x");
    assert_eq!(error.to_string(), "line 2, column 2: `@collection` has no meaning here");
}

#[test]
fn the_text_of_a_broken_subgraph_can_be_written() {
    let [origin, missing] = node_ids();
    let mut subgraph = Subgraph::default();
    subgraph.push(of_floats(&ADD, &[TensorId::new(missing, 0)], origin));
    let text = subgraph.to_text(&|_| "sum".to_owned());
    assert_eq!(text, "sum: float32[2] = AddV2(\"<no node>\", )\n");
}

#[test]
fn inputs_must_come_before_a_node() {
    let [origin, next] = node_ids();
    let mut subgraph = Subgraph::default();
    let input = TensorId::new(next, 0);
    let node = subgraph.push(of_floats(&NEG, &[input], origin));
    subgraph.push(constant(next));
    assert_eq!(subgraph.verify(), Err(VerifyError::Input { node, op: "Neg", input }));
}

#[test]
fn inputs_must_exist() {
    let [first, second] = node_ids();
    let mut subgraph = Subgraph::default();
    let constant = subgraph.push(constant(first));
    let input = TensorId::new(constant, 1);
    let node = subgraph.push(of_floats(&NEG, &[input], second));
    assert_eq!(subgraph.verify(), Err(VerifyError::Input { node, op: "Neg", input }));
}

#[test]
fn a_node_has_as_many_inputs_as_its_operation_takes() {
    let [first, second] = node_ids();
    let mut subgraph = Subgraph::default();
    let constant = TensorId::new(subgraph.push(constant(first)), 0);
    let node = subgraph.push(of_floats(&ADD, &[constant], second));
    let expected = VerifyError::InputCount { node, op: "AddV2", expected: 2, actual: 1 };
    assert_eq!(subgraph.verify(), Err(expected));
}

#[test]
fn inputs_must_be_what_the_operation_takes() {
    let (mut subgraph, _) = read("x: float32[3] = _Feed() dtype=float32 shape=[3]\n");
    let [origin, _] = node_ids();
    let constant = subgraph.push(constant(origin));
    let inputs = [TensorId::new(subgraph.feeds[0], 0), TensorId::new(constant, 0)];
    subgraph.push(of_floats(&ADD, &inputs, origin));
    let error = subgraph.verify().expect_err("3 and 2 do not broadcast");
    assert!(matches!(error, VerifyError::Inference { op: "AddV2", .. }), "{error}");
    assert!(error.to_string().starts_with("AddV2 (node2) cannot take its inputs: shapes [3]"));
}

#[test]
fn outputs_must_agree_with_what_is_inferred() {
    let shapes: [PartialShape; 3] = [shape![3], shape![2, 1], shape![]];
    for shape in shapes {
        let [origin] = node_ids();
        let outputs = smallvec![Fact::new(DType::F32, shape)];
        let mut subgraph = Subgraph::default();
        let node = subgraph.push(Instr { outputs, ..constant(origin) });
        assert_eq!(subgraph.verify(), Err(VerifyError::Outputs { node, op: "Const" }));
    }
    let [origin] = node_ids();
    let mut subgraph = Subgraph::default();
    let node = subgraph.push(Instr { outputs: smallvec![], ..constant(origin) });
    assert_eq!(subgraph.verify(), Err(VerifyError::Outputs { node, op: "Const" }));
}

#[test]
fn more_may_be_known_of_outputs_than_is_inferred() {
    let (subgraph, _) =
        read("x: float32[..] = _Feed() dtype=float32 shape=[..]\ny: float32[2, ?] = Neg(x)\n");
    assert!(subgraph.verify().is_ok());
}

#[test]
fn feeds_fetches_and_commits_must_exist() {
    let [origin, missing] = node_ids();
    let mut subgraph = Subgraph::default();
    let node = subgraph.push(constant(origin));
    assert!(subgraph.verify().is_ok());
    let tensor = TensorId::new(node, 1);
    let mut fetched = subgraph.clone();
    fetched.fetches = vec![tensor];
    assert_eq!(fetched.verify(), Err(VerifyError::Root { tensor }));
    let tensor = TensorId::new(missing, 0);
    let mut fed = subgraph.clone();
    fed.feeds = vec![missing];
    assert_eq!(fed.verify(), Err(VerifyError::Root { tensor }));
    subgraph.commits = vec![Commit { variable: origin, value: tensor }];
    assert_eq!(subgraph.verify(), Err(VerifyError::Root { tensor }));
}
