use crate::proto::{TensorShapeProto, VersionDef};

/// The version that is written, and the newest that can be read.
pub(super) const VERSION: i32 = 1;

/// The header: the entry with an empty name.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct BundleHeader {
    #[prost(int32, tag = "1")]
    pub(super) num_shards: i32,
    /// 0 if elements are little-endian.
    #[prost(int32, tag = "2")]
    pub(super) endianness: i32,
    #[prost(message, optional, tag = "3")]
    pub(super) version: Option<VersionDef>,
}

/// The place of a tensor, or of its slices.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct BundleEntry {
    #[prost(enumeration = "crate::proto::DataType", tag = "1")]
    pub(super) dtype: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) shape: Option<TensorShapeProto>,
    #[prost(int32, tag = "3")]
    pub(super) shard_id: i32,
    #[prost(int64, tag = "4")]
    pub(super) offset: i64,
    #[prost(int64, tag = "5")]
    pub(super) size: i64,
    /// Masked.
    #[prost(fixed32, tag = "6")]
    pub(super) crc32c: u32,
    #[prost(message, repeated, tag = "7")]
    pub(super) slices: Vec<SliceProto>,
}

/// A part of a tensor: an interval along each axis.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SliceProto {
    #[prost(message, repeated, tag = "1")]
    pub(super) extent: Vec<Extent>,
}

/// An interval; without a length, the whole axis.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Extent {
    #[prost(int64, tag = "1")]
    pub(super) start: i64,
    #[prost(int64, optional, tag = "2")]
    pub(super) length: Option<i64>,
}
