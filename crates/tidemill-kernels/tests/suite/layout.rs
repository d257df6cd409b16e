use proptest::prelude::*;
use tidemill_kernels::NumericError;
use tidemill_kernels::layout::*;
use tidemill_value::{ByteString, DType, Memory, Scalar, Value, ValueError, broadcast};

use crate::support::*;

/// A value whose elements tell their origin.
fn numbered(shape: &[usize]) -> Value {
    filled(shape, |i| i as i32)
}

/// A value of `shape` whose elements come from the positions given by `source`.
fn picked(shape: &[usize], source: impl Fn(&[usize]) -> i32) -> Value {
    let elements = positions(shape).iter().map(|position| source(position)).collect();
    Value::from_vec(shape, elements).unwrap()
}

fn shape_and_permutation() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    small_shape(5).prop_flat_map(|shape| {
        let axes: Vec<usize> = (0..shape.len()).collect();
        (Just(shape), Just(axes).prop_shuffle())
    })
}

fn shape_and_cuts() -> impl Strategy<Value = (Vec<usize>, Vec<Cut>)> {
    small_shape(4).prop_flat_map(|shape| {
        let cuts: Vec<_> = shape.iter().map(|&extent| cut(extent)).collect();
        (Just(shape), cuts)
    })
}

/// A cut of an axis that stays inside it.
fn cut(extent: usize) -> impl Strategy<Value = Cut> {
    (0..extent.max(1), 0_usize..6, -3_isize..4).prop_map(move |(begin, count, step)| {
        let room = match step {
            0 => count,
            1.. => (extent - begin.min(extent)).div_ceil(step as usize),
            _ => begin / step.unsigned_abs() + 1,
        };
        Cut { begin, count: if extent == 0 { 0 } else { count.min(room) }, step }
    })
}

proptest! {
    #[test]
    fn a_transposed_value_has_its_axes_in_another_order(
        (shape, permutation) in shape_and_permutation(),
    ) {
        let output: Vec<usize> = permutation.iter().map(|&axis| shape[axis]).collect();
        let expected = picked(&output, |position| {
            let mut source = vec![0; shape.len()];
            for (&axis, &i) in permutation.iter().zip(position) {
                source[axis] = i;
            }
            offset(&shape, &source) as i32
        });
        prop_assert_eq!(transpose(&Memory::new(), &numbered(&shape), &permutation), Ok(expected));
    }

    #[test]
    fn large_matrices_are_transposed_block_by_block(rows in 1_usize..80, columns in 1_usize..80) {
        let expected = picked(&[columns, 2, rows], |at| ((at[1] * rows + at[2]) * columns + at[0]) as i32);
        prop_assert_eq!(transpose(&Memory::new(), &numbered(&[2, rows, columns]), &[2, 0, 1]), Ok(expected));
    }

    #[test]
    fn a_cut_value_has_the_elements_the_cuts_name((shape, cuts) in shape_and_cuts()) {
        let output: Vec<usize> = cuts.iter().map(|cut| cut.count).collect();
        let expected = picked(&output, |position| {
            let source = cuts.iter().zip(position);
            let source = source.map(|(cut, &i)| (cut.begin as isize + i as isize * cut.step) as usize);
            offset(&shape, &source.collect::<Vec<_>>()) as i32
        });
        prop_assert_eq!(strided_slice(&Memory::new(), &numbered(&shape), &cuts), Ok(expected));
    }

    #[test]
    fn a_reversed_axis_is_read_from_its_end((shape, axes) in shape_and_permutation(), count in 0_usize..5) {
        let axes = &axes[..count.min(axes.len())];
        let expected = picked(&shape, |position| {
            let mut source = position.to_vec();
            for &axis in axes {
                source[axis] = shape[axis] - 1 - source[axis];
            }
            offset(&shape, &source) as i32
        });
        prop_assert_eq!(reverse(&Memory::new(), &numbered(&shape), axes), Ok(expected));
    }

    #[test]
    fn a_tiled_value_repeats_itself(
        (shape, multiples) in small_shape(4)
            .prop_flat_map(|shape| { let n = shape.len(); (Just(shape), prop::collection::vec(0_usize..4, n)) }),
    ) {
        let output: Vec<usize> = shape.iter().zip(&multiples).map(|(x, y)| x * y).collect();
        let expected = picked(&output, |position| {
            let source: Vec<usize> = position.iter().zip(&shape).map(|(i, extent)| i % extent).collect();
            offset(&shape, &source) as i32
        });
        prop_assert_eq!(tile(&Memory::new(), &numbered(&shape), &multiples), Ok(expected));
    }

    #[test]
    fn a_stretched_value_repeats_itself(shape in small_shape(4), missing in 0_usize..4, ones: u8) {
        let own: Vec<usize> = shape.iter().enumerate().skip(missing.min(shape.len()))
            .map(|(i, &extent)| if ones >> i & 1 == 1 { 1 } else { extent }).collect();
        let expected = picked(&shape, |position| offset(&own, position) as i32);
        prop_assert_eq!(broadcast_to(&Memory::new(), &numbered(&own), &shape), Ok(expected));
    }

    #[test]
    fn parts_joined_are_the_whole_and_the_whole_split_is_the_parts(
        shape in small_shape(4),
        axis in 0_usize..4,
        extents in prop::collection::vec(0_usize..4, 1..5),
    ) {
        prop_assume!(axis < shape.len());
        let mut whole = shape.clone();
        whole[axis] = extents.iter().sum();
        let whole = numbered(&whole);
        let parts = split(&Memory::new(), &whole, axis, &extents).unwrap();
        for (part, &extent) in parts.iter().zip(&extents) {
            prop_assert_eq!(part.shape()[axis], extent);
        }
        prop_assert_eq!(concat(&Memory::new(), &parts.iter().collect::<Vec<_>>(), axis), Ok(whole));
    }

    #[test]
    fn values_packed_are_unpacked_again(shape in small_shape(3), axis in 0_usize..4, count in 1_usize..4) {
        prop_assume!(axis <= shape.len());
        let values: Vec<Value> = (0..count).map(|k| filled(&shape, |i| (100 * k + i) as i64)).collect();
        let packed = pack(&Memory::new(), &values.iter().collect::<Vec<_>>(), axis).unwrap();
        prop_assert_eq!(packed.shape()[axis], count);
        prop_assert_eq!(unpack(&Memory::new(), &packed, axis), Ok(values));
    }

    #[test]
    fn gathered_rows_are_those_the_indices_name(
        shape in small_shape(3),
        axis in 0_usize..3,
        indices in small_shape(2),
        seed in 0_usize..10,
    ) {
        prop_assume!(axis < shape.len() && shape[axis] > 0);
        let index = |i: usize| (i * 7919 + seed) % shape[axis];
        let output = [&shape[..axis], &indices[..], &shape[axis + 1..]].concat();
        let expected = picked(&output, |position| {
            let (outer, rest) = position.split_at(axis);
            let (own, inner) = rest.split_at(indices.len());
            let at = index(own.iter().zip(&indices).fold(0, |at, (&i, &extent)| at * extent + i));
            offset(&shape, &[outer, &[at], inner].concat()) as i32
        });
        let value = numbered(&shape);
        let narrow = filled(&indices, |i| index(i) as i32);
        prop_assert_eq!(gather(&Memory::new(), &value, &narrow, axis), Ok(expected.clone()));
        let wide = filled(&indices, |i| index(i) as i64);
        prop_assert_eq!(gather(&Memory::new(), &value, &wide, axis), Ok(expected));
    }

    #[test]
    fn padding_surrounds_the_value(
        (shape, padding) in small_shape(4).prop_flat_map(|shape| {
            let n = shape.len();
            (Just(shape), prop::collection::vec((0_usize..3, 0_usize..3), n))
        }),
    ) {
        let output: Vec<usize> = shape.iter().zip(&padding).map(|(x, (a, b))| x + a + b).collect();
        let expected = picked(&output, |position| {
            let source: Option<Vec<usize>> = position.iter().zip(&padding).zip(&shape)
                .map(|((i, (before, _)), extent)| i.checked_sub(*before).filter(|i| i < extent))
                .collect();
            source.map_or(-1, |source| offset(&shape, &source) as i32)
        });
        prop_assert_eq!(pad(&Memory::new(), &numbered(&shape), &padding, &Value::from(-1)), Ok(expected));
    }

    #[test]
    fn true_elements_are_found_in_order(shape in small_shape(4)) {
        let value = filled(&shape, |i| i * 7919 % 3 == 0);
        let truth = value.as_slice::<bool>().unwrap();
        let found: Vec<i64> = positions(&shape).iter().zip(truth).filter(|(_, truth)| **truth)
            .flat_map(|(position, _)| position.iter().map(|&i| i as i64)).collect();
        let count = truth.iter().filter(|truth| **truth).count();
        let expected = Value::from_vec([count, shape.len()], found).unwrap();
        prop_assert_eq!(nonzero(&Memory::new(), &value), Ok(expected));
    }
}

#[test]
fn strings_move_as_numbers_do() {
    let words = value([["a", "b"], ["c", "d"]]);
    assert_eq!(transpose(&Memory::new(), &words, &[1, 0]), Ok(value([["a", "c"], ["b", "d"]])));
    assert_eq!(
        concat(&Memory::new(), &[&words, &words], 1),
        Ok(value([["a", "b", "a", "b"], ["c", "d", "c", "d"]]))
    );
    assert_eq!(gather(&Memory::new(), &words, &value(1), 0), Ok(value(["c", "d"])));
    assert_eq!(pad(&Memory::new(), &value(["a"]), &[(1, 0)], &value("")), Ok(value(["", "a"])));
    let large = filled(&[40, 30], |i| ByteString::from(i.to_string()));
    let twice =
        transpose(&Memory::new(), &transpose(&Memory::new(), &large, &[1, 0]).unwrap(), &[1, 0]);
    assert_eq!(twice, Ok(large));
}

#[test]
fn what_keeps_its_order_shares_its_buffer() {
    let matrix = numbered(&[4, 5]);
    let shared = [
        transpose(&Memory::new(), &matrix, &[0, 1]),
        transpose(&Memory::new(), &numbered(&[4, 5]).reshape([1, 20]).unwrap(), &[1, 0]),
        slice(&Memory::new(), &matrix, &[0, 0], &[4, 5]),
        broadcast_to(&Memory::new(), &matrix, &[1, 4, 5]),
        tile(&Memory::new(), &matrix, &[1, 1]),
        concat(&Memory::new(), &[&matrix], 0),
    ];
    for (i, value) in shared.into_iter().enumerate() {
        assert!(i == 1 || value.unwrap().shares_buffer(&matrix), "case {i}");
    }
    let row = numbered(&[1, 20]);
    assert!(transpose(&Memory::new(), &row, &[1, 0]).unwrap().shares_buffer(&row));
}

#[test]
fn axes_must_be_named_once_each() {
    let matrix = numbered(&[2, 3]);
    assert_eq!(
        transpose(&Memory::new(), &matrix, &[0]),
        Err(NumericError::Rank { expected: 2, actual: 1 })
    );
    assert_eq!(
        transpose(&Memory::new(), &matrix, &[0, 2]),
        Err(NumericError::Axis { axis: 2, rank: 2 })
    );
    assert_eq!(
        transpose(&Memory::new(), &matrix, &[1, 1]),
        Err(NumericError::DuplicateAxis { axis: 1 })
    );
    assert_eq!(
        reverse(&Memory::new(), &matrix, &[0, 0]),
        Err(NumericError::DuplicateAxis { axis: 0 })
    );
    assert_eq!(
        tile(&Memory::new(), &matrix, &[2]),
        Err(NumericError::Rank { expected: 2, actual: 1 })
    );
}

#[test]
fn cuts_beyond_an_axis_are_an_error() {
    let row = numbered(&[5]);
    let error =
        |begin, count, step| Err(NumericError::Bounds { axis: 0, begin, count, step, extent: 5 });
    assert_eq!(slice(&Memory::new(), &row, &[3], &[3]), error(3, 3, 1));
    assert_eq!(slice(&Memory::new(), &row, &[6], &[0]), error(6, 0, 1));
    assert_eq!(
        slice(&Memory::new(), &row, &[usize::MAX], &[usize::MAX]),
        error(usize::MAX, usize::MAX, 1)
    );
    assert_eq!(slice(&Memory::new(), &row, &[5], &[0]).unwrap().elements(), 0);
    let strided =
        |begin, count, step| strided_slice(&Memory::new(), &row, &[Cut { begin, count, step }]);
    assert_eq!(strided(4, 3, -2), Ok(value([4, 2, 0])));
    assert_eq!(strided(4, 4, -2), error(4, 4, -2));
    assert_eq!(strided(2, 1, isize::MIN), Ok(value([2])));
    assert_eq!(strided(2, 2, isize::MAX), error(2, 2, isize::MAX));
    assert_eq!(strided(2, usize::MAX, isize::MIN), error(2, usize::MAX, isize::MIN));
}

#[test]
fn a_value_stretches_to_no_other_shape() {
    let error = broadcast_to(&Memory::new(), &numbered(&[3]), &[2]).unwrap_err();
    assert_eq!(error, broadcast(&[3], &[2]).unwrap_err().into());
    let error = NumericError::Shape { expected: [1].into(), actual: [3].into() };
    assert_eq!(broadcast_to(&Memory::new(), &numbered(&[3]), &[1]), Err(error));
}

#[test]
fn results_too_large_for_memory_are_an_error() {
    let row = numbered(&[2]);
    let too_large = |result: Result<Value, NumericError>| {
        matches!(result, Err(NumericError::Value(ValueError::TooLarge { .. })))
    };
    assert!(too_large(broadcast_to(&Memory::new(), &row, &[1 << 40, 1 << 40, 2])));
    assert!(too_large(broadcast_to(&Memory::new(), &row, &[1 << 55, 2])));
    assert!(too_large(tile(&Memory::new(), &row, &[1 << 63])));
    assert!(too_large(tile(&Memory::new(), &row, &[1 << 57])));
    assert!(too_large(pad(&Memory::new(), &row, &[(1 << 60, 1 << 60)], &Value::from(0))));
    assert!(too_large(pad(&Memory::new(), &row, &[(usize::MAX, usize::MAX)], &Value::from(0))));
    let (on, off) = (Value::from(1), Value::from(0));
    assert!(too_large(one_hot(&Memory::new(), &row, 1 << 60, 1, &on, &off)));
    let empty = Value::zeros(DType::F32, [1 << 50, 0]).unwrap();
    assert!(unpack(&Memory::new(), &empty, 0).is_err());
    assert_eq!(transpose(&Memory::new(), &empty, &[1, 0]).unwrap().elements(), 0);
    let cube = Value::zeros(DType::F32, [1 << 40, 1 << 40, 0]).unwrap();
    assert_eq!(
        &transpose(&Memory::new(), &cube, &[2, 0, 1]).unwrap().shape()[..],
        [0, 1 << 40, 1 << 40]
    );
    assert!(too_large(pad(
        &Memory::new(),
        &cube,
        &[(0, 0), (0, 0), (0, 1)],
        &Value::from(0.0_f32)
    )));
}

#[test]
fn parts_that_do_not_fit_are_an_error() {
    let (a, b) = (numbered(&[2, 3]), numbered(&[2, 4]));
    assert_eq!(concat(&Memory::new(), &[&a, &b], 1).unwrap().shape()[..], [2, 7]);
    let error = NumericError::Shape { expected: [2, 3].into(), actual: [2, 4].into() };
    assert_eq!(pack(&Memory::new(), &[&a, &b], 0), Err(error));
    let error = NumericError::Shape { expected: [2, 3].into(), actual: [2, 4].into() };
    assert_eq!(concat(&Memory::new(), &[&a, &b], 0), Err(error));
    assert!(concat(&Memory::new(), &[&a, &numbered(&[2])], 0).is_err());
    assert_eq!(concat(&Memory::new(), &[], 0), Err(NumericError::NoOperands));
    assert_eq!(
        concat(&Memory::new(), &[&value(1), &value(2)], 0),
        Err(NumericError::Axis { axis: 0, rank: 0 })
    );
    assert_eq!(pack(&Memory::new(), &[&value(1), &value(2)], 0), Ok(value([1, 2])));
    let floats = Value::zeros(DType::F32, [2, 3]).unwrap();
    let error = ValueError::DType { expected: DType::I32, actual: DType::F32 };
    assert_eq!(concat(&Memory::new(), &[&a, &floats], 0), Err(error.into()));
    assert_eq!(
        split(&Memory::new(), &a, 1, &[1, 1]),
        Err(NumericError::Length { expected: 3, actual: 2 })
    );
}

#[test]
fn indices_out_of_range_are_an_error() {
    let rows = numbered(&[3, 2]);
    let error =
        |index, position, extent| Err(NumericError::IndexOutOfRange { index, position, extent });
    assert_eq!(gather(&Memory::new(), &rows, &value([[0, 3]]), 0), error(3, 1, 3));
    assert_eq!(gather(&Memory::new(), &rows, &value([-1_i64]), 0), error(-1, 0, 3));
    assert_eq!(gather(&Memory::new(), &numbered(&[0]), &value([0]), 0), error(0, 0, 0));
    assert_eq!(
        gather(&Memory::new(), &numbered(&[0, 2]), &Value::zeros(DType::I32, [0]).unwrap(), 0)
            .unwrap()
            .elements(),
        0
    );
    let error = NumericError::UnsupportedDType { dtype: DType::F32 };
    assert_eq!(gather(&Memory::new(), &rows, &value([0.0_f32]), 0), Err(error));
}

#[test]
fn nan_is_not_zero() {
    let found = nonzero(&Memory::new(), &value([[1.0, 0.0], [NAN, -0.0]]));
    assert_eq!(found, Ok(value([[0_i64, 0], [1, 0]])));
    assert_eq!(&nonzero(&Memory::new(), &value(true)).unwrap().shape()[..], [1, 0]);
    assert!(nonzero(&Memory::new(), &value("a")).is_err());
}

fn ints(start: i32, limit: i32, delta: i32) -> Result<Value, NumericError> {
    range(&Memory::new(), Scalar::I32(start), Scalar::I32(limit), Scalar::I32(delta))
}

#[test]
fn ranges_of_integers_stop_before_their_limit() {
    assert_eq!(ints(2, 11, 3), Ok(value([2, 5, 8])));
    assert_eq!(ints(5, -4, -2), Ok(value([5, 3, 1, -1, -3])));
    assert_eq!(ints(3, 3, 1).unwrap().elements(), 0);
    let wide =
        range(&Memory::new(), Scalar::I64(i64::MIN), Scalar::I64(i64::MAX), Scalar::I64(1 << 62));
    assert_eq!(wide, Ok(value([i64::MIN, -(1 << 62), 0, 1 << 62])));
    let narrow = range(
        &Memory::new(),
        Scalar::I32(i32::MIN),
        Scalar::I32(i32::MAX),
        Scalar::I32(i32::MAX - 27),
    );
    assert_eq!(narrow, Ok(value([i32::MIN, -28, i32::MAX - 55])));
}

#[test]
fn ranges_that_lead_nowhere_are_an_error() {
    let error = |start, limit, delta| Err(NumericError::Range { start, limit, delta });
    assert_eq!(ints(0, 5, 0), error(0.0, 5.0, 0.0));
    assert_eq!(ints(0, 5, -1), error(0.0, 5.0, -1.0));
    assert_eq!(ints(5, 0, 1), error(5.0, 0.0, 1.0));
    let floats = |start, limit, delta| {
        range(&Memory::new(), Scalar::F32(start), Scalar::F32(limit), Scalar::F32(delta))
    };
    for (start, limit, delta) in
        [(0.0, NAN, 1.0), (0.0, INF, 1.0), (0.0, 3.0, NAN), (0.0, 1e30, 1e-30)]
    {
        assert!(matches!(floats(start, limit, delta), Err(NumericError::Range { .. })));
    }
    let endless = range(&Memory::new(), Scalar::I64(0), Scalar::I64(i64::MAX), Scalar::I64(1));
    assert!(matches!(endless, Err(NumericError::Value(ValueError::TooLarge { .. }))));
    assert!(range(&Memory::new(), Scalar::I32(0), Scalar::I64(1), Scalar::I32(1)).is_err());
    assert!(
        range(&Memory::new(), Scalar::Bool(false), Scalar::Bool(true), Scalar::Bool(true)).is_err()
    );
}

/// TensorFlow 2.21's counts and numbers.
#[test]
fn ranges_of_floats_are_counted_in_their_own_type() {
    let single = |start, limit, delta| {
        range(&Memory::new(), Scalar::F32(start), Scalar::F32(limit), Scalar::F32(delta)).unwrap()
    };
    let double = |start, limit, delta| {
        range(&Memory::new(), Scalar::F64(start), Scalar::F64(limit), Scalar::F64(delta)).unwrap()
    };
    assert_eq!(single(0.0, 1e-3, 1e-4).elements(), 11);
    assert_eq!(double(0.0, 1e-3, 1e-4).elements(), 10);
    assert_eq!(single(1.0, 0.0, -0.3), value([1.0, 0.7, 0.39999998, 0.099999964_f32]));
    let tenths = filled(&[10], |i| i as f32 * 0.1);
    assert_eq!(single(0.0, 1.0, 0.1), tenths);
}

#[test]
fn one_hot_rows_lie_along_the_new_axis() {
    let (indices, on, off) = (value([2, 0, -1, 3]), value(1.0_f32), value(0.0_f32));
    let rows = [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0; 3], [0.0; 3_usize]];
    let rows = value(rows.map(|row| row.map(|x: f64| x as f32)));
    assert_eq!(one_hot(&Memory::new(), &indices, 3, 1, &on, &off), Ok(rows.clone()));
    assert_eq!(
        one_hot(&Memory::new(), &indices, 3, 0, &on, &off),
        transpose(&Memory::new(), &rows, &[1, 0])
    );
    let bytes = value([2_u8, 0, 200, 3]);
    assert_eq!(one_hot(&Memory::new(), &bytes, 3, 1, &on, &off), Ok(rows));
    assert_eq!(
        one_hot(&Memory::new(), &value(1), 2, 0, &value("on"), &value("off")),
        Ok(value(["off", "on"]))
    );
    assert_eq!(one_hot(&Memory::new(), &indices, 0, 1, &on, &off).unwrap().elements(), 0);
    let error = NumericError::Axis { axis: 2, rank: 2 };
    assert_eq!(one_hot(&Memory::new(), &indices, 3, 2, &on, &off), Err(error));
}
