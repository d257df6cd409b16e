//! Small integer tensors that describe shapes and axes.

use smallvec::SmallVec;
use tidemill_graph::{Arity, Elements, KernelError, NodeView, OpError};
use tidemill_value::{DType, Dim, Element, PartialShape, Shape, Value, ValueError};

/// The elements of a value of signed integers.
pub(crate) fn integers(value: &Value) -> Result<SmallVec<[i64; 4]>, KernelError> {
    match value.dtype() {
        DType::I8 => Ok(value.as_slice::<i8>()?.iter().map(|&x| x.into()).collect()),
        DType::I16 => Ok(value.as_slice::<i16>()?.iter().map(|&x| x.into()).collect()),
        DType::I32 => Ok(value.as_slice::<i32>()?.iter().map(|&x| x.into()).collect()),
        _ => Ok(SmallVec::from_slice(value.as_slice::<i64>()?)),
    }
}

/// The elements of a value as extents of a shape.
pub(crate) fn shape_of(value: &Value) -> Result<Shape, KernelError> {
    Ok(integers(value)?.into_iter().map(extent).collect::<Result<_, _>>()?)
}

/// A number as an extent of a shape.
pub(crate) fn extent(extent: i64) -> Result<usize, OpError> {
    usize::try_from(extent)
        .map_err(|_| OpError::elements("shape", format!("{extent} is not a valid extent")))
}

/// The elements of input `i` as extents of a shape; known ones must not be negative.
pub(crate) fn known_extents(
    node: &NodeView<'_>,
    i: usize,
) -> Result<Option<PartialShape>, OpError> {
    let Some(elements) = node.elements(i) else { return Ok(None) };
    let dim = |element: &Option<i64>| element.map(extent).transpose().map(Dim::from);
    elements.iter().map(dim).collect::<Result<PartialShape, _>>().map(Some)
}

/// An axis counted from the first; a negative one counts from the end.
pub(crate) fn axis_of(axis: i64, rank: usize) -> Result<usize, OpError> {
    let counted = if axis < 0 { axis.checked_add_unsigned(rank as u64) } else { Some(axis) };
    counted
        .and_then(|axis| usize::try_from(axis).ok())
        .filter(|&axis| axis < rank)
        .ok_or(OpError::Axis { axis, rank })
}

/// Axes counted from the first, ascending.
pub(crate) fn axes_of(axes: &[i64], rank: usize) -> Result<SmallVec<[usize; 4]>, OpError> {
    let mut counted: SmallVec<[usize; 4]> =
        axes.iter().map(|&axis| axis_of(axis, rank)).collect::<Result<_, _>>()?;
    counted.sort_unstable();
    match counted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(OpError::DuplicateAxis { axis: pair[0] as i64 }),
        None => Ok(counted),
    }
}

/// The only element of an input that must be a single integer.
pub(crate) fn integer(value: &Value, input: &'static str) -> Result<i64, KernelError> {
    match integers(value)?[..] {
        [number] => Ok(number),
        _ => Err(OpError::shape(input, format!("`{input}` must be a single number")).into()),
    }
}

/// The only element of input `i`, if it is known.
pub(crate) fn known_integer(node: &NodeView<'_>, i: usize) -> Option<i64> {
    match node.elements(i).map(|elements| &elements[..]) {
        Some(&[element]) => element,
        _ => None,
    }
}

/// The elements of input `i`, if all are known.
pub(crate) fn known_integers(node: &NodeView<'_>, i: usize) -> Option<Vec<i64>> {
    node.elements(i).and_then(Elements::known)
}

/// A number that is a count.
pub(crate) fn count_of(number: i64, what: &'static str) -> Result<usize, OpError> {
    usize::try_from(number).map_err(|_| {
        OpError::elements(what, format!("`{what}` must not be negative, but is {number}"))
    })
}

/// Checks that input `i`, if its shape is known, holds one number.
pub(crate) fn check_single(node: &NodeView<'_>, i: usize) -> Result<(), OpError> {
    match node.shape(i).elements() {
        Some(count) if count != 1 => {
            let (input, shape) = (name_of(node, i), node.shape(i));
            let message = format!("`{input}` must be a single number, but its shape is {shape}");
            Err(OpError::shape(input, message))
        }
        _ => Ok(()),
    }
}

/// Checks that input `i` can have a shape.
pub(crate) fn check_shape(
    node: &NodeView<'_>,
    i: usize,
    expected: &PartialShape,
) -> Result<(), OpError> {
    let (input, actual) = (name_of(node, i), node.shape(i));
    match actual.merge(expected) {
        Ok(_) => Ok(()),
        Err(_) => {
            let message =
                format!("`{input}` must be of shape {expected}, but its shape is {actual}");
            Err(OpError::shape(input, message))
        }
    }
}

/// Checks that input `i` has elements along some of its axes, as far as that is known.
pub(crate) fn check_not_empty(
    node: &NodeView<'_>,
    i: usize,
    axes: impl IntoIterator<Item = usize>,
) -> Result<(), OpError> {
    let Some(dims) = node.shape(i).dims() else { return Ok(()) };
    let is_empty = |axis: &usize| dims.get(*axis).and_then(|dim| dim.known()) == Some(0);
    match axes.into_iter().find(is_empty) {
        Some(axis) => {
            let shape = node.shape(i);
            let message = format!("axis {axis} of shape {shape} is empty");
            Err(OpError::shape(name_of(node, i), message))
        }
        None => Ok(()),
    }
}

/// The operation's name for input `i`.
fn name_of(node: &NodeView<'_>, i: usize) -> &'static str {
    let (mut arguments, mut end) = (node.op().inputs.iter(), 0);
    let lists = node.op().inputs.iter().filter(|arg| arg.arity != Arity::One).count();
    let others = node.op().inputs.len() - lists;
    let listed = node.inputs().len().saturating_sub(others).checked_div(lists).unwrap_or_default();
    let argument = arguments.find(|arg| {
        end += if arg.arity == Arity::One { 1 } else { listed };
        i < end
    });
    argument.map_or("input", |arg| arg.name)
}

/// Checks that input `i`, if its rank is known, has `rank` axes; `expected` describes them in
/// words.
pub(crate) fn check_rank(
    node: &NodeView<'_>,
    i: usize,
    rank: usize,
    expected: &'static str,
) -> Result<(), OpError> {
    match node.shape(i).rank() {
        Some(actual) if actual != rank => {
            let (input, actual) = (name_of(node, i), node.shape(i).clone());
            Err(OpError::Rank { input, expected, actual })
        }
        _ => Ok(()),
    }
}

/// An extent, or if it is unknown, an upper bound.
pub(crate) fn most(extent: &Dim) -> usize {
    extent.known().unwrap_or(usize::MAX >> 1)
}

/// An extent, or if it is unknown, the least extent that has this diagonal.
pub(crate) fn least(extent: &Dim, diagonal: i64) -> usize {
    extent.known().unwrap_or_else(|| usize::try_from(diagonal).unwrap_or(0).saturating_add(1))
}

/// The extents of a shape as an `int32` value, or as an `int64` one if they are larger.
pub(crate) fn shape_tensor(shape: &[usize]) -> Value {
    index_list(shape, DType::I32).unwrap_or_else(|_| {
        // No memory holds more than the longest axis that can be described.
        let extents = shape.iter().map(|&extent| i64::try_from(extent).unwrap_or(i64::MAX));
        Value::list(extents.collect())
    })
}

/// Extents or axes as a value of an index type.
pub(crate) fn index_list(extents: &[usize], dtype: DType) -> Result<Value, ValueError> {
    match dtype {
        DType::I64 => list_of::<i64>(extents),
        _ => list_of::<i32>(extents),
    }
}

fn list_of<T: Element + TryFrom<usize>>(extents: &[usize]) -> Result<Value, ValueError> {
    let element = |&extent: &usize| {
        let (number, dtype) = (extent.to_string(), T::DTYPE);
        T::try_from(extent).map_err(|_| ValueError::Unrepresentable { number, dtype })
    };
    Ok(Value::list(extents.iter().map(element).collect::<Result<_, _>>()?))
}
