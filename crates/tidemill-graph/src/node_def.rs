use std::collections::BTreeMap;
use std::fmt::{self, Write};

use tidemill_value::{
    ByteString, Element, PartialShape, Value, bf16, f16, format_float32, format_float64,
    match_dtype,
};

use crate::{
    ArgType, Arity, Attr, AttrDef, AttrKind, Execution, GraphReader, Node, NodeId, NodeView,
};

impl GraphReader<'_> {
    /// The node as `print(op.node_def)` shows it in TensorFlow 1: TensorFlow's `NodeDef` message in
    /// the text format of protocol buffers, with all attributes, sorted by name.
    ///
    /// The elements of a tensor are listed, even if TensorFlow gives their bytes. Equal ones at the
    /// end are listed once, which means the same.
    pub fn node_def(&self, id: NodeId) -> String {
        let mut text = Text::default();
        // Writing to a string cannot fail.
        let _ = self.write_node_def(&mut text, id);
        text.text
    }

    fn write_node_def(&self, text: &mut Text, id: NodeId) -> fmt::Result {
        let node = self.node(id);
        text.string("name", self.name(id))?;
        text.string("op", node.op.name)?;
        for input in &node.inputs {
            match (self.name(input.node), input.slot) {
                (name, 0) => text.string("input", name)?,
                (name, slot) => text.string("input", format!("{name}:{slot}"))?,
            }
        }
        for &control in &node.control_inputs {
            text.string("input", format!("^{}", self.name(control)))?;
        }
        for (name, attr) in self.all_attrs(node) {
            text.message("attr", |text| {
                text.string("key", name)?;
                text.message("value", |text| write_attr(text, &attr))
            })?;
        }
        Ok(())
    }

    /// The attributes of a node by name: stored ones, defaults, and those that follow from the
    /// inputs.
    pub fn all_attrs<'n>(&self, node: &'n Node) -> BTreeMap<&'n str, Attr> {
        let facts = self.input_facts(node);
        let view = NodeView::new(node.op, &node.attrs, &facts, &node.outputs);
        let mut attrs = BTreeMap::new();
        if node.op.execution == Execution::Opaque {
            // Those of the file are kept with the node's note.
            return attrs;
        }
        let args = node.op.inputs.iter().chain(node.op.outputs);
        let of_args = args.filter_map(|arg| match (arg.dtype, arg.arity) {
            (ArgType::Attr(name), Arity::One | Arity::Count(_)) => Some(name),
            _ => None,
        });
        let of_type = |def: &&AttrDef| matches!(def.kind, AttrKind::Type(_));
        for name in of_args.chain(node.op.attrs.iter().filter(of_type).map(|def| def.name)) {
            if let Ok(dtype) = view.type_attr(name) {
                attrs.insert(name, Attr::Type(dtype));
            }
        }
        for def in node.op.attrs {
            if let Some(default) = def.default {
                attrs.entry(def.name).or_insert_with(|| default.to_attr());
            }
        }
        attrs.extend(node.attrs.iter().map(|(name, attr)| (name, attr.clone())));
        attrs
    }
}

/// A text in the text format of protocol buffers.
#[derive(std::default::Default)]
struct Text {
    text: String,
    depth: usize,
}

impl Text {
    fn indent(&mut self) {
        self.text.extend(std::iter::repeat_n("  ", self.depth));
    }

    fn field(&mut self, name: &str, value: impl fmt::Display) -> fmt::Result {
        self.indent();
        writeln!(self.text, "{name}: {value}")
    }

    fn string(&mut self, name: &str, value: impl AsRef<[u8]>) -> fmt::Result {
        self.field(name, quoted(value.as_ref()))
    }

    fn message(
        &mut self,
        name: &str,
        fields: impl FnOnce(&mut Text) -> fmt::Result,
    ) -> fmt::Result {
        self.indent();
        writeln!(self.text, "{name} {{")?;
        self.depth += 1;
        fields(self)?;
        self.depth -= 1;
        self.indent();
        self.text.push_str("}\n");
        Ok(())
    }
}

/// Writes the one field of an `AttrValue` that is set.
fn write_attr(text: &mut Text, attr: &Attr) -> fmt::Result {
    match attr {
        Attr::Int(x) => text.field("i", x),
        Attr::Float(x) => text.field("f", x.encode()),
        Attr::Bool(x) => text.field("b", x),
        Attr::Str(x) => text.string("s", x),
        Attr::Type(x) => text.field("type", x.proto_name()),
        Attr::Shape(x) => text.message("shape", |text| write_shape(text, x)),
        Attr::Tensor(x) => text.message("tensor", |text| write_tensor(text, x)),
        Attr::Ints(x) => text.message("list", |text| x.iter().try_for_each(|x| text.field("i", x))),
        Attr::Strs(x) => {
            text.message("list", |text| x.iter().try_for_each(|x| text.string("s", x)))
        }
        Attr::Types(x) => text
            .message("list", |text| x.iter().try_for_each(|x| text.field("type", x.proto_name()))),
        Attr::Shapes(x) => text.message("list", |text| {
            x.iter().try_for_each(|x| text.message("shape", |text| write_shape(text, x)))
        }),
        Attr::Function(_) => text.message("func", |text| text.string("name", "<host function>")),
        Attr::Body(x) => text.message("func", |text| text.string("name", x.name())),
        Attr::Bodies(x) => text.message("list", |text| {
            x.iter().try_for_each(|x| text.message("func", |text| text.string("name", x.name())))
        }),
    }
}

/// Writes the fields of a `TensorShapeProto`. A zero is not written.
fn write_shape(text: &mut Text, shape: &PartialShape) -> fmt::Result {
    let Some(dims) = shape.dims() else { return text.field("unknown_rank", true) };
    dims.iter().try_for_each(|dim| {
        text.message("dim", |text| match dim.known() {
            Some(0) => Ok(()),
            Some(extent) => text.field("size", extent),
            None => text.field("size", -1),
        })
    })
}

/// Writes the fields of a `TensorProto`. Its last element stands for all missing ones.
fn write_tensor(text: &mut Text, value: &Value) -> fmt::Result {
    text.field("dtype", value.dtype().proto_name())?;
    text.message("tensor_shape", |text| write_shape(text, &value.shape().into()))?;
    match_dtype!(value.dtype(), all, T => {
        let elements = value.as_slice::<T>().unwrap_or_default();
        let Some(last) = elements.last().map(Encode::encode) else { return Ok(()) };
        let repeated = elements.iter().rev().take_while(|x| x.encode() == last).count();
        let written = elements.iter().take(elements.len() - repeated + 1);
        written.map(Encode::encode).try_for_each(|x| text.field(T::FIELD, x))
    }, else Ok(()))
}

/// An element type as protocol buffers encode it.
trait Encode: Element {
    /// The field of a `TensorProto` that holds such elements.
    const FIELD: &'static str;

    fn encode(&self) -> String;
}

macro_rules! encode {
    ($($rust:ty, $field:literal, $encode:expr;)*) => {$(
        impl Encode for $rust {
            const FIELD: &'static str = $field;

            fn encode(&self) -> String {
                $encode(self)
            }
        }
    )*};
}

encode! {
    f32, "float_val", |x: &f32| with_long_exponent(format_float32(*x));
    f64, "double_val", |x: &f64| with_long_exponent(format_float64(*x));
    f16, "half_val", |x: &f16| x.to_bits().to_string();
    bf16, "half_val", |x: &bf16| x.to_bits().to_string();
    i8, "int_val", i8::to_string;
    i16, "int_val", i16::to_string;
    i32, "int_val", i32::to_string;
    i64, "int64_val", i64::to_string;
    u8, "int_val", u8::to_string;
    u16, "int_val", u16::to_string;
    u32, "uint32_val", u32::to_string;
    u64, "uint64_val", u64::to_string;
    bool, "bool_val", bool::to_string;
    ByteString, "string_val", |x: &ByteString| quoted(x);
}

/// A float as Python prints it: its exponent has a sign and at least two digits.
fn with_long_exponent(float: String) -> String {
    match float.split_once('e') {
        None => float,
        Some((mantissa, exponent)) => match exponent.strip_prefix('-') {
            None => format!("{mantissa}e+{exponent:0>2}"),
            Some(exponent) => format!("{mantissa}e-{exponent:0>2}"),
        },
    }
}

/// A string in double quotes, with octal escapes.
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for &byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'"' | b'\'' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    text.push('"');
    text
}
