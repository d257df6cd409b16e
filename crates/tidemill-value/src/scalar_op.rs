//! The functions of element-wise operations, as data.

/// The function that an element-wise operation applies to each element, or to each pair of elements
/// of operands that broadcast. Loops over tensors, steps on single numbers, and fused loops are made
/// from it, and compute the same bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ScalarOp {
    /// A function of one element, with a result of its type.
    Unary(UnaryOp),
    /// A function of two elements of one type, with a result of that type.
    Binary(BinaryOp),
    /// A test of one element.
    Predicate(PredicateOp),
    /// A comparison of two elements of one type.
    Compare(CompareOp),
    /// The second or the third element, as the first is true or false.
    Select,
    /// An element of one type converted to another.
    Cast,
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[allow(missing_docs)]
        pub enum $name {
            $($variant),*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant),*];
        }
    )*};
}

functions! {
    /// A function of one element. `tidemill-kernels` documents each at the function of its name.
    UnaryOp {
        Abs, Acos, Acosh, Asin, Asinh, Atan, Atanh, Ceil, Cos, Cosh, Digamma, Elu, Erf, Erfc, Exp,
        Expm1, Floor, Invert, Lgamma, Log, Log1p, LogicalNot, Neg, Reciprocal, Relu, Relu6, Rint,
        Rsqrt, Selu, Sigmoid, Sign, Sin, Sinh, Softplus, Softsign, Sqrt, Square, Tan, Tanh,
    }

    /// A function of two elements. `tidemill-kernels` documents each at the function of its name.
    BinaryOp {
        AbsorbingMul, Add, Atan2, BitwiseAnd, BitwiseOr, BitwiseXor, Div, DivNoNan, EluGrad,
        FloorDiv, FloorMod, LeftShift, LogicalAnd, LogicalOr, Maximum, Minimum, Mul, MulNoNan,
        Polygamma, Pow, ReciprocalGrad, Relu6Grad, ReluGrad, RightShift, RsqrtGrad, SeluGrad,
        SigmoidGrad, SoftplusGrad, SoftsignGrad, SqrtGrad, SquaredDifference, Sub, TanhGrad,
        TruncateDiv, TruncateMod, Xdivy, Xlogy,
    }

    /// A test of one element. `tidemill-kernels` documents each at the function of its name.
    PredicateOp { IsFinite, IsInf, IsNan }

    /// A comparison of two elements. `tidemill-kernels` documents each at the function of its name.
    CompareOp { Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual }
}
