//! Sums and zeros of lists, for gradients of lists: `AddN` and `ZerosLike`.

use smallvec::{SmallVec, smallvec};
use tidemill_graph::{Fact, Inferred, Kernel, KernelCx, KernelError, NodeView, OpError};
use tidemill_kernels::elementwise::{self as kernels, Side, cast};
use tidemill_kernels::with_binary;
use tidemill_value::{DType, Memory, PartialShape, TensorList, Value, ValueError};

/// A kernel that sums tensors of lists element by element: an absent element counts as zeros.
pub(in crate::ops) fn add_lists_kernel() -> Box<dyn Kernel> {
    Box::new(|cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
        let mut sum = cx.take_unique(0)?;
        for i in 1..cx.input_count() {
            add_to(cx.memory, &mut sum, cx.input(i)?)?;
        }
        cx.set(0, sum);
        Ok(())
    })
}

/// Adds a value to another one. The nesting of lists is limited, so the recursion is shallow.
fn add_to(memory: &Memory, sum: &mut Value, other: &Value) -> Result<(), KernelError> {
    if sum.shape() != other.shape() {
        let (left, right) = (sum.shape().into(), other.shape().into());
        return Err(ValueError::Incompatible { left, right }.into());
    }
    let dtype = sum.dtype();
    if dtype == DType::Variant {
        let lists = sum.as_mut_slice::<TensorList>()?.iter_mut();
        return lists
            .zip(other.as_slice::<TensorList>()?)
            .try_for_each(|(l, r)| add_list(memory, l, r));
    }
    if dtype.wide() != dtype {
        let mut wide = cast(memory, sum, dtype.wide())?;
        add_to(memory, &mut wide, &cast(memory, other, dtype.wide())?)?;
        *sum = cast(memory, &wide, dtype)?;
        return Ok(());
    }
    let add = kernels::add(dtype).ok_or(OpError::UnsupportedDType { op: "AddN", dtype })?;
    with_binary!(add, f => f.in_place(Side::Left, sum.as_mut_slice()?, other.as_slice()?)?);
    Ok(())
}

fn add_list(memory: &Memory, sum: &mut TensorList, other: &TensorList) -> Result<(), KernelError> {
    if sum.dtype() != other.dtype() {
        return Err(ValueError::DType { expected: sum.dtype(), actual: other.dtype() }.into());
    }
    if sum.len() != other.len() {
        let (left, right) = (sum.len(), other.len());
        let message = format!("lists of {left} and {right} elements cannot be added");
        return Err(OpError::invalid(message).into());
    }
    sum.refine(other.shape())?;
    for (i, other) in other.elements().iter().enumerate() {
        let Some(other) = other else { continue };
        let total = match sum.take(i)? {
            None => other.clone(),
            Some(mut value) => {
                add_to(memory, &mut value, other)?;
                value
            }
        };
        sum.set(i, total)?;
    }
    Ok(())
}

/// The facts known about the sum of lists.
pub(in crate::ops) fn infer_sum(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let facts = node.inputs();
    let shape =
        facts.iter().try_fold(PartialShape::unknown(), |shape, fact| shape.merge(&fact.shape))?;
    let mut lists = facts.iter().filter_map(|fact| fact.list.as_deref());
    let Some(first) = lists.next() else { return Ok(smallvec![shape.into()]) };
    let merged = lists.try_fold(first.clone(), |merged, list| match list.dtype == merged.dtype {
        true => Ok(Fact { shape: merged.shape.merge(&list.shape)?, list: None, ..merged }),
        false => Err(ValueError::DType { expected: merged.dtype, actual: list.dtype }),
    });
    Ok(smallvec![Inferred { shape, ..Inferred::list_of(merged?) }])
}

/// Lists like those of a value, with zeros for the present elements.
pub(in crate::ops) fn zeros_like_lists(value: &Value) -> Result<Value, ValueError> {
    let mut zeros = value.clone();
    for list in zeros.as_mut_slice::<TensorList>()? {
        for i in 0..list.len() {
            let zero = match list.get(i)? {
                Some(element) if element.dtype() == DType::Variant => zeros_like_lists(element)?,
                Some(element) => Value::zeros(element.dtype(), element.shape().clone())?,
                None => continue,
            };
            list.set(i, zero)?;
        }
    }
    Ok(zeros)
}
