use std::fmt;
use std::ops::Deref;

use smallvec::SmallVec;

/// The extents of a value along its axes. `[]` is the shape of a single number.
#[derive(Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape(SmallVec<[usize; 4]>);

impl Shape {
    /// The shape of a single number, `[]`.
    pub const fn scalar() -> Self {
        Shape(SmallVec::new_const())
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of elements, or `None` if memory cannot address that many.
    pub fn elements(&self) -> Option<usize> {
        if self.0.contains(&0) {
            return Some(0);
        }
        let count = self.0.iter().try_fold(1usize, |count, &dim| count.checked_mul(dim))?;
        (count <= isize::MAX as usize).then_some(count)
    }

    /// The distance in elements between neighbors along each axis, in row-major order.
    ///
    /// For a shape without elements, all strides are zero.
    pub fn strides(&self) -> SmallVec<[usize; 4]> {
        let mut strides = SmallVec::from_elem(0, self.rank());
        if self.elements().is_none_or(|count| count == 0) {
            return strides;
        }
        let mut step = 1;
        for (stride, dim) in strides.iter_mut().zip(&self.0).rev() {
            *stride = step;
            step *= dim;
        }
        strides
    }

    /// Appends an axis.
    pub fn push(&mut self, dim: usize) {
        self.0.push(dim);
    }
}

// The derived `clone` would copy the extents one by one.
impl Clone for Shape {
    #[inline]
    fn clone(&self) -> Self {
        Shape(SmallVec::from_slice(&self.0))
    }
}

impl From<SmallVec<[usize; 4]>> for Shape {
    fn from(dims: SmallVec<[usize; 4]>) -> Self {
        Shape(dims)
    }
}

impl Deref for Shape {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        Shape(SmallVec::from_slice(dims))
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        Shape(SmallVec::from_slice(&dims))
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        Shape(SmallVec::from_vec(dims))
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(dims: I) -> Self {
        collected(&mut dims.into_iter())
    }
}

/// Compiled once, not once for each iterator.
fn collected(dims: &mut dyn Iterator<Item = usize>) -> Shape {
    Shape(dims.collect())
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, &self.0)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, &self.0)
    }
}

pub(crate) fn write_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    f.write_str("[")?;
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{item}")?;
    }
    f.write_str("]")
}
