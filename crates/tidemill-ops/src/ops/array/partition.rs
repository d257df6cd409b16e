//! `OneHot`, `DynamicPartition`, `DynamicStitch` and `ParallelDynamicStitch`.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, AttrDefault, AttrKind, Fallible, GradCx, GradientError, Grads, Inferred, Kernel,
    NodeBuilder, NodeView, OpDef, OpError, Sample,
};
use tidemill_kernels::layout;
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::split::{list_kernel, output_grads};
use super::{gather, range, reshape, shape, size};
use crate::family::grads;
use crate::index::{axis_of, check_rank, count_of, integer, known_integer};
use crate::kernel::kernel;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops: DYNAMIC_PARTITION, DYNAMIC_STITCH, ONE_HOT, PARALLEL_DYNAMIC_STITCH;
    exports: dynamic_partition, dynamic_stitch, one_hot, one_hot_with;
}

/// Rows that have one value at an index and another elsewhere.
pub static ONE_HOT: OpDef =
    OpDef::new("OneHot", "Rows that have one value at an index and another elsewhere.")
        .inputs(&[
            Arg::of("indices", "TI"),
            Arg::is("depth", DType::I32),
            Arg::of("on_value", "T"),
            Arg::of("off_value", "T"),
        ])
        .outputs(&[Arg::of("output", "T")])
        .attrs(&[
            AttrDef::int("axis", -1),
            AttrDef::types("T", DType::ALL),
            AttrDef::types("TI", &[DType::U8, DType::I8, DType::I32, DType::I64])
                .default(AttrDefault::Type(DType::I64)),
        ])
        .fallible(Fallible::Values)
        .infer(|node| {
            (1..4).try_for_each(|i| check_rank(node, i, 0, "no axes"))?;
            let depth = known_integer(node, 1).map(|depth| count_of(depth, "depth")).transpose()?;
            let Some(dims) = node.shape(0).dims() else {
                return Inferred::one(PartialShape::unknown());
            };
            let axis = axis_of(node.int_attr("axis")?, dims.len() + 1)?;
            let mut dims: SmallVec<[Dim; 4]> = dims.into();
            dims.insert(axis, depth.into());
            Inferred::one(dims.into_iter().collect::<PartialShape>())
        })
        .not_differentiable()
        .kernel(|node| {
            let axis = node.int_attr("axis")?;
            Ok(kernel(move |cx| {
                let indices = cx.input(0)?;
                let depth = count_of(integer(cx.input(1)?, "depth")?, "depth")?;
                let axis = axis_of(axis, indices.shape().rank() + 1)?;
                Ok(layout::one_hot(cx.memory, indices, depth, axis, cx.input(2)?, cx.input(3)?)?)
            }))
        })
        .samples(|| {
            let inputs = |indices: &[i64], depth: i32| {
                let indices = Value::list(indices.to_vec());
                [indices, Value::from(depth), Value::from(1.0_f32), Value::from(0.0_f32)]
            };
            let rows = array([2, 3], [0.0_f32, 0.0, 1.0, 0.0, 0.0, 0.0]);
            let columns = array([2, 2], [1.0_f32, 0.0, 0.0, 1.0]);
            vec![
                Sample::new(inputs(&[2, 3], 3), rows),
                Sample::new(inputs(&[0, 1], 2), columns).attr("axis", 0_i64),
                Sample::new(inputs(&[], 2), array([0, 2], Vec::<f32>::new())),
                Sample::error(inputs(&[0], -1), "must not be negative, but is -1"),
                Sample::error(inputs(&[0], 1), "axis 2").attr("axis", 2_i64),
            ]
        });

/// The rows of a tensor, distributed into parts by number.
pub static DYNAMIC_PARTITION: OpDef =
    OpDef::new("DynamicPartition", "The rows of a tensor, distributed into parts by number.")
        .inputs(&[Arg::of("data", "T"), Arg::is("partitions", DType::I32)])
        .outputs(&[Arg::list("outputs", "T", "num_partitions")])
        .attrs(&[AttrDef::types("T", DType::ALL), AttrDef::new("num_partitions", AttrKind::Int)])
        .fallible(Fallible::Values)
        .infer(|node| {
            let count = parts(node)?;
            let part: PartialShape = match rest_of(node.shape(0), node.shape(1))? {
                Some(rest) => [Dim::UNKNOWN].iter().chain(rest).copied().collect(),
                None => PartialShape::unknown(),
            };
            Ok(std::iter::repeat_n(part.into(), count).collect())
        })
        .gradient(|cx| {
            let (data, partitions): (Tensor, Tensor) = (cx.input(0), cx.input(1));
            let count = parts(cx.node())?;
            let numbers = reshape(range(0, size(partitions), 1), shape(partitions));
            let origins = dynamic_partition(numbers, partitions, count);
            let stitched = stitch(&PARALLEL_DYNAMIC_STITCH, origins, output_grads(cx));
            Ok(grads([Some(reshape(stitched, shape(data))), None]))
        })
        .kernel(|node| {
            let count = parts(node)?;
            Ok(list_kernel(move |cx| {
                Ok(layout::dynamic_partition(cx.memory, cx.input(0)?, cx.input(1)?, count)?)
            }))
        })
        .samples(|| {
            let data = || array([3, 2], [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
            let sample = |partitions: [i32; 3]| {
                Sample::shapes([data(), Value::from(partitions)]).attr("num_partitions", 2_i64)
            };
            let error = |partitions: Value, message| {
                Sample::error([data(), partitions], message).attr("num_partitions", 2_i64)
            };
            let (last, first) = ([3.0_f32, 4.0, 5.0, 6.0], [1.0_f32, 2.0]);
            let empty = array([0, 2], Vec::<f32>::new());
            vec![
                sample([1, 0, 0]).outputs([array([2, 2], last), array([1, 2], first)]),
                sample([1, 1, 1]).outputs([empty, data()]),
                error(Value::from([0, 2, 0]), "index 2"),
                error(Value::from([0, 1]), "[2]"),
            ]
        });

fn parts(node: &NodeView<'_>) -> Result<usize, OpError> {
    match count_of(node.int_attr("num_partitions")?, "num_partitions")? {
        0 => Err(OpError::attr("num_partitions", "there must be at least 1 part")),
        count => Ok(count),
    }
}

/// The axes of a shape after those of its prefix, if both ranks are known.
fn rest_of<'a>(
    shape: &'a PartialShape,
    prefix: &PartialShape,
) -> Result<Option<&'a [Dim]>, OpError> {
    let (Some(dims), Some(first)) = (shape.dims(), prefix.dims()) else { return Ok(None) };
    let mismatch = || OpError::shape("data", format!("shape {shape} does not begin with {prefix}"));
    let (own, rest) = dims.split_at_checked(first.len()).ok_or_else(mismatch)?;
    match own.iter().zip(first).all(|(l, r)| l.merge(*r).is_ok()) {
        true => Ok(Some(rest)),
        false => Err(mismatch()),
    }
}

/// The rows of several tensors, placed at their indices.
pub static DYNAMIC_STITCH: OpDef =
    stitch_op("DynamicStitch", "The rows of several tensors, placed at their indices.");

/// The rows of several tensors, placed at their indices, in any order.
pub static PARALLEL_DYNAMIC_STITCH: OpDef = stitch_op(
    "ParallelDynamicStitch",
    "The rows of several tensors, placed at their indices, in any order.",
);

const fn stitch_op(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .inputs(
            const {
                &[
                    Arg {
                        dtype: tidemill_graph::ArgType::Is(DType::I32),
                        ..Arg::list("indices", "T", "N")
                    },
                    Arg::list("data", "T", "N"),
                ]
            },
        )
        .outputs(const { &[Arg::of("merged", "T")] })
        .attrs(const { &[AttrDef::types("T", DType::ALL)] })
        .fallible(Fallible::Values)
        .infer(infer_stitch)
        .gradient(stitch_gradient)
        .kernel(stitch_kernel)
        .samples(stitch_samples)
}

fn infer_stitch(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let (indices, data) = node.inputs().split_at(node.inputs().len() / 2);
    if data.is_empty() {
        return Err(OpError::invalid("there is nothing to stitch"));
    }
    let mut rest = PartialShape::unknown();
    let mut rows = Some(0);
    for (indices, data) in indices.iter().zip(data) {
        if let Some(own) = rest_of(&data.shape, &indices.shape)? {
            rest = rest.merge(&own.into())?;
        }
        let numbers = indices.elements.as_ref().and_then(|elements| elements.known());
        let last = numbers.map(|numbers| numbers.into_iter().max().unwrap_or(-1));
        rows = rows.zip(last).map(|(rows, last): (i64, i64)| rows.max(last.saturating_add(1)));
    }
    let rows = Dim::from(rows.and_then(|rows| usize::try_from(rows).ok()));
    Inferred::one(match rest.dims() {
        Some(rest) => [rows].iter().chain(rest).copied().collect(),
        None => PartialShape::unknown(),
    })
}

fn stitch_gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let count = cx.input_count() / 2;
    let of_data =
        (0..count).map(|i| Some(gather(cx.grad::<Tensor>(), cx.input::<Tensor>(i), 0).into()));
    Ok(std::iter::repeat_n(None, count).chain(of_data).collect())
}

fn stitch_kernel(_: &NodeView<'_>) -> Result<Box<dyn Kernel>, OpError> {
    Ok(kernel(|cx| {
        let inputs = cx.all_inputs()?;
        let (indices, data) = inputs.split_at(inputs.len() / 2);
        Ok(layout::dynamic_stitch(cx.memory, indices, data)?)
    }))
}

fn stitch_samples() -> Vec<Sample> {
    let data = || vec![array([2, 1], [1.0_f32, 2.0]), array([1], [3.0_f32])];
    let numbers = |first: i32| vec![Value::from([first, 0]), Value::from(1)];
    let merged = array([3, 1], [2.0_f32, 3.0, 1.0]);
    vec![
        Sample::new([], merged).arguments(vec![numbers(2), data()]),
        Sample::error([], "index -1").arguments(vec![numbers(-1), data()]),
        Sample::error([], "[2]")
            .arguments(vec![vec![Value::from([0, 1])], vec![Value::from([1.0_f32])]]),
    ]
}

/// A row of `depth` elements for each of the `indices`: 1 at the index and 0 elsewhere. The rows
/// are along a new last axis. An index out of range gives a row of zeros.
///
/// ```
/// use tidemill_ops::{constant, one_hot};
/// assert_eq!(one_hot(constant([2, 0]), 3).shape().to_string(), "[2, 3]");
/// ```
///
/// The result is `float32`, and has no gradient.
///
/// # Errors
/// A negative depth, or indices that are not integers.
#[doc(alias = "OneHot")]
#[track_caller]
pub fn one_hot(indices: impl Into<Operand>, depth: impl Into<Operand>) -> Tensor {
    one_hot_with(indices, depth, 1.0_f32, 0.0_f32, -1)
}

/// [`one_hot`] with other values than 1 and 0, of any type, along a new axis before `axis`; -1 puts
/// it last.
///
/// # Errors
/// As for [`one_hot`]; numbers that are not of one type, or an axis that does not exist.
///
/// ```
/// use tidemill_ops::{constant, one_hot_with};
/// let rows = one_hot_with(constant([0, 2]), 3, 5.0_f32, 0.0_f32, -1);
/// assert_eq!(rows.shape().to_string(), "[2, 3]");
/// ```
#[doc(alias = "OneHot")]
#[track_caller]
pub fn one_hot_with(
    indices: impl Into<Operand>,
    depth: impl Into<Operand>,
    on: impl Into<Operand>,
    off: impl Into<Operand>,
    axis: i64,
) -> Tensor {
    let indices = indices.into().to_tensor();
    let (depth, on, off) = (depth.into(), on.into(), off.into());
    composite(indices.graph(), "one_hot", |full| {
        let node = NodeBuilder::new(&ONE_HOT).exact_name(full).input(indices);
        let node = node.input(depth.to_tensor_beside(indices, "depth"));
        let on = on.to_tensor_beside(indices, "on_value");
        let off = off.to_tensor_like(on, "off_value");
        tensor(node.input(on).input(off).attr("axis", axis))
    })
}

/// The rows of `x`, distributed into `count` parts by the numbers in `partitions`, an `int32`
/// tensor whose axes are the first axes of `x`.
///
/// Its gradient puts the rows back where they were.
///
/// # Errors
/// Shapes that do not fit, or no parts; a run fails if a number is not in `[0, count)`.
///
/// ```
/// use tidemill_ops::{constant, dynamic_partition, placeholder};
/// let parts = dynamic_partition(placeholder::<f32>([4, 2]), constant([0, 1, 1, 0]), 2);
/// assert_eq!(parts[0].shape().to_string(), "[?, 2]");
/// ```
#[doc(alias = "DynamicPartition")]
#[track_caller]
pub fn dynamic_partition(
    x: impl Into<Operand>,
    partitions: impl Into<Operand>,
    count: usize,
) -> Vec<Tensor> {
    let x = x.into().to_tensor();
    let partitions = partitions.into().to_tensor_beside(x, "partitions");
    let node = NodeBuilder::new(&DYNAMIC_PARTITION).input(x).input(partitions);
    let node = node.attr("num_partitions", count as i64).build();
    (0..count).map(|i| node.output(i as u32).into()).collect()
}

/// The rows of all `values`, placed at their `indices`; if several rows have the same index, the
/// last one wins. The indices are `int32`; the shape of each value must begin with the shape of
/// its indices.
///
/// Its gradient gathers each row from its index.
///
/// # Errors
/// Shapes that do not fit, or no values; a run fails if a number is negative.
///
/// ```
/// use tidemill_ops::{constant, dynamic_stitch};
/// let rows = [constant([[1.0_f32]]), constant([[2.0_f32]])];
/// let x = dynamic_stitch([constant([1]), constant([0])], rows);
/// assert_eq!(x.shape().rank(), Some(2));
/// ```
#[doc(alias = "DynamicStitch")]
#[track_caller]
pub fn dynamic_stitch<I: Into<Operand>, V: Into<Operand>>(
    indices: impl IntoIterator<Item = I>,
    values: impl IntoIterator<Item = V>,
) -> Tensor {
    let mut lists = (Vec::new(), Vec::new());
    for index in indices {
        lists.0.push(index.into().to_tensor());
    }
    for value in values {
        lists.1.push(value.into().to_tensor());
    }
    stitch(&DYNAMIC_STITCH, lists.0, lists.1)
}

#[track_caller]
fn stitch(op: &'static OpDef, indices: Vec<Tensor>, values: Vec<Tensor>) -> Tensor {
    tensor(NodeBuilder::new(op).inputs(indices).inputs(values))
}
