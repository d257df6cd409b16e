//! Images of shape `[batch, height, width, channels]` at other sizes.

use tidemill_value::{DType, Shape, Value, match_dtype};

use crate::NumericError;
use crate::float::Float;
use crate::number::Number;
use crate::output::build;

/// How the pixels of an image and of its resized one meet.
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
/// [`NumericError::Rank`] where `images` has not 4 axes, [`NumericError::EmptyAxis`] where there
/// is no pixel, [`NumericError::UnsupportedDType`] where the elements are not numbers.
pub fn nearest(images: &Value, size: [usize; 2], align: Align) -> Result<Value, NumericError> {
    let grid = Grid::new(images.shape(), size, |extent, count| nearest_taps(extent, count, align))?;
    match_dtype!(images.dtype(), numbers, T => {
        let pixels = images.as_slice::<T>()?;
        build(grid.resized.clone(), |out: &mut [T]| {
            grid.for_each(|at, [[pixel, _], _], _| {
                out[at..at + grid.depth].copy_from_slice(&pixels[pixel..pixel + grid.depth]);
            });
            Ok(())
        })
    }, else unsupported(images.dtype()))
}

/// The gradient of [`nearest`]: the sums of what came in for each pixel of images of `size`.
/// TensorFlow's `ResizeNearestNeighborGrad`.
///
/// # Errors
/// As for [`nearest`].
pub fn nearest_grad(grad: &Value, size: [usize; 2], align: Align) -> Result<Value, NumericError> {
    let (images, resized) = original(grad.shape(), size)?;
    let grid = Grid::new(&images, resized, |extent, count| nearest_taps(extent, count, align))?;
    match_dtype!(grad.dtype(), numbers, T => {
        let grads = grad.as_slice::<T>()?;
        build(images.clone(), |out: &mut [T]| {
            grid.for_each(|at, [[pixel, _], _], _| {
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
pub fn bilinear(images: &Value, size: [usize; 2], align: Align) -> Result<Value, NumericError> {
    let grid = Grid::new(images.shape(), size, |extent, count| linear_taps(extent, count, align))?;
    match_dtype!(images.dtype(), numbers, T => {
        let pixels = images.as_slice::<T>()?;
        build(grid.resized.clone(), |out: &mut [f32]| {
            grid.for_each(|at, corners, [down, right]| {
                for (channel, out) in out[at..at + grid.depth].iter_mut().enumerate() {
                    let pixel = |start: usize| pixels[start + channel].to_f64() as f32;
                    let [top, bottom] = corners.map(|[left_at, right_at]| {
                        let left = pixel(left_at);
                        left + (pixel(right_at) - left) * right
                    });
                    *out = top + (bottom - top) * down;
                }
            });
            Ok(())
        })
    }, else unsupported(images.dtype()))
}

/// The gradient of [`bilinear`] of images of `size`, as elements of type `dtype`. TensorFlow's
/// `ResizeBilinearGrad`.
///
/// # Errors
/// As for [`nearest`], for a `dtype` that is not a float.
pub fn bilinear_grad(
    grad: &Value,
    size: [usize; 2],
    align: Align,
    dtype: DType,
) -> Result<Value, NumericError> {
    let (images, resized) = original(grad.shape(), size)?;
    let grid = Grid::new(&images, resized, |extent, count| linear_taps(extent, count, align))?;
    let grads = grad.as_slice::<f32>()?;
    match_dtype!(dtype, floats, T => build(images.clone(), |out: &mut [T]| {
        grid.for_each(|at, corners, [down, right]| {
            for (pixels, down) in corners.into_iter().zip([1.0 - down, down]) {
                for (pixel, right) in pixels.into_iter().zip([1.0 - right, right]) {
                    let weight = T::from_f64((down * right).into());
                    let sums = out[pixel..pixel + grid.depth].iter_mut();
                    for (sum, grad) in sums.zip(&grads[at..]) {
                        *sum += T::from_f64((*grad).into()) * weight;
                    }
                }
            }
        });
        Ok(())
    }), else unsupported(dtype))
}

fn unsupported<R>(dtype: DType) -> Result<R, NumericError> {
    Err(NumericError::UnsupportedDType { dtype })
}

/// The shape of images of a size that were resized to a shape, and the size of that.
fn original(resized: &Shape, size: [usize; 2]) -> Result<(Shape, [usize; 2]), NumericError> {
    let [batch, height, width, depth] = resized[..] else {
        return Err(NumericError::Rank { expected: 4, actual: resized.rank() });
    };
    Ok(([batch, size[0], size[1], depth].into(), [height, width]))
}

/// Two neighbours on an axis, and how far from the first to the second a pixel is.
#[derive(Clone, Copy)]
struct Tap {
    first: usize,
    second: usize,
    part: f32,
}

/// The distance between the pixels of a resized axis, in those of the original one.
fn step(extent: usize, count: usize, align: Align) -> f32 {
    match align {
        Align::Corners if count > 1 => (extent - 1) as f32 / (count - 1) as f32,
        _ => extent as f32 / count as f32,
    }
}

fn nearest_taps(extent: usize, count: usize, align: Align) -> Vec<Tap> {
    let step = step(extent, count, align);
    let tap = |i: usize| {
        let at = match align {
            Align::Origin => (i as f32 * step).floor(),
            Align::Corners => (i as f32 * step).round(),
            Align::HalfPixels => ((i as f32 + 0.5) * step).floor(),
        };
        let first = (at as usize).min(extent - 1);
        Tap { first, second: first, part: 0.0 }
    };
    (0..count).map(tap).collect()
}

fn linear_taps(extent: usize, count: usize, align: Align) -> Vec<Tap> {
    let step = step(extent, count, align);
    let tap = |i: usize| {
        let at = match align {
            Align::HalfPixels => (i as f32 + 0.5) * step - 0.5,
            _ => i as f32 * step,
        };
        // What lies before the first pixel saturates to it.
        let (first, second) = (at.floor() as usize, at.ceil() as usize);
        let (first, second) = (first.min(extent - 1), second.min(extent - 1));
        Tap { first, second, part: at - at.floor() }
    };
    (0..count).map(tap).collect()
}

/// Where each pixel of resized images comes from.
struct Grid {
    resized: Shape,
    batch: usize,
    extents: [usize; 2],
    depth: usize,
    taps: [Vec<Tap>; 2],
}

impl Grid {
    fn new(
        images: &Shape,
        size: [usize; 2],
        taps: impl Fn(usize, usize) -> Vec<Tap>,
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
            Value::zeros(DType::U8, resized.clone())?;
            [taps(height, size[0]), taps(width, size[1])]
        };
        Ok(Grid { resized, batch, extents, depth, taps })
    }

    /// Calls a function for each resized pixel, in order, with where its channels start, where
    /// those of the four pixels around it start, by rows, and how far down and right it is among
    /// them.
    fn for_each(&self, mut f: impl FnMut(usize, [[usize; 2]; 2], [f32; 2])) {
        let ([height, width], [rows, columns]) = (self.extents, &self.taps);
        if rows.is_empty() || columns.is_empty() {
            return;
        }
        let mut at = 0;
        for image in 0..self.batch {
            for row in rows {
                let lines = [row.first, row.second].map(|row| (image * height + row) * width);
                for column in columns {
                    let corners = lines.map(|line| {
                        [column.first, column.second].map(|column| (line + column) * self.depth)
                    });
                    f(at, corners, [row.part, column.part]);
                    at += self.depth;
                }
            }
        }
    }
}
