//! Linear recurrences, which express gradients of products of many elements. Their gradients are of
//! the same kind, so that products have derivatives of any order even at zeros.

use tidemill_graph::{
    Arg, Attr, AttrDef, AttrDefault, Fallible, Inferred, NodeBuilder, NodeView, OpDef, OpError,
    Sample,
};
use tidemill_kernels::recurrence::{self as kernels, Segments, Start};
use tidemill_value::{DType, Value};

use super::zeros_like;
use crate::Tensor;
use crate::family::grads;
use crate::index::{axis_of, check_rank, count_of, integer, known_integer};
use crate::kernel::kernel;
use crate::operand::tensor;
use crate::operations::operations;
use crate::ops::division::absorbing_mul;
use crate::sample::array;

operations! {
    ops: LINEAR_RECURRENCE, SEGMENT_RECURRENCE;
}

const INITIAL: AttrDef = AttrDef::float("initial", 0.0);
const REVERSE: AttrDef = AttrDef::bool("reverse", false);
const T: AttrDef = AttrDef::widened("T", DType::FLOATS);

/// The state before each step of a linear recurrence along an axis.
pub static LINEAR_RECURRENCE: OpDef = OpDef::new(
    "LinearRecurrence",
    "The state before each step of `s = b + a * s` along an axis; a step whose `a` is 0 forgets it.",
)
.inputs(&[Arg::of("a", "T"), Arg::of("b", "T"), Arg::of("axis", "Tidx")])
.outputs(&[Arg::of("out", "T")])
.attrs(
    const {
        &[
            INITIAL,
            REVERSE,
            T,
            AttrDef::types("Tidx", DType::INDICES).default(AttrDefault::Type(DType::I32)),
        ]
    },
)
.fallible(Fallible::Elements(&[2]))
.infer(|node| {
    check_rank(node, 2, 0, "no axes")?;
    let shape = node.shape(0).merge(node.shape(1))?;
    if let (Some(rank), Some(axis)) = (shape.rank(), known_integer(node, 2)) {
        axis_of(axis, rank)?;
    }
    Inferred::one(shape)
})
.gradient(|cx| {
    let (a, axis, states): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(2), cx.output(0));
    let of_step = linear_recurrence(a, cx.grad(), axis, back(cx.node())?);
    Ok(grads([Some(absorbing_mul(states, of_step)), Some(of_step), None]))
})
.kernel(|node| {
    let start = start(node)?;
    Ok(kernel(move |cx| {
        let (a, b) = (cx.input(0)?, cx.input(1)?);
        let axis = axis_of(integer(cx.input(2)?, "axis")?, a.shape().rank())?;
        Ok(kernels::recurrence(cx.memory, a, b, axis, start)?)
    }))
})
.samples(|| {
    let (a, b) = (|| array([1, 3], [2.0_f32, 0.0, 4.0]), || array([1, 3], [1.0_f32, -1.0, 0.5]));
    let empty = array([0, 3], Vec::<f32>::new());
    let sample = |y: [f32; 3]| Sample::new([a(), b(), Value::from(-1)], array([1, 3], y));
    vec![
        sample([0.0, 1.0, -1.0]),
        sample([-1.0, 0.5, 0.0]).attr("reverse", true),
        sample([1.0, 3.0, -1.0]).attr("initial", Attr::Float(1.0)),
        Sample::new([empty.clone(), empty.clone(), Value::from(0)], empty.clone()),
        Sample::error([a(), b(), Value::from(2)], "axis 2"),
        Sample::error([a(), empty, Value::from(0)], "contradict"),
    ]
});

fn start(node: &NodeView<'_>) -> Result<Start, OpError> {
    Ok(Start { initial: node.float_attr("initial")?, reverse: node.bool_attr("reverse")? })
}

/// The start of the recurrence of a gradient: the other end.
fn back(node: &NodeView<'_>) -> Result<Start, OpError> {
    Ok(Start { initial: 0.0, reverse: !node.bool_attr("reverse")? })
}

/// The initial states of the products before and after an element.
const BOTH_ENDS: [Start; 2] =
    [Start { initial: 1.0, reverse: false }, Start { initial: 1.0, reverse: true }];

/// The state before each step of `s = b + a * s` along an axis.
#[track_caller]
pub(super) fn linear_recurrence(a: Tensor, b: Tensor, axis: Tensor, start: Start) -> Tensor {
    let node = NodeBuilder::new(&LINEAR_RECURRENCE).input(a).input(b).input(axis);
    tensor(node.attr("initial", Attr::Float(start.initial)).attr("reverse", start.reverse))
}

/// For each element, the product of the others along an axis.
#[track_caller]
pub(crate) fn product_of_others(x: Tensor, axis: Tensor) -> Tensor {
    let zeros = zeros_like(x);
    let [before, behind] = BOTH_ENDS.map(|start| linear_recurrence(x, zeros, axis, start));
    absorbing_mul(behind, before)
}

/// The state before each row of linear recurrences, one for each segment of rows.
pub static SEGMENT_RECURRENCE: OpDef = OpDef::new(
    "SegmentRecurrence",
    "The state before each row of `s = b + a * s`, where each segment of rows has its own; a row \
     whose `a` is 0 forgets it.",
)
.inputs(
    const {
        &[
            Arg::of("a", "T"),
            Arg::of("b", "T"),
            Arg::of("segment_ids", "Tindices"),
            Arg::of("num_segments", "Tnumsegments"),
        ]
    },
)
.outputs(&[Arg::of("out", "T")])
.attrs(
    const {
        &[
            INITIAL,
            REVERSE,
            T,
            AttrDef::types("Tindices", DType::INDICES),
            AttrDef::types("Tnumsegments", DType::INDICES).default(AttrDefault::Type(DType::I32)),
        ]
    },
)
.fallible(Fallible::Values)
.infer(|node| {
    check_rank(node, 3, 0, "no axes")?;
    let shape = node.shape(0).merge(node.shape(1))?;
    // The identifiers are those of slices along the first axes.
    if let (Some(dims), Some(rank)) = (shape.dims(), node.shape(2).rank()) {
        node.shape(2).merge(&dims.iter().take(rank).copied().collect())?;
    }
    Inferred::one(shape)
})
.gradient(|cx| {
    let (a, states): (Tensor, Tensor) = (cx.input(0), cx.output(0));
    let rows = Rows { ids: cx.input(2), count: cx.input(3) };
    let of_step = segment_recurrence(a, cx.grad(), rows, back(cx.node())?);
    Ok(grads([Some(absorbing_mul(states, of_step)), Some(of_step), None, None]))
})
.kernel(|node| {
    let start = start(node)?;
    Ok(kernel(move |cx| {
        let (a, b, ids) = (cx.input(0)?, cx.input(1)?, cx.input(2)?);
        let count = count_of(integer(cx.input(3)?, "num_segments")?, "num_segments")?;
        Ok(kernels::segment_recurrence(cx.memory, a, b, Segments { ids, count }, start)?)
    }))
})
.samples(|| {
    let a = || array([4, 1], [2.0_f32, 3.0, 0.0, 5.0]);
    let b = || array([4, 1], [1.0_f32, -1.0, 0.5, 4.0]);
    let inputs = |last: i32| [a(), b(), Value::from([0, -1, 1, last]), Value::from(2)];
    let sample = |last: i32, y: [f32; 4]| Sample::new(inputs(last), array([4, 1], y));
    vec![
        sample(0, [0.0, 0.0, 0.0, 1.0]),
        sample(1, [1.0, 1.0, 1.0, 0.5]).attr("initial", Attr::Float(1.0)),
        sample(0, [4.0, 0.0, 0.0, 0.0]).attr("reverse", true),
        Sample::error(inputs(2), "index 2"),
        Sample::error([a(), b(), Value::from([0, 1]), Value::from(2)], "[2]"),
    ]
});

/// The segment of each row, and the number of segments.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub(super) ids: Tensor,
    pub(super) count: Tensor,
}

#[track_caller]
fn segment_recurrence(a: Tensor, b: Tensor, rows: Rows, start: Start) -> Tensor {
    let node = NodeBuilder::new(&SEGMENT_RECURRENCE).input(a).input(b);
    let node = node.input(rows.ids).input(rows.count);
    tensor(node.attr("initial", Attr::Float(start.initial)).attr("reverse", start.reverse))
}

/// For each row, the product of the other rows of its segment.
#[track_caller]
pub(super) fn product_of_other_rows(x: Tensor, rows: Rows) -> Tensor {
    let zeros = zeros_like(x);
    let [before, behind] = BOTH_ENDS.map(|start| segment_recurrence(x, zeros, rows, start));
    absorbing_mul(behind, before)
}
