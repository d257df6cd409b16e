//! Normalization of the channels of a batch, and its gradient.
//!
//! The channels are an axis of the values; statistics are lists of one number for each channel,
//! over all other axes.

use smallvec::SmallVec;
use tidemill_value::{Element, Memory, Shape, Value, Workspace, match_dtype};

use crate::NumericError;
use crate::float::Float;
use crate::output::{build, volume};
use crate::pool::{TILE, for_each_chunk_mut};
use crate::reduce::{self, Sum, fold_row};

/// The number of terms summed one by one before their sum joins the total.
const BLOCK: usize = 128;

/// The mean and the biased variance of each channel along `axis`.
///
/// # Errors
/// [`NumericError::UnsupportedDType`] if the elements are not floats, [`NumericError::Axis`] if
/// there is no such axis.
pub fn channel_moments(
    memory: &Memory,
    x: &Value,
    axis: usize,
) -> Result<(Value, Value), NumericError> {
    let layout = Layout::new(x.shape(), axis)?;
    let mean = reduce::mean(memory, x, &layout.others(x.shape().rank()))?;
    match_dtype!(x.dtype(), floats, T => {
        let (elements, centers) = (x.as_slice::<T>()?, mean.as_slice::<T>()?);
        let mut variance = memory.scratch(T::DTYPE, mean.shape().clone())?;
        let sums = variance.as_mut_slice::<T>()?;
        layout.sums(memory, elements, elements, centers, |_, distance| distance * distance, sums)?;
        let count = T::from_f64(layout.count() as f64);
        sums.iter_mut().for_each(|sum| *sum /= count);
        Ok((mean, variance))
    }, else unsupported(x))
}

/// `new * factor`, plus `old` times its own factor if it is given: the next value of a running
/// average.
///
/// # Errors
/// [`NumericError::UnsupportedDType`] if the elements are not floats, [`NumericError::Shape`] if
/// the shapes differ.
pub fn blend(
    memory: &Memory,
    new: &Value,
    factor: f64,
    old: Option<(&Value, f64)>,
) -> Result<Value, NumericError> {
    match_dtype!(new.dtype(), floats, T => build(memory, new.shape().clone(), |out: &mut [T]| {
        let factor = T::from_f64(factor);
        for (out, new) in out.iter_mut().zip(new.as_slice::<T>()?) {
            *out = *new * factor;
        }
        if let Some((old, factor)) = old {
            if old.shape() != new.shape() {
                let (expected, actual) = (new.shape().clone(), old.shape().clone());
                return Err(NumericError::Shape { expected, actual });
            }
            let factor = T::from_f64(factor);
            for (out, old) in out.iter_mut().zip(old.as_slice::<T>()?) {
                *out += *old * factor;
            }
        }
        Ok(())
    }), else unsupported(new))
}

/// The statistics and factors that values are normalized with: lists of one number for each
/// channel, of the type of the values.
#[derive(Clone, Copy, Debug)]
pub struct Normalization<'a> {
    /// The axis of the channels.
    pub axis: usize,
    /// The factor of each channel.
    pub scale: &'a Value,
    /// The mean of each channel.
    pub mean: &'a Value,
    /// The variance of each channel.
    pub variance: &'a Value,
    /// The number added to the variances.
    pub epsilon: f32,
}

/// `(x - mean) / sqrt(variance + epsilon) * scale + offset` for each channel.
///
/// The value is overwritten if its buffer is not shared.
///
/// # Errors
/// [`NumericError::UnsupportedDType`] if the elements are not floats, [`NumericError::Axis`] if
/// there is no such axis, [`NumericError::Shape`] if a list is not as long as there are channels.
pub fn normalize(
    memory: &Memory,
    mut x: Value,
    by: &Normalization<'_>,
    offset: &Value,
) -> Result<Value, NumericError> {
    let layout = Layout::new(x.shape(), by.axis)?;
    let dtype = x.dtype();
    match_dtype!(dtype, floats, T => {
        let Given { mean, factors, .. } = by.given::<T>(memory, &layout)?;
        // Lists of a length that the compiler knows are read without checks.
        let [mean, factors, offset] =
            [mean, &factors, layout.list(offset)?].map(|list| &list[..layout.channels]);
        layout.update(x.as_mut_slice::<T>()?, |x, c| (*x - mean[c]) * factors[c] + offset[c]);
        Ok(x)
    }, else unsupported(&x))
}

/// The gradients of a normalization.
#[derive(Clone, Debug)]
pub struct NormalizationGrads {
    /// The gradient of the values.
    pub x: Value,
    /// The gradient of the factors.
    pub scale: Value,
    /// The gradient of the offsets.
    pub offset: Value,
}

/// The gradients of [`normalize`], given the gradient of its result, which is overwritten if its
/// buffer is not shared. If mean and variance are `of_batch`, they are taken as functions of the
/// values.
///
/// # Errors
/// As for [`normalize`]; [`NumericError::Shape`] also if the gradient is not of the shape of the
/// values.
pub fn normalize_grad(
    memory: &Memory,
    mut grad: Value,
    x: &Value,
    by: &Normalization<'_>,
    of_batch: bool,
) -> Result<NormalizationGrads, NumericError> {
    if grad.shape() != x.shape() {
        let (expected, actual) = (x.shape().clone(), grad.shape().clone());
        return Err(NumericError::Shape { expected, actual });
    }
    let layout = Layout::new(x.shape(), by.axis)?;
    let offset = reduce::sum(memory, &grad, &layout.others(x.shape().rank()))?;
    match_dtype!(x.dtype(), floats, T => {
        let Given { mean, inverse, factors } = by.given::<T>(memory, &layout)?;
        let elements = x.as_slice::<T>()?;
        let mut products = memory.scratch(T::DTYPE, offset.shape().clone())?;
        let sums = products.as_mut_slice::<T>()?;
        layout.sums(memory, grad.as_slice()?, elements, mean, |grad, x| grad * x, sums)?;
        if of_batch {
            let count = T::from_f64(layout.count() as f64);
            let (totals, sums) = (offset.as_slice::<T>()?, &*sums);
            let slope = |c: usize| sums[c] / count * inverse[c] * inverse[c];
            let mut shifts = memory.workspace::<T>(2 * layout.channels)?;
            let (means, slopes) = shifts.split_at_mut(layout.channels);
            means.iter_mut().zip(totals).for_each(|(mean, sum)| *mean = *sum / count);
            slopes.iter_mut().enumerate().for_each(|(c, out)| *out = slope(c));
            let [mean, factors, means, slopes] =
                [mean, &factors, means, slopes].map(|list| &list[..layout.channels]);
            layout.update_by(grad.as_mut_slice::<T>()?, elements, |grad, x, c| {
                (*grad - means[c] - (x - mean[c]) * slopes[c]) * factors[c]
            });
        } else {
            let factors = &factors[..layout.channels];
            layout.update(grad.as_mut_slice::<T>()?, |grad, c| *grad * factors[c]);
        }
        sums.iter_mut().zip(&*inverse).for_each(|(sum, r)| *sum *= *r);
        Ok(NormalizationGrads { x: grad, scale: products, offset })
    }, else unsupported(x))
}

fn unsupported<R>(value: &Value) -> Result<R, NumericError> {
    Err(NumericError::UnsupportedDType { dtype: value.dtype() })
}

/// The numbers of a [`Normalization`], for each channel.
struct Given<'a, T: Element> {
    mean: &'a [T],
    /// The inverse standard deviations.
    inverse: Workspace<'a, T>,
    /// These, times the scale.
    factors: Workspace<'a, T>,
}

impl Normalization<'_> {
    fn given<'a, T: Float>(
        &'a self,
        memory: &'a Memory,
        layout: &Layout,
    ) -> Result<Given<'a, T>, NumericError> {
        let epsilon = T::from_f64(self.epsilon.into());
        let (scale, mean) = (layout.list::<T>(self.scale)?, layout.list(self.mean)?);
        let variance = layout.list::<T>(self.variance)?;
        let mut inverse = memory.workspace::<T>(layout.channels)?;
        let mut factors = memory.workspace::<T>(layout.channels)?;
        for (c, (inverse, factor)) in inverse.iter_mut().zip(&mut *factors).enumerate() {
            *inverse = T::ONE / (variance[c] + epsilon).sqrt();
            *factor = *inverse * scale[c];
        }
        Ok(Given { mean, inverse, factors })
    }
}

/// The place of the channels in values: one axis between those before and those after it.
struct Layout {
    outer: usize,
    channels: usize,
    inner: usize,
    axis: usize,
}

impl Layout {
    fn new(shape: &Shape, axis: usize) -> Result<Self, NumericError> {
        let rank = shape.rank();
        let &channels = shape.get(axis).ok_or(NumericError::Axis { axis, rank })?;
        let (outer, inner) = (volume(&shape[..axis]), volume(&shape[axis + 1..]));
        Ok(Layout { outer, channels, inner, axis })
    }

    /// The axes other than that of the channels.
    fn others(&self, rank: usize) -> SmallVec<[usize; 4]> {
        (0..rank).filter(|&axis| axis != self.axis).collect()
    }

    /// The number of elements of a channel.
    fn count(&self) -> usize {
        self.outer.saturating_mul(self.inner)
    }

    /// The elements of a list with one for each channel.
    fn list<'a, T: Element>(&self, value: &'a Value) -> Result<&'a [T], NumericError> {
        if value.shape()[..] != [self.channels] {
            let expected = [self.channels].into();
            return Err(NumericError::Shape { expected, actual: value.shape().clone() });
        }
        Ok(value.as_slice()?)
    }

    /// Writes the sum of `f(a, x - mean)` for each channel to `totals`.
    fn sums<T: Float>(
        &self,
        memory: &Memory,
        a: &[T],
        x: &[T],
        mean: &[T],
        f: impl Fn(T, T) -> T,
        totals: &mut [T],
    ) -> Result<(), NumericError> {
        totals.fill(T::ZERO);
        if a.is_empty() {
            return Ok(());
        }
        if self.inner == 1 {
            let mut sums = memory.workspace::<T>(self.channels)?;
            let width = self.channels * BLOCK;
            for (a, x) in a.chunks(width).zip(x.chunks(width)) {
                sums.fill(T::ZERO);
                for (a, x) in a.chunks_exact(self.channels).zip(x.chunks_exact(self.channels)) {
                    for (((sum, a), x), mean) in sums.iter_mut().zip(a).zip(x).zip(mean) {
                        *sum = *sum + f(*a, *x - *mean);
                    }
                }
                totals.iter_mut().zip(&*sums).for_each(|(total, sum)| *total = *total + *sum);
            }
            return Ok(());
        }
        let mut terms = memory.workspace::<T>(self.inner)?;
        for (i, (a, x)) in a.chunks_exact(self.inner).zip(x.chunks_exact(self.inner)).enumerate() {
            let channel = i % self.channels;
            for ((term, a), x) in terms.iter_mut().zip(a).zip(x) {
                *term = f(*a, *x - mean[channel]);
            }
            totals[channel] = totals[channel] + fold_row::<Sum<T>>(&terms);
        }
        Ok(())
    }

    /// Overwrites each element by a function of it and of its channel.
    fn update<T: Float>(&self, elements: &mut [T], f: impl Fn(&T, usize) -> T + Sync) {
        self.for_each_tile(elements, |first, rows| {
            if self.inner == 1 {
                for row in rows.chunks_exact_mut(self.channels) {
                    row.iter_mut().enumerate().for_each(|(c, element)| *element = f(element, c));
                }
                return;
            }
            for (i, row) in rows.chunks_exact_mut(self.inner).enumerate() {
                let channel = (first + i) % self.channels;
                row.iter_mut().for_each(|element| *element = f(element, channel));
            }
        });
    }

    /// The number of elements side by side: of all channels, or of one.
    fn width(&self) -> usize {
        if self.inner == 1 { self.channels } else { self.inner }
    }

    /// Calls `f` with the number of the first row of each tile, and its rows.
    fn for_each_tile<T: Float>(&self, elements: &mut [T], f: impl Fn(usize, &mut [T]) + Sync) {
        if elements.is_empty() {
            return;
        }
        let rows = TILE.div_ceil(self.width());
        for_each_chunk_mut(elements, rows * self.width(), |i, tile| f(i * rows, tile));
    }

    /// Overwrites each element by a function of it, of the element of `x` at its place, and of its
    /// channel.
    fn update_by<T: Float>(
        &self,
        elements: &mut [T],
        x: &[T],
        f: impl Fn(&T, T, usize) -> T + Sync,
    ) {
        let width = self.width();
        self.for_each_tile(elements, |first, rows| {
            let x = x[first * width..].chunks_exact(width);
            for (i, (row, x)) in rows.chunks_exact_mut(width).zip(x).enumerate() {
                let each = row.iter_mut().zip(x);
                if self.inner == 1 {
                    each.enumerate().for_each(|(c, (element, x))| *element = f(element, *x, c));
                } else {
                    let channel = (first + i) % self.channels;
                    each.for_each(|(element, x)| *element = f(element, *x, channel));
                }
            }
        });
    }
}
