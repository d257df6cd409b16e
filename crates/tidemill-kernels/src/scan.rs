//! Cumulative sums and products.

use tidemill_value::{Memory, Value, match_dtype};

use crate::NumericError;
use crate::number::Number;
use crate::output::{build, volume};

/// The elements that a scan combines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scan {
    /// Leave out the element itself.
    pub exclusive: bool,
    /// Begin with the last element.
    pub reverse: bool,
}

/// The sum of the elements along `axis` up to each; integers wrap. TensorFlow's `Cumsum`.
///
/// # Errors
/// [`NumericError::Axis`] if there is no such axis, [`NumericError::UnsupportedDType`] if the
/// elements are not numbers.
pub fn cumsum(
    memory: &Memory,
    value: &Value,
    axis: usize,
    scan: Scan,
) -> Result<Value, NumericError> {
    let dtype = value.dtype();
    match_dtype!(dtype, wide, T => run::<T>(memory, value, axis, scan, T::ZERO, T::plus),
        else Err(NumericError::UnsupportedDType { dtype }))
}

/// The product of the elements along `axis` up to each; integers wrap. TensorFlow's `Cumprod`.
///
/// # Errors
/// As for [`cumsum`].
pub fn cumprod(
    memory: &Memory,
    value: &Value,
    axis: usize,
    scan: Scan,
) -> Result<Value, NumericError> {
    let dtype = value.dtype();
    match_dtype!(dtype, wide, T => run::<T>(memory, value, axis, scan, T::ONE, T::times),
        else Err(NumericError::UnsupportedDType { dtype }))
}

fn run<T: Number>(
    memory: &Memory,
    value: &Value,
    axis: usize,
    scan: Scan,
    start: T,
    combine: impl Fn(T, T) -> T + Copy,
) -> Result<Value, NumericError> {
    let shape = value.shape();
    let rank = shape.rank();
    let extent = *shape.get(axis).ok_or(NumericError::Axis { axis, rank })?;
    let width = volume(&shape[axis + 1..]);
    let elements = value.as_slice::<T>()?;
    build(memory, shape.clone(), |out| {
        if !out.is_empty() {
            let mut totals = memory.workspace::<T>(width)?;
            let slabs = elements.chunks_exact(extent * width);
            for (slab, out) in slabs.zip(out.chunks_exact_mut(extent * width)) {
                totals.fill(start);
                scan_slab(slab, out, &mut totals, scan, combine);
            }
        }
        Ok(())
    })
}

/// Scans rows as wide as `totals`, each column by itself. The totals are those of the rows before.
fn scan_slab<T: Number>(
    slab: &[T],
    out: &mut [T],
    totals: &mut [T],
    scan: Scan,
    combine: impl Fn(T, T) -> T,
) {
    let width = totals.len();
    let count = slab.len() / width;
    for i in 0..count {
        let i = if scan.reverse { count - 1 - i } else { i };
        let (row, out) = (&slab[i * width..][..width], &mut out[i * width..][..width]);
        for ((x, o), total) in row.iter().zip(out).zip(&mut *totals) {
            let next = combine(*total, *x);
            *o = if scan.exclusive { *total } else { next };
            *total = next;
        }
    }
}
