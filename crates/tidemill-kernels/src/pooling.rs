//! The largest and the mean elements of windows that move over images.

use smallvec::SmallVec;
use tidemill_value::{DType, Memory, Shape, Value, match_dtype};

use crate::NumericError;
use crate::elementwise::cast;
use crate::float::Float;
use crate::number::Number;
use crate::output::{build, build_zeroed, expect_shape, volume};
use crate::pool::{TILE, for_each_chunk_mut};
use crate::window::{Slide, Window};

/// The number of channels combined side by side.
const LANES: usize = 16;

/// The windows of a pool on the two spatial axes of images.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// The extents of a window.
    pub extents: [usize; 2],
    /// The movement of the window along each axis.
    pub slides: [Slide; 2],
    /// True if the channels are the axis before the spatial ones, not the last.
    pub channels_first: bool,
}

/// The largest element of each window. As in TensorFlow's `MaxPool`, NaN is passed over, and an
/// element counts only if it is above the lowest finite number, which stands where none is.
///
/// # Errors
/// [`NumericError::Rank`] if `x` does not have 4 axes, [`NumericError::Window`] if there are no
/// such windows, [`NumericError::UnsupportedDType`] if the elements are not numbers.
pub fn max_pool(memory: &Memory, x: &Value, pool: &Pool) -> Result<Value, NumericError> {
    let places = Places::new(x.shape(), pool)?;
    match_dtype!(x.dtype(), wide, T => {
        let elements = x.as_slice::<T>()?;
        build(memory, places.output.clone(), |out: &mut [T]| {
            places.each_line_mut(out, |line, out| largest(&places, line, elements, out));
            Ok(())
        })
    }, else unsupported(x.dtype()))
}

/// The position of the largest element of each window among all of `x`, or among the elements of
/// its image: the first in row-major order; -1 if a window lies on padding alone. The result is of
/// the type `indices`, `int32` or `int64`.
///
/// # Errors
/// As for [`max_pool`]; [`NumericError::UnsupportedDType`] also for other types of indices.
pub fn arg_max_pool(
    memory: &Memory,
    x: &Value,
    pool: &Pool,
    of_image: bool,
    indices: DType,
) -> Result<Value, NumericError> {
    let places = Places::new(x.shape(), pool)?;
    if !DType::INDICES.contains(&indices) {
        return unsupported(indices);
    }
    let image = volume(&x.shape()[1..]);
    let mut found = places.winners(memory, x)?;
    if of_image {
        for place in found.as_mut_slice::<i64>()?.iter_mut().filter(|place| **place >= 0) {
            *place %= image as i64;
        }
    }
    cast(memory, &found, indices)
}

/// The gradient of [`max_pool`] with respect to `x`: the incoming gradient of a window goes to the
/// first of its largest elements. TensorFlow's `MaxPoolGrad`.
///
/// # Errors
/// As for [`max_pool`]; [`NumericError::Shape`] if `grad` is not of the shape of its result.
pub fn max_pool_grad(
    memory: &Memory,
    x: &Value,
    grad: &Value,
    pool: &Pool,
) -> Result<Value, NumericError> {
    let places = Places::new(x.shape(), pool)?;
    expect_shape(grad, &places.output)?;
    match_dtype!(x.dtype(), wide, T => {
        let (elements, grads) = (x.as_slice::<T>()?, grad.as_slice::<T>()?);
        build_zeroed(memory, x.shape().clone(), |out: &mut [T]| {
            places.each_plane_mut(out, |plane, out| {
                give_to_winners(&places, plane, elements, grads, out);
            });
            Ok(())
        })
    }, else unsupported(x.dtype()))
}

/// The elements of `values`, which has the shape of `x`, at the position of the first maximum of
/// each window of `x`: the gradient of [`max_pool_grad`]. TensorFlow's `MaxPoolGradGrad`.
///
/// # Errors
/// As for [`max_pool`]; [`NumericError::Shape`] if the shapes differ.
pub fn pick_largest(
    memory: &Memory,
    x: &Value,
    values: &Value,
    pool: &Pool,
) -> Result<Value, NumericError> {
    let places = Places::new(x.shape(), pool)?;
    expect_shape(values, x.shape())?;
    let found = places.winners(memory, x)?;
    let found = found.as_slice::<i64>()?;
    match_dtype!(x.dtype(), wide, T => {
        let values = values.as_slice::<T>()?;
        build(memory, places.output.clone(), |out: &mut [T]| {
            for (out, &place) in out.iter_mut().zip(found) {
                *out = usize::try_from(place).map_or(T::ZERO, |place| values[place]);
            }
            Ok(())
        })
    }, else unsupported(x.dtype()))
}

/// The mean of each window, not counting padding. TensorFlow's `AvgPool`.
///
/// # Errors
/// As for [`max_pool`], for elements that are not floats.
pub fn mean_pool(memory: &Memory, x: &Value, pool: &Pool) -> Result<Value, NumericError> {
    let places = Places::new(x.shape(), pool)?;
    match_dtype!(x.dtype(), floats, T => {
        let elements = x.as_slice::<T>()?;
        build(memory, places.output.clone(), |out: &mut [T]| {
            places.each_line_mut(out, |line, out| mean(&places, line, elements, out));
            Ok(())
        })
    }, else unsupported(x.dtype()))
}

/// The gradient of [`mean_pool`] of a value of `shape`: the incoming gradient of a window is
/// divided among its elements. TensorFlow's `AvgPoolGrad`.
///
/// # Errors
/// As for [`mean_pool`]; [`NumericError::Shape`] if `grad` is not of the shape of its result.
pub fn mean_pool_grad(
    memory: &Memory,
    shape: &Shape,
    grad: &Value,
    pool: &Pool,
) -> Result<Value, NumericError> {
    let places = Places::new(shape, pool)?;
    expect_shape(grad, &places.output)?;
    match_dtype!(grad.dtype(), floats, T => {
        let grads = grad.as_slice::<T>()?;
        build_zeroed(memory, shape.clone(), |out: &mut [T]| {
            places.each_plane_mut(out, |plane, out| spread_mean(&places, plane, grads, out));
            Ok(())
        })
    }, else unsupported(grad.dtype()))
}

fn unsupported<R>(dtype: DType) -> Result<R, NumericError> {
    Err(NumericError::UnsupportedDType { dtype })
}

vectorized! {
    if T::IS_FLOAT;
    fn largest<T>(places: &Places, line: usize, elements: &[T], out: &mut [T])
    where [T: Number + PartialOrd]
    {
        let (elements, row) = places.of_line(elements, line);
        for (column, out) in out.chunks_exact_mut(places.inner).enumerate() {
            places.fold(
                elements,
                [row, column],
                out,
                T::LOWEST,
                |best, x| if x > best { x } else { best },
            );
        }
    }
}

vectorized! {
    if T::IS_FLOAT;
    fn mean<T>(places: &Places, line: usize, elements: &[T], out: &mut [T])
    where [T: Float]
    {
        let (elements, row) = places.of_line(elements, line);
        for (column, out) in out.chunks_exact_mut(places.inner).enumerate() {
            places.fold(elements, [row, column], out, T::ZERO, |sum, x| sum + x);
            let count = T::from_f64(places.count(row, column).max(1) as f64);
            out.iter_mut().for_each(|out| *out = *out / count);
        }
    }
}

vectorized! {
    if T::IS_FLOAT;
    fn spread_mean<T>(places: &Places, plane: usize, grads: &[T], out: &mut [T])
    where [T: Float]
    {
        places.windows(plane, |row, column, at| {
            let count = T::from_f64(places.count(row, column).max(1) as f64);
            let grads = &grads[at..at + places.inner];
            places.starts(row, column, |start| {
                let out = &mut out[start..start + places.inner];
                out.iter_mut().zip(grads).for_each(|(out, grad)| *out = *out + *grad / count);
            });
        });
    }
}

vectorized! {
    if T::IS_FLOAT;
    fn give_to_winners<T>(
        places: &Places,
        plane: usize,
        elements: &[T],
        grads: &[T],
        out: &mut [T],
    )
    where [T: Number + PartialOrd]
    {
        let elements = &elements[plane * places.plane()..][..places.plane()];
        let mut winners = Winners::new();
        places.windows(plane, |row, column, at| {
            winners.enter(places, row, column);
            winners.each(places, elements, |channel, start| {
                let out = &mut out[start + channel];
                *out = out.plus(grads[at + channel]);
            });
        });
    }
}

/// The first of the largest elements of a window in each channel. As in TensorFlow, NaN counts only
/// if it comes first: nothing is above it then.
struct Winners<T> {
    /// The start of the channels of the elements of the window that lie on the input.
    elements: SmallVec<[usize; 32]>,
    best: [T; LANES],
    /// The number of each winner among the elements.
    numbers: [u32; LANES],
}

impl<T: Number + PartialOrd> Winners<T> {
    fn new() -> Self {
        Winners { elements: SmallVec::new(), best: [T::ZERO; LANES], numbers: [0; LANES] }
    }

    /// Goes to a window. Returns whether it has elements.
    #[inline(always)]
    fn enter(&mut self, places: &Places, row: usize, column: usize) -> bool {
        self.elements.clear();
        places.starts(row, column, |start| self.elements.push(start));
        !self.elements.is_empty()
    }

    /// Calls `visit` with each channel and the start of its winner's channels, if there are
    /// elements.
    #[inline(always)]
    fn each(&mut self, places: &Places, plane: &[T], mut visit: impl FnMut(usize, usize)) {
        let Some((&head, tail)) = self.elements.split_first() else { return };
        for first in (0..places.inner).step_by(LANES) {
            let count = LANES.min(places.inner - first);
            let (best, numbers) = (&mut self.best[..count], &mut self.numbers[..count]);
            best.copy_from_slice(&plane[head + first..][..count]);
            numbers.fill(0);
            for (number, &start) in (1..).zip(tail) {
                let each = best.iter_mut().zip(&mut *numbers);
                for ((best, winner), x) in each.zip(&plane[start + first..][..count]) {
                    let wins = *x > *best;
                    *best = if wins { *x } else { *best };
                    *winner = if wins { number } else { *winner };
                }
            }
            for (channel, &number) in (first..).zip(&*numbers) {
                visit(channel, self.elements[number as usize]);
            }
        }
    }
}

/// The places of the elements of windows in memory. Values are cut into planes of adjacent
/// channels, which no window crosses.
struct Places {
    output: Shape,
    windows: [Window; 2],
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
        let (output, inner) = match pool.channels_first {
            true => ([batch, channels, rows, columns], 1),
            false => ([batch, rows, columns, channels], channels),
        };
        Ok(Places { output: output.into(), windows, inner })
    }

    /// The number of elements of a plane of the input.
    #[inline(always)]
    fn plane(&self) -> usize {
        self.windows[0].input() * self.windows[1].input() * self.inner
    }

    /// Calls `f` with each line of the output and its number.
    fn each_line_mut<O: Send>(&self, out: &mut [O], f: impl Fn(usize, &mut [O]) + Sync) {
        if out.is_empty() {
            return;
        }
        let taps = self.windows[0].filter().saturating_mul(self.windows[1].filter());
        let line = self.windows[1].output() * self.inner;
        let lines = TILE.div_ceil(line.saturating_mul(taps));
        for_each_chunk_mut(out, lines * line, |i, out| {
            for (j, out) in out.chunks_exact_mut(line).enumerate() {
                f(i * lines + j, out);
            }
        });
    }

    /// Calls `f` with each plane of a value of the shape of the input, and its number.
    fn each_plane_mut<O: Send>(&self, out: &mut [O], f: impl Fn(usize, &mut [O]) + Sync) {
        if out.is_empty() {
            return;
        }
        let plane = self.plane();
        let planes = TILE.div_ceil(plane);
        for_each_chunk_mut(out, planes * plane, |i, out| {
            for (j, out) in out.chunks_exact_mut(plane).enumerate() {
                f(i * planes + j, out);
            }
        });
    }

    /// The position of the first largest element for each window and channel; -1 if there is none.
    fn winners(&self, memory: &Memory, x: &Value) -> Result<Value, NumericError> {
        match_dtype!(x.dtype(), wide, T => {
            let elements = x.as_slice::<T>()?;
            build(memory, self.output.clone(), |out: &mut [i64]| {
                self.each_line_mut(out, |line, out| {
                    let first = line / self.windows[0].output() * self.plane();
                    let (elements, row) = self.of_line(elements, line);
                    let mut winners = Winners::new();
                    for (column, out) in out.chunks_exact_mut(self.inner).enumerate() {
                        if !winners.enter(self, row, column) {
                            out.fill(-1);
                            continue;
                        }
                        winners.each(self, elements, |channel, start| {
                            out[channel] = (first + start + channel) as i64;
                        });
                    }
                });
                Ok(())
            })
        }, else unsupported(x.dtype()))
    }

    /// The plane of a line of the output, and the number of the line in it.
    #[inline(always)]
    fn of_line<'a, T>(&self, elements: &'a [T], line: usize) -> (&'a [T], usize) {
        let rows = self.windows[0].output();
        (&elements[line / rows * self.plane()..][..self.plane()], line % rows)
    }

    /// Calls `visit` for each window of a plane with its row and column, and with the start of its
    /// channels in the output.
    #[inline(always)]
    fn windows(&self, plane: usize, mut visit: impl FnMut(usize, usize, usize)) {
        let [rows, columns] = [self.windows[0].output(), self.windows[1].output()];
        for row in 0..rows {
            for column in 0..columns {
                visit(row, column, ((plane * rows + row) * columns + column) * self.inner);
            }
        }
    }

    /// Calls `visit` with the start in its plane of the channels of each element of a window.
    #[inline(always)]
    fn starts(&self, row: usize, column: usize, mut visit: impl FnMut(usize)) {
        let [rows, columns] = &self.windows;
        let across = columns.taps(column);
        for down in rows.taps(row) {
            let line = rows.position(row, down) * columns.input();
            for tap in across.clone() {
                visit((line + columns.position(column, tap)) * self.inner);
            }
        }
    }

    /// Combines the elements of a window, channel by channel, keeping many channels in registers.
    #[inline(always)]
    fn fold<T: Number>(
        &self,
        plane: &[T],
        [row, column]: [usize; 2],
        out: &mut [T],
        start: T,
        combine: impl Fn(T, T) -> T,
    ) {
        let (chunks, rest) = out.as_chunks_mut::<LANES>();
        let done = chunks.len() * LANES;
        for (i, out) in chunks.iter_mut().enumerate() {
            let mut total = [start; LANES];
            self.starts(row, column, |start| {
                let elements = &plane[start + i * LANES..][..LANES];
                total.iter_mut().zip(elements).for_each(|(total, x)| *total = combine(*total, *x));
            });
            *out = total;
        }
        rest.fill(start);
        if !rest.is_empty() {
            self.starts(row, column, |start| {
                let elements = &plane[start + done..start + self.inner];
                rest.iter_mut().zip(elements).for_each(|(total, x)| *total = combine(*total, *x));
            });
        }
    }

    /// The number of elements of a window.
    #[inline(always)]
    fn count(&self, row: usize, column: usize) -> usize {
        self.windows[0].taps(row).len() * self.windows[1].taps(column).len()
    }
}
