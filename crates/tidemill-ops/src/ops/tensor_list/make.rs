//! New lists and their lengths: `EmptyTensorList`, `TensorListReserve`, `TensorListLength`.

use tidemill_graph::{
    Arg, AttrDef, Elements, Fact, Fallible, Inferred, NodeBuilder, OpDef, Sample,
};
use tidemill_value::{DType, PartialShape, TensorList, Value};

use super::{
    ELEMENT_DTYPE, INPUT_HANDLE, OUTPUT_HANDLE, SHAPE_TYPE, change_kernel, described, infer_list,
    list_in, shape_in,
};
use crate::family::grads;
use crate::index::{check_rank, count_of, integer, known_integer};
use crate::kernel::kernel;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    ops:
        EMPTY_TENSOR_LIST, TENSOR_LIST_ELEMENT_SHAPE, TENSOR_LIST_LENGTH, TENSOR_LIST_RESERVE,
        TENSOR_LIST_RESIZE;
    exports:
        empty_tensor_list, tensor_list_element_shape, tensor_list_length, tensor_list_reserve,
        tensor_list_resize;
}

const HANDLE: &[Arg] = &[Arg::is("handle", DType::Variant)];
const MAKE_ATTRS: &[AttrDef] = &[ELEMENT_DTYPE, SHAPE_TYPE];

/// A list without elements.
pub static EMPTY_TENSOR_LIST: OpDef = OpDef::new("EmptyTensorList", "A list without elements.")
    .inputs(&[Arg::of("element_shape", "shape_type"), Arg::is("max_num_elements", DType::I32)])
    .outputs(HANDLE)
    .attrs(MAKE_ATTRS)
    .fallible(Fallible::Values)
    .infer(|node| {
        check_rank(node, 1, 0, "no axes")?;
        infer_list(Fact::new(node.type_attr("element_dtype")?, described(node, 0)?))
    })
    .kernel(|node| {
        let dtype = node.type_attr("element_dtype")?;
        Ok(kernel(move |cx| {
            let list = TensorList::new(dtype, shape_in(cx.input(0)?)?);
            let most = integer(cx.input(1)?, "max_num_elements")?;
            Ok(match usize::try_from(most) {
                Ok(most) => list.with_limit(most).into(),
                Err(_) => list.into(),
            })
        }))
    })
    .not_differentiable()
    .samples(|| {
        let sample = |shape: Value| {
            let list = TensorList::new(DType::F32, [2]);
            Sample::new([shape, Value::from(-1)], list.into()).attr("element_dtype", DType::F32)
        };
        let wrong = Sample::error([Value::from(3), Value::from(-1)], "must be -1, not 3");
        vec![
            sample(Value::from([2])),
            sample(Value::from([2_i64])),
            wrong.attr("element_dtype", DType::F32),
        ]
    });

/// A list of absent elements.
pub static TENSOR_LIST_RESERVE: OpDef =
    OpDef::new("TensorListReserve", "A list of absent elements.")
        .inputs(&[Arg::of("element_shape", "shape_type"), Arg::is("num_elements", DType::I32)])
        .outputs(HANDLE)
        .attrs(MAKE_ATTRS)
        .fallible(Fallible::Values)
        .infer(|node| {
            check_rank(node, 1, 0, "no axes")?;
            known_integer(node, 1).map_or(Ok(0), |len| count_of(len, "num_elements"))?;
            infer_list(Fact::new(node.type_attr("element_dtype")?, described(node, 0)?))
        })
        .kernel(|node| {
            let dtype = node.type_attr("element_dtype")?;
            Ok(kernel(move |cx| {
                let mut list = TensorList::new(dtype, shape_in(cx.input(0)?)?);
                let len = integer(cx.input(1)?, "num_elements")?;
                list.resize(count_of(len, "num_elements")?)?;
                Ok(list.into())
            }))
        })
        .not_differentiable()
        .samples(|| {
            let mut list = TensorList::new(DType::F32, PartialShape::unknown());
            let sample = |len: i32| [Value::from(-1), Value::from(len)];
            let reserved = list.resize(3).is_ok().then_some(list);
            let wrong = Sample::error(sample(-2), "must not be negative");
            let right = reserved.map(|list| Sample::new(sample(3), list.into()));
            let samples = right.into_iter().chain([wrong]);
            samples.map(|sample| sample.attr("element_dtype", DType::F32)).collect()
        });

/// The length of a list.
pub static TENSOR_LIST_LENGTH: OpDef = OpDef::new("TensorListLength", "The length of a list.")
    .inputs(&[INPUT_HANDLE])
    .outputs(&[Arg::is("length", DType::I32)])
    .fallible(Fallible::Values)
    .infer(|node| {
        check_rank(node, 0, 0, "no axes")?;
        Inferred::one(PartialShape::scalar())
    })
    .kernel(|_| {
        Ok(kernel(|cx| {
            let len = list_in(cx.input(0)?)?.len();
            let len = i32::try_from(len).map_err(|_| {
                tidemill_graph::OpError::invalid(format!("the length {len} does not fit in int32"))
            })?;
            Ok(Value::from(len))
        }))
    })
    .not_differentiable()
    .samples(|| {
        vec![Sample::new([super::samples::list([[1.0, 2.0], [3.0, 4.0]])], Value::from(2))]
    });

/// The known shape of a list's elements.
pub static TENSOR_LIST_ELEMENT_SHAPE: OpDef =
    OpDef::new("TensorListElementShape", "The common shape of a list's elements.")
        .inputs(&[INPUT_HANDLE])
        .outputs(&[Arg::of("element_shape", "shape_type")])
        .attrs(&[SHAPE_TYPE])
        .fallible(Fallible::Values)
        .infer(|node| {
            check_rank(node, 0, 0, "no axes")?;
            let shape = node.inputs()[0].list.as_ref().map(|fact| &fact.shape);
            let Some(rank) = shape.and_then(PartialShape::rank) else {
                return Inferred::one(PartialShape::unknown());
            };
            let elements = shape.and_then(Elements::of_shape);
            Ok(smallvec::smallvec![Inferred::with_elements([rank].into(), elements)])
        })
        .kernel(|node| {
            let dtype = node.type_attr("shape_type")?;
            Ok(kernel(move |cx| {
                let shape = list_in(cx.input(0)?)?.shape().to_value();
                Ok(tidemill_kernels::elementwise::cast(cx.memory, &shape, dtype)?)
            }))
        })
        .not_differentiable()
        .samples(|| {
            let lists =
                [TensorList::new(DType::F32, PartialShape::of_rank(2)), TensorList::default()];
            let [of_rank, unknown] = lists.map(Value::from);
            vec![
                Sample::new([of_rank], Value::from([-1_i64, -1])).attr("shape_type", DType::I64),
                Sample::new([unknown], Value::from(-1)).attr("shape_type", DType::I32),
            ]
        });

/// A list with another length.
pub static TENSOR_LIST_RESIZE: OpDef =
    OpDef::new("TensorListResize", "A list with another length.")
        .inputs(&[INPUT_HANDLE, Arg::is("size", DType::I32)])
        .outputs(&[OUTPUT_HANDLE])
        .fallible(Fallible::Values)
        .infer(|node| {
            check_rank(node, 0, 0, "no axes")?;
            check_rank(node, 1, 0, "no axes")?;
            known_integer(node, 1).map_or(Ok(0), |len| count_of(len, "size"))?;
            Ok(smallvec::smallvec![Inferred::same_as(&node.inputs()[0])])
        })
        .gradient(|cx| {
            let len = tensor_list_length(cx.input::<Tensor>(0));
            Ok(grads([Some(tensor_list_resize(cx.grad::<Tensor>(), len)), None]))
        })
        .kernel(|_| {
            Ok(change_kernel(0, |cx, list| {
                let size = integer(cx.input(1)?, "size")?;
                Ok(list.resize(count_of(size, "size")?)?)
            }))
        })
        .samples(|| {
            let two = || super::samples::list([[1.0, 2.0], [3.0, 4.0]]);
            vec![
                Sample::new([two(), Value::from(1)], super::samples::list([[1.0, 2.0]])),
                Sample::error([two(), Value::from(-1)], "must not be negative"),
            ]
        });

/// Adds an operation that makes a list from a shape and a number.
#[track_caller]
fn make(
    op: &'static OpDef,
    name: &'static str,
    (shape, shape_name): (Operand, &'static str),
    (count, count_name): (Operand, &'static str),
    element_dtype: DType,
) -> Tensor {
    let given = shape.as_tensor().or(count.as_tensor());
    let graph = given.and_then(Tensor::graph);
    composite(graph.clone(), name, |full| {
        let key = graph.as_ref().map(tidemill_graph::Graph::key);
        let shape = shape.to_tensor_of(key, DType::I32, shape_name);
        let count = count.to_tensor_of(key, DType::I32, count_name);
        let node = NodeBuilder::new(op).exact_name(full).input(shape).input(count);
        tensor(node.attr("element_dtype", element_dtype))
    })
}

/// A list without elements, for tensors of type `element_dtype` whose shapes match `element_shape`:
/// a [`PartialShape`], or an integer tensor with -1 for an unknown dimension.
///
/// It has no gradient.
///
/// # Errors
/// In a run, an `element_shape` that is not a valid shape.
///
/// ```
/// use tidemill_ops::{constant, empty_tensor_list, tensor_list_push_back, tensor_list_stack};
/// use tidemill_value::{DType, shape};
/// let list = empty_tensor_list(shape![2], DType::F32);
/// let list = tensor_list_push_back(list, constant([1.0_f32, 2.0]));
/// let rows = tensor_list_stack(list, shape![2], DType::F32);
/// assert_eq!(rows.shape().to_string(), "[?, 2]");
/// ```
#[doc(alias = "EmptyTensorList")]
#[track_caller]
pub fn empty_tensor_list(element_shape: impl Into<Operand>, element_dtype: DType) -> Tensor {
    let (shape, most) = (element_shape.into(), Operand::from(-1));
    let shape = (shape, "element_shape");
    make(&EMPTY_TENSOR_LIST, "EmptyTensorList", shape, (most, "max_num_elements"), element_dtype)
}

/// A list of `num_elements` absent elements (see [`empty_tensor_list`]). An absent element reads as
/// zeros.
///
/// # Errors
/// In a run, a negative number of elements.
///
/// ```
/// use tidemill_ops::{tensor_list_length, tensor_list_reserve};
/// use tidemill_value::{DType, shape};
/// let list = tensor_list_reserve(shape![2], 5, DType::F32);
/// assert_eq!(tensor_list_length(list).shape().to_string(), "[]");
/// ```
#[doc(alias = "TensorListReserve")]
#[track_caller]
pub fn tensor_list_reserve(
    element_shape: impl Into<Operand>,
    num_elements: impl Into<Operand>,
    element_dtype: DType,
) -> Tensor {
    let (shape, count) = (element_shape.into(), num_elements.into());
    let shape = (shape, "element_shape");
    make(&TENSOR_LIST_RESERVE, "TensorListReserve", shape, (count, "num_elements"), element_dtype)
}

/// The number of elements of a list, including absent ones: an `int32`.
///
/// ```
/// use tidemill_ops::{tensor_list_length, tensor_list_reserve};
/// use tidemill_value::{DType, shape};
/// let length = tensor_list_length(tensor_list_reserve(shape![2], 5, DType::F32));
/// assert_eq!(length.dtype(), Some(DType::I32));
/// ```
#[doc(alias = "TensorListLength")]
#[track_caller]
pub fn tensor_list_length(list: impl Into<Operand>) -> Tensor {
    crate::operand::unary(&TENSOR_LIST_LENGTH, list)
}

/// The common shape of a list's elements, as `int32` dimensions with -1 for an unknown one, or a
/// single -1 if the rank is unknown.
///
/// ```
/// use tidemill_ops::{tensor_list_element_shape, tensor_list_reserve};
/// use tidemill_value::{DType, shape};
/// let shape = tensor_list_element_shape(tensor_list_reserve(shape![?, 3], 5, DType::F32));
/// assert_eq!(shape.shape().to_string(), "[2]");
/// ```
#[doc(alias = "TensorListElementShape")]
#[track_caller]
pub fn tensor_list_element_shape(list: impl Into<Operand>) -> Tensor {
    let node = NodeBuilder::new(&TENSOR_LIST_ELEMENT_SHAPE).input(list.into().to_tensor());
    tensor(node.attr("shape_type", DType::I32))
}

/// The list with `size` elements: it drops the last ones or adds absent ones.
///
/// Its gradient is resized to the original list.
///
/// # Errors
/// In a run, a negative size.
///
/// ```
/// use tidemill_ops::{tensor_list_reserve, tensor_list_resize};
/// use tidemill_value::{DType, shape};
/// let list = tensor_list_resize(tensor_list_reserve(shape![2], 5, DType::F32), 3);
/// assert_eq!(list.dtype(), Some(DType::Variant));
/// ```
#[doc(alias = "TensorListResize")]
#[track_caller]
pub fn tensor_list_resize(list: impl Into<Operand>, size: impl Into<Operand>) -> Tensor {
    let list = list.into().to_tensor();
    super::beside(list, "TensorListResize", |full| {
        let size = size.into().to_tensor_beside(list, "size");
        tensor(NodeBuilder::new(&TENSOR_LIST_RESIZE).exact_name(full).input(list).input(size))
    })
}
