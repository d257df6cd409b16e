//! The memory of graphs, by kind.

use std::mem::size_of;
use std::sync::{Arc, PoisonError};

use petgraph::graph::{Edge as AdjacentEdge, Node as AdjacentNode};
use rustc_hash::FxHashSet;
use smallvec::SmallVec;
use tidemill_value::Value;

use crate::dag::{Dag, Edge};
use crate::holding::Holding;
use crate::model::{NamedAttr, State};
use crate::registry::{self, ORPHANS};
use crate::{Attr, Attrs, Fact, Graph, Node};

/// The shared memory that has already been counted.
#[derive(Default, Debug)]
pub struct Seen(FxHashSet<usize>);

impl Seen {
    /// True if the allocation at an address was not seen before.
    fn is_first<T: ?Sized>(&mut self, shared: *const T) -> bool {
        self.0.insert(shared.addr())
    }

    /// The bytes of the elements of a value that no value seen before shares. A single number is in
    /// the value itself, and mapped elements are in their file.
    pub fn value(&mut self, value: &Value) -> usize {
        match value.as_bytes() {
            _ if value.shape().rank() == 0 || value.is_mapped() => 0,
            Some(elements) if !elements.is_empty() && !self.is_first(elements.as_ptr()) => 0,
            _ => value.bytes(),
        }
    }
}

/// The memory of graphs, including the bodies of branches and loops.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GraphMemory {
    /// The graphs that are alive.
    pub graphs: Holding,
    /// Their nodes, with edges, lines, and the facts known about the outputs.
    pub nodes: Holding,
    /// The arrays among the attributes of nodes.
    pub constants: Holding,
    /// The names of nodes and scopes.
    pub names: Holding,
    /// The diagnoses of failed builder calls. Diagnoses of calls whose graph no longer existed
    /// belong to the process.
    pub diagnoses: Holding,
}

impl GraphMemory {
    /// The memory of all live graphs of the process and of `others`, which may be default graphs
    /// that were reset. It waits for threads that add to a graph.
    pub fn of_process(others: impl IntoIterator<Item = Graph>, seen: &mut Seen) -> Self {
        let mut memory = GraphMemory::default();
        memory.graphs.bytes = registry::bytes();
        let mut counted = FxHashSet::default();
        for graph in registry::alive().into_iter().chain(others) {
            if counted.insert(graph.key()) {
                memory.add(&graph, seen);
            }
        }
        memory.diagnoses += ORPHANS.lock().unwrap_or_else(PoisonError::into_inner).holding();
        memory
    }

    /// Adds the memory of one graph.
    pub fn add(&mut self, graph: &Graph, seen: &mut Seen) {
        let reader = graph.read();
        let state = reader.state();
        self.graphs += Holding::one(size_of::<State>() + state.side_tables());
        let bytes = state.dag.bytes() + state.locations.bytes();
        self.nodes += Holding { count: state.dag.len(), bytes };
        for (_, node) in state.dag.nodes() {
            self.nodes.bytes += outside(node, seen);
            self.constants += node.attrs.iter().map(|(_, attr)| constant(attr, seen)).sum();
        }
        self.names += state.names.holding();
        self.diagnoses += state.poison.holding();
    }
}

/// The memory that a node owns outside itself, except for arrays.
fn outside(node: &Node, seen: &mut Seen) -> usize {
    spilled(&node.inputs)
        + spilled(&node.control_inputs)
        + spilled(&node.outputs)
        + node.outputs.iter().map(|fact| of_fact(fact, seen)).sum::<usize>()
        + of_attrs(&node.attrs, seen)
}

fn spilled<A: smallvec::Array>(list: &SmallVec<A>) -> usize {
    if list.spilled() { list.capacity() * size_of::<A::Item>() } else { 0 }
}

fn of_fact(fact: &Fact, seen: &mut Seen) -> usize {
    let elements = fact.elements.as_deref().filter(|elements| seen.is_first(elements.as_ptr()));
    let list = fact.list.as_ref().filter(|list| seen.is_first(Arc::as_ptr(list)));
    elements.map_or(0, |elements| ARC + size_of_val(elements))
        + list.map_or(0, |_| ARC + size_of::<Fact>())
}

/// The counters of an [`Arc`].
const ARC: usize = 2 * size_of::<usize>();

fn of_attrs(attrs: &Attrs, seen: &mut Seen) -> usize {
    match attrs.shared() {
        Some(shared) if seen.is_first(shared.as_ptr()) => {
            ARC + size_of_val::<[NamedAttr]>(shared)
                + shared.iter().map(|(_, attr)| of_list(attr)).sum::<usize>()
        }
        _ => 0,
    }
}

fn of_list(attr: &Attr) -> usize {
    match attr {
        Attr::Str(text) => text.len(),
        Attr::Ints(list) => size_of_val(&**list),
        Attr::Types(list) => size_of_val(&**list),
        Attr::Shapes(list) => size_of_val(&**list),
        Attr::Strs(list) => list.iter().map(|text| size_of_val(text) + text.len()).sum(),
        _ => 0,
    }
}

fn constant(attr: &Attr, seen: &mut Seen) -> Holding {
    match attr {
        Attr::Tensor(value) if value.shape().rank() > 0 => Holding::one(seen.value(value)),
        _ => Holding::default(),
    }
}

impl<N> Dag<N> {
    fn bytes(&self) -> usize {
        let (nodes, edges) = self.adjacency().capacity();
        self.storage().bytes()
            + nodes * size_of::<AdjacentNode<(), u32>>()
            + edges * size_of::<AdjacentEdge<Edge, u32>>()
    }
}
