//! Walks through a graph, including long ones, and graphs that several threads build.

mod common;

use common::ops::*;
use common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use tidemill_graph::{
    EdgeKind, Graph, NodeBuilder, NodeId, Subgraph, TensorId, TensorRef, control_dependencies,
};
use tidemill_value::{DType, shape};

/// A chain of this many nodes must not overflow the stack.
const LONG: usize = 100_000;

fn ids(tensors: &[TensorRef]) -> Vec<NodeId> {
    tensors.iter().map(|&tensor| tensor_id(tensor).node).collect()
}

fn consumers(graph: &Graph, tensor: TensorRef) -> Vec<(NodeId, EdgeKind)> {
    graph.read().consumers(tensor_id(tensor).node).collect()
}

#[test]
fn consumers_come_in_the_order_in_which_they_were_made() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(1);
    let nodes = [neg(x), neg(x), add(x, x)];
    let controlled = control_dependencies([x.operation()], no_op);
    let [first, second, sum] = ids(&nodes)[..] else { panic!("there are three") };
    let data = |node| (node, EdgeKind::Data);
    let expected =
        [data(first), data(second), data(sum), data(sum), (id(controlled), EdgeKind::Control)];
    assert_eq!(consumers(&graph, x), expected);
    let of_tensor = graph.read().tensor_consumers(tensor_id(x));
    assert_eq!(of_tensor, [first, second, sum]);
    assert!(graph.read().has_consumers(tensor_id(x).node));
    assert!(!graph.read().has_consumers(sum));
}

#[test]
fn consumers_of_an_output_are_not_those_of_another() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let split = NodeBuilder::new(&SPLIT)
        .input(constant(0))
        .input(constant([1, 2]))
        .attr("num_split", 2_i64)
        .build();
    let second = neg(split.output(1));
    let of = |slot| graph.read().tensor_consumers(tensor_id(split.output(slot)));
    assert_eq!((of(0), of(1)), (vec![], ids(&[second])));
}

#[test]
fn a_write_refers_to_its_variable_as_a_target() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let variable = variable(&graph, "w", 1);
    let reader = graph.read();
    let consumers: Vec<_> = reader.consumers(variable.node).collect();
    let expected =
        [(variable.initializer().unwrap(), EdgeKind::Target), (variable.read.node, EdgeKind::Data)];
    assert_eq!(consumers, expected);
    assert_eq!(reader.variable(variable.node).map(|found| found.read), Some(variable.read));
    assert_eq!(reader.find_variable("w").map(|found| found.node), Some(variable.node));
    assert!(reader.find_variable("w/Assign").is_none());
    assert_eq!(reader.variables().len(), 1);
}

#[test]
fn ancestors_are_found_over_the_edges_that_are_followed() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, y, z) = (constant(1), constant(2), constant(3));
    let controlled = control_dependencies([y.operation()], || neg(x));
    let sum = add(controlled, z);
    neg(sum);
    let root = tensor_id(sum).node;
    let ancestors =
        |follow: &dyn Fn(EdgeKind, TensorId) -> bool| graph.read().ancestors([root], follow);
    assert_eq!(ancestors(&|_, _| true), ids(&[x, y, z, controlled, sum]));
    assert_eq!(ancestors(&|kind, _| kind == EdgeKind::Data), ids(&[x, z, controlled, sum]));
    let fed = tensor_id(controlled);
    assert_eq!(ancestors(&|_, tensor| tensor != fed), ids(&[z, sum]));
    assert_eq!(ancestors(&|_, _| false), [root]);
    assert_eq!(graph.read().ancestors([], |_, _| true), []);
}

#[test]
fn descendants_are_what_values_flow_to() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, y) = (constant(1), constant(2));
    let negative = neg(x);
    let sum = add(negative, y);
    control_dependencies([x.operation()], no_op);
    let last = neg(sum);
    let root = tensor_id(x).node;
    let reader = graph.read();
    assert_eq!(reader.descendants([root], |_| true), ids(&[x, negative, sum, last]));
    let sum = tensor_id(sum).node;
    assert_eq!(reader.descendants([root], |node| node != sum), ids(&[x, negative]));
}

#[test]
fn values_do_not_flow_over_target_edges() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let variable = variable(&graph, "w", 1);
    let reader = graph.read();
    let descendants = reader.descendants([variable.node], |_| true);
    assert_eq!(descendants, [variable.node, variable.read.node]);
}

#[test]
fn a_long_chain_overflows_no_stack() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let first = constant(1);
    let last = (1..LONG).fold(first, |x, _| neg(x));
    let (root, leaf) = (tensor_id(first).node, tensor_id(last).node);
    assert_eq!(graph.read().ancestors([leaf], |_, _| true).len(), LONG);
    assert_eq!(graph.read().descendants([root], |_| true).len(), LONG);
    let text = graph.to_text();
    let again = Graph::from_text(&text, &find_op).expect("the text is a graph's");
    assert!(again.to_text() == text);
    let (subgraph, _) = Subgraph::from_text(&text, &find_op).expect("the text is a subgraph's");
    assert_eq!(subgraph.verify(), Ok(()));
    assert_eq!(graph.to_dot().lines().count(), LONG + (LONG - 1) + 2);
}

#[test]
fn writes_in_a_row_refer_to_one_variable() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let variable = variable(&graph, "w", 1);
    let core = TensorRef::new(graph.key(), TensorId::new(variable.node, 0));
    let one = constant(1);
    (0..100).fold(core, |w, _| node(&ASSIGN_ADD, &[w, one]));
    assert!(graph.check().is_ok());
}

#[test]
fn a_long_chain_of_poison_overflows_no_stack() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let failed = neg(placeholder(DType::String, shape![]));
    let last = (0..LONG).fold(failed, |x, _| neg(x));
    let (causes, path) = tidemill_graph::diagnose(last.operation());
    assert_eq!((causes.len(), path.len()), (1, LONG + 1));
}

#[test]
fn threads_may_build_one_graph() {
    const THREADS: usize = 8;
    const NODES: usize = 200;
    let graph = Graph::new();
    let start = {
        let _default = graph.as_default();
        constant(1)
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let _default = graph.as_default();
                let last = (0..NODES).fold(start, |x, _| neg(x));
                assert_eq!(graph.read().ancestors([tensor_id(last).node], |_, _| true).len(), 201);
            });
        }
    });
    assert_eq!(graph.len(), 1 + THREADS * NODES);
    let mut names = names(&graph);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), graph.len());
}

#[test]
fn a_graph_goes_to_another_thread() {
    let graph = Graph::new();
    let x = {
        let _default = graph.as_default();
        constant(1)
    };
    let moved = graph.clone();
    let y = std::thread::spawn(move || {
        let y = neg(x);
        assert_eq!(moved.len(), 2);
        y
    });
    let y = y.join().expect("the thread does not panic");
    assert_eq!(graph.read().node(tensor_id(y).node).inputs[0], tensor_id(x));
}

#[test]
fn nodes_made_on_behalf_of_another_carry_its_line() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(1);
    let line = line!() - 1;
    let node = tensor_id(x).node;
    let gradient = graph.on_behalf_of(node, || neg(x));
    let other = neg(x);
    let reader = graph.read();
    assert_eq!(reader.location(tensor_id(gradient).node).line(), line);
    assert_eq!(reader.origin(tensor_id(gradient).node), Some(node));
    assert_ne!(reader.location(tensor_id(other).node).line(), line);
    assert_eq!(reader.origin(tensor_id(other).node), None);
}

/// The nodes from which the root can be reached, found the slow way.
fn slow_ancestors(inputs: &[Vec<usize>], root: usize) -> Vec<usize> {
    let mut found = vec![false; inputs.len()];
    found[root] = true;
    for node in (0..inputs.len()).rev().filter(|&node| node <= root) {
        if found[node] {
            inputs[node].iter().for_each(|&input| found[input] = true);
        }
    }
    (0..inputs.len()).filter(|&node| found[node]).collect()
}

proptest! {
    #[test]
    fn ancestors_and_descendants_agree_with_a_slow_search(
        picks in vec(vec(any::<Index>(), 1..4), 1..40),
        root in any::<Index>(),
    ) {
        let graph = Graph::new();
        let _default = graph.as_default();
        let mut tensors = vec![constant(1)];
        let mut inputs: Vec<Vec<usize>> = vec![vec![]];
        for picks in &picks {
            let chosen: Vec<usize> = picks.iter().map(|pick| pick.index(tensors.len())).collect();
            let sum = NodeBuilder::new(&ADD_N).inputs(chosen.iter().map(|&i| tensors[i])).build();
            tensors.push(sum.output(0));
            inputs.push(chosen);
        }
        let root = root.index(tensors.len());
        let all = ids(&tensors);
        let reader = graph.read();
        let indices = |nodes: Vec<NodeId>| nodes.into_iter().map(NodeId::index).collect::<Vec<_>>();
        let ancestors = indices(reader.ancestors([all[root]], |_, _| true));
        prop_assert_eq!(ancestors, slow_ancestors(&inputs, root));
        let descendants = indices(reader.descendants([all[root]], |_| true));
        let expected: Vec<usize> =
            (0..all.len()).filter(|&node| slow_ancestors(&inputs, node).contains(&root)).collect();
        prop_assert_eq!(descendants, expected);
    }
}
