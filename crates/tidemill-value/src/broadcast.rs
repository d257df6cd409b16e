//! Shapes that broadcast, and shapes that agree.

use smallvec::SmallVec;

use crate::error::ValueError;
use crate::partial_shape::{Dim, PartialShape};
use crate::shape::Shape;

/// Two shapes that do not broadcast.
#[derive(Clone, PartialEq, thiserror::Error)]
#[error(
    "shapes {left} and {right} do not broadcast: counted from the last, axis -{axis} is \
     {left_dim} on the left and {right_dim} on the right, and neither is 1"
)]
pub struct BroadcastError {
    /// The left shape.
    pub left: PartialShape,
    /// The right shape.
    pub right: PartialShape,
    /// The position, counted from the last axis, which is 1, of the failing axis nearest to the
    /// end.
    pub axis: usize,
    /// The left extent of that axis.
    pub left_dim: usize,
    /// The right extent of that axis.
    pub right_dim: usize,
}

crate::debug_as_report!(BroadcastError);

/// The shape that two shapes broadcast to in an element-wise operation.
///
/// Axes are aligned from the last; an axis of extent 1 or a missing axis broadcasts to the other's
/// extent.
///
/// # Errors
/// [`BroadcastError`] if an axis has two extents, neither of them 1.
pub fn broadcast(left: &[usize], right: &[usize]) -> Result<Shape, BroadcastError> {
    let rank = left.len().max(right.len());
    let mut dims: SmallVec<[usize; 4]> = SmallVec::from_elem(1, rank);
    for axis in 1..=rank {
        let l = left.len().checked_sub(axis).map_or(1, |i| left[i]);
        let r = right.len().checked_sub(axis).map_or(1, |i| right[i]);
        dims[rank - axis] = match (l, r) {
            (1, dim) => dim,
            (dim, 1) => dim,
            (l, r) if l == r => l,
            (left_dim, right_dim) => {
                return Err(BroadcastError {
                    left: PartialShape::from(left),
                    right: PartialShape::from(right),
                    axis,
                    left_dim,
                    right_dim,
                });
            }
        };
    }
    Ok(dims.into())
}

impl Dim {
    /// The extent that both agree on.
    ///
    /// # Errors
    /// [`ValueError::IncompatibleDims`] if both are known and differ.
    pub fn merge(self, other: Dim) -> Result<Dim, ValueError> {
        match (self.known(), other.known()) {
            (Some(l), Some(r)) if l != r => {
                Err(ValueError::IncompatibleDims { left: self, right: other })
            }
            (None, _) => Ok(other),
            _ => Ok(self),
        }
    }
}

impl PartialShape {
    /// Combines what both shapes know, like TensorFlow's shape merge.
    ///
    /// # Errors
    /// [`ValueError::Incompatible`] if they differ in rank or in a known extent.
    pub fn merge(&self, other: &PartialShape) -> Result<PartialShape, ValueError> {
        let (Some(left), Some(right)) = (self.dims(), other.dims()) else {
            return Ok(if self.dims().is_none() { other.clone() } else { self.clone() });
        };
        let merged: Option<SmallVec<[Dim; 4]>> = (left.len() == right.len())
            .then(|| left.iter().zip(right).map(|(l, r)| l.merge(*r).ok()).collect())
            .flatten();
        merged
            .map(PartialShape::from)
            .ok_or_else(|| ValueError::Incompatible { left: self.clone(), right: other.clone() })
    }

    /// The shape that two partly known shapes broadcast to (see [`broadcast`](crate::broadcast)).
    ///
    /// An unknown extent paired with one above 1 must be that extent or 1, so the result is known.
    ///
    /// # Errors
    /// [`BroadcastError`] if an axis has two known extents, neither of them 1.
    pub fn broadcast(&self, other: &PartialShape) -> Result<PartialShape, BroadcastError> {
        let (Some(left), Some(right)) = (self.dims(), other.dims()) else {
            return Ok(PartialShape::unknown());
        };
        let rank = left.len().max(right.len());
        let mut dims: SmallVec<[Dim; 4]> = SmallVec::from_elem(Dim::UNKNOWN, rank);
        for axis in 1..=rank {
            let l = left.len().checked_sub(axis).map_or(Dim::from(1), |i| left[i]);
            let r = right.len().checked_sub(axis).map_or(Dim::from(1), |i| right[i]);
            dims[rank - axis] = match (l.known(), r.known()) {
                (Some(1), _) => r,
                (_, Some(1)) => l,
                (Some(left_dim), Some(right_dim)) if left_dim != right_dim => {
                    return Err(BroadcastError {
                        left: self.clone(),
                        right: other.clone(),
                        axis,
                        left_dim,
                        right_dim,
                    });
                }
                (Some(_), _) => l,
                (None, _) => r,
            };
        }
        Ok(dims.into())
    }
}
