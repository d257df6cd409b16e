//! Slices of a tensor written to elements of a list: `TensorListScatterV2` and its relatives.

use tidemill_graph::{
    Arg, Fact, Fallible, KernelCx, KernelError, NodeBuilder, NodeView, OpDef, OpError, Sample,
};
use tidemill_kernels::layout;
use tidemill_value::{DType, Memory, PartialShape, TensorList, Value};

use super::samples::{list, with_absent};
use super::whole::{inner_shape, list_of_parts};
use super::{
    ELEMENT_DTYPE, INPUT_HANDLE, OUTPUT_HANDLE, SHAPE_TYPE, behind_first, beside, change_kernel,
    infer_list, listed, out_of_range, shape_in, tensor_list_gather, tensor_list_length,
    tensor_list_resize,
};
use crate::family::grads;
use crate::index::{check_rank, count_of, integer, integers, known_integer, known_integers};
use crate::kernel::kernel;
use crate::operand::tensor;
use crate::operations::operations;
use crate::ops::array::zeros_like;
use crate::{Operand, Tensor};

operations! {
    ops: TENSOR_LIST_SCATTER, TENSOR_LIST_SCATTER_INTO_EXISTING_LIST, TENSOR_LIST_SCATTER_V1;
    exports: tensor_list_scatter, tensor_list_scatter_into;
}

/// A list with the slices of a tensor at given indices, and absent elements elsewhere.
pub static TENSOR_LIST_SCATTER: OpDef = OpDef::new(
    "TensorListScatterV2",
    "A list with the slices of a tensor at given indices, and absent elements elsewhere.",
)
.inputs(&[
    Arg::of("tensor", "element_dtype"),
    Arg::is("indices", DType::I32),
    Arg::of("element_shape", "shape_type"),
    Arg::is("num_elements", DType::I32),
])
.outputs(&[OUTPUT_HANDLE])
.attrs(&[ELEMENT_DTYPE, SHAPE_TYPE])
.fallible(Fallible::Values)
.infer(|node| {
    check_rank(node, 3, 0, "no axes")?;
    if let Some(len) = known_integer(node, 3).map(length).transpose()?.flatten() {
        let indices = known_integers(node, 1).unwrap_or_default();
        let beyond = indices.into_iter().find(|&i| usize::try_from(i).is_ok_and(|i| i >= len));
        beyond.map_or(Ok(()), |index| Err(out_of_range(index, len)))?;
    }
    infer_list(infer_scatter(node)?)
})
.gradient(|cx| {
    let of_tensor = scatter_gradient(cx.grad(), cx.input(0), cx.input(1));
    Ok(grads([Some(of_tensor), None, None, None]))
})
.kernel(|_| Ok(kernel(|cx| scattered(cx, length(integer(cx.input(3)?, "num_elements")?)?))))
.samples(|| {
    let samples = samples().into_iter().map(|(mut inputs, right)| {
        inputs.push(Value::from(-1));
        match right {
            Ok(list) => Sample::new(inputs, list),
            Err(message) => Sample::error(inputs, message),
        }
    });
    let rows = Value::from_vec([1, 2], vec![1.0_f32, 2.0]);
    let counted = rows.into_iter().flat_map(|rows| {
        let inputs =
            |len: i32| [rows.clone(), Value::from([0]), Value::from([2]), Value::from(len)];
        [
            Sample::new(inputs(3), with_absent([1.0, 2.0], 2)),
            Sample::error(inputs(0), "index 0 is out of range"),
            Sample::error(inputs(-2), "must not be negative"),
        ]
    });
    samples.chain(counted).collect()
});

/// A list with the slices of a tensor at given indices, and absent elements elsewhere.
pub static TENSOR_LIST_SCATTER_V1: OpDef = OpDef::new(
    "TensorListScatter",
    "A list with the slices of a tensor at given indices, and absent elements elsewhere.",
)
.inputs(&[
    Arg::of("tensor", "element_dtype"),
    Arg::is("indices", DType::I32),
    Arg::of("element_shape", "shape_type"),
])
.outputs(&[OUTPUT_HANDLE])
.attrs(&[ELEMENT_DTYPE, SHAPE_TYPE])
.fallible(Fallible::Values)
.infer(|node| infer_list(infer_scatter(node)?))
.gradient(|cx| {
    let of_tensor = scatter_gradient(cx.grad(), cx.input(0), cx.input(1));
    Ok(grads([Some(of_tensor), None, None]))
})
.kernel(|_| Ok(kernel(|cx| scattered(cx, None))))
.samples(|| {
    let samples = samples().into_iter().map(|(inputs, right)| match right {
        Ok(list) => Sample::new(inputs, list),
        Err(message) => Sample::error(inputs, message),
    });
    samples.collect()
});

/// Inputs, and the resulting list or error.
fn samples() -> Vec<(Vec<Value>, Result<Value, &'static str>)> {
    let rows = Value::from_vec([2, 2], vec![1.0_f32, 2.0, 3.0, 4.0]);
    let rows = rows.unwrap_or_else(|_| Value::from(0.0_f32));
    let inputs = |indices: Value, shape: Value| vec![rows.clone(), indices, shape];
    vec![
        (inputs(Value::from([1, 0]), Value::from([2])), Ok(list([[3.0, 4.0], [1.0, 2.0]]))),
        (inputs(Value::from([1, 0]), Value::from([3])), Err("contradict")),
        (inputs(Value::from([0]), Value::from([2])), Err("contradict")),
        (inputs(Value::from([0, -1]), Value::from([2])), Err("index -1 is out of range")),
    ]
}

/// The length of the new list; `None` for as long as its indices require.
fn length(num_elements: i64) -> Result<Option<usize>, OpError> {
    match num_elements {
        -1 => Ok(None),
        len => count_of(len, "num_elements").map(Some),
    }
}

/// The facts known about the elements of the list that parts are put into.
fn infer_scatter(node: &NodeView<'_>) -> Result<Fact, OpError> {
    check_parts(node, 0, 1)?;
    list_of_parts(node, behind_first(node.shape(0))?, 2)
}

/// Checks that input `tensor` has as many parts as `indices`.
fn check_parts(node: &NodeView<'_>, tensor: usize, indices: usize) -> Result<(), OpError> {
    check_rank(node, indices, 1, "1 axis")?;
    let parts: Option<PartialShape> =
        node.shape(tensor).dims().map(|dims| dims.iter().take(1).copied().collect());
    match parts {
        Some(parts) if parts.rank() == Some(1) => parts.merge(node.shape(indices)).map(drop)?,
        _ => {}
    }
    Ok(())
}

fn scatter_gradient(grad: Tensor, x: Tensor, indices: Tensor) -> Tensor {
    let dtype = x.dtype().unwrap_or(DType::F32);
    tensor_list_gather(grad, indices, inner_shape(x), dtype)
}

/// A list of `len` elements, or of as many as the indices require.
fn scattered(cx: &KernelCx<'_>, len: Option<usize>) -> Result<Value, KernelError> {
    let tensor = cx.input(0)?;
    let mut list = TensorList::new(tensor.dtype(), shape_in(cx.input(2)?)?);
    list.resize(len.unwrap_or(0))?;
    put(cx.memory, &mut list, tensor, cx.input(1)?, len.is_none())?;
    Ok(list.into())
}

/// Puts the parts of a tensor into places of a list, which may grow.
fn put(
    memory: &Memory,
    list: &mut TensorList,
    tensor: &Value,
    indices: &Value,
    grows: bool,
) -> Result<(), KernelError> {
    behind_first(&tensor.shape().into())?;
    let parts = layout::unpack(memory, tensor, 0)?;
    let indices = integers(indices)?;
    if parts.len() != indices.len() {
        let (left, right) = ([parts.len()].into(), [indices.len()].into());
        return Err(tidemill_value::ValueError::Incompatible { left, right }.into());
    }
    let place = |&index: &i64| usize::try_from(index).map_err(|_| out_of_range(index, list.len()));
    let places: Vec<usize> = indices.iter().map(place).collect::<Result<_, _>>()?;
    let needed = places.iter().max().map_or(0, |place| place + 1);
    if grows && needed > list.len() {
        list.resize(needed)?;
    }
    places.into_iter().zip(parts).try_for_each(|(place, part)| list.set(place, part))?;
    Ok(())
}

/// A list with some elements replaced by the slices of a tensor.
pub static TENSOR_LIST_SCATTER_INTO_EXISTING_LIST: OpDef = OpDef::new(
    "TensorListScatterIntoExistingList",
    "A list with some elements replaced by the slices of a tensor.",
)
.inputs(&[INPUT_HANDLE, Arg::of("tensor", "element_dtype"), Arg::is("indices", DType::I32)])
.outputs(&[OUTPUT_HANDLE])
.attrs(&[ELEMENT_DTYPE])
.fallible(Fallible::Values)
.infer(|node| {
    check_parts(node, 1, 2)?;
    let fact = listed(node, 0, node.type_attr("element_dtype")?)?;
    fact.shape.merge(&behind_first(node.shape(1))?)?;
    infer_list(fact)
})
.gradient(|cx| {
    let (list, parts, indices): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.input(2));
    let grad: Tensor = cx.grad();
    let of_parts = scatter_gradient(grad, parts, indices);
    // The list may have grown.
    let rest = tensor_list_scatter_into(grad, zeros_like(parts), indices);
    let of_list = tensor_list_resize(rest, tensor_list_length(list));
    Ok(grads([Some(of_list), Some(of_parts), None]))
})
.kernel(|_| Ok(change_kernel(0, |cx, list| put(cx.memory, list, cx.input(1)?, cx.input(2)?, true))))
.samples(|| {
    let rows = Value::from_vec([1, 2], vec![5.0_f32, 6.0]);
    let two = || list([[1.0, 2.0], [3.0, 4.0]]);
    let sample = |rows: Value| {
        let inputs = |index: i32| [two(), rows.clone(), Value::from([index])];
        vec![
            Sample::new(inputs(0), list([[5.0, 6.0], [3.0, 4.0]])),
            Sample::new(inputs(2), list([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])),
            Sample::error(inputs(-1), "index -1 is out of range"),
        ]
    };
    rows.map(sample).unwrap_or_default()
});

/// A list with the slices of `tensor` along its first axis at `indices`, and absent elements
/// elsewhere. It has `num_elements` elements, or, if that is -1, as many as the largest index
/// requires. The shapes of elements match `element_shape`: a [`PartialShape`], or dimensions with
/// -1 for unknown ones.
///
/// Its gradient gathers the list's gradient.
///
/// # Errors
/// Different numbers of slices and indices, an index out of range, or slices whose shape does not
/// fit.
///
/// ```
/// use tidemill_ops::{constant, tensor_list_scatter, tensor_list_stack};
/// use tidemill_value::{DType, shape};
/// let list = tensor_list_scatter(constant([[1, 2], [3, 4]]), [3, 0], shape![2], -1);
/// assert_eq!(tensor_list_stack(list, shape![2], DType::I32).shape().to_string(), "[?, 2]");
/// ```
#[doc(alias = "TensorListScatterV2")]
#[track_caller]
pub fn tensor_list_scatter(
    tensor: impl Into<Operand>,
    indices: impl Into<Operand>,
    element_shape: impl Into<Operand>,
    num_elements: impl Into<Operand>,
) -> Tensor {
    let parts = tensor.into().to_tensor();
    beside(parts, "TensorListScatterV2", |full| {
        let indices = indices.into().to_tensor_beside(parts, "indices");
        let shape = element_shape.into().to_tensor_beside(parts, "element_shape");
        let count = num_elements.into().to_tensor_beside(parts, "num_elements");
        let node = NodeBuilder::new(&TENSOR_LIST_SCATTER).exact_name(full).input(parts);
        crate::operand::tensor(node.input(indices).input(shape).input(count))
    })
}

/// The list with the slices of a tensor along its first axis at `indices`. It grows to the length
/// that the largest index requires.
///
/// The tensor gets the incoming gradient at `indices`, the list the rest.
///
/// # Errors
/// Another number of parts than of indices, a negative index, or parts of another type or shape
/// than the list has.
///
/// ```
/// use tidemill_ops::{constant, tensor_list_reserve, tensor_list_scatter_into};
/// use tidemill_value::{DType, shape};
/// let list = tensor_list_reserve(shape![2], 5, DType::I32);
/// let list = tensor_list_scatter_into(list, constant([[1, 2], [3, 4]]), [3, 0]);
/// assert_eq!(list.dtype(), Some(DType::Variant));
/// ```
#[doc(alias = "TensorListScatterIntoExistingList")]
#[track_caller]
pub fn tensor_list_scatter_into(
    list: impl Into<Operand>,
    parts: impl Into<Operand>,
    indices: impl Into<Operand>,
) -> Tensor {
    let list = list.into().to_tensor();
    beside(list, "TensorListScatterIntoExistingList", |full| {
        let parts = parts.into().to_tensor_beside(list, "tensor");
        let indices = indices.into().to_tensor_beside(list, "indices");
        let node = NodeBuilder::new(&TENSOR_LIST_SCATTER_INTO_EXISTING_LIST).exact_name(full);
        tensor(node.input(list).input(parts).input(indices))
    })
}
