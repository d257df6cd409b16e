use prost::bytes::Bytes;

/// The shape of a tensor, as far as it is known.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorShapeProto {
    /// The axes.
    #[prost(message, repeated, tag = "2")]
    pub dim: Vec<Dim>,
    /// True if even the number of axes is unknown.
    #[prost(bool, tag = "3")]
    pub unknown_rank: bool,
}

/// One axis of a shape.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Dim {
    /// The extent; -1 if it is unknown.
    #[prost(int64, tag = "1")]
    pub size: i64,
    /// A name for it, without meaning.
    #[prost(string, tag = "2")]
    pub name: String,
}

/// The elements of a tensor: their bytes, or a list of them by type, whose last element stands for
/// all missing ones.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorProto {
    /// The data type.
    #[prost(enumeration = "super::DataType", tag = "1")]
    pub dtype: i32,
    /// The shape.
    #[prost(message, optional, tag = "2")]
    pub tensor_shape: Option<TensorShapeProto>,
    /// The version of the message.
    #[prost(int32, tag = "3")]
    pub version_number: i32,
    /// The elements in row-major order, little-endian.
    ///
    /// When decoded from [`Bytes`], they are a part of those, not a copy.
    #[prost(bytes = "bytes", tag = "4")]
    pub tensor_content: Bytes,
    /// Elements of type `DT_FLOAT`.
    #[prost(float, repeated, tag = "5")]
    pub float_val: Vec<f32>,
    /// Elements of type `DT_DOUBLE`.
    #[prost(double, repeated, tag = "6")]
    pub double_val: Vec<f64>,
    /// Elements of the integer types of up to 32 bits, except `DT_UINT32`.
    #[prost(int32, repeated, tag = "7")]
    pub int_val: Vec<i32>,
    /// Elements of type `DT_STRING`.
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub string_val: Vec<Vec<u8>>,
    /// Elements of type `DT_COMPLEX64`, the real part before the imaginary one.
    #[prost(float, repeated, tag = "9")]
    pub scomplex_val: Vec<f32>,
    /// Elements of type `DT_INT64`.
    #[prost(int64, repeated, tag = "10")]
    pub int64_val: Vec<i64>,
    /// Elements of type `DT_BOOL`.
    #[prost(bool, repeated, tag = "11")]
    pub bool_val: Vec<bool>,
    /// Elements of type `DT_COMPLEX128`, the real part before the imaginary one.
    #[prost(double, repeated, tag = "12")]
    pub dcomplex_val: Vec<f64>,
    /// Elements of type `DT_HALF` and `DT_BFLOAT16`, the lower 16 bits of each.
    #[prost(int32, repeated, tag = "13")]
    pub half_val: Vec<i32>,
    /// Elements of type `DT_UINT32`.
    #[prost(uint32, repeated, tag = "16")]
    pub uint32_val: Vec<u32>,
    /// Elements of type `DT_UINT64`.
    #[prost(uint64, repeated, tag = "17")]
    pub uint64_val: Vec<u64>,
}
