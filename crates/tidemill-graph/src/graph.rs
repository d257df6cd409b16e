use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use smallvec::SmallVec;

use crate::dag::Edge;
use crate::diagnosis::{BuildError, BuildErrorKind, BuildErrors, PoisonTable};
use crate::failed::fail_strictly;
use crate::model::{Shared, State};
use crate::names;
use crate::reader::GraphReader;
use crate::registry::{self, DefaultGraph};
use crate::variable::{Member, VariableRecord};
use crate::{
    Execution, Graph, GraphKey, Item, Location, Node, NodeId, NodeNote, OperationRef, PoisonId,
    Referent, Role, Slices, TensorId, TensorRef, body, location, scope,
};

impl State {
    /// Appends a node. Its inputs are nodes that were appended before.
    pub(crate) fn push(&mut self, node: Node) -> NodeId {
        let mut edges: SmallVec<[(NodeId, Edge); 4]> = SmallVec::new();
        for (i, input) in node.inputs.iter().enumerate() {
            edges.push((input.node, self.edge(&node, i, *input)));
        }
        for control in &node.control_inputs {
            edges.push((*control, Edge::Control));
        }
        self.dag.push(node, edges)
    }

    fn edge(&self, node: &Node, position: usize, input: TensorId) -> Edge {
        let names_variable = self.dag.node(input.node).op.execution == Execution::Variable;
        if names_variable && node.access(position).writes() {
            Edge::Target
        } else {
            Edge::Data { slot: input.slot }
        }
    }

    /// The node of the variable that a tensor names, looking through the operations that write it.
    pub(crate) fn variable_of(&self, mut tensor: TensorId) -> Option<NodeId> {
        loop {
            let node = self.dag.node(tensor.node);
            match node.op.execution {
                Execution::Variable => return Some(self.variables.shared(tensor.node)),
                Execution::Write if node.outputs.get(tensor.slot as usize)?.role == Role::Ref => {
                    tensor = *node.inputs.first()?;
                }
                // A loop passes on the variables that it takes.
                Execution::Loop if node.outputs.get(tensor.slot as usize)?.role != Role::Value => {
                    tensor = *node.inputs.get(tensor.slot as usize)?;
                }
                _ => return None,
            }
        }
    }

    /// The nodes of the variables that a node writes, each with the input that names it.
    pub(crate) fn written_by(&self, id: NodeId) -> SmallVec<[(usize, NodeId); 1]> {
        let node = self.dag.node(id);
        let last = match node.op.execution {
            Execution::Write => node.op.written(),
            Execution::Branch(_) | Execution::Loop => node.inputs.len(),
            _ => 0,
        };
        let writes = (0..last).filter(|&i| node.access(i).writes());
        writes.filter_map(|i| Some((i, self.variable_of(*node.inputs.get(i)?)?))).collect()
    }

    /// The variables that a node may leave with another shape than the declared one.
    fn reshaped_by(&self, id: NodeId) -> SmallVec<[NodeId; 1]> {
        let node = self.dag.node(id);
        let before = node.op.execution.inputs_before_bodies();
        let reshapes = |&(i, variable): &(usize, NodeId)| {
            let declared = &self.dag.node(variable).outputs[0].shape;
            match before {
                Some(before) => node.bodies().any(|body| body.reshapes(i - before)),
                None => node.outputs.get(i).is_some_and(|left| {
                    let is_declared =
                        declared.merge(&left.shape).is_ok_and(|both| both == left.shape);
                    left.role == Role::Ref && !is_declared
                }),
            }
        };
        let written = self.written_by(id).into_iter();
        written.filter(reshapes).map(|(_, variable)| variable).collect()
    }

    /// The bytes of the tables of notes, variables and collections.
    pub(crate) fn side_tables(&self) -> usize {
        let entry = size_of::<NodeId>() + size_of::<TensorId>();
        let items: usize = self.collections.values().map(Vec::capacity).sum();
        (self.origins.capacity() + self.stand_ins.capacity()) * entry
            + self.slices.capacity() * (size_of::<TensorId>() + size_of::<Slices>())
            + self.branch_controls.capacity() * (2 * size_of::<NodeId>() + size_of::<usize>())
            + size_of_val(self.variables.records())
            + items * size_of::<Item>()
            + self.notes.values().map(Vec::capacity).sum::<usize>()
    }

    /// The tensor that a node added now takes if it is given `tensor`.
    pub(crate) fn current(&self, mut tensor: TensorId) -> TensorId {
        while let Some(&stand_in) = self.stand_ins.get(&tensor) {
            tensor = stand_in;
        }
        tensor
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        registry::release(self.key);
    }
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        let strict = std::env::var_os("TIDEMILL_STRICT").is_some_and(|value| value == "1");
        let state = RwLock::new(State { strict, ..State::default() });
        Graph(registry::register(|key| Shared { key, state, reshaped: AtomicUsize::new(0) }))
    }

    /// The graph of a key.
    ///
    /// # Errors
    /// [`BuildErrorKind::Stale`] or [`BuildErrorKind::GraphGone`] if it no longer exists.
    pub fn find(key: GraphKey) -> Result<Graph, BuildErrorKind> {
        registry::find(key)
    }

    /// An empty graph for a body of a node of this one, and the key of this graph.
    pub(crate) fn new_within(&self) -> (Graph, GraphKey) {
        let (seed, strict) = {
            let reader = self.read();
            let nodes = reader.len() as i64;
            (reader.seed().map(|seed| seed.wrapping_add(nodes)), reader.state().strict)
        };
        let graph = Graph::new();
        {
            let mut state = graph.write();
            state.seed = seed;
            state.strict |= strict;
            state.within = Some((self.key(), None));
        }
        (graph, self.key())
    }

    /// Whether it is the graph of a finished body, which takes no more nodes.
    pub fn is_complete_body(&self) -> bool {
        let reader = self.read();
        let state = reader.state();
        state.within.is_some() && state.finalized.is_some()
    }

    /// Records the node that runs the body whose graph this is; only the first such node counts.
    pub(crate) fn set_caller(&self, outer: GraphKey, call: NodeId) {
        let mut state = self.write();
        if matches!(state.within, None | Some((_, None))) {
            state.within = Some((outer, Some(call)));
        }
    }

    /// The number of variables that a write may leave with another shape than the declared one.
    /// Conclusions from declared shapes hold while this number is unchanged.
    #[inline]
    pub fn reshaped_variables(&self) -> usize {
        self.0.reshaped.load(Ordering::Acquire)
    }

    /// Notes the variables that a node may leave with another shape than the declared one.
    pub(crate) fn note_reshaped_by(&self, state: &mut State, id: NodeId) {
        if !state.dag.node(id).op.execution.may_write() {
            return;
        }
        for variable in state.reshaped_by(id) {
            self.note_in(state, variable);
        }
    }

    /// Notes that a variable may have another shape than the declared one.
    pub(crate) fn note_reshaped(&self, variable: NodeId) {
        self.note_in(&mut self.write(), variable);
    }

    fn note_in(&self, state: &mut State, variable: NodeId) {
        if state.variables.note_reshaped(variable) {
            self.0.reshaped.fetch_add(1, Ordering::Release);
        }
    }

    /// A graph with the same nodes under the same numbers, to which more can be added.
    pub(crate) fn reopened(&self) -> Graph {
        let copy = {
            let reader = self.read();
            let state = reader.state();
            State {
                dag: state.dag.clone(),
                names: state.names.clone(),
                locations: state.locations.clone(),
                origins: state.origins.clone(),
                stand_ins: state.stand_ins.clone(),
                slices: state.slices.clone(),
                variables: state.variables.clone(),
                collections: state.collections.clone(),
                node_notes: state.node_notes.clone(),
                notes: state.notes.clone(),
                poison: PoisonTable::default(),
                finalized: None,
                seed: state.seed,
                strict: state.strict,
                within: state.within,
                extensions: state.extensions.clone(),
                branch_controls: state.branch_controls.clone(),
            }
        };
        let graph = Graph::new();
        *graph.write() = copy;
        graph
    }

    /// Records that `extension`, a node made after `node`, does all that `node` does, and more: its
    /// first outputs are those of `node`. A run that needs both runs only `extension`.
    ///
    /// To extend a node again, extend its latest extension.
    pub fn extend_node(&self, node: NodeId, extension: NodeId) {
        let mut state = self.write();
        let origin = state.extensions.origin(node);
        state.extensions.origin.insert(extension, origin);
        state.extensions.latest.insert(origin, extension);
    }

    pub(crate) fn from_shared(shared: Arc<Shared>) -> Self {
        Graph(shared)
    }

    /// The key with which handles refer to the graph.
    pub fn key(&self) -> GraphKey {
        self.0.key
    }

    /// Reads the graph. While the reader lives, no thread can add to the graph, so drop the reader
    /// before building anything.
    pub fn read(&self) -> GraphReader<'_> {
        GraphReader::new(self.key(), self.0.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes this the graph that builder functions on this thread add to, until the guard is
    /// dropped.
    pub fn as_default(&self) -> DefaultGraph {
        registry::override_default(self.clone())
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Finalizes the graph: adding a node is an error from then on.
    #[track_caller]
    pub fn finalize(&self) {
        let here = Location::caller();
        self.write().finalized.get_or_insert(here);
    }

    /// Whether the graph takes no more nodes.
    pub fn is_finalized(&self) -> bool {
        self.read().finalized().is_some()
    }

    /// Makes failed builder calls panic at the line of the call, with the text that
    /// [`Graph::check`] would give. The environment variable `TIDEMILL_STRICT=1` does this for
    /// every graph.
    pub fn strict(&self) {
        self.write().strict = true;
    }

    /// Sets the seed from which random operations without their own seed derive one.
    ///
    /// Existing operations keep theirs.
    pub fn set_random_seed(&self, seed: i64) {
        self.write().seed = Some(seed);
    }

    /// Reports every failed builder call, with its line. For a line that fails repeatedly because
    /// the graph is finalized, only the first call is reported.
    ///
    /// # Errors
    /// The root causes; calls that failed because of another failed call are not listed.
    pub fn check(&self) -> Result<(), BuildErrors> {
        BuildErrors::check(self.read().poison().all_roots())
    }

    /// Records a failed call, and returns the handle to use in place of a node.
    ///
    /// # Panics
    /// If the graph is strict.
    #[track_caller]
    pub fn poison(&self, error: BuildError) -> OperationRef {
        let mut state = self.write();
        if state.strict {
            drop(state);
            fail_strictly(&error);
        }
        let id = match state.finalized {
            Some(_) => state.poison.root_once(error),
            None => state.poison.root(Arc::new(error)),
        };
        OperationRef::new(self.key(), Referent::Poison(id))
    }

    /// Records a call whose inputs are handles of failed calls.
    pub(crate) fn poison_fed_by(
        &self,
        label: String,
        inputs: SmallVec<[PoisonId; 2]>,
    ) -> OperationRef {
        let mut state = self.write();
        let id = match state.finalized {
            Some(_) => state.poison.fed_by_once(label, inputs),
            None => state.poison.fed_by(label, inputs),
        };
        OperationRef::new(self.key(), Referent::Poison(id))
    }

    /// Renames a node within the current name scope; the new name is made unique and the old name
    /// is free again.
    ///
    /// For a failed call, this changes the name in messages.
    ///
    /// # Errors
    /// [`BuildErrorKind::InvalidName`], [`BuildErrorKind::Finalized`].
    pub fn rename(&self, operation: OperationRef, name: &str) -> Result<(), BuildErrorKind> {
        let wish = scope::prefixed(self.key(), Cow::Borrowed(name));
        if !names::is_valid(&wish) {
            return Err(BuildErrorKind::InvalidName { name: wish.into_owned() });
        }
        let mut state = self.write();
        if let Some(at) = state.finalized {
            return Err(BuildErrorKind::Finalized { at });
        }
        match operation.referent() {
            Referent::Node(node) => state.names.rename(node, &wish),
            Referent::Poison(id) => state.poison.rename(id, wish.into_owned()),
        }
        Ok(())
    }

    /// Adds a tensor, an operation or a variable to the collection `name`. A handle from a failed
    /// call or from another graph is not added.
    pub fn add_to_collection(&self, name: &str, member: impl Into<Member>) {
        if let Some(item) = member.into().item_of(self.key()) {
            self.add_item(name, item);
        }
    }

    pub(crate) fn add_item(&self, collection: &str, item: Item) {
        self.write().collections.entry(collection.to_owned()).or_default().push(item);
    }

    /// The items of the collection `name`, in the order in which they were added.
    pub fn collection(&self, name: &str) -> Vec<Item> {
        self.read().collection(name).to_vec()
    }

    /// Reserves a name for a node or a scope within the current name scope, and makes it unique. A
    /// finalized graph, which takes neither, gives the name as it is.
    pub fn reserve_name(&self, wish: &str) -> String {
        let wish = scope::prefixed(self.key(), Cow::Borrowed(wish));
        let mut state = self.write();
        if state.finalized.is_some() {
            return wish.into_owned();
        }
        let reserved = state.names.reserve(&wish);
        state.names.reserved_name(reserved).to_owned()
    }

    /// Keeps with a node the parts of a file's node that the runtime does not use.
    pub fn note_node(&self, node: NodeId, note: NodeNote) {
        self.write().node_notes.insert(node, note);
    }

    /// Stores with the graph, under a name, the parts of a file that the runtime does not use. `update`
    /// gets the present note and returns the new one.
    pub fn note(&self, name: &'static str, update: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let mut state = self.write();
        let note = state.notes.entry(name).or_default();
        *note = update(std::mem::take(note));
    }

    /// Records that nodes make up a variable. It is found under `name`; its node has another name
    /// if that one was taken.
    pub fn add_variable(&self, name: &str, record: VariableRecord) {
        self.write().variables.add(name, record);
    }

    /// Replaces `tensor` with `stand_in`, a tensor created later, in all later builder calls that
    /// take `tensor` as a value. Fetching and feeding `tensor` and existing nodes are not affected.
    ///
    /// Nodes built [on behalf](Graph::on_behalf_of) of another node take `tensor` itself, so a
    /// gradient is that of the existing nodes. If either handle belongs to another graph or came
    /// from a failed call, nothing changes.
    pub fn replace_from_now_on(&self, tensor: TensorRef, stand_in: TensorRef) {
        if tensor.graph() == self.key()
            && stand_in.graph() == self.key()
            && let (Ok(tensor), Ok(stand_in)) = (tensor.id(), stand_in.id())
            && tensor.node < stand_in.node
        {
            self.write().stand_ins.insert(tensor, stand_in);
        }
    }

    /// Records that `sum` is the sum of slices, so that nodes that need only the slices do not need
    /// the sum. If one of the handles belongs to another graph or came from a failed call, nothing
    /// changes.
    pub fn record_slices(&self, sum: TensorRef, slices: [TensorRef; 3]) {
        let is_own = |tensor: &TensorRef| tensor.graph() == self.key();
        if !slices.iter().chain([&sum]).all(is_own) {
            return;
        }
        let [values, indices, dense_shape] = slices.map(TensorRef::id);
        if let (Ok(sum), Ok(values), Ok(indices), Ok(dense_shape)) =
            (sum.id(), values, indices, dense_shape)
        {
            self.write().slices.insert(sum, Slices { values, indices, dense_shape });
        }
    }

    /// Calls `build`, and attributes the nodes it adds to `node`: they carry its line. Nodes that
    /// it adds to a body inside this graph carry only the line.
    pub fn on_behalf_of<R>(&self, node: NodeId, build: impl FnOnce() -> R) -> R {
        let location = self.read().location(node);
        let own = body::redirect(self.key()) == self.key();
        location::attribute_to(own.then_some(node), location, build)
    }
}

impl Default for Graph {
    fn default() -> Self {
        Graph::new()
    }
}

impl PartialEq for Graph {
    /// Whether both are handles to the same graph.
    fn eq(&self, other: &Graph) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Graph {}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Graph({}, {} nodes)", self.key(), self.len())
    }
}
