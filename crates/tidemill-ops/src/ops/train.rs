//! Updates of variables by optimizers.

use smallvec::SmallVec;
use tidemill_graph::{
    Access, Arg, AttrDef, Execution, Inferred, Kernel, KernelCx, KernelError, NodeView, OpDef,
    OpError, Sample, TensorRef,
};
use tidemill_kernels::update;
use tidemill_value::{DType, Value, ValueError, match_dtype};

use super::resource::written;
use crate::{Operand, Tensor};

/// A step of gradient descent.
pub static APPLY_GRADIENT_DESCENT: OpDef = OpDef::new(
    "ApplyGradientDescent",
    "Subtracts a gradient, times a learning rate, from a variable.",
)
.inputs(&[Arg::of("var", "T").access(Access::Update), Arg::of("alpha", "T"), Arg::of("delta", "T")])
.outputs(&[Arg::of("out", "T").access(Access::Update)])
.attrs(&[AttrDef::widened("T", DType::FLOATS), AttrDef::bool("use_locking", false)])
.execution(Execution::Write)
.infer(infer)
.kernel(kernel)
.not_differentiable()
.samples(|| {
    let variable = Value::from([1.0_f32, 2.0]);
    let (rate, delta) = (Value::from(0.5_f32), Value::from([2.0_f32, -2.0]));
    vec![Sample::new([variable, rate, delta], Value::from([0.0_f32, 3.0]))]
});

/// A step of gradient descent of a resource variable.
pub static RESOURCE_APPLY_GRADIENT_DESCENT: OpDef = OpDef::new(
    "ResourceApplyGradientDescent",
    "Subtracts a gradient, times a learning rate, from a resource variable.",
)
.inputs(&[
    Arg::handle("var", "T").access(Access::Update),
    Arg::of("alpha", "T"),
    Arg::of("delta", "T"),
])
.attrs(&[AttrDef::types("T", DType::FLOATS), AttrDef::bool("use_locking", false)])
.execution(Execution::Write)
.infer(infer)
.kernel(kernel)
.not_differentiable()
.samples(|| {
    let variable = Value::from([1.0_f32, 2.0]);
    let (rate, delta) = (Value::from(0.5_f32), Value::from([2.0_f32, -2.0]));
    vec![Sample::shapes([variable, rate, delta])]
});

fn infer(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    if node.shape(1).rank().is_some_and(|rank| rank != 0) {
        let (input, actual) = ("alpha", node.shape(1).clone());
        return Err(OpError::Rank { input, expected: "no axes", actual });
    }
    Inferred::one(node.shape(0).merge(node.shape(2))?)
}

fn kernel(node: &NodeView<'_>) -> Result<Box<dyn Kernel>, OpError> {
    let dtype = node.dtype(0);
    Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
        let (variable, delta) = (cx.input(0)?, cx.input(2)?);
        if variable.shape() != delta.shape() {
            let (left, right) = (variable.shape().into(), delta.shape().into());
            return Err(ValueError::Incompatible { left, right }.into());
        }
        // A buffer that a reader still holds is copied by `as_mut_slice`.
        let mut variable = cx.take(0)?;
        match_dtype!(dtype, floats, T => {
            let rate: T = cx.input(1)?.to_scalar()?;
            update::apply_gradient_descent(variable.as_mut_slice()?, rate, cx.slice(2)?)?;
        }, else ());
        cx.set(0, variable);
        Ok(())
    }))
}

/// Subtracts `rate * gradient` from `variable`, in every run that needs this node; the result is
/// what it holds then.
///
/// # Errors
/// A rate that is not a single number, or a gradient of another type or shape.
///
/// ```
/// use tidemill_ops::{apply_gradient_descent, constant, get_variable, zeros};
/// let weights = get_variable("weights", [2], zeros());
/// let step = apply_gradient_descent(weights, 0.1, constant([1.0_f32, 2.0]));
/// assert_eq!(step.shape().to_string(), "[2]");
/// ```
#[doc(alias = "ApplyGradientDescent")]
#[track_caller]
pub fn apply_gradient_descent(
    variable: impl Into<TensorRef>,
    rate: impl Into<Operand>,
    gradient: impl Into<Operand>,
) -> Tensor {
    let variable = variable.into();
    let rate = rate.into().to_tensor_like(variable.into(), "alpha");
    let gradient = gradient.into().to_tensor_like(variable.into(), "delta");
    let ops = [&APPLY_GRADIENT_DESCENT, &RESOURCE_APPLY_GRADIENT_DESCENT];
    written(ops, variable, |node| node.input(rate).input(gradient))
}
