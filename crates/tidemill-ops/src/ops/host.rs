//! Functions of the host program as operations.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, AttrKind, Effect, Fact, Fallible, HostFunction, Inferred, Kernel, KernelCx,
    KernelError, NodeBuilder, NodeView, OpDef, OpError, Sample,
};
use tidemill_value::{DType, Element, PartialShape, Value};

use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    ops: HOST_CALL;
    exports: HostOutput, host_call;
}

/// Calls a function of the host program.
pub static HOST_CALL: OpDef = OpDef::new("HostCall", "Calls a function of the host program.")
    .inputs(&[Arg::mixed("input", "Tin")])
    .outputs(&[Arg::mixed("output", "Tout")])
    .attrs(&[
        AttrDef::new("Tout", AttrKind::Types),
        AttrDef::new("shapes", AttrKind::Shapes),
        AttrDef::new("function", AttrKind::Function),
    ])
    .effect(Effect::Host)
    .fallible(Fallible::Values)
    .infer(infer)
    .kernel(kernel)
    .not_differentiable()
    .samples(|| {
        let double: Arc<HostFunction> =
            Arc::new(|inputs: &[Value]| Ok(vec![Value::from(2 * inputs[0].to_scalar::<i32>()?)]));
        let sample = Sample::new([], Value::from(6))
            .attr("Tout", vec![DType::I32])
            .attr("shapes", vec![PartialShape::scalar()])
            .attr("function", double);
        vec![Sample { inputs: vec![vec![Value::from(3)]], ..sample }]
    });

fn infer(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let shapes = node.shapes_attr("shapes")?;
    if shapes.len() != node.types_attr("Tout")?.len() {
        return Err(OpError::attr("shapes", "there must be as many shapes as types of outputs"));
    }
    Ok(shapes.iter().cloned().map(Inferred::from).collect())
}

struct HostCall {
    function: Arc<HostFunction>,
    outputs: Vec<Fact>,
}

fn kernel(node: &NodeView<'_>) -> Result<Box<dyn Kernel>, OpError> {
    let function = node.function_attr("function")?;
    Ok(Box::new(HostCall { function, outputs: node.outputs().to_vec() }))
}

impl Kernel for HostCall {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let inputs: Vec<Value> = cx.all_inputs()?.into_iter().cloned().collect();
        let called = catch_unwind(AssertUnwindSafe(|| (self.function)(&inputs)));
        let returned = called.unwrap_or_else(|panic| Err(panic_message(&*panic).into()));
        let outputs = returned.map_err(|error| KernelError::Host { source: error.into() })?;
        let kept = outputs.len() == self.outputs.len()
            && outputs.iter().zip(&self.outputs).all(|(output, promised)| {
                output.dtype() == promised.dtype && promised.shape.admits(output.shape())
            });
        if !kept {
            let actual: Vec<Fact> = outputs.iter().map(Fact::of).collect();
            return Err(KernelError::HostOutput {
                promised: format!("{:?}", self.outputs),
                actual: format!("{actual:?}"),
            });
        }
        outputs.into_iter().enumerate().for_each(|(i, output)| cx.set(i, output));
        Ok(())
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("it panicked: {}", text.as_deref().unwrap_or("with no message"))
}

/// The declared type and shape of an output of a [`host_call`].
#[derive(Clone, Debug)]
pub struct HostOutput {
    dtype: DType,
    shape: PartialShape,
}

impl HostOutput {
    /// Elements of type `T`, with a possibly partial shape.
    pub fn new<T: Element>(shape: impl Into<PartialShape>) -> Self {
        HostOutput { dtype: T::DTYPE, shape: shape.into() }
    }
}

/// Calls `function` with the values of `inputs`, once in every run that needs one of the returned
/// tensors.
///
/// The function may do anything, so runs call it in the order of the graph, never twice, and
/// never skip it. It must not run the session that calls it. No gradient passes through it.
///
/// # Errors
/// A run fails if the function fails or panics, or if its results do not match `outputs`.
///
/// ```
/// use tidemill_ops::{HostOutput, constant, host_call};
/// let x = constant(vec![1.0_f32, 2.0]);
/// let sum = host_call([x], [HostOutput::new::<f32>([])], |inputs| {
///     let sum: f32 = inputs[0].as_slice::<f32>()?.iter().sum();
///     Ok(vec![sum.into()])
/// });
/// assert_eq!(sum[0].shape().to_string(), "[]");
/// ```
#[track_caller]
pub fn host_call<T, F>(
    inputs: impl IntoIterator<Item = T>,
    outputs: impl IntoIterator<Item = HostOutput>,
    function: F,
) -> Vec<Tensor>
where
    T: Into<Operand>,
    F: Fn(&[Value]) -> Result<Vec<Value>, Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
{
    let mut tensors = Vec::new();
    for input in inputs {
        tensors.push(input.into().to_tensor());
    }
    let (types, shapes): (Vec<DType>, Vec<PartialShape>) =
        outputs.into_iter().map(|output| (output.dtype, output.shape)).unzip();
    let count = types.len();
    let function: Arc<HostFunction> = Arc::new(function);
    let node = NodeBuilder::new(&HOST_CALL)
        .inputs(tensors)
        .attr("Tout", types)
        .attr("shapes", shapes)
        .attr("function", function);
    let call = node.build();
    (0..count).map(|i| call.output(i as u32).into()).collect()
}
