//! Blocks of space moved into the batch or the channels.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, AttrKind, Fallible, GradCx, Inferred, Kernel, NodeBuilder, NodeView, OpDef,
    OpError, Sample,
};
use tidemill_kernels::NumericError;
use tidemill_kernels::layout::{self, Channels};
use tidemill_value::{DType, Dim, Memory, PartialShape, Value};

use super::pad::paddings;
use crate::data_format::{DataFormat, Formats};
use crate::family::grads;
use crate::index::{check_rank, count_of, integers, known_integers};
use crate::kernel::kernel;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops: BATCH_TO_SPACE, DEPTH_TO_SPACE, SPACE_TO_BATCH, SPACE_TO_DEPTH;
    exports: batch_to_space_nd, depth_to_space, space_to_batch_nd, space_to_depth;
}

/// An operation that moves blocks between the first axis and those after it.
const fn batched(name: &'static str, summary: &'static str, inputs: &'static [Arg]) -> OpDef {
    OpDef::new(name, summary)
        .inputs(inputs)
        .outputs(const { &[Arg::of("output", "T")] })
        .fallible(Fallible::Values)
}

/// Positions within blocks of space, moved into the batch.
pub static SPACE_TO_BATCH: OpDef = batched(
    "SpaceToBatchND",
    "Positions within blocks of space, moved into the batch.",
    &[
        Arg::of("input", "T"),
        Arg::of("block_shape", "Tblock_shape"),
        Arg::of("paddings", "Tpaddings"),
    ],
)
.attrs(&[
    AttrDef::types("T", DType::ALL),
    AttrDef::types("Tblock_shape", DType::INDICES),
    AttrDef::types("Tpaddings", DType::INDICES),
])
.infer(|node| infer_batched(node, Way::Into))
.gradient(|cx| Ok(grads([Some(moved_back(&BATCH_TO_SPACE, cx)), None, None])))
.kernel(|_| Ok(batched_kernel(layout::space_to_batch)))
.samples(|| {
    let x = || array([1, 3, 1], [1.0_f32, 2.0, 3.0]);
    let inputs = |block: i32, before: i32| [x(), Value::from([block]), array([1, 2], [before, 0])];
    vec![
        Sample::new(inputs(2, 1), array([2, 2, 1], [0.0_f32, 2.0, 1.0, 3.0])),
        Sample::new(inputs(1, 0), x()),
        Sample::error(inputs(2, 0), "axis 1 of extent 3 does not divide into blocks of 2"),
        Sample::error(inputs(0, 0), "blocks of 0"),
    ]
});

/// Parts of the batch, moved to positions within blocks of space.
pub static BATCH_TO_SPACE: OpDef = batched(
    "BatchToSpaceND",
    "Parts of the batch, moved to positions within blocks of space.",
    &[Arg::of("input", "T"), Arg::of("block_shape", "Tblock_shape"), Arg::of("crops", "Tcrops")],
)
.attrs(&[
    AttrDef::types("T", DType::ALL),
    AttrDef::types("Tblock_shape", DType::INDICES),
    AttrDef::types("Tcrops", DType::INDICES),
])
.infer(|node| infer_batched(node, Way::OutOf))
.gradient(|cx| Ok(grads([Some(moved_back(&SPACE_TO_BATCH, cx)), None, None])))
.kernel(|_| Ok(batched_kernel(layout::batch_to_space)))
.samples(|| {
    let x = || array([2, 2, 1], [0.5_f32, 2.0, 1.0, 3.0]);
    let inputs = |block: i32, before: i32| [x(), Value::from([block]), array([1, 2], [before, 0])];
    vec![
        Sample::new(inputs(2, 1), array([1, 3, 1], [1.0_f32, 2.0, 3.0])),
        Sample::error(inputs(3, 0), "axis 0 of extent 2 does not divide into blocks of 3"),
        Sample::error(inputs(2, 5), "axis 1 of extent 4"),
    ]
});

fn moved_back(op: &'static OpDef, cx: &GradCx<'_>) -> Tensor {
    let node = NodeBuilder::new(op).input(cx.grad::<Tensor>());
    tensor(node.input(cx.input::<Tensor>(1)).input(cx.input::<Tensor>(2)))
}

type MoveBlocks = fn(&Memory, &Value, &[usize], &[(usize, usize)]) -> Result<Value, NumericError>;

fn batched_kernel(move_blocks: MoveBlocks) -> Box<dyn Kernel> {
    kernel(move |cx| {
        let blocks = integers(cx.input(1)?)?;
        let blocks: Result<SmallVec<[usize; 4]>, OpError> =
            blocks.into_iter().map(|block| count_of(block, "block_shape")).collect();
        Ok(move_blocks(cx.memory, cx.input(0)?, &blocks?, &paddings(cx.input(2)?)?)?)
    })
}

/// The direction in which blocks are moved: into the batch, or out of it.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Into,
    OutOf,
}

fn infer_batched(node: &NodeView<'_>, way: Way) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    check_rank(node, 1, 1, "1 axis")?;
    check_rank(node, 2, 2, "2 axes")?;
    let Some([batch, dims @ ..]) = node.shape(0).dims() else {
        return Inferred::one(PartialShape::unknown());
    };
    let blocks = known_integers(node, 1);
    let (Some(blocks), Some(around)) = (blocks, known_integers(node, 2)) else {
        return Inferred::one(PartialShape::of_rank(1 + dims.len()));
    };
    let blocks: Vec<usize> =
        blocks.into_iter().map(|block| count_of(block, "block_shape")).collect::<Result<_, _>>()?;
    let around: Vec<usize> =
        around.into_iter().map(|count| count_of(count, "paddings")).collect::<Result<_, _>>()?;
    if blocks.len() > dims.len() || around.len() != 2 * blocks.len() {
        let (axes, rank) = (blocks.len(), dims.len() + 1);
        return Err(OpError::elements(
            "block_shape",
            format!("blocks of {axes} axes are given for {rank} axes"),
        ));
    }
    let whole = blocks.iter().try_fold(1_usize, |whole, block| whole.checked_mul(*block));
    let batch = batch.known().zip(whole).and_then(|(batch, whole)| match way {
        Way::Into => batch.checked_mul(whole),
        Way::OutOf => batch.checked_div(whole),
    });
    check_blocks(node, way, &blocks, &around)?;
    let space = dims.iter().zip(&blocks).zip(around.chunks_exact(2));
    let space = space.map(|((dim, &block), around)| {
        Dim::from(dim.known().and_then(|extent| match way {
            Way::Into => extent.checked_add(around[0])?.checked_add(around[1])?.checked_div(block),
            Way::OutOf => extent.checked_mul(block)?.checked_sub(around[0])?.checked_sub(around[1]),
        }))
    });
    let rest = dims[blocks.len()..].iter().copied();
    Inferred::one([Dim::from(batch)].into_iter().chain(space).chain(rest).collect::<PartialShape>())
}

/// Checks that blocks divide their axes, and that no more is cropped than there is.
fn check_blocks(
    node: &NodeView<'_>,
    way: Way,
    blocks: &[usize],
    around: &[usize],
) -> Result<(), OpError> {
    let whole = blocks.iter().try_fold(1_usize, |whole, block| whole.checked_mul(*block));
    let whole = whole.unwrap_or(usize::MAX);
    let extents = node.shape(0).dims().unwrap_or_default().iter().map(|dim| dim.known());
    for (axis, extent) in extents.enumerate().take(1 + blocks.len()) {
        let Some(extent) = extent else { continue };
        let Some(i) = axis.checked_sub(1) else {
            if way == Way::OutOf && (whole == 0 || !extent.is_multiple_of(whole)) {
                return Err(NumericError::Blocks { axis, extent, block: whole }.into());
            }
            continue;
        };
        let (block, before, behind) = (blocks[i], around[2 * i], around[2 * i + 1]);
        match way {
            Way::Into => {
                let extent = extent.saturating_add(before).saturating_add(behind);
                if block == 0 || !extent.is_multiple_of(block) {
                    return Err(NumericError::Blocks { axis, extent, block }.into());
                }
            }
            Way::OutOf => {
                let extent = extent.saturating_mul(block);
                if before.saturating_add(behind) > extent {
                    let (begin, count, step) = (before, 0, 1);
                    return Err(NumericError::Bounds { axis, begin, count, step, extent }.into());
                }
            }
        }
    }
    Ok(())
}

const IMAGE: &[AttrDef] =
    &[AttrDef::types("T", DType::ALL), AttrDef::new("block_size", AttrKind::Int), DataFormat::ATTR];

/// An operation that moves blocks between space and channels of images.
const fn deep(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .inputs(const { &[Arg::of("input", "T")] })
        .outputs(const { &[Arg::of("output", "T")] })
        .attrs(IMAGE)
}

/// Positions within blocks of images, moved into the channels.
pub static SPACE_TO_DEPTH: OpDef =
    deep("SpaceToDepth", "Positions within blocks of images, moved into the channels.")
        .infer(|node| infer_deep(node, Way::Into))
        .gradient(|cx| Ok(grads([Some(deep_back(&DEPTH_TO_SPACE, cx)?)])))
        .kernel(|node| deep_kernel(node, layout::space_to_depth))
        .samples(|| {
            let x = || array([1, 2, 2, 1], [1.0_f32, 2.0, 3.0, 4.0]);
            let y = || array([1, 1, 1, 4], [1.0_f32, 2.0, 3.0, 4.0]);
            let planes = array([1, 1, 2, 2], [1.0_f32, 2.0, 3.0, 4.0]);
            let columns = array([1, 4, 1, 1], [1.0_f32, 2.0, 3.0, 4.0]);
            vec![
                Sample::new([x()], y()).attr("block_size", 2_i64),
                Sample::new([planes], columns)
                    .attr("block_size", 2_i64)
                    .attr("data_format", "NCHW"),
                Sample::error([x()], "blocks of 3").attr("block_size", 3_i64),
                Sample::error([x()], "at least 2").attr("block_size", 1_i64),
            ]
        });

/// Parts of the channels of images, moved to positions within blocks.
pub static DEPTH_TO_SPACE: OpDef =
    deep("DepthToSpace", "Parts of the channels of images, moved to positions within blocks.")
        .infer(|node| infer_deep(node, Way::OutOf))
        .gradient(|cx| Ok(grads([Some(deep_back(&SPACE_TO_DEPTH, cx)?)])))
        .kernel(|node| deep_kernel(node, layout::depth_to_space))
        .samples(|| {
            let x = || array([1, 1, 1, 4], [1.0_f32, 2.0, 3.0, 4.0]);
            let y = array([1, 2, 2, 1], [1.0_f32, 2.0, 3.0, 4.0]);
            let columns = array([1, 4, 1, 1], [1.0_f32, 2.0, 3.0, 4.0]);
            let planes = array([1, 1, 2, 2], [1.0_f32, 2.0, 3.0, 4.0]);
            vec![
                Sample::new([x()], y).attr("block_size", 2_i64),
                Sample::new([columns], planes)
                    .attr("block_size", 2_i64)
                    .attr("data_format", "NCHW"),
                Sample::error([x()], "blocks of 9").attr("block_size", 3_i64),
            ]
        });

fn block_size(node: &NodeView<'_>) -> Result<usize, OpError> {
    match count_of(node.int_attr("block_size")?, "block_size")? {
        0 | 1 => Err(OpError::attr("block_size", "`block_size` must be at least 2")),
        block => Ok(block),
    }
}

fn channels(node: &NodeView<'_>) -> Result<Channels, OpError> {
    match DataFormat::of(node, Formats::IMAGES)?.channels_first {
        true => Ok(Channels::First),
        false => Ok(Channels::Last),
    }
}

fn deep_back(op: &'static OpDef, cx: &GradCx<'_>) -> Result<Tensor, OpError> {
    let node = NodeBuilder::new(op).input(cx.grad::<Tensor>());
    let node = node.attr("block_size", cx.node().int_attr("block_size")?);
    Ok(tensor(node.attr("data_format", cx.node().str_attr("data_format")?)))
}

type MoveDeep = fn(&Memory, &Value, usize, Channels) -> Result<Value, NumericError>;

fn deep_kernel(node: &NodeView<'_>, move_blocks: MoveDeep) -> Result<Box<dyn Kernel>, OpError> {
    let (block, channels) = (block_size(node)?, channels(node)?);
    Ok(kernel(move |cx| Ok(move_blocks(cx.memory, cx.input(0)?, block, channels)?)))
}

fn infer_deep(node: &NodeView<'_>, way: Way) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    check_rank(node, 0, 4, "4 axes")?;
    let block = block_size(node)?;
    let depth = DataFormat::of(node, Formats::IMAGES)?.channel_axis();
    let square = block.checked_mul(block);
    let unknown = PartialShape::of_rank(4);
    let dims = node.shape(0).dims().or(unknown.dims()).unwrap_or_default();
    let moved = |(axis, dim): (usize, &Dim)| {
        let (factor, grows) = match axis {
            0 => return Ok(*dim),
            _ if axis == depth => (square, way == Way::Into),
            _ => (Some(block), way == Way::OutOf),
        };
        let Some((extent, factor)) = dim.known().zip(factor) else { return Ok(Dim::UNKNOWN) };
        if !grows && extent % factor != 0 {
            return Err(OpError::shape(
                "input",
                format!("axis {axis} of extent {extent} does not divide into blocks of {factor}"),
            ));
        }
        Ok(Dim::from(if grows { extent.checked_mul(factor) } else { Some(extent / factor) }))
    };
    Inferred::one(dims.iter().enumerate().map(moved).collect::<Result<PartialShape, _>>()?)
}

macro_rules! moves {
    ($(
        $(#[doc = $doc:literal])*
        $function:ident = $op:ident, $alias:literal, $last:ident;
    )*) => {$(
        $(#[doc = $doc])*
        #[doc(alias = $alias)]
        #[track_caller]
        pub fn $function(
            x: impl Into<Operand>,
            block_shape: impl Into<Operand>,
            $last: impl Into<Operand>,
        ) -> Tensor {
            let (x, block_shape, around) = (x.into().to_tensor(), block_shape.into(), $last.into());
            composite(x.graph(), $alias, |full| {
                let node = NodeBuilder::new(&$op).exact_name(full).input(x);
                let node = node.input(block_shape.to_tensor_beside(x, "block_shape"));
                tensor(node.input(around.to_tensor_beside(x, stringify!($last))))
            })
        }
    )*};
}

moves! {
    /// `x` with its axes after the first cut into blocks, and the position within a block moved
    /// into the first axis. Before that, the axes are padded with zeros, as by
    /// [`pad`](crate::pad).
    ///
    /// # Errors
    /// Blocks that do not divide their padded axis.
    ///
    /// ```
    /// use tidemill_ops::{placeholder, space_to_batch_nd};
    /// let x = space_to_batch_nd(placeholder::<f32>([1, 3, 2]), [2], [[0, 1]]);
    /// assert_eq!(x.shape().to_string(), "[2, 2, 2]");
    /// ```
    space_to_batch_nd = SPACE_TO_BATCH, "SpaceToBatchND", paddings;

    /// `x` with its first axis moved to positions within blocks of the axes after it, dropping
    /// `crops[i]` elements at either end: the opposite of [`space_to_batch_nd`].
    ///
    /// # Errors
    /// Blocks that do not divide the first axis, or crops that exceed an axis.
    ///
    /// ```
    /// use tidemill_ops::{batch_to_space_nd, placeholder};
    /// let x = batch_to_space_nd(placeholder::<f32>([2, 2, 2]), [2], [[0, 1]]);
    /// assert_eq!(x.shape().to_string(), "[1, 3, 2]");
    /// ```
    batch_to_space_nd = BATCH_TO_SPACE, "BatchToSpaceND", crops;
}

/// Images `[batch, height, width, channels]` with the position within square blocks moved into
/// the channels.
///
/// # Errors
/// A block below 2, or one that does not divide height and width.
///
/// ```
/// use tidemill_ops::{placeholder, space_to_depth};
/// let images = placeholder::<f32>([1, 4, 6, 3]);
/// assert_eq!(space_to_depth(images, 2).shape().to_string(), "[1, 2, 3, 12]");
/// ```
#[doc(alias = "SpaceToDepth")]
#[track_caller]
pub fn space_to_depth(x: impl Into<Operand>, block: i64) -> Tensor {
    let node = NodeBuilder::new(&SPACE_TO_DEPTH).input(x.into().to_tensor());
    tensor(node.attr("block_size", block))
}

/// Images `[batch, height, width, channels]` with parts of the channels moved to positions within
/// square blocks: the opposite of [`space_to_depth`].
///
/// # Errors
/// A block below 2, or one whose square does not divide the channels.
///
/// ```
/// use tidemill_ops::{depth_to_space, placeholder};
/// let images = placeholder::<f32>([1, 2, 3, 12]);
/// assert_eq!(depth_to_space(images, 2).shape().to_string(), "[1, 4, 6, 3]");
/// ```
#[doc(alias = "DepthToSpace")]
#[track_caller]
pub fn depth_to_space(x: impl Into<Operand>, block: i64) -> Tensor {
    let node = NodeBuilder::new(&DEPTH_TO_SPACE).input(x.into().to_tensor());
    tensor(node.attr("block_size", block))
}
