use tidemill_value::DType;

use super::function::{BinaryOp, UnaryOp};
use super::{AnyComparison, AnyPredicate, Binary, Unary};
use crate::NumericError;

comparisons! {
    /// Whether `x` is equal to `y`. No NaN is. TensorFlow's `Equal`.
    equal Equal { all: |x, y| x == y }

    /// Whether `x` differs from `y`. Every NaN does. TensorFlow's `NotEqual`.
    not_equal NotEqual { all: |x, y| x != y }

    /// Whether `x` is below `y`. TensorFlow's `Less`.
    less Less { numbers: |x, y| x < y }

    /// Whether `x` is below or equal to `y`. TensorFlow's `LessEqual`.
    less_equal LessEqual { numbers: |x, y| x <= y }

    /// Whether `x` is above `y`. TensorFlow's `Greater`.
    greater Greater { numbers: |x, y| x > y }

    /// Whether `x` is above or equal to `y`. TensorFlow's `GreaterEqual`.
    greater_equal GreaterEqual { numbers: |x, y| x >= y }
}

predicates! {
    /// Whether `x` is NaN. TensorFlow's `IsNan`.
    is_nan IsNan { floats: |x| x.is_nan() }

    /// Whether `x` is infinite. TensorFlow's `IsInf`.
    is_inf IsInf { floats: |x| x.is_infinite() }

    /// Whether `x` is neither infinite nor NaN. TensorFlow's `IsFinite`.
    is_finite IsFinite { floats: |x| x.is_finite() }
}
