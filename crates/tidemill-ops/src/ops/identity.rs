//! Operations whose output is their input: `Identity`, `StopGradient`, `PreventGradient`.

use tidemill_graph::{
    Arg, AttrDef, Fallible, GradientError, Inferred, Kernel, KernelCx, KernelError, NodeView,
    OpDef, OpError, Sample,
};
use tidemill_value::{DType, Value};

use crate::operand::unary;
use crate::{Operand, Tensor};

const T: &[AttrDef] = &[AttrDef::types("T", DType::ALL)];

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

/// All that is known of the first input.
pub(super) fn same_fact(node: &NodeView<'_>) -> Result<smallvec::SmallVec<[Inferred; 1]>, OpError> {
    let elements = node.elements(0).cloned();
    Ok(smallvec::smallvec![Inferred { shape: node.shape(0).clone(), elements }])
}

/// The input itself. Its gradient is that of the output.
pub static IDENTITY: OpDef = identity_like("Identity", "The input itself.")
    .gradient(|cx| Ok([Some(cx.grad())].into_iter().collect()));

/// The input itself, without a gradient.
pub static STOP_GRADIENT: OpDef =
    identity_like("StopGradient", "The input itself, taken as constant by gradients.")
        .not_differentiable();

/// The input itself; asking for a gradient is an error.
pub static PREVENT_GRADIENT: OpDef =
    identity_like("PreventGradient", "The input itself; its gradient is an error.")
        .attrs(&[AttrDef::types("T", DType::ALL), AttrDef::str("message", "")])
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

/// A new node whose value is that of `x`. Under `control_dependencies`, it is the value after
/// them.
#[doc(alias = "Identity")]
#[track_caller]
pub fn identity(x: impl Into<Operand>) -> Tensor {
    unary(&IDENTITY, x)
}

/// The value of `x`, which gradients take for a constant.
#[doc(alias = "StopGradient")]
#[track_caller]
pub fn stop_gradient(x: impl Into<Operand>) -> Tensor {
    unary(&STOP_GRADIENT, x)
}

/// The value of `x`; building a gradient through it is an error that gives `message`.
#[doc(alias = "PreventGradient")]
#[track_caller]
pub fn prevent_gradient(x: impl Into<Operand>, message: &str) -> Tensor {
    let node = tidemill_graph::NodeBuilder::new(&PREVENT_GRADIENT);
    crate::operand::tensor(node.input(x.into().to_tensor()).attr("message", message))
}
