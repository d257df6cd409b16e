//! The variables of an imported graph.

use std::collections::BTreeMap;

use tidemill_formats::proto::VariableDef;
use tidemill_graph::{
    Access, EdgeKind, Execution, Graph, GraphReader, Node, NodeId, OperationRef, Referent, Role,
    TensorId, VariableRecord,
};
use tidemill_ops::ops::{identity, queue, resource};
use tidemill_ops::{GLOBAL_VARIABLES, TRAINABLE_VARIABLES};

use super::error::ImportError;
use super::names::{prefixed, split_reference};

/// The way in which the variables of a message are known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Variables<'a> {
    /// By the nodes that use the nodes naming them.
    Recognized,
    /// By the collections of a `MetaGraphDef`.
    Listed(&'a BTreeMap<String, Vec<VariableDef>>),
}

/// Makes the variables among imported nodes known to the graph.
///
/// # Errors
/// [`ImportError::Variable`] if one is listed with nodes that do not exist.
pub(super) fn record_variables(
    graph: &Graph,
    prefix: &str,
    nodes: &[NodeId],
    variables: Variables<'_>,
) -> Result<(), ImportError> {
    match variables {
        Variables::Recognized => {
            let reader = graph.read();
            let recognized = nodes.iter().filter_map(|&id| recognize(&reader, id));
            let recognized: Vec<_> = recognized.collect();
            drop(reader);
            for (name, record) in recognized {
                let collections = [GLOBAL_VARIABLES, TRAINABLE_VARIABLES];
                let count = 1 + usize::from(record.trainable);
                add(graph, &name, record, &collections[..count]);
            }
        }
        Variables::Listed(collections) => {
            let trainable = collections.get(TRAINABLE_VARIABLES).map_or(&[][..], Vec::as_slice);
            for (collection, variables) in collections {
                for variable in variables {
                    let (name, mut record) = listed(graph, prefix, variable)?;
                    let is_same =
                        |other: &VariableDef| other.variable_name == variable.variable_name;
                    record.trainable = trainable.iter().any(is_same);
                    add(graph, &name, record, &[collection]);
                }
            }
        }
    }
    Ok(())
}

fn add(graph: &Graph, name: &str, record: VariableRecord, collections: &[&str]) {
    let node = record.node;
    if graph.read().variable(node).is_none() {
        graph.add_variable(name, record);
    }
    let node = OperationRef::new(graph.key(), Referent::Node(node));
    collections.iter().for_each(|collection| graph.add_to_collection(collection, node));
}

/// The variable that a node names, if it names its own.
fn recognize(graph: &GraphReader<'_>, id: NodeId) -> Option<(String, VariableRecord)> {
    let node = graph.node(id);
    let own = TensorId::new(id, 0);
    let is_variable = node.op.execution == Execution::Variable && *node.op != queue::FIFO_QUEUE;
    if !is_variable || graph.variable_of(own) != Some(id) {
        return None;
    }
    let name = graph.name(id).to_owned();
    let has_name = |id: NodeId, usual: &str| {
        graph.name(id).strip_prefix(&name).and_then(|rest| rest.strip_prefix('/')) == Some(usual)
    };
    // Of several nodes, the one with the usual name, or else the first.
    let find = |usual: &str, is: &dyn Fn(&Node) -> bool| {
        let consumers = graph.consumers(id).filter(|(_, edge)| *edge != EdgeKind::Control);
        let found = consumers.map(|(consumer, _)| consumer).filter(|id| is(graph.node(*id)));
        found.min_by_key(|found| (!has_name(*found, usual), *found))
    };
    let is_handle = graph.fact(own).is_some_and(|fact| fact.role == Role::Handle);
    let initializer = find("Assign", &|node| {
        let assigns = node.op.execution == Execution::Write && node.access(0) == Access::Write;
        assigns && node.inputs.len() == 2 && node.inputs[0] == own
    });
    // A node that assigns a resource variable under another name belongs to a function of a
    // TensorFlow 2 model that changes its state: such a model has no initializers in its graph.
    let initializer = initializer.filter(|&found| !is_handle || has_name(found, "Assign"));
    let start = initializer.map(|initializer| (graph.node(initializer).inputs[1], initializer));
    let reads = |node: &Node| {
        let reads = *node.op == identity::IDENTITY || *node.op == resource::READ_VARIABLE;
        reads && node.control_inputs.is_empty()
    };
    let read = find(if is_handle { "Read/ReadVariableOp" } else { "read" }, &reads);
    let trainable = graph.fact(own).is_some_and(|fact| fact.dtype.is_float());
    let read = read.map_or(own, |read| TensorId::new(read, 0));
    let (self_starting, constraint) = (false, None);
    Some((name, VariableRecord { node: id, start, read, trainable, self_starting, constraint }))
}

/// A variable from its entry in a list.
fn listed(
    graph: &Graph,
    prefix: &str,
    variable: &VariableDef,
) -> Result<(String, VariableRecord), ImportError> {
    let missing = |node: &str| ImportError::Variable {
        variable: variable.variable_name.clone(),
        node: node.to_owned(),
    };
    let find = |name: &str| {
        let (node, slot) = split_reference(name);
        let node = graph.read().find(&prefixed(prefix, node)).ok_or_else(|| missing(name))?;
        let tensor = TensorId::new(node, slot);
        Ok::<_, ImportError>((tensor, graph.read().fact(tensor).is_some()))
    };
    let tensor = |name: &str| match find(name)? {
        (tensor, true) => Ok(tensor),
        (_, false) => Err(missing(name)),
    };
    let own = tensor(&variable.variable_name)?;
    let node = graph.read().variable_of(own).ok_or_else(|| missing(&variable.variable_name))?;
    let start = match variable.initializer_name.as_str() {
        "" => None,
        initializer => {
            let (initializer, _) = find(initializer)?;
            let given = graph.read().node(initializer.node).inputs.get(1).copied();
            let value = match variable.initial_value_name.as_str() {
                "" => given,
                name => Some(tensor(name)?),
            };
            value.map(|value| (value, initializer.node))
        }
    };
    let read = match variable.snapshot_name.as_str() {
        "" => own,
        name => tensor(name)?,
    };
    let name = graph.read().name(node).to_owned();
    let (trainable, self_starting, constraint) = (false, false, None);
    Ok((name, VariableRecord { node, start, read, trainable, self_starting, constraint }))
}
