use std::collections::BTreeMap;

use super::AttrValue;

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
