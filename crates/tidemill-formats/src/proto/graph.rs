use super::{FunctionDefLibrary, NodeDef};

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
