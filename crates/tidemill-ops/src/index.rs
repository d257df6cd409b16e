//! Small integer tensors that describe shapes and axes.

use smallvec::SmallVec;
use tidemill_graph::{Elements, KernelError, NodeView, OpError};
use tidemill_value::{DType, Shape, Value};

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
    let extent = |extent: i64| {
        usize::try_from(extent)
            .map_err(|_| OpError::elements("shape", format!("{extent} is no extent of a shape")))
    };
    Ok(integers(value)?.into_iter().map(extent).collect::<Result<_, _>>()?)
}

/// An axis counted from the first, where a negative one counts from behind the last.
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

/// The only element of an input that has to be a single integer.
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

/// A number that counts something.
pub(crate) fn count_of(number: i64, what: &'static str) -> Result<usize, OpError> {
    usize::try_from(number).map_err(|_| {
        OpError::elements(what, format!("`{what}` must not be negative, but is {number}"))
    })
}

/// Checks that input `i`, if its rank is known, has `rank` axes, which `expected` says in words.
pub(crate) fn check_rank(
    node: &NodeView<'_>,
    i: usize,
    rank: usize,
    expected: &'static str,
) -> Result<(), OpError> {
    match node.shape(i).rank() {
        Some(actual) if actual != rank => {
            let (input, actual) = (node.op().inputs[i].name, node.shape(i).clone());
            Err(OpError::Rank { input, expected, actual })
        }
        _ => Ok(()),
    }
}
