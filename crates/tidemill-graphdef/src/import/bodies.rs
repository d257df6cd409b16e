//! Converts functions of a message to the bodies of nodes that run them.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

use rustc_hash::FxHashSet;
use tidemill_formats::SplatBudget;
use tidemill_formats::proto::{AnyValue, GraphDef, NameAttrList, NodeDef};
use tidemill_graph::{
    Attr, AttrKind, Body, Execution, Fact, Graph, Location, OpDef, OperationRef, Referent,
    TensorRef, trace,
};

use super::inline::{Attrs, Library};
use super::wiring::{passes_handle, split_reference};
use super::{ImportError, ImportErrorKind, InputMap, Plan};

/// The limit on the nesting of bodies.
const MAX_DEPTH: usize = 64;

/// The limit on the nodes that repeated imports of functions add to a graph, so that functions that
/// run one another twice do not fill the memory.
const MAX_NODES: usize = 1 << 18;
/// The cost of making a body, in nodes.
const BODY: usize = 128;

/// The cost of bodies so far.
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

/// The number of rounds after which the shapes that a loop changes are taken as unknown.
const ROUNDS: usize = 4;

/// The functions that an attribute of a node names.
pub(super) struct Named {
    attr: &'static str,
    kind: AttrKind,
    functions: Vec<NameAttrList>,
}

/// Takes the functions that a node runs, and the attributes that follow from them, out of its
/// attributes.
///
/// # Errors
/// [`ImportErrorKind`] if an attribute is missing or not a function.
pub(super) fn take_functions(
    op: &'static OpDef,
    attrs: &mut Attrs,
) -> Result<Vec<Named>, ImportErrorKind> {
    if op.execution.inputs_before_bodies().is_none() {
        return Ok(Vec::new());
    }
    let of_bodies =
        op.attrs.iter().filter(|def| matches!(def.kind, AttrKind::Body | AttrKind::Bodies));
    let named = of_bodies.map(|def| {
        let value =
            attrs.remove(def.name).ok_or(ImportErrorKind::MissingAttr { name: def.name })?;
        let functions = match (def.kind, value.value) {
            (AttrKind::Body, Some(AnyValue::Func(function))) => vec![function],
            (AttrKind::Bodies, Some(AnyValue::List(list))) if list.func.len() == list.len() => {
                list.func
            }
            (_, value) => {
                return Err(ImportErrorKind::AttrKind {
                    name: def.name.to_owned(),
                    expected: super::attrs::name_of(def.kind),
                    actual: value.as_ref().map_or("no value", AnyValue::kind),
                });
            }
        };
        Ok(Named { attr: def.name, kind: def.kind, functions })
    });
    let named = named.collect::<Result<_, _>>()?;
    let types = op.attrs.iter().filter(|def| def.kind == AttrKind::Types);
    types.for_each(|def| drop(attrs.remove(def.name)));
    Ok(named)
}

/// The number of inputs of each argument of a node with bodies.
///
/// # Errors
/// [`ImportErrorKind::InputCount`]
pub(super) fn counts(op: &'static OpDef, inputs: usize) -> Result<Vec<usize>, ImportErrorKind> {
    let before = op.execution.inputs_before_bodies().unwrap_or(0);
    let rest = inputs
        .checked_sub(before)
        .ok_or(ImportErrorKind::InputCount { expected: before, actual: inputs })?;
    Ok(std::iter::repeat_n(1, before).chain([rest]).collect())
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

    /// The attributes of a node that runs functions, given these inputs.
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
        if op.execution == Execution::Loop {
            return self.of_loop(graph, named, facts);
        }
        let mut attrs = Vec::new();
        let mut types = None;
        for Named { attr, kind, functions } in named {
            let bodies = functions.iter().map(|function| self.body(graph, function, &facts));
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

    /// The bodies of a loop; facts that an iteration changes are taken as unknown.
    fn of_loop(
        &self,
        graph: &Graph,
        named: &[Named],
        mut facts: Vec<Fact>,
    ) -> Result<Vec<(&'static str, Attr)>, ImportErrorKind> {
        for round in 0.. {
            let mut attrs = Vec::new();
            let mut results = Vec::new();
            for Named { attr, functions, .. } in named {
                for function in functions {
                    let body = self.body(graph, function, &facts)?;
                    results = body.result_facts();
                    attrs.push((*attr, Attr::from(body)));
                }
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

    /// The body of a function, given facts about its arguments.
    fn body(
        &self,
        graph: &Graph,
        function: &NameAttrList,
        facts: &[Fact],
    ) -> Result<Arc<Body>, ImportErrorKind> {
        if self.depth == MAX_DEPTH {
            return Err(ImportErrorKind::Recursion { function: function.name.clone() });
        }
        let names: Vec<String> = (0..facts.len()).map(|i| format!("<{i}>")).collect();
        let (nodes, results) = self.library.body(function, &names)?;
        let in_function = |error: ImportError| ImportErrorKind::Function {
            function: function.name.clone(),
            error: Box::new(error),
        };
        let message = GraphDef { node: nodes, ..GraphDef::default() };
        let message = self.library.inline(Cow::Owned(message)).map_err(in_function)?.into_owned();
        self.budget.spend(&function.name, message.node.len())?;
        let mut failure = None;
        let traced = trace(graph, Location::caller(), facts, |arguments| {
            let deeper = Bodies { depth: self.depth + 1, ..*self };
            let built = deeper.build(message, &names, arguments, &results);
            built.unwrap_or_else(|error| {
                failure = Some(error);
                Vec::new()
            })
        });
        if let Some(error) = failure {
            return Err(in_function(error));
        }
        let trace = traced
            .map_err(|_| ImportErrorKind::UnknownFunction { function: function.name.clone() })?;
        let body = trace.finish(&function.name, &[], false);
        body.map(Arc::new).map_err(ImportErrorKind::Build)
    }

    /// Builds the nodes of a body in its graph, which is the default one, and returns the results.
    fn build(
        &self,
        message: GraphDef,
        names: &[String],
        arguments: &[TensorRef],
        results: &[String],
    ) -> Result<Vec<TensorRef>, ImportError> {
        let graph = tidemill_graph::default_graph();
        let mut map = InputMap::of(names, arguments);
        let origin = |reference: &String| origin(&message.node, reference);
        let results: Vec<String> = results.iter().map(origin).collect();
        let mut budget = SplatBudget::default();
        let plan = Plan::new(message, &mut map, &mut budget)?;
        plan.build(&graph, "", self)?;
        let result = |reference: &String| {
            let (name, slot) = split_reference(reference);
            if let Some(i) = names.iter().position(|given| given == name) {
                return Ok(arguments[i]);
            }
            let tensor = graph
                .read()
                .find(name)
                .map(|id| OperationRef::new(graph.key(), Referent::Node(id)).output(slot));
            let tensor =
                tensor.filter(|tensor| tensor.id().is_ok_and(|id| graph.read().fact(id).is_some()));
            tensor.ok_or_else(|| ImportError::Node {
                node: name.to_owned(),
                op: "result".to_owned(),
                kind: Box::new(ImportErrorKind::MissingInput { input: reference.clone() }),
            })
        };
        results.iter().map(result).collect()
    }

    /// The line that imports.
    pub(super) fn location(&self) -> Location {
        self.location
    }
}

/// The origin of a reference, behind nodes that pass on handles.
fn origin(nodes: &[NodeDef], reference: &String) -> String {
    let mut reference = reference;
    for _ in 0..=nodes.len() {
        let (name, _) = split_reference(reference);
        match nodes.iter().find(|node| node.name == name) {
            Some(node) if passes_handle(node) && !node.input.is_empty() => {
                reference = &node.input[0];
            }
            _ => break,
        }
    }
    reference.clone()
}

fn facts_of(graph: &Graph, tensors: &[TensorRef]) -> Vec<Fact> {
    let reader = graph.read();
    let fact = |tensor: &TensorRef| reader.fact(tensor.id().ok()?).cloned();
    let known = tensors.iter().filter_map(fact);
    known.map(|fact| Fact { elements: None, ..fact }).collect()
}
