use tidemill_value::{DType, Memory, Value};

use super::{Align, Grid, Tap, original, position, step};
use crate::NumericError;
use crate::output::build;

/// Positions between pixels are rounded to this part of their distance.
const PARTS: f32 = 1024.0;

/// Pixels between those of `images` by cubic convolution of the sixteen around, as `float32`.
/// TensorFlow's `ResizeBicubic`.
///
/// # Errors
/// As for [`nearest`](super::nearest).
pub fn bicubic(
    memory: &Memory,
    images: &Value,
    size: [usize; 2],
    align: Align,
) -> Result<Value, NumericError> {
    let grid = Grid::new(memory, images.shape(), size, |extent, count| taps(extent, count, align))?;
    with_pixels!(images, pixels => build(memory, grid.resized.clone(), |out: &mut [f32]| {
        grid.for_each(&mut |at, starts, [down, right]| {
            for (channel, out) in out[at..at + grid.depth].iter_mut().enumerate() {
                let rows = starts.map(|row| row.map(|start| pixels(start + channel)));
                let columns = [0, 1, 2, 3].map(|j| weighted(rows.map(|row| row[j]), down));
                *out = weighted(columns, right);
            }
        });
        Ok(())
    }))
}

/// The gradient of [`bicubic`] of images of `size`, as elements of type `dtype`. TensorFlow's
/// `ResizeBicubicGrad`.
///
/// # Errors
/// As for [`nearest`](super::nearest), for a `dtype` that is not a float.
pub fn bicubic_grad(
    memory: &Memory,
    grad: &Value,
    size: [usize; 2],
    align: Align,
    dtype: DType,
) -> Result<Value, NumericError> {
    let (images, resized) = original(grad.shape(), size)?;
    let grid = Grid::new(memory, &images, resized, |extent, count| taps(extent, count, align))?;
    grid.spread(memory, grad, &images, dtype)
}

fn weighted(values: [f32; 4], weights: [f32; 4]) -> f32 {
    let [a, b, c, d] = [0, 1, 2, 3].map(|i| values[i] * weights[i]);
    a + b + c + d
}

/// The cubic weights of pixels up to 1 away, and of those from 1 to 2 away (Keys 1981).
fn cubics(slope: f64, distance: f32) -> [f32; 2] {
    let (a, near, far) = (slope, f64::from(distance), f64::from(distance + 1.0));
    let near = ((a + 2.0) * near - (a + 3.0)) * near * near + 1.0;
    let far = ((a * far - 5.0 * a) * far + 8.0 * a) * far - 4.0 * a;
    [near as f32, far as f32]
}

fn taps(extent: usize, count: usize, align: Align) -> Vec<Tap<4>> {
    let step = step(extent, count, align);
    let is_centered = align == Align::HalfPixels;
    let slope = if is_centered { -0.5 } else { -0.75 };
    let tap = |i: usize| {
        let at = position(i, step, align);
        let part = ((at - at.floor()) * PARTS).round_ties_even();
        let [left, far_left] = cubics(slope, part / PARTS);
        let [right, far_right] = cubics(slope, (PARTS - part) / PARTS);
        let mut weights = [far_left, left, right, far_right];
        let around = [-1, 0, 1, 2].map(|offset| at.floor() as i64 + offset);
        let inside = around.map(|at| at.clamp(0, extent as i64 - 1));
        if is_centered {
            // Pixels outside do not count.
            for (weight, i) in weights.iter_mut().zip(0..) {
                *weight = if inside[i] == around[i] { *weight } else { 0.0 };
            }
            let [a, b, c, d] = weights;
            let sum = a + b + c + d;
            if sum.abs() >= 1000.0 * f32::MIN_POSITIVE {
                weights = weights.map(|weight| weight * (1.0 / sum));
            }
        }
        Tap { at: inside.map(|at| at as usize), weights }
    };
    (0..count).map(tap).collect()
}
