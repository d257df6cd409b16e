//! Methods for the most common operations on a tensor, each of which calls the function of its row.

use tidemill_value::{DType, PartialShape};

use crate::functions as f;
use crate::functions::Axes;
use crate::{IntoNewShape, Operand, Tensor, Variable};

/// Declares methods of tensors and variables, a row for each: the method, its arguments, and the
/// function that it calls with the tensor as first argument.
macro_rules! methods {
    ($($method:ident($($argument:ident: $type:ty),*) = $function:ident;)*) => {
        methods!(@impl Tensor; $($method($($argument: $type),*) = $function;)*);
        methods!(@impl Variable; $($method($($argument: $type),*) = $function;)*);
    };
    (@impl $handle:ty; $($method:ident($($argument:ident: $type:ty),*) = $function:ident;)*) => {
        impl $handle {$(
            #[doc = concat!(
                "Calls [`", stringify!($function), "`](crate::", stringify!($function),
                ") with this tensor as its first argument."
            )]
            #[track_caller]
            pub fn $method(self, $($argument: $type),*) -> Tensor {
                f::$function(self, $($argument),*)
            }
        )*}
    };
}

methods! {
    abs() = abs;
    ceil() = ceil;
    cos() = cos;
    exp() = exp;
    expm1() = expm1;
    floor() = floor;
    log() = log;
    log1p() = log1p;
    log_softmax() = log_softmax;
    reciprocal() = reciprocal;
    relu() = relu;
    round() = round;
    rsqrt() = rsqrt;
    sigmoid() = sigmoid;
    sign() = sign;
    sin() = sin;
    softmax() = softmax;
    softplus() = softplus;
    sqrt() = sqrt;
    square() = square;
    tanh() = tanh;
    stop_gradient() = stop_gradient;

    sum(axes: impl Into<Axes>) = reduce_sum;
    mean(axes: impl Into<Axes>) = reduce_mean;
    max(axes: impl Into<Axes>) = reduce_max;
    min(axes: impl Into<Axes>) = reduce_min;
    prod(axes: impl Into<Axes>) = reduce_prod;
    all(axes: impl Into<Axes>) = reduce_all;
    any(axes: impl Into<Axes>) = reduce_any;
    variance(axes: impl Into<Axes>) = reduce_variance;
    std(axes: impl Into<Axes>) = reduce_std;
    logsumexp(axes: impl Into<Axes>) = reduce_logsumexp;
    arg_max(axis: i32) = arg_max;
    arg_min(axis: i32) = arg_min;
    cumsum(axis: impl Into<Operand>) = cumsum;

    matmul(other: impl Into<Operand>) = matmul;
    pow(exponent: impl Into<Operand>) = pow;
    maximum(other: impl Into<Operand>) = maximum;
    minimum(other: impl Into<Operand>) = minimum;
    clip_by_value(low: impl Into<Operand>, high: impl Into<Operand>) = clip_by_value;
    equal(other: impl Into<Operand>) = equal;
    not_equal(other: impl Into<Operand>) = not_equal;
    less(other: impl Into<Operand>) = less;
    less_equal(other: impl Into<Operand>) = less_equal;
    greater(other: impl Into<Operand>) = greater;
    greater_equal(other: impl Into<Operand>) = greater_equal;

    cast(dtype: DType) = cast;
    reshape(shape: impl IntoNewShape) = reshape;
    transpose(permutation: &[i32]) = transpose;
    expand_dims(axis: i32) = expand_dims;
    squeeze(axes: &[i64]) = squeeze;
    gather(indices: impl Into<Operand>, axis: i32) = gather;
    tile(multiples: impl Into<Operand>) = tile;
    broadcast_to(shape: impl Into<Operand>) = broadcast_to;
}

impl Tensor {
    /// The tensor with `shape` known from here on (see [`ensure_shape`](crate::ensure_shape)).
    ///
    /// TensorFlow's `set_shape` changes the tensor that it is called on. Here a tensor never
    /// changes: use the one that is returned.
    ///
    /// # Errors
    /// The shape contradicts the known one. If that is known only in a run, the run fails.
    ///
    /// ```
    /// use tidemill_ops::placeholder;
    /// use tidemill_value::shape;
    /// let x = placeholder::<f32>(shape![..]).set_shape(shape![?, 3]);
    /// assert_eq!(x.shape().to_string(), "[?, 3]");
    /// ```
    #[must_use = "a tensor never changes: use the one that is returned"]
    #[track_caller]
    pub fn set_shape(self, shape: impl Into<PartialShape>) -> Tensor {
        f::ensure_shape(self, shape)
    }
}
