//! Functions with gradients defined by the program.

use std::cell::RefCell;
use std::sync::Arc;

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, AttrKind, Fallible, GradCx, GradientError, Grads, HostFunction, Inferred,
    KernelCx, KernelError, NodeBuilder, NodeView, OpDef, OpError, Sample, TensorRef,
};
use tidemill_value::Value;

use super::array::zeros_like;
use crate::operand::composite;
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    ops: CUSTOM_GRADIENT;
    exports: CustomGradient, custom_gradient;
}

/// Tensors with a gradient rule defined by the program.
pub static CUSTOM_GRADIENT: OpDef =
    OpDef::new("CustomGradient", "Tensors with a gradient rule defined by the program.")
        .inputs(&[Arg::mixed("value", "T"), Arg::mixed("input", "Tin")])
        .outputs(&[Arg::mixed("output", "T")])
        .attrs(&[AttrDef::new("rule", AttrKind::Function)])
        .fallible(Fallible::Never)
        .infer(infer)
        .gradient(gradient)
        .kernel(|node| {
            let count = node.outputs().len();
            Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
                for i in 0..count {
                    let value = cx.take(i)?;
                    cx.set(i, value);
                }
                Ok(())
            }))
        })
        .samples(|| {
            let rule: Arc<HostFunction> = Arc::new(|_: &[Value]| Ok(Vec::new()));
            let (value, input) = (Value::from([1.0_f32, 2.0]), Value::from(3.0_f32));
            let sample = Sample::new([value.clone(), input], value).attr("rule", rule);
            // The rule need not agree with finite differences.
            vec![sample.gradient_error("without a rule")]
        });

fn infer(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let values = node.types_attr("T")?.len();
    let facts = node.inputs().iter().take(values);
    Ok(facts.map(|fact| Inferred::from(fact.shape.clone())).collect())
}

/// A call of a rule. It is passed through a thread-local, because a node can hold only host
/// functions of values, and a rule is a function of tensors.
struct RuleCall {
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    grads: Vec<Tensor>,
}

thread_local! {
    static CALL: RefCell<Option<RuleCall>> = const { RefCell::new(None) };
    static RETURNED: RefCell<Option<Vec<Option<Tensor>>>> = const { RefCell::new(None) };
}

fn gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let values = cx.node().outputs().len();
    let outputs: Vec<Tensor> = (0..values).map(|i| cx.output(i)).collect();
    let grad = |(i, &output): (usize, &Tensor)| cx.grad_of(i).unwrap_or_else(|| zeros_like(output));
    let call = RuleCall {
        inputs: (values..cx.input_count()).map(|i| cx.input(i)).collect(),
        grads: outputs.iter().enumerate().map(grad).collect(),
        outputs,
    };
    let inputs = call.inputs.len();
    let rule = cx.node().function_attr("rule")?;
    CALL.set(Some(call));
    RETURNED.set(None);
    let called = rule(&[]);
    CALL.set(None);
    called.map_err(|error| OpError::invalid(format!("the rule of a gradient fails: {error}")))?;
    let grads = RETURNED.take().ok_or_else(|| OpError::invalid("a function without a rule"))?;
    if grads.len() != inputs {
        let count = grads.len();
        let message = format!("the rule gives {count} gradients for {inputs} inputs");
        return Err(OpError::Invalid(message).into());
    }
    let of_values = std::iter::repeat_n(None, values);
    Ok(of_values.chain(grads.into_iter().map(|grad| grad.map(TensorRef::from))).collect())
}

/// The arguments of a [`custom_gradient`]'s rule.
#[derive(Clone, Copy, Debug)]
pub struct CustomGradient<'a> {
    /// The inputs of the function.
    pub inputs: &'a [Tensor],
    /// The outputs of the function.
    pub outputs: &'a [Tensor],
    /// The gradient of each output; zeros if an output is not used.
    pub grads: &'a [Tensor],
}

/// The tensors that `function` builds from `inputs`, with gradients from `rule` in place of the
/// derived ones.
///
/// The rule returns a gradient for each input, in its shape, or `None`. For higher-order gradients,
/// the rule itself is differentiated. Other tensors that the function uses get no gradient through
/// it.
///
/// # Errors
/// Differentiation fails if the rule does not return one gradient per input.
///
/// ```
/// use tidemill_ops::{clip_by_value, constant, custom_gradient};
/// // The identity, which lets only small gradients through.
/// let x = constant([1.0_f32, 2.0]);
/// let y = custom_gradient(
///     [x],
///     |inputs| inputs.to_vec(),
///     |cx| vec![Some(clip_by_value(cx.grads[0], -1.0, 1.0))],
/// );
/// assert_eq!(y[0].shape().to_string(), "[2]");
/// ```
#[track_caller]
pub fn custom_gradient<T, F, R>(
    inputs: impl IntoIterator<Item = T>,
    function: F,
    rule: R,
) -> Vec<Tensor>
where
    T: Into<Operand>,
    F: FnOnce(&[Tensor]) -> Vec<Tensor>,
    R: Fn(CustomGradient<'_>) -> Vec<Option<Tensor>> + Send + Sync + 'static,
{
    let mut tensors = Vec::new();
    for input in inputs {
        tensors.push(input.into().to_tensor());
    }
    let rule: Arc<HostFunction> = Arc::new(move |_: &[Value]| {
        if let Some(RuleCall { inputs, outputs, grads }) = CALL.take() {
            let (inputs, outputs, grads) = (&inputs[..], &outputs[..], &grads[..]);
            let returned = rule(CustomGradient { inputs, outputs, grads });
            RETURNED.set(Some(returned));
        }
        Ok(Vec::new())
    });
    let graph = tensors.first().and_then(|tensor| tensor.graph());
    composite(graph, "CustomGradient", |_| {
        let values = function(&tensors);
        let count = values.len();
        let node = NodeBuilder::new(&CUSTOM_GRADIENT).inputs(values).inputs(tensors);
        let node = node.attr("rule", rule).build();
        (0..count).map(|i| node.output(i as u32).into()).collect()
    })
}
