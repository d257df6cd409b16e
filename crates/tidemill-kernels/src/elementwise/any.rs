use tidemill_value::{ByteString, DType};

use super::{Binary, Unary};

/// Declares an enum of one function type over data types, and the variant of each type.
macro_rules! any {
    (
        $(#[$doc:meta])*
        $any:ident: $($variant:ident $function:ty),*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        #[allow(missing_docs)]
        pub enum $any {
            $($variant($function)),*
        }

        impl $any {
            /// The data type of the operands.
            pub const fn dtype(&self) -> DType {
                match self {
                    $($any::$variant(_) => DType::$variant),*
                }
            }
        }

        $(
            impl From<$function> for $any {
                fn from(function: $function) -> Self {
                    $any::$variant(function)
                }
            }
        )*
    };
}

any! {
    /// A function of one operand whose results are of the operand's type.
    ///
    /// [`with_unary!`](crate::with_unary) takes it apart.
    AnyUnary:
        F32 Unary<f32>, F64 Unary<f64>, I32 Unary<i32>, I64 Unary<i64>, U64 Unary<u64>,
        Bool Unary<bool>
}

any! {
    /// A test of one operand.
    ///
    /// [`with_predicate!`](crate::with_predicate) takes it apart.
    AnyPredicate: F32 Unary<f32, bool>, F64 Unary<f64, bool>
}

any! {
    /// A function of two operands whose results are of the operands' type.
    ///
    /// [`with_binary!`](crate::with_binary) takes it apart.
    AnyBinary:
        F32 Binary<f32>, F64 Binary<f64>, I32 Binary<i32>, I64 Binary<i64>, U64 Binary<u64>,
        Bool Binary<bool>
}

any! {
    /// A comparison of two operands.
    ///
    /// [`with_comparison!`](crate::with_comparison) takes it apart.
    AnyComparison:
        F32 Binary<f32, bool>, F64 Binary<f64, bool>, I32 Binary<i32, bool>,
        I64 Binary<i64, bool>, U64 Binary<u64, bool>, Bool Binary<bool, bool>,
        String Binary<ByteString, bool>
}

#[doc(hidden)]
#[macro_export]
macro_rules! __with_function {
    ($any:ident, $function:expr, $f:ident => $body:expr, $($variant:ident)*) => {
        match $function {
            $($crate::elementwise::$any::$variant($f) => $body,)*
        }
    };
}

/// Evaluates an expression with the [`Unary<T>`](crate::elementwise::Unary) inside an
/// [`AnyUnary`](crate::elementwise::AnyUnary), whatever `T` is.
///
/// ```
/// use tidemill_kernels::{elementwise, with_unary};
/// use tidemill_value::DType;
/// let square = elementwise::square(DType::I32).unwrap();
/// assert_eq!(with_unary!(square, f => size_of_val(&(f.one)(Default::default()))), 4);
/// ```
#[macro_export]
macro_rules! with_unary {
    ($function:expr, $f:ident => $body:expr) => {
        $crate::__with_function!(AnyUnary, $function, $f => $body,
            F32 F64 I32 I64 U64 Bool)
    };
}

/// Evaluates an expression with the [`Unary<T, bool>`](crate::elementwise::Unary) inside an
/// [`AnyPredicate`](crate::elementwise::AnyPredicate), whatever `T` is.
#[macro_export]
macro_rules! with_predicate {
    ($function:expr, $f:ident => $body:expr) => {
        $crate::__with_function!(AnyPredicate, $function, $f => $body, F32 F64)
    };
}

/// Evaluates an expression with the [`Binary<T>`](crate::elementwise::Binary) inside an
/// [`AnyBinary`](crate::elementwise::AnyBinary), whatever `T` is.
#[macro_export]
macro_rules! with_binary {
    ($function:expr, $f:ident => $body:expr) => {
        $crate::__with_function!(AnyBinary, $function, $f => $body,
            F32 F64 I32 I64 U64 Bool)
    };
}

/// Evaluates an expression with the [`Binary<T, bool>`](crate::elementwise::Binary) inside an
/// [`AnyComparison`](crate::elementwise::AnyComparison), whatever `T` is.
#[macro_export]
macro_rules! with_comparison {
    ($function:expr, $f:ident => $body:expr) => {
        $crate::__with_function!(AnyComparison, $function, $f => $body,
            F32 F64 I32 I64 U64 Bool String)
    };
}
