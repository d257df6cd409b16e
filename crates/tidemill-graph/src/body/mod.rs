//! Bodies: the graphs that nodes run as branches of a conditional, or repeatedly in a loop.

mod capture;
mod inside;
mod open;
mod parameter;
mod trace;

use std::fmt;

use smallvec::{SmallVec, smallvec};
use tidemill_value::DType;

pub use capture::parameter;
pub(crate) use capture::{adopt, is_control_inside};
pub use inside::{Enclosing, InsideBody};
pub(crate) use open::redirect;
pub use open::{Enclosure, Trace, enclosures, innermost};
pub(crate) use parameter::parameter_access;
pub use parameter::{Parameter, ParameterKind, Root};
pub use trace::{add_argument, beside, outside, trace};

use crate::{
    Arg, AttrDef, AttrDefault, AttrKind, Body, Effect, Execution, Fact, Fallible, Graph, Inferred,
    NodeId, NodeView, OpDef, OpError, Role, TensorId,
};

macro_rules! parameter {
    ($(#[$doc:meta])* $name:ident, $op:literal, $summary:literal, $execution:ident, $role:ident) => {
        $(#[$doc])*
        pub static $name: OpDef = OpDef::new($op, $summary)
            .outputs(&[Arg { role: Role::$role, ..Arg::of("output", "T") }])
            .attrs(&[
                AttrDef::types("T", DType::ANY),
                AttrDef::new("shape", AttrKind::Shape),
                AttrDef::types("list_dtype", DType::ANY).default(AttrDefault::Type(DType::Variant)),
                AttrDef::new("list_shape", AttrKind::Shape).default(AttrDefault::UnknownShape),
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

    /// Whether it has effects, or depends on anything other than the values passed to it.
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
