//! Properties of the text form: random graphs read back, and no text makes the reader panic.

#![allow(clippy::expect_used, clippy::panic)]

mod common;

use common::ops::*;
use common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use tidemill_graph::{
    Attr, Graph, Instr, NodeBuilder, NodeId, OperationRef, Referent, Subgraph, TensorId, TensorRef,
};
use tidemill_value::{ByteString, DType, Dim, PartialShape, Value};

/// One step of making a random graph. Indices choose among the nodes made before.
#[derive(Clone, Debug)]
enum Step {
    Constant(Value),
    Attribute(&'static str, Attr),
    Placeholder(DType, PartialShape),
    Variable(DType, PartialShape),
    Unary(Index),
    AddN(Vec<Index>),
    Split(Index, i64),
    Print(Index, Vec<Index>, ByteString),
    Controls(Vec<Index>),
    Collect(String, Index, bool),
}

fn f32_bits() -> impl Strategy<Value = f32> {
    prop_oneof![any::<u32>().prop_map(f32::from_bits), -1e3_f32..1e3, Just(-0.0), Just(f32::NAN)]
}

fn f64_bits() -> impl Strategy<Value = f64> {
    prop_oneof![any::<u64>().prop_map(f64::from_bits), -1e3_f64..1e3, Just(f64::INFINITY)]
}

fn bytes() -> impl Strategy<Value = ByteString> {
    prop_oneof![
        vec(any::<u8>(), 0..12).prop_map(ByteString::from),
        any::<String>().prop_map(ByteString::from),
    ]
}

fn partial_shape() -> impl Strategy<Value = PartialShape> {
    let dims = vec(proptest::option::of(0_usize..5), 0..4);
    proptest::option::of(dims).prop_map(|dims| match dims {
        Some(dims) => dims.into_iter().map(Dim::from).collect(),
        None => PartialShape::unknown(),
    })
}

fn dtype() -> impl Strategy<Value = DType> {
    proptest::sample::select(DType::ALL)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        f32_bits().prop_map(Value::from),
        vec(f32_bits(), 0..6).prop_map(Value::list),
        vec(f64_bits(), 0..6).prop_map(Value::list),
        vec(any::<i8>(), 0..6).prop_map(Value::list),
        vec(any::<u64>(), 6).prop_map(|x| Value::from_vec([2, 1, 3], x).expect("six fit")),
        vec(any::<bool>(), 0..6).prop_map(Value::list),
        vec(bytes(), 0..4).prop_map(Value::list),
        bytes().prop_map(Value::scalar),
    ]
}

fn attribute() -> impl Strategy<Value = (&'static str, Attr)> {
    let attr = prop_oneof![
        any::<i64>().prop_map(|x| ("int", Attr::from(x))),
        f32_bits().prop_map(|x| ("float", Attr::from(x))),
        any::<bool>().prop_map(|x| ("bool", Attr::from(x))),
        bytes().prop_map(|x| ("str", Attr::from(x))),
        dtype().prop_map(|x| ("type", Attr::from(x))),
        partial_shape().prop_map(|x| ("shape", Attr::from(x))),
        vec(any::<i64>(), 0..4).prop_map(|x| ("ints", Attr::from(x))),
        vec(dtype(), 0..4).prop_map(|x| ("_types", Attr::from(x))),
        vec(partial_shape(), 0..4).prop_map(|x| ("_shapes", Attr::from(x))),
        value().prop_map(|x| ("_value", Attr::from(x))),
    ];
    // An attribute that the operation does not know has the same kind, under another name.
    (attr, any::<bool>()).prop_map(|((name, attr), known)| (if known { name } else { "_x" }, attr))
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        value().prop_map(Step::Constant),
        attribute().prop_map(|(name, attr)| Step::Attribute(name, attr)),
        (dtype(), partial_shape()).prop_map(|(dtype, shape)| Step::Placeholder(dtype, shape)),
        (dtype(), partial_shape()).prop_map(|(dtype, shape)| Step::Variable(dtype, shape)),
        index().prop_map(Step::Unary),
        vec(index(), 1..4).prop_map(Step::AddN),
        (index(), 1_i64..4).prop_map(|(value, parts)| Step::Split(value, parts)),
        (index(), vec(index(), 0..4), bytes())
            .prop_map(|(input, data, message)| Step::Print(input, data, message)),
        vec(index(), 0..4).prop_map(Step::Controls),
        (any::<String>(), index(), any::<bool>())
            .prop_map(|(name, item, operation)| Step::Collect(name, item, operation)),
    ]
}

/// Makes the graph; meaningless steps make no node.
fn build(steps: &[Step]) -> Graph {
    let graph = Graph::new();
    let _default = graph.as_default();
    let mut tensors = vec![constant(0_i32)];
    for step in steps {
        let pick = |index: &Index| *index.get(&tensors);
        let operation = match step {
            Step::Constant(value) => constant(value.clone()).operation(),
            Step::Attribute(name, attr) => {
                NodeBuilder::new(&ATTRIBUTES).attr(*name, attr.clone()).build()
            }
            Step::Placeholder(dtype, shape) => placeholder(*dtype, shape).operation(),
            Step::Variable(dtype, shape) => {
                let node = NodeBuilder::new(&VARIABLE).attr("dtype", *dtype);
                node.attr("shape", shape.clone()).build()
            }
            Step::Unary(x) => node(&IDENTITY, &[pick(x)]).operation(),
            Step::AddN(xs) => NodeBuilder::new(&ADD_N).inputs(xs.iter().map(pick)).build(),
            Step::Split(x, parts) => {
                let node = NodeBuilder::new(&SPLIT).input(tensors[0]).input(pick(x));
                node.attr("num_split", *parts).build()
            }
            Step::Print(x, data, message) => {
                let node = NodeBuilder::new(&PRINT).input(pick(x)).inputs(data.iter().map(pick));
                node.attr("message", message.clone()).build()
            }
            Step::Controls(xs) => {
                let node = NodeBuilder::new(&NO_OP);
                xs.iter().map(|x| pick(x).operation()).fold(node, NodeBuilder::control).build()
            }
            Step::Collect(name, x, operation) => {
                match operation {
                    true => graph.add_to_collection(name, pick(x).operation()),
                    false => graph.add_to_collection(name, pick(x)),
                }
                continue;
            }
        };
        tensors.extend(outputs(&graph, operation));
    }
    graph
}

fn outputs(graph: &Graph, operation: OperationRef) -> Vec<TensorRef> {
    let Referent::Node(id) = operation.referent() else { return Vec::new() };
    (0..graph.read().node(id).outputs.len() as u32).map(|slot| operation.output(slot)).collect()
}

/// Checks that both graphs have the same nodes, in the same order.
fn assert_same(left: &Graph, right: &Graph) {
    let (left, right) = (left.read(), right.read());
    assert_eq!(left.len(), right.len());
    for ((id, l), (_, r)) in left.nodes().zip(right.nodes()) {
        assert_eq!(left.name(id), right.name(id));
        assert_eq!(l.op, r.op);
        assert!(l.attrs.same(&r.attrs), "{:?} and {:?}", l.attrs, r.attrs);
        assert_eq!(l.inputs, r.inputs);
        assert_eq!(l.control_inputs, r.control_inputs);
        assert_eq!(l.outputs, r.outputs);
    }
    assert_eq!(left.collections().collect::<Vec<_>>(), right.collections().collect::<Vec<_>>());
}

/// The graph's nodes as a subgraph that fetches the tensors at these indices.
fn subgraph_of(graph: &Graph, fetches: &[Index]) -> Subgraph {
    let reader = graph.read();
    let mut subgraph = Subgraph::default();
    let ids: Vec<NodeId> = reader.nodes().map(|(id, _)| id).collect();
    for (id, node) in reader.nodes() {
        let two_nodes_share = ids[id.index() / 2 * 2];
        subgraph.push(Instr::of(node, node.inputs.iter().copied(), two_nodes_share));
    }
    let tensors: Vec<TensorId> = reader
        .nodes()
        .flat_map(|(id, node)| (0..node.outputs.len() as u32).map(move |i| TensorId::new(id, i)))
        .collect();
    subgraph.fetches = fetches.iter().map(|index| *index.get(&tensors)).collect();
    subgraph
}

/// A text with a few of its bytes changed, parts dropped and parts repeated.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (any::<Index>(), any::<Index>(), 0..3_u8, any::<u8>());
    (vec(step(), 1..12), vec(edit, 1..6)).prop_map(|(steps, edits)| {
        let mut text = build(&steps).to_text().into_bytes();
        text.extend_from_slice(b"@variable Const initial=Const initializer=Const read=Const\n");
        for (from, to, kind, byte) in edits {
            let (from, to) = (from.index(text.len()), to.index(text.len()));
            let range = from.min(to)..from.max(to).min(from.min(to) + 40);
            match kind {
                0 => text[from] = byte,
                1 if range.len() < text.len() => drop(text.drain(range)),
                _ => text = [&text[..range.end], &text[range.start..]].concat(),
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// Reads a text as a graph and as a subgraph. Whatever can be read reads back.
fn check(text: &str) {
    match Graph::from_text(text, &find_op) {
        Ok(graph) => {
            let text = graph.to_text();
            let again = Graph::from_text(&text, &find_op).unwrap_or_else(|e| panic!("{e}\n{text}"));
            assert_eq!(again.to_text(), text);
        }
        Err(error) => {
            let line = text.lines().nth(error.line - 1).unwrap_or_default();
            assert!(error.column <= line.chars().count() + 1, "{error}");
            assert!(error.to_string().len() < 2000, "{error}");
        }
    }
    if let Ok((subgraph, names)) = Subgraph::from_text(text, &find_op) {
        let text = subgraph.to_text(&|id| names[id.index()].clone());
        let (again, names) =
            Subgraph::from_text(&text, &find_op).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(again.to_text(&|id| names[id.index()].clone()), text);
    }
}

proptest! {
    #[test]
    fn a_random_graph_reads_back_from_its_text(steps in vec(step(), 0..30)) {
        let graph = build(&steps);
        let text = graph.to_text();
        let again = Graph::from_text(&text, &find_op).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_same(&graph, &again);
        prop_assert_eq!(again.to_text(), text);
    }

    #[test]
    fn a_random_subgraph_reads_back_from_its_text(
        steps in vec(step(), 0..30),
        fetches in vec(any::<Index>(), 0..4),
    ) {
        let graph = build(&steps);
        let subgraph = subgraph_of(&graph, &fetches);
        let text = subgraph.to_text(&|id| graph.read().name(id).to_owned());
        let (again, names) =
            Subgraph::from_text(&text, &find_op).unwrap_or_else(|e| panic!("{e}\n{text}"));
        prop_assert_eq!(&again.fetches, &subgraph.fetches);
        prop_assert_eq!(again.to_text(&|id| names[id.index()].clone()), text);
        prop_assert!(again.verify().is_ok());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in vec(any::<u8>(), 0..200)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_words_make_the_reader_panic(
        words in vec(proptest::sample::select(WORDS), 0..60),
    ) {
        check(&words.concat());
    }

    #[test]
    fn no_mutation_of_a_text_makes_the_reader_panic(text in mutated()) {
        check(&text);
    }
}

/// The words of random texts.
const WORDS: &[&str] = &[
    "x",
    "y",
    "w/read",
    " ",
    " ",
    "\n",
    "\n",
    "=",
    ":",
    ": ",
    ",",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "^",
    "@",
    "#",
    "\"",
    "\\",
    "\\xff",
    "?",
    "..",
    "...",
    "-",
    "1",
    "99999999999",
    "1e999",
    "nan",
    "nan(0x",
    "inf",
    "true",
    "float32",
    "float32_ref",
    "int32",
    "string",
    "shape",
    "list(int)",
    "<host function>",
    "x = NoOp()",
    "Const",
    "Placeholder",
    "Split",
    "AddN",
    "Attributes",
    "value=",
    "dtype=",
    "int=",
    "num_split=",
    "@variable ",
    "@collection ",
    "@fetch ",
    "@commit ",
    "@feed ",
    "@seed ",
    "initial=",
    "trainable",
    "c = Const() value=float32[2]{1.0, 2.0}",
];
