//! Conversions of TensorFlow's graphs, and of graphs that it never wrote.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use tidemill_formats::proto::{AnyValue, AttrValue, DataType, GraphDef, Message, NodeDef};
use tidemill_graph::{Graph, Role};

use super::super::net::{Net, NetNode, Port};
use super::super::{ImportError, ImportErrorKind, import_graph_def};

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance/corpus")
}

fn of_corpus(name: &str) -> GraphDef {
    let bytes = fs::read(corpus().join(name)).unwrap();
    GraphDef::decode(&bytes[..]).unwrap()
}

fn node(name: &str, op: &str, inputs: &[&str]) -> NodeDef {
    let dtype = if op == "Placeholder" { "dtype" } else { "T" };
    let dtype_of =
        AnyValue::Type(if name.contains('p') { DataType::Bool } else { DataType::Float }.into());
    let attr = |name: &str, value| (name.to_owned(), AttrValue { value: Some(value) });
    let mut attrs = vec![attr(dtype, dtype_of)];
    if op == "Enter" {
        attrs.push(attr("frame_name", AnyValue::S(b"loop/while_context".to_vec())));
        attrs.push(attr("is_constant", AnyValue::B(name.starts_with("constant"))));
    }
    NodeDef {
        name: name.to_owned(),
        op: op.to_owned(),
        input: inputs.iter().map(|input| (*input).to_owned()).collect(),
        attr: attrs.into_iter().collect(),
        ..NodeDef::default()
    }
}

fn graph<const N: usize>(nodes: [(&str, &str, &[&str]); N]) -> GraphDef {
    let node = nodes.map(|(name, op, inputs)| node(name, op, inputs)).into();
    GraphDef { node, ..GraphDef::default() }
}

fn raise(graph: GraphDef) -> Result<(Net, Vec<(String, Net)>), ImportError> {
    super::raise(Net::of_graph(graph.node)?, std::iter::empty())
}

/// The nodes and functions of a converted graph, except constants.
fn raised(graph: GraphDef) -> String {
    let (net, functions) = raise(graph).unwrap();
    let mut text = String::new();
    let port = |net: &Net, port: &Port| net.nodes[port.node].reference(port.slot);
    write_nodes(&mut text, "", &net, port);
    for (name, body) in functions {
        let port = |net: &Net, of: &Port| match of.node {
            Net::ARGUMENTS => format!("arg{}", of.slot),
            _ => port(net, of),
        };
        let args: Vec<String> = (0..body.arguments).map(|i| format!("arg{i}")).collect();
        let results: Vec<String> = body.results.iter().map(|result| port(&body, result)).collect();
        writeln!(text, "fn {name}({}) -> ({})", args.join(", "), results.join(", ")).unwrap();
        write_nodes(&mut text, "  ", &body, port);
    }
    text
}

fn write_nodes(text: &mut String, indent: &str, net: &Net, port: impl Fn(&Net, &Port) -> String) {
    let is_shown = |node: &&NetNode| node.op != "Const" && !node.is_outside;
    for node in net.nodes.iter().filter(is_shown) {
        let inputs = node.inputs.iter().map(|input| port(net, input));
        let controls = node.controls.iter().map(|&node| format!("^{}", net.nodes[node].name));
        let inputs: Vec<String> = inputs.chain(controls).collect();
        writeln!(text, "{indent}{} = {}({})", node.name, node.op, inputs.join(", ")).unwrap();
    }
}

/// The node that does not have TensorFlow's form, and the error.
fn refused(graph: GraphDef) -> (String, String) {
    match raise(graph) {
        Err(ImportError::Node { node, kind, .. }) => (node, kind.to_string()),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check_refused(graph: GraphDef, node: &str, message: &str) {
    let (wrong, text) = refused(graph);
    assert!(wrong == node && text.contains(message), "`{wrong}`: {text}");
}

#[test]
fn a_conditional_in_another_one_is_a_node_of_its_branch() {
    let expected = "\
in0 = Placeholder()
in1 = Placeholder()
cond/pred_id = Identity(in1)
cond = StatelessIf(in1, in0)
cond/Merge = Identity(cond)
out0 = Identity(cond/Merge)
fn cond_cond_true(arg0) -> (cond/cond/add)
  cond/cond/add = AddV2(arg0, cond/cond/add/y)
fn cond_cond_false(arg0) -> (cond/cond/sub)
  cond/cond/sub = Sub(arg0, cond/cond/sub/y)
fn cond_true(arg0) -> (cond/cond/Merge)
  cond/strided_slice = StridedSlice(arg0, cond/strided_slice/stack, \
cond/strided_slice/stack_1, cond/strided_slice/stack_2)
  cond/Greater = Greater(cond/strided_slice, cond/Greater/y)
  cond/cond = StatelessIf(cond/Greater, arg0)
  cond/cond/Merge = Identity(cond/cond)
fn cond_false(arg0) -> (cond/Neg)
  cond/Neg = Neg(arg0)
";
    assert_eq!(raised(of_corpus("control_flow_v1/cond_nested_true.pb")), expected);
}

#[test]
fn a_conditional_in_a_loop_takes_what_is_the_same_in_all_iterations() {
    let expected = "\
x0 = Placeholder()
while = StatelessWhile(Const, x0, x0)
while/Exit = Identity(while)
while/Exit_1 = Identity(while:1)
y0 = Identity(while/Exit_1)
fn while_cond_true(arg0, arg1) -> (while/cond/mul)
  while/cond/mul = Mul(arg0, arg1)
fn while_cond_false(arg0, arg1) -> (while/cond/Sin)
  while/cond/Sin = Sin(arg0)
fn while_cond(arg0, arg1, arg2) -> (while/Less)
  while/Less = Less(arg0, while/Less/y)
fn while_body(arg0, arg1, arg2) -> (while/add, while/cond/Merge, arg2)
  while/Identity = Identity(arg0)
  while/Identity_1 = Identity(arg1)
  while/add = AddV2(while/Identity, while/add/y)
  while/mod = FloorMod(while/Identity, while/mod/y)
  while/Equal = Equal(while/mod, while/Equal/y)
  while/cond = StatelessIf(while/Equal, while/Identity_1, arg2)
  while/cond/Merge = Identity(while/cond)
";
    assert_eq!(raised(of_corpus("gradients_control_v1/while_with_cond.pb")), expected);
}

#[test]
fn what_a_conditional_gives_can_be_the_condition_of_another() {
    let nodes = [
        ("p", "Placeholder", &[][..]),
        ("pq", "Placeholder", &[]),
        ("x", "Placeholder", &[]),
        ("a/ps", "Switch", &["pq", "p"]),
        ("a/pn", "LogicalNot", &["a/ps:1"]),
        ("a/pm", "Merge", &["a/ps", "a/pn"]),
        ("b/pred_id", "Identity", &["a/pm"]),
        ("b/s", "Switch", &["x", "b/pred_id"]),
        ("b/n", "Neg", &["b/s:1"]),
        ("b/m", "Merge", &["b/s", "b/n"]),
    ];
    let expected = "\
p = Placeholder()
pq = Placeholder()
x = Placeholder()
a = StatelessIf(p, pq)
a/pm = Identity(a)
b/pred_id = Identity(a/pm)
b = StatelessIf(a/pm, x)
b/m = Identity(b)
fn a_true(arg0) -> (a/pn)
  a/pn = LogicalNot(arg0)
fn a_false(arg0) -> (arg0)
fn b_true(arg0) -> (b/n)
  b/n = Neg(arg0)
fn b_false(arg0) -> (arg0)
";
    assert_eq!(raised(graph(nodes)), expected);
}

#[test]
fn an_array_is_a_list_that_a_loop_carries() {
    let text = raised(of_corpus("control_flow_v1/while_tensor_array.pb"));
    for line in [
        "TensorArray = TensorListReserve(TensorArray/element_shape, TensorArray/size)",
        "while = StatelessWhile(Const, TensorArray, in0)",
        "while/TensorArrayWrite/TensorArrayWriteV3 = TensorListSetItem(while/Identity_1, \
         while/Identity, while/Sum)",
        "TensorArrayStack/TensorArrayGatherV3 = TensorListGather(while/Exit_1, \
         TensorArrayStack/range, TensorArrayStack/TensorArrayGatherV3/element_shape)",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn a_branch_that_changes_a_variable_takes_its_storage() {
    let text = raised(of_corpus("state_ref/assign_in_cond.pb"));
    assert!(text.contains("cond = If(p, v)\n"), "{text}");
    assert!(text.contains("  cond/AssignAdd = AssignAdd(arg0, cond/ones)"), "{text}");

    let graph = Graph::new();
    let _default = graph.as_default();
    import_graph_def(of_corpus("state_ref/assign_in_cond.pb")).unwrap();
    let reader = graph.read();
    let branches = reader.nodes().flat_map(|(_, node)| node.bodies());
    let roles: Vec<Role> = branches.map(|branch| branch.parameter_facts()[0].role).collect();
    assert_eq!(roles, [Role::Ref; 2]);
}

#[test]
fn an_assertion_behind_a_condition_is_in_its_branch() {
    let text = raised(of_corpus("control_dependencies/assert_guard.pb"));
    assert!(text.contains("Assert/AssertGuard = If(All, All, x)\n"), "{text}");
    let kept = "  Assert/AssertGuard/control_dependency_1 = \
                Identity(Assert/AssertGuard/switch_f, ^Assert/AssertGuard/Assert)";
    assert!(text.contains(kept), "{text}");
}

#[test]
fn graphs_without_control_flow_stay_as_they_are() {
    let plain = graph([("x", "Placeholder", &[]), ("y", "Neg", &["x"])]);
    assert_eq!(raised(plain), "x = Placeholder()\ny = Neg(x)\n");
}

#[test]
fn a_switch_whose_branches_nothing_joins_is_refused() {
    let nodes = [
        ("x", "Placeholder", &[][..]),
        ("p", "Placeholder", &[]),
        ("s", "Switch", &["x", "p"]),
        ("y", "Neg", &["s:1"]),
    ];
    check_refused(graph(nodes), "s", "no `Merge` joins the branches");
}

#[test]
fn a_merge_of_other_things_than_two_branches_is_refused() {
    let merge = |inputs: &'static [&'static str]| {
        graph([
            ("x", "Placeholder", &[]),
            ("p", "Placeholder", &[]),
            ("q", "Placeholder", &[]),
            ("s", "Switch", &["x", "p"]),
            ("t", "Switch", &["x", "q"]),
            ("m", "Merge", inputs),
        ])
    };
    for inputs in [&["s", "t:1"][..], &["s", "s"], &["x", "s:1"], &["s"], &[]] {
        check_refused(merge(inputs), "m", "not of the two branches of one condition");
    }
    let both = [
        ("x", "Placeholder", &[][..]),
        ("p", "Placeholder", &[]),
        ("s", "Switch", &["x", "p"]),
        ("y", "AddV2", &["s", "s:1"]),
    ];
    check_refused(graph(both), "y", "tensors of two branches");
}

/// A loop that adds to a tensor as long as it is less than a constant.
fn a_loop() -> GraphDef {
    graph([
        ("x", "Placeholder", &[]),
        ("enter", "Enter", &["x"]),
        ("constant", "Enter", &["x"]),
        ("merge", "Merge", &["enter", "next"]),
        ("less", "Less", &["merge", "constant"]),
        ("loop_cond", "LoopCond", &["less"]),
        ("switch", "Switch", &["merge", "loop_cond"]),
        ("body", "AddV2", &["switch:1", "constant"]),
        ("next", "NextIteration", &["body"]),
        ("exit", "Exit", &["switch"]),
        ("y", "Neg", &["exit"]),
    ])
}

#[test]
fn a_loop_is_a_node_that_runs_two_functions() {
    let expected = "\
x = Placeholder()
loop = StatelessWhile(x, x)
exit = Identity(loop)
y = Neg(exit)
fn loop_cond(arg0, arg1) -> (less)
  less = Less(arg0, arg1)
fn loop_body(arg0, arg1) -> (body, arg1)
  body = AddV2(arg0, arg1)
";
    assert_eq!(raised(a_loop()), expected);
}

fn without(mut graph: GraphDef, names: &[&str]) -> GraphDef {
    graph.node.retain(|node| !names.contains(&node.name.as_str()));
    graph
}

fn changed(mut graph: GraphDef, name: &str, inputs: &[&str]) -> GraphDef {
    let node = graph.node.iter_mut().find(|node| node.name == name).unwrap();
    node.input = inputs.iter().map(|input| (*input).to_owned()).collect();
    graph
}

#[test]
fn loops_of_another_form_are_refused() {
    let frame = "in the loop of the frame `loop/while_context`";
    let (node, text) = refused(without(a_loop(), &["loop_cond", "switch", "exit", "y"]));
    assert!(node == "enter" && text.contains("0 `LoopCond`") && text.contains(frame), "{text}");
    let merge = changed(a_loop(), "merge", &["enter", "constant"]);
    check_refused(merge, "merge", "not of the two branches of one condition");
    check_refused(changed(a_loop(), "exit", &["merge"]), "exit", "does not lead out");
    check_refused(changed(a_loop(), "exit", &["x"]), "exit", "it is not in a loop");
    check_refused(changed(a_loop(), "next", &["switch"]), "switch", "it is needed within the loop");
    check_refused(changed(a_loop(), "switch", &["merge", "less"]), "switch", "no `Merge` joins");
    let around = changed(a_loop(), "body", &["switch:1", "body"]);
    assert!(matches!(
        raise(around),
        Err(ImportError::Node { kind, .. }) if matches!(*kind, ImportErrorKind::Cycle { .. })
    ));
}

#[test]
fn gradients_of_loops_are_refused() {
    let stack = graph([("size", "Placeholder", &[]), ("stack", "StackV2", &["size"])]);
    check_refused(stack, "stack", "extract the graph without gradients");
}

/// Graphs of the corpus, with any of their nodes left out or given other inputs.
#[test]
fn graphs_that_tensorflow_never_wrote_are_raised_or_refused() {
    let mut state = 1_u64;
    let mut random = move |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    for folder in ["control_flow_v1", "gradients_control_v1"] {
        let files = fs::read_dir(corpus().join(folder)).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<PathBuf> =
            files.filter(|file| file.extension().is_some_and(|end| end == "pb")).collect();
        files.sort();
        for file in files {
            let whole = GraphDef::decode(&fs::read(file).unwrap()[..]).unwrap();
            for _ in 0..60 {
                let mut graph = whole.clone();
                for _ in 0..=random(3) {
                    let count = graph.node.len();
                    let (at, other) = (random(count), graph.node[random(count)].name.clone());
                    match random(4) {
                        0 => drop(graph.node.remove(at)),
                        1 => graph.node[at].input.push(format!("{other}:{}", random(3))),
                        2 => drop(graph.node[at].input.pop()),
                        _ => {
                            let inputs = graph.node[at].input.len();
                            if let Some(input) = graph.node[at].input.get_mut(random(inputs)) {
                                *input = format!("{other}:{}", random(3));
                            }
                        }
                    }
                }
                let _ = raise(graph);
            }
        }
    }
}

#[test]
fn conditionals_nested_deep_overflow_no_stack() {
    let mut nodes = vec![node("x", "Placeholder", &[]), node("p", "Placeholder", &[])];
    let mut last = "x".to_owned();
    for i in 0..2000 {
        nodes.push(node(&format!("p{i}"), "Placeholder", &[]));
        nodes.push(node(&format!("s{i}"), "Switch", &[&last, &format!("p{i}")]));
        last = format!("s{i}:1");
    }
    check_refused(
        GraphDef { node: nodes, ..GraphDef::default() },
        "s1001",
        "too many conditionals",
    );
}
