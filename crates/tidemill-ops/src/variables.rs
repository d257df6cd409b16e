use std::fmt;

use tidemill_graph::{
    BuildErrorKind, Fact, Graph, GraphKey, Item, Location, NodeBuilder, NodeId, Note, OperationRef,
    Referent, Reuse, TensorId, TensorRef, VariableRecord, VariableSettings, absolute_scope,
    at_location, default_graph, fail, has_control_dependencies, nearest_name, outside,
    without_control_dependencies,
};
use tidemill_value::{DType, PartialShape};

use crate::handle::write_tuple;
use crate::operand::tensor;
use crate::ops::resource::{self, is_handle};
use crate::ops::{assign, identity, variable as variable_op};
use crate::variable_builder::{VariableBuilder, variable};
use crate::variable_scope::{Defaults, REGULARIZATION_LOSSES, get_through};
use crate::{Initializer, Operation, Tensor, Variable};

/// The collection of the variables that are saved: all except local ones.
pub const GLOBAL_VARIABLES: &str = "variables";
/// The collection of the trainable variables, which optimizers update.
pub const TRAINABLE_VARIABLES: &str = "trainable_variables";

/// The collection of the local variables, which are not saved, such as those of metrics.
pub const LOCAL_VARIABLES: &str = "local_variables";

impl Variable {
    /// The variable that a node names.
    pub(crate) fn of_node(graph: GraphKey, node: NodeId) -> Self {
        Variable(OperationRef::new(graph, Referent::Node(node)))
    }

    fn record(self) -> Option<VariableRecord> {
        let Referent::Node(id) = self.0.referent() else { return None };
        Graph::find(self.0.graph()).ok()?.read().variable(id).cloned()
    }

    fn tensor(self, part: impl FnOnce(&VariableRecord) -> TensorId) -> Tensor {
        match self.record() {
            Some(record) => TensorRef::new(self.0.graph(), part(&record)).into(),
            None => self.0.output(0).into(),
        }
    }

    fn operation(self, part: impl FnOnce(&VariableRecord) -> NodeId) -> Operation {
        match self.record() {
            Some(record) => OperationRef::new(self.0.graph(), Referent::Node(part(&record))).into(),
            None => self.0.into(),
        }
    }

    /// The node that names the variable.
    pub fn op(self) -> Operation {
        self.0.into()
    }

    /// The name, such as `weights:0`.
    pub fn name(self) -> String {
        format!("{}:0", self.op().name())
    }

    /// The data type; `None` for the handle of a failed call, or if the graph no longer exists.
    pub fn dtype(self) -> Option<DType> {
        Tensor::from(self.0.output(0)).dtype()
    }

    /// The shape.
    pub fn shape(self) -> PartialShape {
        Tensor::from(self.0.output(0)).shape()
    }

    /// The variable's value as a tensor: the shared read, or, under `control_dependencies`, a new
    /// read that sees their writes.
    #[track_caller]
    pub fn read(self) -> Tensor {
        // A variable of an imported graph may have no read to share. A read created before a write
        // that may change the shape still has the declared shape.
        let has_none = self.record().is_some_and(|record| record.read.node == record.node);
        if has_none || self.is_reshaped() || has_control_dependencies(self.0.graph()) {
            return tensor(read_node(self));
        }
        self.tensor(|record| record.read)
    }

    /// The initial value of the variable. If an imported graph has none, the handle is that of the
    /// variable itself.
    pub fn initial_value(self) -> Tensor {
        self.tensor(|record| record.start.map_or(TensorId::new(record.node, 0), |start| start.0))
    }

    /// The operation that initializes the variable. If an imported graph has none, this is the node
    /// of the variable itself; running it does nothing.
    pub fn initializer(self) -> Operation {
        self.operation(|record| record.initializer().unwrap_or(record.node))
    }

    /// Whether it is one of TensorFlow's resource variables, which are read and written through a
    /// handle.
    pub fn is_resource(self) -> bool {
        is_handle(self.into())
    }

    /// Whether a write may leave it with another shape than [`Variable::shape`].
    fn is_reshaped(self) -> bool {
        let (Referent::Node(id), Ok(graph)) = (self.0.referent(), Graph::find(self.0.graph()))
        else {
            return false;
        };
        graph.reshaped_variables() > 0 && graph.read().is_reshaped(id)
    }

    /// Whether the variable has a constraint that optimizers must apply.
    pub fn is_constrained(self) -> bool {
        self.record().is_some_and(|record| record.constraint.is_some())
    }

    /// Applies the variable's constraint, if it has one, to a value.
    #[track_caller]
    pub fn constrained(self, value: Tensor) -> Option<Tensor> {
        let constraint = self.record()?.constraint?;
        Some(constraint.apply(value.into()).into())
    }

    /// Whether optimizers update the variable.
    pub fn is_trainable(self) -> bool {
        self.record().is_some_and(|record| record.trainable)
    }

    /// The line that created the variable.
    pub fn location(self) -> Option<Location> {
        self.op().location()
    }

    /// The graph the variable belongs to.
    pub fn graph(self) -> Option<Graph> {
        self.op().graph()
    }
}

/// A node that reads a variable.
fn read_node(variable: Variable) -> NodeBuilder {
    match variable.is_resource() {
        true => NodeBuilder::new(&resource::READ_VARIABLE).input(variable),
        false => NodeBuilder::new(&identity::IDENTITY).name("read").input(variable),
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(dtype) = self.dtype() else {
            return fmt::Display::fmt(&Tensor::from(self.0.output(0)), f);
        };
        write!(f, "Variable({:?}, shape=", self.name())?;
        write_tuple(f, &self.shape())?;
        write!(f, ", dtype={dtype})")
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Creates the `float32` variable `name`, initialized by `initializer`.
///
/// The name is prefixed with that of the current [`variable_scope`](tidemill_graph::variable_scope)
/// and a slash. If the scope reuses variables and a variable with that name exists, it is returned.
/// For other data types, and for variables that are not trainable, see [`variable()`].
///
/// ```
/// use tidemill_ops::{get_variable, zeros};
/// let slope = get_variable("slope", [], zeros());
/// assert_eq!(slope.to_string(), r#"Variable("slope:0", shape=(), dtype=float32)"#);
/// ```
///
/// # Errors
/// A name that is already used, unless the scope reuses variables; a shape that is not fully known;
/// a shape or type that contradicts the initial value.
#[track_caller]
pub fn get_variable(
    name: &str,
    shape: impl Into<PartialShape>,
    initializer: impl Into<Initializer>,
) -> Variable {
    variable(name, shape).initializer(initializer).get()
}

impl VariableBuilder {
    /// Creates the variable in the default graph, or reuses it (see [`get_variable`]).
    ///
    /// # Errors
    /// As for [`get_variable`].
    #[track_caller]
    pub fn get(self) -> Variable {
        let location = Location::caller();
        at_location(location, || {
            outside(|| {
                let graph = default_graph();
                match self.absolute {
                    true => self.get_here(location, &graph, &VariableSettings::default()),
                    false => get_through(&graph, self, |asked, settings, defaults| {
                        asked.with_defaults(defaults).get_here(location, &graph, settings)
                    }),
                }
            })
        })
    }

    /// The same variable, with the defaults of its scope for settings that it lacks.
    fn with_defaults(mut self, defaults: Defaults) -> Self {
        if let Some(initializer) = defaults.initializer.filter(|_| self.initializer.is_default()) {
            self.initializer = initializer;
        }
        self.regularizer = self.regularizer.or(defaults.regularizer);
        self
    }

    fn get_here(self, location: Location, graph: &Graph, settings: &VariableSettings) -> Variable {
        let VariableSettings { prefix, reuse, .. } = settings;
        let name = match self.absolute {
            true => free_name(graph, &self.name),
            false => format!("{prefix}{}", self.name),
        };
        let existing = graph.read().find_variable(&name).map(|record| record.node);
        match (existing, *reuse) {
            (Some(node), Reuse::Always | Reuse::Auto) => self.shared(graph, &name, node),
            (Some(node), Reuse::Never) => {
                let first = graph.read().location(node);
                let notes = vec![
                    Note::at(format!("`{name}` was made here"), first),
                    Note::new(
                        "help: keep the handle that the first call returned, or share \
                               variables by variable_scope_with(.., Reuse::Auto, ..)",
                    ),
                ];
                failed(graph, BuildErrorKind::VariableExists { name }, notes)
            }
            (None, Reuse::Always) => {
                let notes = missing_notes(graph, &name);
                failed(graph, BuildErrorKind::VariableMissing { name }, notes)
            }
            (None, _) => at_location(location, || {
                without_control_dependencies(graph.key(), || self.make(graph, &name))
            }),
        }
    }

    #[track_caller]
    fn shared(&self, graph: &Graph, name: &str, node: NodeId) -> Variable {
        let found = Variable::of_node(graph.key(), node);
        let dtype = found.dtype().filter(|dtype| self.dtype.is_none_or(|wanted| wanted == *dtype));
        if dtype.is_some() && found.shape().merge(&self.shape).is_ok() {
            return found;
        }
        let kind = BuildErrorKind::VariableMismatch {
            name: name.to_owned(),
            actual: Fact::new(found.dtype().unwrap_or(DType::F32), found.shape()).to_string(),
            wanted: Fact::new(self.dtype.unwrap_or(DType::F32), self.shape.clone()).to_string(),
        };
        let first = graph.read().location(node);
        failed(graph, kind, vec![Note::at(format!("`{name}` was made here"), first)])
    }

    fn make(self, graph: &Graph, name: &str) -> Variable {
        let key = graph.key();
        let dtype = self.dtype.or_else(|| self.initializer.dtype()).unwrap_or(DType::F32);
        let initial_value = absolute_scope(key, &format!("{name}/Initializer/"), || {
            self.initializer.build(graph, &self.shape, dtype)
        });
        let shape = self.shape.merge(&initial_value.shape()).unwrap_or(self.shape);
        let node = match self.resource {
            true => NodeBuilder::new(&resource::VAR_HANDLE).attr("shared_name", name),
            false => NodeBuilder::new(&variable_op::VARIABLE),
        };
        let node = node.graph(key).attr("shape", shape).attr("dtype", dtype).name(name.to_owned());
        // A failed initializer makes the variable invalid, with its own diagnosis.
        let invalid = matches!(OperationRef::from(initial_value).referent(), Referent::Poison(_));
        if invalid {
            return Variable(initial_value.into());
        }
        let operation = absolute_scope(key, "", || node.build());
        let variable = Variable(operation);
        let Referent::Node(node) = operation.referent() else { return variable };
        let prefix = format!("{}/", graph.read().name(node));
        let (initializer, read) = absolute_scope(key, &prefix, || match self.resource {
            true => resource::initializer_and_read(variable, initial_value),
            false => {
                let initializer = assign::assign(variable, initial_value);
                (OperationRef::from(initializer), read_node(variable).build())
            }
        });
        let (Referent::Node(initializer), Referent::Node(read)) =
            (initializer.referent(), read.referent())
        else {
            return Variable(initializer);
        };
        let Ok(initial_value) = TensorRef::from(initial_value).id() else { return variable };
        let record = VariableRecord {
            node,
            start: Some((initial_value, initializer)),
            read: TensorId::new(read, 0),
            trainable: self.trainable,
            self_starting: self.self_starting,
            constraint: self.constraint,
        };
        graph.add_variable(name, record);
        let collection = if self.local { LOCAL_VARIABLES } else { GLOBAL_VARIABLES };
        graph.add_to_collection(collection, variable);
        if self.trainable {
            graph.add_to_collection(TRAINABLE_VARIABLES, variable);
        }
        self.collections.iter().for_each(|name| graph.add_to_collection(name, variable));
        if let Some(regularizer) = self.regularizer.filter(|_| self.trainable) {
            absolute_scope(key, &format!("{prefix}Regularizer/"), || {
                collect_loss(graph, regularizer.apply(variable.read()));
            });
        }
        variable
    }
}

/// Notes for a variable to share that does not exist.
fn missing_notes(graph: &Graph, name: &str) -> Vec<Note> {
    let reader = graph.read();
    let variables = reader.variables().iter().map(|record| reader.name(record.node));
    let near = nearest_name(name, variables);
    let near = near.and_then(|near| {
        let node = reader.find(near)?;
        Some(Note::at(format!("a variable has a similar name: `{near}`"), reader.location(node)))
    });
    let help =
        "help: create it first, or open the scope with Reuse::Auto, which creates what is missing";
    near.into_iter().chain([Note::new(help)]).collect()
}

/// Adds the loss of a regularizer to the collection, unless the regularizer has done it.
fn collect_loss(graph: &Graph, loss: Tensor) {
    let losses = graph.collection(REGULARIZATION_LOSSES);
    if TensorRef::from(loss).id().is_ok_and(|id| !losses.contains(&Item::Tensor(id))) {
        graph.add_to_collection(REGULARIZATION_LOSSES, loss);
    }
}

/// A name that no node has: this one, or this one with a number.
fn free_name(graph: &Graph, name: &str) -> String {
    let reader = graph.read();
    let numbered = (1_u64..).map(|number| format!("{name}_{number}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(|name| reader.find(name).is_none()).unwrap_or_default()
}

#[track_caller]
fn failed(graph: &Graph, kind: BuildErrorKind, notes: Vec<Note>) -> Variable {
    Variable(fail(Some(graph.key()), "get_variable", kind, notes))
}

/// The variables among the items of a collection.
pub(crate) fn variables_among(graph: &Graph, items: &[Item]) -> Vec<Variable> {
    let reader = graph.read();
    let nodes = items.iter().filter_map(|item| match item {
        Item::Operation(node) => reader.variable(*node).map(|record| record.node),
        Item::Tensor(_) => None,
    });
    nodes.map(|node| Variable::of_node(graph.key(), node)).collect()
}
