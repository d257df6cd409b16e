//! Lists of tensors: `TensorListReserve`, `TensorListSetItem`, `TensorListStack` and their
//! relatives.
//!
//! A list is a tensor of type `variant` without axes. Operations that change a list return a new
//! list; if nothing else needs the old one, the new one reuses its memory, so that a stack or an
//! array in a loop costs no copies.

mod add;
mod concat;
mod make;
mod place;
mod samples;
mod scatter;
mod whole;

use tidemill_graph::{
    Arg, AttrDef, Elements, Fact, Inferred, Kernel, KernelCx, KernelError, NodeView, OpError,
};
use tidemill_value::{DType, Dim, PartialShape, TensorList, Value, ValueError};

pub(super) use add::{add_lists_kernel, infer_sum, zeros_like_lists};
pub use concat::{
    TENSOR_LIST_CONCAT, TENSOR_LIST_CONCAT_LISTS, TENSOR_LIST_CONCAT_V1, TENSOR_LIST_SPLIT,
    tensor_list_concat, tensor_list_concat_lists, tensor_list_split,
};
pub use make::{
    EMPTY_TENSOR_LIST, TENSOR_LIST_ELEMENT_SHAPE, TENSOR_LIST_LENGTH, TENSOR_LIST_RESERVE,
    TENSOR_LIST_RESIZE, empty_tensor_list, tensor_list_element_shape, tensor_list_length,
    tensor_list_reserve, tensor_list_resize,
};
pub(crate) use place::set_item;
pub use place::{
    TENSOR_LIST_GET_ITEM, TENSOR_LIST_POP_BACK, TENSOR_LIST_PUSH_BACK, TENSOR_LIST_PUSH_BACK_BATCH,
    TENSOR_LIST_SET_ITEM, tensor_list_get_item, tensor_list_pop_back, tensor_list_push_back,
    tensor_list_push_back_batch, tensor_list_set_item,
};
pub use scatter::{
    TENSOR_LIST_SCATTER, TENSOR_LIST_SCATTER_INTO_EXISTING_LIST, TENSOR_LIST_SCATTER_V1,
    tensor_list_scatter, tensor_list_scatter_into,
};
pub(crate) use whole::stack_of;
pub use whole::{
    TENSOR_LIST_FROM_TENSOR, TENSOR_LIST_GATHER, TENSOR_LIST_STACK, tensor_list_from_tensor,
    tensor_list_gather, tensor_list_stack,
};

use super::array::described_shape;
use crate::Tensor;
use crate::index::{check_rank, integers, known_integer};
use crate::operand::composite;
use crate::operations::collect;

collect! {
    concat, make, place, scatter, whole,
}

const ELEMENT_DTYPE: AttrDef = AttrDef::types("element_dtype", DType::ANY);
const SHAPE_TYPE: AttrDef = AttrDef::types("shape_type", DType::INDICES);
const INPUT_HANDLE: Arg = Arg::is("input_handle", DType::Variant);
const OUTPUT_HANDLE: Arg = Arg::is("output_handle", DType::Variant);

/// The facts known about the tensors of type `dtype` in the list of input `i`.
fn listed(node: &NodeView<'_>, i: usize, dtype: DType) -> Result<Fact, OpError> {
    check_rank(node, i, 0, "no axes")?;
    match node.inputs()[i].list.as_deref() {
        Some(fact) if fact.dtype == dtype => Ok(fact.clone()),
        Some(fact) => Err(ValueError::DType { expected: dtype, actual: fact.dtype }.into()),
        None => Ok(Fact::new(dtype, PartialShape::unknown())),
    }
}

/// The element shape that input `i` describes: extents, where -1 is an unknown one, or a single -1
/// if even the rank is unknown.
fn described(node: &NodeView<'_>, i: usize) -> Result<PartialShape, OpError> {
    match node.shape(i).rank() {
        Some(0) => match known_integer(node, i) {
            None | Some(-1) => Ok(PartialShape::unknown()),
            Some(number) => Err(no_shape(number)),
        },
        Some(_) => described_shape(node, i),
        None => Ok(PartialShape::unknown()),
    }
}

/// The facts known about the elements of the list of input `i`, with the shape that input `shape`
/// describes.
fn element(node: &NodeView<'_>, i: usize, shape: usize) -> Result<Fact, OpError> {
    let fact = listed(node, i, node.type_attr("element_dtype")?)?;
    let shape = fact.shape.merge(&described(node, shape)?)?;
    Ok(Fact { shape, ..fact })
}

fn no_shape(number: i64) -> OpError {
    OpError::elements(
        "element_shape",
        format!("a single number that describes a shape must be -1, not {number}"),
    )
}

/// The element shape that a value describes (see [`described`]).
fn shape_in(value: &Value) -> Result<PartialShape, KernelError> {
    let extents = integers(value)?;
    let shape = match (value.shape().rank(), &extents[..]) {
        (0, [-1]) => PartialShape::unknown(),
        (0, [number]) => return Err(no_shape(*number).into()),
        (1, extents) => {
            let elements: Elements = extents.iter().map(|&extent| Some(extent)).collect();
            elements.as_shape().ok_or_else(|| {
                OpError::elements("element_shape", format!("{extents:?} are not valid extents"))
            })?
        }
        _ => {
            return Err(
                OpError::shape("element_shape", "a shape must be a list, with 1 axis").into()
            );
        }
    };
    Ok(shape)
}

/// The shape of an element, without the first axis.
fn behind_first(shape: &PartialShape) -> Result<PartialShape, OpError> {
    match shape.dims() {
        None => Ok(PartialShape::unknown()),
        Some([]) => Err(OpError::shape("tensor", "a tensor without axes cannot become a list")),
        Some([_, inner @ ..]) => Ok(inner.iter().copied().collect()),
    }
}

/// The shape of several elements along a new first axis.
fn with_first(first: Dim, shape: &PartialShape) -> PartialShape {
    match shape.dims() {
        None => PartialShape::unknown(),
        Some(dims) => std::iter::once(first).chain(dims.iter().copied()).collect(),
    }
}

/// The list in a value.
fn list_in(value: &Value) -> Result<&TensorList, KernelError> {
    match value.as_slice::<TensorList>()? {
        [list] => Ok(list),
        _ => Err(ValueError::NotScalar { shape: value.shape().clone() }.into()),
    }
}

/// The list in a value, for writing. An unshared list is changed in place.
fn list_in_mut(value: &mut Value) -> Result<&mut TensorList, KernelError> {
    let shape = value.shape().clone();
    match value.as_mut_slice::<TensorList>()? {
        [list] => Ok(list),
        _ => Err(ValueError::NotScalar { shape }.into()),
    }
}

/// The list of elements of type `dtype` of input `i`.
fn list_input<'a>(
    cx: &'a KernelCx<'_>,
    i: usize,
    dtype: DType,
) -> Result<&'a TensorList, KernelError> {
    let list = list_in(cx.input(i)?)?;
    match list.dtype() {
        actual if actual == dtype => Ok(list),
        actual => Err(ValueError::DType { expected: dtype, actual }.into()),
    }
}

/// A kernel that changes the list of input `i`, and returns it as its first output.
fn change_kernel<F>(i: usize, change: F) -> Box<dyn Kernel>
where
    F: Fn(&KernelCx<'_>, &mut TensorList) -> Result<(), KernelError> + Send + Sync + 'static,
{
    Box::new(move |cx: &mut KernelCx<'_>| {
        let mut value = cx.take(i)?;
        change(cx, list_in_mut(&mut value)?)?;
        cx.set(0, value);
        Ok(())
    })
}

/// An index in a list.
fn index_in(value: &Value, list: &TensorList) -> Result<usize, KernelError> {
    let index = crate::index::integer(value, "index")?;
    usize::try_from(index).map_err(|_| out_of_range(index, list.len()).into())
}

fn out_of_range(index: i64, len: usize) -> OpError {
    OpError::elements(
        "index",
        format!("index {index} is out of range for a list of {len} elements"),
    )
}

/// The common shape of a list's elements, as far as it is known from the description, from the
/// list, and from the present elements.
fn common_shape<'a>(
    list: &TensorList,
    described: &PartialShape,
    elements: impl IntoIterator<Item = &'a Value>,
) -> Result<PartialShape, KernelError> {
    let known = list.shape().merge(described)?;
    let merged = elements.into_iter().try_fold(known, |known, element| match known.known() {
        Some(shape) if shape == *element.shape() => Ok(known),
        _ => known.merge(&element.shape().into()),
    });
    Ok(merged?)
}

/// Zeros in place of an absent element.
fn absent(list: &TensorList, shape: &PartialShape) -> Result<Value, KernelError> {
    let known = shape.known().filter(|_| list.dtype() != DType::Variant);
    let known = known.ok_or_else(|| {
        let dtype = list.dtype();
        OpError::elements(
            "element_shape",
            format!(
                "an absent element is read as zeros, which have no known shape in a {dtype} list \
                 of shape {shape}"
            ),
        )
    })?;
    Ok(Value::zeros(list.dtype(), known)?)
}

/// The inferred output of an operation that returns a list.
fn infer_list(elements: Fact) -> Result<smallvec::SmallVec<[Inferred; 1]>, OpError> {
    Ok(smallvec::smallvec![Inferred::list_of(elements)])
}

/// Builds an operation on a list, with constants named below it.
#[track_caller]
fn beside(list: Tensor, name: &str, build: impl FnOnce(&str) -> Tensor) -> Tensor {
    composite(list.graph(), name, build)
}
