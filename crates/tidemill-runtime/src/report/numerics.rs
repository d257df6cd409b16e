//! Finds the source of NaN and infinity.

use std::fmt;

use tidemill_value::{Element, Value, match_dtype};

/// The first node of a run that produced NaN or infinity, and its inputs.
#[derive(Clone, Debug)]
pub struct NonFinite<N> {
    /// The node.
    pub node: N,
    /// The number of the output.
    pub output: usize,
    /// The values in that output.
    pub values: ValueRange,
    /// The values in its inputs; `None` for inputs that are not floats.
    pub inputs: Vec<Option<ValueRange>>,
}

/// A summary of the elements of a float tensor.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ValueRange {
    /// The smallest and the largest finite element, if there are any.
    pub finite: Option<(f64, f64)>,
    /// The number of NaN elements.
    pub nan: usize,
    /// The number of infinite elements.
    pub infinite: usize,
    /// The number of elements.
    pub elements: usize,
}

impl ValueRange {
    /// Summarizes the elements of a value, if they are floats.
    pub fn of(value: &Value) -> Option<ValueRange> {
        match_dtype!(value.dtype(), floats, T => Some(ValueRange::of_slice::<T>(value)?), else None)
    }

    fn of_slice<T: Element + Copy + Into<f64>>(value: &Value) -> Option<ValueRange> {
        let elements = value.as_slice::<T>().ok()?;
        let mut range = ValueRange { elements: elements.len(), ..ValueRange::default() };
        for x in elements.iter().map(|&x| x.into()) {
            if x.is_nan() {
                range.nan += 1;
            } else if x.is_infinite() {
                range.infinite += 1;
            } else {
                let (least, greatest) = range.finite.unwrap_or((x, x));
                range.finite = Some((least.min(x), greatest.max(x)));
            }
        }
        Some(range)
    }

    /// Whether all elements are finite.
    pub fn is_finite(&self) -> bool {
        self.nan == 0 && self.infinite == 0
    }
}

impl fmt::Display for ValueRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.nan > 0 {
            parts.push(format!("{} NaN", self.nan));
        }
        if self.infinite > 0 {
            parts.push(format!("{} infinite", self.infinite));
        }
        match self.finite {
            Some((least, greatest)) if least == greatest => parts.push(format!("{least}")),
            Some((least, greatest)) => parts.push(format!("{least} to {greatest}")),
            None => {}
        }
        match (self.elements, parts.is_empty()) {
            (_, true) => f.write_str("no elements"),
            (1, _) => f.write_str(&parts.join(", ")),
            (count, _) => write!(f, "{} among {count} elements", parts.join(", ")),
        }
    }
}
