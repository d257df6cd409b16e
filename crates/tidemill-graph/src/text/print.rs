use std::fmt::{self, Write};

use super::attr::{Constants, write_attr};
use super::cursor::is_name_char;
use super::literal::write_string;
use super::parse::constant_type;
use crate::node::argument_ranges;
use crate::{Arg, Arity, Attr, Attrs, Fact, Instr, Node, NodeId, OpDef, TensorId};

/// The names of the nodes of a graph or subgraph.
pub(super) type Names<'a> = &'a dyn Fn(NodeId) -> &'a str;

/// Writes a name as it is, or as a string if it has characters that names cannot have.
pub(super) fn write_name(out: &mut dyn Write, name: &str) -> fmt::Result {
    if !name.is_empty() && name.chars().all(is_name_char) {
        out.write_str(name)
    } else {
        write_string(out, name.as_bytes())
    }
}

/// Writes `name:1`, or just `name` for the first output.
pub(super) fn write_reference(
    out: &mut dyn Write,
    tensor: TensorId,
    names: Names<'_>,
) -> fmt::Result {
    write_name(out, names(tensor.node))?;
    if tensor.slot > 0 { write!(out, ":{}", tensor.slot) } else { Ok(()) }
}

/// Writes `name:0`.
pub(super) fn write_tensor_name(
    out: &mut dyn Write,
    tensor: TensorId,
    names: Names<'_>,
) -> fmt::Result {
    write_name(out, names(tensor.node))?;
    write!(out, ":{}", tensor.slot)
}

/// The contents of a line: a node of a graph, or an instruction of a subgraph.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    op: &'static OpDef,
    attrs: &'a Attrs,
    inputs: &'a [TensorId],
    control_inputs: &'a [NodeId],
    outputs: &'a [Fact],
}

impl<'a> From<&'a Node> for Line<'a> {
    fn from(node: &'a Node) -> Self {
        let Node { op, attrs, inputs, control_inputs, outputs } = node;
        Line { op, attrs, inputs, control_inputs, outputs }
    }
}

impl<'a> From<&'a Instr> for Line<'a> {
    fn from(instr: &'a Instr) -> Self {
        let Instr { op, attrs, inputs, outputs, .. } = instr;
        Line { op, attrs, inputs, control_inputs: &[], outputs }
    }
}

/// Writes the line of a node or instruction.
pub(super) fn write_line<'a>(
    out: &mut dyn Write,
    id: NodeId,
    line: impl Into<Line<'a>>,
    names: Names<'_>,
    constants: Constants,
) -> fmt::Result {
    let line = line.into();
    write_name(out, names(id))?;
    for (i, fact) in line.outputs.iter().enumerate() {
        write!(out, "{} {fact}", if i == 0 { ":" } else { "," })?;
    }
    write!(out, " = {}(", line.op.name)?;
    write_arguments(out, &line, names)?;
    out.write_str(")")?;
    for (name, attr) in line.attrs.iter().filter(|(name, attr)| !is_derived(&line, name, attr)) {
        out.write_str(" ")?;
        write_name(out, name)?;
        out.write_str("=")?;
        write_attr(out, attr, line.op.attr(name), constants)?;
    }
    for &control in line.control_inputs {
        out.write_str(" ^")?;
        write_name(out, names(control))?;
    }
    out.write_str("\n")
}

/// True if an attribute follows from the rest of the line: the number of tensors of an argument, or
/// the type of a constant.
fn is_derived(node: &Line<'_>, name: &str, attr: &Attr) -> bool {
    let counts =
        |arg: &Arg| matches!(arg.arity, Arity::Count(attr) | Arity::Types(attr) if attr == name);
    let of_constant = constant_type(node.op, node.attrs.get("value"));
    node.op.inputs.iter().any(counts)
        || of_constant.is_some_and(|(of, dtype)| of == name && attr.same(&Attr::Type(dtype)))
}

fn write_arguments(out: &mut dyn Write, node: &Line<'_>, names: Names<'_>) -> fmt::Result {
    for (i, (arg, range)) in
        node.op.inputs.iter().zip(argument_ranges(node.op.inputs, node.attrs)).enumerate()
    {
        let (open, close) = if arg.arity == Arity::One { ("", "") } else { ("[", "]") };
        write!(out, "{}{open}", if i > 0 { ", " } else { "" })?;
        for (j, &tensor) in node.inputs.get(range).unwrap_or_default().iter().enumerate() {
            out.write_str(if j > 0 { ", " } else { "" })?;
            write_reference(out, tensor, names)?;
        }
        out.write_str(close)?;
    }
    Ok(())
}
