use std::fmt;
use std::str::FromStr;

use crate::ValueError;

/// The type of the elements of a value or tensor.
///
/// It prints as TensorFlow names it: `float32`, `int64`, `string`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// 32-bit IEEE float, `float32`.
    F32,
    /// 64-bit IEEE float, `float64`.
    F64,
    /// 16-bit IEEE float, `float16`.
    F16,
    /// The upper 16 bits of a 32-bit IEEE float, `bfloat16`.
    BF16,
    /// Signed 8-bit integer, `int8`.
    I8,
    /// Signed 16-bit integer, `int16`.
    I16,
    /// Signed 32-bit integer, `int32`.
    I32,
    /// Signed 64-bit integer, `int64`.
    I64,
    /// Unsigned 8-bit integer, `uint8`.
    U8,
    /// Unsigned 16-bit integer, `uint16`.
    U16,
    /// Unsigned 32-bit integer, `uint32`.
    U32,
    /// Unsigned 64-bit integer, `uint64`.
    U64,
    /// Truth value, `bool`.
    Bool,
    /// A string of bytes, `string`.
    String,
    /// A list of tensors, `variant`.
    Variant,
}

impl DType {
    /// Every data type, in the order of declaration; `variant` is the last.
    pub const ANY: &[DType] = &[
        DType::F32,
        DType::F64,
        DType::F16,
        DType::BF16,
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
        DType::Bool,
        DType::String,
        DType::Variant,
    ];

    /// All data types except `variant`, which is for lists of tensors.
    pub const ALL: &[DType] = DType::ANY.split_at(DType::ANY.len() - 1).0;

    /// The floating-point types.
    pub const FLOATS: &[DType] = &[DType::F32, DType::F64, DType::F16, DType::BF16];

    /// The integer types, signed and unsigned.
    pub const INTEGERS: &[DType] = &[
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
    ];

    /// The types that arithmetic is defined on: floats and integers.
    pub const NUMBERS: &[DType] = &[
        DType::F32,
        DType::F64,
        DType::F16,
        DType::BF16,
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
    ];

    /// The types that cast into one another: all except strings and lists.
    pub const PLAIN: &[DType] = &[
        DType::F32,
        DType::F64,
        DType::F16,
        DType::BF16,
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
        DType::Bool,
    ];

    /// The types that index and describe shapes.
    pub const INDICES: &[DType] = &[DType::I32, DType::I64];

    /// TensorFlow's name of the type.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "float32",
            DType::F64 => "float64",
            DType::F16 => "float16",
            DType::BF16 => "bfloat16",
            DType::I8 => "int8",
            DType::I16 => "int16",
            DType::I32 => "int32",
            DType::I64 => "int64",
            DType::U8 => "uint8",
            DType::U16 => "uint16",
            DType::U32 => "uint32",
            DType::U64 => "uint64",
            DType::Bool => "bool",
            DType::String => "string",
            DType::Variant => "variant",
        }
    }

    /// The name of the type's constant in TensorFlow's `DataType` enum, such as `DT_FLOAT`.
    pub const fn proto_name(self) -> &'static str {
        match self {
            DType::F32 => "DT_FLOAT",
            DType::F64 => "DT_DOUBLE",
            DType::F16 => "DT_HALF",
            DType::BF16 => "DT_BFLOAT16",
            DType::I8 => "DT_INT8",
            DType::I16 => "DT_INT16",
            DType::I32 => "DT_INT32",
            DType::I64 => "DT_INT64",
            DType::U8 => "DT_UINT8",
            DType::U16 => "DT_UINT16",
            DType::U32 => "DT_UINT32",
            DType::U64 => "DT_UINT64",
            DType::Bool => "DT_BOOL",
            DType::String => "DT_STRING",
            DType::Variant => "DT_VARIANT",
        }
    }

    /// The bytes that one element takes; for `string` and `variant`, those of its header.
    pub const fn size(self) -> usize {
        match self {
            DType::I8 | DType::U8 | DType::Bool => 1,
            DType::F16 | DType::BF16 | DType::I16 | DType::U16 => 2,
            DType::F32 | DType::I32 | DType::U32 => 4,
            DType::F64 | DType::I64 | DType::U64 => 8,
            DType::String => size_of::<crate::ByteString>(),
            DType::Variant => size_of::<crate::TensorList>(),
        }
    }

    /// Whether this is a floating-point type.
    pub const fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64 | DType::F16 | DType::BF16)
    }

    /// Whether this is a floating-point type of 16 bits. Kernels compute on them as `float32`.
    pub const fn is_half(self) -> bool {
        matches!(self, DType::F16 | DType::BF16)
    }

    /// The type that kernels compute numbers of this type in: `float32` for 16-bit floats, `int32`
    /// for integers of 8 and 16 bits, `int64` for `uint32`, and otherwise the type itself.
    pub const fn wide(self) -> DType {
        match self {
            DType::F16 | DType::BF16 => DType::F32,
            DType::I8 | DType::I16 | DType::U8 | DType::U16 => DType::I32,
            DType::U32 => DType::I64,
            _ => self,
        }
    }

    /// Whether this is a signed or unsigned integer type.
    pub const fn is_integer(self) -> bool {
        self.is_plain() && !self.is_float() && !matches!(self, DType::Bool)
    }

    /// Whether elements are numbers or truth values, without memory of their own.
    pub const fn is_plain(self) -> bool {
        !matches!(self, DType::String | DType::Variant)
    }

    /// Whether tensors of this type can have gradients: floats and lists can.
    pub const fn is_differentiable(self) -> bool {
        self.is_float() || matches!(self, DType::Variant)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DType {
    type Err = ValueError;

    fn from_str(name: &str) -> Result<Self, ValueError> {
        DType::ANY
            .iter()
            .copied()
            .find(|dtype| dtype.name() == name)
            .ok_or_else(|| ValueError::UnknownDType { name: name.to_owned() })
    }
}

/// Evaluates an expression with a type name bound to the Rust type of a [`DType`].
///
/// The second argument restricts the types the expression is compiled for: `floats` and `numbers`,
/// except those of 16 bits, `wide` (the numbers that are their own [`wide`](DType::wide) type),
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
