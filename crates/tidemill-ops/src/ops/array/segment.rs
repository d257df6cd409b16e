//! Rows combined by segment: `SegmentSum` and its relatives.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, AttrDefault, Elements, Fallible, GradCx, GradientError, Grads, Inferred, Kernel,
    NodeBuilder, NodeView, OpDef, OpError, Sample, Widening,
};
use tidemill_kernels::segment::{self as kernels, Segment};
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::recurrence::{Rows, product_of_other_rows};
use super::{gather, ones_like, rank, reshape, shape, zeros_like};
use crate::family::{example, grads};
use crate::index::{check_rank, count_of, integer, known_integer};
use crate::kernel::kernel;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::ops::arithmetic::maximum;
use crate::ops::cast::cast;
use crate::ops::compare::{equal, greater_equal, logical_and};
use crate::ops::select::select;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops:
        SEGMENT_MAX, SEGMENT_MEAN, SEGMENT_MIN, SEGMENT_PROD, SEGMENT_SUM, UNSORTED_SEGMENT_MAX,
        UNSORTED_SEGMENT_MIN, UNSORTED_SEGMENT_PROD, UNSORTED_SEGMENT_SUM;
    exports:
        segment_max, segment_mean, segment_min, segment_prod, segment_sum, unsorted_segment_max,
        unsorted_segment_min, unsorted_segment_prod, unsorted_segment_sum;
}

/// An operation over rows whose segment numbers ascend.
const fn sorted(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .inputs(const { &[Arg::of("data", "T"), Arg::of("segment_ids", "Tindices")] })
        .outputs(const { &[Arg::of("output", "T")] })
        .attrs(
            const {
                &[AttrDef::widened("T", DType::NUMBERS), AttrDef::types("Tindices", DType::INDICES)]
            },
        )
        .fallible(Fallible::Values)
        .infer(infer_sorted)
}

fn infer_sorted(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    check_rank(node, 1, 1, "1 axis")?;
    let Some(dims) = node.shape(0).dims() else {
        return Inferred::one(PartialShape::unknown());
    };
    let Some((rows, part)) = dims.split_first() else {
        let (input, actual) = ("data", node.shape(0).clone());
        return Err(OpError::Rank { input, expected: "at least 1 axis", actual });
    };
    if let Some(&[ids]) = node.shape(1).dims() {
        rows.merge(ids)?;
    }
    let last = node.elements(1).and_then(Elements::known).map(|ids| ids.last().copied());
    let count = last.and_then(|last| usize::try_from(last.unwrap_or(-1).saturating_add(1)).ok());
    Inferred::one([Dim::from(count)].iter().chain(part).copied().collect::<PartialShape>())
}

fn sorted_kernel(how: Segment) -> Box<dyn Kernel> {
    kernel(move |cx| Ok(kernels::segment(cx.memory, cx.input(0)?, cx.input(1)?, how)?))
}

/// Samples of the rows `[2, 5]`, `[3, 4]`, `[1, 1.5]` in segments 0, 0 and 2.
fn sorted_samples(of_two: [f32; 2], of_none: f32) -> Vec<Sample> {
    let x = || array([3, 2], [2.0_f32, 5.0, 3.0, 4.0, 1.0, 1.5]);
    let y = array([3, 2], [of_two[0], of_two[1], of_none, of_none, 1.0, 1.5]);
    let empty = [array([0, 2], Vec::<f32>::new()), Value::list(Vec::<i32>::new())];
    vec![
        Sample::new([x(), Value::from([0, 0, 2])], y),
        Sample::new(empty.clone(), empty[0].clone()),
        Sample::error([x(), Value::from([0, 2, 1])], "out of order"),
        Sample::error([x(), Value::from([-1, 0, 0])], "index -1"),
        Sample::error([x(), Value::from([0, 0])], "contradict"),
    ]
}

/// The sums of segments of rows.
pub static SEGMENT_SUM: OpDef = sorted("SegmentSum", "The sums of segments of rows.")
    .gradient(|cx| Ok(grads([Some(gather(cx.grad::<Tensor>(), cx.input::<Tensor>(1), 0)), None])))
    .kernel(|_| Ok(sorted_kernel(Segment::Sum)))
    .samples(|| sorted_samples([5.0, 9.0], 0.0));

/// The means of segments of rows.
pub static SEGMENT_MEAN: OpDef = sorted("SegmentMean", "The means of segments of rows.")
    .gradient(|cx| {
        let (ids, grad): (Tensor, Tensor) = (cx.input(1), cx.grad());
        let ones = cast(ones_like(ids), cx.node().dtype(0));
        let counts = tensor(NodeBuilder::new(&SEGMENT_SUM).input(ones).input(ids));
        let counts = reshape_as_rows(maximum(counts, 1.0), grad);
        Ok(grads([Some(gather(grad / counts, ids, 0)), None]))
    })
    .kernel(|_| Ok(sorted_kernel(Segment::Mean)))
    .samples(|| sorted_samples([2.5, 4.5], 0.0));

/// The products of segments of rows.
pub static SEGMENT_PROD: OpDef = sorted("SegmentProd", "The products of segments of rows.")
    .gradient(|cx| {
        let (x, ids): (Tensor, Tensor) = (cx.input(0), cx.input(1));
        let count = gather(shape(cx.output::<Tensor>(0)), 0, 0);
        let others = product_of_other_rows(x, Rows { ids, count });
        Ok(grads([Some(others * gather(cx.grad::<Tensor>(), ids, 0)), None]))
    })
    .kernel(|_| Ok(sorted_kernel(Segment::Prod)))
    .samples(|| {
        let x = Value::from([0.0_f32, 2.0, 3.0, 0.0, 0.0]);
        let with_zeros = [x, Value::from([0, 0, 0, 1, 1])];
        let with_zeros = Sample::new(with_zeros, Value::from([0.0_f32; 2]));
        sorted_samples([6.0, 20.0], 1.0).into_iter().chain([with_zeros]).collect()
    });

/// The smallest elements of segments of rows.
pub static SEGMENT_MIN: OpDef = sorted("SegmentMin", "The smallest elements of segments of rows.")
    .gradient(sorted_extremum_gradient)
    .kernel(|_| Ok(sorted_kernel(Segment::Min)))
    .samples(|| sorted_samples([2.0, 4.0], 0.0));

/// The largest elements of segments of rows.
pub static SEGMENT_MAX: OpDef = sorted("SegmentMax", "The largest elements of segments of rows.")
    .gradient(sorted_extremum_gradient)
    .kernel(|_| Ok(sorted_kernel(Segment::Max)))
    .samples(|| sorted_samples([3.0, 5.0], 0.0));

/// The gradient of an extremum: split evenly among all rows that attain it.
fn sorted_extremum_gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let (x, ids, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
    let is_extremum = equal(x, gather(cx.output::<Tensor>(0), ids, 0));
    let chosen = cast(is_extremum, cx.node().dtype(0));
    let count = tensor(NodeBuilder::new(&SEGMENT_SUM).input(chosen).input(ids));
    let share = grad / maximum(count, 1.0);
    Ok(grads([Some(chosen * gather(share, ids, 0)), None]))
}

/// Counts of rows in a shape that broadcasts against rows.
fn reshape_as_rows(counts: Tensor, rows: Tensor) -> Tensor {
    let ones = ones_like(shape(rows)).slice([crate::SliceItem::from(1..)]);
    reshape(counts, super::concat([shape(counts), ones], 0))
}

const fn unsorted_attrs(widening: Widening) -> [AttrDef; 3] {
    [
        AttrDef::types("T", DType::NUMBERS).widening(widening),
        AttrDef::types("Tindices", DType::INDICES),
        AttrDef::types("Tnumsegments", DType::INDICES).default(AttrDefault::Type(DType::I32)),
    ]
}

/// An operation over rows whose segment numbers come in any order.
const fn unsorted(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .inputs(
            const {
                &[
                    Arg::of("data", "T"),
                    Arg::of("segment_ids", "Tindices"),
                    Arg::of("num_segments", "Tnumsegments"),
                ]
            },
        )
        .outputs(const { &[Arg::of("output", "T")] })
        .attrs(const { &unsorted_attrs(Widening::Wrapping) })
        .fallible(Fallible::Values)
        .infer(infer_unsorted)
}

fn infer_unsorted(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    check_rank(node, 2, 0, "no axes")?;
    let count = known_integer(node, 2).map(|count| count_of(count, "num_segments")).transpose()?;
    let (Some(dims), Some(ids)) = (node.shape(0).dims(), node.shape(1).dims()) else {
        return Inferred::one(PartialShape::unknown());
    };
    let (data, prefix) = (node.shape(0), node.shape(1));
    let mismatch = || OpError::shape("data", format!("shape {data} does not begin with {prefix}"));
    let (own, part) = dims.split_at_checked(ids.len()).ok_or_else(mismatch)?;
    if !own.iter().zip(ids).all(|(l, r)| l.merge(*r).is_ok()) {
        return Err(mismatch());
    }
    Inferred::one([Dim::from(count)].iter().chain(part).copied().collect::<PartialShape>())
}

fn unsorted_kernel(how: Segment) -> Box<dyn Kernel> {
    kernel(move |cx| {
        let count = count_of(integer(cx.input(2)?, "num_segments")?, "num_segments")?;
        Ok(kernels::unsorted_segment(cx.memory, cx.input(0)?, cx.input(1)?, count, how)?)
    })
}

/// Samples of the rows `[2, 5]`, `[9, 9]`, `[1, 1.5]`, `[3, 4]` in segments 0, none, 1 and 0.
fn unsorted_samples(of_two: [f32; 2]) -> Vec<Sample> {
    let x = || array([4, 2], [2.0_f32, 5.0, 9.0, 9.0, 1.0, 1.5, 3.0, 4.0]);
    let inputs = |first: i32, count: i32| [x(), Value::from([first, -1, 1, 0]), Value::from(count)];
    let y = array([2, 2], [of_two[0], of_two[1], 1.0, 1.5]);
    let square = [array([2, 2], [2.0_f32, 1.0, 1.5, 5.0]), array([2, 2], [0, 1, 2, 3]), 4.into()];
    vec![
        Sample::new(inputs(0, 2), y),
        Sample::new(square, Value::from([2.0_f32, 1.0, 1.5, 5.0])),
        Sample::error(inputs(2, 2), "index 2"),
        Sample::error(inputs(0, -1), "must not be negative, but is -1"),
        Sample::error([x(), Value::from([0, 1]), Value::from(2)], "[2]"),
    ]
}

/// The sums of rows by segment.
pub static UNSORTED_SEGMENT_SUM: OpDef =
    unsorted("UnsortedSegmentSum", "The sums of rows by segment.")
        .gradient(|cx| Ok(grads([Some(gather_or_zero(cx.grad(), cx.input(1))), None, None])))
        .kernel(|_| Ok(unsorted_kernel(Segment::Sum)))
        .samples(|| unsorted_samples([5.0, 9.0]));

/// The products of rows by segment.
pub static UNSORTED_SEGMENT_PROD: OpDef =
    unsorted("UnsortedSegmentProd", "The products of rows by segment.")
        .gradient(|cx| {
            let (x, ids): (Tensor, Tensor) = (cx.input(0), cx.input(1));
            let others = product_of_other_rows(x, Rows { ids, count: cx.input(2) });
            Ok(grads([Some(others * gather_or_zero(cx.grad(), ids)), None, None]))
        })
        .kernel(|_| Ok(unsorted_kernel(Segment::Prod)))
        .samples(|| {
            let x = Value::from([0.0_f32, 2.0, 3.0, 0.0, 0.0, 5.0]);
            let with_zeros = [x, Value::from([0, 1, -1, 1, 0, 0]), 2.into()];
            let with_zeros = Sample::new(with_zeros, Value::from([0.0_f32; 2]));
            unsorted_samples([6.0, 20.0]).into_iter().chain([with_zeros]).collect()
        });

/// The smallest elements of rows by segment.
pub static UNSORTED_SEGMENT_MIN: OpDef =
    unsorted("UnsortedSegmentMin", "The smallest elements of rows by segment.")
        .attrs(const { &unsorted_attrs(Widening::Saturating) })
        .gradient(unsorted_extremum_gradient)
        .kernel(|_| Ok(unsorted_kernel(Segment::Min)))
        .samples(|| unsorted_samples([2.0, 4.0]));

/// The largest elements of rows by segment.
pub static UNSORTED_SEGMENT_MAX: OpDef =
    unsorted("UnsortedSegmentMax", "The largest elements of rows by segment.")
        .attrs(const { &unsorted_attrs(Widening::Saturating) })
        .gradient(unsorted_extremum_gradient)
        .kernel(|_| Ok(unsorted_kernel(Segment::Max)))
        .samples(|| unsorted_samples([3.0, 5.0]));

/// The gradient of an extremum: split evenly among all rows that attain it.
fn unsorted_extremum_gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let (x, ids, count): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.input(2));
    let is_extremum = equal(x, gather_or_zero(cx.output(0), ids));
    let belongs = is_member(ids, x);
    let chosen = cast(logical_and(is_extremum, belongs), cx.node().dtype(0));
    let equals = unsorted_segment_sum(chosen, ids, count);
    let share = cx.grad::<Tensor>() / maximum(equals, 1.0);
    Ok(grads([Some(chosen * gather_or_zero(share, ids)), None, None]))
}

/// The segment of each row, and zeros for rows that belong to none.
fn gather_or_zero(segments: Tensor, ids: Tensor) -> Tensor {
    let picked = gather(segments, maximum(ids, 0), 0);
    select(is_member(ids, picked), picked, zeros_like(picked))
}

/// For each element of `rows`, whether its row belongs to a segment.
fn is_member(ids: Tensor, rows: Tensor) -> Tensor {
    let own = shape(ids);
    let inner = rank(rows) - rank(ids);
    let ones =
        super::broadcast_to(Operand::from(1).to_tensor_beside(ids, "Const"), reshape(inner, [1]));
    let extents = super::concat([own, ones], 0);
    super::broadcast_to(reshape(greater_equal(ids, 0), extents), shape(rows))
}

macro_rules! segments {
    ($(
        $(#[doc = $doc:literal])*
        $function:ident = $op:ident, $alias:literal;
    )*) => {$(
        $(#[doc = $doc])*
        ///
        /// # Errors
        /// The number of segment numbers differs from the number of rows; a run fails if they do
        /// not ascend from 0.
        #[doc = example!($function(constant([0.5_f32, 2.0, 3.0]), [0, 0, 1]) => "[2]")]
        #[doc(alias = $alias)]
        #[track_caller]
        pub fn $function(x: impl Into<Operand>, segments: impl Into<Operand>) -> Tensor {
            let x = x.into().to_tensor();
            let segments = segments.into().to_tensor_beside(x, "segment_ids");
            tensor(NodeBuilder::new(&$op).input(x).input(segments))
        }
    )*};
}

segments! {
    /// The sums of the rows of `x` with equal numbers in `segments`, an ascending list: row `i` of
    /// the result is the sum of segment `i`. The sum of no rows is 0.
    segment_sum = SEGMENT_SUM, "SegmentSum";

    /// The means of the rows of each segment (see [`segment_sum`]). The mean of a segment without
    /// rows is 0.
    segment_mean = SEGMENT_MEAN, "SegmentMean";

    /// The products of the rows of each segment (see [`segment_sum`]). It is 1 for a segment
    /// without rows.
    segment_prod = SEGMENT_PROD, "SegmentProd";

    /// The smallest elements of the rows of each segment (see [`segment_sum`]). It is 0 for a
    /// segment without rows. The gradient is split evenly among equal elements.
    segment_min = SEGMENT_MIN, "SegmentMin";

    /// The largest elements of the rows of each segment (see [`segment_sum`]). It is 0 for a
    /// segment without rows. The gradient is split evenly among equal elements.
    segment_max = SEGMENT_MAX, "SegmentMax";
}

macro_rules! unsorted_segments {
    ($(
        $(#[doc = $doc:literal])*
        $function:ident = $op:ident, $alias:literal;
    )*) => {$(
        $(#[doc = $doc])*
        ///
        /// # Errors
        /// Shapes that do not fit; a run fails if a number is not below `count`.
        #[doc = example!($function(constant([0.5_f32, 2.0, 3.0]), [1, 0, 1], 2) => "[2]")]
        #[doc(alias = $alias)]
        #[track_caller]
        pub fn $function(
            x: impl Into<Operand>,
            segments: impl Into<Operand>,
            count: impl Into<Operand>,
        ) -> Tensor {
            let (x, segments, count) = (x.into().to_tensor(), segments.into(), count.into());
            composite(x.graph(), $alias, |full| {
                let node = NodeBuilder::new(&$op).exact_name(full).input(x);
                let node = node.input(segments.to_tensor_beside(x, "segment_ids"));
                tensor(node.input(count.to_tensor_beside(x, "num_segments")))
            })
        }
    )*};
}

unsorted_segments! {
    /// The sums of the rows of `x` with equal numbers in `segments`: row `i` of the `count` rows of
    /// the result is the sum of segment `i`. The axes of `segments` are the first axes of `x`; rows
    /// with negative numbers are ignored. The sum of no rows is 0.
    unsorted_segment_sum = UNSORTED_SEGMENT_SUM, "UnsortedSegmentSum";

    /// The products of the rows of each segment (see [`unsorted_segment_sum`]). It is 1 for a
    /// segment without rows.
    unsorted_segment_prod = UNSORTED_SEGMENT_PROD, "UnsortedSegmentProd";

    /// The smallest elements of the rows of each segment (see [`unsorted_segment_sum`]). It is the
    /// highest finite number for a segment without rows. The gradient is split evenly among equal
    /// elements.
    unsorted_segment_min = UNSORTED_SEGMENT_MIN, "UnsortedSegmentMin";

    /// The largest elements of the rows of each segment (see [`unsorted_segment_sum`]). It is the
    /// lowest finite number for a segment without rows. The gradient is split evenly among equal
    /// elements.
    unsorted_segment_max = UNSORTED_SEGMENT_MAX, "UnsortedSegmentMax";
}
