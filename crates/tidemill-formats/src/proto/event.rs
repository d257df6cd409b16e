use super::TensorProto;

/// A record of an event file.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Event {
    /// When it happened, in seconds since 1970.
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    /// The step of the program.
    #[prost(int64, tag = "2")]
    pub step: i64,
    /// The version of the file, in its first record.
    #[prost(string, tag = "3")]
    pub file_version: String,
    /// The bytes of a `GraphDef`.
    #[prost(bytes = "vec", tag = "4")]
    pub graph_def: Vec<u8>,
    /// Values at the step.
    #[prost(message, optional, tag = "5")]
    pub summary: Option<Summary>,
}

/// Values at a step.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Summary {
    /// The values.
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<SummaryValue>,
}

/// A value at a step.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SummaryValue {
    /// The tag.
    #[prost(string, tag = "1")]
    pub tag: String,
    /// A number.
    #[prost(float, optional, tag = "2")]
    pub simple_value: Option<f32>,
    /// A tensor.
    #[prost(message, optional, tag = "8")]
    pub tensor: Option<TensorProto>,
}
