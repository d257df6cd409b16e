use std::collections::BTreeMap;

use super::{DataType, GraphDef, OpDef, TensorProto, TensorShapeProto};

/// A saved model: graphs for several uses, which share the values of their variables.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SavedModel {
    /// The version of the format.
    #[prost(int64, tag = "1")]
    pub saved_model_schema_version: i64,
    /// The graphs.
    #[prost(message, repeated, tag = "2")]
    pub meta_graphs: Vec<MetaGraphDef>,
}

/// A graph, with the information needed to use it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MetaGraphDef {
    /// Its tags, and the program that wrote it.
    #[prost(message, optional, tag = "1")]
    pub meta_info_def: Option<MetaInfoDef>,
    /// The graph.
    #[prost(message, optional, tag = "2")]
    pub graph_def: Option<GraphDef>,
    /// The nodes that save and restore its variables.
    #[prost(message, optional, tag = "3")]
    pub saver_def: Option<SaverDef>,
    /// The collections by name.
    #[prost(btree_map = "string, message", tag = "4")]
    pub collection_def: BTreeMap<String, CollectionDef>,
    /// The signatures, by name.
    #[prost(btree_map = "string, message", tag = "5")]
    pub signature_def: BTreeMap<String, SignatureDef>,
    /// The files next to it that the graph reads.
    #[prost(message, repeated, tag = "6")]
    pub asset_file_def: Vec<AssetFileDef>,
}

/// The tags of a graph, and the program that wrote it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MetaInfoDef {
    /// The version that its user gave it.
    #[prost(string, tag = "1")]
    pub meta_graph_version: String,
    /// The operations of its nodes.
    #[prost(message, optional, tag = "2")]
    pub stripped_op_list: Option<OpList>,
    /// Anything.
    #[prost(message, optional, tag = "3")]
    pub any_info: Option<Any>,
    /// The tags, such as `serve`.
    #[prost(string, repeated, tag = "4")]
    pub tags: Vec<String>,
    /// The version of TensorFlow that wrote it.
    #[prost(string, tag = "5")]
    pub tensorflow_version: String,
    /// The commit of that version.
    #[prost(string, tag = "6")]
    pub tensorflow_git_version: String,
    /// True if attributes equal to their default were left out.
    #[prost(bool, tag = "7")]
    pub stripped_default_attrs: bool,
    /// Aliases of functions.
    #[prost(btree_map = "string, string", tag = "8")]
    pub function_aliases: BTreeMap<String, String>,
}

/// Descriptions of operations.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OpList {
    /// The descriptions.
    #[prost(message, repeated, tag = "1")]
    pub op: Vec<OpDef>,
}

/// A message that names its type.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Any {
    /// The type.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// Its bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// The nodes that save and restore variables.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SaverDef {
    /// The tensor that takes the prefix of the checkpoint.
    #[prost(string, tag = "1")]
    pub filename_tensor_name: String,
    /// The tensor whose run saves.
    #[prost(string, tag = "2")]
    pub save_tensor_name: String,
    /// The operation whose run restores.
    #[prost(string, tag = "3")]
    pub restore_op_name: String,
    /// The number of checkpoints that are kept.
    #[prost(int32, tag = "4")]
    pub max_to_keep: i32,
    /// True if the values of each device are in files of their own.
    #[prost(bool, tag = "5")]
    pub sharded: bool,
    /// The interval, in hours, at which a checkpoint is kept for good.
    #[prost(float, tag = "6")]
    pub keep_checkpoint_every_n_hours: f32,
    /// The format of checkpoints.
    #[prost(enumeration = "CheckpointFormat", tag = "7")]
    pub version: i32,
}

/// TensorFlow's numbers for checkpoint formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum CheckpointFormat {
    Legacy = 0,
    V1 = 1,
    V2 = 2,
}

/// The items of a collection.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CollectionDef {
    /// Its items, all of one kind.
    #[prost(oneof = "Collection", tags = "1, 2, 3, 4, 5")]
    pub kind: Option<Collection>,
}

/// The items of a collection.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Collection {
    /// Names of tensors and operations.
    #[prost(message, tag = "1")]
    NodeList(NodeList),
    /// Bytes, of messages such as [`VariableDef`].
    #[prost(message, tag = "2")]
    BytesList(BytesList),
    /// Integers.
    #[prost(message, tag = "3")]
    Int64List(Int64List),
    /// Floats.
    #[prost(message, tag = "4")]
    FloatList(FloatList),
    /// Messages.
    #[prost(message, tag = "5")]
    AnyList(AnyList),
}

/// Declares lists that are messages.
macro_rules! lists {
    ($($name:ident, $doc:literal, ($($kind:tt)+), $item:ty;)*) => {$(
        #[doc = $doc]
        #[derive(Clone, PartialEq, prost::Message)]
        pub struct $name {
            /// The items.
            #[prost($($kind)+, repeated, tag = "1")]
            pub value: Vec<$item>,
        }
    )*};
}

lists! {
    NodeList, "Names of tensors and operations.", (string), String;
    BytesList, "Pieces of bytes.", (bytes = "vec"), Vec<u8>;
    Int64List, "Integers.", (int64), i64;
    FloatList, "Floats.", (float), f32;
    AnyList, "Messages.", (message), Any;
}

/// The checkpoints of a folder, as its file `checkpoint` lists them in the text format.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckpointState {
    /// The prefix of the latest one.
    #[prost(string, tag = "1")]
    pub model_checkpoint_path: String,
    /// The prefixes of all that are kept.
    #[prost(string, repeated, tag = "2")]
    pub all_model_checkpoint_paths: Vec<String>,
}

/// A variable, as in the collections `variables` and `trainable_variables`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct VariableDef {
    /// The tensor that names it.
    #[prost(string, tag = "1")]
    pub variable_name: String,
    /// The operation that initializes it.
    #[prost(string, tag = "2")]
    pub initializer_name: String,
    /// The tensor that reads it.
    #[prost(string, tag = "3")]
    pub snapshot_name: String,
    /// The slice of a larger variable that it is.
    #[prost(message, optional, tag = "4")]
    pub save_slice_info_def: Option<SaveSliceInfoDef>,
    /// True if it is a resource variable.
    #[prost(bool, tag = "5")]
    pub is_resource: bool,
    /// Its initial value.
    #[prost(string, tag = "6")]
    pub initial_value_name: String,
    /// True if optimizers update it.
    #[prost(bool, tag = "7")]
    pub trainable: bool,
    /// The synchronization of its copies.
    #[prost(int32, tag = "8")]
    pub synchronization: i32,
    /// The aggregation of its copies.
    #[prost(int32, tag = "9")]
    pub aggregation: i32,
}

/// The slice of a larger variable that a variable is.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SaveSliceInfoDef {
    /// The name of the larger variable.
    #[prost(string, tag = "1")]
    pub full_name: String,
    /// The extents of the larger variable.
    #[prost(int64, repeated, tag = "2")]
    pub full_shape: Vec<i64>,
    /// The start of the slice.
    #[prost(int64, repeated, tag = "3")]
    pub var_offset: Vec<i64>,
    /// The extents of the slice.
    #[prost(int64, repeated, tag = "4")]
    pub var_shape: Vec<i64>,
}

/// A signature: tensors to feed and to fetch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SignatureDef {
    /// The tensors to feed, by the names of the arguments.
    #[prost(btree_map = "string, message", tag = "1")]
    pub inputs: BTreeMap<String, TensorInfo>,
    /// The tensors to fetch, by the names of the results.
    #[prost(btree_map = "string, message", tag = "2")]
    pub outputs: BTreeMap<String, TensorInfo>,
    /// The method, such as `tensorflow/serving/predict`.
    #[prost(string, tag = "3")]
    pub method_name: String,
    /// The default values of arguments.
    #[prost(btree_map = "string, message", tag = "4")]
    pub defaults: BTreeMap<String, TensorProto>,
}

/// A tensor of a signature.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorInfo {
    /// Its place in the graph.
    #[prost(oneof = "TensorEncoding", tags = "1, 4")]
    pub encoding: Option<TensorEncoding>,
    /// Its data type.
    #[prost(enumeration = "DataType", tag = "2")]
    pub dtype: i32,
    /// Its shape.
    #[prost(message, optional, tag = "3")]
    pub tensor_shape: Option<TensorShapeProto>,
}

/// The place of a tensor of a signature in the graph.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum TensorEncoding {
    /// The tensor of that name.
    #[prost(string, tag = "1")]
    Name(String),
    /// Three tensors that make up a sparse one.
    #[prost(message, tag = "4")]
    CooSparse(CooSparse),
}

/// The tensors that make up a sparse one.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CooSparse {
    /// The values.
    #[prost(string, tag = "1")]
    pub values_tensor_name: String,
    /// Their indices.
    #[prost(string, tag = "2")]
    pub indices_tensor_name: String,
    /// The extents.
    #[prost(string, tag = "3")]
    pub dense_shape_tensor_name: String,
}

/// A file next to a graph that it reads.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AssetFileDef {
    /// The tensor that takes its path.
    #[prost(message, optional, tag = "1")]
    pub tensor_info: Option<TensorInfo>,
    /// Its name.
    #[prost(string, tag = "2")]
    pub filename: String,
}
