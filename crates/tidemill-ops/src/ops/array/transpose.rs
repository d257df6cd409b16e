//! `Transpose`.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, Elements, Fallible, Inferred, NodeBuilder, NodeView, OpDef, OpError, Sample,
};
use tidemill_kernels::elementwise::cast;
use tidemill_kernels::layout;
use tidemill_value::{DType, PartialShape, Value};

use super::{range, rank};
use crate::family::grads;
use crate::index::integers;
use crate::kernel::kernel;
use crate::operand::{composite, indexed, tensor, unary};
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    ops: INVERT_PERMUTATION, TRANSPOSE;
    exports: invert_permutation, transpose;
}

/// A tensor with its axes in another order.
pub static TRANSPOSE: OpDef = OpDef::new("Transpose", "A tensor with its axes in another order.")
    .inputs(&[Arg::of("x", "T"), Arg::of("perm", "Tperm")])
    .outputs(&[Arg::of("y", "T")])
    .attrs(&[AttrDef::types("T", DType::ALL), AttrDef::types("Tperm", DType::INDICES)])
    .fallible(Fallible::Elements(&[1]))
    .infer(infer)
    .gradient(|cx| {
        let known = cx.node().elements(1).and_then(Elements::known);
        let inverted = match known.and_then(|perm| inverse(&perm).ok()) {
            Some(inverse) => Operand::from(inverse),
            None => Operand::from(invert_permutation(cx.input::<Tensor>(1))),
        };
        Ok(grads([Some(transpose_by(cx.grad(), inverted)), None]))
    })
    .kernel(|_| {
        Ok(kernel(|cx| {
            let perm = permutation(&integers(cx.input(1)?)?)?;
            Ok(layout::transpose(cx.memory, cx.input(0)?, &perm)?)
        }))
    })
    .samples(|| {
        let x = Value::from_vec([2, 3], vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let y = Value::from_vec([3, 2], vec![1.0_f32, 4.0, 2.0, 5.0, 3.0, 6.0]);
        let (Ok(x), Ok(y)) = (x, y) else { return Vec::new() };
        vec![
            Sample::new([x.clone(), Value::from([1, 0])], y),
            Sample::error([x, Value::from([0, 0])], "permutation"),
        ]
    });

fn infer(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let shape = node.shape(0);
    let Some(perm) = node.elements(1).and_then(Elements::known) else {
        let rank = shape.rank().or_else(|| node.shape(1).elements());
        return Inferred::one(rank.map_or(PartialShape::unknown(), PartialShape::of_rank));
    };
    let perm = permutation(&perm)?;
    match shape.dims() {
        Some(dims) if dims.len() == perm.len() => {
            Inferred::one(perm.iter().map(|&axis| dims[axis]).collect::<PartialShape>())
        }
        Some(dims) => Err(OpError::shape(
            "perm",
            format!("the permutation has {} axes, but the tensor {}", perm.len(), dims.len()),
        )),
        None => Inferred::one(PartialShape::of_rank(perm.len())),
    }
}

/// Numbers as a permutation of axes.
fn permutation(numbers: &[i64]) -> Result<SmallVec<[usize; 4]>, OpError> {
    let axes: Option<SmallVec<[usize; 4]>> =
        numbers.iter().map(|&axis| usize::try_from(axis).ok()).collect();
    let is_permutation =
        |axes: &SmallVec<[usize; 4]>| (0..axes.len()).all(|axis| axes.contains(&axis));
    axes.filter(is_permutation).ok_or_else(|| {
        OpError::elements("perm", format!("{numbers:?} is not a permutation of the axes from 0"))
    })
}

/// The inverse of a permutation.
fn inverse(numbers: &[i64]) -> Result<Vec<i32>, OpError> {
    let axes = permutation(numbers)?;
    let mut inverse = vec![0; axes.len()];
    for (i, &axis) in axes.iter().enumerate() {
        inverse[axis] = i as i32;
    }
    Ok(inverse)
}

#[track_caller]
pub(super) fn transpose_by(x: Tensor, permutation: impl Into<Operand>) -> Tensor {
    indexed(&TRANSPOSE, "transpose", x, ("perm", permutation.into()), |node| node)
}

/// `x` with its axes in another order: axis `i` of the result is axis `permutation[i]` of `x`.
/// An empty list reverses the axes.
///
/// # Errors
/// A list that does not name each axis once.
///
/// ```
/// use tidemill_ops::{placeholder, transpose};
/// let x = transpose(placeholder::<f32>([2, 3, 4]), &[2, 0, 1]);
/// assert_eq!(x.shape().to_string(), "[4, 2, 3]");
/// ```
#[doc(alias = "Transpose")]
#[track_caller]
pub fn transpose(x: impl Into<Operand>, permutation: &[i32]) -> Tensor {
    let x = x.into().to_tensor();
    if !permutation.is_empty() {
        return transpose_by(x, permutation.to_vec());
    }
    if let Some(rank) = x.shape().rank() {
        return transpose_by(x, (0..rank as i32).rev().collect::<Vec<_>>());
    }
    composite(x.graph(), "transpose", |full| {
        let reversed = range(rank(x) - 1, -1, -1);
        tensor(NodeBuilder::new(&TRANSPOSE).exact_name(full).input(x).input(reversed))
    })
}

/// The inverse of a permutation.
pub static INVERT_PERMUTATION: OpDef =
    OpDef::new("InvertPermutation", "The inverse of a permutation.")
        .inputs(&[Arg::of("x", "T")])
        .outputs(&[Arg::of("y", "T")])
        .attrs(&[AttrDef::types("T", DType::INDICES)])
        .fallible(Fallible::Elements(&[0]))
        .infer(|node| match node.shape(0).rank() {
            None | Some(1) => {
                let known = node.elements(0).and_then(Elements::known);
                let inverted = known.map(|perm| inverse(&perm)).transpose()?;
                let elements =
                    inverted.map(|perm| perm.into_iter().map(|x| Some(x.into())).collect());
                Ok([Inferred::with_elements(node.shape(0).clone(), elements)].into_iter().collect())
            }
            Some(_) => {
                let (input, actual) = ("x", node.shape(0).clone());
                Err(OpError::Rank { input, expected: "1 axis", actual })
            }
        })
        .kernel(|node| {
            let dtype = node.dtype(0);
            Ok(kernel(move |cx| {
                let inverted = Value::list(inverse(&integers(cx.input(0)?)?)?);
                Ok(cast(cx.memory, &inverted, dtype)?)
            }))
        })
        .not_differentiable()
        .samples(|| {
            vec![
                Sample::new([Value::from([2, 0, 1])], Value::from([1, 2, 0])),
                Sample::error([Value::from([2, 0, 0])], "permutation"),
            ]
        });

/// The inverse of `permutation`, a list of the numbers from 0 in any order.
///
/// # Errors
/// A run fails if a number is missing or occurs twice.
///
/// ```
/// use tidemill_ops::{constant, invert_permutation};
/// assert_eq!(invert_permutation(constant([2, 0, 1])).shape().to_string(), "[3]");
/// ```
#[doc(alias = "InvertPermutation")]
#[track_caller]
pub fn invert_permutation(permutation: impl Into<Operand>) -> Tensor {
    unary(&INVERT_PERMUTATION, permutation)
}
