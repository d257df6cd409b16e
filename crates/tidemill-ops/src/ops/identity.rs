//! Operations whose output is their input: `Identity`, `StopGradient`, `PreventGradient`.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, AttrKind, Fallible, GradientError, Inferred, Kernel, KernelCx, KernelError,
    NodeBuilder, NodeView, OpDef, OpError, Sample,
};
use tidemill_value::{DType, Value};

use crate::operand::unary;
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    ops: IDENTITY, IDENTITY_N, PREVENT_GRADIENT, SNAPSHOT, STOP_GRADIENT;
    exports: identity, identity_n, prevent_gradient, snapshot, stop_gradient;
}

const T: &[AttrDef] = &[AttrDef::types("T", DType::ANY)];

/// An operation whose output is its input.
const fn identity_like(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .inputs(const { &[Arg::of("input", "T")] })
        .outputs(const { &[Arg::of("output", "T")] })
        .attrs(T)
        .fallible(Fallible::Never)
        .infer(same_fact)
        .kernel(|_| Ok(pass_through()))
        .samples(|| {
            let input = Value::from([1.0_f32, -2.0]);
            vec![Sample::new([input.clone()], input)]
        })
}

/// All facts known about the first input.
pub(super) fn same_fact(node: &NodeView<'_>) -> Result<smallvec::SmallVec<[Inferred; 1]>, OpError> {
    Ok(smallvec::smallvec![Inferred::same_as(&node.inputs()[0])])
}

/// The input itself. Its gradient is that of the output.
pub static IDENTITY: OpDef = identity_like("Identity", "The input itself.")
    .gradient(|cx| Ok([Some(cx.grad())].into_iter().collect()));

/// The input itself, even if the variable that it comes from changes. Its gradient is that of the
/// output.
pub static SNAPSHOT: OpDef =
    identity_like("Snapshot", "The input itself, even if the variable that it comes from changes.")
        .gradient(|cx| Ok([Some(cx.grad())].into_iter().collect()));

/// The inputs themselves, all of them computed before any is used.
pub static IDENTITY_N: OpDef =
    OpDef::new("IdentityN", "The inputs themselves, all of them computed before any is used.")
        .inputs(&[Arg::mixed("input", "T")])
        .outputs(&[Arg::mixed("output", "T")])
        .attrs(&[AttrDef::new("T", AttrKind::Types)])
        .fallible(Fallible::Never)
        .infer(|node| Ok(node.inputs().iter().map(Inferred::same_as).collect()))
        .gradient(|cx| Ok((0..cx.input_count()).map(|i| cx.grad_of(i)).collect()))
        .kernel(|_| {
            Ok(Box::new(|cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
                // An input may occur twice, so none is taken before all are read.
                let values: SmallVec<[Value; 4]> = cx.all_inputs()?.into_iter().cloned().collect();
                values.into_iter().enumerate().for_each(|(i, value)| cx.set(i, value));
                Ok(())
            }))
        })
        .samples(|| {
            let values = || vec![Value::from([1.0_f32, -2.0]), Value::from(3), Value::from("a")];
            vec![Sample::shapes([]).arguments(vec![values()]).outputs(values())]
        });

/// The input itself, without a gradient.
pub static STOP_GRADIENT: OpDef =
    identity_like("StopGradient", "The input itself, taken as constant by gradients.")
        .not_differentiable();

/// The input itself; asking for a gradient is an error.
pub static PREVENT_GRADIENT: OpDef =
    identity_like("PreventGradient", "The input itself; its gradient is an error.")
        .attrs(&[AttrDef::types("T", DType::ANY), AttrDef::str("message", "")])
        .gradient(|cx| {
            let message = cx.node().str_attr("message")?;
            Err(GradientError::Op(OpError::invalid(format!(
                "the gradient is prevented: {message}"
            ))))
        })
        .samples(|| {
            let input = Value::from([1.0_f32, -2.0]);
            let sample = Sample::new([input.clone()], input).attr("message", "so it is");
            vec![sample.gradient_error("the gradient is prevented: so it is")]
        });

struct PassThrough;

impl Kernel for PassThrough {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let input = cx.take(0)?;
        cx.set(0, input);
        Ok(())
    }
}

/// A kernel whose first output is its first input.
pub(crate) fn pass_through() -> Box<dyn Kernel> {
    Box::new(PassThrough)
}

/// A new node whose value is that of `x`. Under `control_dependencies`, the node runs after them,
/// and reads a variable after them.
///
/// ```
/// use tidemill_ops::{constant, identity};
/// assert_eq!(identity(constant([1.0_f32, 2.0])).shape().to_string(), "[2]");
/// ```
#[doc(alias = "Identity")]
#[track_caller]
pub fn identity(x: impl Into<Operand>) -> Tensor {
    unary(&IDENTITY, x)
}

/// The value of `x`, which gradients treat as a constant.
///
/// ```
/// use tidemill_ops::{constant, stop_gradient};
/// assert_eq!(stop_gradient(constant([1.0_f32, 2.0])).shape().to_string(), "[2]");
/// ```
#[doc(alias = "StopGradient")]
#[track_caller]
pub fn stop_gradient(x: impl Into<Operand>) -> Tensor {
    unary(&STOP_GRADIENT, x)
}

/// The value of `x`; building a gradient through it is an error with the text `message`.
///
/// ```
/// use tidemill_ops::{constant, prevent_gradient};
/// let x = prevent_gradient(constant([1.0_f32, 2.0]), "not there yet");
/// assert_eq!(x.shape().to_string(), "[2]");
/// ```
#[doc(alias = "PreventGradient")]
#[track_caller]
pub fn prevent_gradient(x: impl Into<Operand>, message: &str) -> Tensor {
    let node = tidemill_graph::NodeBuilder::new(&PREVENT_GRADIENT);
    crate::operand::tensor(node.input(x.into().to_tensor()).attr("message", message))
}

/// The tensors themselves, of any types; all are computed before any result is available.
///
/// Gradients pass through.
///
/// ```
/// use tidemill_ops::{constant, identity_n};
/// let both = identity_n([constant([1.0_f32]), constant([2.0_f32, 3.0])]);
/// assert_eq!(both[1].shape().to_string(), "[2]");
/// ```
#[doc(alias = "IdentityN")]
#[track_caller]
pub fn identity_n<T: Into<Operand>>(values: impl IntoIterator<Item = T>) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    for value in values {
        tensors.push(value.into().to_tensor());
    }
    let count = tensors.len();
    let node = NodeBuilder::new(&IDENTITY_N).inputs(tensors).build();
    (0..count).map(|i| node.output(i as u32).into()).collect()
}

/// The value of `x`, as with [`identity`]. Its gradient passes through.
///
/// TensorFlow copies the value in case it changes later in the run. Here, values never change, so
/// nothing is copied.
///
/// ```
/// use tidemill_ops::{constant, snapshot};
/// assert_eq!(snapshot(constant([1.0_f32, 2.0])).shape().to_string(), "[2]");
/// ```
#[doc(alias = "Snapshot")]
#[track_caller]
pub fn snapshot(x: impl Into<Operand>) -> Tensor {
    unary(&SNAPSHOT, x)
}
