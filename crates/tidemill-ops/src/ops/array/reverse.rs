//! `ReverseV2` and `ReverseSequence`.

use tidemill_graph::{
    Arg, AttrDef, AttrDefault, AttrKind, Fallible, Inferred, NodeBuilder, NodeView, OpDef, OpError,
    Sample,
};
use tidemill_kernels::layout;
use tidemill_value::{DType, Value};

use crate::family::grads;
use crate::index::{axes_of, axis_of, check_rank, integers, known_integers};
use crate::kernel::kernel;
use crate::operand::{indexed, tensor};
use crate::operations::operations;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops: REVERSE, REVERSE_SEQUENCE;
    exports: reverse, reverse_sequence;
}

/// A tensor reversed along some axes.
pub static REVERSE: OpDef = OpDef::new("ReverseV2", "A tensor reversed along some axes.")
    .inputs(&[Arg::of("tensor", "T"), Arg::of("axis", "Tidx")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(&[
        AttrDef::types("T", DType::ALL),
        AttrDef::types("Tidx", DType::INDICES).default(AttrDefault::Type(DType::I32)),
    ])
    .fallible(Fallible::Elements(&[1]))
    .infer(|node| {
        check_rank(node, 1, 1, "1 axis")?;
        if let (Some(rank), Some(axes)) = (node.shape(0).rank(), known_integers(node, 1)) {
            axes_of(&axes, rank)?;
        }
        Inferred::one(node.shape(0))
    })
    .gradient(|cx| Ok(grads([Some(reverse(cx.grad::<Tensor>(), cx.input::<Tensor>(1))), None])))
    .kernel(|_| {
        Ok(kernel(|cx| {
            let x = cx.input(0)?;
            let axes = axes_of(&integers(cx.input(1)?)?, x.shape().rank())?;
            Ok(layout::reverse(cx.memory, x, &axes)?)
        }))
    })
    .samples(|| {
        let x = || array([2, 2], [1.0_f32, 2.0, 3.0, 4.0]);
        let sample = |axes: &[i32], y: [f32; 4]| {
            Sample::new([x(), Value::list(axes.to_vec())], array([2, 2], y))
        };
        vec![
            sample(&[-1], [2.0, 1.0, 4.0, 3.0]),
            sample(&[0, 1], [4.0, 3.0, 2.0, 1.0]),
            sample(&[], [1.0, 2.0, 3.0, 4.0]),
            Sample::error([x(), Value::from([2])], "axis 2"),
            Sample::error([x(), Value::from([1, -1])], "given twice"),
        ]
    });

/// Sequences of different lengths, each reversed over its own length.
pub static REVERSE_SEQUENCE: OpDef = OpDef::new(
    "ReverseSequence",
    "Sequences of different lengths, each reversed over its own length.",
)
.inputs(&[Arg::of("input", "T"), Arg::of("seq_lengths", "Tlen")])
.outputs(&[Arg::of("output", "T")])
.attrs(&[
    AttrDef::types("T", DType::ALL),
    AttrDef::types("Tlen", DType::INDICES).default(AttrDefault::Type(DType::I64)),
    AttrDef::new("seq_dim", AttrKind::Int),
    AttrDef::int("batch_dim", 0),
])
.fallible(Fallible::Values)
.infer(|node| {
    check_rank(node, 1, 1, "1 axis")?;
    if let Some(dims) = node.shape(0).dims() {
        let (_, batch) = sequence_axes(node, dims.len())?;
        if let Some(&[lengths]) = node.shape(1).dims() {
            dims[batch].merge(lengths)?;
        }
    }
    Inferred::one(node.shape(0))
})
.gradient(|cx| {
    let node = NodeBuilder::new(&REVERSE_SEQUENCE).input(cx.grad::<Tensor>());
    let node = node.input(cx.input::<Tensor>(1));
    let node = node.attr("seq_dim", cx.node().int_attr("seq_dim")?);
    Ok(grads([Some(tensor(node.attr("batch_dim", cx.node().int_attr("batch_dim")?))), None]))
})
.kernel(|node| {
    let axes = (node.int_attr("seq_dim")?, node.int_attr("batch_dim")?);
    Ok(kernel(move |cx| {
        let x = cx.input(0)?;
        let rank = x.shape().rank();
        let (sequence, batch) = (positive_axis(axes.0, rank)?, positive_axis(axes.1, rank)?);
        Ok(layout::reverse_sequence(cx.memory, x, &integers(cx.input(1)?)?, sequence, batch)?)
    }))
})
.samples(|| {
    let x = || array([2, 3], [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let sample = |lengths: &[i64], y: [f32; 6]| {
        Sample::new([x(), Value::list(lengths.to_vec())], array([2, 3], y))
    };
    let wrong = |lengths: &[i64], message| {
        Sample::error([x(), Value::list(lengths.to_vec())], message).attr("seq_dim", 1_i64)
    };
    vec![
        sample(&[2, 3], [2.0, 1.0, 3.0, 6.0, 5.0, 4.0]).attr("seq_dim", 1_i64),
        sample(&[1, 2, 0], [1.0, 5.0, 3.0, 4.0, 2.0, 6.0])
            .attr("seq_dim", 0_i64)
            .attr("batch_dim", 1_i64),
        wrong(&[4, 0], "index 4"),
        wrong(&[1, 1, 1], "contradict"),
        Sample::error([x(), Value::from([1_i64, 1])], "axis 0 is given twice")
            .attr("seq_dim", 0_i64),
    ]
});

/// The axes of the sequences and of the batch.
fn sequence_axes(node: &NodeView<'_>, rank: usize) -> Result<(usize, usize), OpError> {
    let sequence = positive_axis(node.int_attr("seq_dim")?, rank)?;
    let batch = positive_axis(node.int_attr("batch_dim")?, rank)?;
    if sequence == batch {
        return Err(OpError::DuplicateAxis { axis: batch as i64 });
    }
    Ok((sequence, batch))
}

/// An axis that TensorFlow does not count from the end.
fn positive_axis(axis: i64, rank: usize) -> Result<usize, OpError> {
    if axis < 0 { Err(OpError::Axis { axis, rank }) } else { axis_of(axis, rank) }
}

/// `x` reversed along `axes`, a list of numbers or an integer tensor.
///
/// ```
/// use tidemill_ops::{constant, reverse};
/// assert_eq!(reverse(constant([[1, 2], [3, 4]]), [-1]).shape().to_string(), "[2, 2]");
/// ```
///
/// Its gradient is reversed too.
///
/// # Errors
/// An axis that does not exist, or that is named twice.
#[doc(alias = "ReverseV2")]
#[track_caller]
pub fn reverse(x: impl Into<Operand>, axes: impl Into<Operand>) -> Tensor {
    let x = x.into().to_tensor();
    indexed(&REVERSE, "ReverseV2", x, ("axis", axes.into()), |node| node)
}

/// `x` with the first `lengths[i]` elements along the axis `sequence_axis` reversed, for each
/// element `i` of the axis `batch_axis`.
///
/// Its gradient is reversed too.
///
/// # Errors
/// Axes that do not exist, or that are equal; a run fails if a length is out of range.
///
/// ```
/// use tidemill_ops::{constant, placeholder, reverse_sequence};
/// let x = reverse_sequence(placeholder::<f32>([2, 5]), constant([3, 4]), 1, 0);
/// assert_eq!(x.shape().to_string(), "[2, 5]");
/// ```
#[doc(alias = "ReverseSequence")]
#[track_caller]
pub fn reverse_sequence(
    x: impl Into<Operand>,
    lengths: impl Into<Operand>,
    sequence_axis: i64,
    batch_axis: i64,
) -> Tensor {
    let x = x.into().to_tensor();
    indexed(&REVERSE_SEQUENCE, "ReverseSequence", x, ("seq_lengths", lengths.into()), |node| {
        node.attr("seq_dim", sequence_axis).attr("batch_dim", batch_axis)
    })
}
