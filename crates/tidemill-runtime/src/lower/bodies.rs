//! From the bodies of a node to the paths through them, its regions, in which variables are values.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use smallvec::SmallVec;
use tidemill_graph::{
    Access, Body, Effect, Execution, Fact, Instr, Node, NodeId, Parameter, ParameterKind, Region,
    Root, TensorId,
};
use tidemill_value::PartialShape;

use crate::lower::prune::{Lowering, Shapes, nodes_on_path};
use crate::lower::signature::Signature;

/// The inputs that name variables which a node writes, each with the output that holds the value it
/// leaves.
pub(crate) type States = SmallVec<[(usize, u32); 2]>;

impl Lowering<'_> {
    /// Gives an instruction the paths through the bodies of its node, if there are any, and outputs
    /// for the variables that branches write. A loop returns the variables that it takes among its outputs.
    pub(crate) fn lower_bodies(&mut self, id: NodeId, node: &Node, lowered: &mut Instr) -> States {
        let Some(before) = node.op.execution.inputs_before_bodies() else { return States::new() };
        let bodies: SmallVec<[&Body; 2]> = node.bodies().collect();
        let parameters = || bodies.iter().flat_map(|body| body.parameters());
        let written: FxHashSet<Root> = parameters()
            .filter(|parameter| parameter.written)
            .filter_map(|parameter| match parameter.kind {
                ParameterKind::Variable(root) => Some(root),
                _ => None,
            })
            .collect();
        let states: Vec<usize> = (0..node.inputs.len().saturating_sub(before))
            .filter(|&i| bodies.iter().any(|body| body.parameters()[i].written))
            .collect();
        let repeats = node.op.execution == Execution::Loop;
        let kept: &[usize] = if repeats { &[] } else { &states };
        let shapes = self.shapes_taken(node, lowered);
        // The results of a loop's condition are not parameters.
        let regions = bodies.iter().enumerate().map(|(i, body)| {
            let repeats = repeats && i > 0;
            region_of(body, &BodyRuns { written: &written, kept, repeats, shapes })
        });
        lowered.regions = regions.map(Arc::new).collect();
        if shapes == Shapes::Open {
            lowered.outputs.iter_mut().for_each(open);
        }
        self.note_reads(id, node, &lowered.regions);
        let value_of_variable = |&i: &usize| {
            let fact = self.subgraph.fact(lowered.inputs[i + before]);
            let mut value = Fact::new(fact.dtype, fact.shape.clone());
            if shapes == Shapes::Open {
                open(&mut value);
            }
            value
        };
        if repeats {
            for (i, parameter) in bodies[0].parameters().iter().enumerate() {
                if parameter.kind.is_variable() {
                    lowered.outputs[i] = value_of_variable(&i);
                }
            }
            return states.into_iter().map(|i| (i, i as u32)).collect();
        }
        let first = lowered.outputs.len();
        let facts: Vec<Fact> = states.iter().map(value_of_variable).collect();
        lowered.outputs.extend(facts);
        states.into_iter().zip(first as u32..).map(|(i, slot)| (i + before, slot)).collect()
    }

    /// Gives the subgraph a feed for each parameter of its body.
    fn feed_parameters(&mut self, parameters: &[Parameter], written: &FxHashSet<Root>) {
        self.subgraph.feeds.clear();
        for parameter in parameters {
            let tensor = TensorId::new(parameter.node, 0);
            let feed = match self.given.get(&tensor) {
                Some(given) => given.node,
                None => {
                    let fact = &self.graph.node(parameter.node).outputs[0];
                    let value = Fact::new(fact.dtype, fact.shape.clone());
                    self.subgraph.push_feed(&value, parameter.node)
                }
            };
            self.subgraph.feeds.push(feed);
            if parameter.kind.is_variable() {
                self.starts.insert(parameter.node, TensorId::new(feed, 0));
            }
        }
        // A value read outside, of a variable that is written inside, becomes its current value.
        for parameter in parameters {
            if let ParameterKind::Read(root) = parameter.kind
                && written.contains(&root)
                && let Some(variable) =
                    parameters.iter().find(|other| other.kind == ParameterKind::Variable(root))
            {
                let current = self.current(variable.node);
                self.given.insert(TensorId::new(parameter.node, 0), current);
            }
        }
    }
}

/// Forgets the shape of a tensor.
fn open(fact: &mut Fact) {
    (fact.shape, fact.elements) = (PartialShape::unknown(), None);
}

/// The way in which a node runs its bodies.
struct BodyRuns<'a> {
    /// The variables that any of the bodies writes.
    written: &'a FxHashSet<Root>,
    /// The parameters whose values a body returns after its results.
    kept: &'a [usize],
    /// True if the results are the parameters of the next iteration.
    repeats: bool,
    shapes: Shapes,
}

/// The path through a body.
fn region_of(body: &Body, runs: &BodyRuns<'_>) -> Region {
    let parameters = body.parameters();
    let values = parameters.iter().filter(|parameter| !parameter.kind.is_variable());
    let mut feeds: SmallVec<[TensorId; 4]> =
        values.map(|parameter| TensorId::new(parameter.node, 0)).collect();
    feeds.sort_unstable();
    let signature = Signature {
        feeds,
        fetches: body.results().into(),
        targets: body.effects().into(),
        checked: false,
    };
    let reader = body.graph().read();
    let path = nodes_on_path(&reader, &signature);
    let mut lowering = Lowering::new(&reader, &signature, runs.shapes, None);
    lowering.feed_parameters(parameters, runs.written);
    lowering.lower_all(&path);
    // An assertion inside that a branch needs does not run for its own sake.
    let is_assertion = |id: &NodeId| reader.node(*id).op.effect == Effect::Assert;
    lowering.guard(signature.roots().filter(|root| !is_assertion(root)), &path);
    let is_variable = |i: usize| runs.repeats && parameters[i].kind.is_variable();
    for (i, result) in body.results().iter().enumerate() {
        let value = match is_variable(i) {
            true => lowering.end(parameters[i].node),
            false => lowering.input(result.node, Access::Read, *result),
        };
        lowering.subgraph.fetches.push(value);
    }
    for &i in runs.kept {
        let end = lowering.end(parameters[i].node);
        lowering.subgraph.fetches.push(end);
    }
    let is_read = |p: &Parameter| {
        lowering.variables.get(&p.node).is_some_and(|usage| usage.first_reader.is_some())
    };
    let reads = parameters.iter().map(is_read).collect();
    let may_read = parameters.iter().map(|p| lowering.may_read.contains(&p.node)).collect();
    lowering.subgraph.repeats = runs.repeats;
    Region { reads, may_read, subgraph: lowering.subgraph }
}

impl Lowering<'_> {
    /// The shapes of the node's inputs: as declared, or open.
    fn shapes_taken(&self, node: &Node, lowered: &Instr) -> Shapes {
        let mut pairs = node.inputs.iter().zip(&lowered.inputs);
        let is_open = pairs.any(|(&input, &taken)| match self.graph.variable_of(input) {
            Some(variable) => self.may_be_reshaped(variable),
            None => {
                let declared = self.graph.fact(input).map(|fact| &fact.shape);
                let taken = &self.subgraph.fact(taken).shape;
                // A taken shape may say more than the declared one, but must not say less anywhere.
                declared
                    .is_some_and(|declared| !taken.merge(declared).is_ok_and(|both| both == *taken))
            }
        });
        if is_open { Shapes::Open } else { Shapes::Declared }
    }

    /// Notes the variables whose values the bodies of a node may need. Self-starting ones must have
    /// one, whether the body runs or not.
    fn note_reads(&mut self, id: NodeId, node: &Node, regions: &[Arc<Region>]) {
        let before = node.op.execution.inputs_before_bodies().unwrap_or(0);
        for (i, &input) in node.inputs.iter().skip(before).enumerate() {
            let reads = |region: &Arc<Region>| region.reads[i] || region.may_read[i];
            if !regions.iter().any(reads) {
                continue;
            }
            let Some(variable) = self.graph.variable_of(input) else { continue };
            self.may_read.insert(variable);
            let starts = self.graph.variable(variable).is_some_and(|record| record.self_starting);
            if starts && !self.written.contains_key(&variable) {
                self.variable(variable).first_reader.get_or_insert(id);
            }
        }
    }

    /// The final value of a variable.
    fn end(&mut self, variable: NodeId) -> TensorId {
        let written = self.written.get(&variable).copied();
        written.unwrap_or_else(|| self.start(variable))
    }
}
