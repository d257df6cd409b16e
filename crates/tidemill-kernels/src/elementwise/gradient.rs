//! The element-wise factors of gradients of the functions in [`math`](super::math), in one pass
//! over memory. The operands are in the order of TensorFlow's operations of the same name.

use tidemill_value::DType;

use super::function::BinaryOp;
use super::{AnyBinary, Binary};
use crate::NumericError;
use crate::float::Float;

binary_functions! {
    /// `dy · y · (1 - y)` of operands (`y`, `dy`). TensorFlow's `SigmoidGrad`.
    sigmoid_grad SigmoidGrad {
        floats: (pairs |y, dy| dy * y * (1.0 - y)),
    }

    /// `dy · (1 - y²)` of operands (`y`, `dy`). TensorFlow's `TanhGrad`.
    tanh_grad TanhGrad {
        floats: (pairs |y, dy| dy * (1.0 - y * y)),
    }

    /// `dy / (2 · y)` of operands (`y`, `dy`), and 0 where `dy` is 0. TensorFlow's `SqrtGrad`.
    sqrt_grad SqrtGrad {
        floats: (pairs |y, dy| if dy == 0.0 { 0.0 } else { 0.5 * dy / y }),
    }

    /// `-dy · y³ / 2` of operands (`y`, `dy`), and 0 where `dy` is 0. TensorFlow's `RsqrtGrad`.
    rsqrt_grad RsqrtGrad {
        floats: (pairs |y, dy| if dy == 0.0 { 0.0 } else { -0.5 * (dy * y) * (y * y) }),
    }

    /// `-dy · y²` of operands (`y`, `dy`), and 0 where `dy` is 0. TensorFlow's `ReciprocalGrad`
    /// and `InvGrad`.
    reciprocal_grad ReciprocalGrad {
        floats: (pairs |y, dy| if dy == 0.0 { 0.0 } else { -(y * y * dy) }),
    }

    /// `dy` where `x` is above 0, and `0 · dy` elsewhere, of operands (`dy`, `x`).
    /// TensorFlow's `ReluGrad`.
    relu_grad ReluGrad {
        floats: (pairs |dy, x| dy * if x > 0.0 { 1.0 } else { 0.0 }),
        integers: (pairs |dy, x| if x > 0 { dy } else { 0 }),
    }

    /// `dy` where `x` is between 0 and 6, and `0 · dy` elsewhere, of operands (`dy`, `x`).
    /// TensorFlow's `Relu6Grad`.
    relu6_grad Relu6Grad {
        floats: (pairs |dy, x| dy * if x > 0.0 && x < 6.0 { 1.0 } else { 0.0 }),
        integers: (pairs |dy, x| if x > 0 && x < 6 { dy } else { 0 }),
    }

    /// `dy · (y + 1)` where `y` is below 0, and `dy` elsewhere, of operands (`dy`, `y`).
    /// TensorFlow's `EluGrad`.
    elu_grad EluGrad {
        floats: (pairs |dy, y| if y < 0.0 { (y + 1.0) * dy } else { dy }),
    }

    /// `dy / (1 + exp -x)` of operands (`dy`, `x`). TensorFlow's `SoftplusGrad`.
    softplus_grad SoftplusGrad {
        floats: (pairs |dy, x| dy / (Float::exp(-x) + 1.0)),
    }

    /// `dy · (y + scale · alpha)` where `y` is below 0, and `dy · scale` elsewhere, of operands
    /// (`dy`, `y`). TensorFlow's `SeluGrad`.
    selu_grad SeluGrad {
        floats: (pairs |dy, y| selu_slope(dy, y)),
    }

    /// `dy / (1 + |x|)²` of operands (`dy`, `x`). TensorFlow's `SoftsignGrad`.
    softsign_grad SoftsignGrad {
        floats: (pairs |dy, x| dy / ((x.abs() + 1.0) * (x.abs() + 1.0))),
    }
}

#[inline(always)]
fn selu_slope<T: Float>(dy: T, y: T) -> T {
    if y < T::ZERO { dy * (y + T::SELU_SCALE_ALPHA) } else { dy * T::SELU_SCALE }
}
