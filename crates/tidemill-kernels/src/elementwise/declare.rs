//! Macros that declare element-wise functions, one row each.
//!
//! A row names the function, the private type that carries its arithmetic, and for each group of
//! data types the arithmetic itself. The public function looks the loops up by data type.

/// Invokes `$macro!(T $arguments)` for every type of a group. Short types are computed in wide ones,
/// see [`DType::wide`](tidemill_value::DType::wide).
macro_rules! for_each_type {
    (floats, $macro:ident $arguments:tt) => {
        $macro!(f32 $arguments);
        $macro!(f64 $arguments);
    };
    (signed, $macro:ident $arguments:tt) => {
        $macro!(i32 $arguments);
        $macro!(i64 $arguments);
    };
    (unsigned, $macro:ident $arguments:tt) => {
        $macro!(u64 $arguments);
    };
    (integers, $macro:ident $arguments:tt) => {
        for_each_type!(signed, $macro $arguments);
        for_each_type!(unsigned, $macro $arguments);
    };
    (bool, $macro:ident $arguments:tt) => {
        $macro!(bool $arguments);
    };
    (numbers, $macro:ident $arguments:tt) => {
        for_each_type!(floats, $macro $arguments);
        for_each_type!(integers, $macro $arguments);
    };
    (all, $macro:ident $arguments:tt) => {
        for_each_type!(numbers, $macro $arguments);
        for_each_type!(bool, $macro $arguments);
        $macro!(tidemill_value::ByteString $arguments);
    };
}

/// `match_dtype!` for the groups above.
macro_rules! look_up {
    (signed, $dtype:expr, $T:ident => $found:expr) => {
        tidemill_value::match_dtype!($dtype, indices, $T => Some($found), else None)
    };
    (unsigned, $dtype:expr, $T:ident => $found:expr) => {
        tidemill_value::match_dtype!(@ $dtype, $T, Some($found), None, U64 u64)
    };
    (bool, $dtype:expr, $T:ident => $found:expr) => {
        tidemill_value::match_dtype!(@ $dtype, $T, Some($found), None, Bool bool)
    };
    (floats, $dtype:expr, $T:ident => $found:expr) => {
        tidemill_value::match_dtype!($dtype, floats, $T => Some($found), else None)
    };
    (integers, $dtype:expr, $T:ident => $found:expr) => {
        tidemill_value::match_dtype!(@ $dtype, $T, Some($found), None, I32 i32, I64 i64, U64 u64)
    };
    (numbers, $dtype:expr, $T:ident => $found:expr) => {
        tidemill_value::match_dtype!($dtype, wide, $T => Some($found), else None)
    };
    (all, $dtype:expr, $T:ident => $found:expr) => {
        tidemill_value::match_dtype!(@ $dtype, $T, Some($found), None, F32 f32, F64 f64,
            I32 i32, I64 i64, U64 u64, Bool bool, String tidemill_value::ByteString)
    };
}

/// Whether the loop of a function has a copy for each instruction set. By default it depends on the
/// type alone. The mark `scalar` means never: calls into the standard library and `libm` do not
/// vectorize.
macro_rules! vectors {
    ($T:ty) => {
        $crate::vector::is_vector(<$T as tidemill_value::Element>::DTYPE)
    };
    ($T:ty, scalar) => {
        false
    };
}

macro_rules! implement_unary {
    ($T:ty [$op:ident same $($mark:ident)? |$x:ident| $body:expr]) => {
        implement_unary!($T [$op ($T) $($mark)? |$x| $body]);
    };
    ($T:ty [$op:ident ($O:ty) $($mark:ident)? |$x:ident| $body:expr]) => {
        impl UnaryOp<$T, $O> for $op {
            const VECTOR: bool = vectors!($T $(, $mark)?);
            const WIDE: bool = $crate::vector::is_single(<$T as tidemill_value::Element>::DTYPE);

            #[inline(always)]
            fn apply($x: &$T) -> $O {
                let $x = *$x;
                $body
            }
        }
    };
}

macro_rules! implement_binary {
    // A loop that stops at an error does not vectorize.
    ($T:ty [$op:ident try |$x:ident, $y:ident| $body:expr]) => {
        implement_binary!(@ $T, $op, false, false, |$x, $y| $body);
    };
    // A gradient hardly ever has one scalar operand.
    ($T:ty [$op:ident pairs $($mark:ident)? |$x:ident, $y:ident| $body:expr]) => {
        implement_binary!(@ $T, $op, vectors!($T $(, $mark)?), false, |$x, $y| Ok($body));
    };
    ($T:ty [$op:ident $($mark:ident)? |$x:ident, $y:ident| $body:expr]) => {
        implement_binary!(
            @ $T, $op, vectors!($T $(, $mark)?), vectors!($T $(, $mark)?), |$x, $y| Ok($body)
        );
    };
    (@ $T:ty, $op:ident, $vector:expr, $scalars:expr, |$x:ident, $y:ident| $body:expr) => {
        impl BinaryOp<$T, $T> for $op {
            const VECTOR: bool = $vector;
            const WIDE: bool = $crate::vector::is_single(<$T as tidemill_value::Element>::DTYPE);
            const SCALARS: bool = $scalars;

            #[inline(always)]
            fn apply($x: &$T, $y: &$T) -> Result<$T, NumericError> {
                let ($x, $y) = (*$x, *$y);
                $body
            }
        }
    };
}

macro_rules! implement_comparison {
    ($T:ty [$op:ident |$x:ident, $y:ident| $body:expr]) => {
        impl BinaryOp<$T, bool> for $op {
            const VECTOR: bool = vectors!($T);
            const WIDE: bool = $crate::vector::is_single(<$T as tidemill_value::Element>::DTYPE);
            const SCALARS: bool = vectors!($T);

            #[inline(always)]
            fn apply($x: &$T, $y: &$T) -> Result<bool, NumericError> {
                Ok($body)
            }
        }
    };
}

/// Functions of one operand, of type `T` to `T`. A mark of [`vectors!`] may precede the
/// arithmetic.
macro_rules! unary_functions {
    ($(
        $(#[$doc:meta])*
        $name:ident $op:ident {
            $($group:ident: $($mark:ident)? |$x:ident| $body:expr),+ $(,)?
        }
    )+) => {$(
        struct $op;
        $(for_each_type!($group, implement_unary [$op same $($mark)? |$x| $body]);)+

        $(#[$doc])*
        // Inlining would compile the loops again in the calling crate.
        #[inline(never)]
        pub fn $name(dtype: DType) -> Option<AnyUnary> {
            let mut found = None;
            $(found = found.or(look_up!($group, dtype, T => Unary::<T>::of::<$op>().into()));)+
            found
        }
    )+};
}

/// Tests of one operand.
macro_rules! predicates {
    ($(
        $(#[$doc:meta])*
        $name:ident $op:ident { $group:ident: |$x:ident| $body:expr }
    )+) => {$(
        struct $op;
        for_each_type!($group, implement_unary [$op (bool) scalar |$x| $body]);

        $(#[$doc])*
        // Inlining would compile the loops again in the calling crate.
        #[inline(never)]
        pub fn $name(dtype: DType) -> Option<AnyPredicate> {
            look_up!($group, dtype, T => Unary::<T, bool>::of::<$op>().into())
        }
    )+};
}

/// Functions of two operands, of types `T` and `T` to `T`. `try` marks arithmetic that may
/// fail, `pairs` arithmetic without loops for a scalar operand; a mark of [`vectors!`] may follow.
macro_rules! binary_functions {
    ($(
        $(#[$doc:meta])*
        $name:ident $op:ident { $($group:ident: $arithmetic:tt),+ $(,)? }
    )+) => {$(
        struct $op;
        $(binary_functions!(@ $group $op $arithmetic);)+

        $(#[$doc])*
        // Inlining would compile the loops again in the calling crate.
        #[inline(never)]
        pub fn $name(dtype: DType) -> Option<AnyBinary> {
            let mut found = None;
            $(found = found.or(look_up!($group, dtype, T => Binary::<T>::of::<$op>().into()));)+
            found
        }
    )+};
    (@ $group:ident $op:ident ($($arithmetic:tt)+)) => {
        for_each_type!($group, implement_binary [$op $($arithmetic)+]);
    };
}

/// Comparisons of two operands.
macro_rules! comparisons {
    ($(
        $(#[$doc:meta])*
        $name:ident $op:ident { $group:ident: |$x:ident, $y:ident| $body:expr }
    )+) => {$(
        struct $op;
        for_each_type!($group, implement_comparison [$op |$x, $y| $body]);

        $(#[$doc])*
        // Inlining would compile the loops again in the calling crate.
        #[inline(never)]
        pub fn $name(dtype: DType) -> Option<AnyComparison> {
            look_up!($group, dtype, T => Binary::<T, bool>::of::<$op>().into())
        }
    )+};
}
