//! Pools and dilation against windows written out.

use proptest::prelude::*;
use tidemill_kernels::dilation::{Dilation, Side};
use tidemill_kernels::layout::transpose;
use tidemill_kernels::pooling::*;
use tidemill_kernels::window::{Padding, Slide};
use tidemill_value::{DType, Memory, Value};

use crate::support::*;

/// The positions on an axis of the elements of each window.
fn windows(input: usize, filter: usize, slide: Slide) -> Vec<Vec<usize>> {
    let Slide { stride, dilation, padding } = slide;
    let span = (filter - 1) * dilation + 1;
    let (before, padded) = match padding {
        Padding::Same => {
            let around = ((input.div_ceil(stride) - 1) * stride + span).saturating_sub(input);
            (around / 2, input + around)
        }
        Padding::Valid => (0, input),
        Padding::Explicit(before, after) => (before, before + input + after),
    };
    let starts = (0..padded).step_by(stride).take_while(|start| start + span <= padded);
    let on_input = |at: usize| at.checked_sub(before).filter(|at| *at < input);
    starts
        .map(|start| (0..filter).filter_map(|i| on_input(start + i * dilation)).collect())
        .collect()
}

/// A slide on an axis of up to 7 elements for a filter of up to 3.
fn slides() -> impl Strategy<Value = Slide> {
    let padding = prop_oneof![
        Just(Padding::Same),
        Just(Padding::Valid),
        (0_usize..2, 0_usize..2).prop_map(|(before, after)| Padding::Explicit(before, after)),
    ];
    (1_usize..4, padding).prop_map(|(stride, padding)| Slide { stride, dilation: 1, padding })
}

fn pools() -> impl Strategy<Value = (Pool, [usize; 4])> {
    let slides = [slides(), slides()];
    ([1_usize..4, 1..4], slides, [0_usize..3, 3..8, 3..8, 1..4]).prop_map(
        |(extents, slides, shape)| (Pool { extents, slides, channels_first: false }, shape),
    )
}

/// Few different numbers, so that there are ties.
fn noise(shape: &[usize], seed: usize) -> Value {
    filled(shape, |i| ((i * 31 + seed * 17) % 11) as f64 / 4.0 - 1.25)
}

/// The positions, among the elements of `shape`, of the elements of each window, in order.
fn places(pool: &Pool, shape: [usize; 4]) -> Vec<Vec<usize>> {
    let [batch, height, width, depth] = shape;
    let rows = windows(height, pool.extents[0], pool.slides[0]);
    let columns = windows(width, pool.extents[1], pool.slides[1]);
    let mut places = Vec::new();
    for image in 0..batch {
        for (row, column) in rows.iter().flat_map(|row| columns.iter().map(move |c| (row, c))) {
            places.extend((0..depth).map(|channel| {
                let at =
                    |y: &usize, x: &usize| ((image * height + y) * width + x) * depth + channel;
                row.iter().flat_map(|y| column.iter().map(move |x| at(y, x))).collect()
            }));
        }
    }
    places
}

fn dot(left: &Value, right: &Value) -> f64 {
    let pairs = left.as_slice::<f64>().unwrap().iter().zip(right.as_slice::<f64>().unwrap());
    pairs.map(|(l, r)| l * r).sum()
}

proptest! {
    #[test]
    fn pools_are_what_their_windows_say((pool, shape) in pools()) {
        let (x, places) = (noise(&shape, 1), places(&pool, shape));
        let elements = x.as_slice::<f64>().unwrap();
        let first_largest = |window: &Vec<usize>| {
            window.iter().copied().reduce(|best, i| if elements[i] > elements[best] { i } else { best })
        };
        let winners: Vec<Option<usize>> = places.iter().map(first_largest).collect();
        let largest: Vec<f64> = winners.iter().map(|w| w.map_or(f64::MIN, |i| elements[i])).collect();
        let means: Vec<f64> = places
            .iter()
            .map(|window| {
                let sum: f64 = window.iter().map(|&i| elements[i]).sum();
                sum / window.len().max(1) as f64
            })
            .collect();
        let pooled = max_pool(&Memory::new(), &x, &pool).unwrap();
        assert_close(&pooled, &largest, 0.0);
        assert_close(&mean_pool(&Memory::new(), &x, &pool).unwrap(), &means, 1e-12);
        let found = arg_max_pool(&Memory::new(), &x, &pool, false, DType::I64).unwrap();
        let expected: Vec<i64> = winners.iter().map(|w| w.map_or(-1, |i| i as i64)).collect();
        prop_assert_eq!(found.as_slice::<i64>().unwrap(), &expected[..]);

        let grad = noise(pooled.shape(), 2);
        let (mut of_max, mut of_mean) = (vec![0.0; elements.len()], vec![0.0; elements.len()]);
        let incoming = grad.as_slice::<f64>().unwrap();
        for ((window, winner), grad) in places.iter().zip(&winners).zip(incoming) {
            winner.iter().for_each(|&i| of_max[i] += grad);
            window.iter().for_each(|&i| of_mean[i] += grad / window.len() as f64);
        }
        assert_close(&max_pool_grad(&Memory::new(), &x, &grad, &pool).unwrap(), &of_max, 1e-12);
        assert_close(&mean_pool_grad(&Memory::new(), x.shape(), &grad, &pool).unwrap(), &of_mean, 1e-9);
        let values = noise(&shape, 3);
        let picked = pick_largest(&Memory::new(), &x, &values, &pool).unwrap();
        let back = max_pool_grad(&Memory::new(), &x, &grad, &pool).unwrap();
        prop_assert!((dot(&picked, &grad) - dot(&values, &back)).abs() < 1e-9);
    }

    #[test]
    fn channels_may_come_first((pool, shape) in pools()) {
        let (x, first) = (noise(&shape, 1), Pool { channels_first: true, ..pool });
        let turned = transpose(&Memory::new(), &x, &[0, 3, 1, 2]).unwrap();
        for pooled in [max_pool, mean_pool] {
            let expected = transpose(&Memory::new(), &pooled(&Memory::new(), &x, &pool).unwrap(), &[0, 3, 1, 2]).unwrap();
            prop_assert!(pooled(&Memory::new(), &turned, &first).unwrap().bits_eq(&expected));
        }
    }

    #[test]
    fn dilation_takes_the_first_of_the_largest_sums(
        (pool, shape) in pools(),
        dilation in 1_usize..3,
    ) {
        let slides = pool.slides.map(|slide| Slide { dilation, ..slide });
        let [batch, height, width, depth] = shape;
        let filter = [pool.extents[0], pool.extents[1], depth];
        let (input, weights) = (noise(&shape, 1), noise(&filter, 2));
        let plan = Dilation::new(input.shape(), weights.shape(), &slides).unwrap();
        let mut expected = Vec::new();
        let rows = windows(height, filter[0], slides[0]);
        let columns = windows(width, filter[1], slides[1]);
        let taps = |all: &[Vec<usize>], i: usize, first: usize| -> Vec<(usize, usize)> {
            // The first tap on the input tells where the window starts.
            all[i].iter().enumerate().map(|(k, &at)| (at, first + k)).collect()
        };
        for (image, y, x) in positions(&[batch, rows.len(), columns.len()])
            .into_iter()
            .map(|p| (p[0], p[1], p[2]))
        {
            let row_taps = taps(&rows, y, skipped(height, filter[0], slides[0], y));
            let column_taps = taps(&columns, x, skipped(width, filter[1], slides[1], x));
            expected.extend((0..depth).map(|c| {
                let sum = |&(r, i): &(usize, usize), &(q, j): &(usize, usize)| {
                    let pixel = ((image * height + r) * width + q) * depth + c;
                    let tap = (i * filter[1] + j) * depth + c;
                    input.as_slice::<f64>().unwrap()[pixel] + weights.as_slice::<f64>().unwrap()[tap]
                };
                let sums = row_taps.iter().flat_map(|r| column_taps.iter().map(move |q| sum(r, q)));
                sums.fold(f64::MIN, f64::max)
            }));
        }
        let dilated = plan.forward(&Memory::new(), &input, &weights).unwrap();
        assert_close(&dilated, &expected, 1e-12);
        let grad = noise(dilated.shape(), 3);
        for (side, operand) in [(Side::Input, &input), (Side::Filter, &weights)] {
            let values = noise(operand.shape(), 4);
            let back = plan.gradient(&Memory::new(), side, &input, &weights, &grad).unwrap();
            let picked = plan.pick(&Memory::new(), side, &input, &weights, &values).unwrap();
            prop_assert!((dot(&picked, &grad) - dot(&values, &back)).abs() < 1e-9);
        }
    }
}

/// The number of taps of window `i` that lie before the input.
fn skipped(input: usize, filter: usize, slide: Slide, i: usize) -> usize {
    let window = slide.window(input, filter).unwrap();
    window.taps(i).start
}

#[test]
fn nan_is_passed_over_unless_it_is_the_first() {
    let nan_and = |elements: [f32; 4]| Value::from_vec([1, 1, 4, 1], elements.to_vec()).unwrap();
    let slide = Slide { stride: 2, dilation: 1, padding: Padding::Valid };
    let pool = Pool { extents: [1, 2], slides: [Slide::UNIT, slide], channels_first: false };
    let x = nan_and([NAN, 1.0, 2.0, NAN]);
    assert_eq!(max_pool(&Memory::new(), &x, &pool).unwrap().as_slice::<f32>().unwrap(), [1.0, 2.0]);
    let places = arg_max_pool(&Memory::new(), &x, &pool, true, DType::I32).unwrap();
    assert_eq!(places.as_slice::<i32>().unwrap(), [0, 2]);
    let x = nan_and([NAN, NAN, -INF, -INF]);
    assert_eq!(
        max_pool(&Memory::new(), &x, &pool).unwrap().as_slice::<f32>().unwrap(),
        [f32::MIN; 2]
    );
}
