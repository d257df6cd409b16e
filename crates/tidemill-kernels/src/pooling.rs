//! The largest and the mean elements of windows that move over images.

use tidemill_value::{DType, Shape, Value, match_dtype};

use crate::NumericError;
use crate::float::Float;
use crate::number::Number;
use crate::output::{build, expect_shape, volume};
use crate::window::{Slide, Window};

/// The windows of a pool on the two spatial axes of images.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// The extents of a window.
    pub extents: [usize; 2],
    /// How it moves.
    pub slides: [Slide; 2],
    /// Whether the channels are the axis before the spatial ones, and not the last.
    pub channels_first: bool,
}

/// The largest element of each window. As in TensorFlow's `MaxPool`, NaN is passed over, and an
/// element counts only if it is above the lowest finite number, which stands where none is.
///
/// # Errors
/// [`NumericError::Rank`] where `x` has not 4 axes, [`NumericError::Window`] where there are no
/// such windows, [`NumericError::UnsupportedDType`] where the elements are not numbers.
pub fn max_pool(x: &Value, pool: &Pool) -> Result<Value, NumericError> {
    let places = Places::new(x.shape(), pool)?;
    match_dtype!(x.dtype(), numbers, T => {
        let elements = x.as_slice::<T>()?;
        build(places.output.clone(), |out: &mut [T]| {
            places.for_each(|at, starts| {
                let out = &mut out[at..at + places.inner];
                out.fill(T::LOWEST);
                for &start in starts {
                    let elements = &elements[start..start + places.inner];
                    for (out, x) in out.iter_mut().zip(elements) {
                        *out = if *x > *out { *x } else { *out };
                    }
                }
            });
            Ok(())
        })
    }, else unsupported(x.dtype()))
}

/// Where the largest element of each window is among all of `x`, or among those of its image:
/// the first in row-major order; -1 where a window lies on padding alone. The result is of the
/// type `indices`, `int32` or `int64`.
///
/// # Errors
/// As for [`max_pool`]; [`NumericError::UnsupportedDType`] also for other types of indices.
pub fn arg_max_pool(
    x: &Value,
    pool: &Pool,
    of_image: bool,
    indices: DType,
) -> Result<Value, NumericError> {
    let places = Places::new(x.shape(), pool)?;
    let winners = winners(x, &places)?;
    let image = volume(&x.shape()[1..]);
    let place = |winner: Option<usize>| match winner {
        Some(place) if of_image => (place % image) as i64,
        Some(place) => place as i64,
        None => -1,
    };
    match indices {
        DType::I32 => build(places.output.clone(), |out: &mut [i32]| {
            out.iter_mut().zip(winners).for_each(|(out, winner)| *out = place(winner) as i32);
            Ok(())
        }),
        DType::I64 => build(places.output.clone(), |out: &mut [i64]| {
            out.iter_mut().zip(winners).for_each(|(out, winner)| *out = place(winner));
            Ok(())
        }),
        other => unsupported(other),
    }
}

/// The gradient of [`max_pool`] by `x`: what came in for a window goes to the first of its largest
/// elements. TensorFlow's `MaxPoolGrad`.
///
/// # Errors
/// As for [`max_pool`]; [`NumericError::Shape`] where `grad` is not of the shape of its result.
pub fn max_pool_grad(x: &Value, grad: &Value, pool: &Pool) -> Result<Value, NumericError> {
    let places = Places::new(x.shape(), pool)?;
    expect_shape(grad, &places.output)?;
    let winners = winners(x, &places)?;
    match_dtype!(x.dtype(), numbers, T => build(x.shape().clone(), |out: &mut [T]| {
        for (winner, grad) in winners.into_iter().zip(grad.as_slice::<T>()?) {
            if let Some(place) = winner {
                out[place] = out[place].plus(*grad);
            }
        }
        Ok(())
    }), else unsupported(x.dtype()))
}

/// The elements of `values`, which are of the shape of `x`, where each window of `x` has the first
/// of its largest elements: the gradient of [`max_pool_grad`]. TensorFlow's `MaxPoolGradGrad`.
///
/// # Errors
/// As for [`max_pool`]; [`NumericError::Shape`] where the shapes differ.
pub fn pick_largest(x: &Value, values: &Value, pool: &Pool) -> Result<Value, NumericError> {
    let places = Places::new(x.shape(), pool)?;
    expect_shape(values, x.shape())?;
    let winners = winners(x, &places)?;
    match_dtype!(x.dtype(), numbers, T => build(places.output.clone(), |out: &mut [T]| {
        let values = values.as_slice::<T>()?;
        for (out, winner) in out.iter_mut().zip(winners) {
            *out = winner.map_or(T::ZERO, |place| values[place]);
        }
        Ok(())
    }), else unsupported(x.dtype()))
}

/// The mean of each window, not counting padding. TensorFlow's `AvgPool`.
///
/// # Errors
/// As for [`max_pool`], for elements that are not floats.
pub fn mean_pool(x: &Value, pool: &Pool) -> Result<Value, NumericError> {
    let places = Places::new(x.shape(), pool)?;
    match_dtype!(x.dtype(), floats, T => {
        let elements = x.as_slice::<T>()?;
        build(places.output.clone(), |out: &mut [T]| {
            places.for_each(|at, starts| {
                let out = &mut out[at..at + places.inner];
                for &start in starts {
                    let elements = &elements[start..start + places.inner];
                    out.iter_mut().zip(elements).for_each(|(out, x)| *out += *x);
                }
                let count = T::from_f64(starts.len().max(1) as f64);
                out.iter_mut().for_each(|out| *out /= count);
            });
            Ok(())
        })
    }, else unsupported(x.dtype()))
}

/// The gradient of [`mean_pool`] of a value of `shape`: what came in for a window is divided
/// among its elements. TensorFlow's `AvgPoolGrad`.
///
/// # Errors
/// As for [`mean_pool`]; [`NumericError::Shape`] where `grad` is not of the shape of its result.
pub fn mean_pool_grad(shape: &Shape, grad: &Value, pool: &Pool) -> Result<Value, NumericError> {
    let places = Places::new(shape, pool)?;
    expect_shape(grad, &places.output)?;
    match_dtype!(grad.dtype(), floats, T => {
        let grads = grad.as_slice::<T>()?;
        build(shape.clone(), |out: &mut [T]| {
            places.for_each(|at, starts| {
                let count = T::from_f64(starts.len().max(1) as f64);
                for &start in starts {
                    let grads = &grads[at..at + places.inner];
                    let out = &mut out[start..start + places.inner];
                    out.iter_mut().zip(grads).for_each(|(out, grad)| *out += *grad / count);
                }
            });
            Ok(())
        })
    }, else unsupported(grad.dtype()))
}

fn unsupported<R>(dtype: DType) -> Result<R, NumericError> {
    Err(NumericError::UnsupportedDType { dtype })
}

/// Where the first of the largest elements of each window is. As in TensorFlow, NaN counts only
/// if it comes first: nothing is above it then.
fn winners(x: &Value, places: &Places) -> Result<Vec<Option<usize>>, NumericError> {
    // The value made for it fails where there is no memory for so many.
    let count = Value::zeros(DType::I64, places.output.clone())?.elements();
    let mut winners = vec![None; count];
    match_dtype!(x.dtype(), numbers, T => {
        let elements = x.as_slice::<T>()?;
        let mut best = vec![T::ZERO; places.inner];
        places.for_each(|at, starts| {
            for &start in starts {
                let each = best.iter_mut().zip(&mut winners[at..at + places.inner]);
                let each = each.zip(&elements[start..start + places.inner]);
                for (channel, ((best, winner), x)) in each.enumerate() {
                    if winner.is_none() || *x > *best {
                        (*best, *winner) = (*x, Some(start + channel));
                    }
                }
            }
        });
        Ok(winners)
    }, else unsupported(x.dtype()))
}

/// Where windows have their elements in memory.
struct Places {
    output: Shape,
    windows: [Window; 2],
    outer: usize,
    inner: usize,
}

impl Places {
    fn new(shape: &Shape, pool: &Pool) -> Result<Self, NumericError> {
        let [batch, a, b, c] = shape[..] else {
            return Err(NumericError::Rank { expected: 4, actual: shape.rank() });
        };
        let ([height, width], channels) =
            if pool.channels_first { ([b, c], a) } else { ([a, b], c) };
        let window = |i: usize, extent| pool.slides[i].window(extent, pool.extents[i]);
        let windows = [window(0, height)?, window(1, width)?];
        let [rows, columns] = windows.map(|window| window.output());
        let (output, outer, inner) = match pool.channels_first {
            true => ([batch, channels, rows, columns], batch.saturating_mul(channels), 1),
            false => ([batch, rows, columns, channels], batch, channels),
        };
        Ok(Places { output: output.into(), windows, outer, inner })
    }

    /// Calls a function for each window, in order, with where its channels are in the output and
    /// where those of each of its elements are in the input.
    fn for_each(&self, mut f: impl FnMut(usize, &[usize])) {
        let [rows, columns] = &self.windows;
        if self.inner == 0 || rows.output() == 0 || columns.output() == 0 {
            return;
        }
        let (mut at, mut starts) = (0, Vec::new());
        for image in 0..self.outer {
            for row in 0..rows.output() {
                for column in 0..columns.output() {
                    starts.clear();
                    for tap in rows.taps(row) {
                        let line = image * rows.input() + rows.position(row, tap);
                        starts.extend(columns.taps(column).map(|tap| {
                            (line * columns.input() + columns.position(column, tap)) * self.inner
                        }));
                    }
                    f(at, &starts);
                    at += self.inner;
                }
            }
        }
    }
}
