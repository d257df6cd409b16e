use std::fmt;

use smallvec::SmallVec;

use crate::shape::{Shape, write_list};

/// The extent of one axis, which may be unknown.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dim(usize);

impl Dim {
    /// An extent that is not known before a run.
    pub const UNKNOWN: Dim = Dim(usize::MAX);

    /// The extent, if it is known.
    pub const fn known(self) -> Option<usize> {
        if self.0 == usize::MAX { None } else { Some(self.0) }
    }
}

impl From<usize> for Dim {
    fn from(extent: usize) -> Self {
        Dim(extent)
    }
}

impl From<Option<usize>> for Dim {
    fn from(extent: Option<usize>) -> Self {
        extent.map_or(Dim::UNKNOWN, Dim)
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some(extent) => extent.fmt(f),
            None => f.write_str("?"),
        }
    }
}

impl fmt::Debug for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A shape known before a run: the rank or some dimensions may be unknown.
///
/// `[2, 3].into()` is fully known; [`shape!`](crate::shape!) writes unknown axes as `?` and an
/// unknown rank as `..`. `[None, Some(3)]` and `[-1, 3]` say the same as `shape![?, 3]`. It prints
/// in the notation of [`shape!`](crate::shape!), except for an unknown rank, which prints as
/// `<unknown>`.
#[derive(PartialEq, Eq, Hash, Default)]
pub struct PartialShape(Option<SmallVec<[Dim; 4]>>);

// The derived `clone` would copy the dimensions one by one.
impl Clone for PartialShape {
    #[inline]
    fn clone(&self) -> Self {
        PartialShape(self.0.as_deref().map(SmallVec::from_slice))
    }
}

impl From<SmallVec<[Dim; 4]>> for PartialShape {
    fn from(dims: SmallVec<[Dim; 4]>) -> Self {
        PartialShape(Some(dims))
    }
}

impl PartialShape {
    /// The fully unknown shape.
    pub const fn unknown() -> Self {
        PartialShape(None)
    }

    /// The shape of a single number, `[]`.
    pub const fn scalar() -> Self {
        PartialShape(Some(SmallVec::new_const()))
    }

    /// A shape with only a known number of axes.
    pub fn of_rank(rank: usize) -> Self {
        PartialShape(Some(SmallVec::from_elem(Dim::UNKNOWN, rank)))
    }

    /// The extents, if the rank is known.
    pub fn dims(&self) -> Option<&[Dim]> {
        self.0.as_deref()
    }

    /// The number of axes, if known.
    pub fn rank(&self) -> Option<usize> {
        self.0.as_ref().map(SmallVec::len)
    }

    /// The shape, if all of it is known.
    pub fn known(&self) -> Option<Shape> {
        self.0.as_ref()?.iter().map(|dim| dim.known()).collect()
    }

    /// Whether the rank and every extent are known.
    pub fn is_known(&self) -> bool {
        self.0.as_ref().is_some_and(|dims| dims.iter().all(|dim| dim.known().is_some()))
    }

    /// The number of elements, if it is known and memory can address as many.
    pub fn elements(&self) -> Option<usize> {
        self.known()?.elements()
    }

    /// Whether a value of shape `shape` fits.
    pub fn admits(&self, shape: &[usize]) -> bool {
        let Some(dims) = &self.0 else { return true };
        dims.len() == shape.len()
            && dims.iter().zip(shape).all(|(dim, &extent)| dim.known().is_none_or(|d| d == extent))
    }

    /// The most specific shape that admits both shapes.
    pub fn relax(&self, other: &PartialShape) -> PartialShape {
        match (&self.0, &other.0) {
            (Some(left), Some(right)) if left.len() == right.len() => left
                .iter()
                .zip(right)
                .map(|(l, r)| if l == r { *l } else { Dim::UNKNOWN })
                .collect(),
            _ => PartialShape::unknown(),
        }
    }
}

impl FromIterator<Dim> for PartialShape {
    fn from_iter<I: IntoIterator<Item = Dim>>(dims: I) -> Self {
        collected(&mut dims.into_iter())
    }
}

/// Compiled once, not once for each iterator.
fn collected(dims: &mut dyn Iterator<Item = Dim>) -> PartialShape {
    PartialShape(Some(dims.collect()))
}

impl<const N: usize> From<[usize; N]> for PartialShape {
    fn from(dims: [usize; N]) -> Self {
        SmallVec::from_slice(&dims.map(Dim)).into()
    }
}

/// Implements conversions from arrays of at least one element, so that the type of `[]` stays clear.
macro_rules! partial_shape_from_array {
    ($($rank:literal)*) => {$(
        #[diagnostic::do_not_recommend]
        impl From<[Option<usize>; $rank]> for PartialShape {
            /// `None` is an extent that is not known.
            fn from(dims: [Option<usize>; $rank]) -> Self {
                dims.into_iter().map(Dim::from).collect()
            }
        }

        #[diagnostic::do_not_recommend]
        impl From<[i32; $rank]> for PartialShape {
            /// A negative number, such as TensorFlow's -1, is an extent that is not known.
            fn from(dims: [i32; $rank]) -> Self {
                dims.into_iter().map(|dim| Dim::from(usize::try_from(dim).ok())).collect()
            }
        }
    )*};
}

partial_shape_from_array!(1 2 3 4 5 6 7 8);

impl From<&[usize]> for PartialShape {
    fn from(dims: &[usize]) -> Self {
        dims.iter().copied().map(Dim).collect()
    }
}

impl From<Vec<usize>> for PartialShape {
    fn from(dims: Vec<usize>) -> Self {
        dims.into_iter().map(Dim).collect()
    }
}

impl From<&[Dim]> for PartialShape {
    fn from(dims: &[Dim]) -> Self {
        SmallVec::from_slice(dims).into()
    }
}

impl From<&Shape> for PartialShape {
    fn from(shape: &Shape) -> Self {
        PartialShape::from(&shape[..])
    }
}

impl From<Shape> for PartialShape {
    fn from(shape: Shape) -> Self {
        PartialShape::from(&shape)
    }
}

impl From<&PartialShape> for PartialShape {
    fn from(shape: &PartialShape) -> Self {
        shape.clone()
    }
}

impl fmt::Display for PartialShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(dims) => write_list(f, dims),
            None => f.write_str("<unknown>"),
        }
    }
}

impl fmt::Debug for PartialShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
