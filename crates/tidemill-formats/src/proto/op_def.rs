use super::AttrValue;

/// The signature of an operation or function.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OpDef {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The inputs.
    #[prost(message, repeated, tag = "2")]
    pub input_arg: Vec<ArgDef>,
    /// The outputs.
    #[prost(message, repeated, tag = "3")]
    pub output_arg: Vec<ArgDef>,
    /// The attributes.
    #[prost(message, repeated, tag = "4")]
    pub attr: Vec<AttrDef>,
    /// A summary, in one sentence.
    #[prost(string, tag = "5")]
    pub summary: String,
    /// A description.
    #[prost(string, tag = "6")]
    pub description: String,
    /// True if a run does more than compute its outputs.
    #[prost(bool, tag = "17")]
    pub is_stateful: bool,
    /// For a function, the names of nodes that run even if no output needs them.
    #[prost(string, repeated, tag = "20")]
    pub control_output: Vec<String>,
}

/// An input or output.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ArgDef {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// A description.
    #[prost(string, tag = "2")]
    pub description: String,
    /// The data type, unless an attribute holds it.
    #[prost(enumeration = "super::DataType", tag = "3")]
    pub r#type: i32,
    /// The attribute that holds the data type.
    #[prost(string, tag = "4")]
    pub type_attr: String,
    /// The attribute that counts the tensors of a list of one type.
    #[prost(string, tag = "5")]
    pub number_attr: String,
    /// The attribute that holds the data types of a list of tensors.
    #[prost(string, tag = "6")]
    pub type_list_attr: String,
    /// True if it names a variable.
    #[prost(bool, tag = "16")]
    pub is_ref: bool,
}

/// An attribute of a signature.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AttrDef {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The kind of values, such as `list(int)`.
    #[prost(string, tag = "2")]
    pub r#type: String,
    /// The default value.
    #[prost(message, optional, tag = "3")]
    pub default_value: Option<AttrValue>,
    /// A description.
    #[prost(string, tag = "4")]
    pub description: String,
    /// True if there is a least value, or length of a list.
    #[prost(bool, tag = "5")]
    pub has_minimum: bool,
    /// The least value, or length of a list.
    #[prost(int64, tag = "6")]
    pub minimum: i64,
    /// The values it may have, as a list.
    #[prost(message, optional, tag = "7")]
    pub allowed_values: Option<AttrValue>,
}
