//! The text form of graphs.

#![allow(clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;

use common::ops::{ATTRIBUTES, PY_FUNC};
use common::*;
use tidemill_graph::{
    Attr, Graph, Item, NodeBuilder, OperationRef, Referent, TextError, TextErrorKind,
};
use tidemill_value::{DType, Value, shape};

const MODEL: &str = r#"x: float32[?, 3] = Placeholder() dtype=float32 shape=[?, 3]
w: float32_ref[2, 3] = VariableV2() dtype=float32 shape=[2, 3]
w/zeros: float32[2, 3] = Const() value=float32[2, 3]{0.0, 0.0, 0.0, 0.0, 0.0, 0.0}
w/Assign: float32_ref[2, 3] = Assign(w, w/zeros)
w/read: float32[2, 3] = Identity(w)
y: float32[?, 2] = MatMul(x, w/read) transpose_b=true
axis: int32[] = Const() value=int32[]{1}
parts: float32[?, 1], float32[?, 1] = Split(axis, y) num_split=2
z: float32[?, 1] = Neg(parts:1)
joined: float32[?, ?] = ConcatV2([z, parts, parts:1], axis)
print: float32[?, 2] = Print(y, [x, axis]) message="y = "
init = NoOp() ^w/Assign
late: float32[?, 1] = Identity(z) ^init ^print
@variable w initial=w/zeros initializer=w/Assign read=w/read trainable
@collection losses y:0 init parts:1
@seed 7
"#;

fn read(text: &str) -> Graph {
    Graph::from_text(text, &find_op).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn error_of(text: &str) -> TextError {
    match Graph::from_text(text, &find_op) {
        Ok(graph) => panic!("no error, but\n{graph}"),
        Err(error) => error,
    }
}

/// The error of a text whose last line is wrong.
fn message(text: &str) -> String {
    error_of(text).to_string()
}

#[test]
fn a_graph_reads_back_from_its_text() {
    assert_eq!(read(MODEL).to_text(), MODEL);
}

#[test]
fn variables_collections_and_the_seed_are_read() {
    let graph = read(MODEL);
    let reader = graph.read();
    let find = |name: &str| reader.find(name).expect("the node exists");
    let variable = reader.find_variable("w").expect("the variable exists");
    let (initial_value, initializer) = variable.start.unwrap();
    assert_eq!(initial_value.node, find("w/zeros"));
    assert_eq!(initializer, find("w/Assign"));
    assert_eq!(variable.read.node, find("w/read"));
    assert!(variable.trainable);
    let tensor = |name, slot| Item::Tensor(tidemill_graph::TensorId::new(find(name), slot));
    let losses = [tensor("y", 0), Item::Operation(find("init")), tensor("parts", 1)];
    assert_eq!(reader.collection("losses"), losses);
    assert_eq!(reader.seed(), Some(7));
}

#[test]
fn stated_types_spaces_comments_and_blank_lines_may_be_left_out_or_added() {
    let graph = read(
        "# A comment.\n\n  x=Placeholder()dtype=float32   # Of any shape.\r\n\ty = AddV2 ( x , x )\n",
    );
    let expected = "x: float32[..] = Placeholder() dtype=float32\ny: float32[..] = AddV2(x, x)\n";
    assert_eq!(graph.to_text(), expected);
}

#[test]
fn a_stated_type_may_say_less_or_more_than_is_known() {
    let text = "x: float32[..] = Placeholder() dtype=float32 shape=[?, 3]\n\
                y: float32[2, ?] = Neg(x)\n";
    assert!(read(text).to_text().contains("y: float32[?, 3] = Neg(x)"));
}

#[test]
fn a_stated_type_stands_for_a_type_attribute() {
    let stated = "x: float32[?, 3] = Placeholder() shape=[?, 3]\ny: int64[..] = Cast(x)\n";
    let expected = "x: float32[?, 3] = Placeholder() dtype=float32 shape=[?, 3]\n\
                    y: int64[?, 3] = Cast(x) DstT=int64\n";
    assert_eq!(read(stated).to_text(), expected);
}

#[test]
fn every_kind_of_attribute_reads_back() {
    let text = "a = Attributes() bool=true float=-1e-7 int=-5 ints=[1, -2] shape=[?, 0] \
                str=\"a\\\"\\\\\\n\\xff'é\" type=string\n\
                b = Attributes() float=nan shape=[]\n\
                c = Attributes() float=nan(0xffc00001)\n\
                d = Attributes() float=-0.0\n\
                e = Attributes() float=-inf\n\
                f = Attributes() float=inf\n";
    assert_eq!(read(text).to_text(), text);
}

#[test]
fn an_attribute_that_the_operation_does_not_know_says_what_it_is() {
    let text = "a = NoOp() _b=true _dims=list(int)[1, 2] _f=1.0 _i=1 _inf=-inf \
                _s=shape[1, ?] _shapes=list(shape)[[1], [..], []] _t=int32[2]{1, 2} \
                _type=float32 _types=list(type)[float32, string] \"a b\"=\"text\"\n";
    assert_eq!(read(text).to_text(), text);
    assert_eq!(
        message("a = NoOp() _x=[1]"),
        "line 1, column 15: expected `shape` or `list(...)` before the bracket, but found `[`"
    );
}

#[test]
fn a_float_attribute_may_be_written_as_an_integer() {
    assert_eq!(read("a = Attributes() float=2").to_text(), "a = Attributes() float=2.0\n");
}

#[test]
fn attributes_that_are_the_default_or_follow_from_the_inputs_are_not_written() {
    let text = "x: float32[] = Placeholder() T=1 dtype=float32 shape=[]\n\
                y = AddN([x, x]) N=2 T=float32\n\
                m = Attributes() int=0 type=float32\n";
    let expected = "x: float32[] = Placeholder() T=1 dtype=float32 shape=[]\n\
                    y: float32[] = AddN([x, x])\n\
                    m = Attributes()\n";
    assert_eq!(read(text).to_text(), expected);
}

#[test]
fn tensors_read_back_to_the_bit() {
    let tensors = [
        "float32[2, 3]{1.0, 2.5, -0.0, nan, nan(0x7f800001), inf}",
        "float64[4]{0.1, -inf, nan, nan(0xfff8000000000000)}",
        "float32[3]{1e-45, 3.4028235e38, 16777216.0}",
        "float64[1]{5e-324}",
        "int8[2]{-128, 127}",
        "int16[]{-32768}",
        "int32[1]{-2147483648}",
        "int64[2]{-9223372036854775808, 9223372036854775807}",
        "uint8[]{255}",
        "uint16[]{65535}",
        "uint32[]{4294967295}",
        "uint64[1, 1]{18446744073709551615}",
        "bool[2]{true, false}",
        "string[2]{\"a\", \"\\xff\\n\"}",
        "string[]{\"\"}",
        "float32[0, 99999999999]{}",
    ];
    for tensor in tensors {
        let text = format!("c = Const() value={tensor}\n");
        let stated = format!("c: {} = ", &tensor[..tensor.find('{').expect("there are elements")]);
        assert_eq!(read(&text).to_text(), text.replacen("c = ", &stated, 1));
    }
}

#[test]
fn a_host_function_prints_but_does_not_read_back() {
    let graph = Graph::new();
    let function: Arc<tidemill_graph::HostFunction> = Arc::new(|inputs| Ok(inputs.to_vec()));
    let _default = graph.as_default();
    let x = constant(1.0_f32);
    NodeBuilder::new(&PY_FUNC)
        .inputs([x])
        .attr("function", function)
        .attr("Tout", vec![DType::F32])
        .attr("shapes", vec![shape![]])
        .build();
    let text = graph.to_text();
    let line = "PyFunc: float32[] = PyFunc([Const]) Tout=[float32] function=<host function> \
                shapes=[[]]\n";
    assert!(text.ends_with(line), "{text}");
    let error = error_of(&text);
    assert!(matches!(*error.kind, TextErrorKind::HostFunction), "{error}");
    assert_eq!(error.line, 2);
}

#[test]
fn a_displayed_graph_abbreviates_large_constants() {
    let graph = Graph::new();
    let _default = graph.as_default();
    constant(Value::list((0..1000).collect::<Vec<i32>>()));
    let expected = "Const: int32[1000] = Const() \
                    value=int32[1000]{0, 1, 2, 3, 4, 5, 6, 7, ...}\n";
    assert_eq!(graph.to_string(), expected);
    assert!(graph.to_text().ends_with("998, 999}\n"));
}

#[test]
fn errors_name_the_line_the_column_and_the_token() {
    let cases = [
        ("x", "line 1, column 2: expected `=`, but found the end of the line"),
        ("\n= NoOp()", "line 2, column 1: expected the name of a node, but found `=`"),
        ("x = Nope()", "line 1, column 5: there is no operation `Nope`"),
        ("x = NoOp", "line 1, column 9: expected `(`, but found the end of the line"),
        ("x = NoOp() ^y", "line 1, column 13: `y` is not defined above"),
        ("x = NoOp()\nx = NoOp()", "line 2, column 1: `x` is already defined above"),
        ("é = NoOp()", "line 1, column 1: expected the name of a node, but found `é`"),
        (
            "\"é\" = NoOp() ?",
            "line 1, column 14: expected an attribute, or `^` and the name of \
                              a node, but found `?`",
        ),
        ("x = NoOp() a=1 a=2", "line 1, column 16: `a` is given twice"),
        (
            "x = NoOp() a=",
            "line 1, column 14: expected the value of an attribute, but found the \
                           end of the line",
        ),
        ("x = Attributes() int=2.5", "line 1, column 22: `2.5` is not a number of type int64"),
        (
            "x = Attributes() float=1e99",
            "line 1, column 24: `1e99` is not a number of type \
                                         float32",
        ),
        (
            "x = Attributes() float=nan(0x1)",
            "line 1, column 30: expected the bits of a NaN, but \
                                             found `1`",
        ),
        (
            "x = Attributes() bool=1",
            "line 1, column 23: expected `true` or `false`, but found \
                                     `1`",
        ),
        (
            "x = Attributes() str=\"a",
            "line 1, column 24: expected a closing `\"`, but found the \
                                      end of the line",
        ),
        (
            "x = Attributes() str=\"\\q\"",
            "line 1, column 23: `\\q` is not an escape sequence: write \
                                          `\\n`, `\\t`, `\\r`, `\\\\`, `\\\"` or `\\xff`",
        ),
        (
            "x = Attributes() type=float",
            "line 1, column 23: expected a data type, such as \
                                         `float32`, but found `float`",
        ),
        (
            "x = Attributes() shape=[-1]",
            "line 1, column 25: expected the extent of an axis, but \
                                         found `-1`",
        ),
        (
            "x: int33[] = NoOp()",
            "line 1, column 4: expected a data type, such as `float32`, but \
                                 found `int33`",
        ),
        ("@nothing", "line 1, column 1: `@nothing` has no meaning here"),
        ("@fetch", "line 1, column 1: `@fetch` has no meaning here"),
        ("@variable w initial=x read=x", "line 1, column 29: `@variable` needs `initializer`"),
        (
            "x = NoOp()\n@variable x initializer=x",
            "line 2, column 26: `@variable` needs \
                                                   `initial`",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(message(text), expected, "{text}");
    }
}

#[test]
fn errors_of_inputs_name_the_argument_or_output() {
    let above = "x = Placeholder() dtype=float32 shape=[2]\ni = NoOp()\n";
    let cases = [
        ("y = Neg(x:1)", "column 9: there is no `x:1`: `x` has 1 outputs"),
        (
            "y = Neg(x:99999999999)",
            "column 11: expected the number of an output, but found \
                                    `99999999999`",
        ),
        ("y = Neg(i)", "column 9: there is no `i:0`: `i` has 0 outputs"),
        ("y = Neg([x])", "column 9: `x` is one tensor, not a list"),
        ("y = AddN(x)", "column 10: `inputs` is a list: write it in brackets, as in `[a, b]`"),
        ("y = Neg(x, x)", "column 5: expected 1 inputs, but 2 were given"),
        (
            "y: float32[3] = Neg(x)",
            "column 4: the output is stated to be float32[3], but it is \
                                    float32[2]",
        ),
        (
            "y: float32_ref[2] = Neg(x)",
            "column 4: the output is stated to be float32_ref[2], but \
                                        it is float32[2]",
        ),
        (
            "y: float32[2], float32[2] = Neg(x)",
            "column 1: 2 outputs are stated, but the node has \
                                                1",
        ),
        ("y = MatMul(x, x)", "column 5: `a` must have 2 axes, but its shape is [2]"),
        ("y = Cast(x)", "column 5: the attribute `DstT` is missing"),
        ("y = Assign(x, x)", "column 5: `ref` must be a variable"),
        (
            "\"a b\" = NoOp()",
            "column 1: `a b` cannot be a name: names consist of letters, digits \
                              and `._/>-`, and begin with a letter, a digit or `.`",
        ),
        ("@variable x initial=x initializer=i read=x", "column 11: `x` is not a variable"),
        ("@variable x initial=x initial=x", "column 23: `initial` is given twice"),
        ("@collection c y", "column 15: `y` is not defined above"),
    ];
    for (line, expected) in cases {
        assert_eq!(message(&format!("{above}{line}")), format!("line 3, {expected}"), "{line}");
    }
}

#[test]
fn a_node_that_cannot_be_built_is_an_error_and_leaves_no_poison() {
    let error = error_of("x = Placeholder() dtype=float32 shape=[2]\ny = MatMul(x, x)");
    assert!(matches!(*error.kind, TextErrorKind::Build(_)));
    assert!(tidemill_graph::check_orphans().is_ok());
}

#[test]
fn hostile_numbers_allocate_nothing() {
    let value = |tensor: &str| format!("c = Const() value={tensor}");
    let axes = vec!["1"; 255].join(", ");
    let cases = [
        (value("float32[99999999999]{}"), "has 99999999999 elements, but 0 were given"),
        (value("float32[4611686018427387904, 8]{1.0}"), "more elements than memory can hold"),
        (value("float32[99999999999999999999]{}"), "expected the extent of an axis"),
        (value("float32[18446744073709551615]{}"), "expected the extent of an axis"),
        (value(&format!("float32[{axes}]{{1.0}}")), "a shape has at most 254 axes"),
        (
            "a = Const() value=int32[]{0}\n\
             x = Placeholder() dtype=float32\n\
             s = Split(a, x) num_split=9000000000000000000"
                .to_owned(),
            "9000000000000000000 outputs were requested, but a node has at most 65536",
        ),
        (format!("x = Attributes() shape={}", "[".repeat(100_000)), "expected the extent"),
    ];
    for (text, expected) in cases {
        let message = message(&text);
        assert!(message.contains(expected), "{message}");
        assert!(message.len() < 300);
    }
}

#[test]
fn names_that_no_node_can_have_are_written_as_strings() {
    let graph = read("x = NoOp()\n");
    let node = graph.read().find("x").expect("the node exists");
    let operation = OperationRef::new(graph.key(), Referent::Node(node));
    graph.add_to_collection("a \"b\"\n", operation);
    let text = "x = NoOp()\n@collection \"a \\\"b\\\"\\n\" x\n";
    assert_eq!(graph.to_text(), text);
    assert_eq!(read(text).collection("a \"b\"\n").len(), 1);
}

#[test]
fn nodes_of_a_text_carry_the_line_that_read_it() {
    let graph = Graph::from_text("x = NoOp()", &find_op).expect("the text is a graph's");
    let line = line!() - 1;
    let reader = graph.read();
    let location = reader.location(reader.find("x").expect("the node exists"));
    assert_eq!((location.file(), location.line()), (file!(), line));
}

#[test]
fn reading_a_text_does_not_depend_on_open_scopes() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let read = || read(MODEL).to_text();
    assert_eq!(tidemill_graph::name_scope("scope", read), MODEL);
    assert_eq!(tidemill_graph::control_dependencies([no_op()], read), MODEL);
}

#[test]
fn attributes_of_the_test_operation_cover_what_the_text_form_has() {
    let kinds: Vec<&str> =
        ATTRIBUTES.attrs.iter().filter_map(|attr| Some(attr.default?.to_attr().kind())).collect();
    assert_eq!(kinds, ["int", "float", "bool", "string", "type", "shape", "list(int)"]);
    assert_eq!(Attr::from(vec![shape![]]).kind(), "list(shape)");
}
