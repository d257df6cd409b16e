//! Resized images and crops against their definitions.

use proptest::prelude::*;
use tidemill_kernels::NumericError;
use tidemill_kernels::resize::*;
use tidemill_value::{DType, Memory, Value};

use crate::support::*;

const ALIGNMENTS: [Align; 3] = [Align::Origin, Align::Corners, Align::HalfPixels];

fn noise(shape: &[usize], seed: usize) -> Value {
    filled(shape, |i| ((i * 31 + seed * 17) % 23) as f32 / 8.0 - 1.25)
}

fn sizes() -> impl Strategy<Value = ([usize; 4], [usize; 2], Align)> {
    let align = prop::sample::select(&ALIGNMENTS[..]);
    ([0_usize..3, 1..6, 1..6, 1..4], [1_usize..9, 1..9], align)
}

fn dot(left: &Value, right: &Value) -> f64 {
    let pairs = left.as_slice::<f32>().unwrap().iter().zip(right.as_slice::<f32>().unwrap());
    pairs.map(|(l, r)| f64::from(*l) * f64::from(*r)).sum()
}

/// The position on an axis of `extent` of pixel `i` of `count`.
fn position(i: usize, extent: usize, count: usize, align: Align) -> f64 {
    let (i, extent, count) = (i as f64, extent as f64, count as f64);
    match align {
        Align::Origin => i * extent / count,
        Align::Corners if count == 1.0 => 0.0,
        Align::Corners => i * (extent - 1.0) / (count - 1.0),
        Align::HalfPixels => (i + 0.5) * extent / count - 0.5,
    }
}

/// The sum of the pixels of images, weighted by row and by column.
fn by_weights(
    images: &Value,
    size: [usize; 2],
    weight: impl Fn(usize, usize, usize, usize) -> f64,
) -> Vec<f64> {
    let [batch, height, width, depth] = images.shape()[..] else { panic!("4 axes") };
    let pixels = images.as_slice::<f32>().unwrap();
    let pixel =
        |p: &[usize]| f64::from(pixels[((p[0] * height + p[1]) * width + p[2]) * depth + p[3]]);
    let resized = |p: Vec<usize>| {
        let all = positions(&[height, width]).into_iter().map(|q| {
            let by = weight(p[1], q[0], height, size[0]) * weight(p[2], q[1], width, size[1]);
            by * pixel(&[p[0], q[0], q[1], p[3]])
        });
        all.sum()
    };
    positions(&[batch, size[0], size[1], depth]).into_iter().map(resized).collect()
}

fn assert_near(actual: &Value, expected: &[f64], tolerance: f64) {
    let actual = actual.as_slice::<f32>().unwrap();
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        assert!((f64::from(*actual) - expected).abs() <= tolerance, "{actual} {expected}");
    }
}

/// The weight of a pixel at a distance (Keys 1981).
fn cubic(distance: f64, slope: f64) -> f64 {
    let (x, a) = (distance.abs(), slope);
    match x {
        0.0..=1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
        1.0..2.0 => ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a,
        _ => 0.0,
    }
}

proptest! {
    #[test]
    fn bilinear_pixels_are_means_by_distance((shape, size, align) in sizes()) {
        let images = noise(&shape, 1);
        let expected = by_weights(&images, size, |i, pixel, extent, count| {
            let at = position(i, extent, count, align).clamp(0.0, (extent - 1) as f64);
            (1.0 - (at - pixel as f64).abs()).max(0.0)
        });
        assert_near(&bilinear(&Memory::new(), &images, size, align).unwrap(), &expected, 1e-4);
    }

    #[test]
    fn bicubic_pixels_are_weighted_by_cubics((shape, size, align) in sizes()) {
        let images = noise(&shape, 1);
        let centered = align == Align::HalfPixels;
        let slope = if centered { -0.5 } else { -0.75 };
        let expected = by_weights(&images, size, |i, pixel, extent, count| {
            let at = position(i, extent, count, align);
            let around = (-1..=2).map(|offset| at.floor() as i64 + offset);
            let weight = |k: i64| cubic(at - k as f64, slope);
            // Pixels outside count as the nearest inside, or not at all.
            let inside = |k: &i64| (0..extent as i64).contains(k);
            let nearest = |k: i64| k.clamp(0, extent as i64 - 1) == pixel as i64;
            if centered {
                let sum: f64 = around.clone().filter(inside).map(weight).sum();
                around.filter(inside).filter(|k| nearest(*k)).map(weight).sum::<f64>() / sum
            } else {
                around.filter(|k| nearest(*k)).map(weight).sum()
            }
        });
        // Positions are rounded to 1/1024.
        assert_near(&bicubic(&Memory::new(), &images, size, align).unwrap(), &expected, 2e-2);
    }

    #[test]
    fn gradients_of_resized_images_are_their_transposes((shape, size, align) in sizes()) {
        let images = noise(&shape, 1);
        let grad = noise(&[shape[0], size[0], size[1], shape[3]], 2);
        let own = [shape[1], shape[2]];
        let pairs = [
            (nearest(&Memory::new(), &images, size, align), nearest_grad(&Memory::new(), &grad, own, align)),
            (bilinear(&Memory::new(), &images, size, align), bilinear_grad(&Memory::new(), &grad, own, align, DType::F32)),
            (bicubic(&Memory::new(), &images, size, align), bicubic_grad(&Memory::new(), &grad, own, align, DType::F32)),
        ];
        for (resized, back) in pairs {
            let (resized, back) = (resized.unwrap(), back.unwrap());
            let difference = dot(&resized, &grad) - dot(&images, &back);
            prop_assert!(difference.abs() < 1e-3, "{difference}");
        }
    }

    #[test]
    fn a_crop_of_all_is_resized_from_corner_to_corner((shape, size, _) in sizes()) {
        let images = noise(&shape, 1);
        let boxes: Vec<f32> = [0.0, 0.0, 1.0, 1.0].repeat(shape[0]);
        let boxes = Value::from_vec([shape[0], 4], boxes).unwrap();
        let of = Value::list((0..shape[0] as i32).collect());
        let all = Boxes { boxes: &boxes, images: &of };
        let larger = size.map(|extent| extent + 1);
        let cropped = crop(&Memory::new(), &images, all, larger, Method::Bilinear, NAN).unwrap();
        let expected = bilinear(&Memory::new(), &images, larger, Align::Corners).unwrap();
        let expected: Vec<f64> =
            expected.as_slice::<f32>().unwrap().iter().map(|x| (*x).into()).collect();
        // A position rounded to outside is not a number.
        for (actual, expected) in cropped.as_slice::<f32>().unwrap().iter().zip(expected) {
            prop_assert!(actual.is_nan() || (f64::from(*actual) - expected).abs() < 1e-4);
        }
    }

    #[test]
    fn gradients_of_crops_are_transposes_and_differences(
        (shape, size, _) in sizes(),
        edges in prop::collection::vec(-0.2_f32..1.2, 12),
    ) {
        let shape = [2, shape[1] + 1, shape[2] + 1, shape[3]];
        let (images, boxes) = (noise(&shape, 1), Value::from_vec([3, 4], edges.clone()).unwrap());
        let of = Value::from([1, 0, 1]);
        let all = Boxes { boxes: &boxes, images: &of };
        let grad = noise(&[3, size[0], size[1], shape[3]], 2);
        for method in [Method::Bilinear, Method::Nearest] {
            let cropped = crop(&Memory::new(), &images, all, size, method, 0.0).unwrap();
            let back = crop_grad_images(&Memory::new(), &grad, all, images.shape(), method, DType::F32).unwrap();
            let difference = dot(&cropped, &grad) - dot(&images, &back);
            prop_assert!(difference.abs() < 1e-3, "{difference}");
        }
        // As long as the step does not carry a pixel over an edge, the crops are linear in it.
        let back = crop_grad_boxes(&Memory::new(), &grad, &images, all).unwrap();
        let shifted = |i: usize, by: f32| {
            let mut edges = edges.clone();
            edges[i] += by;
            let boxes = Value::from_vec([3, 4], edges).unwrap();
            let boxes = Boxes { boxes: &boxes, images: &of };
            dot(&crop(&Memory::new(), &images, boxes, size, Method::Bilinear, 0.0).unwrap(), &grad)
        };
        for i in 0..12 {
            let step = 1.0 / 256.0;
            let [one, two] = [-step, step].map(|by| shifted(i, by));
            let (left, right) = (shifted(i, 0.0) - one, two - shifted(i, 0.0));
            if (left - right).abs() < 1e-4 {
                let slope = (two - one) / f64::from(2.0 * step);
                let found = f64::from(back.as_slice::<f32>().unwrap()[i]);
                prop_assert!((slope - found).abs() < 0.1, "{slope} {found}");
            }
        }
    }
}

#[test]
fn pixels_that_are_not_there_are_errors() {
    let empty = Value::zeros(DType::F32, [1, 0, 2, 1]).unwrap();
    let one = Value::zeros(DType::F32, [1, 1, 1, 1]).unwrap();
    for resize in [nearest, bilinear, bicubic] {
        let error = resize(&Memory::new(), &empty, [2, 2], Align::Origin);
        assert!(matches!(error, Err(NumericError::EmptyAxis { axis: 1, .. })));
        let error = resize(&Memory::new(), &one, [1 << 40, 1 << 40], Align::Origin);
        assert!(matches!(error, Err(NumericError::Value(_))));
    }
    let boxes = Value::from_vec([1, 4], vec![0.0_f32, 0.0, 1.0, INF]).unwrap();
    let cut = |of: i32| {
        let images = Value::from([of]);
        crop(
            &Memory::new(),
            &one,
            Boxes { boxes: &boxes, images: &images },
            [1, 1],
            Method::Nearest,
            0.0,
        )
    };
    assert!(matches!(cut(1), Err(NumericError::IndexOutOfRange { index: 1, .. })));
    assert!(matches!(cut(0), Err(NumericError::NotFinite { position: 3 })));
}
