//! `BatchMatMul` and `BatchMatMulV2`.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, GradCx, GradientError, Grads, Inferred, NodeBuilder, NodeView, OpDef, OpError,
    Sample,
};
use tidemill_kernels::matmul::{self as kernels, Orientation};
use tidemill_value::{DType, PartialShape, Value, ValueError};

use super::batch::{matrices, sum_stretched, with_matrix};
use crate::family::grads;
use crate::kernel::kernel;
use crate::operand::tensor;
use crate::operations::operations;
use crate::product::{Factors, Product};
use crate::{Operand, Tensor};

operations! {
    ops: BATCH_MATMUL, BATCH_MATMUL_V2;
    exports: BatchMatMul, batch_matmul, batch_matmul_with;
}

const fn product(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .inputs(const { &[Arg::of("x", "T"), Arg::of("y", "T")] })
        .outputs(const { &[Arg::of("output", "T")] })
        .attrs(
            const {
                &[
                    AttrDef::widened("T", DType::NUMBERS),
                    AttrDef::bool("adj_x", false),
                    AttrDef::bool("adj_y", false),
                    // Hints that TensorFlow's gradients give to its compilers.
                    AttrDef::bool("grad_x", false),
                    AttrDef::bool("grad_y", false),
                ]
            },
        )
        .gradient(gradient)
}

/// The products of two batches of matrices of equal shape.
pub static BATCH_MATMUL: OpDef =
    product("BatchMatMul", "The products of two batches of matrices of equal shape.")
        .infer(|node| infer(node, PartialShape::merge))
        .kernel(|node| {
            let [left, right] = orientations(node)?;
            Ok(kernel(move |cx| {
                let (x, y) = (cx.input(0)?, cx.input(1)?);
                let [of_x, of_y] =
                    [x, y].map(|x| x.shape().split_last_chunk::<2>().map(|(batch, _)| batch));
                if of_x != of_y {
                    let (left, right) = (x.shape().into(), y.shape().into());
                    return Err(ValueError::Incompatible { left, right }.into());
                }
                Ok(kernels::batch_matmul(cx.memory, (x, left), (y, right))?)
            }))
        })
        .samples(samples);

/// The products of two batches of matrices, which broadcast.
pub static BATCH_MATMUL_V2: OpDef =
    product("BatchMatMulV2", "The products of two batches of matrices, which broadcast.")
        .infer(|node| infer(node, |x, y| x.broadcast(y).map_err(OpError::from)))
        .kernel(|node| Ok(Product::kernel(Factors::Batches(orientations(node)?))))
        .samples(|| {
            let mut samples = samples();
            let x = Value::from([1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
            let y = Value::from([1.0_f32, 0.0, -1.0, 2.0]);
            let products = Value::from([-1.0_f32, 4.0, -1.0, 8.0, -1.0, 12.0, -1.0, 16.0]);
            if let (Ok(x), Ok(y), Ok(xy)) =
                (x.reshape([2, 1, 2, 2]), y.reshape([2, 2]), products.reshape([2, 1, 2, 2]))
            {
                samples.push(Sample::new([x.clone(), y], xy));
                let other = Value::zeros(DType::F32, [3, 2, 2]);
                samples.extend(other.map(|other| Sample::shapes([x, other])));
            }
            samples
        });

fn samples() -> Vec<Sample> {
    let value = |shape: [usize; 3], elements: Vec<f32>| Value::from_vec(shape, elements);
    let (Ok(x), Ok(y), Ok(xy), Ok(yx), Ok(empty)) = (
        value([2, 1, 2], vec![1.0, 2.0, 3.0, 4.0]),
        value([2, 2, 1], vec![1.0, -1.0, 0.5, 2.0]),
        value([2, 1, 1], vec![-1.0, 9.5]),
        value([2, 2, 2], vec![1.0, -1.0, 2.0, -2.0, 1.5, 6.0, 2.0, 8.0]),
        value([0, 1, 2], Vec::new()),
    ) else {
        return Vec::new();
    };
    let nothing = Value::from_vec([0, 1, 1], Vec::<f32>::new());
    let none = nothing.map(|nothing| Sample::new([empty.clone(), empty], nothing));
    let none = none.map(|sample| sample.attr("adj_y", true));
    let flipped = Sample::new([x.clone(), y.clone()], yx).attr("adj_x", true);
    let mut samples = vec![
        Sample::new([x.clone(), y.clone()], xy),
        flipped.attr("adj_y", true),
        Sample::error([x.clone(), x.clone()], "2 columns on the left, 1 rows on the right"),
        Sample::error([x, Value::from([1.0_f32])], "`y` must have at least 2 axes"),
    ];
    samples.extend(none);
    samples
}

fn orientations(node: &NodeView<'_>) -> Result<[Orientation; 2], OpError> {
    let orientation = |adjoint| if adjoint { Orientation::Transposed } else { Orientation::Normal };
    Ok([orientation(node.bool_attr("adj_x")?), orientation(node.bool_attr("adj_y")?)])
}

fn infer<E: Into<OpError>>(
    node: &NodeView<'_>,
    combine: fn(&PartialShape, &PartialShape) -> Result<PartialShape, E>,
) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let adjoint = [node.bool_attr("adj_x")?, node.bool_attr("adj_y")?];
    let (Some((left_batch, mut left)), Some((right_batch, mut right))) =
        (matrices(node, 0)?, matrices(node, 1)?)
    else {
        return Inferred::one(PartialShape::unknown());
    };
    for (matrix, adjoint) in [(&mut left, adjoint[0]), (&mut right, adjoint[1])] {
        if adjoint {
            matrix.reverse();
        }
    }
    if let (Some(left_dim), Some(right_dim)) = (left[1].known(), right[0].known())
        && left_dim != right_dim
    {
        let [left, right] = [left, right].map(|dims| dims.into_iter().collect());
        return Err(OpError::InnerDimensions { left, right, left_dim, right_dim });
    }
    let batch = combine(&left_batch.into(), &right_batch.into()).map_err(Into::into)?;
    Inferred::one(with_matrix(&batch, [left[0], right[1]]))
}

fn gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let (x, y, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
    let adj_x = cx.node().bool_attr("adj_x")?;
    let adj_y = cx.node().bool_attr("adj_y")?;
    let product = |a, adj_x, b, adj_y| batch_matmul_with(a, b, BatchMatMul { adj_x, adj_y });
    let [of_x, of_y] = match (adj_x, adj_y) {
        (false, false) => [product(grad, false, y, true), product(x, true, grad, false)],
        (false, true) => [product(grad, false, y, false), product(grad, true, x, false)],
        (true, false) => [product(y, false, grad, true), product(x, false, grad, false)],
        (true, true) => [product(y, true, grad, true), product(grad, true, x, true)],
    };
    Ok(grads([Some(sum_stretched(of_x, x, 0, 2)), Some(sum_stretched(of_y, y, 0, 2))]))
}

/// Options of [`batch_matmul_with`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BatchMatMul {
    /// Whether the left matrices are transposed first.
    pub adj_x: bool,
    /// Whether the right matrices are transposed first.
    pub adj_y: bool,
}

/// The products of the matrices in the last two axes of `x`, of shape `[.., m, k]`, and of `y`, of
/// shape `[.., k, n]`. The result has shape `[.., m, n]`. The other axes broadcast.
///
/// # Errors
/// Tensors of fewer than two axes or of two types, inner dimensions that differ, and other axes
/// that do not broadcast.
///
/// ```
/// use tidemill_ops::{batch_matmul, placeholder};
/// let (x, y) = (placeholder::<f32>([7, 2, 3]), placeholder::<f32>([3, 4]));
/// assert_eq!(batch_matmul(x, y).shape().to_string(), "[7, 2, 4]");
/// ```
#[doc(alias = "BatchMatMulV2")]
#[track_caller]
pub fn batch_matmul(x: impl Into<Operand>, y: impl Into<Operand>) -> Tensor {
    batch_matmul_with(x, y, BatchMatMul::default())
}

/// [`batch_matmul`] with optional transposes of the matrices.
///
/// ```
/// use tidemill_ops::{BatchMatMul, batch_matmul_with, placeholder};
/// let (x, y) = (placeholder::<f32>([5, 2, 3]), placeholder::<f32>([5, 4, 3]));
/// let product = batch_matmul_with(x, y, BatchMatMul { adj_x: false, adj_y: true });
/// assert_eq!(product.shape().to_string(), "[5, 2, 4]");
/// ```
#[track_caller]
pub fn batch_matmul_with(
    x: impl Into<Operand>,
    y: impl Into<Operand>,
    options: BatchMatMul,
) -> Tensor {
    let (x, y) = (x.into().to_tensor(), y.into().to_tensor());
    let node = NodeBuilder::new(&BATCH_MATMUL_V2).name("MatMul").input(x).input(y);
    tensor(node.attr("adj_x", options.adj_x).attr("adj_y", options.adj_y))
}
