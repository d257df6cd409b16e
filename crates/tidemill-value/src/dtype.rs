use std::fmt;

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

    /// The bytes that one element takes; 0 for `string` and `variant`.
    pub(crate) const fn plain_size(self) -> usize {
        match self {
            DType::I8 | DType::U8 | DType::Bool => 1,
            DType::F16 | DType::BF16 | DType::I16 | DType::U16 => 2,
            DType::F32 | DType::I32 | DType::U32 => 4,
            DType::F64 | DType::I64 | DType::U64 => 8,
            DType::String | DType::Variant => 0,
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
