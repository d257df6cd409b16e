//! `Placeholder` and `PlaceholderWithDefault`.

use tidemill_graph::{
    Arg, AttrDef, AttrDefault, AttrKind, Execution, Inferred, KernelCx, KernelError, Location,
    NodeBuilder, OpDef, OpError, Sample, at_location, outside,
};
use tidemill_value::{DType, Element, PartialShape, Value, ValueError};

use crate::operand::tensor;
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    ops: PLACEHOLDER, PLACEHOLDER_WITH_DEFAULT;
    exports: placeholder, placeholder_of, placeholder_with_default;
}

/// A value that must be fed.
pub static PLACEHOLDER: OpDef = OpDef::new("Placeholder", "A value that must be fed.")
    .outputs(&[Arg::of("output", "dtype")])
    .attrs(&[
        AttrDef::types("dtype", DType::ANY),
        AttrDef::new("shape", AttrKind::Shape).default(AttrDefault::UnknownShape),
    ])
    .execution(Execution::Placeholder)
    .infer(|node| Inferred::one(node.shape_attr("shape")?))
    .not_differentiable()
    .samples(|| vec![Sample::error([], "was not fed").attr("dtype", DType::F32)]);

/// A value that can be fed.
pub static PLACEHOLDER_WITH_DEFAULT: OpDef =
    OpDef::new("PlaceholderWithDefault", "A value that can be fed, and has a default.")
        .inputs(&[Arg::of("input", "dtype")])
        .outputs(&[Arg::of("output", "dtype")])
        .attrs(&[
            AttrDef::types("dtype", DType::ANY),
            AttrDef::new("shape", AttrKind::Shape).default(AttrDefault::UnknownShape),
        ])
        .infer(|node| {
            let shape = node.shape_attr("shape")?;
            let compatible = node.shape(0).merge(&shape);
            compatible.map_err(OpError::from).and_then(|_| Inferred::one(shape))
        })
        .gradient(|cx| Ok([Some(cx.grad())].into_iter().collect()))
        .kernel(|node| {
            let admitted = node.shape_attr("shape")?;
            Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
                let default = cx.take(0)?;
                if !admitted.admits(default.shape()) {
                    let (left, right) = (admitted.clone(), default.shape().into());
                    return Err(ValueError::Incompatible { left, right }.into());
                }
                cx.set(0, default);
                Ok(())
            }))
        })
        .samples(|| {
            let input = Value::from([1.0_f32, 2.0]);
            let error = Sample::error([input.clone()], "contradict");
            vec![
                Sample::new([input.clone()], input.clone()).attr("shape", PartialShape::from([2])),
                Sample::new([input.clone()], input).attr("shape", PartialShape::of_rank(1)),
                error.attr("shape", PartialShape::from([3])),
            ]
        });

/// A placeholder: a node that must be fed in every run that needs it. The shape may be partial:
/// `placeholder::<f32>(shape![?, 784])`.
///
/// A run that needs the placeholder but does not feed it fails with an error that shows the chain
/// of nodes from the fetch to the placeholder.
///
/// ```
/// use tidemill_ops::placeholder;
/// use tidemill_value::DType;
/// let x = placeholder::<f32>([2, 3]);
/// assert_eq!(x.dtype(), Some(DType::F32));
/// ```
#[doc(alias = "Placeholder")]
#[track_caller]
pub fn placeholder<T: Element>(shape: impl Into<PartialShape>) -> Tensor {
    placeholder_of(T::DTYPE, shape)
}

/// A [`placeholder`] of a data type that is known only when the program runs.
///
/// ```
/// use tidemill_ops::placeholder_of;
/// use tidemill_value::DType;
/// let x = placeholder_of(DType::I64, [2, 3]);
/// assert_eq!(x.shape().to_string(), "[2, 3]");
/// ```
#[track_caller]
pub fn placeholder_of(dtype: DType, shape: impl Into<PartialShape>) -> Tensor {
    let node = NodeBuilder::new(&PLACEHOLDER).attr("dtype", dtype).attr("shape", shape.into());
    // Placeholders are always made outside of bodies, where they can be fed.
    at_location(Location::caller(), || outside(|| tensor(node)))
}

/// A placeholder that has the value of `input` in runs that do not feed it.
///
/// `shape` is the shape that may be fed: that of `input`, or a less specific one.
///
/// # Errors
/// A shape that contradicts that of `input`; if that is known only in a run, the run fails.
///
/// ```
/// use tidemill_ops::placeholder_with_default;
/// let rate = placeholder_with_default(0.5_f32, []);
/// assert_eq!(rate.shape().to_string(), "[]");
/// ```
#[doc(alias = "PlaceholderWithDefault")]
#[track_caller]
pub fn placeholder_with_default(
    input: impl Into<Operand>,
    shape: impl Into<PartialShape>,
) -> Tensor {
    let input = input.into().to_tensor();
    tensor(NodeBuilder::new(&PLACEHOLDER_WITH_DEFAULT).input(input).attr("shape", shape.into()))
}
