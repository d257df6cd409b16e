//! `Slice`, `StridedSlice` and `StridedSliceGrad`.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, Elements, Fallible, GradCx, GradientError, Grads, Inferred, KernelCx,
    KernelError, NodeBuilder, NodeView, OpDef, OpError, Sample,
};
use tidemill_kernels::layout::{self, Cut};
use tidemill_value::{DType, Dim, PartialShape, Shape, Value};

use super::stride::{Entry, MASKS, Resolved, StrideMasks, dims_of};
use super::{described_shape, pad, shape_as, stack};
use crate::family::grads;
use crate::index::{check_rank, check_shape, integers, shape_of};
use crate::kernel::kernel;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops: SLICE, STRIDED_SLICE, STRIDED_SLICE_GRAD;
    exports: slice, strided_slice, strided_slice_with;
}

/// A block cut out of a tensor.
pub static SLICE: OpDef = OpDef::new("Slice", "A block cut out of a tensor.")
    .inputs(&[Arg::of("input", "T"), Arg::of("begin", "Index"), Arg::of("size", "Index")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(&[AttrDef::types("T", DType::ALL), AttrDef::types("Index", DType::INDICES)])
    .fallible(Fallible::Elements(&[1, 2]))
    .infer(infer_slice)
    .gradient(|cx| {
        let (x, begin, y): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.output(0));
        let index = cx.node().dtype(1);
        let behind = shape_as(x, index) - begin - shape_as(y, index);
        Ok(grads([Some(pad(cx.grad::<Tensor>(), stack([begin, behind], 1))), None, None]))
    })
    .kernel(|_| {
        Ok(kernel(|cx| {
            let x = cx.input(0)?;
            let (begin, size) = (integers(cx.input(1)?)?, integers(cx.input(2)?)?);
            let cuts = block(x.shape(), &begin, &size)?;
            Ok(layout::strided_slice(cx.memory, x, &cuts)?)
        }))
    })
    .samples(|| {
        let x = || array([2, 3], [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let sample = |begin: [i32; 2], size: [i32; 2], y| {
            Sample::new([x(), Value::from(begin), Value::from(size)], y)
        };
        let wrong = |begin: [i32; 2], size: [i32; 2], message| {
            Sample::error([x(), Value::from(begin), Value::from(size)], message)
        };
        let empty = || Value::list(Vec::<i32>::new());
        vec![
            sample([0, 1], [2, -1], array([2, 2], [2.0_f32, 3.0, 5.0, 6.0])),
            sample([1, 1], [1, 1], array([1, 1], [5.0_f32])),
            sample([2, 0], [0, -1], array([0, 3], Vec::<f32>::new())),
            Sample::new([Value::from(7.0_f32), empty(), empty()], Value::from(7.0_f32)),
            wrong([0, 2], [2, 2], "2 elements from 2 on"),
            wrong([0, -1], [2, 2], "begins at -1"),
            wrong([0, 0], [2, -2], "size -2"),
        ]
    });

/// The cut of one axis of a block; `None` if it is not known.
fn block_cut(
    axis: usize,
    begin: Option<i64>,
    size: Option<i64>,
    dim: Dim,
) -> Result<Option<Cut>, OpError> {
    if let Some(begin) = begin.filter(|begin| *begin < 0) {
        return Err(OpError::elements(
            "begin",
            format!("the slice begins at {begin} along axis {axis}"),
        ));
    }
    if let Some(size) = size.filter(|size| *size < -1) {
        return Err(OpError::elements(
            "size",
            format!("the slice has size {size} along axis {axis}"),
        ));
    }
    let begin = begin.and_then(|begin| usize::try_from(begin).ok());
    let (Some(begin), Some(size)) = (begin, size) else { return Ok(None) };
    let Ok(count) = usize::try_from(size) else {
        let rest = |extent: usize| match extent.checked_sub(begin) {
            Some(count) => Ok(Cut { begin, count, step: 1 }),
            None => Err(OpError::elements(
                "size",
                format!("the slice begins at {begin} along axis {axis} of extent {extent}"),
            )),
        };
        return dim.known().map(rest).transpose();
    };
    match dim.known() {
        Some(extent) if begin.saturating_add(count) > extent => Err(OpError::elements(
            "size",
            format!(
                "{count} elements from {begin} on go past the end of axis {axis} of extent {extent}"
            ),
        )),
        _ => Ok(Some(Cut { begin, count, step: 1 })),
    }
}

/// The cuts of all axes of a block.
fn block(shape: &Shape, begin: &[i64], size: &[i64]) -> Result<SmallVec<[Cut; 4]>, OpError> {
    if begin.len() != shape.rank() || size.len() != shape.rank() {
        let (rank, begins, sizes) = (shape.rank(), begin.len(), size.len());
        let message = format!("{begins} begins and {sizes} sizes are given for {rank} axes");
        return Err(OpError::elements("begin", message));
    }
    let mut cuts = SmallVec::new();
    for (axis, &extent) in shape.iter().enumerate() {
        cuts.extend(block_cut(axis, Some(begin[axis]), Some(size[axis]), extent.into())?);
    }
    Ok(cuts)
}

fn infer_slice(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    check_rank(node, 1, 1, "1 axis")?;
    check_rank(node, 2, 1, "1 axis")?;
    let lengths = node.shape(1).merge(node.shape(2))?;
    let axes = match node.shape(0).rank() {
        Some(rank) => [rank].into(),
        None => PartialShape::of_rank(1),
    };
    let Some(rank) = lengths.merge(&axes)?.elements() else {
        return Inferred::one(PartialShape::unknown());
    };
    let dims = node.shape(0).dims();
    let element = |i, axis| node.elements(i).and_then(|elements| elements.get(axis).copied()?);
    let mut cuts = SmallVec::<[Option<Cut>; 4]>::new();
    let mut shape = SmallVec::<[Dim; 4]>::new();
    for axis in 0..rank {
        let dim = dims.and_then(|dims| dims.get(axis).copied()).unwrap_or(Dim::UNKNOWN);
        let (begin, size): (_, Option<i64>) = (element(1, axis), element(2, axis));
        let cut = block_cut(axis, begin, size, dim)?;
        let size = size.and_then(|size| usize::try_from(size).ok());
        shape.push(Dim::from(cut.map(|cut| cut.count).or(size)));
        cuts.push(cut);
    }
    let elements = match cuts[..] {
        [Some(cut)] => picked(node.elements(0), cut),
        _ => None,
    };
    Ok([Inferred::with_elements(shape.into_iter().collect(), elements)].into_iter().collect())
}

/// The elements of a list that a cut takes.
fn picked(elements: Option<&Elements>, cut: Cut) -> Option<Elements> {
    let elements = elements?;
    let element = |i: usize| {
        let at = cut.begin.checked_add_signed(cut.step.checked_mul(i as isize)?)?;
        elements.get(at).copied()
    };
    (0..cut.count).map(element).collect()
}

/// A slice of a tensor, with steps and bounds that may count from the end.
pub static STRIDED_SLICE: OpDef = strided(
    "StridedSlice",
    "A slice of a tensor, with steps and bounds that may count from the end.",
)
.inputs(&[
    Arg::of("input", "T"),
    Arg::of("begin", "Index"),
    Arg::of("end", "Index"),
    Arg::of("strides", "Index"),
])
.infer(infer_strided)
.gradient(|cx| {
    let of_shape = shape_as(cx.input(0), cx.node().dtype(1));
    let node = NodeBuilder::new(&STRIDED_SLICE_GRAD).input(of_shape);
    let node = (1..4).fold(node, |node, i| node.input(cx.input::<Tensor>(i)));
    let grad = tensor(with_masks(node.input(cx.grad::<Tensor>()), cx.node())?);
    Ok(grads([Some(grad), None, None, None]))
})
.kernel(|node| {
    let masks = StrideMasks::of(node)?;
    Ok(kernel(move |cx| {
        let x = cx.input(0)?;
        let resolved = resolve(masks, cx, x.shape())?;
        let (cuts, shape) = known(&resolved)?;
        Ok(layout::strided_slice(cx.memory, x, &cuts)?.reshape(shape)?)
    }))
})
.samples(strided_samples);

/// The gradient of a strided slice: the incoming gradient at the slice, zeros elsewhere.
pub static STRIDED_SLICE_GRAD: OpDef = strided(
    "StridedSliceGrad",
    "The gradient of a strided slice: the incoming gradient at the slice, zeros elsewhere.",
)
.inputs(&[
    Arg::of("shape", "Index"),
    Arg::of("begin", "Index"),
    Arg::of("end", "Index"),
    Arg::of("strides", "Index"),
    Arg::of("dy", "T"),
])
.infer(|node| {
    let whole = described_shape(node, 0)?;
    if let Some(part) = strided_part(node, &whole)? {
        check_shape(node, 4, &part.shape())?;
    }
    Inferred::one(whole)
})
.gradient(strided_slice_grad_gradient)
.kernel(|node| {
    let masks = StrideMasks::of(node)?;
    Ok(kernel(move |cx| {
        let shape = shape_of(cx.input(0)?)?;
        let resolved = resolve(masks, cx, &shape)?;
        let (cuts, part_shape) = known(&resolved)?;
        let part = cx.input(4)?;
        if *part.shape() != part_shape {
            let (expected, actual) = (part_shape, part.shape().clone());
            return Err(tidemill_kernels::NumericError::Shape { expected, actual }.into());
        }
        let counts: Shape = cuts.iter().map(|cut| cut.count).collect();
        Ok(layout::unslice(cx.memory, &part.clone().reshape(counts)?, &shape, &cuts)?)
    }))
})
.samples(|| {
    let list = |elements: &[i32]| Value::list(elements.to_vec());
    let inputs = |dy| [list(&[2, 3]), list(&[0, 2]), list(&[2, 0]), list(&[1, -1]), dy];
    let dx = array([2, 3], [0.0_f32, 2.0, 1.0, 0.0, 4.0, 3.0]);
    vec![
        Sample::new(inputs(array([2, 2], [1.0_f32, 2.0, 3.0, 4.0])), dx),
        Sample::error(inputs(array([2, 1], [1.0_f32, 2.0])), "[2, 1]"),
    ]
});

const fn strided(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .outputs(const { &[Arg::of("output", "T")] })
        .attrs(
            const {
                &[
                    AttrDef::types("T", DType::ALL),
                    AttrDef::types("Index", DType::INDICES),
                    AttrDef::int(MASKS[0], 0),
                    AttrDef::int(MASKS[1], 0),
                    AttrDef::int(MASKS[2], 0),
                    AttrDef::int(MASKS[3], 0),
                    AttrDef::int(MASKS[4], 0),
                ]
            },
        )
        .fallible(Fallible::Values)
}

fn with_masks(builder: NodeBuilder, node: &NodeView<'_>) -> Result<NodeBuilder, OpError> {
    let masks = StrideMasks::of(node)?;
    let masks = MASKS.into_iter().zip(masks.to_array());
    Ok(masks.fold(builder, |builder, (name, mask)| builder.attr(name, mask)))
}

fn strided_slice_grad_gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let node = NodeBuilder::new(&STRIDED_SLICE).input(cx.grad::<Tensor>());
    let node = (1..4).fold(node, |node, i| node.input(cx.input::<Tensor>(i)));
    let grad = tensor(with_masks(node, cx.node())?);
    Ok(grads([None, None, None, None, Some(grad)]))
}

/// The strided slice that inputs 1 to 3 of a node describe, for a value of this shape.
fn resolve(masks: StrideMasks, cx: &KernelCx<'_>, shape: &Shape) -> Result<Resolved, KernelError> {
    let [begin, end, strides] = [1, 2, 3].map(|i| integers(cx.input(i)?));
    let (begin, end, strides) = (begin?, end?, strides?);
    if begin.len() != strides.len() || end.len() != strides.len() {
        let (begins, ends, strides) = (begin.len(), end.len(), strides.len());
        let message = format!("{begins} begins and {ends} ends are given for {strides} strides");
        return Err(OpError::elements("begin", message).into());
    }
    let entries: SmallVec<[Entry; 4]> = (0..strides.len())
        .map(|i| Entry { begin: Some(begin[i]), end: Some(end[i]), stride: Some(strides[i]) })
        .collect();
    Ok(Resolved::new(masks, &entries, &dims_of(shape))?)
}

fn known(resolved: &Resolved) -> Result<(SmallVec<[Cut; 4]>, Shape), KernelError> {
    let known = resolved.cuts().zip(resolved.shape().known());
    known.ok_or(KernelError::Internal("a slice of a known shape is unknown"))
}

fn infer_strided(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let Some(resolved) = strided_part(node, node.shape(0))? else {
        return Inferred::one(PartialShape::unknown());
    };
    let elements = match resolved.cuts().as_deref() {
        Some(&[cut]) => picked(node.elements(0), cut),
        _ => None,
    };
    Ok([Inferred::with_elements(resolved.shape(), elements)].into_iter().collect())
}

/// The part that inputs 1 to 3 cut out of a tensor of shape `whole`, as far as it is known; `None`
/// if even the number of axes is unknown.
fn strided_part(node: &NodeView<'_>, whole: &PartialShape) -> Result<Option<Resolved>, OpError> {
    let mut lengths = PartialShape::of_rank(1);
    for i in 1..4 {
        check_rank(node, i, 1, "1 axis")?;
        lengths = lengths.merge(node.shape(i))?;
    }
    let masks = StrideMasks::of(node)?;
    let (Some(dims), Some(length)) = (whole.dims(), lengths.elements()) else {
        return Ok(None);
    };
    // There is an entry for each axis, including new ones, and one more at most.
    if length > dims.len() + MAX_NEW_AXES {
        let rank = dims.len();
        return Err(OpError::elements(
            "begin",
            format!("{length} axes are sliced, but there are {rank}"),
        ));
    }
    let element = |i, at: usize| node.elements(i).and_then(|elements| elements.get(at).copied()?);
    let entries: SmallVec<[Entry; 4]> = (0..length)
        .map(|at| Entry { begin: element(1, at), end: element(2, at), stride: element(3, at) })
        .collect();
    Resolved::new(masks, &entries, dims).map(Some)
}

/// The most new axes that the bits of a mask can add.
const MAX_NEW_AXES: usize = 64;

fn strided_samples() -> Vec<Sample> {
    let x = || array([2, 3], [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let inputs = |begin: &[i32], end: &[i32], strides: &[i32]| {
        let [begin, end, strides] = [begin, end, strides].map(|list| Value::list(list.to_vec()));
        [x(), begin, end, strides]
    };
    let sample =
        |[begin, end, strides]: [&[i32]; 3], y| Sample::new(inputs(begin, end, strides), y);
    vec![
        sample([&[0, 1], &[2, 3], &[1, 1]], array([2, 2], [2.0_f32, 3.0, 5.0, 6.0])),
        sample([&[-1, 7], &[-9, -9], &[-1, -2]], array([2, 2], [6.0_f32, 4.0, 3.0, 1.0])),
        sample([&[0, -2], &[0, 0], &[1, 1]], Value::from([2.0_f32, 5.0]))
            .attr(MASKS[0], 1_i64)
            .attr(MASKS[1], 1_i64)
            .attr(MASKS[4], 2_i64),
        sample([&[0, 0, 1], &[0, 0, 2], &[1, 1, 1]], array([2, 1, 1], [2.0_f32, 5.0]))
            .attr(MASKS[2], 1_i64)
            .attr(MASKS[3], 2_i64),
        sample([&[1], &[1], &[1]], array([0, 3], Vec::<f32>::new())),
        sample([&[], &[], &[]], x()),
        Sample::error(inputs(&[0], &[2], &[0]), "stride of axis 0 is zero"),
        Sample::error(inputs(&[2], &[3], &[1]), "index 2 is out of range").attr(MASKS[4], 1_i64),
        Sample::error(inputs(&[0; 3], &[1; 3], &[1; 3]), "3 axes are sliced, but there are 2"),
        Sample::error(inputs(&[0; 2], &[1; 2], &[1; 2]), "one ellipsis").attr(MASKS[2], 3_i64),
        Sample::error(inputs(&[0], &[1; 2], &[1; 2]), "contradict"),
    ]
}

/// The block of `x` that begins at `begin` and has the shape `size`, where -1 takes everything left
/// along an axis. Both are lists of numbers, or integer tensors, with one entry for each axis.
///
/// ```
/// use tidemill_ops::{constant, slice};
/// let block = slice(constant([[1, 2, 3], [4, 5, 6]]), [0, 1], [2, -1]);
/// assert_eq!(block.shape().to_string(), "[2, 2]");
/// ```
///
/// Its gradient is that of the result, padded with zeros.
///
/// # Errors
/// A block that extends beyond `x`; if that depends on values, the run fails.
#[doc(alias = "Slice")]
#[track_caller]
pub fn slice(x: impl Into<Operand>, begin: impl Into<Operand>, size: impl Into<Operand>) -> Tensor {
    let (x, begin, size) = (x.into().to_tensor(), begin.into(), size.into());
    composite(x.graph(), "Slice", |full| {
        let node = NodeBuilder::new(&SLICE).exact_name(full).input(x);
        let [begin, size] =
            [(begin, "begin"), (size, "size")].map(|(list, name)| list.to_tensor_beside(x, name));
        tensor(node.input(begin).input(size))
    })
}

/// `x` sliced along its axes: entry `i` takes the elements from `begin[i]` up to, but not
/// including, `end[i]`, in steps of `strides[i]`. Negative bounds count from the end, and bounds
/// beyond an end are clamped. Axes without an entry are kept whole.
///
/// [`Tensor::slice`] is a shorter notation. The gradient is that of the result, with zeros
/// elsewhere.
///
/// # Errors
/// A stride of 0, or more entries than axes; if that depends on values, the run fails.
///
/// ```
/// use tidemill_ops::{placeholder, strided_slice};
/// let x = strided_slice(placeholder::<f32>([6]), [1], [6], [2]);
/// assert_eq!(x.shape().to_string(), "[3]");
/// ```
#[doc(alias = "StridedSlice")]
#[track_caller]
pub fn strided_slice(
    x: impl Into<Operand>,
    begin: impl Into<Operand>,
    end: impl Into<Operand>,
    strides: impl Into<Operand>,
) -> Tensor {
    strided_slice_with(x, begin, end, strides, StrideMasks::default())
}

/// [`strided_slice`] with masks, which change the meaning of entries.
///
/// ```
/// use tidemill_ops::{StrideMasks, constant, strided_slice_with};
/// let masks = StrideMasks { ellipsis: 0b1, shrink_axis: 0b10, ..StrideMasks::default() };
/// let last = strided_slice_with(constant([[1, 2], [3, 4]]), [0, -1], [0, 0], [1, 1], masks);
/// assert_eq!(last.shape().to_string(), "[2]");
/// ```
///
/// # Errors
/// As for [`strided_slice`]; more than one ellipsis; an index of a dropped axis out of
/// range.
#[doc(alias = "StridedSlice")]
#[track_caller]
pub fn strided_slice_with(
    x: impl Into<Operand>,
    begin: impl Into<Operand>,
    end: impl Into<Operand>,
    strides: impl Into<Operand>,
    masks: StrideMasks,
) -> Tensor {
    let x = x.into().to_tensor();
    let lists = [begin.into(), end.into(), strides.into()];
    composite(x.graph(), "StridedSlice", |full| {
        let node = NodeBuilder::new(&STRIDED_SLICE).exact_name(full).input(x);
        let lists = lists.iter().zip(["begin", "end", "strides"]);
        let node =
            lists.fold(node, |node, (list, name)| node.input(list.to_tensor_beside(x, name)));
        let masks = MASKS.into_iter().zip(masks.to_array());
        tensor(masks.fold(node, |node, (name, mask)| node.attr(name, mask)))
    })
}
