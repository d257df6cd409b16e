//! Bodies: the graphs that nodes run as branches of a conditional, or repeatedly in a loop.

mod inside;
mod trace;

use std::fmt;

use smallvec::{SmallVec, smallvec};
use tidemill_value::DType;

pub use inside::{Enclosing, InsideBody};
pub use trace::{
    Enclosure, Trace, add_argument, beside, enclosures, innermost, outside, parameter, trace,
};
pub(crate) use trace::{adopt, is_control_inside, redirect};

use crate::{
    Access, Arg, AttrDef, AttrKind, Default, Effect, Execution, Fact, Fallible, Graph, GraphKey,
    Inferred, NodeId, NodeView, OpDef, OpError, Role, Subgraph, TensorId,
};

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

/// A parameter of a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// The node that represents it in the body.
    pub node: NodeId,
    /// Its kind.
    pub kind: ParameterKind,
    /// Whether it is a variable that the body writes.
    pub written: bool,
}

/// The kind of a body's parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParameterKind {
    /// A value.
    Value,
    /// The value of a variable; if a body writes the variable, the value in each iteration.
    Read(Root),
    /// A variable.
    Variable(Root),
}

/// The variable behind parameters: its node, in the graph that it was created in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub struct Root {
    pub graph: GraphKey,
    pub node: NodeId,
}

impl ParameterKind {
    /// Whether it is a variable, not a value.
    pub fn is_variable(self) -> bool {
        matches!(self, ParameterKind::Variable(_))
    }
}

macro_rules! parameter {
    ($(#[$doc:meta])* $name:ident, $op:literal, $summary:literal, $execution:ident, $role:ident) => {
        $(#[$doc])*
        pub static $name: OpDef = OpDef::new($op, $summary)
            .outputs(&[Arg { role: Role::$role, ..Arg::of("output", "T") }])
            .attrs(&[
                AttrDef::types("T", DType::ANY),
                AttrDef::new("shape", AttrKind::Shape),
                AttrDef::types("list_dtype", DType::ANY).default(Default::Type(DType::Variant)),
                AttrDef::new("list_shape", AttrKind::Shape).default(Default::UnknownShape),
            ])
            .execution(Execution::$execution)
            .fallible(Fallible::Never)
            .infer(infer_parameter)
            .not_differentiable();
    };
}

parameter! {
    /// A parameter of a body that is a value.
    PARAMETER, "_Arg", "A value that a body takes.", Placeholder, Value
}
parameter! {
    /// A parameter of a body that is the storage of a variable.
    REF_PARAMETER, "_RefArg", "The storage of a variable that a body takes.", Variable, Ref
}
parameter! {
    /// A parameter of a body that is the handle of a variable.
    HANDLE_PARAMETER, "_HandleArg", "The handle of a variable that a body takes.", Variable, Handle
}

fn infer_parameter(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let shape = node.shape_attr("shape")?;
    match node.type_attr("list_dtype")? {
        DType::Variant => Inferred::one(shape),
        dtype => Ok(smallvec![Inferred::list_of(Fact::new(dtype, node.shape_attr("list_shape")?))]),
    }
}

impl Body {
    /// Makes a body of a graph, which takes no more nodes from then on. All nodes of the graph that
    /// have an effect are part of it.
    pub fn new(
        name: String,
        graph: Graph,
        parameters: impl IntoIterator<Item = (NodeId, ParameterKind)>,
        results: Vec<TensorId>,
    ) -> Body {
        graph.finalize();
        let (mut effects, mut draws) = (Vec::new(), false);
        let mut written = Vec::new();
        let reader = graph.read();
        for (id, node) in reader.nodes() {
            let called = || node.bodies();
            let acts = matches!(node.op.effect, Effect::Print | Effect::Assert | Effect::Host)
                || node.op.execution == Execution::Write
                || called().any(|body| !body.effects.is_empty());
            if acts {
                effects.push(id);
            }
            draws |= node.op.effect == Effect::Random || called().any(|body| body.draws);
            let writes = (0..node.inputs.len()).filter(|&i| node.access(i).writes());
            written.extend(writes.filter_map(|i| reader.variable_of(node.inputs[i])));
        }
        drop(reader);
        let parameter = |(node, kind)| Parameter { node, kind, written: written.contains(&node) };
        let parameters = parameters.into_iter().map(parameter).collect();
        Body { name, graph, parameters, results, effects, draws }
    }

    /// The body without the effects of these nodes, which another body runs.
    pub fn without_effects_of(mut self, nodes: &[NodeId]) -> Body {
        self.effects.retain(|effect| !nodes.contains(effect));
        self
    }

    /// A graph with the same nodes under the same numbers, from which to build another body.
    pub fn reopen(&self) -> Graph {
        self.graph.reopened()
    }

    /// Its name in messages and files.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Its parameters, in the order of the inputs of the node that runs it.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Its results, in the order of the outputs of the node that runs it.
    pub fn results(&self) -> &[TensorId] {
        &self.results
    }

    /// The nodes that have an effect, in the order in which they were made.
    pub fn effects(&self) -> &[NodeId] {
        &self.effects
    }

    /// Whether it draws random numbers.
    pub fn draws(&self) -> bool {
        self.draws
    }

    /// Whether it may leave a variable that it takes with another shape than the declared one.
    pub(crate) fn reshapes(&self, parameter: usize) -> bool {
        let node = self.parameters.get(parameter).map(|parameter| parameter.node);
        node.is_some_and(|node| self.graph.read().is_reshaped(node))
    }

    /// Whether it has effects or depends on anything but its values.
    pub fn is_stateful(&self) -> bool {
        self.draws
            || !self.effects.is_empty()
            || self.parameters.iter().any(|parameter| parameter.kind.is_variable())
    }

    /// The facts known about the parameters.
    pub fn parameter_facts(&self) -> Vec<Fact> {
        let reader = self.graph.read();
        let node = |parameter: &Parameter| reader.node(parameter.node).outputs[0].clone();
        self.parameters.iter().map(node).collect()
    }

    /// The facts known about the results.
    pub fn result_facts(&self) -> Vec<Fact> {
        let reader = self.graph.read();
        let fact =
            |&TensorId { node, slot }: &TensorId| reader.node(node).outputs[slot as usize].clone();
        self.results.iter().map(fact).collect()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({:?}, {:?})", self.name, self.graph)
    }
}

/// The path through a body: what a plan runs.
#[derive(Clone, Debug)]
pub struct BodyPath {
    /// It has a feed for each parameter (variables are values there) and a fetch for each result.
    /// In a branch, a fetch for each variable that the branches write follows.
    pub subgraph: Subgraph,
    /// Whether a parameter is a variable whose previous value is needed.
    pub reads: SmallVec<[bool; 4]>,
    /// Whether an inner body may need the previous value of a parameter.
    pub may_read: SmallVec<[bool; 4]>,
}

impl BodyPath {
    /// Whether anything needs the value of a parameter.
    pub fn needs(&self, parameter: usize) -> bool {
        let feed = TensorId::new(self.subgraph.feeds[parameter], 0);
        self.subgraph.fetches.contains(&feed)
            || self.subgraph.nodes().any(|(_, node)| node.inputs.contains(&feed))
    }
}

/// The access to an input for which bodies have these parameters.
pub(crate) fn parameter_access(parameters: impl IntoIterator<Item = Parameter>) -> Access {
    let mut access = Access::Read;
    for parameter in parameters {
        match parameter.kind.is_variable() {
            true if parameter.written => return Access::Amend,
            true => access = Access::Peek,
            false => {}
        }
    }
    access
}

/// The facts that hold for the results of each of several bodies.
pub fn results_of_either<'a>(
    bodies: impl IntoIterator<Item = &'a Body>,
) -> SmallVec<[Inferred; 1]> {
    let results = bodies.into_iter().map(Body::result_facts);
    let facts = results.reduce(|facts, others| {
        facts.iter().zip(&others).map(|(left, right)| left.either(right)).collect()
    });
    facts.unwrap_or_default().iter().map(Inferred::same_as).collect()
}

/// The attribute under which a node of a [`Subgraph`] has the paths through its bodies.
pub(crate) const PATHS: &str = "_paths";
