//! Resource variables: `VarHandleOp`, and the operations that read and write a variable through its
//! handle.

use tidemill_graph::{
    Access, Arg, AttrDef, AttrDefault, AttrKind, Execution, Fallible, Inferred, KernelCx,
    KernelError, NodeBuilder, OpDef, OperationRef, Role, Sample, TensorRef, control_dependencies,
};
use tidemill_kernels::layout::{self, Combine};
use tidemill_value::{BinaryOp, DType, PartialShape, Value};

use super::array;
use super::writes::{Assign, IsInitialized, Scatter, element_type, infer_parts, infer_rows};
use crate::elementwise::update_kernel;
use crate::family::grads;
use crate::index::axis_of;
use crate::indexed_slices::rows_gradient;
use crate::kernel::kernel;
use crate::operand::tensor;
use crate::operations::operations;
use crate::sample;
use crate::{Operand, Operation, Tensor, Variable};

operations! {
    ops:
        ASSIGN_ADD_VARIABLE, ASSIGN_SUB_VARIABLE, ASSIGN_VARIABLE, READ_VARIABLE, RESOURCE_GATHER,
        RESOURCE_GATHER_ND, SCATTER_ADD, SCATTER_DIV, SCATTER_MAX, SCATTER_MIN, SCATTER_MUL,
        SCATTER_ND_ADD, SCATTER_ND_MAX, SCATTER_ND_MIN, SCATTER_ND_SUB, SCATTER_ND_UPDATE,
        SCATTER_SUB, SCATTER_UPDATE, VARIABLE_SHAPE, VAR_HANDLE, VAR_IS_INITIALIZED;
}

/// The handle of a variable of the session.
pub static VAR_HANDLE: OpDef =
    OpDef::new("VarHandleOp", "The handle of a variable of the session.")
        .outputs(&[Arg::handle("resource", "dtype")])
        .attrs(&[
            AttrDef::str("container", ""),
            AttrDef::str("shared_name", ""),
            AttrDef::str("debug_name", ""),
            AttrDef::types("dtype", DType::ALL),
            AttrDef::new("shape", AttrKind::Shape),
            AttrDef::strs("allowed_devices"),
        ])
        .execution(Execution::Variable)
        .shares_unnamed()
        .infer(|node| Inferred::one(node.shape_attr("shape")?))
        .not_differentiable()
        .samples(|| {
            let sample = Sample::error([], "is the handle of a variable");
            vec![sample.attr("dtype", DType::F32).attr("shape", PartialShape::scalar())]
        });

/// The value of a variable.
pub static READ_VARIABLE: OpDef = OpDef::new("ReadVariableOp", "The value of a variable.")
    .inputs(&[Arg::handle("resource", "dtype")])
    .outputs(&[Arg::of("value", "dtype")])
    .attrs(&[AttrDef::types("dtype", DType::ALL)])
    .fallible(Fallible::Never)
    .infer(|node| Inferred::one(node.shape(0)))
    .gradient(|cx| Ok([Some(cx.grad())].into_iter().collect()))
    .kernel(|_| {
        Ok(Box::new(|cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
            let value = cx.take(0)?;
            cx.set(0, value);
            Ok(())
        }))
    })
    .samples(|| {
        let value = Value::from([1.0_f32, -2.0]);
        vec![Sample::new([value.clone()], value)]
    });

/// Whether a variable has a value.
pub static VAR_IS_INITIALIZED: OpDef =
    OpDef::new("VarIsInitializedOp", "Whether a resource variable has a value in the session.")
        .inputs(&[Arg::any_handle("resource").access(Access::Peek)])
        .outputs(&[Arg::is("is_initialized", DType::Bool)])
        .fallible(Fallible::Never)
        .infer(|_| Inferred::one(PartialShape::scalar()))
        .kernel(|_| Ok(Box::new(IsInitialized)))
        .not_differentiable()
        .samples(|| vec![Sample::new([Value::from([1.0_f32, 2.0])], Value::from(true))]);

/// The shape of the value of a variable.
pub static VARIABLE_SHAPE: OpDef =
    OpDef::new("VariableShape", "The shape of the value of a resource variable.")
        .inputs(&[Arg::any_handle("input")])
        .outputs(&[Arg::of("output", "out_type")])
        .attrs(&[AttrDef::types("out_type", DType::INDICES).default(AttrDefault::Type(DType::I32))])
        .fallible(Fallible::Never)
        .infer(|node| (array::SHAPE.infer)(node))
        .kernel(|node| (array::SHAPE.kernel)(node))
        .not_differentiable()
        .samples(|| {
            let value = || sample::array([2, 1], [1.0_f32, 2.0]);
            let wide = Sample::new([value()], Value::from([2_i64, 1]));
            vec![Sample::new([value()], Value::from([2, 1])), wide.attr("out_type", DType::I64)]
        });

/// Gives a variable a value.
pub static ASSIGN_VARIABLE: OpDef =
    OpDef::new("AssignVariableOp", "Gives a resource variable a value.")
        .inputs(&[
            Arg::handle("resource", "dtype").access(Access::Write),
            Arg::of("value", "dtype"),
        ])
        .attrs(&[AttrDef::types("dtype", DType::ALL), AttrDef::bool("validate_shape", false)])
        .execution(Execution::Write)
        .infer(|node| Inferred::one(node.shape(0).merge(node.shape(1))?))
        .not_differentiable()
        .kernel(|node| Ok(Box::new(Assign { admitted: node.shape(0).clone() })))
        .samples(|| {
            let variable = || Value::from([1.0_f32, 2.0]);
            vec![
                Sample::shapes([variable(), Value::from([3.0_f32, -1.0])]),
                Sample::error([variable(), Value::from([1.0_f32; 3])], "contradict"),
            ]
        });

/// A write that changes the existing value.
const fn update(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .inputs(
            const {
                &[
                    Arg::handle("resource", "dtype").access(Access::Update),
                    Arg::of("value", "dtype"),
                ]
            },
        )
        .attrs(const { &[AttrDef::widened("dtype", DType::NUMBERS)] })
        .execution(Execution::Write)
        .infer(|node| Inferred::one(node.shape(0).merge(node.shape(1))?))
        .not_differentiable()
        .samples(|| {
            let variable = || Value::from([1.0_f32, 2.0]);
            vec![
                Sample::shapes([variable(), Value::from([0.5_f32, -2.0])]),
                Sample::error([variable(), Value::from([1.0_f32])], "contradict"),
            ]
        })
}

/// Adds to a variable.
pub static ASSIGN_ADD_VARIABLE: OpDef =
    update("AssignAddVariableOp", "Adds to a resource variable.")
        .kernel(|node| update_kernel(node, BinaryOp::Add));

/// Subtracts from a variable.
pub static ASSIGN_SUB_VARIABLE: OpDef =
    update("AssignSubVariableOp", "Subtracts from a resource variable.")
        .kernel(|node| update_kernel(node, BinaryOp::Sub));

/// Slices of a variable by index along its first axis.
pub static RESOURCE_GATHER: OpDef = OpDef::new(
    "ResourceGather",
    "Slices of a resource variable selected by index along its first axis.",
)
.inputs(&[Arg::handle("resource", "dtype"), Arg::of("indices", "Tindices")])
.outputs(&[Arg::of("output", "dtype")])
.attrs(&[
    AttrDef::int("batch_dims", 0),
    AttrDef::bool("validate_indices", true),
    AttrDef::types("dtype", DType::ALL),
    AttrDef::types("Tindices", DType::INDICES),
])
.fallible(Fallible::Values)
.infer(|node| {
    let batch = node.int_attr("batch_dims")?;
    array::infer_gather(node, Some(batch), batch)
})
.gradient(|cx| {
    let (variable, indices): (TensorRef, Tensor) = (cx.input(0), cx.input(1));
    let batch = cx.node().int_attr("batch_dims")?;
    let value = read_handle(variable);
    if batch == 0 {
        return Ok(grads([Some(rows_gradient(cx.grad(), value, indices)), None]));
    }
    let axis = Operand::from(batch as i32).to_tensor_beside(value, "axis");
    Ok(grads([Some(array::spread_back(cx.grad(), value, indices, axis, batch)?), None]))
})
.kernel(|node| {
    let batch = node.int_attr("batch_dims")?;
    Ok(kernel(move |cx| {
        let (value, indices) = (cx.input(0)?, cx.input(1)?);
        let batch_axes = array::batch_axes(batch, indices.shape().rank())?;
        let axis = axis_of(batch, value.shape().rank())?;
        Ok(layout::gather_batches(cx.memory, value, indices, axis, batch_axes)?)
    }))
})
.samples(|| {
    let variable = || sample::array([3, 1], [1.0_f32, 2.0, 3.0]);
    vec![
        Sample::new([variable(), Value::from([2, 0])], sample::array([2, 1], [3.0_f32, 1.0])),
        Sample::error([variable(), Value::from([3])], "index 3"),
    ]
});

/// Parts of a variable by their positions along its first axes.
pub static RESOURCE_GATHER_ND: OpDef = OpDef::new(
    "ResourceGatherNd",
    "Slices of a resource variable selected by position along its first axes.",
)
.inputs(&[Arg::handle("resource", "dtype"), Arg::of("indices", "Tindices")])
.outputs(&[Arg::of("output", "dtype")])
.attrs(&[AttrDef::types("dtype", DType::ALL), AttrDef::types("Tindices", DType::INDICES)])
.fallible(Fallible::Values)
.infer(|node| Inferred::one(array::parts_shape(node.shape(0), node.shape(1))?))
.gradient(|cx| {
    let (variable, indices): (TensorRef, Tensor) = (cx.input(0), cx.input(1));
    let node = NodeBuilder::new(&VARIABLE_SHAPE).input(variable);
    let extents = tensor(node.attr("out_type", cx.node().dtype(1)));
    Ok(grads([Some(array::scatter_nd(indices, cx.grad::<Tensor>(), extents)), None]))
})
.kernel(|_| Ok(kernel(|cx| Ok(layout::gather_nd(cx.memory, cx.input(0)?, cx.input(1)?)?))))
.samples(|| {
    let variable = || sample::array([2, 2], [1.0_f32, 2.0, 3.0, 4.0]);
    let at = |row, column| sample::array([1, 2], [row, column]);
    vec![
        Sample::new([variable(), at(1, 0)], Value::from([3.0_f32])),
        Sample::error([variable(), at(0, 2)], "index 2"),
    ]
});

/// Declares writes to the rows of a variable at indices, a row for each.
macro_rules! scatters {
    ($($op:ident = $name:literal, $summary:literal, $types:expr, $combine:ident;)*) => {$(
        #[doc = $summary]
        pub static $op: OpDef = OpDef::new($name, $summary)
            .inputs(&[
                Arg::handle("resource", "dtype").access(Access::Update),
                Arg::of("indices", "Tindices"),
                Arg::of("updates", "dtype"),
            ])
            .attrs(&[
                element_type("dtype", $types, Combine::$combine),
                AttrDef::types("Tindices", DType::INDICES),
            ])
            .execution(Execution::Write)
            .fallible(Fallible::Checked)
            .infer(infer_rows)
            .kernel(|node| Ok(Box::new(Scatter::rows(node, Combine::$combine))))
            .not_differentiable()
            .samples(|| {
                let inputs = |row| {
                    [Value::from([8.0_f32, 6.0]), Value::from([row, 0]), [2.0_f32, 3.0].into()]
                };
                vec![Sample::shapes(inputs(1)), Sample::error(inputs(2), "index 2")]
            });
    )*};
}

scatters! {
    SCATTER_UPDATE = "ResourceScatterUpdate",
        "Puts updates in place of rows of a resource variable.", DType::ALL, Update;
    SCATTER_ADD = "ResourceScatterAdd",
        "Adds updates to rows of a resource variable.", DType::NUMBERS, Add;
    SCATTER_SUB = "ResourceScatterSub",
        "Subtracts updates from rows of a resource variable.", DType::NUMBERS, Sub;
    SCATTER_MUL = "ResourceScatterMul",
        "Multiplies rows of a resource variable by updates.", DType::NUMBERS, Mul;
    SCATTER_DIV = "ResourceScatterDiv",
        "Divides rows of a resource variable by updates.", DType::NUMBERS, Div;
    SCATTER_MIN = "ResourceScatterMin",
        "Replaces rows of a resource variable with the element-wise minimum of them and the updates.", DType::NUMBERS, Min;
    SCATTER_MAX = "ResourceScatterMax",
        "Replaces rows of a resource variable with the element-wise maximum of them and the updates.", DType::NUMBERS, Max;
}

/// Declares writes to the parts of a variable at given positions, a row for each.
macro_rules! scatters_nd {
    ($($op:ident = $name:literal, $summary:literal, $types:expr, $combine:ident;)*) => {$(
        #[doc = $summary]
        pub static $op: OpDef = OpDef::new($name, $summary)
            .inputs(&[
                Arg::handle("ref", "T").access(Access::Update),
                Arg::of("indices", "Tindices"),
                Arg::of("updates", "T"),
            ])
            .attrs(&[
                element_type("T", $types, Combine::$combine),
                AttrDef::types("Tindices", DType::INDICES),
                AttrDef::bool("use_locking", true),
                AttrDef::str("bad_indices_policy", ""),
            ])
            .execution(Execution::Write)
            .fallible(Fallible::Checked)
            .infer(infer_parts)
            .kernel(|node| Ok(Box::new(Scatter::parts(node, Combine::$combine))))
            .not_differentiable()
            .samples(|| {
                let inputs = |row| {
                    let positions = sample::array([2, 1], [row, 0]);
                    [Value::from([8.0_f32, 6.0]), positions, [2.0_f32, 3.0].into()]
                };
                vec![Sample::shapes(inputs(1)), Sample::error(inputs(2), "index 2")]
            });
    )*};
}

scatters_nd! {
    SCATTER_ND_UPDATE = "ResourceScatterNdUpdate",
        "Puts updates in place of parts of a resource variable.", DType::ALL, Update;
    SCATTER_ND_ADD = "ResourceScatterNdAdd",
        "Adds updates to parts of a resource variable.", DType::NUMBERS, Add;
    SCATTER_ND_SUB = "ResourceScatterNdSub",
        "Subtracts updates from parts of a resource variable.", DType::NUMBERS, Sub;
    SCATTER_ND_MIN = "ResourceScatterNdMin",
        "Replaces slices of a resource variable with the element-wise minimum of them and the updates.", DType::NUMBERS, Min;
    SCATTER_ND_MAX = "ResourceScatterNdMax",
        "Replaces slices of a resource variable with the element-wise maximum of them and the updates.", DType::NUMBERS, Max;
}

/// True if a tensor is the handle of a variable.
pub(crate) fn is_handle(tensor: TensorRef) -> bool {
    Tensor::from(tensor).fact().is_some_and(|fact| fact.role == Role::Handle)
}

/// A new read of the variable of a handle.
#[track_caller]
fn read_handle(variable: TensorRef) -> Tensor {
    tensor(NodeBuilder::new(&READ_VARIABLE).input(variable))
}

/// The value that a variable has after a write, by the first of two operations, or for a resource
/// variable by the second. `complete` adds the node's inputs other than the variable.
#[track_caller]
pub(crate) fn written(
    [by_storage, by_handle]: [&'static OpDef; 2],
    variable: TensorRef,
    complete: impl FnOnce(NodeBuilder) -> NodeBuilder,
) -> Tensor {
    let write = |op| complete(NodeBuilder::new(op).input(variable));
    if !is_handle(variable) {
        return tensor(write(by_storage));
    }
    let written = Operation::from(write(by_handle).build());
    control_dependencies([written], || read_handle(variable))
}

/// The operation that initializes a resource variable, and the read that all uses share. As in
/// TensorFlow, a separate node tells whether it has a value.
#[track_caller]
pub(crate) fn initializer_and_read(
    variable: Variable,
    initial_value: Tensor,
) -> (OperationRef, OperationRef) {
    let named = |op, name: &'static str| NodeBuilder::new(op).name(name).input(variable);
    named(&VAR_IS_INITIALIZED, "IsInitialized/VarIsInitializedOp").build();
    let initializer = named(&ASSIGN_VARIABLE, "Assign").input(initial_value).build();
    (initializer, named(&READ_VARIABLE, "Read/ReadVariableOp").build())
}
