use ndarray::{ArrayBase, Data, Dimension};

use bstr::BString as ByteString;
use half::{bf16, f16};

use crate::copied::{self, copy};
use crate::error::ValueError;
use crate::model::{Element, Value};
use crate::shape::Shape;

/// Rust data that can be laid out as the elements of an n-dimensional value: numbers, strings, and
/// arrays, slices and vectors of them to any depth.
pub trait Nested: Sized {
    /// The type of the elements at the bottom.
    type Element: Element;

    /// Joins `parts`, which must have equal shapes. Returns the shape of one part and the elements of
    /// all parts in row-major order. If `parts` is empty, axes that come from vectors and slices get
    /// extent 0.
    ///
    /// # Errors
    /// [`ValueError::Ragged`] if the parts differ in shape.
    fn concat(parts: Vec<Self>) -> Result<(Shape, Vec<Self::Element>), ValueError>;

    /// The value of these elements.
    ///
    /// # Errors
    /// [`ValueError::Ragged`] if lists within it differ in shape.
    fn into_value(self) -> Result<Value, ValueError> {
        let (shape, elements) = Self::concat(vec![self])?;
        Value::from_vec(shape, elements)
    }
}

macro_rules! nested_element {
    ($($rust:ty),*) => {$(
        impl Nested for $rust {
            type Element = $rust;

            fn concat(parts: Vec<Self>) -> Result<(Shape, Vec<Self>), ValueError> {
                Ok((Shape::scalar(), parts))
            }

            #[inline]
            fn into_value(self) -> Result<Value, ValueError> {
                Ok(Value::scalar(self))
            }
        }
    )*};
}

nested_element!(f32, f64, f16, bf16, i8, i16, i32, i64, u8, u16, u32, u64, bool, ByteString);

macro_rules! nested_string {
    ($($rust:ty),*) => {$(
        impl Nested for $rust {
            type Element = ByteString;

            fn concat(parts: Vec<Self>) -> Result<(Shape, Vec<ByteString>), ValueError> {
                Ok((Shape::scalar(), parts.into_iter().map(ByteString::from).collect()))
            }
        }
    )*};
}

nested_string!(&str, String);

/// Joins lists of equal length and equal inner shape. If there are none, `length` is assumed.
fn concat_lists<N: Nested>(
    lists: Vec<Vec<N>>,
    length: usize,
) -> Result<(Shape, Vec<N::Element>), ValueError> {
    let length = lists.first().map_or(length, Vec::len);
    let mut flat = Vec::new();
    for list in lists {
        if list.len() != length {
            let (first, other) = ([length].into(), [list.len()].into());
            return Err(ValueError::Ragged { first, other });
        }
        if flat.is_empty() {
            flat = list;
        } else {
            copied::count(&list);
            flat.extend(list);
        }
    }
    let (inner, elements) = N::concat(flat)?;
    let shape = std::iter::once(length).chain(inner.iter().copied()).collect();
    Ok((shape, elements))
}

impl<N: Nested> Nested for Vec<N> {
    type Element = N::Element;

    fn concat(parts: Vec<Self>) -> Result<(Shape, Vec<N::Element>), ValueError> {
        concat_lists(parts, 0)
    }
}

impl<N: Nested, const LEN: usize> Nested for [N; LEN] {
    type Element = N::Element;

    fn concat(parts: Vec<Self>) -> Result<(Shape, Vec<N::Element>), ValueError> {
        concat_lists(parts.into_iter().map(Vec::from).collect(), LEN)
    }
}

impl<N: Nested + Clone> Nested for &[N] {
    type Element = N::Element;

    fn concat(parts: Vec<Self>) -> Result<(Shape, Vec<N::Element>), ValueError> {
        concat_lists(parts.into_iter().map(copy).collect(), 0)
    }
}

impl<N: Nested + Clone> Nested for &Vec<N> {
    type Element = N::Element;

    fn concat(parts: Vec<Self>) -> Result<(Shape, Vec<N::Element>), ValueError> {
        concat_lists(parts.into_iter().map(|part| copy(part)).collect(), 0)
    }
}

impl<N: Nested + Clone, const LEN: usize> Nested for &[N; LEN] {
    type Element = N::Element;

    fn concat(parts: Vec<Self>) -> Result<(Shape, Vec<N::Element>), ValueError> {
        concat_lists(parts.into_iter().map(|part| copy(part)).collect(), LEN)
    }
}

/// The shape and elements of an `ndarray` array; owned ones in row-major order move without a
/// copy.
pub(crate) fn from_array<S, D>(array: ArrayBase<S, D>) -> (Shape, Vec<S::Elem>)
where
    S: Data<Elem: Element>,
    D: Dimension,
{
    let shape = Shape::from(array.shape());
    if array.is_standard_layout() {
        let (count, borrowed) = (array.len(), array.as_ptr());
        let (elements, offset) = array.into_owned().into_raw_vec_and_offset();
        let start = offset.unwrap_or(0);
        if start == 0 && elements.len() == count {
            if !std::ptr::eq(borrowed, elements.as_ptr()) {
                copied::count(&elements);
            }
            return (shape, elements);
        }
        return (shape, copy(&elements[start..start + count]));
    }
    let elements: Vec<_> = array.iter().cloned().collect();
    copied::count(&elements);
    (shape, elements)
}
