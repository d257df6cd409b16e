//! The types that a graph is made of.
//!
//! They are in one file because each needs the next: an attribute can hold a body, a body has a graph,
//! a graph has nodes, a node has an operation, and the functions of an operation are given nodes and
//! attributes. The methods of each type are in a file of its own, above this one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, RwLock};

use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use tidemill_value::{ByteString, DType, PartialShape, ScalarOp, Value};

use crate::body::Parameter;
use crate::chunked::Chunked;
use crate::dag::Dag;
use crate::diagnosis::PoisonTable;
use crate::names::NameTable;
use crate::notes::{BranchControls, Extensions, NodeNote, Slices};
use crate::variable::{Item, Variables};
use crate::{
    Arg, AttrDef, Effect, Execution, Fact, Fallible, GradientError, GraphKey, Inferred, Kernel,
    Location, NodeId, OpError, TensorId, TensorRef,
};

/// A computation graph: an append-only record of operations.
///
/// Builder functions add to the default graph (see [`default_graph`](crate::default_graph));
/// [`Graph::as_default`] makes another graph the default of the thread. Cloning a `Graph` makes
/// a second handle to the same graph. It is dropped with its last handle and its last session.
#[derive(Clone)]
pub struct Graph(pub(crate) Arc<Shared>);

/// The state that all handles of a graph share.
pub(crate) struct Shared {
    pub(crate) key: GraphKey,
    pub(crate) state: RwLock<State>,
    /// The number of variables that a write may leave with another shape than the declared one.
    pub(crate) reshaped: AtomicUsize,
}

/// The contents of a graph, which its lock guards.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) dag: Dag<Node>,
    pub(crate) names: NameTable,
    pub(crate) locations: Chunked<Location>,
    /// For a node made on behalf of another, that other node.
    pub(crate) origins: FxHashMap<NodeId, NodeId>,
    /// For each tensor with a stand-in, the tensor created after it that later nodes take in its
    /// place.
    pub(crate) stand_ins: FxHashMap<TensorId, TensorId>,
    /// For tensors that are sums of slices, the slices.
    pub(crate) slices: FxHashMap<TensorId, Slices>,
    pub(crate) variables: Variables,
    pub(crate) collections: BTreeMap<String, Vec<Item>>,
    pub(crate) node_notes: FxHashMap<NodeId, NodeNote>,
    pub(crate) notes: BTreeMap<&'static str, Vec<u8>>,
    pub(crate) poison: PoisonTable,
    pub(crate) finalized: Option<Location>,
    pub(crate) seed: Option<i64>,
    pub(crate) strict: bool,
    /// For a body: the graph around it, and the node there that runs it.
    pub(crate) within: Option<(GraphKey, Option<NodeId>)>,
    pub(crate) extensions: Extensions,
    pub(crate) branch_controls: BranchControls,
}

/// One recorded operation. A node never changes.
#[derive(Clone, Debug)]
pub struct Node {
    /// The operation that it computes.
    pub op: &'static OpDef,
    /// The attributes that do not have their default and are not inferred from the inputs.
    pub attrs: Attrs,
    /// The input tensors, in the order of the operation's arguments.
    pub inputs: SmallVec<[TensorId; 2]>,
    /// The nodes that run before it without providing a value.
    pub control_inputs: SmallVec<[NodeId; 2]>,
    /// The facts known about its outputs.
    pub outputs: SmallVec<[Fact; 1]>,
}

/// A node as shape inference and kernels see it: its attributes, and the facts known about its
/// inputs and outputs.
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'a> {
    pub(crate) op: &'static OpDef,
    pub(crate) attrs: &'a Attrs,
    pub(crate) inputs: &'a [Fact],
    pub(crate) outputs: &'a [Fact],
}

/// A function of the host program that a node calls.
pub type HostFunction =
    dyn Fn(&[Value]) -> Result<Vec<Value>, Box<dyn Error + Send + Sync>> + Send + Sync;

/// The value of an attribute of a node.
#[derive(Clone)]
#[allow(missing_docs)]
pub enum Attr {
    Int(i64),
    Float(f32),
    Bool(bool),
    Str(ByteString),
    Type(DType),
    Shape(PartialShape),
    Tensor(Value),
    Ints(Arc<[i64]>),
    Strs(Arc<[ByteString]>),
    Types(Arc<[DType]>),
    Shapes(Arc<[PartialShape]>),
    Function(Arc<HostFunction>),
    Body(Arc<Body>),
    Bodies(Arc<[Arc<Body>]>),
}

/// The attributes stored with a node, sorted by name: those that do not have their default and are
/// not inferred from the inputs.
#[derive(Clone, Default, Debug)]
pub struct Attrs(pub(crate) Option<Arc<[NamedAttr]>>);

pub(crate) type NamedAttr = (Cow<'static, str>, Attr);

/// A graph with parameters and results that a node of another graph runs, like a function in
/// TensorFlow.
///
/// It has a parameter for each input of the node, except an input that selects a branch. Its
/// effects happen every time it runs, in creation order.
pub struct Body {
    pub(crate) name: String,
    pub(crate) graph: Graph,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) results: Vec<TensorId>,
    pub(crate) effects: Vec<NodeId>,
    pub(crate) draws: bool,
}

/// The static description of an operation type: its inputs, outputs and behavior.
///
/// Its name and attributes are TensorFlow's. It is a record of data and plain functions: one place
/// describes an operation, and all other code treats it as data.
pub struct OpDef {
    /// TensorFlow's name of the type, such as `MatMul`.
    pub name: &'static str,
    /// A summary, in one sentence.
    pub summary: &'static str,
    /// The inputs, in order.
    pub inputs: &'static [Arg],
    /// The outputs, in order.
    pub outputs: &'static [Arg],
    /// The attributes, except those that only count inputs.
    pub attrs: &'static [AttrDef],
    /// How the runtime executes a node.
    pub execution: Execution,
    /// The side effect of a node.
    pub effect: Effect,
    /// When a run of a node can fail.
    pub fallible: Fallible,
    /// True if inputs broadcast to a common shape, that of the last output, so that gradients must
    /// be summed back.
    pub broadcasts: bool,
    /// The function that it applies to each element, if that is all it does.
    pub scalar: Option<ScalarOp>,
    /// For [`Execution::Variable`]: whether nodes without a shared name refer to one variable.
    pub shares_unnamed: bool,
    /// Infers the shapes of the outputs from those of the inputs.
    pub infer: InferFn,
    /// The gradient of the operation.
    pub gradient: Gradient,
    /// Makes the kernel of a node.
    pub kernel: KernelFn,
    /// Inputs and attributes to test the operation with.
    #[cfg(feature = "samples")]
    pub samples: SamplesFn,
}

/// Infers the shapes of a node's outputs.
pub type InferFn = fn(&NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError>;
/// Builds the gradients of a node's inputs, as nodes, from those of its outputs.
pub type GradientFn = fn(&GradCx<'_>) -> Result<Grads, GradientError>;
/// Makes the kernel of a node: reads its attributes and chooses an algorithm.
pub type KernelFn = fn(&NodeView<'_>) -> Result<Box<dyn Kernel>, OpError>;
/// Lists the samples an operation is tested with.
pub type SamplesFn = fn() -> Vec<Sample>;

/// How a gradient passes through an operation.
#[derive(Clone, Copy)]
pub enum Gradient {
    /// Not declared. Differentiating through it is an error.
    Undefined,
    /// Not at all.
    NotDifferentiable,
    /// By this rule.
    Rule(GradientFn),
}

/// The gradients of a node's inputs, one for each; `None` where the outputs do not depend on
/// the input in a differentiable way.
pub type Grads = SmallVec<[Option<TensorRef>; 2]>;

/// The context of a gradient rule: the node whose gradient is being built.
///
/// The rule returns each gradient in the shape of its input. If the operation declares
/// [`broadcasts`](OpDef::broadcasts()), it returns them in the shape of the last output, and they are
/// then summed back to the inputs' shapes.
pub struct GradCx<'a> {
    pub(crate) graph: GraphKey,
    pub(crate) id: NodeId,
    pub(crate) node: &'a Node,
    pub(crate) view: NodeView<'a>,
    pub(crate) output_grads: &'a [Option<TensorRef>],
    pub(crate) first_grad: TensorRef,
}

/// Inputs and attributes to test an operation with, and the expected outcome.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The values of the inputs, one list for each argument.
    pub inputs: Vec<Vec<Value>>,
    /// The attributes that do not have their default.
    pub attrs: Vec<(&'static str, Attr)>,
    /// The expected outcome.
    pub expect: Expect,
    /// The expected outcome of differentiating it.
    pub gradient: ExpectGradient,
}

/// The expected outcome of a [`Sample`].
#[derive(Clone, Debug)]
pub enum Expect {
    /// These outputs: floats within 1e-5, relative or absolute; everything else exactly.
    Outputs(Vec<Value>),
    /// Outputs with the inferred shapes and types, whatever their values.
    Shapes,
    /// An error, when the node is built or when it runs, whose text contains this.
    Error(&'static str),
}

/// The expected outcome of differentiating a [`Sample`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExpectGradient {
    /// The gradient that matches finite differences.
    Differences,
    /// Any gradient: the outputs have no derivative at these inputs, or only a one-sided one.
    AtKink,
    /// An error whose text contains this.
    Error(&'static str),
}
