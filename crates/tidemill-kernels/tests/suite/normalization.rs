//! Normalization of channels against sums written out and finite differences.

use proptest::prelude::*;
use tidemill_kernels::batch_norm::*;
use tidemill_kernels::local_response::LocalResponse;
use tidemill_value::{Memory, Value};

use crate::support::*;

const STEP: f64 = 1e-5;

fn noise(shape: &[usize], seed: usize) -> Value {
    filled(shape, |i| ((i * 31 + seed * 17) % 23) as f64 / 8.0 - 1.25)
}

/// A shape and one of its axes.
fn shapes() -> impl Strategy<Value = (Vec<usize>, usize)> {
    let shape = prop::collection::vec(1_usize..5, 2..5);
    shape.prop_flat_map(|shape| (0..shape.len()).prop_map(move |axis| (shape.clone(), axis)))
}

/// The elements of each channel.
fn by_channel(x: &Value, axis: usize) -> Vec<Vec<f64>> {
    let mut channels = vec![Vec::new(); x.shape()[axis]];
    for (position, x) in positions(x.shape()).iter().zip(x.as_slice::<f64>().unwrap()) {
        channels[position[axis]].push(*x);
    }
    channels
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

fn variance(numbers: &[f64]) -> f64 {
    mean(&numbers.iter().map(|x| (x - mean(numbers)).powi(2)).collect::<Vec<_>>())
}

/// The change of `f` with each element of `x`.
fn differences(x: &Value, f: impl Fn(&Value) -> f64) -> Vec<f64> {
    let moved = |i: usize, by: f64| {
        let mut elements = x.as_slice::<f64>().unwrap().to_vec();
        elements[i] += by;
        f(&Value::from_vec(x.shape().clone(), elements).unwrap())
    };
    (0..x.elements()).map(|i| (moved(i, STEP) - moved(i, -STEP)) / (2.0 * STEP)).collect()
}

fn assert_near(actual: &Value, expected: &[f64], tolerance: f64) {
    let actual = actual.as_slice::<f64>().unwrap();
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        assert!(
            (actual - expected).abs() <= tolerance * (1.0 + expected.abs()),
            "{actual} {expected}"
        );
    }
}

fn dot(left: &Value, right: &Value) -> f64 {
    let pairs = left.as_slice::<f64>().unwrap().iter().zip(right.as_slice::<f64>().unwrap());
    pairs.map(|(l, r)| l * r).sum()
}

proptest! {
    #[test]
    fn moments_are_those_of_each_channel((shape, axis) in shapes()) {
        let x = noise(&shape, 1);
        let channels = by_channel(&x, axis);
        let (means, variances) = channel_moments(&Memory::new(), &x, axis).unwrap();
        assert_near(&means, &channels.iter().map(|c| mean(c)).collect::<Vec<_>>(), 1e-12);
        assert_near(&variances, &channels.iter().map(|c| variance(c)).collect::<Vec<_>>(), 1e-12);
    }

    #[test]
    fn channels_are_scaled_and_their_gradients_are_differences(
        (shape, axis) in shapes(),
        of_batch: bool,
    ) {
        let (x, grad) = (noise(&shape, 1), noise(&shape, 2));
        let list = |seed: usize| noise(&[shape[axis]], seed);
        let (scale, offset, epsilon) = (list(3), list(4), 0.25);
        let given = (list(5), filled(&[shape[axis]], |i| 0.5 + i as f64));
        let normalized = |x: &Value, scale: &Value, offset: &Value| {
            let (mean, variance) =
                if of_batch { channel_moments(&Memory::new(), x, axis).unwrap() } else { given.clone() };
            let by = Normalization { axis, scale, mean: &mean, variance: &variance, epsilon };
            normalize(&Memory::new(), x.clone(), &by, offset).unwrap()
        };
        let y = normalized(&x, &scale, &offset);
        let lists = [&scale, &offset, &given.0, &given.1].map(|x| x.as_slice::<f64>().unwrap());
        let channels = by_channel(&x, axis);
        let elements = positions(&shape).into_iter().zip(x.as_slice::<f64>().unwrap());
        let expected: Vec<f64> = elements
            .map(|(position, x)| {
                let c = position[axis];
                let (mean, variance) = match of_batch {
                    true => (mean(&channels[c]), variance(&channels[c])),
                    false => (lists[2][c], lists[3][c]),
                };
                (x - mean) / (variance + f64::from(epsilon)).sqrt() * lists[0][c] + lists[1][c]
            })
            .collect();
        assert_near(&y, &expected, 1e-9);

        let (mean, variance) =
            if of_batch { channel_moments(&Memory::new(), &x, axis).unwrap() } else { given.clone() };
        let by = Normalization { axis, scale: &scale, mean: &mean, variance: &variance, epsilon };
        let grads = normalize_grad(&Memory::new(), grad.clone(), &x, &by, of_batch).unwrap();
        let sum = |x: &Value, scale: &Value, offset: &Value| dot(&normalized(x, scale, offset), &grad);
        assert_near(&grads.x, &differences(&x, |x| sum(x, &scale, &offset)), 1e-5);
        assert_near(&grads.scale, &differences(&scale, |scale| sum(&x, scale, &offset)), 1e-5);
        assert_near(&grads.offset, &differences(&offset, |offset| sum(&x, &scale, offset)), 1e-5);
    }

    #[test]
    fn local_responses_are_normalized_by_the_channels_around(
        depth in 1_usize..8,
        radius in 0_usize..4,
        beta in prop::sample::select(&[0.5_f32, 0.75, 1.0, 2.0][..]),
    ) {
        let options = LocalResponse { radius, bias: 1.5, alpha: 0.25, beta };
        let (x, grad) = (noise(&[3, depth], 1), noise(&[3, depth], 2));
        let elements = x.as_slice::<f64>().unwrap();
        let expected: Vec<f64> = (0..3 * depth)
            .map(|i| {
                let row = &elements[i / depth * depth..][..depth];
                let near = |j: &usize| (i % depth).abs_diff(*j) <= radius;
                let squares: f64 = (0..depth).filter(near).map(|j| row[j] * row[j]).sum();
                elements[i] / (1.5 + 0.25 * squares).powf(beta.into())
            })
            .collect();
        let y = options.normalize(&Memory::new(), &x).unwrap();
        assert_near(&y, &expected, 1e-12);
        let found = options.gradient(&Memory::new(), &grad, &x, &y).unwrap();
        let expected = differences(&x, |x| dot(&options.normalize(&Memory::new(), x).unwrap(), &grad));
        assert_near(&found, &expected, 1e-6);
    }
}
