//! Windows that move along the axes of a value, as filters and pools do.

use std::ops::Range;

use tidemill_value::{Dim, NumericError};

/// The padding around the input of a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Padding {
    /// Enough to make the output as long as the input, divided by the stride; an odd element goes
    /// after the input.
    Same,
    /// Nothing.
    Valid,
    /// This many elements before and after.
    Explicit(usize, usize),
}

/// The movement of a window along an axis, whatever its extent and that of the input are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slide {
    /// The distance from one window to the next.
    pub stride: usize,
    /// The distance from one element of a window to the next.
    pub dilation: usize,
    /// The padding of the input.
    pub padding: Padding,
}

impl Slide {
    /// A window that moves by 1 over nothing but the input.
    pub const UNIT: Slide = Slide { stride: 1, dilation: 1, padding: Padding::Valid };

    /// The windows of `filter` elements on an axis of `input`. If the filter is longer than the
    /// padded axis, there are none.
    ///
    /// # Errors
    /// [`NumericError::Window`] if the filter, the stride or the dilation is 0, or if the padded
    /// axis or the dilated filter is longer than memory can be.
    pub fn window(self, input: usize, filter: usize) -> Result<Window, NumericError> {
        let Slide { stride, dilation, .. } = self;
        let error = NumericError::Window { input, filter, stride, dilation };
        self.checked_window(input, filter).ok_or(error)
    }

    fn checked_window(self, input: usize, filter: usize) -> Option<Window> {
        let Slide { stride, dilation, padding } = self;
        if stride == 0 || dilation == 0 {
            return None;
        }
        let span = filter.checked_sub(1)?.checked_mul(dilation)?.checked_add(1)?;
        let (before, after) = match padding {
            Padding::Valid => (0, 0),
            Padding::Explicit(before, after) => (before, after),
            Padding::Same => {
                let last = input.div_ceil(stride).saturating_sub(1).checked_mul(stride)?;
                let around = last.checked_add(span)?.saturating_sub(input);
                (around / 2, around - around / 2)
            }
        };
        let padded = before.checked_add(input)?.checked_add(after)?;
        if padded.max(span) > isize::MAX as usize {
            return None;
        }
        let output = match padding {
            Padding::Same => input.div_ceil(stride),
            _ => padded.checked_sub(span).map_or(0, |free| free / stride + 1),
        };
        Some(Window { input, filter, stride, dilation, before, after, output })
    }

    /// The number of windows, as far as it follows from what is known.
    ///
    /// # Errors
    /// As [`Slide::window`].
    pub fn output(self, input: Dim, filter: Dim) -> Result<Dim, NumericError> {
        let filter = match (filter.known(), self.padding) {
            (Some(filter), _) => filter,
            // The number does not depend on the filter.
            (None, Padding::Same) => 1,
            (None, _) => return Ok(Dim::UNKNOWN),
        };
        let window = self.window(input.known().unwrap_or(filter), filter)?;
        Ok(input.known().map_or(Dim::UNKNOWN, |_| window.output.into()))
    }
}

/// The windows on an axis. Their number, and that all lie on the padded axis, has been checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    input: usize,
    filter: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    after: usize,
    output: usize,
}

impl Window {
    /// The extent of the input.
    pub fn input(&self) -> usize {
        self.input
    }

    /// The number of elements of a window.
    pub fn filter(&self) -> usize {
        self.filter
    }

    /// The distance from one window to the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The distance from one element of a window to the next.
    pub fn dilation(&self) -> usize {
        self.dilation
    }

    /// The padding before and after the input.
    pub fn padding(&self) -> (usize, usize) {
        (self.before, self.after)
    }

    /// The number of windows.
    pub fn output(&self) -> usize {
        self.output
    }

    /// The elements of window `window` that lie on the input, not on the padding.
    #[inline]
    pub fn taps(&self, window: usize) -> Range<usize> {
        let start = window * self.stride;
        // Division takes longer than all the rest.
        let steps = |distance: usize| match self.dilation {
            1 => distance,
            dilation => distance.div_ceil(dilation),
        };
        let first = steps(self.before.saturating_sub(start));
        let end = steps((self.before + self.input).saturating_sub(start)).min(self.filter);
        first.min(end)..end
    }

    /// The position on the input of element `tap` of window `window`, one of its
    /// [`taps`](Window::taps).
    #[inline]
    pub fn position(&self, window: usize, tap: usize) -> usize {
        window * self.stride + tap * self.dilation - self.before
    }

    /// Whether each window is one element of the input, in order.
    pub fn is_identity(&self) -> bool {
        self.filter == 1 && self.stride == 1 && self.before == 0 && self.after == 0
    }
}
