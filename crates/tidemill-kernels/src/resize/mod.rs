//! Images of shape `[batch, height, width, channels]` at other sizes.

use tidemill_value::{DType, Memory, Shape, Value, match_dtype};

/// Evaluates an expression with a function that reads pixels as `f32`. The expression is compiled
/// twice: for `f32`, the usual type, and for all other types, through a pointer.
macro_rules! with_pixels {
    ($images:expr, $pixels:ident => $body:expr) => {
        if let Ok(pixels) = $images.as_slice::<f32>() {
            let $pixels = |i: usize| pixels[i];
            $body
        } else {
            let $pixels = $crate::resize::read_as_f32($images)?;
            $body
        }
    };
}

mod crop;
mod cubic;

pub use crop::{Boxes, Method, crop, crop_grad_boxes, crop_grad_images};
pub use cubic::{bicubic, bicubic_grad};

use crate::NumericError;
use crate::float::Float;
use crate::number::Number;
use crate::output::{build, build_zeroed};

/// The alignment of an image with its resized version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Align {
    /// Their first corners meet.
    Origin,
    /// The centers of their corner pixels meet.
    Corners,
    /// Their edges meet: a pixel is at its center.
    HalfPixels,
}

/// The nearest pixels of `images`. TensorFlow's `ResizeNearestNeighbor`.
///
/// # Errors
/// [`NumericError::Rank`] if `images` does not have 4 axes, [`NumericError::EmptyAxis`] if there is
/// no pixel, [`NumericError::UnsupportedDType`] if the elements are not numbers.
pub fn nearest(
    memory: &Memory,
    images: &Value,
    size: [usize; 2],
    align: Align,
) -> Result<Value, NumericError> {
    let grid = Grid::new(memory, images.shape(), size, |extent, count| {
        nearest_taps(extent, count, align)
    })?;
    match_dtype!(images.dtype(), wide, T => {
        let pixels = images.as_slice::<T>()?;
        build(memory, grid.resized.clone(), |out: &mut [T]| {
            grid.for_each(&mut |at, [[pixel]], _| {
                out[at..at + grid.depth].copy_from_slice(&pixels[pixel..pixel + grid.depth]);
            });
            Ok(())
        })
    }, else unsupported(images.dtype()))
}

/// The gradient of [`nearest`]: the sums of the incoming gradients for each pixel of images of
/// `size`.
/// TensorFlow's `ResizeNearestNeighborGrad`.
///
/// # Errors
/// As for [`nearest`].
pub fn nearest_grad(
    memory: &Memory,
    grad: &Value,
    size: [usize; 2],
    align: Align,
) -> Result<Value, NumericError> {
    let (images, resized) = original(grad.shape(), size)?;
    let grid =
        Grid::new(memory, &images, resized, |extent, count| nearest_taps(extent, count, align))?;
    match_dtype!(grad.dtype(), wide, T => {
        let grads = grad.as_slice::<T>()?;
        build_zeroed(memory, images.clone(), |out: &mut [T]| {
            grid.for_each(&mut |at, [[pixel]], _| {
                let sums = out[pixel..pixel + grid.depth].iter_mut();
                sums.zip(&grads[at..]).for_each(|(sum, grad)| *sum = sum.plus(*grad));
            });
            Ok(())
        })
    }, else unsupported(grad.dtype()))
}

/// Pixels between those of `images`, as `float32`. TensorFlow's `ResizeBilinear`.
///
/// # Errors
/// As for [`nearest`].
pub fn bilinear(
    memory: &Memory,
    images: &Value,
    size: [usize; 2],
    align: Align,
) -> Result<Value, NumericError> {
    let grid =
        Grid::new(memory, images.shape(), size, |extent, count| linear_taps(extent, count, align))?;
    with_pixels!(images, pixels => build(memory, grid.resized.clone(), |out: &mut [f32]| {
        grid.for_each(&mut |at, corners, [[_, down], [_, right]]| {
            for (channel, out) in out[at..at + grid.depth].iter_mut().enumerate() {
                let pixel = |start: usize| pixels(start + channel);
                let [top, bottom] = corners.map(|[left_at, right_at]| {
                    let left = pixel(left_at);
                    left + (pixel(right_at) - left) * right
                });
                *out = top + (bottom - top) * down;
            }
        });
        Ok(())
    }))
}

/// The gradient of [`bilinear`] of images of `size`, as elements of type `dtype`. TensorFlow's
/// `ResizeBilinearGrad`.
///
/// # Errors
/// As for [`nearest`], for a `dtype` that is not a float.
pub fn bilinear_grad(
    memory: &Memory,
    grad: &Value,
    size: [usize; 2],
    align: Align,
    dtype: DType,
) -> Result<Value, NumericError> {
    let (images, resized) = original(grad.shape(), size)?;
    let grid =
        Grid::new(memory, &images, resized, |extent, count| linear_taps(extent, count, align))?;
    grid.spread(memory, grad, &images, dtype)
}

fn unsupported<R>(dtype: DType) -> Result<R, NumericError> {
    Err(NumericError::UnsupportedDType { dtype })
}

/// Reads the pixels of images as `f32`.
fn read_as_f32(images: &Value) -> Result<Box<dyn Fn(usize) -> f32 + '_>, NumericError> {
    match_dtype!(images.dtype(), wide, T => {
        let pixels = images.as_slice::<T>()?;
        Ok(Box::new(|i: usize| pixels[i].to_f64() as f32))
    }, else unsupported(images.dtype()))
}

/// The shape of images of a size that were resized to a shape, and the size of the resized ones.
fn original(resized: &Shape, size: [usize; 2]) -> Result<(Shape, [usize; 2]), NumericError> {
    let [batch, height, width, depth] = resized[..] else {
        return Err(NumericError::Rank { expected: 4, actual: resized.rank() });
    };
    Ok(([batch, size[0], size[1], depth].into(), [height, width]))
}

/// The pixels of an axis that contribute to one of the resized axis, and their weights.
#[derive(Clone, Copy)]
struct Tap<const N: usize> {
    at: [usize; N],
    weights: [f32; N],
}

/// The distance between the pixels of a resized axis, in pixels of the original one.
fn step(extent: usize, count: usize, align: Align) -> f32 {
    match align {
        Align::Corners if count > 1 => (extent - 1) as f32 / (count - 1) as f32,
        _ => extent as f32 / count as f32,
    }
}

/// The position on an axis of pixel `i` of the resized one.
fn position(i: usize, step: f32, align: Align) -> f32 {
    match align {
        Align::HalfPixels => (i as f32 + 0.5) * step - 0.5,
        _ => i as f32 * step,
    }
}

fn nearest_taps(extent: usize, count: usize, align: Align) -> Vec<Tap<1>> {
    let step = step(extent, count, align);
    let tap = |i: usize| {
        let at = match align {
            Align::Origin => (i as f32 * step).floor(),
            Align::Corners => (i as f32 * step).round(),
            Align::HalfPixels => ((i as f32 + 0.5) * step).floor(),
        };
        Tap { at: [(at as usize).min(extent - 1)], weights: [1.0] }
    };
    (0..count).map(tap).collect()
}

fn linear_taps(extent: usize, count: usize, align: Align) -> Vec<Tap<2>> {
    let step = step(extent, count, align);
    let tap = |i: usize| {
        let at = position(i, step, align);
        let part = at - at.floor();
        // Positions before the first pixel saturate to it.
        let around = [at.floor() as usize, at.ceil() as usize];
        Tap { at: around.map(|at| at.min(extent - 1)), weights: [1.0 - part, part] }
    };
    (0..count).map(tap).collect()
}

/// The sources of each pixel of resized images: `N` rows and columns.
struct Grid<const N: usize> {
    resized: Shape,
    batch: usize,
    extents: [usize; 2],
    depth: usize,
    taps: [Vec<Tap<N>>; 2],
}

impl<const N: usize> Grid<N> {
    fn new(
        memory: &Memory,
        images: &Shape,
        size: [usize; 2],
        taps: impl Fn(usize, usize) -> Vec<Tap<N>>,
    ) -> Result<Self, NumericError> {
        let [batch, height, width, depth] = images[..] else {
            return Err(NumericError::Rank { expected: 4, actual: images.rank() });
        };
        let resized: Shape = [batch, size[0], size[1], depth].into();
        for (axis, extent) in [(1, height), (2, width)] {
            if extent == 0 {
                return Err(NumericError::EmptyAxis { axis, shape: images.clone() });
            }
        }
        let extents = [height, width];
        // Lists of taps must not be longer than the pixels they are for.
        let is_empty = resized.elements() == Some(0);
        let taps = if is_empty {
            [Vec::new(), Vec::new()]
        } else {
            memory.zeros(DType::U8, resized.clone())?;
            [taps(height, size[0]), taps(width, size[1])]
        };
        Ok(Grid { resized, batch, extents, depth, taps })
    }

    /// The incoming gradient of resized pixels, divided among their sources by weight.
    fn spread(
        &self,
        memory: &Memory,
        grad: &Value,
        images: &Shape,
        dtype: DType,
    ) -> Result<Value, NumericError> {
        let grads = grad.as_slice::<f32>()?;
        match_dtype!(dtype, floats, T => build_zeroed(memory, images.clone(), |out: &mut [T]| {
            self.for_each(&mut |at, starts, [down, right]| {
                for (row, down) in starts.into_iter().zip(down) {
                    for (start, right) in row.into_iter().zip(right) {
                        let [down, right] = [down, right].map(|weight| T::from_f64(weight.into()));
                        let sums = out[start..start + self.depth].iter_mut();
                        for (sum, grad) in sums.zip(&grads[at..]) {
                            *sum += T::from_f64((*grad).into()) * down * right;
                        }
                    }
                }
            });
            Ok(())
        }), else unsupported(dtype))
    }

    /// Calls a function for each resized pixel, in order, with the start of its channels, the
    /// starts of the channels of its source pixels, by rows, and the weights of rows and columns.
    fn for_each(&self, f: &mut dyn FnMut(usize, [[usize; N]; N], [[f32; N]; 2])) {
        let ([height, width], [rows, columns]) = (self.extents, &self.taps);
        if rows.is_empty() || columns.is_empty() {
            return;
        }
        let mut at = 0;
        for image in 0..self.batch {
            for row in rows {
                let lines = row.at.map(|row| (image * height + row) * width);
                for column in columns {
                    let starts =
                        lines.map(|line| column.at.map(|column| (line + column) * self.depth));
                    f(at, starts, [row.weights, column.weights]);
                    at += self.depth;
                }
            }
        }
    }
}
