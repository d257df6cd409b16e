//! The functions of operations, by the data that describes them.

use tidemill_value::{BinaryOp, CompareOp, DType, PredicateOp, UnaryOp};

use super::{AnyBinary, AnyComparison, AnyPredicate, AnyUnary};
use super::{arithmetic, bitwise, compare, gradient, math};

/// The loops of a function of one operand of this type, if it is defined on it.
pub fn unary_loops(function: UnaryOp, dtype: DType) -> Option<AnyUnary> {
    let of: fn(DType) -> Option<AnyUnary> = match function {
        UnaryOp::Abs => math::abs,
        UnaryOp::Acos => math::acos,
        UnaryOp::Acosh => math::acosh,
        UnaryOp::Asin => math::asin,
        UnaryOp::Asinh => math::asinh,
        UnaryOp::Atan => math::atan,
        UnaryOp::Atanh => math::atanh,
        UnaryOp::Ceil => math::ceil,
        UnaryOp::Cos => math::cos,
        UnaryOp::Cosh => math::cosh,
        UnaryOp::Digamma => math::digamma,
        UnaryOp::Elu => math::elu,
        UnaryOp::Erf => math::erf,
        UnaryOp::Erfc => math::erfc,
        UnaryOp::Exp => math::exp,
        UnaryOp::Expm1 => math::expm1,
        UnaryOp::Floor => math::floor,
        UnaryOp::Invert => bitwise::invert,
        UnaryOp::Lgamma => math::lgamma,
        UnaryOp::Log => math::log,
        UnaryOp::Log1p => math::log1p,
        UnaryOp::LogicalNot => math::logical_not,
        UnaryOp::Neg => math::neg,
        UnaryOp::Reciprocal => math::reciprocal,
        UnaryOp::Relu => math::relu,
        UnaryOp::Relu6 => math::relu6,
        UnaryOp::Rint => math::rint,
        UnaryOp::Rsqrt => math::rsqrt,
        UnaryOp::Selu => math::selu,
        UnaryOp::Sigmoid => math::sigmoid,
        UnaryOp::Sign => math::sign,
        UnaryOp::Sin => math::sin,
        UnaryOp::Sinh => math::sinh,
        UnaryOp::Softplus => math::softplus,
        UnaryOp::Softsign => math::softsign,
        UnaryOp::Sqrt => math::sqrt,
        UnaryOp::Square => math::square,
        UnaryOp::Tan => math::tan,
        UnaryOp::Tanh => math::tanh,
    };
    of(dtype)
}

/// The loops of a function of two operands of this type, if it is defined on it.
pub fn binary_loops(function: BinaryOp, dtype: DType) -> Option<AnyBinary> {
    let of: fn(DType) -> Option<AnyBinary> = match function {
        BinaryOp::AbsorbingMul => arithmetic::absorbing_mul,
        BinaryOp::Add => arithmetic::add,
        BinaryOp::Atan2 => arithmetic::atan2,
        BinaryOp::BitwiseAnd => bitwise::bitwise_and,
        BinaryOp::BitwiseOr => bitwise::bitwise_or,
        BinaryOp::BitwiseXor => bitwise::bitwise_xor,
        BinaryOp::Div => arithmetic::div,
        BinaryOp::DivNoNan => arithmetic::div_no_nan,
        BinaryOp::EluGrad => gradient::elu_grad,
        BinaryOp::FloorDiv => arithmetic::floor_div,
        BinaryOp::FloorMod => arithmetic::floor_mod,
        BinaryOp::LeftShift => bitwise::left_shift,
        BinaryOp::LogicalAnd => arithmetic::logical_and,
        BinaryOp::LogicalOr => arithmetic::logical_or,
        BinaryOp::Maximum => arithmetic::maximum,
        BinaryOp::Minimum => arithmetic::minimum,
        BinaryOp::Mul => arithmetic::mul,
        BinaryOp::MulNoNan => arithmetic::mul_no_nan,
        BinaryOp::Polygamma => arithmetic::polygamma,
        BinaryOp::Pow => arithmetic::pow,
        BinaryOp::ReciprocalGrad => gradient::reciprocal_grad,
        BinaryOp::Relu6Grad => gradient::relu6_grad,
        BinaryOp::ReluGrad => gradient::relu_grad,
        BinaryOp::RightShift => bitwise::right_shift,
        BinaryOp::RsqrtGrad => gradient::rsqrt_grad,
        BinaryOp::SeluGrad => gradient::selu_grad,
        BinaryOp::SigmoidGrad => gradient::sigmoid_grad,
        BinaryOp::SoftplusGrad => gradient::softplus_grad,
        BinaryOp::SoftsignGrad => gradient::softsign_grad,
        BinaryOp::SqrtGrad => gradient::sqrt_grad,
        BinaryOp::SquaredDifference => arithmetic::squared_difference,
        BinaryOp::Sub => arithmetic::sub,
        BinaryOp::TanhGrad => gradient::tanh_grad,
        BinaryOp::TruncateDiv => arithmetic::truncate_div,
        BinaryOp::TruncateMod => arithmetic::truncate_mod,
        BinaryOp::Xdivy => arithmetic::xdivy,
        BinaryOp::Xlogy => arithmetic::xlogy,
    };
    of(dtype)
}

/// The loops of a test of an operand of this type, if it is defined on it.
pub fn predicate_loops(function: PredicateOp, dtype: DType) -> Option<AnyPredicate> {
    let of: fn(DType) -> Option<AnyPredicate> = match function {
        PredicateOp::IsFinite => compare::is_finite,
        PredicateOp::IsInf => compare::is_inf,
        PredicateOp::IsNan => compare::is_nan,
    };
    of(dtype)
}

/// The loops of a comparison of two operands of this type, if it is defined on it.
pub fn comparison_loops(function: CompareOp, dtype: DType) -> Option<AnyComparison> {
    let of: fn(DType) -> Option<AnyComparison> = match function {
        CompareOp::Equal => compare::equal,
        CompareOp::Greater => compare::greater,
        CompareOp::GreaterEqual => compare::greater_equal,
        CompareOp::Less => compare::less,
        CompareOp::LessEqual => compare::less_equal,
        CompareOp::NotEqual => compare::not_equal,
    };
    of(dtype)
}
