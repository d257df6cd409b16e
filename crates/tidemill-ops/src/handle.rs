use std::fmt;

use tidemill_graph::{
    Fact, Graph, GraphReader, Location, Member, NodeBuilder, NodeId, OperationRef, Referent, Role,
    TensorId, TensorRef, diagnose, fail,
};
use tidemill_value::{DType, PartialShape};

/// A symbolic handle to one output of an operation; it holds no value.
///
/// Handles are `Copy`; copying one adds nothing to the graph. A failed builder call also returns a
/// handle, which reports the error when it is used (see [`Graph::check`]).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tensor(TensorRef);

/// A handle to an operation of a graph.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operation(OperationRef);

/// The text in place of a name if a handle has no node.
const INVALID: &str = "<invalid>";

/// Calls `read` with the graph and node behind a handle, if there are any.
fn read_node<R>(
    operation: OperationRef,
    read: impl FnOnce(&GraphReader<'_>, NodeId) -> R,
) -> Option<R> {
    let Referent::Node(id) = operation.referent() else { return None };
    let graph = Graph::find(operation.graph()).ok()?;
    let reader = graph.read();
    reader.get(id).is_some().then(|| read(&reader, id))
}

impl From<TensorRef> for Tensor {
    fn from(tensor: TensorRef) -> Self {
        Tensor(tensor)
    }
}

impl From<Tensor> for TensorRef {
    fn from(tensor: Tensor) -> Self {
        tensor.0
    }
}

impl From<OperationRef> for Operation {
    fn from(operation: OperationRef) -> Self {
        Operation(operation)
    }
}

impl From<Operation> for OperationRef {
    fn from(operation: Operation) -> Self {
        operation.0
    }
}

impl From<Tensor> for OperationRef {
    fn from(tensor: Tensor) -> Self {
        tensor.0.operation()
    }
}

impl From<Tensor> for Member {
    fn from(tensor: Tensor) -> Self {
        Member::Tensor(tensor.0)
    }
}

impl From<Operation> for Member {
    fn from(operation: Operation) -> Self {
        Member::Operation(operation.0)
    }
}

impl From<Tensor> for Operation {
    fn from(tensor: Tensor) -> Self {
        tensor.op()
    }
}

/// A handle to a variable: a tensor whose value a session keeps between runs.
///
/// Each session has its own value, and none until an initializer or an assignment has run.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Variable(pub(crate) OperationRef);

impl From<Variable> for OperationRef {
    /// The node that names the variable.
    fn from(variable: Variable) -> Self {
        variable.0
    }
}

impl From<Variable> for TensorRef {
    /// The variable itself, to write to.
    fn from(variable: Variable) -> Self {
        variable.0.output(0)
    }
}

impl From<Variable> for Member {
    fn from(variable: Variable) -> Self {
        Member::Operation(variable.0)
    }
}

impl Tensor {
    /// The operation that has this output.
    pub fn op(self) -> Operation {
        Operation(self.0.operation())
    }

    /// The number of this output of the operation.
    pub fn index(self) -> usize {
        self.0.slot() as usize
    }

    /// The name, such as `add:0`.
    pub fn name(self) -> String {
        format!("{}:{}", self.op().name(), self.0.slot())
    }

    /// The facts known about the tensor before a run.
    pub fn fact(self) -> Option<Fact> {
        let slot = self.0.slot();
        read_node(self.0.operation(), |graph, id| graph.fact(TensorId::new(id, slot)).cloned())?
    }

    /// The type of the elements; `None` for the handle of a failed call, or if the graph no longer
    /// exists.
    pub fn dtype(self) -> Option<DType> {
        self.fact().map(|fact| fact.dtype)
    }

    /// The shape that is known before a run; dimensions may be unknown.
    pub fn shape(self) -> PartialShape {
        self.fact().map_or(PartialShape::unknown(), |fact| fact.shape)
    }

    /// The operations that take this tensor, in creation order.
    pub fn consumers(self) -> Vec<Operation> {
        let slot = self.0.slot();
        let ids = read_node(self.0.operation(), |graph, id| {
            graph.tensor_consumers(TensorId::new(id, slot))
        });
        self.op().siblings(ids.unwrap_or_default())
    }

    /// Names the operation within the current name scope, making the name unique, and returns the
    /// tensor.
    ///
    /// An invalid name (see [`Operation::named`]) makes the handle invalid.
    #[track_caller]
    pub fn named(self, name: &str) -> Tensor {
        Tensor(OperationRef::from(self.op().named(name)).output(self.0.slot()))
    }

    /// Whether the call that returned the handle failed.
    pub fn is_invalid(self) -> bool {
        self.op().is_invalid()
    }

    /// The graph the tensor belongs to.
    pub fn graph(self) -> Option<Graph> {
        self.op().graph()
    }
}

impl Operation {
    /// The name, such as `add`.
    pub fn name(self) -> String {
        let name = read_node(self.0, |graph, id| graph.name(id).to_owned());
        name.unwrap_or_else(|| INVALID.to_owned())
    }

    /// The type, such as `AddV2`.
    pub fn op_type(self) -> &'static str {
        read_node(self.0, |graph, id| graph.node(id).op.name).unwrap_or(INVALID)
    }

    /// Its input tensors, in order.
    pub fn inputs(self) -> Vec<Tensor> {
        let inputs = read_node(self.0, |graph, id| graph.node(id).inputs.to_vec());
        let graph = self.0.graph();
        inputs.into_iter().flatten().map(|input| Tensor(TensorRef::new(graph, input))).collect()
    }

    /// The operations that run before it without providing a value.
    pub fn control_inputs(self) -> Vec<Operation> {
        let controls = read_node(self.0, |graph, id| graph.node(id).control_inputs.to_vec());
        self.siblings(controls.unwrap_or_default())
    }

    /// Its output tensors, in order.
    pub fn outputs(self) -> Vec<Tensor> {
        let count = read_node(self.0, |graph, id| graph.node(id).outputs.len()).unwrap_or(0);
        (0..count).map(|slot| self.output(slot)).collect()
    }

    /// Output `index`.
    pub fn output(self, index: usize) -> Tensor {
        Tensor(self.0.output(index as u32))
    }

    /// The line that created the operation; for an operation of a gradient or an update, the line
    /// that created the operation it derives from.
    pub fn location(self) -> Option<Location> {
        read_node(self.0, |graph, id| graph.location(id))
    }

    /// Names the operation within the current name scope, making the name unique, and returns it.
    ///
    /// The returned handle is invalid if the name has invalid characters or the graph is finalized.
    #[track_caller]
    pub fn named(self, name: &str) -> Operation {
        let renamed = match Graph::find(self.0.graph()) {
            Ok(graph) => graph.rename(self.0, name),
            Err(_) if matches!(self.0.referent(), Referent::Poison(_)) => Ok(()),
            Err(gone) => Err(gone),
        };
        match renamed {
            Ok(()) => self,
            Err(kind) => Operation(fail(Some(self.0.graph()), "named", kind, Vec::new())),
        }
    }

    /// Whether the call that returned the handle failed.
    pub fn is_invalid(self) -> bool {
        matches!(self.0.referent(), Referent::Poison(_))
    }

    /// The graph the operation belongs to.
    pub fn graph(self) -> Option<Graph> {
        Graph::find(self.0.graph()).ok()
    }

    fn siblings(self, ids: Vec<NodeId>) -> Vec<Operation> {
        let sibling = |id| Operation(OperationRef::new(self.0.graph(), Referent::Node(id)));
        ids.into_iter().map(sibling).collect()
    }
}

impl fmt::Display for Tensor {
    /// As TensorFlow 1 prints it: `Tensor("add:0", shape=(?, 3), dtype=float32)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(fact) = self.fact() else { return write_invalid(f, "Tensor", self.0.operation()) };
        write!(f, "Tensor({:?}, shape=", self.name())?;
        if fact.role == Role::Handle {
            return f.write_str("(), dtype=resource)");
        }
        write_tuple(f, &fact.shape)?;
        write!(f, ", dtype={}{})", fact.dtype, if fact.role == Role::Ref { "_ref" } else { "" })
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Operation {
    /// The operation as a NodeDef in protobuf's text format.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match read_node(self.0, |graph, id| graph.node_def(id)) {
            Some(text) => f.write_str(&text),
            None => write_invalid(f, "Operation", self.0),
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.graph() {
            Some(_) => write!(f, "Operation({:?}, type={})", self.name(), self.op_type()),
            None => write_invalid(f, "Operation", self.0),
        }
    }
}

/// A shape as Python prints a tuple: `()`, `(3,)`, `(?, 3)`.
pub(crate) fn write_tuple(f: &mut fmt::Formatter<'_>, shape: &PartialShape) -> fmt::Result {
    match shape.dims() {
        None => f.write_str("<unknown>"),
        Some([dim]) => write!(f, "({dim},)"),
        Some(dims) => {
            f.write_str("(")?;
            for (i, dim) in dims.iter().enumerate() {
                write!(f, "{}{dim}", if i > 0 { ", " } else { "" })?;
            }
            f.write_str(")")
        }
    }
}

fn write_invalid(f: &mut fmt::Formatter<'_>, kind: &str, operation: OperationRef) -> fmt::Result {
    let (roots, _) = diagnose(operation);
    match (roots.first(), Graph::find(operation.graph())) {
        (Some(root), _) => write!(f, "{kind}({INVALID}: {} ({}))", root.kind, root.location),
        (None, Err(gone)) => write!(f, "{kind}({INVALID}: {gone})"),
        (None, Ok(_)) => write!(f, "{kind}({INVALID})"),
    }
}

/// Adds a node, and returns its first output.
#[track_caller]
pub(crate) fn tensor(node: NodeBuilder) -> Tensor {
    node.build().output(0).into()
}
