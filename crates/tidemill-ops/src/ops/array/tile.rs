//! `Tile`.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, Fallible, GradCx, GradientError, Grads, Inferred, NodeView, OpDef, OpError,
    Sample,
};
use tidemill_kernels::layout;
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::{range, reshape, shape_as, size, stack};
use crate::family::grads;
use crate::index::{check_rank, count_of, integers};
use crate::kernel::kernel;
use crate::operand::indexed;
use crate::operations::operations;
use crate::ops::reduce::reduce_sum;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops: TILE;
    exports: tile;
}

/// A tensor repeated along its axes.
pub static TILE: OpDef = OpDef::new("Tile", "A tensor repeated along its axes.")
    .inputs(&[Arg::of("input", "T"), Arg::of("multiples", "Tmultiples")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(&[AttrDef::types("T", DType::ALL), AttrDef::types("Tmultiples", DType::INDICES)])
    .fallible(Fallible::Elements(&[1]))
    .infer(infer)
    .gradient(gradient)
    .kernel(|_| {
        Ok(kernel(|cx| {
            let multiples = integers(cx.input(1)?)?;
            let multiples: Result<SmallVec<[usize; 4]>, OpError> =
                multiples.into_iter().map(|times| count_of(times, "multiples")).collect();
            Ok(layout::tile(cx.memory, cx.input(0)?, &multiples?)?)
        }))
    })
    .samples(|| {
        let x = || array([1, 2], [1.0_f32, 2.0]);
        let sample = |multiples: [i32; 2], y| Sample::new([x(), Value::from(multiples)], y);
        vec![
            sample([2, 2], array([2, 4], [1.0_f32, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0])),
            sample([1, 1], x()),
            sample([0, 1], array([0, 2], Vec::<f32>::new())),
            Sample::error([x(), Value::from([1, -1])], "must not be negative, but is -1"),
            Sample::error([x(), Value::from([1])], "1 multiples are given for 2 axes"),
        ]
    });

fn infer(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    check_rank(node, 1, 1, "1 axis")?;
    let Some(rank) = node.shape(0).rank().or_else(|| node.shape(1).elements()) else {
        return Inferred::one(PartialShape::unknown());
    };
    if let Some(multiples) = node.shape(1).elements().filter(|multiples| *multiples != rank) {
        let message = format!("{multiples} multiples are given for {rank} axes");
        return Err(OpError::shape("multiples", message));
    }
    let unknown = PartialShape::of_rank(rank);
    let dims = node.shape(0).dims().or(unknown.dims()).unwrap_or_default();
    let mut shape = Vec::with_capacity(rank);
    for (axis, dim) in dims.iter().enumerate() {
        let times = node.elements(1).and_then(|elements| elements.get(axis).copied().flatten());
        let times = times.map(|times| count_of(times, "multiples")).transpose()?;
        let extent = dim.known().zip(times).and_then(|(dim, times)| dim.checked_mul(times));
        shape.push(Dim::from(extent));
    }
    Inferred::one(shape.into_iter().collect::<PartialShape>())
}

/// The sum over the copies: each axis is cut in two, and the one that counts copies is summed over.
fn gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let (x, multiples): (Tensor, Tensor) = (cx.input(0), cx.input(1));
    let own = shape_as(x, cx.node().dtype(1));
    let cut = reshape(stack([multiples, own], 1), [-1]);
    let copies = range(0, size(cut), 2);
    let sum = reduce_sum(reshape(cx.grad::<Tensor>(), cut), copies);
    Ok(grads([Some(reshape(sum, own)), None]))
}

/// `x` repeated `multiples[i]` times along each axis `i`. The multiples are a list of numbers, or
/// an integer tensor.
///
/// ```
/// use tidemill_ops::{constant, tile};
/// assert_eq!(tile(constant([[1, 2]]), [3, 2]).shape().to_string(), "[3, 4]");
/// ```
///
/// Its gradient is the sum over the copies.
///
/// # Errors
/// Negative multiples, or not one for each axis.
#[doc(alias = "Tile")]
#[track_caller]
pub fn tile(x: impl Into<Operand>, multiples: impl Into<Operand>) -> Tensor {
    let x = x.into().to_tensor();
    indexed(&TILE, "Tile", x, ("multiples", multiples.into()), |node| node)
}
