//! `Const`.

use std::borrow::Cow;

use smallvec::smallvec;
use tidemill_graph::{
    Arg, AttrDef, AttrKind, Execution, Fact, Fallible, GraphKey, Inferred, NodeBuilder, OpDef,
    Sample, fail,
};
use tidemill_value::{DType, IntoValue, Value, ValueError};

use crate::Tensor;
pub use crate::operand::convert_to_tensor;
use crate::operations::operations;

operations! {
    ops: OP;
    exports: constant, convert_to_tensor;
}

/// A value that never changes.
pub static OP: OpDef = OpDef::new("Const", "A value that never changes.")
    .outputs(&[Arg::of("output", "dtype")])
    .attrs(&[AttrDef::new("value", AttrKind::Tensor), AttrDef::types("dtype", DType::ALL)])
    .execution(Execution::Constant)
    .fallible(Fallible::Never)
    .infer(|node| {
        let value = node.tensor_attr("value")?;
        let dtype = node.type_attr("dtype")?;
        if value.dtype() != dtype {
            return Err(ValueError::DType { expected: dtype, actual: value.dtype() }.into());
        }
        Ok(smallvec![Inferred::same_as(&Fact::of(&value))])
    })
    .not_differentiable()
    .samples(|| {
        let constant = |value: Value| {
            Sample::new([], value.clone()).attr("dtype", value.dtype()).attr("value", value)
        };
        let mismatch = Sample::error([], "the value is float32, not int32")
            .attr("dtype", DType::I32)
            .attr("value", Value::from(1.0_f32));
        vec![constant(Value::from(2)), constant(Value::from(vec![1.0_f32, f32::NAN])), mismatch]
    });

/// A constant: a node with a fixed value.
///
/// Every call adds a node, even if an equal one exists. The value may be a number, a string, an
/// array or nested vectors of them, an `ndarray` array, or a [`Value`]; it is moved if possible.
///
/// ```
/// use tidemill_ops::constant;
/// let two = constant(2);
/// assert_eq!(two.to_string(), r#"Tensor("Const:0", shape=(), dtype=int32)"#);
/// ```
///
/// # Errors
/// A nested vector that is ragged.
#[doc(alias = "Const")]
#[track_caller]
pub fn constant(value: impl IntoValue) -> Tensor {
    match value.into_value() {
        Ok(value) => constant_node(None, Cow::Borrowed("Const"), value),
        Err(error) => {
            let kind = tidemill_graph::OpError::from(error);
            fail(None, "Const", kind, Vec::new()).output(0).into()
        }
    }
}

/// Adds a constant to a graph, or to the default one.
#[track_caller]
pub(crate) fn constant_node(
    graph: Option<GraphKey>,
    name: impl Into<Cow<'static, str>>,
    value: Value,
) -> Tensor {
    let mut node = NodeBuilder::new(&OP).name(name);
    if let Some(graph) = graph {
        node = node.graph(graph);
    }
    crate::handle::tensor(node.attr("dtype", value.dtype()).attr("value", value))
}
