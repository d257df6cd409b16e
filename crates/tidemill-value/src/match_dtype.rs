/// Evaluates an expression with a type name bound to the Rust type of a [`DType`](crate::DType).
///
/// The second argument restricts the types the expression is compiled for: `floats` and `numbers`,
/// except those of 16 bits, `wide` (the numbers that are their own [`wide`](crate::DType::wide) type),
/// `integers`, `indices`, `plain` (all but strings), `all`, or `any`, which includes `variant`. Any
/// other data type evaluates the `else` expression.
///
/// ```
/// use tidemill_value::{DType, match_dtype};
/// let bytes = match_dtype!(DType::F64, numbers, T => size_of::<T>(), else 0);
/// assert_eq!(bytes, 8);
/// ```
#[macro_export]
macro_rules! match_dtype {
    (@ $dtype:expr, $T:ident, $body:expr, $other:expr, $($variant:ident $rust:ty),*) => {
        match $dtype {
            $($crate::DType::$variant => {
                type $T = $rust;
                $body
            })*
            #[allow(unreachable_patterns)]
            _ => $other,
        }
    };
    ($dtype:expr, floats, $T:ident => $body:expr, else $other:expr) => {
        $crate::match_dtype!(@ $dtype, $T, $body, $other, F32 f32, F64 f64)
    };
    ($dtype:expr, indices, $T:ident => $body:expr, else $other:expr) => {
        $crate::match_dtype!(@ $dtype, $T, $body, $other, I32 i32, I64 i64)
    };
    ($dtype:expr, integers, $T:ident => $body:expr, else $other:expr) => {
        $crate::match_dtype!(@ $dtype, $T, $body, $other,
            I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64)
    };
    ($dtype:expr, wide, $T:ident => $body:expr, else $other:expr) => {
        $crate::match_dtype!(@ $dtype, $T, $body, $other,
            F32 f32, F64 f64, I32 i32, I64 i64, U64 u64)
    };
    ($dtype:expr, numbers, $T:ident => $body:expr, else $other:expr) => {
        $crate::match_dtype!(@ $dtype, $T, $body, $other, F32 f32, F64 f64,
            I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64)
    };
    ($dtype:expr, plain, $T:ident => $body:expr, else $other:expr) => {
        $crate::match_dtype!(@ $dtype, $T, $body, $other, F32 f32, F64 f64,
            F16 $crate::f16, BF16 $crate::bf16,
            I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64, Bool bool)
    };
    ($dtype:expr, all, $T:ident => $body:expr, else $other:expr) => {
        $crate::match_dtype!(@ $dtype, $T, $body, $other, F32 f32, F64 f64,
            F16 $crate::f16, BF16 $crate::bf16,
            I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64, Bool bool,
            String $crate::ByteString)
    };
    ($dtype:expr, any, $T:ident => $body:expr) => {
        $crate::match_dtype!(@ $dtype, $T, $body, unreachable!("`any` covers every data type"),
            F32 f32, F64 f64, F16 $crate::f16, BF16 $crate::bf16,
            I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64, Bool bool,
            String $crate::ByteString, Variant $crate::TensorList)
    };
}
