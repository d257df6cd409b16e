//! Queues: `FIFOQueueV2`, and the operations that enqueue and dequeue elements.
//!
//! A queue is a variable of a session that starts without elements: its value is a list of strings,
//! one for each element, with the bytes of its components. So a run that fails leaves a queue
//! unchanged. Nothing blocks: dequeuing from an empty queue is an error, and a queue accepts more
//! elements than its capacity.

use tidemill_formats::SplatBudget;
use tidemill_formats::proto::{ListValue, Message, TensorProto};
use tidemill_graph::{
    Access, Arg, AttrDef, AttrDefault, AttrKind, Execution, Fallible, Inferred, KernelCx,
    KernelError, OpDef, OpError, Role, Sample,
};
use tidemill_value::{ByteString, DType, Dim, PartialShape, Value};

use crate::kernel::kernel;
use crate::operations::operations;

operations! {
    ops: FIFO_QUEUE, QUEUE_DEQUEUE, QUEUE_ENQUEUE, QUEUE_SIZE;
}

/// Any number of elements.
fn elements() -> PartialShape {
    [Dim::UNKNOWN].into_iter().collect()
}

/// A first-in, first-out queue.
pub static FIFO_QUEUE: OpDef = OpDef::new("FIFOQueueV2", "A first-in, first-out queue.")
    .outputs(&[Arg { role: Role::Handle, ..Arg::is("handle", DType::String) }])
    .attrs(&[
        AttrDef::new("component_types", AttrKind::Types),
        AttrDef::new("shapes", AttrKind::Shapes).default(AttrDefault::NoShapes),
        AttrDef::int("capacity", -1),
        AttrDef::str("container", ""),
        AttrDef::str("shared_name", ""),
    ])
    .execution(Execution::Variable)
    .infer(|_| Inferred::one(elements()))
    .not_differentiable()
    .samples(|| {
        let sample = Sample::error([], "is the handle of a variable");
        vec![sample.attr("component_types", vec![DType::F32])]
    });

/// Puts an element into a queue.
pub static QUEUE_ENQUEUE: OpDef = OpDef::new("QueueEnqueueV2", "Puts an element into a queue.")
    .inputs(&[
        Arg::any_handle("handle").access(Access::Amend),
        Arg::mixed("components", "Tcomponents"),
    ])
    .attrs(&[AttrDef::new("Tcomponents", AttrKind::Types), AttrDef::int("timeout_ms", -1)])
    .execution(Execution::Write)
    .fallible(Fallible::Values)
    .infer(|_| Inferred::one(elements()))
    .kernel(|_| {
        Ok(Box::new(|cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
            let mut queue = queue_of(cx)?;
            let components: Vec<&Value> =
                (1..cx.input_count()).map(|i| cx.input(i)).collect::<Result<_, _>>()?;
            queue.push(encode(&components));
            cx.set(0, Value::from(queue));
            Ok(())
        }))
    })
    .not_differentiable()
    .samples(|| {
        let queue = Value::from(vec![encode(&[&Value::from(1.0_f32)])]);
        vec![Sample::shapes([]).arguments(vec![vec![queue], vec![Value::from(2.0_f32)]])]
    });

/// Takes the first element out of a queue.
pub static QUEUE_DEQUEUE: OpDef =
    OpDef::new("QueueDequeueV2", "Takes the first element out of a queue.")
        .inputs(&[Arg::any_handle("handle").access(Access::Amend)])
        .outputs(&[Arg::mixed("components", "component_types")])
        .attrs(&[AttrDef::new("component_types", AttrKind::Types), AttrDef::int("timeout_ms", -1)])
        .execution(Execution::Write)
        .fallible(Fallible::Values)
        .infer(|node| {
            let components = node.types_attr("component_types")?.len();
            let unknown = (0..components).map(|_| PartialShape::unknown().into());
            Ok(unknown.chain([elements().into()]).collect())
        })
        .kernel(|node| {
            let dtypes = node.types_attr("component_types")?;
            Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
                let mut queue = queue_of(cx)?;
                if queue.is_empty() {
                    return Err(OpError::invalid("the queue is empty").into());
                }
                let components = decode(&queue.remove(0), &dtypes)?;
                let count = components.len();
                components.into_iter().enumerate().for_each(|(i, value)| cx.set(i, value));
                cx.set(count, Value::from(queue));
                Ok(())
            }))
        })
        .not_differentiable()
        .samples(|| {
            let element = |x: f32| encode(&[&Value::from(x)]);
            let queue = || [Value::from(vec![element(1.5), element(2.5)])];
            let none = [Value::from(Vec::<ByteString>::new())];
            let dtypes = |dtype| vec![dtype];
            vec![
                Sample::new(queue(), 1.5_f32.into()).attr("component_types", dtypes(DType::F32)),
                Sample::error(queue(), "F32").attr("component_types", dtypes(DType::I32)),
                Sample::error(none, "is empty").attr("component_types", dtypes(DType::F32)),
            ]
        });

/// The number of elements in a queue.
pub static QUEUE_SIZE: OpDef = OpDef::new("QueueSizeV2", "The number of elements in a queue.")
    .inputs(&[Arg::any_handle("handle").access(Access::Peek)])
    .outputs(&[Arg::is("size", DType::I32)])
    .fallible(Fallible::Never)
    .infer(|_| Inferred::one(PartialShape::scalar()))
    .kernel(|_| Ok(kernel(|cx| Ok(Value::from(cx.peek(0).map_or(0, Value::elements) as i32)))))
    .not_differentiable()
    .samples(|| {
        let queue = Value::from(vec![ByteString::from("a"), "b".into()]);
        vec![Sample::new([queue], Value::from(2))]
    });

/// The elements of the queue that is the first input.
fn queue_of(cx: &KernelCx<'_>) -> Result<Vec<ByteString>, KernelError> {
    Ok(cx.peek(0).map_or(Ok(Vec::new()), |queue| queue.as_slice().map(<[_]>::to_vec))?)
}

fn encode(components: &[&Value]) -> ByteString {
    let tensor = components.iter().map(|value| TensorProto::from(*value)).collect();
    ListValue { tensor, ..ListValue::default() }.encode_to_vec().into()
}

fn decode(element: &[u8], dtypes: &[DType]) -> Result<Vec<Value>, KernelError> {
    let damaged = |error: &dyn std::fmt::Display| OpError::Invalid(format!("an element: {error}"));
    let list = ListValue::decode(element).map_err(|error| damaged(&error))?;
    let mut budget = SplatBudget::new(usize::MAX);
    let values = list.tensor.iter().map(|tensor| tensor.value(&mut budget));
    let values: Vec<Value> = values.collect::<Result<_, _>>().map_err(|error| damaged(&error))?;
    let given: Vec<DType> = values.iter().map(Value::dtype).collect();
    match given == dtypes {
        true => Ok(values),
        false => {
            let message = format!("an element has components of {given:?}, not {dtypes:?}");
            Err(OpError::Invalid(message).into())
        }
    }
}
