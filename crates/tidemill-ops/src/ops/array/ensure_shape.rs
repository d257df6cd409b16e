//! `EnsureShape`.

use smallvec::smallvec;
use tidemill_graph::{
    Arg, AttrDef, AttrKind, Inferred, KernelCx, KernelError, NodeBuilder, OpDef, OpError, Sample,
};
use tidemill_value::{DType, PartialShape, Value, ValueError};

use crate::operand::tensor;
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    ops: ENSURE_SHAPE;
    exports: ensure_shape;
}

/// The input itself; fails if its shape is another one.
pub static ENSURE_SHAPE: OpDef =
    OpDef::new("EnsureShape", "The input itself; fails where its shape is not the one expected.")
        .inputs(&[Arg::of("input", "T")])
        .outputs(&[Arg::of("output", "T")])
        .attrs(&[AttrDef::new("shape", AttrKind::Shape), AttrDef::types("T", DType::ALL)])
        .infer(|node| {
            let shape = node.shape(0).merge(&node.shape_attr("shape")?).map_err(OpError::from)?;
            Ok(smallvec![Inferred::with_elements(shape, node.elements(0).cloned())])
        })
        .gradient(|cx| Ok([Some(cx.grad())].into_iter().collect()))
        .kernel(|node| {
            let expected = node.shape_attr("shape")?;
            Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
                let value = cx.take(0)?;
                if !expected.admits(value.shape()) {
                    let (left, right) = (expected.clone(), value.shape().into());
                    return Err(ValueError::Incompatible { left, right }.into());
                }
                cx.set(0, value);
                Ok(())
            }))
        })
        .samples(|| {
            let x = Value::from([1.0_f32, 2.0]);
            vec![
                Sample::new([x.clone()], x.clone()).attr("shape", PartialShape::from([2])),
                Sample::new([x.clone()], x.clone()).attr("shape", PartialShape::of_rank(1)),
                Sample::error([x], "contradict").attr("shape", PartialShape::from([3])),
            ]
        });

/// `x` itself, with `shape` known from here on. Its gradient passes through.
///
/// # Errors
/// The shape contradicts the known shape of `x`. If that is known only in a run, the run fails.
///
/// ```
/// use tidemill_ops::{ensure_shape, placeholder};
/// use tidemill_value::shape;
/// let x = ensure_shape(placeholder::<f32>(shape![..]), shape![?, 3]);
/// assert_eq!(x.shape().to_string(), "[?, 3]");
/// ```
#[doc(alias = "EnsureShape")]
#[track_caller]
pub fn ensure_shape(x: impl Into<Operand>, shape: impl Into<PartialShape>) -> Tensor {
    let node = NodeBuilder::new(&ENSURE_SHAPE).input(x.into().to_tensor());
    tensor(node.attr("shape", shape.into()))
}
