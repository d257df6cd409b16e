//! Dropout.

use tidemill_graph::{BuildErrorKind, NodeBuilder, OpError, TensorRef, default_graph, fail};
use tidemill_value::{DType, PartialShape, Scalar};

use super::array::{shape, shape_tensor, zeros_like};
use super::compare::{greater_equal, less, logical_and};
use super::control::with_dependencies;
use super::debug::assert;
use super::random::{RANDOM_UNIFORM, seeds};
use super::select::select;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    exports: dropout;
}

/// Sets about the fraction `rate` of the elements of `x` to 0, drawn again in every run, and
/// divides the others by `1 - rate`, which preserves the expected value (Srivastava et al., 2014).
///
/// `rate` is a number, or a tensor of the type of `x` and of shape `[]`, such as a placeholder with
/// a default of 0 that only training feeds.
///
/// `noise_shape` is a shape that broadcasts to that of `x`: along its axes of extent 1, elements
/// are kept or dropped together. If it is unknown, each element is dropped independently.
///
/// # Errors
/// `x` is not float. `rate` must be at least 0 and below 1; if a tensor is not, the run fails.
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
    rate: impl Into<Operand>,
    noise_shape: impl Into<PartialShape>,
    seed: Option<i64>,
) -> Tensor {
    let (x, rate) = (x.into().to_tensor(), rate.into());
    match known_rate(&rate) {
        Some(rate) if !(0.0..1.0).contains(&rate) => return invalid_rate(x, rate),
        Some(0.0) => return x,
        _ if x.is_invalid() => return x,
        _ => {}
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
        let (rate, scale) = match known_rate(&rate) {
            Some(rate) => (rate.into(), (1.0 / (1.0 - rate)).into()),
            None => {
                let rate = checked(rate.to_tensor_like(x, "rate"));
                (Operand::from(rate), Operand::from(1.0 / (1.0 - rate)))
            }
        };
        let scaled = x * scale;
        select(greater_equal(uniform, rate), scaled, zeros_like(scaled))
    })
}

/// The rate, if it is a number.
fn known_rate(rate: &Operand) -> Option<f64> {
    match rate {
        Operand::Number(number) => match number.adopt(DType::F64) {
            Ok(Scalar::F64(rate)) => Some(rate),
            _ => None,
        },
        _ => None,
    }
}

/// A rate that fails the run unless it is at least 0 and below 1.
#[track_caller]
fn checked(rate: Tensor) -> Tensor {
    let is_rate = logical_and(greater_equal(rate, 0.0), less(rate, 1.0));
    let data: [Operand; 2] =
        ["the rate of dropout must be at least 0 and below 1, but is".into(), rate.into()];
    with_dependencies([assert(is_rate, data)], rate)
}

#[track_caller]
fn invalid_rate(x: Tensor, rate: f64) -> Tensor {
    let message = format!("the rate of dropout must be at least 0 and below 1, but is {rate}");
    let kind = BuildErrorKind::Op(OpError::attr("rate", message));
    let graph = TensorRef::from(x).graph();
    fail(Some(graph), "dropout", kind, Vec::new()).output(0).into()
}
