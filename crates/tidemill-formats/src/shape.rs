use tidemill_value::{Dim, PartialShape, Shape};

use crate::proto::{self, TensorShapeProto};

/// TensorFlow's limit on the number of axes.
const MAX_RANK: usize = 254;

/// The error of an invalid shape in a message.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// An extent is negative and does not mean "unknown".
    #[error("a shape has an axis of extent {size}")]
    Negative {
        /// The extent.
        size: i64,
    },
    /// There are too many axes.
    #[error("a shape has {rank} axes, but the limit is {MAX_RANK}")]
    Rank {
        /// The number of axes.
        rank: usize,
    },
    /// The product of the extents is more than memory can address.
    #[error("a shape has more elements than memory can hold")]
    TooLarge,
    /// The shape must be known, but is not.
    #[error("the shape of a tensor is not known")]
    Unknown,
}

tidemill_value::debug_as_report!(ShapeError);

impl TensorShapeProto {
    /// The shape; dimensions may be unknown.
    ///
    /// # Errors
    /// [`ShapeError`] if the shape is invalid.
    pub fn partial_shape(&self) -> Result<PartialShape, ShapeError> {
        if self.unknown_rank {
            return Ok(PartialShape::unknown());
        }
        let rank = self.dim.len();
        if rank > MAX_RANK {
            return Err(ShapeError::Rank { rank });
        }
        let extent = |dim: &proto::Dim| match dim.size {
            -1 => Ok(Dim::UNKNOWN),
            size => usize::try_from(size).map(Dim::from).map_err(|_| ShapeError::Negative { size }),
        };
        let shape: PartialShape = self.dim.iter().map(extent).collect::<Result<_, _>>()?;
        let known = shape.dims().unwrap_or_default().iter().filter_map(|dim| dim.known());
        match known.collect::<Shape>().elements() {
            Some(_) => Ok(shape),
            None => Err(ShapeError::TooLarge),
        }
    }

    /// The shape, fully known.
    ///
    /// # Errors
    /// [`ShapeError`] if it is not known, or no tensor can have it.
    pub fn shape(&self) -> Result<Shape, ShapeError> {
        self.partial_shape()?.known().ok_or(ShapeError::Unknown)
    }
}

impl From<&PartialShape> for TensorShapeProto {
    fn from(shape: &PartialShape) -> Self {
        let size = |dim: &Dim| dim.known().map_or(-1, |extent| extent as i64);
        let dim = |dim: &Dim| proto::Dim { size: size(dim), name: String::new() };
        TensorShapeProto {
            dim: shape.dims().unwrap_or_default().iter().map(dim).collect(),
            unknown_rank: shape.dims().is_none(),
        }
    }
}

impl From<&Shape> for TensorShapeProto {
    fn from(shape: &Shape) -> Self {
        TensorShapeProto::from(&PartialShape::from(shape))
    }
}

#[cfg(test)]
mod tests {
    use tidemill_value::shape;

    use super::*;

    fn proto(sizes: &[i64]) -> TensorShapeProto {
        let dim = |&size: &i64| proto::Dim { size, name: String::new() };
        TensorShapeProto { dim: sizes.iter().map(dim).collect(), unknown_rank: false }
    }

    #[test]
    fn minus_one_is_an_unknown_extent_and_nothing_else_below_zero_is() {
        assert_eq!(proto(&[-1, 3, 0]).partial_shape(), Ok(shape![?, 3, 0]));
        assert_eq!(proto(&[-5]).partial_shape(), Err(ShapeError::Negative { size: -5 }));
        assert_eq!(proto(&[-1, 3]).shape(), Err(ShapeError::Unknown));
    }

    #[test]
    fn shapes_of_too_many_elements_or_axes_are_refused() {
        assert_eq!(proto(&[1 << 40, -1, 1 << 40]).partial_shape(), Err(ShapeError::TooLarge));
        assert_eq!(proto(&[1; 254]).shape().map(|shape| shape.rank()), Ok(254));
        assert_eq!(proto(&[1; 255]).shape(), Err(ShapeError::Rank { rank: 255 }));
    }

    #[test]
    fn shapes_read_back() {
        for shape in [shape![], shape![..], shape![?, 2, 0]] {
            assert_eq!(TensorShapeProto::from(&shape).partial_shape(), Ok(shape));
        }
    }
}
