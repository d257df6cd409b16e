use smallvec::SmallVec;
use tidemill_value::{Memory, Shape, Value};

use super::pad::pad;
use super::view::{Cut, strided_slice, transpose};
use crate::NumericError;
use crate::output::volume;

type Extents = SmallVec<[usize; 8]>;

/// Moves positions within blocks of the later axes into the first axis, after padding those axes
/// with zeros. TensorFlow's `SpaceToBatchND`.
///
/// # Errors
/// [`NumericError::Rank`] if there are fewer axes, [`NumericError::Blocks`] if a block does not
/// divide its padded axis, [`NumericError::Value`] if memory cannot hold the result.
pub fn space_to_batch(
    memory: &Memory,
    value: &Value,
    blocks: &[usize],
    paddings: &[(usize, usize)],
) -> Result<Value, NumericError> {
    check_rank(value, blocks, paddings)?;
    let behind = value.shape().rank() - 1 - blocks.len();
    let around: SmallVec<[(usize, usize); 4]> = [(0, 0)]
        .into_iter()
        .chain(paddings.iter().copied())
        .chain(std::iter::repeat_n((0, 0), behind))
        .collect();
    let padded = pad(memory, value, &around, &Value::zeros(value.dtype(), [])?)?;
    let (batch, space, rest) = parts(padded.shape(), blocks.len());
    let mut cut: Extents = [batch].into_iter().collect();
    for (axis, (&extent, &block)) in space.iter().zip(blocks).enumerate() {
        if block == 0 || extent % block != 0 {
            return Err(NumericError::Blocks { axis: axis + 1, extent, block });
        }
        cut.extend([extent / block, block]);
    }
    cut.extend_from_slice(rest);
    let axes = 0..blocks.len();
    let order: Extents = (axes.clone().map(|i| 2 * i + 2))
        .chain([0])
        .chain(axes.map(|i| 2 * i + 1))
        .chain(2 * blocks.len() + 1..cut.len())
        .collect();
    let smaller = space.iter().zip(blocks).map(|(extent, block)| extent / block);
    let shape: Shape = [batch.saturating_mul(volume(blocks))]
        .into_iter()
        .chain(smaller)
        .chain(rest.iter().copied())
        .collect();
    let reordered = transpose(memory, &padded.reshape(&cut[..])?, &order)?;
    Ok(reordered.reshape(shape)?)
}

/// Moves parts of the first axis to positions within blocks of the axes after it, and crops
/// these. TensorFlow's `BatchToSpaceND`.
///
/// # Errors
/// [`NumericError::Rank`] if there are fewer axes, [`NumericError::Blocks`] if the blocks do not
/// divide the first axis, [`NumericError::Bounds`] if more is cropped than there is.
pub fn batch_to_space(
    memory: &Memory,
    value: &Value,
    blocks: &[usize],
    crops: &[(usize, usize)],
) -> Result<Value, NumericError> {
    check_rank(value, blocks, crops)?;
    let (batch, space, rest) = parts(value.shape(), blocks.len());
    let block = volume(blocks);
    if block == 0 || batch % block != 0 {
        return Err(NumericError::Blocks { axis: 0, extent: batch, block });
    }
    let outer = batch / block;
    let cut: Extents = blocks.iter().chain([&outer]).chain(space).chain(rest).copied().collect();
    let order: Extents = [blocks.len()]
        .into_iter()
        .chain((0..blocks.len()).flat_map(|i| [blocks.len() + 1 + i, i]))
        .chain(2 * blocks.len() + 1..cut.len())
        .collect();
    let larger: Extents =
        space.iter().zip(blocks).map(|(x, block)| x.saturating_mul(*block)).collect();
    let shape: Shape = [&outer].into_iter().chain(&larger).chain(rest).copied().collect();
    let whole = transpose(memory, &value.clone().reshape(&cut[..])?, &order)?.reshape(shape)?;
    let mut cuts: SmallVec<[Cut; 4]> =
        whole.shape().iter().map(|&count| Cut { begin: 0, count, step: 1 }).collect();
    for (axis, &(begin, end)) in crops.iter().enumerate() {
        let (axis, extent) = (axis + 1, larger[axis]);
        let count = extent.checked_sub(begin).and_then(|rest| rest.checked_sub(end));
        let beyond = NumericError::Bounds { axis, begin, count: end, step: 1, extent };
        cuts[axis] = Cut { begin, count: count.ok_or(beyond)?, step: 1 };
    }
    strided_slice(memory, &whole, &cuts)
}

fn check_rank(
    value: &Value,
    blocks: &[usize],
    around: &[(usize, usize)],
) -> Result<(), NumericError> {
    let (expected, actual) = (blocks.len(), around.len());
    if expected != actual {
        return Err(NumericError::Rank { expected, actual });
    }
    let (expected, actual) = (blocks.len() + 1, value.shape().rank());
    if actual < expected { Err(NumericError::Rank { expected, actual }) } else { Ok(()) }
}

/// The first extent, the next `spatial` extents, and the rest.
fn parts(shape: &Shape, spatial: usize) -> (usize, &[usize], &[usize]) {
    let (space, rest) = shape[1..].split_at(spatial);
    (shape[0], space, rest)
}

/// The order of the axes of images.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Channels {
    /// `[batch, height, width, channels]`.
    Last,
    /// `[batch, channels, height, width]`.
    First,
}

/// Moves the position within square blocks of images into their channels. TensorFlow's
/// `SpaceToDepth`.
///
/// # Errors
/// [`NumericError::Rank`] if the value does not have 4 axes, [`NumericError::Blocks`] if the block
/// does not divide height and width.
pub fn space_to_depth(
    memory: &Memory,
    value: &Value,
    block: usize,
    channels: Channels,
) -> Result<Value, NumericError> {
    let [batch, height, width, depth] = image(value, channels)?;
    for (axis, extent) in [(1, height), (2, width)] {
        if block == 0 || extent % block != 0 {
            return Err(NumericError::Blocks { axis, extent, block });
        }
    }
    let (rows, columns) = (height / block, width / block);
    let deeper = depth.saturating_mul(block).saturating_mul(block);
    let (cut, order, shape) = match channels {
        Channels::Last => (
            [batch, rows, block, columns, block, depth],
            [0, 1, 3, 2, 4, 5],
            [batch, rows, columns, deeper],
        ),
        Channels::First => (
            [batch, depth, rows, block, columns, block],
            [0, 3, 5, 1, 2, 4],
            [batch, deeper, rows, columns],
        ),
    };
    Ok(transpose(memory, &value.clone().reshape(cut)?, &order)?.reshape(shape)?)
}

/// Moves parts of the channels of images to positions within square blocks. TensorFlow's
/// `DepthToSpace`.
///
/// # Errors
/// As for [`space_to_depth`], if the square of the block does not divide the channels.
pub fn depth_to_space(
    memory: &Memory,
    value: &Value,
    block: usize,
    channels: Channels,
) -> Result<Value, NumericError> {
    let [batch, rows, columns, deeper] = image(value, channels)?;
    let square = block.saturating_mul(block);
    if square == 0 || deeper % square != 0 {
        let axis = if channels == Channels::Last { 3 } else { 1 };
        return Err(NumericError::Blocks { axis, extent: deeper, block: square });
    }
    let depth = deeper / square;
    let (height, width) = (rows.saturating_mul(block), columns.saturating_mul(block));
    let (cut, order, shape) = match channels {
        Channels::Last => (
            [batch, rows, columns, block, block, depth],
            [0, 1, 3, 2, 4, 5],
            [batch, height, width, depth],
        ),
        Channels::First => (
            [batch, block, block, depth, rows, columns],
            [0, 3, 4, 1, 5, 2],
            [batch, depth, height, width],
        ),
    };
    Ok(transpose(memory, &value.clone().reshape(cut)?, &order)?.reshape(shape)?)
}

/// Batch, height, width and channels of images.
fn image(value: &Value, channels: Channels) -> Result<[usize; 4], NumericError> {
    match (&value.shape()[..], channels) {
        (&[batch, height, width, depth], Channels::Last)
        | (&[batch, depth, height, width], Channels::First) => Ok([batch, height, width, depth]),
        (shape, _) => Err(NumericError::Rank { expected: 4, actual: shape.len() }),
    }
}
