//! Single elements of lists: `TensorListGetItem`, `TensorListSetItem`, `TensorListPushBack`,
//! `TensorListPopBack`.

use smallvec::{SmallVec, smallvec};
use tidemill_graph::{
    Arg, AttrDef, AttrDefault, Fallible, Inferred, KernelCx, KernelError, NodeBuilder, NodeView,
    OpDef, OpError, Sample,
};
use tidemill_kernels::layout;
use tidemill_value::{DType, PartialShape, TensorList, Value};

use super::samples::{absent_of, list};
use super::{
    ELEMENT_DTYPE, INPUT_HANDLE, OUTPUT_HANDLE, absent, behind_first, beside, change_kernel,
    common_shape, element, index_in, infer_list, list_in_mut, list_input, listed, shape_in,
    tensor_list_element_shape, tensor_list_length, tensor_list_reserve, tensor_list_resize,
};
use crate::family::grads;
use crate::index::check_rank;
use crate::operand::tensor;
use crate::operations::operations;
use crate::ops::array::{shape, zeros_like};
use crate::{Operand, Tensor};

operations! {
    ops:
        TENSOR_LIST_GET_ITEM, TENSOR_LIST_POP_BACK, TENSOR_LIST_PUSH_BACK,
        TENSOR_LIST_PUSH_BACK_BATCH, TENSOR_LIST_SET_ITEM;
    exports:
        tensor_list_get_item, tensor_list_pop_back, tensor_list_push_back,
        tensor_list_push_back_batch, tensor_list_set_item;
}

/// An element of a list; zeros if it is absent.
pub static TENSOR_LIST_GET_ITEM: OpDef =
    OpDef::new("TensorListGetItem", "An element of a list; zeros if it is absent.")
        .inputs(&[INPUT_HANDLE, Arg::is("index", DType::I32), Arg::of("element_shape", "Tshape")])
        .outputs(&[Arg::of("item", "element_dtype")])
        .attrs(&[
            ELEMENT_DTYPE,
            AttrDef::types("Tshape", DType::INDICES).default(AttrDefault::Type(DType::I32)),
        ])
        .fallible(Fallible::Values)
        .infer(|node| {
            check_rank(node, 1, 0, "no axes")?;
            Ok(smallvec![Inferred::same_as(&element(node, 0, 2)?)])
        })
        .gradient(|cx| {
            let (list, index): (Tensor, Tensor) = (cx.input(0), cx.input(1));
            let dtype = cx.node().type_attr("element_dtype")?;
            let zeros = tensor_list_reserve(
                tensor_list_element_shape(list),
                tensor_list_length(list),
                dtype,
            );
            Ok(grads([Some(tensor_list_set_item(zeros, index, cx.grad::<Tensor>())), None, None]))
        })
        .kernel(|node| {
            let dtype = node.type_attr("element_dtype")?;
            Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
                let list = list_input(cx, 0, dtype)?;
                let index = index_in(cx.input(1)?, list)?;
                let given = shape_in(cx.input(2)?)?;
                let value = item(list, list.get(index)?.cloned(), &given)?;
                cx.set(0, value);
                Ok(())
            }))
        })
        .samples(|| {
            let inputs = |list: Value, index: i32, shape: Value| [list, Value::from(index), shape];
            let two = || list([[1.0, 2.0], [3.0, 4.0]]);
            let error =
                |inputs, message| Sample::error(inputs, message).attr("element_dtype", DType::F32);
            let right = |inputs, row: [f32; 2]| {
                Sample::new(inputs, Value::from(row)).attr("element_dtype", DType::F32)
            };
            vec![
                right(inputs(two(), 1, Value::from([2])), [3.0, 4.0]),
                right(inputs(absent_of(2, [2]), 1, Value::from(-1)), [0.0, 0.0]),
                error(inputs(two(), 2, Value::from([2])), "index 2 is out of range"),
                error(inputs(two(), -1, Value::from([2])), "index -1 is out of range"),
                error(inputs(two(), 0, Value::from([3])), "contradict each other"),
                error(
                    inputs(absent_of(2, PartialShape::unknown()), 0, Value::from(-1)),
                    "no known shape",
                ),
                Sample::error(inputs(two(), 0, Value::from([2])), "not int32")
                    .attr("element_dtype", DType::I32),
            ]
        });

/// The element at a place of a list, or zeros of the shape of an element.
fn item(
    list: &TensorList,
    place: Option<Value>,
    given: &PartialShape,
) -> Result<Value, KernelError> {
    match place {
        Some(value) => {
            common_shape(list, given, [&value])?;
            Ok(value)
        }
        None => {
            let shape = list.shape().merge(given)?;
            match shape.is_known() {
                true => absent(list, &shape),
                false => {
                    absent(list, &common_shape(list, given, list.elements().iter().flatten())?)
                }
            }
        }
    }
}

/// A list with one element replaced.
pub static TENSOR_LIST_SET_ITEM: OpDef =
    OpDef::new("TensorListSetItem", "A list with one element replaced.")
        .inputs(&[INPUT_HANDLE, Arg::is("index", DType::I32), Arg::of("item", "element_dtype")])
        .outputs(&[OUTPUT_HANDLE])
        .attrs(&[ELEMENT_DTYPE, AttrDef::bool("resize_if_index_out_of_bounds", false)])
        .fallible(Fallible::Values)
        .infer(|node| {
            check_rank(node, 1, 0, "no axes")?;
            infer_with_item(node, 2)
        })
        .gradient(|cx| {
            let (list, index, item): (Tensor, Tensor, Tensor) =
                (cx.input(0), cx.input(1), cx.input(2));
            let grad: Tensor = cx.grad();
            let of_list = tensor_list_set_item(grad, index, zeros_like(item));
            let of_list = match cx.node().bool_attr("resize_if_index_out_of_bounds")? {
                true => tensor_list_resize(of_list, tensor_list_length(list)),
                false => of_list,
            };
            let dtype = cx.node().type_attr("element_dtype")?;
            let of_item = tensor_list_get_item(grad, index, shape(item), dtype);
            Ok(grads([Some(of_list), None, Some(of_item)]))
        })
        .kernel(|node| {
            let resizes = node.bool_attr("resize_if_index_out_of_bounds")?;
            Ok(change_kernel(0, move |cx, list| {
                let index = index_in(cx.input(1)?, list)?;
                if resizes && index >= list.len() {
                    list.resize(index + 1)?;
                }
                Ok(list.set(index, cx.input(2)?.clone())?)
            }))
        })
        .samples(|| {
            let inputs = |index: i32, item: Value| {
                [list([[1.0, 2.0], [3.0, 4.0]]), Value::from(index), item]
            };
            let row = || Value::from([5.0_f32, 6.0]);
            let resizing =
                Sample::new(inputs(2, row()), list([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]));
            vec![
                Sample::new(inputs(1, row()), list([[1.0, 2.0], [5.0, 6.0]])),
                resizing.attr("resize_if_index_out_of_bounds", true),
                Sample::error(inputs(2, row()), "index 2 is out of range"),
                Sample::error(inputs(0, Value::from(1.0_f32)), "contradict each other"),
                Sample::error(inputs(0, Value::from([1, 2])), "the value is"),
            ]
        });

/// The facts known about a list after an operation that put input `item` into it.
fn infer_with_item(node: &NodeView<'_>, item: usize) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let fact = listed(node, 0, node.type_attr("element_dtype")?)?;
    fact.shape.merge(node.shape(item))?;
    infer_list(fact)
}

/// A list with an element appended.
pub static TENSOR_LIST_PUSH_BACK: OpDef =
    OpDef::new("TensorListPushBack", "A list with an element appended.")
        .inputs(&[INPUT_HANDLE, Arg::of("tensor", "element_dtype")])
        .outputs(&[OUTPUT_HANDLE])
        .attrs(&[ELEMENT_DTYPE])
        .fallible(Fallible::Values)
        .infer(|node| infer_with_item(node, 1))
        .gradient(|cx| {
            let item: Tensor = cx.input(1);
            let dtype = cx.node().type_attr("element_dtype")?;
            let (list, grad) = tensor_list_pop_back(cx.grad::<Tensor>(), shape(item), dtype);
            Ok(grads([Some(list), Some(grad)]))
        })
        .kernel(|_| Ok(change_kernel(0, |cx, list| Ok(list.push(cx.input(1)?.clone())?))))
        .samples(|| {
            let row = Value::from([3.0_f32, 4.0]);
            let pushed = list([[1.0, 2.0], [3.0, 4.0]]);
            let full = TensorList::new(DType::F32, [2]).with_limit(0);
            vec![
                Sample::new([list([[1.0, 2.0]]), row.clone()], pushed),
                Sample::error([list([[1.0, 2.0]]), Value::from(1.0_f32)], "contradict each other"),
                Sample::error([full.into(), row], "the list is full"),
            ]
        });

/// A list without its last element, and that element.
pub static TENSOR_LIST_POP_BACK: OpDef =
    OpDef::new("TensorListPopBack", "A list without its last element, and that element.")
        .inputs(&[INPUT_HANDLE, Arg::is("element_shape", DType::I32)])
        .outputs(&[OUTPUT_HANDLE, Arg::of("tensor", "element_dtype")])
        .attrs(&[ELEMENT_DTYPE])
        .fallible(Fallible::Values)
        .infer(|node| {
            let fact = listed(node, 0, node.type_attr("element_dtype")?)?;
            Ok(smallvec![Inferred::list_of(fact), Inferred::same_as(&element(node, 0, 1)?)])
        })
        .gradient(|cx| {
            let dtype = cx.node().type_attr("element_dtype")?;
            let rest: Tensor = cx.output(0);
            let of_rest = cx.grad_of(0).unwrap_or_else(|| {
                tensor_list_reserve(
                    tensor_list_element_shape(rest),
                    tensor_list_length(rest),
                    dtype,
                )
            });
            let of_item = cx.grad_of(1).unwrap_or_else(|| zeros_like(cx.output::<Tensor>(1)));
            Ok(grads([Some(tensor_list_push_back(of_rest, of_item)), None]))
        })
        .kernel(|node| {
            let dtype = node.type_attr("element_dtype")?;
            Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
                list_input(cx, 0, dtype)?;
                let given = shape_in(cx.input(1)?)?;
                let mut value = cx.take(0)?;
                let list = list_in_mut(&mut value)?;
                let place = list
                    .pop()
                    .ok_or_else(|| OpError::invalid("an empty list has no last element"))?;
                let item = item(list, place, &given)?;
                cx.set(0, value);
                cx.set(1, item);
                Ok(())
            }))
        })
        .samples(|| {
            let two = list([[1.0, 2.0], [3.0, 4.0]]);
            let sample = Sample::shapes([two, Value::from([2])]).attr("element_dtype", DType::F32);
            let empty = Value::from(TensorList::new(DType::F32, [2]));
            let error = Sample::error([empty, Value::from([2])], "no last element");
            vec![
                sample.outputs([list([[1.0, 2.0]]), Value::from([3.0_f32, 4.0])]),
                error.attr("element_dtype", DType::F32),
            ]
        });

/// Several lists, each with an element appended.
pub static TENSOR_LIST_PUSH_BACK_BATCH: OpDef =
    OpDef::new("TensorListPushBackBatch", "Several lists, each with an element appended.")
        .inputs(&[Arg::is("input_handles", DType::Variant), Arg::of("tensor", "element_dtype")])
        .outputs(&[Arg::is("output_handles", DType::Variant)])
        .attrs(&[ELEMENT_DTYPE])
        .fallible(Fallible::Values)
        .infer(|node| {
            check_rank(node, 0, 1, "1 axis")?;
            behind_first(node.shape(1))?;
            let lists = node.shape(1).dims().and_then(|dims| dims.first().copied());
            let lists: PartialShape = lists.into_iter().collect();
            match lists.rank() {
                Some(1) => Inferred::one(node.shape(0).merge(&lists)?),
                _ => Inferred::one(node.shape(0).clone()),
            }
        })
        .not_differentiable()
        .kernel(|_| {
            Ok(Box::new(|cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
                let tensor = cx.input(1)?;
                behind_first(&tensor.shape().into())?;
                let elements = layout::unpack(cx.memory, tensor, 0)?;
                let mut handles = cx.take(0)?;
                let lists = handles.as_mut_slice::<TensorList>()?;
                if lists.len() != elements.len() {
                    let (lists, elements) = (lists.len(), elements.len());
                    let message = format!("{elements} elements are given for {lists} lists");
                    return Err(OpError::shape("tensor", message).into());
                }
                lists.iter_mut().zip(elements).try_for_each(|(list, x)| list.push(x))?;
                cx.set(0, handles);
                Ok(())
            }))
        })
        .samples(|| {
            let empty = || TensorList::new(DType::F32, [2]);
            let rows = Value::from_vec([2, 2], vec![1.0_f32, 2.0, 3.0, 4.0]);
            let outputs = super::samples::lists([[[1.0, 2.0]], [[3.0, 4.0]]]);
            let three = Value::list(vec![empty(), empty(), empty()]);
            rows.into_iter()
                .flat_map(|rows| {
                    let two = Value::list(vec![empty(), empty()]);
                    let error = Sample::error([three.clone(), rows.clone()], "2");
                    [Sample::new([two, rows], outputs.clone()), error]
                })
                .collect()
        });

/// The element of a list at `index`, of type `element_dtype`; zeros if it is absent. Its shape
/// combines the list's element shape and `element_shape`: a [`PartialShape`], or dimensions with -1
/// for unknown ones.
///
/// Its gradient is a list whose other elements are absent.
///
/// # Errors
/// An index out of range, an element of another type or shape, or an absent element with unknown
/// shape.
///
/// ```
/// use tidemill_ops::{tensor_list_get_item, tensor_list_reserve};
/// use tidemill_value::{DType, shape};
/// let list = tensor_list_reserve(shape![?, 3], 5, DType::F32);
/// let item = tensor_list_get_item(list, 4, shape![2, ?], DType::F32);
/// assert_eq!(item.shape().to_string(), "[2, 3]");
/// ```
#[doc(alias = "TensorListGetItem")]
#[track_caller]
pub fn tensor_list_get_item(
    list: impl Into<Operand>,
    index: impl Into<Operand>,
    element_shape: impl Into<Operand>,
    element_dtype: DType,
) -> Tensor {
    let list = list.into().to_tensor();
    beside(list, "TensorListGetItem", |full| {
        let index = index.into().to_tensor_beside(list, "index");
        let shape = element_shape.into().to_tensor_beside(list, "element_shape");
        let node = NodeBuilder::new(&TENSOR_LIST_GET_ITEM).exact_name(full);
        let node = node.input(list).input(index).input(shape);
        tensor(node.attr("element_dtype", element_dtype))
    })
}

/// The list with `item` at `index`.
///
/// The gradient of the item is the incoming gradient at `index`; the list gets the rest.
///
/// # Errors
/// An index out of range, or an item of another type or shape than the list has.
///
/// ```
/// use tidemill_ops::{constant, tensor_list_reserve, tensor_list_set_item};
/// use tidemill_value::{DType, shape};
/// let list = tensor_list_reserve(shape![2], 5, DType::F32);
/// let list = tensor_list_set_item(list, 4, constant([1.0_f32, 2.0]));
/// assert_eq!(list.dtype(), Some(DType::Variant));
/// ```
#[doc(alias = "TensorListSetItem")]
#[track_caller]
pub fn tensor_list_set_item(
    list: impl Into<Operand>,
    index: impl Into<Operand>,
    item: impl Into<Operand>,
) -> Tensor {
    set_item(list.into(), index.into(), item.into(), false)
}

/// [`tensor_list_set_item`], which can make the list longer.
#[track_caller]
pub(crate) fn set_item(list: Operand, index: Operand, item: Operand, resizes: bool) -> Tensor {
    let list = list.to_tensor();
    beside(list, "TensorListSetItem", |full| {
        let index = index.to_tensor_beside(list, "index");
        let item = item.to_tensor_beside(list, "item");
        let node = NodeBuilder::new(&TENSOR_LIST_SET_ITEM).exact_name(full);
        let node = node.input(list).input(index).input(item);
        tensor(node.attr("resize_if_index_out_of_bounds", resizes))
    })
}

/// The list with `item` as its last element.
///
/// The item gets the last element of the incoming gradient, and the list the rest.
///
/// # Errors
/// An item of another type or shape than the list has.
///
/// ```
/// use tidemill_ops::{constant, empty_tensor_list, tensor_list_push_back};
/// use tidemill_value::{DType, shape};
/// let list = tensor_list_push_back(empty_tensor_list(shape![2], DType::I32), constant([1, 2]));
/// assert_eq!(list.dtype(), Some(DType::Variant));
/// ```
#[doc(alias = "TensorListPushBack")]
#[track_caller]
pub fn tensor_list_push_back(list: impl Into<Operand>, item: impl Into<Operand>) -> Tensor {
    let list = list.into().to_tensor();
    beside(list, "TensorListPushBack", |full| {
        let item = item.into().to_tensor_beside(list, "tensor");
        tensor(NodeBuilder::new(&TENSOR_LIST_PUSH_BACK).exact_name(full).input(list).input(item))
    })
}

/// The list without its last element, and that element (see [`tensor_list_get_item`]).
///
/// Its gradient appends the element's gradient to the list's.
///
/// # Errors
/// In a run, an empty list, and as for [`tensor_list_get_item`].
///
/// ```
/// use tidemill_ops::{constant, empty_tensor_list, tensor_list_pop_back, tensor_list_push_back};
/// use tidemill_value::{DType, shape};
/// let list = tensor_list_push_back(empty_tensor_list(shape![2], DType::I32), constant([1, 2]));
/// let (list, item) = tensor_list_pop_back(list, shape![2], DType::I32);
/// assert_eq!((list.dtype(), item.dtype()), (Some(DType::Variant), Some(DType::I32)));
/// ```
#[doc(alias = "TensorListPopBack")]
#[track_caller]
pub fn tensor_list_pop_back(
    list: impl Into<Operand>,
    element_shape: impl Into<Operand>,
    element_dtype: DType,
) -> (Tensor, Tensor) {
    let list = list.into().to_tensor();
    let rest = beside(list, "TensorListPopBack", |full| {
        let shape = element_shape.into().to_tensor_beside(list, "element_shape");
        let node = NodeBuilder::new(&TENSOR_LIST_POP_BACK).exact_name(full);
        tensor(node.input(list).input(shape).attr("element_dtype", element_dtype))
    });
    (rest, rest.op().output(1))
}

/// Appends to each list of a tensor of lists the corresponding slice of `tensor`.
///
/// It has no gradient.
///
/// # Errors
/// Another number of lists than of parts, or parts of another type or shape than the lists have.
///
/// ```
/// use tidemill_ops::{constant, empty_tensor_list, stack, tensor_list_push_back_batch};
/// use tidemill_value::{DType, shape};
/// let lists = stack([(); 2].map(|()| empty_tensor_list(shape![2], DType::I32)), 0);
/// let lists = tensor_list_push_back_batch(lists, constant([[1, 2], [3, 4]]));
/// assert_eq!(lists.shape().to_string(), "[2]");
/// ```
#[doc(alias = "TensorListPushBackBatch")]
#[track_caller]
pub fn tensor_list_push_back_batch(
    lists: impl Into<Operand>,
    tensor: impl Into<Operand>,
) -> Tensor {
    let lists = lists.into().to_tensor();
    beside(lists, "TensorListPushBackBatch", |full| {
        let parts = tensor.into().to_tensor_beside(lists, "tensor");
        let node = NodeBuilder::new(&TENSOR_LIST_PUSH_BACK_BATCH).exact_name(full);
        crate::operand::tensor(node.input(lists).input(parts))
    })
}
