//! `MatMul`.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, GradCx, GradientError, Grads, Inferred, NodeBuilder, NodeView, OpDef, OpError,
    Sample,
};
use tidemill_kernels::matmul::Orientation;
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::batch_matmul::{BatchMatMul, batch_matmul_with};
use super::nn::bias_add;
use crate::family::grads;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::product::{Factors, Product};
use crate::{Operand, Tensor};

operations! {
    ops: OP;
    exports: MatMul, matmul, matmul_with, xw_plus_b;
}

/// The product of two matrices.
pub static OP: OpDef = OpDef::new("MatMul", "The product of two matrices.")
    .inputs(&[Arg::of("a", "T"), Arg::of("b", "T")])
    .outputs(&[Arg::of("product", "T")])
    .attrs(&[
        AttrDef::widened("T", DType::NUMBERS),
        AttrDef::bool("transpose_a", false),
        AttrDef::bool("transpose_b", false),
        // Hints for TensorFlow's own rewriting, without any other meaning.
        AttrDef::bool("grad_a", false),
        AttrDef::bool("grad_b", false),
    ])
    .infer(infer)
    .gradient(gradient)
    .kernel(|node| {
        let left = orientation(node.bool_attr("transpose_a")?);
        let right = orientation(node.bool_attr("transpose_b")?);
        Ok(Product::kernel(Factors::Matrices([left, right])))
    })
    .samples(samples);

fn samples() -> Vec<Sample> {
    let a = Value::from_vec([2, 3], vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let b = Value::from_vec([3, 2], vec![1.0_f32, 0.0, -1.0, 2.0, 0.5, 1.0]);
    let product = Value::from_vec([2, 2], vec![0.5_f32, 7.0, 2.0, 16.0]);
    let transposed = Value::from_vec([2, 3], vec![1.0_f32, -1.0, 0.5, 0.0, 2.0, 1.0]);
    let (Ok(a), Ok(b), Ok(product), Ok(b_transposed)) = (a, b, product, transposed) else {
        return Vec::new();
    };
    vec![
        Sample::new([a.clone(), b.clone()], product.clone()),
        Sample::new([a.clone(), b_transposed], product).attr("transpose_b", true),
        Sample::error([a.clone(), a.clone()], "3 columns on the left, 2 rows on the right"),
        Sample::error([a, Value::from([1.0_f32])], "`b` must have 2 axes"),
    ]
}

pub(super) fn orientation(transposed: bool) -> Orientation {
    if transposed { Orientation::Transposed } else { Orientation::Normal }
}

/// Rows and columns of input `i`, as they are multiplied.
pub(super) fn matrix(node: &NodeView<'_>, i: usize, transposed: bool) -> Result<[Dim; 2], OpError> {
    match (node.shape(i).dims(), transposed) {
        (None, _) => Ok([Dim::UNKNOWN; 2]),
        (Some(&[rows, columns]), false) => Ok([rows, columns]),
        (Some(&[columns, rows]), true) => Ok([rows, columns]),
        (Some(_), _) => {
            let (input, actual) = (["a", "b"][i], node.shape(i).clone());
            Err(OpError::Rank { input, expected: "2 axes", actual })
        }
    }
}

fn infer(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let left = matrix(node, 0, node.bool_attr("transpose_a")?)?;
    let right = matrix(node, 1, node.bool_attr("transpose_b")?)?;
    infer_product(left, right)
}

/// The shape of the product of matrices of these extents.
pub(super) fn infer_product(
    left: [Dim; 2],
    right: [Dim; 2],
) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    if let (Some(left_dim), Some(right_dim)) = (left[1].known(), right[0].known())
        && left_dim != right_dim
    {
        let [left, right] = [left, right].map(|dims| dims.into_iter().collect());
        return Err(OpError::InnerDimensions { left, right, left_dim, right_dim });
    }
    Inferred::one([left[0], right[1]].into_iter().collect::<PartialShape>())
}

fn gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let (a, b, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
    let transpose_a = cx.node().bool_attr("transpose_a")?;
    let transpose_b = cx.node().bool_attr("transpose_b")?;
    let product = |a, transpose_a, b, transpose_b| {
        Some(matmul_with(a, b, MatMul { transpose_a, transpose_b }))
    };
    Ok(grads(match (transpose_a, transpose_b) {
        (false, false) => [product(grad, false, b, true), product(a, true, grad, false)],
        (false, true) => [product(grad, false, b, false), product(grad, true, a, false)],
        (true, false) => [product(b, false, grad, true), product(a, false, grad, false)],
        (true, true) => [product(b, true, grad, true), product(grad, true, a, true)],
    }))
}

/// Options of [`matmul_with`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MatMul {
    /// Whether the left matrix is transposed first.
    pub transpose_a: bool,
    /// Whether the right matrix is transposed first.
    pub transpose_b: bool,
}

/// The product of the matrices `a`, of shape `[m, k]`, and `b`, of shape `[k, n]`. The result has
/// shape `[m, n]`. If one is known to have more axes, it is a batch of matrices, and the product is
/// that of [`batch_matmul`](super::batch_matmul::batch_matmul).
///
/// # Errors
/// Tensors that are not matrices of one type, or whose inner dimensions differ.
///
/// ```
/// use tidemill_ops::{matmul, placeholder};
/// let product = matmul(placeholder::<f32>([2, 3]), placeholder::<f32>([3, 4]));
/// assert_eq!(product.shape().to_string(), "[2, 4]");
/// ```
#[doc(alias = "MatMul")]
#[track_caller]
pub fn matmul(a: impl Into<Operand>, b: impl Into<Operand>) -> Tensor {
    matmul_with(a, b, MatMul::default())
}

/// The layer `x · weights + biases`, for `x` of shape `[batch, inputs]`, `weights` of shape
/// `[inputs, outputs]` and `biases` of shape `[outputs]`. The result has shape `[batch, outputs]`.
///
/// # Errors
/// As for [`matmul`] and [`bias_add`].
///
/// ```
/// use tidemill_ops::{placeholder, xw_plus_b};
/// let (x, w) = (placeholder::<f32>([2, 3]), placeholder::<f32>([3, 4]));
/// assert_eq!(xw_plus_b(x, w, placeholder::<f32>([4])).shape().to_string(), "[2, 4]");
/// ```
#[track_caller]
pub fn xw_plus_b(
    x: impl Into<Operand>,
    weights: impl Into<Operand>,
    biases: impl Into<Operand>,
) -> Tensor {
    let (x, weights, biases) = (x.into().to_tensor(), weights.into(), biases.into());
    composite(x.graph(), "xw_plus_b", |_| bias_add(matmul(x, weights), biases))
}

/// [`matmul`] of matrices that may be transposed first.
///
/// ```
/// use tidemill_ops::{MatMul, matmul_with, placeholder};
/// let (a, b) = (placeholder::<f32>([2, 3]), placeholder::<f32>([4, 3]));
/// let product = matmul_with(a, b, MatMul { transpose_a: false, transpose_b: true });
/// assert_eq!(product.shape().to_string(), "[2, 4]");
/// ```
#[track_caller]
pub fn matmul_with(a: impl Into<Operand>, b: impl Into<Operand>, options: MatMul) -> Tensor {
    let (a, b) = (a.into().to_tensor(), b.into().to_tensor());
    if [a, b].iter().any(|x| x.shape().rank().is_some_and(|rank| rank > 2)) {
        let (adj_x, adj_y) = (options.transpose_a, options.transpose_b);
        return batch_matmul_with(a, b, BatchMatMul { adj_x, adj_y });
    }
    let node = NodeBuilder::new(&OP).input(a).input(b);
    let node = node.attr("transpose_a", options.transpose_a);
    tensor(node.attr("transpose_b", options.transpose_b))
}
