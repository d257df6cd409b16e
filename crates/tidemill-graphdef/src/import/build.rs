//! Adds the nodes of a message to a graph, with the bodies that they run.
//!
//! The bodies of a node are made of functions, whose nodes may run bodies in turn.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use rustc_hash::FxHashSet;
use tidemill_formats::SplatBudget;
use tidemill_formats::proto::NameAttrList;
use tidemill_graph::{
    Arity, Attr, AttrKind, Body, BuildErrorKind, Execution, Fact, Graph, Location, NodeBuilder,
    NodeId, OpDef, OperationRef, Referent, Role, TensorRef, trace,
};

use super::attrs::NotedAttrs;
use super::error::{ImportError, ImportErrorKind, node_error};
use super::inline::inline;
use super::library::Library;
use super::names::prefixed;
use super::net::{Net, NetNode, Port};
use super::notes;
use super::opaque::{Opaque, Uses, lacks_to_build};
use super::plan::{Named, Parts, Plan, Planned};
use super::wiring::Given;

/// The deepest nesting of bodies.
const MAX_DEPTH: usize = 64;

/// Repeated imports of functions add at most this many nodes, so that functions that run each other
/// twice do not fill the memory.
const MAX_NODES: usize = 1 << 18;
/// The cost of a body, in nodes.
const BODY: usize = 128;

/// The cost of the bodies made so far.
#[derive(Default)]
pub(super) struct Budget {
    spent: Cell<usize>,
    /// The functions that were imported once.
    known: RefCell<FxHashSet<String>>,
}

impl Budget {
    /// Counts a body of a function.
    ///
    /// # Errors
    /// [`ImportErrorKind::TooManyNodes`]
    fn spend(&self, function: &str, nodes: usize) -> Result<(), ImportErrorKind> {
        if self.known.borrow_mut().insert(function.to_owned()) {
            return Ok(());
        }
        self.spent.set(self.spent.get().saturating_add(nodes + BODY));
        if self.spent.get() > MAX_NODES { Err(ImportErrorKind::TooManyNodes) } else { Ok(()) }
    }
}

/// After this many rounds, the shapes that a loop changes count as unknown.
const ROUNDS: usize = 4;

/// The nodes added for a net, in creation order, and its results.
pub(super) struct Built {
    pub(super) nodes: Vec<NodeId>,
    results: Vec<TensorRef>,
}

impl Plan {
    pub(super) fn build(
        mut self,
        graph: &Graph,
        prefix: &str,
        bodies: &Bodies<'_>,
    ) -> Result<Built, ImportError> {
        let mut made = Made { graph, given: &self.given, nodes: vec![None; self.nodes.len()] };
        let mut nodes = Vec::with_capacity(self.nodes.len());
        let mut devices = notes::Devices::default();
        for index in self.order {
            let Some(planned) = self.nodes[index].take() else { continue };
            let node = &self.net.nodes[index];
            let name = prefixed(prefix, &node.name);
            let built = match planned {
                Planned::Known(parts) => {
                    build_or_keep(&made, name, (index, node), parts, bodies, &mut self.uses)
                }
                Planned::Opaque(opaque) => keep(&made, name, node, opaque, bodies),
            };
            let (id, noted) = built.map_err(|kind| node.error(kind))?;
            if let Some(note) = devices.note(node, noted, prefix) {
                graph.note_node(id, note);
            }
            made.nodes[index] = Some(id);
            nodes.push(id);
        }
        let result = |port: &Port| made.result(port).ok_or_else(|| missing(&self.net, port));
        let results = self.net.results.iter().map(result).collect::<Result<_, _>>()?;
        Ok(Built { nodes, results })
    }
}

/// The nodes of a net made so far, by their numbers in it. The inputs of a node are made before it.
struct Made<'a> {
    graph: &'a Graph,
    given: &'a Given,
    nodes: Vec<Option<NodeId>>,
}

impl Made<'_> {
    fn operation(&self, node: usize) -> Option<OperationRef> {
        Some(OperationRef::new(self.graph.key(), Referent::Node(self.nodes[node]?)))
    }

    fn tensor(&self, port: &Port) -> Option<TensorRef> {
        let given = self.given.outputs.get(port).copied();
        given.or_else(|| Some(self.operation(port.node)?.output(port.slot)))
    }

    fn control(&self, node: &usize) -> Option<OperationRef> {
        let given = self.given.controls.get(node).map(|tensor| tensor.operation());
        given.or_else(|| self.operation(*node))
    }

    fn inputs(&self, node: &NetNode) -> impl Iterator<Item = TensorRef> {
        node.inputs.iter().filter_map(|port| self.tensor(port))
    }

    fn controls(&self, node: &NetNode) -> impl Iterator<Item = OperationRef> {
        node.controls.iter().filter_map(|control| self.control(control))
    }

    /// The tensor of a result, if its node has that output.
    fn result(&self, port: &Port) -> Option<TensorRef> {
        let tensor = self.tensor(port)?;
        let exists = |id| self.graph.read().fact(id).is_some();
        tensor.id().is_ok_and(exists).then_some(tensor)
    }
}

fn missing(net: &Net, Port { node, slot }: &Port) -> ImportError {
    let node = &net.nodes[*node].name;
    node_error(node, "result", ImportErrorKind::MissingInput { input: format!("{node}:{slot}") })
}

/// Builds a node, or keeps it as one that is not understood. Returns it with the attributes to note.
fn build_or_keep(
    made: &Made<'_>,
    name: String,
    (index, node): (usize, &NetNode),
    mut parts: Parts,
    bodies: &Bodies<'_>,
    uses: &mut Uses,
) -> Result<(NodeId, NotedAttrs), ImportErrorKind> {
    let (original, notes) = (parts.original.take(), std::mem::take(&mut parts.notes));
    let Some(attrs) = original else {
        return Ok((build_node(made, name, node, parts, bodies)?, notes));
    };
    match build_node(made, name.clone(), node, parts, bodies) {
        Ok(id) => Ok((id, notes)),
        Err(kind) => {
            let inputs: Vec<TensorRef> = made.inputs(node).collect();
            let lacks = lacks_to_build(made.graph, &inputs, kind, bodies.library)?;
            keep(made, name, node, uses.opaque(index, node, &attrs, lacks)?, bodies)
        }
    }
}

/// Adds a node that is not understood.
fn keep(
    made: &Made<'_>,
    name: String,
    node: &NetNode,
    opaque: Opaque,
    bodies: &Bodies<'_>,
) -> Result<(NodeId, NotedAttrs), ImportErrorKind> {
    let builder = NodeBuilder::new(opaque.op).graph(made.graph.key()).exact_name(name);
    let builder = made.controls(node).fold(builder.inputs(made.inputs(node)), NodeBuilder::control);
    let built = opaque.give_attrs(builder).try_node(bodies.location());
    Ok((built.map_err(|kind| ImportErrorKind::Build(Box::new(kind)))?, opaque.attrs))
}

fn build_node(
    made: &Made<'_>,
    name: String,
    node: &NetNode,
    parts: Parts,
    bodies: &Bodies<'_>,
) -> Result<NodeId, ImportErrorKind> {
    let graph = made.graph;
    let inputs: Vec<TensorRef> = made.inputs(node).collect();
    check_listed_types(graph, &parts, &inputs)?;
    let mut builder = NodeBuilder::new(parts.op).graph(graph.key()).exact_name(name);
    let given = inputs.clone();
    let mut rest = inputs.into_iter();
    for (arg, count) in parts.op.inputs.iter().zip(parts.counts) {
        let tensors = rest.by_ref().take(count);
        builder = match arg.arity {
            Arity::One => tensors.fold(builder, NodeBuilder::input),
            Arity::Count(_) | Arity::Types(_) => builder.inputs(tensors),
        };
    }
    builder = made.controls(node).fold(builder, NodeBuilder::control);
    let attrs = parts.attrs.into_iter();
    let attrs = attrs.chain(bodies.attrs(graph, parts.op, &parts.functions, &given)?);
    builder = attrs.fold(builder, |builder, (name, attr)| builder.attr(name, attr));
    builder.try_node(bodies.location()).map_err(|kind| ImportErrorKind::Build(Box::new(kind)))
}

/// Checks the inputs of mixed types against the attribute that lists their types, which nodes do
/// not keep.
fn check_listed_types(
    graph: &Graph,
    parts: &Parts,
    inputs: &[TensorRef],
) -> Result<(), ImportErrorKind> {
    let reader = graph.read();
    let mut start = 0;
    for (arg, &count) in parts.op.inputs.iter().zip(&parts.counts) {
        if let Arity::Types(name) = arg.arity
            && let Some((attr, Attr::Types(types))) =
                parts.attrs.iter().find(|(given, _)| *given == name)
        {
            let inputs = inputs.iter().enumerate().skip(start);
            for ((input, tensor), &expected) in inputs.zip(types.iter()) {
                let fact = tensor.id().ok().and_then(|id| reader.fact(id));
                if let Some(actual) = fact.map(|fact| fact.dtype).filter(|x| *x != expected) {
                    return Err(ImportErrorKind::InputType { input, attr, expected, actual });
                }
            }
        }
        start += count;
    }
    Ok(())
}

/// Makes bodies from the functions of a message.
#[derive(Clone, Copy)]
pub(super) struct Bodies<'a> {
    library: &'a Library<'a>,
    depth: usize,
    budget: &'a Budget,
    location: Location,
}

impl<'a> Bodies<'a> {
    pub(super) fn new(library: &'a Library<'a>, budget: &'a Budget, location: Location) -> Self {
        Bodies { library, depth: 0, budget, location }
    }

    /// The attributes of a node with these inputs that runs functions.
    ///
    /// # Errors
    /// [`ImportErrorKind`] if a function is missing, or wrong.
    pub(super) fn attrs(
        &self,
        graph: &Graph,
        op: &'static OpDef,
        named: &[Named],
        inputs: &[TensorRef],
    ) -> Result<Vec<(&'static str, Attr)>, ImportErrorKind> {
        let Some(before) = op.execution.inputs_before_bodies() else { return Ok(Vec::new()) };
        let facts = facts_of(graph, inputs.get(before..).unwrap_or_default());
        check_types(&facts, "an input of the function")?;
        if op.execution == Execution::Loop {
            return self.of_loop(graph, named, facts);
        }
        let mut attrs = Vec::new();
        let mut types = None;
        for Named { attr, kind, functions } in named {
            let body =
                |function| self.body(graph, function, self.net(function, facts.len())?, &facts);
            let bodies = functions.iter().map(body);
            let bodies: Vec<Arc<Body>> = bodies.collect::<Result<_, _>>()?;
            if let (None, Some(body)) = (&types, bodies.first()) {
                let dtypes = body.result_facts().iter().map(|fact| fact.dtype).collect::<Vec<_>>();
                types = Some(Attr::from(dtypes));
            }
            let single = bodies.first().filter(|_| *kind == AttrKind::Body).cloned();
            attrs.push((*attr, single.map_or_else(|| Attr::from(bodies), Attr::from)));
        }
        attrs.extend(types.map(|types| ("Tout", types)));
        Ok(attrs)
    }

    /// The bodies of a loop. Facts that an iteration changes are dropped.
    fn of_loop(
        &self,
        graph: &Graph,
        named: &[Named],
        mut facts: Vec<Fact>,
    ) -> Result<Vec<(&'static str, Attr)>, ImportErrorKind> {
        let functions = named
            .iter()
            .flat_map(|named| named.functions.iter().map(|function| (named.attr, function)));
        let mut nets: Vec<Net> = Vec::new();
        for round in 0.. {
            let mut attrs = Vec::new();
            let mut results = Vec::new();
            for (i, (attr, function)) in functions.clone().enumerate() {
                if i == nets.len() {
                    nets.push(self.net(function, facts.len())?);
                }
                let body = self.body(graph, function, nets[i].clone(), &facts)?;
                results = body.result_facts();
                attrs.push((attr, Attr::from(body)));
            }
            let both = facts.iter().zip(&results).map(|(fact, result)| match round < ROUNDS {
                true => fact.either(result),
                false => {
                    fact.either(&Fact::new(fact.dtype, tidemill_value::PartialShape::unknown()))
                }
            });
            let both: Vec<Fact> = both.collect();
            if both.len() != facts.len() || both == facts || round > ROUNDS {
                return Ok(attrs);
            }
            facts = both;
        }
        Ok(Vec::new())
    }

    /// The nodes of a function, with the calls in it inlined.
    fn net(&self, function: &NameAttrList, arguments: usize) -> Result<Net, ImportErrorKind> {
        if self.depth == MAX_DEPTH {
            return Err(ImportErrorKind::Recursion { function: function.name.clone() });
        }
        let net = self.library.body(&function.name, &function.attr, arguments)?;
        inline(net, self.library).map_err(|error| in_function(function, error))
    }

    /// The body of a function for arguments with these facts.
    fn body(
        &self,
        graph: &Graph,
        function: &NameAttrList,
        net: Net,
        facts: &[Fact],
    ) -> Result<Arc<Body>, ImportErrorKind> {
        self.budget.spend(&function.name, net.nodes.len())?;
        let mut failure = None;
        let traced = trace(graph, Location::caller(), facts, |arguments| {
            let deeper = Bodies { depth: self.depth + 1, ..*self };
            deeper.build(net, arguments).unwrap_or_else(|error| {
                failure = Some(error);
                Vec::new()
            })
        });
        if let Some(error) = failure {
            return Err(in_function(function, error));
        }
        let trace = traced
            .map_err(|_| ImportErrorKind::UnknownFunction { function: function.name.clone() })?;
        let body = trace.finish(&function.name, &[], false).map_err(ImportErrorKind::Build)?;
        check_types(&body.result_facts(), "a result of the function")?;
        Ok(Arc::new(body))
    }

    /// Builds the nodes of a body in its graph, which is the default one, and returns the results.
    fn build(&self, net: Net, arguments: &[TensorRef]) -> Result<Vec<TensorRef>, ImportError> {
        let plan =
            Plan::new(net, Given::arguments(arguments), &mut SplatBudget::default(), self.library)?;
        Ok(plan.build(&tidemill_graph::default_graph(), "", self)?.results)
    }

    /// The line that imports.
    pub(super) fn location(&self) -> Location {
        self.location
    }
}

fn in_function(function: &NameAttrList, error: ImportError) -> ImportErrorKind {
    ImportErrorKind::Function { function: function.name.clone(), error: Box::new(error) }
}

/// Checks that the types of the inputs or results of a body are known.
///
/// # Errors
/// [`BuildErrorKind::UnknownType`]
fn check_types(facts: &[Fact], input: &'static str) -> Result<(), ImportErrorKind> {
    match facts.iter().any(|fact| fact.role == Role::Unknown) {
        true => Err(ImportErrorKind::Build(Box::new(BuildErrorKind::UnknownType { input }))),
        false => Ok(()),
    }
}

fn facts_of(graph: &Graph, tensors: &[TensorRef]) -> Vec<Fact> {
    let reader = graph.read();
    let fact = |tensor: &TensorRef| reader.fact(tensor.id().ok()?).cloned();
    let known = tensors.iter().filter_map(fact);
    known.map(|fact| Fact { elements: None, ..fact }).collect()
}
