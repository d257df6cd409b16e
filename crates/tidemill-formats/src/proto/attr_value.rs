use std::collections::BTreeMap;

use super::{TensorProto, TensorShapeProto};

/// The value of an attribute.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AttrValue {
    /// The value; an empty list may have none.
    #[prost(oneof = "AnyValue", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10")]
    pub value: Option<AnyValue>,
}

/// A value of any kind.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum AnyValue {
    /// A list.
    #[prost(message, tag = "1")]
    List(ListValue),
    /// A string of bytes.
    #[prost(bytes = "vec", tag = "2")]
    S(Vec<u8>),
    /// An int.
    #[prost(int64, tag = "3")]
    I(i64),
    /// A float.
    #[prost(float, tag = "4")]
    F(f32),
    /// A bool.
    #[prost(bool, tag = "5")]
    B(bool),
    /// A data type.
    #[prost(enumeration = "super::DataType", tag = "6")]
    Type(i32),
    /// A shape.
    #[prost(message, tag = "7")]
    Shape(TensorShapeProto),
    /// A tensor.
    #[prost(message, tag = "8")]
    Tensor(TensorProto),
    /// In the body of a function, the name of the function's attribute that gives the value.
    #[prost(string, tag = "9")]
    Placeholder(String),
    /// A function of the library.
    #[prost(message, tag = "10")]
    Func(NameAttrList),
}

impl AnyValue {
    /// TensorFlow's name of this kind of value.
    pub const fn kind(&self) -> &'static str {
        match self {
            AnyValue::List(_) => "list",
            AnyValue::S(_) => "string",
            AnyValue::I(_) => "int",
            AnyValue::F(_) => "float",
            AnyValue::B(_) => "bool",
            AnyValue::Type(_) => "type",
            AnyValue::Shape(_) => "shape",
            AnyValue::Tensor(_) => "tensor",
            AnyValue::Placeholder(_) => "placeholder",
            AnyValue::Func(_) => "func",
        }
    }
}

/// A list of values of one kind.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListValue {
    /// Strings of bytes.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub s: Vec<Vec<u8>>,
    /// Ints.
    #[prost(int64, repeated, tag = "3")]
    pub i: Vec<i64>,
    /// Floats.
    #[prost(float, repeated, tag = "4")]
    pub f: Vec<f32>,
    /// Bools.
    #[prost(bool, repeated, tag = "5")]
    pub b: Vec<bool>,
    /// Data types.
    #[prost(enumeration = "super::DataType", repeated, tag = "6")]
    pub r#type: Vec<i32>,
    /// Shapes.
    #[prost(message, repeated, tag = "7")]
    pub shape: Vec<TensorShapeProto>,
    /// Tensors.
    #[prost(message, repeated, tag = "8")]
    pub tensor: Vec<TensorProto>,
    /// Functions of the library.
    #[prost(message, repeated, tag = "9")]
    pub func: Vec<NameAttrList>,
}

impl ListValue {
    /// The number of values of all kinds.
    pub fn len(&self) -> usize {
        let scalars = self.s.len() + self.i.len() + self.f.len() + self.b.len();
        scalars + self.r#type.len() + self.shape.len() + self.tensor.len() + self.func.len()
    }

    /// True if there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A function of the library, with values of its attributes.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NameAttrList {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The attributes by name.
    #[prost(btree_map = "string, message", tag = "2")]
    pub attr: BTreeMap<String, AttrValue>,
}
