//! Rows combined by segment number.

use tidemill_value::{Memory, Shape, Value, match_dtype};

use crate::NumericError;
use crate::layout::Indices;
use crate::number::{Number, combined};
use crate::output::{build, volume};

/// The combination of the rows of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Segment {
    /// Their sum; of none, 0.
    Sum,
    /// Their product; of none, 1.
    Prod,
    /// The smallest of each column; of none, the highest finite number.
    Min,
    /// The largest of each column; of none, the lowest finite number.
    Max,
    /// Their mean; of none, 0.
    Mean,
}

/// Combines rows whose segment numbers ascend. Segments without rows are 1 for a product and 0 for
/// all else. TensorFlow's `SegmentSum` and so on.
///
/// # Errors
/// [`NumericError::Length`] if there is not one number for each row, [`NumericError::Unsorted`] if
/// they do not ascend, [`NumericError::IndexOutOfRange`] if one is negative,
/// [`NumericError::UnsupportedDType`] if the elements are not numbers.
pub fn segment(
    memory: &Memory,
    value: &Value,
    ids: &Value,
    how: Segment,
) -> Result<Value, NumericError> {
    let Some((&rows, part)) = value.shape().split_first() else {
        return Err(NumericError::Rank { expected: 1, actual: 0 });
    };
    let ids = Indices::below(ids, i32::MAX as usize)?;
    if ids.len() != rows {
        return Err(NumericError::Length { expected: rows, actual: ids.len() });
    }
    let mut pairs = ids.iter().zip(ids.iter().skip(1));
    if let Some(position) = pairs.position(|(id, next)| id > next) {
        return Err(NumericError::Unsorted { position: position + 1 });
    }
    let count = ids.iter().last().map_or(0, |last| last + 1);
    combine(memory, value, ids, count, part, how, Empty::Zero)
}

/// Combines rows by segment numbers in any order, of which there are `count`; those that are
/// negative are left out. TensorFlow's `UnsortedSegmentSum` and so on.
///
/// The axes of `ids` are the first axes of the value.
///
/// # Errors
/// [`NumericError::Shape`] if they are not, [`NumericError::IndexOutOfRange`] if a number is not
/// below `count`, [`NumericError::UnsupportedDType`] if the elements are not numbers,
/// [`NumericError::Value`] if memory cannot hold the result.
pub fn unsorted_segment(
    memory: &Memory,
    value: &Value,
    ids: &Value,
    count: usize,
    how: Segment,
) -> Result<Value, NumericError> {
    let Some(part) = value.shape().strip_prefix(&ids.shape()[..]) else {
        let (expected, actual) = (ids.shape().clone(), value.shape().clone());
        return Err(NumericError::Shape { expected, actual });
    };
    let ids = Indices::below_or_negative(ids, count)?;
    combine(memory, value, ids, count, part, how, Empty::Identity)
}

/// The result of segments without rows.
#[derive(Clone, Copy, PartialEq)]
enum Empty {
    /// Zero, but one for products.
    Zero,
    /// The identity among finite numbers.
    Identity,
}

fn combine(
    memory: &Memory,
    value: &Value,
    ids: Indices<'_>,
    count: usize,
    part: &[usize],
    how: Segment,
    empty: Empty,
) -> Result<Value, NumericError> {
    let shape: Shape = [count].iter().chain(part).copied().collect();
    let width = volume(part);
    let dtype = value.dtype();
    match_dtype!(dtype, wide, T => {
        let elements = value.as_slice::<T>()?;
        build(memory, shape, |out: &mut [T]| {
            if !out.is_empty() {
                let rows = Rows { elements, ids, width };
                rows.run(out, how, empty);
            }
            Ok(())
        })
    }, else Err(NumericError::UnsupportedDType { dtype }))
}

struct Rows<'a, T> {
    elements: &'a [T],
    ids: Indices<'a>,
    width: usize,
}

impl<T: Number> Rows<'_, T> {
    fn run(&self, out: &mut [T], how: Segment, empty: Empty) {
        match how {
            Segment::Sum => self.fold(out, T::ZERO, &combined(T::plus)),
            Segment::Prod => self.fold(out, T::ONE, &combined(T::times)),
            Segment::Min => self.extremum(out, T::HIGHEST, &combined(T::smaller), empty),
            Segment::Max => self.extremum(out, T::LOWEST, &combined(T::larger), empty),
            Segment::Mean => self.mean(out),
        }
    }

    /// The rows with the numbers of their segments.
    fn rows(&self) -> impl Iterator<Item = (Option<usize>, &[T])> {
        self.ids.iter_signed().zip(self.elements.chunks_exact(self.width))
    }

    fn fold(&self, out: &mut [T], start: T, combine: &dyn Fn(&mut [T], &[T])) {
        out.fill(start);
        for (id, row) in self.rows() {
            if let Some(id) = id {
                combine(&mut out[id * self.width..(id + 1) * self.width], row);
            }
        }
    }

    /// The number of rows of each segment.
    fn counts(&self, segments: usize) -> Vec<usize> {
        let mut counts = vec![0; segments];
        self.ids.iter_signed().flatten().for_each(|id| counts[id] += 1);
        counts
    }

    fn extremum(&self, out: &mut [T], start: T, combine: &dyn Fn(&mut [T], &[T]), empty: Empty) {
        let counts = self.counts(out.len() / self.width);
        out.fill(start);
        let mut is_first = vec![true; counts.len()];
        for (id, row) in self.rows() {
            let Some(id) = id else { continue };
            let out = &mut out[id * self.width..(id + 1) * self.width];
            // The first row is copied: an infinity may lie beyond the initial value of the others.
            if std::mem::take(&mut is_first[id]) {
                out.copy_from_slice(row);
                continue;
            }
            combine(out, row);
        }
        if empty == Empty::Zero {
            let rows = out.chunks_exact_mut(self.width).zip(counts);
            rows.filter(|(_, count)| *count == 0).for_each(|(row, _)| row.fill(T::ZERO));
        }
    }

    fn mean(&self, out: &mut [T]) {
        let mut totals = vec![T::Wide::ZERO; out.len()];
        for (id, row) in self.rows() {
            if let Some(id) = id {
                let totals = &mut totals[id * self.width..(id + 1) * self.width];
                for (total, x) in totals.iter_mut().zip(row) {
                    *total = total.plus(x.widen());
                }
            }
        }
        let counts = self.counts(out.len() / self.width);
        let rows = out.chunks_exact_mut(self.width).zip(totals.chunks_exact(self.width));
        for ((row, totals), count) in rows.zip(counts) {
            for (o, total) in row.iter_mut().zip(totals) {
                *o = if count == 0 { T::ZERO } else { T::mean(*total, count) };
            }
        }
    }
}
