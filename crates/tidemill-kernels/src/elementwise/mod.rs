//! Functions applied element by element.
//!
//! A function such as [`add`] is looked up once by data type. The result holds, for that type, a
//! [`Unary`] or [`Binary`]: pointers to the loops that compute it on slices and to the same
//! arithmetic on single elements.
//!
//! ```
//! use tidemill_kernels::elementwise::{AnyBinary, add};
//! use tidemill_kernels::Broadcast;
//! use tidemill_value::DType;
//!
//! let Some(AnyBinary::F32(add)) = add(DType::F32) else { panic!("float32 has an addition") };
//! let rows = Broadcast::new([&[2, 3], &[3]])?;
//! let mut sums = [0.0; 6];
//! add.broadcast(&rows, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[10.0, 20.0, 30.0], &mut sums)?;
//! assert_eq!(sums, [11.0, 22.0, 33.0, 14.0, 25.0, 36.0]);
//! # Ok::<(), tidemill_kernels::NumericError>(())
//! ```

#[macro_use]
mod declare;
mod any;
mod arithmetic;
mod bitwise;
mod bounded;
mod cast;
mod compare;
mod finite;
mod function;
mod gradient;
mod integer;
mod math;
mod select;
mod special;
mod table;

pub use any::{AnyBinary, AnyComparison, AnyPredicate, AnyUnary};
pub use arithmetic::{
    absorbing_mul, add, atan2, div, div_no_nan, floor_div, floor_mod, logical_and, logical_or,
    maximum, minimum, mul, mul_no_nan, polygamma, pow, squared_difference, sub, truncate_div,
    truncate_mod, xdivy, xlogy,
};
pub use bitwise::{bitwise_and, bitwise_or, bitwise_xor, invert, left_shift, right_shift};
pub use bounded::{clip, leaky_relu, leaky_relu_grad};
pub use cast::cast;
pub use compare::{
    equal, greater, greater_equal, is_finite, is_inf, is_nan, less, less_equal, not_equal,
};
pub use finite::{NonFinite, find_non_finite};
pub use function::{Binary, Plain, Side, Unary};
pub use gradient::{
    elu_grad, reciprocal_grad, relu_grad, relu6_grad, rsqrt_grad, selu_grad, sigmoid_grad,
    softplus_grad, softsign_grad, sqrt_grad, tanh_grad,
};
pub use math::{
    abs, acos, acosh, asin, asinh, atan, atanh, ceil, cos, cosh, digamma, elu, erf, erfc, exp,
    expm1, floor, lgamma, log, log1p, logical_not, neg, reciprocal, relu, relu6, rint, rsqrt, selu,
    sigmoid, sign, sin, sinh, softplus, softsign, sqrt, square, tan, tanh,
};
pub use select::select;
pub use table::{binary_loops, comparison_loops, predicate_loops, unary_loops};
