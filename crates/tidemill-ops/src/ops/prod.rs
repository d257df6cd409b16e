//! `Prod`.

use tidemill_graph::{GradCx, GradientError, Grads, NodeBuilder, OpDef, Sample};
use tidemill_kernels::reduce as kernels;
use tidemill_value::Value;

use super::array::{ones_like, zeros_like};
use super::cast::cast;
use super::compare::equal;
use super::reduce::{Axes, SUM, reduce, reduce_kernel, reduction, samples, spread};
use super::select::select;
use crate::family::grads;
use crate::operand::tensor;
use crate::{Operand, Tensor};

/// The product along some axes.
pub static PROD: OpDef = reduction("Prod", "The product along some axes.")
    .kernel(|node| reduce_kernel(node, kernels::prod))
    .gradient(gradient)
    .samples(|| {
        let with_zero = Value::from([2.0_f32, 0.0, 3.0]);
        let twice = Value::from([0.0_f32, 0.0, 3.0]);
        // Its second derivative is not that of finite differences at zeros.
        let at_zero = [with_zero, twice]
            .map(|x| Sample::new([x, Value::from(0)], Value::from(0.0_f32)).at_kink());
        samples([6.0, 120.0], 720.0).into_iter().chain(at_zero).collect()
    });

/// The gradient of an element is the product of the others. It is what division by the element
/// gives, once zeros are left out and counted.
fn gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let (x, axes, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
    let keeps = cx.node().bool_attr("keep_dims")?;
    let along = |op, x| tensor(NodeBuilder::new(op).input(x).input(axes).attr("keep_dims", true));
    let is_zero = equal(x, 0.0);
    let nonzero = select(is_zero, ones_like(x), x);
    let zero = cast(is_zero, cx.node().dtype(0));
    let has_no_other = equal(along(&SUM, zero), zero);
    let others = select(has_no_other, along(&PROD, nonzero) / nonzero, zeros_like(x));
    Ok(grads([Some(spread(grad, x, axes, keeps) * others), None]))
}

/// The product of `x` along `axes` (see [`reduce_sum`](super::reduce::reduce_sum)). The product of
/// no elements is 1. Integers wrap. Its gradient is correct where elements are 0, but the second
/// gradient is not.
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
