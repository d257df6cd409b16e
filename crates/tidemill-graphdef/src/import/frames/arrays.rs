//! Converts `TensorArrayV3` and its relatives to tensor lists.
//!
//! An array is a handle and a *flow*, a number that orders the operations on it. As a list, the
//! flow is the array itself, and there is no handle.

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_formats::proto::{AnyValue, DataType, TensorProto, TensorShapeProto};
use tidemill_value::PartialShape;

use super::super::error::ImportError;
use super::super::net::{NetNode, Port};
use super::flow::{Flow, refused};
use super::framed::Framed;

/// The conversion of an operation on an array.
struct Rule {
    array: &'static str,
    list: &'static str,
    /// The array's inputs that the list's inputs come from; `Shape` stands for one that gives the
    /// shape.
    inputs: &'static [Input],
    /// The number of the input that is the flow, next to which constants are put.
    flow: usize,
    /// True if the operation outputs the flow.
    gives_flow: bool,
    /// The attribute that holds the data type of elements.
    dtype: Option<&'static str>,
}

#[derive(Clone, Copy)]
enum Input {
    Of(usize),
    Shape,
}

use Input::{Of, Shape};

const RULES: &[Rule] = &[
    Rule {
        array: "TensorArrayReadV3",
        list: "TensorListGetItem",
        inputs: &[Of(2), Of(1), Shape],
        flow: 2,
        gives_flow: false,
        dtype: Some("dtype"),
    },
    Rule {
        array: "TensorArrayWriteV3",
        list: "TensorListSetItem",
        inputs: &[Of(3), Of(1), Of(2)],
        flow: 3,
        gives_flow: true,
        dtype: Some("T"),
    },
    Rule {
        array: "TensorArrayGatherV3",
        list: "TensorListGather",
        inputs: &[Of(2), Of(1), Shape],
        flow: 2,
        gives_flow: false,
        dtype: Some("dtype"),
    },
    Rule {
        array: "TensorArrayScatterV3",
        list: "TensorListScatterIntoExistingList",
        inputs: &[Of(3), Of(2), Of(1)],
        flow: 3,
        gives_flow: true,
        dtype: Some("T"),
    },
    Rule {
        array: "TensorArrayConcatV3",
        list: "TensorListConcat",
        inputs: &[Of(1)],
        flow: 1,
        gives_flow: false,
        dtype: Some("dtype"),
    },
    Rule {
        array: "TensorArraySplitV3",
        list: "TensorListSplit",
        inputs: &[Of(1), Shape, Of(2)],
        flow: 3,
        gives_flow: true,
        dtype: Some("T"),
    },
    Rule {
        array: "TensorArraySizeV3",
        list: "TensorListLength",
        inputs: &[Of(1)],
        flow: 1,
        gives_flow: false,
        dtype: None,
    },
];

const MAKE: &str = "TensorArrayV3";
const CLOSE: &str = "TensorArrayCloseV3";
/// The operations of gradients of loops in TensorFlow 1.
const OF_GRADIENTS: &[&str] = &[
    "TensorArrayGradV3",
    "TensorArrayGradWithShape",
    "StackV2",
    "StackPushV2",
    "StackPopV2",
    "StackCloseV2",
];

pub(super) fn is_of_array(op: &str) -> bool {
    op == MAKE || op == CLOSE || OF_GRADIENTS.contains(&op) || rule_of(op).is_some()
}

fn rule_of(op: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.array == op)
}

/// Replaces arrays by lists.
pub(super) fn to_lists(net: &mut Framed) -> Result<(), ImportError> {
    if let Some(node) = net.nodes.iter().find(|node| OF_GRADIENTS.contains(&node.op.as_str())) {
        let problem = "it is part of the gradient of a loop, which cannot be imported: extract the \
                       graph without gradients, then build them again";
        return Err(refused(node, problem));
    }
    let count = net.nodes.len();
    let op = |net: &Framed, node: usize| net.nodes[node].op.clone();
    let arrays: Vec<usize> = (0..count).filter(|&node| is_of_array(&op(net, node))).collect();
    if arrays.is_empty() {
        return Ok(());
    }
    let takers = takers(net);
    let makers = follow(net, &takers, &arrays, |net, node| {
        (op(net, node) == MAKE).then_some(Port { node, slot: 0 })
    });
    let flows = follow(net, &takers, &arrays, |net, node| match op(net, node).as_str() {
        MAKE => Some(Port { node, slot: 1 }),
        other => rule_of(other)?.gives_flow.then_some(Port { node, slot: 0 }),
    });
    for port in flows.keys() {
        if net.passes_on(port.node) {
            net.nodes[port.node].set("T", AnyValue::Type(DataType::Variant.into()));
        }
    }
    let grows = |net: &Framed, node: usize| {
        matches!(net.nodes[node].attr("dynamic_size"), Some(AnyValue::B(true)))
    };
    let growing: FxHashSet<usize> =
        arrays.iter().copied().filter(|&node| grows(net, node)).collect();
    for &node in &arrays {
        to_list(net, node, &makers, &growing)?;
    }
    // Nothing needs the handles any more.
    for port in makers.keys() {
        net.places[port.node].is_there &= !net.passes_on(port.node);
    }
    Ok(())
}

/// For each node, the nodes that take one of its outputs.
fn takers(net: &Framed) -> Vec<Vec<usize>> {
    let mut takers = vec![Vec::new(); net.nodes.len()];
    for (node, member) in net.nodes.iter().enumerate() {
        member.inputs.iter().for_each(|port| takers[port.node].push(node));
    }
    takers
}

/// The tensors passed on from the outputs of `start`, with the node that passed on each.
fn follow(
    net: &Framed,
    takers: &[Vec<usize>],
    arrays: &[usize],
    start: impl Fn(&Framed, usize) -> Option<Port>,
) -> FxHashMap<Port, usize> {
    let mut found = FxHashMap::default();
    let mut pending: Vec<(Port, usize)> =
        arrays.iter().filter_map(|&node| Some((start(net, node)?, node))).collect();
    while let Some((port, origin)) = pending.pop() {
        if found.contains_key(&port) {
            continue;
        }
        found.insert(port, origin);
        for &taker in &takers[port.node] {
            let is_switch = net.flow(taker) == Flow::Switch;
            let mut inputs = net.nodes[taker].inputs.iter().enumerate();
            let is_data = inputs.any(|(i, input)| *input == port && (!is_switch || i == 0));
            if is_data && net.passes_on(taker) {
                let slots = if is_switch { 0..2 } else { 0..1 };
                pending.extend(slots.map(|slot| (Port { node: taker, slot }, origin)));
            }
        }
    }
    found
}

/// Converts an operation on an array to one on a list.
fn to_list(
    net: &mut Framed,
    node: usize,
    makers: &FxHashMap<Port, usize>,
    growing: &FxHashSet<usize>,
) -> Result<(), ImportError> {
    let member = &mut net.nodes[node];
    match member.op.as_str() {
        MAKE => return make_list(net, node),
        CLOSE => {
            member.become_op("NoOp");
            member.inputs.clear();
            return Ok(());
        }
        _ => {}
    }
    let maker = member.inputs.first().and_then(|handle| makers.get(handle));
    let unknown = || refused(member, "its handle does not belong to a tensor array");
    let grows = growing.contains(maker.ok_or_else(unknown)?);
    let rule = rule_of(&member.op).ok_or_else(|| missing(member))?;
    let dtype = rule.dtype.map(|attr| member.type_attr(attr).ok_or_else(|| missing(member)));
    let dtype = dtype.transpose()?;
    let except = member.attrs.remove("element_shape_except0");
    if member.inputs.len() <= rule.flow {
        return Err(missing(member));
    }
    let given = member.inputs.clone();
    let inputs = rule.inputs.iter().map(|input| match *input {
        Of(i) => Ok(given[i]),
        Shape => shape_constant(net, node, given[rule.flow].node),
    });
    let inputs = inputs.collect::<Result<_, _>>()?;
    let member = &mut net.nodes[node];
    member.become_op(rule.list);
    member.inputs = inputs;
    if let Some(dtype) = dtype {
        member.set("element_dtype", AnyValue::Type(dtype));
    }
    match rule.list {
        "TensorListSetItem" if grows => {
            member.set("resize_if_index_out_of_bounds", AnyValue::B(true));
        }
        "TensorListSplit" => member.set("shape_type", AnyValue::Type(DataType::Int32.into())),
        "TensorListConcat" => {
            if let Some(AnyValue::Shape(shape)) = except.and_then(|attr| attr.value) {
                member.set("element_shape", AnyValue::Shape(with_unknown_first(shape)));
            }
        }
        _ => {}
    }
    Ok(())
}

/// Converts the node that makes an array.
fn make_list(net: &mut Framed, node: usize) -> Result<(), ImportError> {
    let member = &net.nodes[node];
    let size = *member.inputs.first().ok_or_else(|| missing(member))?;
    let dtype = member.type_attr("dtype").ok_or_else(|| missing(member))?;
    let shape = shape_constant(net, node, node)?;
    net.redirect_flow(node);
    let member = &mut net.nodes[node];
    member.become_op("TensorListReserve");
    member.set("element_dtype", AnyValue::Type(dtype));
    member.set("shape_type", AnyValue::Type(DataType::Int32.into()));
    member.inputs = vec![shape, size];
    Ok(())
}

fn missing(node: &NetNode) -> ImportError {
    refused(node, "it lacks an input or attribute")
}

fn with_unknown_first(mut shape: TensorShapeProto) -> TensorShapeProto {
    if !shape.unknown_rank {
        let first = tidemill_formats::proto::Dim { size: -1, ..Default::default() };
        shape.dim.insert(0, first);
    }
    shape
}

/// A constant of the shape of a node's elements, or of an unknown one. It runs in the frame of node
/// `beside`.
fn shape_constant(net: &mut Framed, node: usize, beside: usize) -> Result<Port, ImportError> {
    let member = &net.nodes[node];
    let shape = match member.attr("element_shape") {
        Some(AnyValue::Shape(shape)) if !shape.unknown_rank => {
            let partial = shape.partial_shape();
            partial.map_err(|error| refused(member, error.to_string()))?
        }
        _ => PartialShape::unknown(),
    };
    let name = format!("{}/element_shape", member.name);
    let controls = if node == beside { Vec::new() } else { vec![beside] };
    let constant = net.add(&name, "Const", Vec::new(), controls, (node, 0));
    let member = &mut net.nodes[constant];
    member.set("dtype", AnyValue::Type(DataType::Int32.into()));
    member.set("value", AnyValue::Tensor(TensorProto::from(&shape.to_value())));
    Ok(Port { node: constant, slot: 0 })
}
