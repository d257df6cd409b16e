use tidemill_value::{Memory, Value};

use crate::NumericError;
use crate::moved::{Moved, build, read};
use crate::output::volume;

/// Reverses the first `lengths[i]` elements along the axis `sequence`, for each element `i` of the
/// axis `batch`. TensorFlow's `ReverseSequence`.
///
/// # Errors
/// [`NumericError::Axis`] and [`NumericError::DuplicateAxis`] if these are not two axes of the
/// value, [`NumericError::Length`] if there is not one length for each element,
/// [`NumericError::IndexOutOfRange`] if one is longer than the axis.
pub fn reverse_sequence(
    memory: &Memory,
    value: &Value,
    lengths: &[i64],
    sequence: usize,
    batch: usize,
) -> Result<Value, NumericError> {
    let shape = value.shape();
    let rank = shape.rank();
    for axis in [sequence, batch] {
        if axis >= rank {
            return Err(NumericError::Axis { axis, rank });
        }
    }
    if sequence == batch {
        return Err(NumericError::DuplicateAxis { axis: batch });
    }
    let lengths = checked_lengths(lengths, shape[batch], shape[sequence])?;
    let (first, second) = (sequence.min(batch), sequence.max(batch));
    let walk = Walk {
        outer: volume(&shape[..first]),
        first: shape[first],
        between: volume(&shape[first + 1..second]),
        second: shape[second],
        width: volume(&shape[second + 1..]),
    };
    let dtype = value.dtype();
    match_moved!(dtype, T => {
        let elements = read::<T>(value, dtype)?;
        build(memory, dtype, shape.clone(), |out| {
            if !out.is_empty() {
                walk.run(elements, &lengths, sequence < batch, out);
            }
        })
    })
}

fn checked_lengths(
    lengths: &[i64],
    batch: usize,
    extent: usize,
) -> Result<Vec<usize>, NumericError> {
    let (expected, actual) = (batch, lengths.len());
    if actual != expected {
        return Err(NumericError::Length { expected, actual });
    }
    let check = |(position, &index): (usize, &i64)| {
        let inside = usize::try_from(index).ok().filter(|&length| length <= extent);
        let extent = extent.saturating_add(1);
        inside.ok_or(NumericError::IndexOutOfRange { index, position, extent })
    };
    lengths.iter().enumerate().map(check).collect()
}

/// The extents of the two axes and of the axes before, between and after them.
struct Walk {
    outer: usize,
    first: usize,
    between: usize,
    second: usize,
    width: usize,
}

impl Walk {
    fn run<T: Moved>(
        &self,
        elements: &[T],
        lengths: &[usize],
        sequence_is_first: bool,
        out: &mut [T],
    ) {
        let mirrored = |i: usize, length: usize| if i < length { length - 1 - i } else { i };
        let mut rows = out.chunks_exact_mut(self.width);
        for outer in 0..self.outer {
            for first in 0..self.first {
                for between in 0..self.between {
                    for second in 0..self.second {
                        let (first, second) = match sequence_is_first {
                            true => (mirrored(first, lengths[second]), second),
                            false => (first, mirrored(second, lengths[first])),
                        };
                        let slab = (outer * self.first + first) * self.between + between;
                        let start = (slab * self.second + second) * self.width;
                        if let Some(row) = rows.next() {
                            row.clone_from_slice(&elements[start..start + self.width]);
                        }
                    }
                }
            }
        }
    }
}
