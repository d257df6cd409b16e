use tidemill_value::{DType, Value};

use crate::NumericError;

/// Indices of parts that are known to exist, as `int32` or `int64`.
#[derive(Clone, Copy)]
pub(crate) enum Indices<'a> {
    I32(&'a [i32]),
    I64(&'a [i64]),
}

impl<'a> Indices<'a> {
    /// The elements of a value, not checked yet.
    fn of(value: &'a Value) -> Result<Self, NumericError> {
        match value.dtype() {
            DType::I32 => Ok(Indices::I32(value.as_slice()?)),
            DType::I64 => Ok(Indices::I64(value.as_slice()?)),
            dtype => Err(NumericError::UnsupportedDType { dtype }),
        }
    }

    /// Indices that are each below `extent`.
    ///
    /// # Errors
    /// [`NumericError::IndexOutOfRange`] if one is not, or is negative,
    /// [`NumericError::UnsupportedDType`] if they are of another type.
    pub(crate) fn below(value: &'a Value, extent: usize) -> Result<Self, NumericError> {
        Indices::below_each(value, &[extent])
    }

    /// Rows of indices, each below the extent at its place.
    ///
    /// # Errors
    /// As for [`Indices::below`].
    pub(crate) fn below_each(value: &'a Value, extents: &[usize]) -> Result<Self, NumericError> {
        let indices = Indices::of(value)?;
        indices.check(|index, axis| index.is_some_and(|index| index < extents[axis]), extents)?;
        Ok(indices)
    }

    /// Indices that are each below `extent`, or negative.
    ///
    /// # Errors
    /// As for [`Indices::below`].
    pub(crate) fn below_or_negative(value: &'a Value, extent: usize) -> Result<Self, NumericError> {
        let indices = Indices::of(value)?;
        indices.check(|index, _| index.is_none_or(|index| index < extent), &[extent])?;
        Ok(indices)
    }

    /// Calls `admits` with each index and its place in its row; a negative one is `None`.
    fn check(
        self,
        admits: impl Fn(Option<usize>, usize) -> bool,
        extents: &[usize],
    ) -> Result<(), NumericError> {
        // A remainder would take longer than the rest of the check.
        let axes = (0..extents.len()).cycle();
        for (position, axis) in (0..self.len()).zip(axes) {
            let index = self.signed(position);
            if !admits(usize::try_from(index).ok(), axis) {
                let extent = extents[axis];
                return Err(NumericError::IndexOutOfRange { index, position, extent });
            }
        }
        Ok(())
    }

    pub(crate) fn len(self) -> usize {
        match self {
            Indices::I32(indices) => indices.len(),
            Indices::I64(indices) => indices.len(),
        }
    }

    #[inline]
    fn signed(self, position: usize) -> i64 {
        match self {
            Indices::I32(indices) => indices[position].into(),
            Indices::I64(indices) => indices[position],
        }
    }

    #[inline]
    pub(crate) fn get(self, position: usize) -> usize {
        self.signed(position) as usize
    }

    /// An index; `None` if it is negative.
    #[inline]
    pub(crate) fn get_signed(self, position: usize) -> Option<usize> {
        usize::try_from(self.signed(position)).ok()
    }

    /// `count` of the indices, from position `start` on.
    pub(crate) fn part(self, start: usize, count: usize) -> Self {
        match self {
            Indices::I32(indices) => Indices::I32(&indices[start..start + count]),
            Indices::I64(indices) => Indices::I64(&indices[start..start + count]),
        }
    }

    pub(crate) fn iter(self) -> impl ExactSizeIterator<Item = usize> + 'a {
        (0..self.len()).map(move |position| self.get(position))
    }

    /// The indices; `None` for negative ones.
    pub(crate) fn iter_signed(self) -> impl ExactSizeIterator<Item = Option<usize>> + 'a {
        (0..self.len()).map(move |position| self.get_signed(position))
    }
}
