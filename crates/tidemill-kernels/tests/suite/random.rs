//! The numbers are TensorFlow 2.21's for operations with attributes `seed` and `seed2`.

use tidemill_kernels::NumericError;
use tidemill_kernels::random::*;
use tidemill_kernels::reduce::mean;
use tidemill_value::{Memory, Value};

use crate::support::*;

fn key(seed: i64, stream: i64) -> RandomKey {
    RandomKey { seed: seed as u64, stream: stream as u64, count: 0 }
}

fn drawn<T: Clone + Default, const N: usize>(
    draw: fn(RandomKey, &mut [T]),
    key: RandomKey,
) -> [T; N] {
    let mut out = std::array::from_fn(|_| T::default());
    draw(key, &mut out);
    out
}

#[test]
fn uniform_numbers_are_those_of_tensorflow() {
    let bits = drawn::<f32, 6>(uniform, key(1, 2)).map(f32::to_bits);
    assert_eq!(bits, [0x3ed0133c, 0x3f5b8ba6, 0x3d62e6c0, 0x3dafddd0, 0x3ed305cc, 0x3d160a40]);
    let bits = drawn::<f32, 3>(uniform, key(-3, (1 << 40) + 5)).map(f32::to_bits);
    assert_eq!(bits, [0x3f5096a8, 0x3ed3aae4, 0x3f78536a]);
    let bits = drawn::<f64, 3>(uniform, key(1, 2)).map(f64::to_bits);
    assert_eq!(bits, [0x3fd0133e33b7174c, 0x3fdc5cd8282bf774, 0x3fd305cf6c12c148]);
}

#[test]
fn normal_numbers_are_those_of_tensorflow() {
    let expected = [-1.0467793, 0.8397046, 1.2358364, 2.0637853, 0.3037427, 1.2963251];
    let numbers = drawn::<f32, 6>(standard_normal, key(1, 2));
    assert_close(&value(numbers), &expected, 1e-6);
    let expected = [0.13408624, 0.50698577, -1.07129387, 0.6226719, 0.10136638, -1.93561316];
    let numbers = drawn::<f64, 6>(standard_normal, key(87654321, 7));
    assert_close(&value(numbers), &expected, 1e-7);
}

#[test]
fn truncated_normal_numbers_are_those_of_tensorflow() {
    let expected = [-1.0467793, 0.8397046, 1.2358364, 0.3037427, 0.38869092, 1.2367047];
    let numbers = drawn::<f32, 6>(truncated_normal, key(1, 2));
    assert_close(&value(numbers), &expected, 1e-6);
    let expected = [0.58105877, -1.55742911, -1.12958451, -0.515653, -1.12792186, -0.55897853];
    let numbers = drawn::<f64, 6>(truncated_normal, key(1, 2));
    assert_close(&value(numbers), &expected, 1e-7);
}

#[test]
fn uniform_integers_are_those_of_tensorflow() {
    let mut narrow = [0_i32; 6];
    uniform_integer(key(1, 2), -5, 100, &mut narrow).unwrap();
    assert_eq!(narrow, [84, 75, 22, 54, 81, 56]);
    uniform_integer(key(-3, (1 << 40) + 5), i32::MIN, i32::MAX, &mut narrow).unwrap();
    let expected = [-1838658732, -1707808071, 1174153653, -134937022, -1844179299, 850632464];
    assert_eq!(narrow, expected);
    let mut wide = [0_i64; 3];
    uniform_integer(key(1, 2), -5, 100, &mut wide).unwrap();
    assert_eq!(wide, [89, 6, 52]);
    uniform_integer(key(1, 2), i64::MIN, i64::MAX, &mut wide).unwrap();
    assert_eq!(wide, [931618211843278031, -8499702220021360842, 6558560826674168179]);
}

#[test]
fn shuffles_are_those_of_tensorflow() {
    assert_eq!(shuffle_permutation(key(1, 2), 10), [9, 0, 8, 6, 1, 3, 7, 2, 4, 5]);
    assert_eq!(shuffle_permutation(key(87654321, 7), 10), [7, 2, 0, 9, 8, 4, 5, 1, 6, 3]);
    assert_eq!(shuffle_permutation(key(1, 2), 1), [0]);
    assert!(shuffle_permutation(key(1, 2), 0).is_empty());
}

#[test]
fn a_shuffle_keeps_every_number() {
    let mut order = shuffle_permutation(key(5, 6), 1000);
    order.sort_unstable();
    assert_eq!(order, (0..1000).collect::<Vec<_>>());
}

#[test]
fn an_interval_without_integers_is_an_error() {
    let error = NumericError::EmptyInterval { low: 3, high: 3 };
    assert_eq!(uniform_integer(key(1, 2), 3, 3, &mut [0_i32]), Err(error));
    let error = NumericError::EmptyInterval { low: 4, high: -4 };
    assert_eq!(uniform_integer(key(1, 2), 4_i64, -4, &mut []), Err(error));
}

#[test]
fn a_shorter_draw_is_the_beginning_of_a_longer_one() {
    for draw in [uniform::<f32>, standard_normal, truncated_normal] {
        let long = drawn::<f32, 101>(draw, key(1, 2));
        assert_eq!(drawn::<f32, 50>(draw, key(1, 2)), long[..50]);
        assert_eq!(drawn::<f32, 3>(draw, key(1, 2)), long[..3]);
    }
    let long = drawn::<f64, 101>(truncated_normal, key(1, 2));
    assert_eq!(drawn::<f64, 7>(truncated_normal, key(1, 2)), long[..7]);
}

#[test]
fn every_draw_differs_from_the_one_before() {
    let first = drawn::<f32, 100>(uniform, key(1, 2));
    let second = drawn::<f32, 100>(uniform, RandomKey { count: 1, ..key(1, 2) });
    assert!(first.iter().all(|x| !second.contains(x)));
}

#[test]
fn distributions_have_their_moments() {
    let moments = |numbers: Vec<f64>| {
        let squares = numbers.iter().map(|x| x * x).collect::<Vec<f64>>();
        [numbers, squares]
            .map(|x| mean(&Memory::new(), &Value::list(x), &[0]).unwrap().to_scalar().unwrap())
    };
    let numbers = drawn::<f64, 20_000>(uniform, key(3, 4));
    assert!(numbers.iter().all(|x| (0.0..1.0).contains(x)));
    let [first, second]: [f64; 2] = moments(numbers.to_vec());
    assert!((first - 0.5).abs() < 0.01 && (second - 1.0 / 3.0).abs() < 0.01);
    let [first, second]: [f64; 2] =
        moments(drawn::<f64, 20_000>(standard_normal, key(3, 4)).to_vec());
    assert!(first.abs() < 0.03 && (second - 1.0).abs() < 0.03);
    let numbers = drawn::<f64, 20_000>(truncated_normal, key(3, 4));
    assert!(numbers.iter().all(|x| x.abs() < 2.0));
    let [first, second]: [f64; 2] = moments(numbers.to_vec());
    assert!(first.abs() < 0.03 && (second - 0.774).abs() < 0.03);
}

/// The known answers that the authors publish with their library Random123.
#[test]
fn the_published_answers_are_met() {
    assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    assert_eq!(
        philox([u32::MAX; 4], [u32::MAX; 2]),
        [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
    );
    assert_eq!(
        philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
    );
}

#[test]
fn draws_and_positions_beyond_32_bits_do_not_meet_others() {
    let key = RandomKey { seed: 1, stream: 2, count: 3 };
    let later = RandomKey { count: key.count + (1 << 32), ..key };
    assert_ne!(key.group(0), later.group(0));
    assert_ne!(key.group(0), key.group(1 << 32));
    assert_ne!(RandomKey { count: 4, ..key }.group(0), key.group(1 << 32));
}
