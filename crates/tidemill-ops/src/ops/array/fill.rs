//! Tensors of a given shape: `Fill`, `ZerosLike`, `OnesLike`, `BroadcastTo`, `Range`.

use smallvec::{SmallVec, smallvec};
use tidemill_graph::{
    Arg, AttrDef, Elements, Fallible, Graph, Inferred, Kernel, KernelError, NodeBuilder, NodeView,
    OpDef, OpError, Sample, scoped,
};
use tidemill_kernels::layout;
use tidemill_value::{DType, Memory, PartialShape, Scalar, Shape, Value, ValueError};

use super::{broadcast_gradient_args, needs_no_value, reshape, shape, shape_tensor};
use crate::elementwise::same_shape;
use crate::family::grads;
use crate::index::{check_rank, shape_of};
use crate::kernel::{kernel, map_kernel};
use crate::operand::{composite, indexed, tensor, unary};
use crate::operations::operations;
use crate::ops::constant::constant_node;
use crate::ops::reduce::reduce_sum;
use crate::ops::tensor_list::zeros_like_lists;
use crate::{IntoShape, Operand, Tensor};

operations! {
    ops: BROADCAST_TO, FILL, ONES_LIKE, RANGE, ZEROS_LIKE;
    exports: broadcast_to, fill, ones_like, range, zeros_like;
}

/// The shape given by the elements of input `i`.
pub(crate) fn described_shape(node: &NodeView<'_>, i: usize) -> Result<PartialShape, OpError> {
    if node.shape(i).rank().is_some_and(|rank| rank != 1) {
        let (input, actual) = (node.op().inputs[i].name, node.shape(i).clone());
        return Err(OpError::Rank { input, expected: "1 axis", actual });
    }
    match node.elements(i) {
        Some(elements) => elements.as_shape().ok_or_else(|| {
            OpError::elements(
                node.op().inputs[i].name,
                format!("{elements:?} are not valid extents"),
            )
        }),
        None => Ok(match node.shape(i).elements() {
            Some(rank) => PartialShape::of_rank(rank),
            None => PartialShape::unknown(),
        }),
    }
}

/// A tensor filled with one value.
pub static FILL: OpDef = OpDef::new("Fill", "A tensor filled with one value.")
    .inputs(&[Arg::of("dims", "index_type"), Arg::of("value", "T")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(&[AttrDef::types("T", DType::ALL), AttrDef::types("index_type", DType::INDICES)])
    .fallible(Fallible::Elements(&[0]))
    .infer(|node| match node.shape(1).rank() {
        None | Some(0) => Inferred::one(described_shape(node, 0)?),
        Some(_) => {
            let (input, actual) = ("value", node.shape(1).clone());
            Err(OpError::Rank { input, expected: "no axes", actual })
        }
    })
    .gradient(|cx| Ok(grads([None, Some(reduce_sum(cx.grad::<Tensor>(), ..))])))
    .kernel(|_| {
        Ok(kernel(|cx| {
            let shape = shape_of(cx.input(0)?)?;
            Ok(layout::broadcast_to(cx.memory, cx.input(1)?, &shape)?)
        }))
    })
    .samples(|| {
        let filled = Value::from_vec([2, 1], vec![1.5_f32; 2]);
        let sample = |y| Sample::new([Value::from([2, 1]), Value::from(1.5_f32)], y);
        let wrong = Sample::error([Value::from([-2]), Value::from(1.5_f32)], "-2");
        filled.map(sample).into_iter().chain([wrong]).collect()
    });

/// Zeros of the shape and type of a tensor.
pub static ZEROS_LIKE: OpDef = like("ZerosLike", "Zeros of the shape and type of a tensor.")
    .attrs(&[AttrDef::types("T", DType::ANY)])
    .infer(|node| {
        let fact = &node.inputs()[0];
        Ok(smallvec![Inferred { elements: None, ..Inferred::same_as(fact) }])
    })
    .kernel(|node| {
        let dtype = node.dtype(0);
        Ok(map_kernel(move |memory, x| {
            Ok(match dtype {
                DType::Variant => zeros_like_lists(x)?,
                _ => memory.zeros(dtype, x.shape().clone())?,
            })
        }))
    })
    .samples(|| vec![Sample::new([Value::from([1.0_f32, 2.0])], Value::from([0.0_f32, 0.0]))]);

/// Ones of the shape and type of a tensor.
pub static ONES_LIKE: OpDef = like("OnesLike", "Ones of the shape and type of a tensor.")
    .attrs(&[AttrDef::types("T", DType::PLAIN)])
    .kernel(ones_kernel)
    .samples(|| vec![Sample::new([Value::from([2.0_f32, 3.0])], Value::from([1.0_f32, 1.0]))]);

const fn like(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .inputs(const { &[Arg::of("x", "T")] })
        .outputs(const { &[Arg::of("y", "T")] })
        .attrs(const { &[AttrDef::types("T", DType::ALL)] })
        .fallible(Fallible::Never)
        .infer(same_shape)
        .not_differentiable()
}

fn ones_kernel(node: &NodeView<'_>) -> Result<Box<dyn Kernel>, OpError> {
    let dtype = node.dtype(0);
    let one = match dtype {
        DType::Bool => Ok(Scalar::Bool(true)),
        _ => Scalar::U8(1).adopt(dtype),
    };
    let one = one.map_err(|_| OpError::UnsupportedDType { op: node.op().name, dtype })?;
    Ok(map_kernel(move |_, x| Ok(Value::full(one, x.shape().clone())?)))
}

/// A tensor repeated along axes that it lacks or that have extent 1.
pub static BROADCAST_TO: OpDef = OpDef::new("BroadcastTo", "A tensor broadcast to a larger shape.")
    .inputs(&[Arg::of("input", "T"), Arg::of("shape", "Tidx")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(&[AttrDef::types("T", DType::ALL), AttrDef::types("Tidx", DType::INDICES)])
    .infer(|node| {
        let (from, to) = (node.shape(0), described_shape(node, 1)?);
        let stretched = from.broadcast(&to)?;
        if stretched.merge(&to).is_err() {
            let message = format!("shape {from} does not broadcast to {to}");
            return Err(OpError::shape("input", message));
        }
        // Extents that only the input has are not inferred: the run could fail.
        Inferred::one(to)
    })
    .gradient(|cx| {
        let (x, grad): (Tensor, Tensor) = (cx.input(0), cx.grad());
        let own = shape(x);
        let (axes, _) = broadcast_gradient_args(own, shape(grad));
        Ok(grads([Some(reshape(reduce_sum(grad, axes), own)), None]))
    })
    .kernel(|_| {
        Ok(kernel(|cx| {
            let shape = shape_of(cx.input(1)?)?;
            Ok(layout::broadcast_to(cx.memory, cx.input(0)?, &shape)?)
        }))
    })
    .samples(|| {
        let y = Value::from_vec([2, 2], vec![1.0_f32, 2.0, 1.0, 2.0]);
        let x = || Value::from([1.0_f32, 2.0]);
        let wrong = Sample::error([x(), Value::from([3])], "[2]");
        let sample = y.map(|y| Sample::new([x(), Value::from([2, 2])], y));
        sample.into_iter().chain([wrong]).collect()
    });

/// Evenly spaced numbers.
pub static RANGE: OpDef = OpDef::new("Range", "Evenly spaced numbers.")
    .inputs(&[Arg::of("start", "Tidx"), Arg::of("limit", "Tidx"), Arg::of("delta", "Tidx")])
    .outputs(&[Arg::of("output", "Tidx")])
    .attrs(&[AttrDef::widened("Tidx", DType::NUMBERS)])
    .fallible(Fallible::Elements(&[0, 1, 2]))
    .infer(infer_range)
    .kernel(|_| {
        Ok(kernel(|cx| {
            let number = |i| -> Result<Scalar, KernelError> {
                let value = cx.input(i)?;
                let shape = value.shape().clone();
                Ok(value.number().ok_or(ValueError::NotScalar { shape })?)
            };
            Ok(layout::range(cx.memory, number(0)?, number(1)?, number(2)?)?)
        }))
    })
    .not_differentiable()
    .samples(|| {
        vec![
            Sample::new([2, 11, 3].map(Value::from), Value::from([2, 5, 8])),
            Sample::new([1.0_f32, 0.0, -0.5].map(Value::from), Value::from([1.0_f32, 0.5])),
            Sample::error([2, 11, 0].map(Value::from), "do not lead"),
        ]
    });

fn infer_range(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let number = |i: usize| match node.elements(i).map(|elements| &elements[..]) {
        Some(&[Some(x)]) => Some(Scalar::I64(x)),
        _ => None,
    };
    (0..3).try_for_each(|i| check_rank(node, i, 0, "no axes"))?;
    let unknown = || Inferred::one(PartialShape::of_rank(1));
    let (Some(start), Some(limit), Some(delta)) = (number(0), number(1), number(2)) else {
        return unknown();
    };
    match layout::range_length(start, limit, delta) {
        Ok(length) if length <= 64 => {
            let numbers = layout::range(&Memory::new(), start, limit, delta)?;
            let elements = Elements::of(&numbers);
            Ok([Inferred::with_elements([length].into(), elements)].into_iter().collect())
        }
        Ok(length) => Inferred::one([length]),
        Err(error) => Err(error.into()),
    }
}

/// A tensor of this shape, which may be an integer tensor, whose elements are all `value`.
///
/// # Errors
/// A `value` that has axes. A run fails if an extent is negative.
///
/// ```
/// use tidemill_ops::{fill, placeholder, shape};
/// assert_eq!(fill([2, 3], 0.5_f32).shape().to_string(), "[2, 3]");
/// let x = placeholder::<f32>([7, 3]);
/// assert_eq!(fill(shape(x), 0.5_f32).shape().to_string(), "[7, 3]");
/// ```
#[doc(alias = "Fill")]
#[doc(alias = "zeros")]
#[doc(alias = "ones")]
#[track_caller]
pub fn fill(shape: impl IntoShape, value: impl Into<Operand>) -> Tensor {
    let (shape, value) = (shape.into_operand(), value.into());
    let dims = shape.as_tensor();
    let value = match dims {
        Some(dims) => value.to_tensor_beside(dims, "Const"),
        None => value.to_tensor(),
    };
    composite(value.graph(), "Fill", |full| {
        let dims = dims.unwrap_or_else(|| shape.to_tensor_beside(value, "dims"));
        tensor(NodeBuilder::new(&FILL).exact_name(full).input(dims).input(value))
    })
}

/// A tensor whose elements are all the same number, named `name`: a constant if it is small.
#[track_caller]
pub(crate) fn filled(
    graph: &Graph,
    name: &'static str,
    number: f64,
    dtype: DType,
    shape: Shape,
) -> Tensor {
    /// The most elements for which TensorFlow's `zeros` makes a constant.
    const SMALL: usize = 1000;
    let key = graph.key();
    let whole = Scalar::I64(number as i64);
    let scalar = match dtype {
        DType::Bool => Ok(Scalar::Bool(number != 0.0)),
        _ if number == number.trunc() => whole.adopt(dtype),
        _ => Scalar::F64(number).adopt(dtype),
    };
    let value = scalar.and_then(|scalar| match shape.elements() {
        Some(elements) if elements < SMALL => Value::full(scalar, shape.clone()),
        _ => Ok(scalar.into()),
    });
    let value = match value {
        Ok(value) => value,
        Err(error) => {
            let kind = OpError::from(error);
            return tidemill_graph::fail(Some(key), name, kind, Vec::new()).output(0).into();
        }
    };
    if *value.shape() == shape {
        return constant_node(Some(key), name, value);
    }
    scoped(graph, name, |full| {
        let dims = constant_node(Some(key), "shape_as_tensor", shape_tensor(&shape));
        let value = constant_node(Some(key), "Const", value);
        tensor(NodeBuilder::new(&FILL).exact_name(full).input(dims).input(value))
    })
}

/// Zeros of the shape and type of `x`.
///
/// ```
/// use tidemill_ops::{constant, zeros_like};
/// assert_eq!(zeros_like(constant([1.0_f32, 2.0])).shape().to_string(), "[2]");
/// ```
#[doc(alias = "ZerosLike")]
#[track_caller]
pub fn zeros_like(x: impl Into<Operand>) -> Tensor {
    filled_like(&ZEROS_LIKE, x.into().to_tensor(), 0.0)
}

/// A tensor that `op` fills with a number; a constant if only a known shape is needed.
#[track_caller]
fn filled_like(op: &'static OpDef, x: Tensor, number: f64) -> Tensor {
    let known = needs_no_value(x).and_then(|shape| Some((x.graph()?, x.dtype()?, shape.known()?)));
    match known {
        Some((graph, dtype, shape)) if !matches!(dtype, DType::Variant | DType::String) => {
            filled(&graph, op.name, number, dtype, shape)
        }
        _ => unary(op, x),
    }
}

/// Ones of the shape and type of `x`.
///
/// ```
/// use tidemill_ops::{constant, ones_like};
/// assert_eq!(ones_like(constant([1.0_f32, 2.0])).shape().to_string(), "[2]");
/// ```
#[doc(alias = "OnesLike")]
#[track_caller]
pub fn ones_like(x: impl Into<Operand>) -> Tensor {
    filled_like(&ONES_LIKE, x.into().to_tensor(), 1.0)
}

/// `x` broadcast to a larger shape, along leading axes that it lacks and axes of length 1. The
/// shape is a list of extents, or an integer tensor.
///
/// # Errors
/// A shape that `x` does not broadcast to.
///
/// ```
/// use tidemill_ops::{broadcast_to, constant};
/// let rows = broadcast_to(constant([1.0_f32, 2.0]), [3, 2]);
/// assert_eq!(rows.shape().to_string(), "[3, 2]");
/// ```
#[doc(alias = "BroadcastTo")]
#[track_caller]
pub fn broadcast_to(x: impl Into<Operand>, shape: impl Into<Operand>) -> Tensor {
    let x = x.into().to_tensor();
    indexed(&BROADCAST_TO, "BroadcastTo", x, ("shape", shape.into()), |node| node)
}

/// The numbers from `start` up to, but not including, `limit`, in steps of `delta`: a tensor of one
/// axis.
///
/// # Errors
/// A run fails if steps of `delta` do not lead from `start` to `limit`.
///
/// ```
/// use tidemill_ops::range;
/// assert_eq!(range(0, 7, 2).shape().to_string(), "[4]");
/// ```
#[doc(alias = "Range")]
#[track_caller]
pub fn range(
    start: impl Into<Operand>,
    limit: impl Into<Operand>,
    delta: impl Into<Operand>,
) -> Tensor {
    let (start, limit, delta) = (start.into(), limit.into(), delta.into());
    let tensor_among = [&start, &limit, &delta].into_iter().find_map(Operand::as_tensor);
    composite(tensor_among.and_then(Tensor::graph), "range", |full| {
        let like = tensor_among.unwrap_or_else(|| start.to_tensor_named("start"));
        let number = |operand: &Operand, name| operand.to_tensor_like(like, name);
        let start = if tensor_among.is_some() { number(&start, "start") } else { like };
        let node = NodeBuilder::new(&RANGE).exact_name(full).input(start);
        tensor(node.input(number(&limit, "limit")).input(number(&delta, "delta")))
    })
}
