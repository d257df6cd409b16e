use crate::{ByteString, DType, TensorList, bf16, f16};

/// The elements of a value, in row-major order.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Buffer {
    F32(Vec<f32>),
    F64(Vec<f64>),
    F16(Vec<f16>),
    BF16(Vec<bf16>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    Bool(Vec<bool>),
    String(Vec<ByteString>),
    Variant(Vec<TensorList>),
}

impl Buffer {
    /// The data type of the elements.
    pub const fn dtype(&self) -> DType {
        match self {
            Buffer::F32(_) => DType::F32,
            Buffer::F64(_) => DType::F64,
            Buffer::F16(_) => DType::F16,
            Buffer::BF16(_) => DType::BF16,
            Buffer::I8(_) => DType::I8,
            Buffer::I16(_) => DType::I16,
            Buffer::I32(_) => DType::I32,
            Buffer::I64(_) => DType::I64,
            Buffer::U8(_) => DType::U8,
            Buffer::U16(_) => DType::U16,
            Buffer::U32(_) => DType::U32,
            Buffer::U64(_) => DType::U64,
            Buffer::Bool(_) => DType::Bool,
            Buffer::String(_) => DType::String,
            Buffer::Variant(_) => DType::Variant,
        }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Buffer::F32(elements) => elements.len(),
            Buffer::F64(elements) => elements.len(),
            Buffer::F16(elements) => elements.len(),
            Buffer::BF16(elements) => elements.len(),
            Buffer::I8(elements) => elements.len(),
            Buffer::I16(elements) => elements.len(),
            Buffer::I32(elements) => elements.len(),
            Buffer::I64(elements) => elements.len(),
            Buffer::U8(elements) => elements.len(),
            Buffer::U16(elements) => elements.len(),
            Buffer::U32(elements) => elements.len(),
            Buffer::U64(elements) => elements.len(),
            Buffer::Bool(elements) => elements.len(),
            Buffer::String(elements) => elements.len(),
            Buffer::Variant(elements) => elements.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
