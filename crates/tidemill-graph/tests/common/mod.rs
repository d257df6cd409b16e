//! Shared by the tests: operations, and functions that build nodes of them.

#![allow(dead_code, unreachable_pub, clippy::expect_used, clippy::panic)]

pub mod ops;

use ops::*;
use tidemill_graph::{
    Attr, Graph, NodeBuilder, NodeId, OpDef, OperationRef, Referent, TensorId, TensorRef,
    VariableRecord,
};
use tidemill_value::{DType, PartialShape, Value};

/// The operation of that name.
pub fn find_op(name: &str) -> Option<&'static OpDef> {
    ALL.iter().find(|op| op.name == name).copied()
}

/// A node of type `op` with these inputs.
#[track_caller]
pub fn node(op: &'static OpDef, inputs: &[TensorRef]) -> TensorRef {
    inputs.iter().copied().fold(NodeBuilder::new(op), NodeBuilder::input).build().output(0)
}

#[track_caller]
pub fn placeholder(dtype: DType, shape: impl Into<PartialShape>) -> TensorRef {
    let node = NodeBuilder::new(&PLACEHOLDER).attr("dtype", dtype).attr("shape", shape.into());
    node.build().output(0)
}

#[track_caller]
pub fn constant(value: impl Into<Value>) -> TensorRef {
    named_constant("Const", value)
}

#[track_caller]
pub fn named_constant(name: &'static str, value: impl Into<Value>) -> TensorRef {
    let value = value.into();
    let node = NodeBuilder::new(&CONST).name(name).attr("dtype", value.dtype());
    node.attr("value", value).build().output(0)
}

#[track_caller]
pub fn add(x: TensorRef, y: TensorRef) -> TensorRef {
    NodeBuilder::new(&ADD).name("add").input(x).input(y).build().output(0)
}

#[track_caller]
pub fn neg(x: TensorRef) -> TensorRef {
    node(&NEG, &[x])
}

#[track_caller]
pub fn no_op() -> OperationRef {
    NodeBuilder::new(&NO_OP).build()
}

/// A variable with the nodes that TensorFlow creates for one.
#[track_caller]
pub fn variable(graph: &Graph, name: &'static str, value: impl Into<Value>) -> VariableRecord {
    let value = value.into();
    let core = NodeBuilder::new(&VARIABLE).graph(graph.key()).name(name);
    let core = core.attr("dtype", value.dtype()).attr("shape", PartialShape::from(value.shape()));
    let core = core.build();
    let parts = |_: &str| {
        let _default = graph.as_default();
        let initial = named_constant("initial", value);
        let assign = node(&ASSIGN, &[core.output(0), initial]);
        (initial, assign.operation(), node(&IDENTITY, &[core.output(0)]))
    };
    let (initial, assign, read) = scoped_parts(graph, name, parts);
    let record = VariableRecord {
        node: id(core),
        start: Some((tensor_id(initial), id(assign))),
        read: tensor_id(read),
        trainable: true,
        self_starting: false,
        constraint: None,
    };
    graph.add_variable(name, record.clone());
    record
}

/// The nodes below a variable, `w/initial` and so on; the variable itself has the name `w`.
fn scoped_parts<R>(graph: &Graph, name: &str, build: impl FnOnce(&str) -> R) -> R {
    tidemill_graph::absolute_scope(graph.key(), &format!("{name}/"), || build(name))
}

pub fn id(operation: OperationRef) -> NodeId {
    match operation.referent() {
        Referent::Node(id) => id,
        Referent::Poison(poison) => panic!("{poison:?} stands for a failed call"),
    }
}

pub fn tensor_id(tensor: TensorRef) -> TensorId {
    tensor.id().expect("the call did not fail")
}

pub fn is_poison(tensor: TensorRef) -> bool {
    tensor.id().is_err()
}

/// The names of all nodes, in creation order.
pub fn names(graph: &Graph) -> Vec<String> {
    let reader = graph.read();
    reader.nodes().map(|(id, _)| reader.name(id).to_owned()).collect()
}

/// The attributes stored with a node, as text.
pub fn stored_attrs(graph: &Graph, tensor: TensorRef) -> Vec<String> {
    let reader = graph.read();
    let attrs = reader.node(tensor_id(tensor).node).attrs.clone();
    attrs.iter().map(|(name, attr)| format!("{name}={attr:?}")).collect()
}

/// The facts known about a tensor, as text.
pub fn fact(graph: &Graph, tensor: TensorRef) -> String {
    graph.read().fact(tensor_id(tensor)).expect("the output exists").to_string()
}

/// The text of an attribute that is a tensor.
pub fn tensor_attr(value: impl Into<Value>) -> Attr {
    Attr::Tensor(value.into())
}
