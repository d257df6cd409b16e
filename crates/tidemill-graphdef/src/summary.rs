use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;
use tidemill_formats::proto::{AnyValue, DataType, GraphDef, NodeDef, TensorProto};
use tidemill_graph::{Execution, Graph, GraphReader, Node, NodeId, Role, opaque};
use tidemill_ops::{Inspect, lookup};
use tidemill_value::{DType, PartialShape};

use crate::import::node_of;
use crate::{ImportError, import_graph_def};

/// A summary of a `GraphDef`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct GraphSummary {
    /// The number of nodes, without those of functions.
    pub nodes: usize,
    /// The number of functions.
    pub functions: usize,
    /// The number of nodes of each operation, including those in functions, the most frequent
    /// first.
    pub ops: Vec<(String, usize)>,
    /// The placeholders.
    pub inputs: Vec<TensorSummary>,
    /// The graph's outputs: tensors that no node consumes, excluding constants, variables and
    /// placeholders.
    pub outputs: Vec<TensorSummary>,
    /// The variables.
    pub variables: Vec<TensorSummary>,
    /// The constants, by data type.
    pub constants: BTreeMap<DType, Elements>,
    /// The nodes that are not understood, those of bodies included. They only matter to runs that
    /// need them.
    pub not_understood: Vec<NotUnderstood>,
    /// For outputs that cannot be computed for that reason, by name: the first such node that each
    /// needs.
    pub blocked: BTreeMap<String, String>,
    /// The error of importing the graph, if there is one.
    pub error: Option<ImportError>,
}

/// A node that is not understood.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NotUnderstood {
    /// Its name.
    pub node: String,
    /// Its operation.
    pub op: String,
    /// What it lacks.
    pub reason: String,
}

/// The facts known about a tensor of a graph.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TensorSummary {
    /// Its name.
    pub name: String,
    /// The operation.
    pub op: String,
    /// Its data type.
    pub dtype: Option<DType>,
    /// Its shape.
    pub shape: PartialShape,
}

impl TensorSummary {
    /// The number of elements, if it is known.
    pub fn elements(&self) -> Option<usize> {
        self.shape.known()?.elements()
    }
}

/// Counts of tensors, elements and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Elements {
    /// The number of tensors.
    pub tensors: usize,
    /// The number of their elements.
    pub elements: usize,
    /// The bytes of their elements in memory; for strings, the size of each string object without
    /// its characters.
    pub bytes: usize,
}

impl GraphSummary {
    /// The number of elements of float constants, and of variables whose shapes are known.
    pub fn parameters(&self) -> usize {
        let variables = self.variables.iter().filter_map(TensorSummary::elements);
        let floats = self.constants.iter().filter(|(dtype, _)| dtype.is_float());
        let constants = floats.map(|(_, sum)| sum.elements);
        variables.chain(constants).fold(0, usize::saturating_add)
    }

    /// Summarizes a `GraphDef`. If it can be imported, the data types and shapes are the inferred
    /// ones, from an import into a temporary graph.
    pub fn of(graph_def: &GraphDef) -> GraphSummary {
        let functions = graph_def.library.iter().flat_map(|library| &library.function);
        let bodies = functions.clone().flat_map(|function| &function.node_def);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for node in graph_def.node.iter().chain(bodies) {
            *counts.entry(&node.op).or_default() += 1;
        }
        let mut ops: Vec<(String, usize)> =
            counts.into_iter().map(|(op, count)| (op.to_owned(), count)).collect();
        ops.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut summary = GraphSummary {
            nodes: graph_def.node.len(),
            functions: functions.count(),
            ops,
            ..GraphSummary::default()
        };
        summary.classify(graph_def);
        summary.infer(graph_def);
        summary
    }

    /// Sorts the nodes by their roles.
    fn classify(&mut self, graph_def: &GraphDef) {
        let inputs = graph_def.node.iter().flat_map(|node| &node.input);
        let taken: BTreeSet<&str> = inputs.map(|input| node_of(input)).collect();
        for node in &graph_def.node {
            let Some(op) = lookup(&node.op) else { continue };
            match op.execution {
                Execution::Constant => self.add_constant(node),
                Execution::Placeholder => self.inputs.push(tensor(node)),
                Execution::Variable => self.variables.push(tensor(node)),
                Execution::Kernel
                    if !op.outputs.is_empty() && !taken.contains(node.name.as_str()) =>
                {
                    self.outputs.push(tensor(node));
                }
                _ => {}
            }
        }
    }

    fn add_constant(&mut self, node: &NodeDef) {
        let Some(AnyValue::Tensor(value)) = attr(node, "value") else { return };
        let Some((dtype, elements)) = type_and_elements(value) else { return };
        let sum = self.constants.entry(dtype).or_default();
        sum.tensors += 1;
        sum.elements = sum.elements.saturating_add(elements);
        sum.bytes = sum.bytes.saturating_add(elements.saturating_mul(dtype.size()));
    }

    /// Imports the graph to get types and shapes.
    fn infer(&mut self, graph_def: &GraphDef) {
        let graph = Graph::new();
        let imported = {
            let _default = graph.as_default();
            import_graph_def(graph_def)
        };
        match imported {
            Ok(_) => {
                for summary in self.inputs.iter_mut().chain(&mut self.outputs) {
                    if let Ok(tensor) = graph.tensor(&summary.name)
                        && !tensor.fact().is_some_and(|fact| fact.role == Role::Unknown)
                    {
                        (summary.dtype, summary.shape) = (tensor.dtype(), tensor.shape());
                    }
                }
                self.find_blocked(&graph);
            }
            Err(error) => self.error = Some(error),
        }
    }
}

impl GraphSummary {
    /// Lists the nodes that are not understood, and the outputs that need them.
    fn find_blocked(&mut self, graph: &Graph) {
        let reader = graph.read();
        let mut causes: FxHashMap<NodeId, String> = FxHashMap::default();
        for (id, node) in reader.nodes() {
            let before = self.not_understood.len();
            self.add_not_understood(&reader, id, node);
            let own = self.not_understood.get(before).map(|first| first.node.clone());
            let inputs = node.inputs.iter().map(|input| input.node);
            let mut needed = inputs.chain(node.control_inputs.iter().copied());
            let cause = needed.find_map(|input| causes.get(&input).cloned()).or(own);
            causes.extend(cause.map(|cause| (id, cause)));
        }
        for output in &self.outputs {
            let cause = reader.find(&output.name).and_then(|id| causes.get(&id));
            self.blocked.extend(cause.map(|cause| (output.name.clone(), cause.clone())));
        }
    }

    /// Adds a node if it is not understood, and those in its bodies that are not.
    fn add_not_understood(&mut self, reader: &GraphReader<'_>, id: NodeId, node: &Node) {
        if node.op.execution == Execution::Opaque {
            let (name, op) = (reader.name(id).to_owned(), node.op.name.to_owned());
            let reason = opaque::lacks(&node.attrs);
            self.not_understood.push(NotUnderstood { node: name, op, reason });
        }
        for body in node.bodies() {
            let inside = body.graph().read();
            inside.nodes().for_each(|(id, node)| self.add_not_understood(&inside, id, node));
        }
    }
}

/// The tensor of a node, according to its attributes.
fn tensor(node: &NodeDef) -> TensorSummary {
    let dtype = match attr(node, "dtype") {
        Some(AnyValue::Type(number)) => DataType::dtype(*number).ok(),
        _ => None,
    };
    let shape = match attr(node, "shape") {
        Some(AnyValue::Shape(shape)) => shape.partial_shape().ok(),
        _ => None,
    };
    let shape = shape.unwrap_or_else(PartialShape::unknown);
    TensorSummary { name: node.name.clone(), op: node.op.clone(), dtype, shape }
}

fn attr<'a>(node: &'a NodeDef, name: &str) -> Option<&'a AnyValue> {
    node.attr.get(name)?.value.as_ref()
}

fn type_and_elements(value: &TensorProto) -> Option<(DType, usize)> {
    let dtype = DataType::dtype(value.dtype).ok()?;
    let shape = value.tensor_shape.clone().unwrap_or_default().shape().ok()?;
    Some((dtype, shape.elements()?))
}
