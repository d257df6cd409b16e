//! Lists from and to tensors: `TensorListFromTensor`, `TensorListStack`, `TensorListGather`.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, Fact, Fallible, Inferred, KernelError, NodeBuilder, NodeView, OpDef, OpError,
    Sample,
};
use tidemill_kernels::layout;
use tidemill_value::{DType, Dim, Memory, PartialShape, Shape, TensorList, Value};

use super::samples::{absent_of, list, with_absent};
use super::{
    ELEMENT_DTYPE, INPUT_HANDLE, OUTPUT_HANDLE, SHAPE_TYPE, absent, behind_first, beside,
    common_shape, described, element, infer_list, list_input, out_of_range, shape_in,
    tensor_list_length, with_first,
};
use crate::family::grads;
use crate::index::{check_rank, integers};
use crate::kernel::kernel;
use crate::operand::tensor;
use crate::operations::operations;
use crate::ops::array::{shape, slice, unsorted_segment_sum};
use crate::{Operand, Tensor};

operations! {
    ops: TENSOR_LIST_FROM_TENSOR, TENSOR_LIST_GATHER, TENSOR_LIST_STACK;
    exports: tensor_list_from_tensor, tensor_list_gather, tensor_list_stack;
}

/// The slices of a tensor along its first axis as a list.
pub static TENSOR_LIST_FROM_TENSOR: OpDef =
    OpDef::new("TensorListFromTensor", "The slices of a tensor along its first axis as a list.")
        .inputs(&[Arg::of("tensor", "element_dtype"), Arg::of("element_shape", "shape_type")])
        .outputs(&[OUTPUT_HANDLE])
        .attrs(&[ELEMENT_DTYPE, SHAPE_TYPE])
        .fallible(Fallible::Values)
        .infer(|node| infer_list(list_of_parts(node, behind_first(node.shape(0))?, 1)?))
        .gradient(|cx| {
            let x: Tensor = cx.input(0);
            let first = x.shape().dims().and_then(|dims| dims.first()?.known());
            let (inner, dtype) = (inner_shape(x), cx.node().type_attr("element_dtype")?);
            Ok(grads([Some(stack_of(cx.grad(), inner, dtype, first)), None]))
        })
        .kernel(|_| {
            Ok(kernel(|cx| {
                let tensor = cx.input(0)?;
                behind_first(&tensor.shape().into())?;
                let mut list = TensorList::new(tensor.dtype(), shape_in(cx.input(1)?)?);
                layout::unpack(cx.memory, tensor, 0)?
                    .into_iter()
                    .try_for_each(|part| list.push(part))?;
                Ok(list.into())
            }))
        })
        .samples(|| {
            let rows = || Value::from_vec([2, 2], vec![1.0_f32, 2.0, 3.0, 4.0]);
            let two = || list([[1.0, 2.0], [3.0, 4.0]]);
            let right = rows().map(|rows| Sample::new([rows, Value::from([2])], two()));
            let wrong = rows().map(|rows| Sample::error([rows, Value::from([3])], "contradict"));
            let scalar = Sample::error([Value::from(1.0_f32), Value::from(-1)], "without axes");
            right.into_iter().chain(wrong).chain([scalar]).collect()
        });

/// The facts known about the elements of a list made from parts of a tensor: the shape that input
/// `shape` describes, which the shape of the parts must match.
pub(super) fn list_of_parts(
    node: &NodeView<'_>,
    part: PartialShape,
    shape: usize,
) -> Result<Fact, OpError> {
    let described = described(node, shape)?;
    described.merge(&part)?;
    Ok(Fact::new(node.type_attr("element_dtype")?, described))
}

/// The extents of a tensor without the first: a value, or if that is unknown, a tensor.
pub(super) fn inner_shape(x: Tensor) -> Operand {
    match behind_first(&x.shape()) {
        Ok(inner) if inner.is_known() => Operand::from(inner),
        _ => slice(shape(x), [1], [-1]).into(),
    }
}

/// The elements of a list, stacked along a new first axis.
pub static TENSOR_LIST_STACK: OpDef =
    OpDef::new("TensorListStack", "The elements of a list, stacked along a new first axis.")
        .inputs(&[INPUT_HANDLE, Arg::is("element_shape", DType::I32)])
        .outputs(&[Arg::of("tensor", "element_dtype")])
        .attrs(&[ELEMENT_DTYPE, AttrDef::int("num_elements", -1)])
        .fallible(Fallible::Values)
        .infer(|node| {
            let first = Dim::from(usize::try_from(node.int_attr("num_elements")?).ok());
            let shape = with_first(first, &element(node, 0, 1)?.shape);
            Inferred::one(shape)
        })
        .gradient(|cx| {
            let inner = behind_first(&cx.node().outputs()[0].shape)?;
            Ok(grads([Some(tensor_list_from_tensor(cx.grad::<Tensor>(), inner)), None]))
        })
        .kernel(|node| {
            let dtype = node.type_attr("element_dtype")?;
            let expected = usize::try_from(node.int_attr("num_elements")?).ok();
            Ok(kernel(move |cx| {
                let list = list_input(cx, 0, dtype)?;
                if let Some(expected) = expected.filter(|expected| *expected != list.len()) {
                    let message = format!("the list has {} elements, not {expected}", list.len());
                    return Err(OpError::attr("num_elements", message).into());
                }
                let places: SmallVec<[_; 8]> = list.elements().iter().map(Option::as_ref).collect();
                stacked(cx.memory, list, &places, &shape_in(cx.input(1)?)?)
            }))
        })
        .samples(|| {
            let rows = Value::from_vec([2, 2], vec![1.0_f32, 2.0, 3.0, 4.0]);
            let zeros = Value::from_vec([2, 2], vec![1.0_f32, 2.0, 0.0, 0.0]);
            let empty = Value::from_vec([0, 2], Vec::<f32>::new());
            let inputs = |list, shape: Value| [list, shape];
            let two = || list([[1.0, 2.0], [3.0, 4.0]]);
            let no_list = || absent_of(0, PartialShape::unknown());
            let right = [
                rows.map(|rows| Sample::new(inputs(two(), Value::from([2])), rows)),
                zeros.map(|zeros| {
                    let sample =
                        Sample::new(inputs(with_absent([1.0, 2.0], 1), Value::from(-1)), zeros);
                    sample.attr("num_elements", 2_i64)
                }),
                empty.map(|empty| Sample::new(inputs(no_list(), Value::from([2])), empty)),
            ];
            let wrong = Sample::error(inputs(two(), Value::from([2])), "has 2 elements, not 3");
            let unknown = Sample::error(inputs(no_list(), Value::from(-1)), "no known shape");
            let wrong = [wrong.attr("num_elements", 3_i64), unknown];
            let samples = right.into_iter().flatten().chain(wrong);
            samples.map(|sample| sample.attr("element_dtype", DType::F32)).collect()
        });

/// Elements of a list along a new first axis, with the described shape.
fn stacked(
    memory: &Memory,
    list: &TensorList,
    places: &[Option<&Value>],
    described: &PartialShape,
) -> Result<Value, KernelError> {
    let shape = common_shape(list, described, places.iter().copied().flatten())?;
    if places.is_empty() {
        let one = absent(list, &shape)?;
        let none: Shape = std::iter::once(0).chain(one.shape().iter().copied()).collect();
        return Ok(Value::zeros(list.dtype(), none)?);
    }
    let zeros = places.iter().any(|place| place.is_none());
    let zeros = zeros.then(|| absent(list, &shape)).transpose()?;
    let values: SmallVec<[&Value; 8]> =
        places.iter().filter_map(|place| place.or(zeros.as_ref())).collect();
    Ok(layout::pack(memory, &values, 0)?)
}

/// Selected elements of a list, stacked along a new first axis.
pub static TENSOR_LIST_GATHER: OpDef =
    OpDef::new("TensorListGather", "Selected elements of a list, stacked along a new first axis.")
        .inputs(&[
            INPUT_HANDLE,
            Arg::is("indices", DType::I32),
            Arg::is("element_shape", DType::I32),
        ])
        .outputs(&[Arg::of("values", "element_dtype")])
        .attrs(&[ELEMENT_DTYPE])
        .fallible(Fallible::Values)
        .infer(|node| {
            check_rank(node, 1, 1, "1 axis")?;
            let first = node.shape(1).dims().map_or(Dim::UNKNOWN, |dims| dims[0]);
            Inferred::one(with_first(first, &element(node, 0, 2)?.shape))
        })
        .gradient(|cx| {
            let (list, indices, grad): (Tensor, Tensor, Tensor) =
                (cx.input(0), cx.input(1), cx.grad());
            // An element can occur several times.
            let sums = unsorted_segment_sum(grad, indices, tensor_list_length(list));
            let inner = behind_first(&cx.node().outputs()[0].shape)?;
            Ok(grads([Some(tensor_list_from_tensor(sums, inner)), None, None]))
        })
        .kernel(|node| {
            let dtype = node.type_attr("element_dtype")?;
            Ok(kernel(move |cx| {
                let (list, indices) = (list_input(cx, 0, dtype)?, integers(cx.input(1)?)?);
                let place = |&index: &i64| {
                    let place = usize::try_from(index).ok().and_then(|i| list.elements().get(i));
                    place.map(Option::as_ref).ok_or_else(|| out_of_range(index, list.len()))
                };
                let places: SmallVec<[_; 8]> =
                    indices.iter().map(place).collect::<Result<_, _>>()?;
                stacked(cx.memory, list, &places, &shape_in(cx.input(2)?)?)
            }))
        })
        .samples(|| {
            let two = || list([[1.0, 2.0], [3.0, 4.0]]);
            let inputs = |indices: Value| [two(), indices, Value::from([2])];
            let rows = Value::from_vec([3, 2], vec![3.0_f32, 4.0, 1.0, 2.0, 3.0, 4.0]);
            let right = rows.map(|rows| Sample::new(inputs(Value::from([1, 0, 1])), rows));
            let wrong = [
                Sample::error(inputs(Value::from([0, 2])), "index 2 is out of range"),
                Sample::error(inputs(Value::from([-1])), "index -1 is out of range"),
            ];
            let samples = right.into_iter().chain(wrong);
            samples.map(|sample| sample.attr("element_dtype", DType::F32)).collect()
        });

/// The list of the slices of `tensor` along its first axis, whose shapes match `element_shape`: a
/// [`PartialShape`], or dimensions with -1 for unknown ones.
///
/// Its gradient stacks the list's gradient.
///
/// # Errors
/// A tensor without axes, or whose slices do not fit.
///
/// ```
/// use tidemill_ops::{constant, tensor_list_from_tensor, tensor_list_stack};
/// use tidemill_value::{DType, shape};
/// let list = tensor_list_from_tensor(constant([[1, 2], [3, 4]]), shape![2]);
/// assert_eq!(tensor_list_stack(list, shape![..], DType::I32).shape().to_string(), "[?, 2]");
/// ```
#[doc(alias = "TensorListFromTensor")]
#[track_caller]
pub fn tensor_list_from_tensor(
    tensor: impl Into<Operand>,
    element_shape: impl Into<Operand>,
) -> Tensor {
    let parts = tensor.into().to_tensor();
    beside(parts, "TensorListFromTensor", |full| {
        let shape = element_shape.into().to_tensor_beside(parts, "element_shape");
        let node = NodeBuilder::new(&TENSOR_LIST_FROM_TENSOR).exact_name(full);
        crate::operand::tensor(node.input(parts).input(shape))
    })
}

/// The elements of a list, stacked along a new first axis; zeros for absent elements. They must
/// have one shape, which matches `element_shape`: a [`PartialShape`], or dimensions with -1 for
/// unknown ones.
///
/// Its gradient is the list of the slices.
///
/// # Errors
/// Elements of another type, or of shapes that do not fit; no present elements and an unknown
/// shape.
///
/// ```
/// use tidemill_ops::{tensor_list_reserve, tensor_list_stack};
/// use tidemill_value::{DType, shape};
/// let list = tensor_list_reserve(shape![2], 5, DType::F32);
/// assert_eq!(tensor_list_stack(list, shape![2], DType::F32).shape().to_string(), "[?, 2]");
/// ```
#[doc(alias = "TensorListStack")]
#[track_caller]
pub fn tensor_list_stack(
    list: impl Into<Operand>,
    element_shape: impl Into<Operand>,
    element_dtype: DType,
) -> Tensor {
    stack_of(list.into().to_tensor(), element_shape.into(), element_dtype, None)
}

/// [`tensor_list_stack`] of a list of `count` elements.
#[track_caller]
pub(crate) fn stack_of(
    list: Tensor,
    element_shape: Operand,
    element_dtype: DType,
    count: Option<usize>,
) -> Tensor {
    beside(list, "TensorListStack", |full| {
        let shape = element_shape.to_tensor_beside(list, "element_shape");
        let node = NodeBuilder::new(&TENSOR_LIST_STACK).exact_name(full).input(list).input(shape);
        let count = count.and_then(|count| i64::try_from(count).ok()).unwrap_or(-1);
        tensor(node.attr("element_dtype", element_dtype).attr("num_elements", count))
    })
}

/// The elements of a list at `indices`, a list of `int32`, along a new first axis (see
/// [`tensor_list_stack`]).
///
/// Its gradient sums the incoming gradients of each element.
///
/// # Errors
/// An index out of range, and as for [`tensor_list_stack`].
///
/// ```
/// use tidemill_ops::{tensor_list_gather, tensor_list_reserve};
/// use tidemill_value::{DType, shape};
/// let list = tensor_list_reserve(shape![2], 5, DType::F32);
/// let rows = tensor_list_gather(list, [0, 0, 4], shape![2], DType::F32);
/// assert_eq!(rows.shape().to_string(), "[3, 2]");
/// ```
#[doc(alias = "TensorListGather")]
#[track_caller]
pub fn tensor_list_gather(
    list: impl Into<Operand>,
    indices: impl Into<Operand>,
    element_shape: impl Into<Operand>,
    element_dtype: DType,
) -> Tensor {
    let list = list.into().to_tensor();
    beside(list, "TensorListGather", |full| {
        let indices = indices.into().to_tensor_beside(list, "indices");
        let shape = element_shape.into().to_tensor_beside(list, "element_shape");
        let node = NodeBuilder::new(&TENSOR_LIST_GATHER).exact_name(full);
        let node = node.input(list).input(indices).input(shape);
        tensor(node.attr("element_dtype", element_dtype))
    })
}
