//! Operations that initialize variables, and report which variables are uninitialized.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_graph::{
    EdgeKind, Graph, GraphReader, Location, NodeBuilder, NodeId, OperationRef, Referent, TensorId,
    TensorRef, at_location, default_graph,
};
use tidemill_value::{ByteString, Value};

use crate::operand::composite;
use crate::ops::array::{boolean_mask, stack};
use crate::ops::assign::assign;
use crate::ops::compare::logical_not;
use crate::ops::constant::constant_node;
use crate::ops::control::NO_OP;
use crate::ops::resource::is_handle;
use crate::ops::variable::is_variable_initialized;
use crate::variables::{GLOBAL_VARIABLES, LOCAL_VARIABLES, TRAINABLE_VARIABLES, variables_among};
use crate::{InScope, Operation, Tensor, Variable};

/// The variables of the default graph, in creation order.
pub fn global_variables() -> Vec<Variable> {
    collected(GLOBAL_VARIABLES, "")
}

/// The [`global_variables`] in a scope (see [`InScope`]).
///
/// ```
/// use tidemill_graph::variable_scope;
/// use tidemill_ops::{get_variable, global_variables_in, zeros};
/// let bias = variable_scope("generator", || get_variable("bias", [3], zeros()));
/// variable_scope("discriminator", || get_variable("bias", [3], zeros()));
/// assert_eq!(global_variables_in("generator"), [bias]);
/// ```
pub fn global_variables_in(scope: &str) -> Vec<Variable> {
    collected(GLOBAL_VARIABLES, scope)
}

/// The variables of the default graph that optimizers change, in the order in which they were made.
pub fn trainable_variables() -> Vec<Variable> {
    collected(TRAINABLE_VARIABLES, "")
}

/// The [`trainable_variables`] in a scope (see [`InScope`]): those of one part of a model, for an
/// optimizer of their own.
///
/// ```
/// use tidemill_graph::variable_scope;
/// use tidemill_ops::{get_variable, trainable_variables_in, zeros};
/// let bias = variable_scope("generator", || get_variable("bias", [3], zeros()));
/// variable_scope("discriminator", || get_variable("bias", [3], zeros()));
/// assert_eq!(trainable_variables_in("generator"), [bias]);
/// ```
pub fn trainable_variables_in(scope: &str) -> Vec<Variable> {
    collected(TRAINABLE_VARIABLES, scope)
}

/// The local variables of the default graph, in creation order (see
/// [`VariableBuilder::local`](crate::VariableBuilder::local)).
pub fn local_variables() -> Vec<Variable> {
    collected(LOCAL_VARIABLES, "")
}

fn collected(collection: &str, scope: &str) -> Vec<Variable> {
    let graph = default_graph();
    let variables = variables_among(&graph, &graph.collection(collection)).into_iter();
    variables.filter(|variable| variable.is_in_scope(scope)).collect()
}

/// One operation that initializes every local variable of the default graph (see
/// [`global_variables_initializer`]).
#[track_caller]
pub fn local_variables_initializer() -> Operation {
    variables_initializer(local_variables())
}

/// One operation that initializes every variable of the default graph.
///
/// It covers the variables that exist now, not those created later. If the initial value of a
/// variable depends on another variable, the other is initialized first. Running it again
/// overwrites the variables' values.
#[track_caller]
pub fn global_variables_initializer() -> Operation {
    variables_initializer(global_variables())
}

/// One operation that initializes each of `variables` (see [`global_variables_initializer`]).
#[track_caller]
pub fn variables_initializer(variables: impl IntoIterator<Item = Variable>) -> Operation {
    let mut variables: Vec<Variable> = variables.into_iter().collect();
    // A variable is created after those that its initial value depends on.
    variables.sort_by_key(|variable| node_of(*variable));
    let graph = variables.first().and_then(|variable| variable.graph());
    let graph = graph.unwrap_or_else(default_graph);
    let mut initializers = Vec::new();
    at_location(Location::caller(), || {
        let mut assigned = BTreeMap::new();
        for variable in variables {
            let initializer = ordered_initializer(&graph, variable, &assigned);
            if let Some(node) = node_of(variable) {
                assigned.insert(node, OperationRef::from(initializer));
            }
            initializers.push(initializer);
        }
    });
    let node = NodeBuilder::new(&NO_OP).name("init").graph(graph.key());
    initializers.into_iter().fold(node, |node, op| node.control(op.into())).build().into()
}

/// The node that names a variable.
fn node_of(variable: Variable) -> Option<NodeId> {
    match OperationRef::from(variable).referent() {
        Referent::Node(node) => Some(node),
        Referent::Poison(_) => None,
    }
}

/// The initializer of a variable; if its initial value depends on variables whose initializers are
/// in `assigned`, a copy that runs after those.
fn ordered_initializer(
    graph: &Graph,
    variable: Variable,
    assigned: &BTreeMap<NodeId, OperationRef>,
) -> Operation {
    let Some(node) = node_of(variable) else { return variable.op() };
    let (dependent, initial_value) = {
        let reader = graph.read();
        let Some(record) = reader.variable(node) else { return variable.op() };
        let Some((initial_value, _)) = record.start else { return variable.op() };
        (dependent_nodes(&reader, initial_value.node, assigned), initial_value)
    };
    if dependent.is_empty() {
        return variable.initializer();
    }
    let mut copies: BTreeMap<NodeId, OperationRef> = BTreeMap::new();
    for id in dependent {
        let copy = copy_node(graph, id, &copies, assigned);
        copies.insert(id, copy);
    }
    let value = match copies.get(&initial_value.node) {
        Some(copy) => copy.output(initial_value.slot),
        None => TensorRef::new(graph.key(), initial_value),
    };
    assign(variable, Tensor::from(value)).op()
}

/// The nodes of an initial value that depend on variables in `assigned`.
fn dependent_nodes(
    reader: &GraphReader<'_>,
    initial_value: NodeId,
    assigned: &BTreeMap<NodeId, OperationRef>,
) -> BTreeSet<NodeId> {
    let data = |kind: EdgeKind, _: TensorId| kind == EdgeKind::Data;
    let path = reader.ancestors([initial_value], data);
    let mut dependent = BTreeSet::new();
    for id in path {
        let depends = reader
            .node(id)
            .inputs
            .iter()
            .any(|input| assigned.contains_key(&input.node) || dependent.contains(&input.node));
        if depends {
            dependent.insert(id);
        }
    }
    dependent
}

/// Copies a node, with inputs from `copies` in place of its own, and after the initializers of
/// `assigned` whose variables it takes.
fn copy_node(
    graph: &Graph,
    id: NodeId,
    copies: &BTreeMap<NodeId, OperationRef>,
    assigned: &BTreeMap<NodeId, OperationRef>,
) -> OperationRef {
    let (node, name) = {
        let reader = graph.read();
        (reader.node(id).clone(), reader.name(id).to_owned())
    };
    let given = |input: &TensorId| TensorRef::new(graph.key(), *input);
    let copied = |input: &TensorId| match (copies.get(&input.node), assigned.get(&input.node)) {
        (Some(copy), _) => copy.output(input.slot),
        (None, Some(initializer)) if !is_handle(given(input)) => initializer.output(0),
        _ => given(input),
    };
    let inputs: Vec<TensorRef> = node.inputs.iter().map(copied).collect();
    let read = node.inputs.iter().filter(|input| is_handle(given(input)));
    let controls = read.filter_map(|input| assigned.get(&input.node));
    tidemill_graph::absolute_scope(graph.key(), "", || {
        let copy = NodeBuilder::like(&node, &inputs).graph(graph.key()).name(name);
        controls.fold(copy, |copy, initializer| copy.control(*initializer)).build()
    })
}

/// The names of the default graph's variables that have no value in the session: a list of strings.
///
/// Like [`global_variables_initializer`], it covers the variables that exist now.
#[track_caller]
pub fn report_uninitialized_variables() -> Tensor {
    let variables = global_variables();
    let graph = default_graph();
    composite(Some(graph), "report_uninitialized_variables", |_| {
        let names: Vec<ByteString> =
            variables.iter().map(|variable| variable.op().name().into()).collect();
        let names = constant_node(None, "Const", Value::from(names));
        if variables.is_empty() {
            return names;
        }
        let initialized: Vec<Tensor> =
            variables.iter().map(|variable| is_variable_initialized(*variable)).collect();
        boolean_mask(names, logical_not(stack(initialized, 0)))
    })
}
