//! Dropout.

use tidemill_graph::{BuildErrorKind, NodeBuilder, OpError, TensorRef, default_graph, fail};
use tidemill_value::{DType, PartialShape};

use super::array::{shape, shape_tensor, zeros_like};
use super::compare::greater_equal;
use super::random::{RANDOM_UNIFORM, seeds};
use super::select::select;
use crate::operand::{composite, tensor};
use crate::{Operand, Tensor};

/// Sets about the fraction `rate` of the elements of `x` to 0, drawn again in every run, and
/// divides the others by `1 - rate`, which preserves the expected value (Srivastava et al., 2014).
///
/// `noise_shape` is a shape that broadcasts to that of `x`: along its axes of length 1, elements
/// are kept or dropped together. If it is unknown, each element is kept or dropped independently.
///
/// # Errors
/// An `x` that is not of floats. `rate` must be at least 0 and below 1.
///
/// ```
/// use tidemill_ops::{dropout, placeholder};
/// use tidemill_value::PartialShape;
/// let x = placeholder::<f32>([7, 3]);
/// assert_eq!(dropout(x, 0.5, PartialShape::unknown(), None).shape().to_string(), "[7, 3]");
/// ```
#[track_caller]
pub fn dropout(
    x: impl Into<Operand>,
    rate: f64,
    noise_shape: impl Into<PartialShape>,
    seed: Option<i64>,
) -> Tensor {
    let x = x.into().to_tensor();
    if !(0.0..1.0).contains(&rate) {
        return invalid_rate(x, rate);
    }
    if rate == 0.0 || x.is_invalid() {
        return x;
    }
    let known = noise_shape.into().known().or_else(|| x.shape().known());
    let graph = x.graph().unwrap_or_else(default_graph);
    composite(Some(graph.clone()), "dropout", |_| {
        let shape = match known {
            Some(known) => Operand::from(shape_tensor(&known)).to_tensor_like(x, "shape"),
            None => shape(x),
        };
        let seeds = seeds(&graph, seed);
        let uniform = NodeBuilder::new(&RANDOM_UNIFORM).input(shape);
        let uniform = uniform.attr("dtype", x.dtype().unwrap_or(DType::F32));
        let uniform = tensor(uniform.attr("seed", seeds.seed).attr("seed2", seeds.seed2));
        let scaled = x * (1.0 / (1.0 - rate));
        select(greater_equal(uniform, rate), scaled, zeros_like(scaled))
    })
}

#[track_caller]
fn invalid_rate(x: Tensor, rate: f64) -> Tensor {
    let message = format!("the rate of dropout must be at least 0 and below 1, but is {rate}");
    let kind = BuildErrorKind::Op(OpError::attr("rate", message));
    let graph = TensorRef::from(x).graph();
    fail(Some(graph), "dropout", kind, Vec::new()).output(0).into()
}
