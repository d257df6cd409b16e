use tidemill_value::{Memory, Shape, Value, ValueError};

use super::view::broadcast_to;
use crate::NumericError;
use crate::moved::{Moved, build, build_zeroed, fill, read, read_one};
use crate::output::volume;

/// Neighboring diagonals of matrices, packed as rows of one length.
///
/// Diagonal 0 is the main one; those above it have positive numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Band {
    /// The lowest diagonal.
    pub lower: i64,
    /// The highest diagonal.
    pub upper: i64,
    /// Whether diagonals above the main one begin at the left of their rows.
    pub aligns_upper_left: bool,
    /// Whether diagonals below the main one begin at the left of their rows.
    pub aligns_lower_left: bool,
}

impl Band {
    /// The main diagonal alone.
    pub const MAIN: Band =
        Band { lower: 0, upper: 0, aligns_upper_left: false, aligns_lower_left: true };

    /// The number of diagonals, from the highest down.
    pub fn count(&self) -> usize {
        let count = i128::from(self.upper) - i128::from(self.lower) + 1;
        usize::try_from(count).unwrap_or(0)
    }

    /// The length of the rows that the diagonals of a matrix are packed in.
    pub fn width(&self, rows: usize, columns: usize) -> usize {
        let below = self.upper.min(0).unsigned_abs() as usize;
        let beside = self.lower.max(0).unsigned_abs() as usize;
        rows.saturating_sub(below).min(columns.saturating_sub(beside))
    }

    /// The least numbers of rows and columns of matrices whose longest diagonal has `width`
    /// elements.
    pub fn least_matrix(&self, width: usize) -> (usize, usize) {
        let below = self.upper.min(0).unsigned_abs() as usize;
        let beside = self.lower.max(0).unsigned_abs() as usize;
        (width.saturating_add(below), width.saturating_add(beside))
    }

    /// Checks that all diagonals are those of a matrix.
    ///
    /// # Errors
    /// [`NumericError::Diagonals`]
    pub fn check(&self, rows: usize, columns: usize) -> Result<(), NumericError> {
        let (low, high) = (-(rows as i128), columns as i128);
        let exists = |diagonal: i64| {
            diagonal == 0 || (low < i128::from(diagonal) && i128::from(diagonal) < high)
        };
        if self.lower <= self.upper && exists(self.lower) && exists(self.upper) {
            return Ok(());
        }
        Err(NumericError::Diagonals { lower: self.lower, upper: self.upper, rows, columns })
    }

    /// The diagonals of a matrix: for each, the row it is packed in, its start in that row, its
    /// start in the matrix, and its length.
    fn runs(&self, rows: usize, columns: usize) -> impl Iterator<Item = Run> {
        let (band, width) = (*self, self.width(rows, columns));
        (band.lower..=band.upper).rev().enumerate().map(move |(row, diagonal)| {
            let below = diagonal.min(0).unsigned_abs() as usize;
            let beside = diagonal.max(0).unsigned_abs() as usize;
            let length = rows.saturating_sub(below).min(columns.saturating_sub(beside));
            let is_left = (diagonal >= 0 && band.aligns_upper_left)
                || (diagonal <= 0 && band.aligns_lower_left);
            let offset = if is_left { 0 } else { width - length };
            Run { packed: row * width + offset, start: below * columns + beside, length }
        })
    }
}

struct Run {
    packed: usize,
    start: usize,
    length: usize,
}

/// The last two axes of a shape, and those before.
fn matrices(shape: &Shape) -> Result<(&[usize], usize, usize), NumericError> {
    match shape[..] {
        [ref outer @ .., rows, columns] => Ok((outer, rows, columns)),
        _ => Err(NumericError::Rank { expected: 2, actual: shape.rank() }),
    }
}

/// The diagonals of matrices as rows, from the highest down; a single one loses that axis. Rows
/// longer than their diagonals are filled with `padding`. TensorFlow's `MatrixDiagPartV3`.
///
/// # Errors
/// [`NumericError::Rank`] if there are no matrices, [`NumericError::Diagonals`] if they have no
/// such diagonals, [`NumericError::Value`] if `padding` is not one element of their type.
pub fn matrix_diag_part(
    memory: &Memory,
    value: &Value,
    band: Band,
    padding: &Value,
) -> Result<Value, NumericError> {
    let (outer, rows, columns) = matrices(value.shape())?;
    band.check(rows, columns)?;
    let (count, width) = (band.count(), band.width(rows, columns));
    let packed = (count > 1).then_some(count);
    let shape: Shape = outer.iter().copied().chain(packed).chain([width]).collect();
    let dtype = value.dtype();
    match_moved!(dtype, T => {
        let (elements, padding) = (read::<T>(value, dtype)?, read_one::<T>(padding, dtype)?);
        build(memory, dtype, shape, |out| {
            fill(out, &padding);
            take_diagonals(elements, out, band, [rows, columns]);
        })
    })
}

fn take_diagonals<T: Moved>(
    elements: &[T],
    out: &mut [T],
    band: Band,
    [rows, columns]: [usize; 2],
) {
    if elements.is_empty() || out.is_empty() {
        return;
    }
    let per_matrix = band.count() * band.width(rows, columns);
    let matrices = elements.chunks_exact(rows * columns);
    for (matrix, out) in matrices.zip(out.chunks_exact_mut(per_matrix)) {
        for Run { packed, start, length } in band.runs(rows, columns) {
            let diagonal = matrix[start..].iter().step_by(columns + 1).take(length);
            out[packed..].iter_mut().zip(diagonal).for_each(|(o, x)| *o = x.clone());
        }
    }
}

/// Matrices with other diagonals, packed as [`matrix_diag_part`] packs them. TensorFlow's
/// `MatrixSetDiagV3`.
///
/// # Errors
/// As for [`matrix_diag_part`], and [`NumericError::Shape`] if the diagonals have another shape.
pub fn matrix_set_diag(
    mut value: Value,
    diagonals: &Value,
    band: Band,
) -> Result<Value, NumericError> {
    let (outer, rows, columns) = matrices(value.shape())?;
    band.check(rows, columns)?;
    let (count, width) = (band.count(), band.width(rows, columns));
    let packed = (count > 1).then_some(count);
    let expected: Shape = outer.iter().copied().chain(packed).chain([width]).collect();
    if *diagonals.shape() != expected {
        return Err(NumericError::Shape { expected, actual: diagonals.shape().clone() });
    }
    let dtype = value.dtype();
    match_moved!(dtype, T => {
        let diagonals = read(diagonals, dtype)?;
        set_diagonals(T::write(&mut value)?, diagonals, band, [rows, columns]);
    });
    Ok(value)
}

fn set_diagonals<T: Moved>(
    out: &mut [T],
    diagonals: &[T],
    band: Band,
    [rows, columns]: [usize; 2],
) {
    if out.is_empty() || diagonals.is_empty() {
        return;
    }
    let per_matrix = band.count() * band.width(rows, columns);
    let matrices = out.chunks_exact_mut(rows * columns);
    for (matrix, diagonals) in matrices.zip(diagonals.chunks_exact(per_matrix)) {
        for Run { packed, start, length } in band.runs(rows, columns) {
            let diagonal = matrix[start..].iter_mut().step_by(columns + 1).take(length);
            diagonal.zip(&diagonals[packed..]).for_each(|(o, x)| *o = x.clone());
        }
    }
}

/// Matrices of `rows` by `columns` that are `padding` except for their diagonals, packed as
/// [`matrix_diag_part`] packs them. TensorFlow's `MatrixDiagV3`.
///
/// # Errors
/// As for [`matrix_set_diag`], and [`NumericError::Value`] if memory cannot hold the result.
pub fn matrix_diag(
    memory: &Memory,
    diagonals: &Value,
    band: Band,
    [rows, columns]: [usize; 2],
    padding: &Value,
) -> Result<Value, NumericError> {
    let own = diagonals.shape();
    let packed = if band.count() > 1 { 2 } else { 1 };
    let Some(rank) = own.rank().checked_sub(packed) else {
        return Err(NumericError::Rank { expected: packed, actual: own.rank() });
    };
    let shape: Shape = own[..rank].iter().copied().chain([rows, columns]).collect();
    if shape.elements().is_none() {
        return Err(ValueError::TooLarge { shape }.into());
    }
    matrix_set_diag(broadcast_to(memory, padding, &shape)?, diagonals, band)
}

/// Matrices with zeros outside a band: `below` diagonals below and `above` above the main one are
/// kept; -1 means all of them. TensorFlow's `MatrixBandPart`.
///
/// # Errors
/// [`NumericError::Rank`] if there are no matrices.
pub fn matrix_band_part(
    memory: &Memory,
    value: &Value,
    below: i64,
    above: i64,
) -> Result<Value, NumericError> {
    let (_, rows, columns) = matrices(value.shape())?;
    let reach = |diagonals: i64| usize::try_from(diagonals).unwrap_or(usize::MAX);
    let (below, above) = (reach(below), reach(above));
    let dtype = value.dtype();
    match_moved!(dtype, T => {
        let elements = read::<T>(value, dtype)?;
        build_zeroed(memory, dtype, value.shape().clone(), |out| {
            if out.is_empty() {
                return;
            }
            let lines = elements.chunks_exact(columns).zip(out.chunks_exact_mut(columns));
            for (i, (line, out)) in lines.enumerate() {
                let row = i % rows;
                let begin = row.saturating_sub(below).min(columns);
                let end = row.saturating_add(above).saturating_add(1).min(columns);
                if begin < end {
                    out[begin..end].clone_from_slice(&line[begin..end]);
                }
            }
        })
    })
}

/// A value of shape `S + S`, for one of shape `S`, with its elements on the diagonal.
/// TensorFlow's `Diag`.
///
/// # Errors
/// [`NumericError::Value`] if memory cannot hold the result.
pub fn diag(memory: &Memory, value: &Value) -> Result<Value, NumericError> {
    let (shape, count) = (value.shape().clone(), value.elements());
    let twice: Shape = shape.iter().chain(&shape[..]).copied().collect();
    let list = value.clone().reshape([count])?;
    let zero = Value::zeros(value.dtype(), [])?;
    Ok(matrix_diag(memory, &list, Band::MAIN, [count, count], &zero)?.reshape(twice)?)
}

/// The elements on the diagonal of a value of shape `S + S`. TensorFlow's `DiagPart`.
///
/// # Errors
/// [`NumericError::Shape`] if the shape has other halves.
pub fn diag_part(memory: &Memory, value: &Value) -> Result<Value, NumericError> {
    let shape = value.shape();
    let (first, second) = shape.split_at(shape.rank() / 2);
    if first != second {
        let expected = first.iter().chain(first).copied().collect();
        return Err(NumericError::Shape { expected, actual: shape.clone() });
    }
    let count = volume(first);
    let matrix = value.clone().reshape([count, count])?;
    let zero = Value::zeros(value.dtype(), [])?;
    Ok(matrix_diag_part(memory, &matrix, Band::MAIN, &zero)?.reshape(first)?)
}
