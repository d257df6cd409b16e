//! Convolutions with channels along the last axis, and their gradients.
//!
//! The windows of an input are the rows of a matrix that is multiplied by the filter. The matrix is not
//! made: the loops of the product read the windows where they lie. Where each filter takes a single
//! channel, vectors go along the channels instead.

mod dense;
mod depthwise;
mod depthwise_gradient;
mod filter;
mod filter_gradient;
mod micro;
mod pass;
mod scatter;
mod strip;

use tidemill_value::{DType, Memory, Shape, Value, match_dtype};

use crate::NumericError;
use crate::number::Number;
use crate::output::{build, expect_shape, volume};
use crate::window::{Slide, Window};

/// The most axes that a filter moves along.
const SPACE: usize = 3;

/// `match_dtype!` for the types that TensorFlow convolves.
macro_rules! match_element {
    ($dtype:expr, $T:ident => $body:expr, else $other:expr) => {
        match_dtype!(@ $dtype, $T, $body, $other, F32 f32, F64 f64, I32 i32)
    };
}

/// The convolution of an input of shape `[batch, space.., channels]` and a filter. How it is
/// computed depends on it and on the data type alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Convolution {
    input: Shape,
    filter: Shape,
    output: Shape,
    batch: usize,
    windows: [Window; SPACE],
    channels: usize,
    groups: usize,
    filters: usize,
}

impl Convolution {
    /// Filters of shape `[space.., channels of a group, filters]`. If the input has more channels
    /// than a filter takes, they are cut into groups, each with its share of the filters.
    ///
    /// # Errors
    /// [`NumericError::Rank`] if the shapes do not have the axes that the slides call for,
    /// [`NumericError::Channels`] if groups do not divide the channels and filters,
    /// [`NumericError::Window`] if a filter cannot move.
    pub fn new(input: &[usize], filter: &[usize], slides: &[Slide]) -> Result<Self, NumericError> {
        let (taken, filters) = Self::check(input, filter, slides)?;
        let channels = input[input.len() - 1];
        let error = NumericError::Channels { channels, taken, filters };
        let groups = match channels.checked_rem(taken) {
            Some(0) => channels / taken,
            _ => return Err(error),
        };
        if groups == 0 || filters % groups != 0 {
            return Err(error);
        }
        Self::grouped(input, filter, slides, groups, filters)
    }

    /// Filters of shape `[space.., channels, multiplier]`: each channel has `multiplier` filters,
    /// which take that channel alone.
    ///
    /// # Errors
    /// As [`Convolution::new`].
    pub fn depthwise(
        input: &[usize],
        filter: &[usize],
        slides: &[Slide],
    ) -> Result<Self, NumericError> {
        let (taken, multiplier) = Self::check(input, filter, slides)?;
        let channels = input[input.len() - 1];
        let filters = channels.saturating_mul(multiplier);
        if channels == 0 || taken != channels {
            return Err(NumericError::Channels { channels, taken, filters });
        }
        Self::grouped(input, filter, slides, channels, filters)
    }

    /// The last two extents of the filter.
    fn check(
        input: &[usize],
        filter: &[usize],
        slides: &[Slide],
    ) -> Result<(usize, usize), NumericError> {
        let expected = slides.len().clamp(1, SPACE) + 2;
        for actual in [input.len(), filter.len(), slides.len() + 2] {
            if actual != expected {
                return Err(NumericError::Rank { expected, actual });
            }
        }
        Ok((filter[expected - 2], filter[expected - 1]))
    }

    fn grouped(
        input: &[usize],
        filter: &[usize],
        slides: &[Slide],
        groups: usize,
        filters: usize,
    ) -> Result<Self, NumericError> {
        let mut windows = [Slide::UNIT.window(1, 1)?; SPACE];
        let (batch, channels) = (input[0], input[input.len() - 1]);
        // A window over fewer axes does not move along the first of the three.
        let moving = &mut windows[SPACE - slides.len()..];
        for (i, (window, slide)) in moving.iter_mut().zip(slides).enumerate() {
            *window = slide.window(input[1 + i], filter[i])?;
        }
        let space = moving.iter().map(Window::output);
        let output = [batch].into_iter().chain(space).chain([filters]).collect();
        let (input, filter) = (input.into(), filter.into());
        Ok(Convolution { input, filter, output, batch, windows, channels, groups, filters })
    }

    /// The shape of the result.
    pub fn output(&self) -> &Shape {
        &self.output
    }

    /// Computes the result.
    ///
    /// Like all functions here: [`NumericError::Shape`] where an operand does not have the planned
    /// shape, [`NumericError::Value`] where the types differ or memory cannot hold the result,
    /// [`NumericError::UnsupportedDType`] where the elements are neither floats nor `int32`.
    pub fn forward(
        &self,
        memory: &Memory,
        input: &Value,
        filter: &Value,
    ) -> Result<Value, NumericError> {
        expect_shape(input, &self.input)?;
        expect_shape(filter, &self.filter)?;
        let dtype = input.dtype();
        match_element!(dtype, T => {
            let (input, filter) = (input.as_slice::<T>()?, filter.as_slice::<T>()?);
            build(memory, self.output.clone(), |out| match self.is_depthwise() {
                _ if out.is_empty() => Ok(()),
                true => {
                    self.forward_depthwise(input, filter, out);
                    Ok(())
                }
                false => self.forward_dense(memory, input, filter, out),
            })
        }, else unsupported(dtype))
    }

    /// The gradient of the input: the gradient of the result, convolved back.
    ///
    /// # Errors
    /// As [`Convolution::forward`].
    pub fn input_gradient(
        &self,
        memory: &Memory,
        filter: &Value,
        grad: &Value,
    ) -> Result<Value, NumericError> {
        expect_shape(filter, &self.filter)?;
        expect_shape(grad, &self.output)?;
        let dtype = grad.dtype();
        match_element!(dtype, T => {
            let (filter, grad) = (filter.as_slice::<T>()?, grad.as_slice::<T>()?);
            build(memory, self.input.clone(), |out| match self.is_depthwise() {
                _ if out.is_empty() || grad.is_empty() => {
                    out.fill(T::ZERO);
                    Ok(())
                }
                true => {
                    self.input_gradient_depthwise(filter, grad, out);
                    Ok(())
                }
                false => self.input_gradient_dense(memory, filter, grad, out),
            })
        }, else unsupported(dtype))
    }

    /// The gradient of the filter: the sum of the products for each of its elements.
    ///
    /// # Errors
    /// As [`Convolution::forward`].
    pub fn filter_gradient(
        &self,
        memory: &Memory,
        input: &Value,
        grad: &Value,
    ) -> Result<Value, NumericError> {
        expect_shape(input, &self.input)?;
        expect_shape(grad, &self.output)?;
        let dtype = input.dtype();
        match_element!(dtype, T => {
            let (input, grad) = (input.as_slice::<T>()?, grad.as_slice::<T>()?);
            build(memory, self.filter.clone(), |out| match self.is_depthwise() {
                _ if out.is_empty() || input.is_empty() || grad.is_empty() => {
                    out.fill(T::ZERO);
                    Ok(())
                }
                true => self.filter_gradient_depthwise(memory, input, grad, out),
                false => self.filter_gradient_dense(memory, input, grad, out),
            })
        }, else unsupported(dtype))
    }

    /// The number of windows in one image.
    fn image_pixels(&self) -> usize {
        volume(&self.windows.map(|window| window.output()))
    }

    /// The number of windows.
    fn pixels(&self) -> usize {
        self.batch.saturating_mul(self.image_pixels())
    }

    /// The number of elements in one image of the input.
    fn image_volume(&self) -> usize {
        volume(&self.windows.map(|window| window.input())).saturating_mul(self.channels)
    }

    /// The number of elements of a window in one channel.
    fn taps(&self) -> usize {
        volume(&self.windows.map(|window| window.filter()))
    }

    /// The number of elements of a window in one group of channels.
    fn patch(&self) -> usize {
        self.taps() * (self.channels / self.groups)
    }
}

/// Adds one list to another, element by element.
fn add_to<T: Number>(out: &mut [T], terms: &[T]) {
    for (o, &x) in out.iter_mut().zip(terms) {
        *o = o.plus(x);
    }
}

fn unsupported(dtype: DType) -> Result<Value, NumericError> {
    Err(NumericError::UnsupportedDType { dtype })
}
