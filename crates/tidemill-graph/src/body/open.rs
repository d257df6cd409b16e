//! The bodies that this thread is building.

use std::cell::RefCell;

use crate::{
    Graph, GraphKey, NodeId, OperationRef, ParameterKind, Referent, TensorId, TensorRef, registry,
};

/// A body under construction: its graph, and the parameters that stand for tensors of the graph
/// around it.
#[derive(Clone, Debug)]
pub struct Trace {
    pub(super) graph: Graph,
    pub(super) outer: GraphKey,
    /// The requested parameters.
    pub(super) arguments: Vec<(NodeId, ParameterKind)>,
    pub(super) captures: Vec<Capture>,
    /// Constants of the graph around it that have no gradient, and their copies.
    pub(super) constants: Vec<(TensorId, TensorId)>,
    /// The nodes of the enclosing graph that nodes inside must run after.
    pub(super) controls: Vec<NodeId>,
    pub(super) results: Vec<TensorId>,
}

/// A tensor of the graph around a body, and the parameter that stands for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capture {
    pub(super) outer: TensorId,
    pub(super) node: NodeId,
    pub(super) kind: ParameterKind,
}

thread_local! {
    /// The bodies that this thread is building, the innermost last.
    pub(super) static TRACES: RefCell<Vec<Trace>> = const { RefCell::new(Vec::new()) };
}

impl Trace {
    pub(super) fn new((graph, outer): &(Graph, GraphKey)) -> Trace {
        Trace {
            graph: graph.clone(),
            outer: *outer,
            arguments: Vec::new(),
            captures: Vec::new(),
            constants: Vec::new(),
            controls: Vec::new(),
            results: Vec::new(),
        }
    }

    /// Its graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The tensors of the graph around it that it captures, apart from its arguments.
    pub fn captured(&self) -> impl Iterator<Item = TensorRef> {
        self.captures.iter().map(|capture| TensorRef::new(self.outer, capture.outer))
    }

    /// The nodes of the enclosing graph that the node that runs the body must run after.
    pub fn controls(&self) -> impl Iterator<Item = OperationRef> {
        self.controls.iter().map(|&id| OperationRef::new(self.outer, Referent::Node(id)))
    }

    /// Its results.
    pub fn results(&self) -> &[TensorId] {
        &self.results
    }
}

/// Removes a body from the list once it is built, also if building it panics.
pub(super) struct Running {
    depth: usize,
}

impl Running {
    pub(super) fn enter(trace: Trace) -> Running {
        TRACES.with_borrow_mut(|traces| {
            traces.push(trace);
            Running { depth: traces.len() }
        })
    }

    pub(super) fn leave(self) -> Trace {
        TRACES.with_borrow_mut(|traces| traces.swap_remove(self.depth - 1))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        TRACES.with_borrow_mut(|traces| traces.truncate(self.depth - 1));
    }
}

/// The graph that takes a node whose inputs are in the graph `key`. While a body is being built, this
/// is the body's graph, if `key` is a graph around it or that of another body.
pub(crate) fn redirect(key: GraphKey) -> GraphKey {
    TRACES.with_borrow(|traces| match traces.last() {
        Some(last) if traces.iter().any(|trace| trace.outer == key) => last.graph.key(),
        Some(last)
            if last.graph.key() != key
                && registry::default_graph().key() == last.graph.key()
                && is_of_body(key) =>
        {
            last.graph.key()
        }
        _ => key,
    })
}

/// True if a graph is that of a body.
fn is_of_body(key: GraphKey) -> bool {
    Graph::find(key).is_ok_and(|graph| graph.read().state().within.is_some())
}

/// A graph that encloses a body being built, or that body itself, and the tensors that the graph
/// inside it captures.
#[derive(Clone, Debug)]
pub struct Enclosure {
    /// The graph.
    pub graph: Graph,
    /// Its tensors that the body inside captures, each with the parameter that stands for it
    /// there.
    pub captured: Vec<(TensorId, TensorId)>,
}

/// A graph and those that enclose it, from the inside out: more than one if `graph` is that of a
/// body being built.
pub fn enclosures(graph: &Graph) -> Vec<Enclosure> {
    let mut enclosures = vec![Enclosure { graph: graph.clone(), captured: Vec::new() }];
    TRACES.with_borrow(|traces| {
        let innermost = traces.iter().rposition(|trace| trace.graph.key() == graph.key());
        for trace in innermost.map_or(&[][..], |last| &traces[..=last]).iter().rev() {
            let Ok(graph) = Graph::find(trace.outer) else { break };
            let captures = trace.captures.iter();
            let captured = captures.map(|c| (c.outer, TensorId::new(c.node, 0))).collect();
            enclosures.push(Enclosure { graph, captured });
        }
    });
    enclosures
}

/// The graph of the innermost body being built, if there is one and `graph` is around it.
pub fn innermost(graph: &Graph) -> Graph {
    Graph::find(redirect(graph.key())).unwrap_or_else(|_| graph.clone())
}
