use std::fmt;

use crate::dtype::DType;
use crate::model::{Element, Value};

/// Above this many elements, or along a longer axis, only the first and last are printed.
const PRINT_ALL: usize = 1000;
/// The number of elements at either end of an abbreviated axis.
const EDGE: usize = 3;

impl fmt::Display for Value {
    /// The elements as a nested list, `[[1.0, 2.0], [3.0, 4.0]]`; long axes are abbreviated.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match_dtype!(self.dtype(), any, T => {
            let elements = self.as_slice::<T>().unwrap_or_default();
            write_axis(f, self.shape(), elements, elements.len() > PRINT_ALL)
        })
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({}{}: {self})", self.dtype(), self.shape())
    }
}

fn write_axis<T: Element>(
    f: &mut fmt::Formatter<'_>,
    shape: &[usize],
    elements: &[T],
    abbreviate: bool,
) -> fmt::Result {
    let Some((&extent, inner)) = shape.split_first() else {
        return elements.first().map_or(Ok(()), |element| write_element(f, element));
    };
    let stride = elements.len().checked_div(extent).unwrap_or(0);
    let hidden = if extent > 2 * EDGE && (abbreviate || extent > PRINT_ALL) {
        EDGE..extent - EDGE
    } else {
        extent..extent
    };
    f.write_str("[")?;
    for i in (0..hidden.start).chain(hidden.end..extent) {
        if i > 0 {
            f.write_str(", ")?;
        }
        if i > 0 && i == hidden.end {
            f.write_str("..., ")?;
        }
        write_axis(f, inner, &elements[i * stride..(i + 1) * stride], abbreviate)?;
    }
    f.write_str("]")
}

fn write_element<T: Element>(f: &mut fmt::Formatter<'_>, element: &T) -> fmt::Result {
    match element.clone().into_scalar() {
        Some(scalar) => write!(f, "{scalar}"),
        None if T::DTYPE == DType::Variant => write!(f, "{element}"),
        None => write!(f, "{:?}", element.to_string()),
    }
}
