//! `Prod`.

use tidemill_graph::{Elements, GradCx, GradientError, Grads, NodeBuilder, OpDef, Sample};
use tidemill_kernels::reduce as kernels;
use tidemill_value::{DType, Value};

use super::arithmetic::floor_mod;
use super::array::{
    TRANSPOSE, concat, gather, invert_permutation, list_diff, product_of_others, range, rank,
    reshape, shape, stack,
};
use super::cast::cast;
use super::division::{absorbing_mul, mul_no_nan};
use super::reduce::{Axes, reduce, reduce_kernel, reduction, samples, spread};
use crate::family::grads;
use crate::index::axes_of;
use crate::operand::tensor;
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    ops: PROD;
    exports: reduce_prod;
}

/// The product along some axes.
pub static PROD: OpDef = reduction("Prod", "The product along some axes.")
    .kernel(|node| reduce_kernel(node, kernels::prod))
    .gradient(gradient)
    .samples(|| {
        let with_zero = Value::from([2.0_f32, 0.0, 3.0]);
        let twice = Value::from([0.0_f32, 0.0, 3.0]);
        let at_zero =
            [with_zero, twice].map(|x| Sample::new([x, Value::from(0)], Value::from(0.0_f32)));
        samples([6.0, 120.0], 720.0).into_iter().chain(at_zero).collect()
    });

/// The gradient of an element is the product of the others, those before it times those after it,
/// so nothing is divided by elements that may be zero.
fn gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let (x, axes, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
    let grad = spread(grad, x, axes, cx.node().bool_attr("keep_dims")?);
    let rank = x.shape().rank();
    let known = cx.node().elements(1).and_then(Elements::known);
    let others = match rank.zip(known) {
        Some((rank, known)) => {
            let known = axes_of(&known, rank)?;
            let factors = others_along_each(x, axes, &known);
            factors.into_iter().reduce(|others, factor| absorbing_mul(factor, others))
        }
        None => Some(others_along(x, axes)),
    };
    let grad = others.map_or(grad, |others| mul_no_nan(others, grad));
    Ok(grads([Some(grad), None]))
}

/// Factors of the product of the other elements: those along the first axis, then the products of
/// lines of these along the next, and so on.
fn others_along_each(x: Tensor, axes: Tensor, known: &[usize]) -> Vec<Tensor> {
    let mut lines = x;
    let mut factors = Vec::new();
    for &axis in known {
        let axis = Operand::from(axis as i32).to_tensor_beside(axes, "axis");
        factors.push(product_of_others(lines, axis));
        let product = NodeBuilder::new(&PROD).input(lines).input(axis);
        lines = tensor(product.attr("keep_dims", true));
    }
    factors
}

/// The product of the other elements along axes that are known only in a run, which are joined into
/// a first one.
fn others_along(x: Tensor, axes: Tensor) -> Tensor {
    let extents = shape(x);
    let rank = rank(x);
    let axes = floor_mod(reshape(cast(axes, DType::I32), [-1]), rank);
    let kept = list_diff(range(0, rank, 1), axes).0;
    let order = concat([axes, kept], 0);
    let permuted = transposed(x, order);
    let count = reduce_prod(gather(extents, axes, 0), ..);
    let kept = reduce_prod(gather(extents, kept, 0), ..);
    let joined = reshape(permuted, stack([count, kept], 0));
    let others = product_of_others(joined, Operand::from(0).to_tensor_beside(x, "axis"));
    transposed(reshape(others, shape(permuted)), invert_permutation(order))
}

fn transposed(x: Tensor, permutation: Tensor) -> Tensor {
    tensor(NodeBuilder::new(&TRANSPOSE).input(x).input(permutation))
}

/// The product of `x` along `axes` (see [`reduce_sum`](super::reduce::reduce_sum)). The product of
/// no elements is 1. Integers wrap.
///
/// Its derivatives of any order are correct where elements are 0.
///
/// # Errors
/// An axis that does not exist, or that is named twice.
///
/// ```
/// use tidemill_ops::{constant, reduce_prod};
/// assert_eq!(reduce_prod(constant([[2.0_f32, 3.0]]), 1).shape().to_string(), "[1]");
/// ```
#[doc(alias = "Prod")]
#[track_caller]
pub fn reduce_prod(x: impl Into<Operand>, axes: impl Into<Axes>) -> Tensor {
    reduce(&PROD, x, axes)
}
