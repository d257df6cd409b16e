//! Concatenations of lists and of their elements: `TensorListConcatV2`, `TensorListSplit`,
//! `TensorListConcatLists`.

use smallvec::{SmallVec, smallvec};
use tidemill_graph::{
    Arg, AttrDef, AttrDefault, AttrKind, Fact, Fallible, GradCx, Inferred, KernelCx, KernelError,
    NodeBuilder, NodeView, OpDef, OpError, Sample,
};
use tidemill_kernels::layout;
use tidemill_value::{DType, Dim, Memory, PartialShape, Shape, TensorList, Value};

use super::samples::{lists, with_absent};
use super::whole::{inner_shape, list_of_parts};
use super::{
    ELEMENT_DTYPE, INPUT_HANDLE, OUTPUT_HANDLE, SHAPE_TYPE, behind_first, beside, described,
    infer_list, list_input, listed, shape_in, tensor_list_element_shape, with_first,
};
use crate::family::grads;
use crate::index::{check_rank, count_of, integers, known_integers};
use crate::operand::tensor;
use crate::operations::operations;
use crate::ops::array::concat;
use crate::{Operand, Tensor};

operations! {
    ops: TENSOR_LIST_CONCAT, TENSOR_LIST_CONCAT_LISTS, TENSOR_LIST_CONCAT_V1, TENSOR_LIST_SPLIT;
    exports: tensor_list_concat, tensor_list_concat_lists, tensor_list_split;
}

const OUTPUTS: &[Arg] = &[Arg::of("tensor", "element_dtype"), Arg::is("lengths", DType::I64)];

/// The elements of a list, concatenated, and their extents.
pub static TENSOR_LIST_CONCAT: OpDef = OpDef::new(
    "TensorListConcatV2",
    "The concatenation of a list's elements along the first axis, and their lengths.",
)
.inputs(&[
    INPUT_HANDLE,
    Arg::of("element_shape", "shape_type"),
    Arg::is("leading_dims", DType::I64),
])
.outputs(OUTPUTS)
.attrs(&[ELEMENT_DTYPE, SHAPE_TYPE])
.fallible(Fallible::Values)
.infer(|node| {
    check_rank(node, 2, 1, "1 axis")?;
    infer_concat(node, &described(node, 1)?)
})
.gradient(|cx| Ok(grads([concat_gradient(cx), None, None])))
.kernel(|node| {
    let dtype = node.type_attr("element_dtype")?;
    Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
        let (shape, leading) = (shape_in(cx.input(1)?)?, integers(cx.input(2)?)?);
        let (joined, lengths) = joined(cx.memory, list_input(cx, 0, dtype)?, &shape, &leading)?;
        cx.set(0, joined);
        cx.set(1, lengths);
        Ok(())
    }))
})
.samples(|| {
    let of_lengths = |list: Value, shape: Value, leading: Vec<i64>| {
        let inputs = [list, shape, Value::list(leading)];
        Sample::shapes(inputs).attr("element_dtype", DType::F32)
    };
    let outputs =
        |elements: &[f32], lengths: [i64; 2]| [Value::list(elements.to_vec()), lengths.into()];
    let list = || super::samples::list([[1.0, 2.0], [3.0, 4.0]]);
    let mut ragged = TensorList::new(DType::F32, PartialShape::of_rank(1));
    drop(ragged.push(Value::from([1.0_f32])));
    let whole = ragged.clone();
    drop(ragged.resize(2));
    let error = |sample: Sample, message| Sample {
        expect: tidemill_graph::Expect::Error(message),
        ..sample
    };
    let empty = TensorList::new(DType::F32, [2, 3]).into();
    vec![
        of_lengths(list(), Value::from([2]), vec![])
            .outputs(outputs(&[1.0, 2.0, 3.0, 4.0], [2, 2])),
        of_lengths(with_absent([1.0, 2.0], 1), Value::from([-1]), vec![])
            .outputs(outputs(&[1.0, 2.0, 0.0, 0.0], [2, 2])),
        of_lengths(ragged.clone().into(), Value::from([-1]), vec![1, 2])
            .outputs(outputs(&[1.0, 0.0, 0.0], [1, 2])),
        of_lengths(whole.into(), Value::from(-1), vec![])
            .outputs([Value::from([1.0_f32]), Value::from([1_i64])]),
        of_lengths(empty, Value::from([-1, 3]), vec![]),
        error(of_lengths(ragged.into(), Value::from([-1]), vec![]), "element 1 is absent"),
        error(of_lengths(list(), Value::from([3]), vec![]), "contradict"),
    ]
});

/// The elements of a list, concatenated, and their extents.
pub static TENSOR_LIST_CONCAT_V1: OpDef = OpDef::new(
    "TensorListConcat",
    "The concatenation of a list's elements along the first axis, and their lengths.",
)
.inputs(&[INPUT_HANDLE])
.outputs(OUTPUTS)
.attrs(&[
    ELEMENT_DTYPE,
    AttrDef::new("element_shape", AttrKind::Shape).default(AttrDefault::UnknownShape),
])
.fallible(Fallible::Values)
.infer(|node| infer_concat(node, &node.shape_attr("element_shape")?))
.gradient(|cx| Ok(grads([concat_gradient(cx)])))
.kernel(|node| {
    let (dtype, shape) = (node.type_attr("element_dtype")?, node.shape_attr("element_shape")?);
    Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
        let (joined, lengths) = joined(cx.memory, list_input(cx, 0, dtype)?, &shape, &[])?;
        cx.set(0, joined);
        cx.set(1, lengths);
        Ok(())
    }))
})
.samples(|| {
    let sample = Sample::shapes([super::samples::list([[1.0, 2.0], [3.0, 4.0]])]);
    let outputs = [Value::from([1.0_f32, 2.0, 3.0, 4.0]), Value::from([2_i64, 2])];
    vec![sample.attr("element_dtype", DType::F32).outputs(outputs)]
});

fn infer_concat(
    node: &NodeView<'_>,
    given: &PartialShape,
) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let fact = listed(node, 0, node.type_attr("element_dtype")?)?;
    let inner = behind_first(&fact.shape.merge(given)?)?;
    let lengths = PartialShape::of_rank(1);
    Ok(smallvec![with_first(Dim::UNKNOWN, &inner).into(), lengths.into()])
}

fn concat_gradient(cx: &GradCx<'_>) -> Option<Tensor> {
    let grad: Tensor = cx.grad_of(0)?;
    let shape = tensor_list_element_shape(cx.input::<Tensor>(0));
    Some(tensor_list_split(grad, shape, cx.output::<Tensor>(1)))
}

/// The elements of a list, concatenated, and their extents. `leading` has the extents of absent
/// elements, if the common shape does not give them.
fn joined(
    memory: &Memory,
    list: &TensorList,
    given: &PartialShape,
    leading: &[i64],
) -> Result<(Value, Value), KernelError> {
    let shape = list.shape().merge(given)?;
    let first = shape.dims().and_then(|dims| dims.first()?.known());
    let known = list.elements().iter().flatten();
    let inner = known.map(|element| behind_first(&element.shape().into()));
    let inner = inner
        .chain([behind_first(&shape)])
        .try_fold(PartialShape::unknown(), |l, r| Ok::<_, OpError>(l.merge(&r?)?))?;
    let extent = |(i, place): (usize, &Option<Value>)| match (place, first, leading.get(i)) {
        (Some(element), _, _) => Ok(element.shape()[0]),
        (None, Some(first), _) => Ok(first),
        (None, None, Some(&extent)) => count_of(extent, "leading_dims"),
        (None, None, None) => Err(OpError::elements(
            "leading_dims",
            format!(
                "element {i} is absent, and neither `element_shape` nor `leading_dims` gives its \
                 extent"
            ),
        )),
    };
    let extents: Vec<usize> =
        list.elements().iter().enumerate().map(extent).collect::<Result<_, _>>()?;
    let known = inner.known().ok_or_else(|| {
        OpError::elements(
            "element_shape",
            format!("the shape of the elements after the first axis, {inner}, is unknown"),
        )
    })?;
    let of_extent =
        |extent: usize| -> Shape { std::iter::once(extent).chain(known.iter().copied()).collect() };
    let zeros: Vec<Option<Value>> = list
        .elements()
        .iter()
        .zip(&extents)
        .map(|(place, &extent)| match place {
            Some(_) => Ok(None),
            None => Value::zeros(list.dtype(), of_extent(extent)).map(Some),
        })
        .collect::<Result<_, _>>()?;
    let values: Vec<&Value> = list
        .elements()
        .iter()
        .zip(&zeros)
        .filter_map(|(place, zeros)| place.as_ref().or(zeros.as_ref()))
        .collect();
    let joined = match values.is_empty() {
        true => Value::zeros(list.dtype(), of_extent(0))?,
        false => layout::concat(memory, &values, 0)?,
    };
    Ok((joined, Value::list(extents.into_iter().map(|extent| extent as i64).collect())))
}

/// The lengths of the parts of an axis, which must add up to its extent.
fn sizes_of(extent: usize, lengths: &[i64]) -> Result<Vec<usize>, OpError> {
    let sizes: Vec<usize> =
        lengths.iter().map(|&n| count_of(n, "lengths")).collect::<Result<_, _>>()?;
    let sum = sizes.iter().try_fold(0_usize, |sum, &size| sum.checked_add(size));
    if sum == Some(extent) {
        return Ok(sizes);
    }
    let message = format!("parts of {sizes:?} do not add up to {extent}");
    Err(OpError::elements("lengths", message))
}

/// Parts of a tensor along its first axis as a list.
pub static TENSOR_LIST_SPLIT: OpDef =
    OpDef::new("TensorListSplit", "Parts of a tensor along its first axis, of given lengths.")
        .inputs(&[
            Arg::of("tensor", "element_dtype"),
            Arg::of("element_shape", "shape_type"),
            Arg::is("lengths", DType::I64),
        ])
        .outputs(&[OUTPUT_HANDLE])
        .attrs(&[ELEMENT_DTYPE, SHAPE_TYPE])
        .fallible(Fallible::Values)
        .infer(|node| {
            check_rank(node, 2, 1, "1 axis")?;
            let extent = node.shape(0).dims().and_then(|dims| dims.first()?.known());
            let inner = behind_first(node.shape(0))?;
            let lengths = known_integers(node, 2);
            for &length in lengths.iter().flatten() {
                let length = count_of(length, "lengths")?;
                list_of_parts(node, with_first(length.into(), &inner), 1)?;
            }
            if let Some((extent, lengths)) = extent.zip(lengths) {
                sizes_of(extent, &lengths)?;
            }
            let part = with_first(Dim::UNKNOWN, &inner);
            infer_list(list_of_parts(node, part, 1)?)
        })
        .gradient(|cx| {
            let (x, lengths): (Tensor, Tensor) = (cx.input(0), cx.input(2));
            let inner = match inner_shape(x) {
                Operand::Tensor(inner) => concat([constant_minus_one(inner), inner], 0).into(),
                _ => Operand::from(with_first(Dim::UNKNOWN, &behind_first(&x.shape())?)),
            };
            let dtype = cx.node().type_attr("element_dtype")?;
            let (joined, _) = concat_with(cx.grad(), inner, lengths.into(), dtype);
            Ok(grads([Some(joined), None, None]))
        })
        .kernel(|_| {
            Ok(crate::kernel::kernel(|cx| {
                let tensor = cx.input(0)?;
                behind_first(&tensor.shape().into())?;
                let lengths = integers(cx.input(2)?)?;
                let sizes = sizes_of(tensor.shape()[0], &lengths)?;
                let mut list = TensorList::new(tensor.dtype(), shape_in(cx.input(1)?)?);
                layout::split(cx.memory, tensor, 0, &sizes)?
                    .into_iter()
                    .try_for_each(|part| list.push(part))?;
                Ok(list.into())
            }))
        })
        .samples(|| {
            let inputs = |lengths: [i64; 2], shape: Value| {
                [Value::from([1.0_f32, 2.0, 3.0]), shape, Value::from(lengths)]
            };
            let mut parts = TensorList::new(DType::F32, PartialShape::of_rank(1));
            drop(parts.push(Value::from([1.0_f32])));
            drop(parts.push(Value::from([2.0_f32, 3.0])));
            vec![
                Sample::new(inputs([1, 2], Value::from([-1])), parts.into()),
                Sample::error(inputs([1, 1], Value::from([-1])), "do not add up to 3"),
                Sample::error(inputs([-1, 4], Value::from([-1])), "must not be negative"),
                Sample::error(inputs([1, 2], Value::from([2])), "contradict"),
            ]
        });

/// The unknown extent, as a constant in the graph of a tensor.
fn constant_minus_one(beside: Tensor) -> Tensor {
    Operand::from([-1]).to_tensor_beside(beside, "unknown")
}

/// The concatenation of two lists.
pub static TENSOR_LIST_CONCAT_LISTS: OpDef =
    OpDef::new("TensorListConcatLists", "The concatenation of two lists.")
        .inputs(&[Arg::is("input_a", DType::Variant), Arg::is("input_b", DType::Variant)])
        .outputs(&[Arg::is("output", DType::Variant)])
        .attrs(&[ELEMENT_DTYPE])
        .fallible(Fallible::Values)
        .infer(|node| {
            let shape = node.shape(0).merge(node.shape(1))?;
            let [left, right] = [0, 1].map(|i| node.inputs()[i].list.as_deref());
            let merged = match left.zip(right) {
                Some((left, right)) => Some(left.shape.merge(&right.shape)?),
                None => left.map(|left| left.shape.clone()),
            };
            let list = left.zip(merged).filter(|_| shape.rank() == Some(0));
            let list =
                list.map(|(fact, shape)| std::sync::Arc::new(Fact { shape, ..Fact::clone(fact) }));
            Ok(smallvec![Inferred { list, ..Inferred::from(shape) }])
        })
        .not_differentiable()
        .kernel(|_| {
            Ok(Box::new(|cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
                let mut left = cx.take(0)?;
                let right = cx.input(1)?;
                let shape = PartialShape::from(left.shape());
                shape.merge(&right.shape().into())?;
                let others = right.as_slice::<TensorList>()?;
                let lists = left.as_mut_slice::<TensorList>()?;
                lists.iter_mut().zip(others).try_for_each(|(l, r)| l.append(r.clone()))?;
                cx.set(0, left);
                Ok(())
            }))
        })
        .samples(|| {
            let pair = || lists([[[1.0, 2.0]], [[3.0, 4.0]]]);
            let both = lists([[[1.0, 2.0], [1.0, 2.0]], [[3.0, 4.0], [3.0, 4.0]]]);
            let one = super::samples::list([[1.0]]);
            let attr = |sample: Sample| sample.attr("element_dtype", DType::F32);
            vec![
                attr(Sample::new([pair(), pair()], both)),
                attr(Sample::error([one.clone(), pair()], "contradict")),
                attr(Sample::error([one, super::samples::list([[1.0, 2.0]])], "contradict")),
            ]
        });

/// The elements of a list one after the other along their first axis, and the extents that they
/// have along it, as `int64`. Their other dimensions must agree and match `element_shape`: a
/// [`PartialShape`], or dimensions with -1 for unknown ones. Absent elements are zeros.
///
/// Its gradient is split like the elements.
///
/// # Errors
/// Elements of another type, without axes, or of shapes that do not fit; an absent element with
/// unknown shape.
///
/// ```
/// use tidemill_ops::{constant, tensor_list_concat, tensor_list_split};
/// use tidemill_value::{DType, shape};
/// let list = tensor_list_split(constant([1, 2, 3]), shape![?], constant([1_i64, 2]));
/// let (joined, lengths) = tensor_list_concat(list, shape![?], DType::I32);
/// assert_eq!((joined.shape().to_string(), lengths.dtype()), ("[?]".into(), Some(DType::I64)));
/// ```
#[doc(alias = "TensorListConcatV2")]
#[track_caller]
pub fn tensor_list_concat(
    list: impl Into<Operand>,
    element_shape: impl Into<Operand>,
    element_dtype: DType,
) -> (Tensor, Tensor) {
    let lengths = Operand::from(Vec::<i64>::new());
    concat_with(list.into().to_tensor(), element_shape.into(), lengths, element_dtype)
}

#[track_caller]
fn concat_with(
    list: Tensor,
    element_shape: Operand,
    leading_dims: Operand,
    element_dtype: DType,
) -> (Tensor, Tensor) {
    let joined = beside(list, "TensorListConcatV2", |full| {
        let shape = element_shape.to_tensor_beside(list, "element_shape");
        let leading = leading_dims.to_tensor_beside(list, "leading_dims");
        let node = NodeBuilder::new(&TENSOR_LIST_CONCAT).exact_name(full);
        let node = node.input(list).input(shape).input(leading);
        tensor(node.attr("element_dtype", element_dtype))
    });
    (joined, joined.op().output(1))
}

/// The list of parts of `tensor` along its first axis with the lengths `lengths`, an `int64` list.
/// Their shapes match `element_shape`: a [`PartialShape`], or dimensions with -1 for unknown ones.
///
/// Its gradient concatenates the list's gradient.
///
/// # Errors
/// A tensor without axes, lengths that do not add up to that of the axis, or parts whose shape does
/// not fit.
///
/// ```
/// use tidemill_ops::{constant, tensor_list_length, tensor_list_split};
/// use tidemill_value::shape;
/// let list = tensor_list_split(constant([1, 2, 3]), shape![?], constant([1_i64, 2]));
/// assert_eq!(tensor_list_length(list).shape().to_string(), "[]");
/// ```
#[doc(alias = "TensorListSplit")]
#[track_caller]
pub fn tensor_list_split(
    tensor: impl Into<Operand>,
    element_shape: impl Into<Operand>,
    lengths: impl Into<Operand>,
) -> Tensor {
    let whole = tensor.into().to_tensor();
    beside(whole, "TensorListSplit", |full| {
        let shape = element_shape.into().to_tensor_beside(whole, "element_shape");
        let lengths = lengths.into().to_tensor_beside(whole, "lengths");
        let node = NodeBuilder::new(&TENSOR_LIST_SPLIT).exact_name(full);
        crate::operand::tensor(node.input(whole).input(shape).input(lengths))
    })
}

/// The concatenation of two lists, `b` after `a`; for tensors of lists, element by element.
///
/// It has no gradient.
///
/// # Errors
/// Tensors of different shapes, or elements of `b` that do not fit the list `a`.
///
/// ```
/// use tidemill_ops::{tensor_list_concat_lists, tensor_list_reserve};
/// use tidemill_value::{DType, shape};
/// let list = tensor_list_reserve(shape![2], 5, DType::F32);
/// let both = tensor_list_concat_lists(list, list, DType::F32);
/// assert_eq!(both.dtype(), Some(DType::Variant));
/// ```
#[doc(alias = "TensorListConcatLists")]
#[track_caller]
pub fn tensor_list_concat_lists(
    a: impl Into<Operand>,
    b: impl Into<Operand>,
    element_dtype: DType,
) -> Tensor {
    let node = NodeBuilder::new(&TENSOR_LIST_CONCAT_LISTS).input(a.into().to_tensor());
    tensor(node.input(b.into().to_tensor()).attr("element_dtype", element_dtype))
}
