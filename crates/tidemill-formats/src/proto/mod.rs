//! TensorFlow's protocol buffer messages, in the versions of TensorFlow 2.21.
//!
//! A decoded message keeps the fields that it knows, and drops the rest. Decoding limits the
//! nesting depth of messages.

mod attr_value;
mod event;
mod function;
mod graph;
mod meta_graph;
mod node;
mod op_def;
mod tensor;
mod types;

pub use attr_value::{AnyValue, AttrValue, ListValue, NameAttrList};
pub use event::{Event, Summary, SummaryValue};
pub use function::{ArgAttrs, FunctionDef, FunctionDefLibrary, GradientDef};
pub use graph::{GraphDef, VersionDef};
pub use meta_graph::{
    Any, AnyList, AssetFileDef, BytesList, CheckpointFormat, CheckpointState, Collection,
    CollectionDef, CooSparse, FloatList, Int64List, MetaGraphDef, MetaInfoDef, NodeList, OpList,
    SaveSliceInfoDef, SavedModel, SaverDef, SignatureDef, TensorEncoding, TensorInfo, VariableDef,
};
pub use node::NodeDef;
pub use op_def::{ArgDef, AttrDef, OpDef};
pub use prost::bytes::Bytes;
pub use prost::{DecodeError, Message};
pub use tensor::{Dim, TensorProto, TensorShapeProto};
pub use types::{DataType, DataTypeError};
