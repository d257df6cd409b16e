//! Calls of functions become their bodies.

mod common;

use common::{float, graph_def, input, node, text_of, with, wrong};
use tidemill_formats::proto::{
    AnyValue, ArgDef, AttrValue, DataType, FunctionDef, FunctionDefLibrary, GraphDef, ListValue,
    NameAttrList, NodeDef, OpDef,
};

fn arg(name: &str) -> ArgDef {
    ArgDef { name: name.to_owned(), type_attr: "T".to_owned(), ..ArgDef::default() }
}

/// A function of type attribute `T`.
fn function(
    name: &str,
    args: &[&str],
    body: impl IntoIterator<Item = NodeDef>,
    ret: &[(&str, &str)],
) -> FunctionDef {
    let signature = OpDef {
        name: name.to_owned(),
        input_arg: args.iter().map(|name| arg(name)).collect(),
        output_arg: ret.iter().map(|(name, _)| arg(name)).collect(),
        ..OpDef::default()
    };
    FunctionDef {
        signature: Some(signature),
        node_def: body.into_iter().collect(),
        ret: ret.iter().map(|(name, of)| ((*name).to_owned(), (*of).to_owned())).collect(),
        ..FunctionDef::default()
    }
}

fn call(name: &str, function: &str, inputs: &[&str]) -> NodeDef {
    let attr = [("T".to_owned(), AttrValue { value: Some(float()) })].into();
    let function = AnyValue::Func(NameAttrList { name: function.to_owned(), attr });
    with(node(name, "PartitionedCall", inputs), "f", function)
}

fn library(
    nodes: impl IntoIterator<Item = NodeDef>,
    functions: impl IntoIterator<Item = FunctionDef>,
) -> GraphDef {
    let function = functions.into_iter().collect();
    let library = Some(FunctionDefLibrary { function, gradient: Vec::new() });
    GraphDef { library, ..graph_def(nodes) }
}

/// `a -> -a`, whose body is a node `neg`.
fn negate() -> FunctionDef {
    let typed = AnyValue::Placeholder("T".to_owned());
    function("negate", &["a"], [with(node("neg", "Neg", &["a"]), "T", typed)], &[("r", "neg:y:0")])
}

#[test]
fn a_call_becomes_the_body_in_its_scope() {
    let message = library([input("x"), call("c", "negate", &["x"])], [negate()]);
    let flat = [input("x"), node("c/neg", "Neg", &["x"]), node("c", "Identity", &["c/neg"])];
    assert_eq!(text_of(message), text_of(graph_def(flat)));
}

#[test]
fn a_function_may_be_called_by_its_name_and_by_another() {
    let body =
        [with(node("inner", "negate", &["a"]), "T", float()), node("twice", "Neg", &["inner:r:0"])];
    let outer = function("outer", &["a"], body, &[("r", "twice:y:0")]);
    let named = with(node("c", "outer", &["x"]), "T", float());
    let flat = [
        input("x"),
        node("c/inner/neg", "Neg", &["x"]),
        node("c/inner", "Identity", &["c/inner/neg"]),
        node("c/twice", "Neg", &["c/inner"]),
        node("c", "Identity", &["c/twice"]),
    ];
    let message = library([input("x"), named], [negate(), outer]);
    assert_eq!(text_of(message), text_of(graph_def(flat)));
}

#[test]
fn outputs_are_counted_over_the_names_of_the_operation() {
    let body = [node("parts", "SoftmaxCrossEntropyWithLogits", &["a", "a"])];
    let second = function("second", &["a"], body, &[("r", "parts:backprop:0")]);
    let message = library([input("x"), call("c", "second", &["x"])], [second]);
    assert!(text_of(message).contains("c: float32[?, ?] = Identity(c/parts:1)"));
}

#[test]
fn what_a_call_waits_for_its_body_waits_for() {
    let message = library(
        [input("x"), node("first", "NoOp", &[]), call("c", "negate", &["x", "^first"])],
        [negate()],
    );
    let text = text_of(message);
    assert!(text.contains("c/neg: float32[..] = Neg(x) ^first"), "{text}");
}

#[test]
fn names_within_a_body_do_not_clash_with_those_of_the_graph() {
    let nodes = [input("x"), node("c/neg", "Neg", &["x"]), call("c", "negate", &["x"])];
    assert!(text_of(library(nodes, [negate()])).contains("c_1/neg"));
}

#[test]
fn functions_that_never_end_are_refused() {
    let loops =
        function("loops", &["a"], [call("again", "loops", &["a"])], &[("r", "again:output:0")]);
    let (node, text) = wrong(library([input("x"), call("c", "loops", &["x"])], [loops]));
    assert_eq!((node.as_str(), text.as_str()), ("c/again", "the function `loops` calls itself"));
}

#[test]
fn functions_that_double_at_each_call_end_in_an_error() {
    let doubling = (0..40).map(|i| {
        let next = format!("f{}", i + 1);
        let body = [call("l", &next, &["a"]), call("r", &next, &["l:output:0"])];
        function(&format!("f{i}"), &["a"], body, &[("r", "r:output:0")])
    });
    let last = function("f40", &["a"], [node("neg", "Neg", &["a"])], &[("r", "neg:y:0")]);
    let (_, text) = wrong(library([input("x"), call("c", "f0", &["x"])], doubling.chain([last])));
    assert_eq!(text, "the called functions make the graph too large");
}

/// A node that runs one of several functions, given by name.
fn choice(name: &str, functions: &[&str], inputs: &[&str]) -> NodeDef {
    let attr = || [("T".to_owned(), AttrValue { value: Some(float()) })].into();
    let func = functions.iter().map(|name| NameAttrList { name: (*name).to_owned(), attr: attr() });
    let branches = ListValue { func: func.collect(), ..ListValue::default() };
    with(node(name, "StatelessCase", inputs), "branches", AnyValue::List(branches))
}

/// Functions that each run the next one `each` times; the last one negates.
fn nested(depth: usize, each: usize) -> GraphDef {
    let index = || with(input("which"), "dtype", AnyValue::Type(DataType::Int32.into()));
    let functions = (0..depth).map(|i| {
        let next = format!("f{}", i + 1);
        let next: Vec<&str> = std::iter::repeat_n(next.as_str(), each).collect();
        let body = [
            with(node("which", "Cast", &["a"]), "DstT", AnyValue::Type(DataType::Int32.into())),
            choice("inner", &next, &["which:y:0", "a"]),
        ];
        function(&format!("f{i}"), &["a"], body, &[("r", "inner:output:0")])
    });
    let last =
        function(&format!("f{depth}"), &["a"], [node("neg", "Neg", &["a"])], &[("r", "neg:y:0")]);
    library([input("x"), index(), choice("c", &["f0"], &["which", "x"])], functions.chain([last]))
}

#[test]
fn bodies_in_bodies_end_in_an_error_where_they_are_too_deep_or_too_many() {
    let names = text_of(nested(60, 1));
    assert!(names.contains("c: "), "{names}");
    let (node, text) = wrong(nested(100, 1));
    assert_eq!(node, "c");
    assert!(text.ends_with("the function `f64` calls itself"), "{text}");
    let (_, text) = wrong(nested(30, 2));
    assert!(text.contains("the called functions make the graph too large"), "{text}");
}
