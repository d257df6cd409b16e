use std::collections::BTreeMap;

use super::{AttrValue, FunctionDefLibrary};

/// A graph.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GraphDef {
    /// The nodes, in any order.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeDef>,
    /// The functions that nodes may call.
    #[prost(message, optional, tag = "2")]
    pub library: Option<FunctionDefLibrary>,
    /// The versions of TensorFlow that wrote the graph and that can read it.
    #[prost(message, optional, tag = "4")]
    pub versions: Option<VersionDef>,
}

/// A node of a graph.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NodeDef {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The operation type.
    #[prost(string, tag = "2")]
    pub op: String,
    /// The tensors it takes, as `node` or `node:output`, then the nodes it runs after, as `^node`.
    #[prost(string, repeated, tag = "3")]
    pub input: Vec<String>,
    /// The device it should run on.
    #[prost(string, tag = "4")]
    pub device: String,
    /// The attributes by name.
    #[prost(btree_map = "string, message", tag = "5")]
    pub attr: BTreeMap<String, AttrValue>,
}

/// The versions of a graph.
#[derive(Clone, PartialEq, prost::Message)]
pub struct VersionDef {
    /// The version of the producer.
    #[prost(int32, tag = "1")]
    pub producer: i32,
    /// The oldest version that can read it.
    #[prost(int32, tag = "2")]
    pub min_consumer: i32,
    /// Versions that cannot read it.
    #[prost(int32, repeated, tag = "3")]
    pub bad_consumers: Vec<i32>,
}
