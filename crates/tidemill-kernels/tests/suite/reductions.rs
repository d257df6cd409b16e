use proptest::prelude::*;
use tidemill_kernels::NumericError;
use tidemill_kernels::elementwise::cast;
use tidemill_kernels::reduce::{self, all, arg_max, arg_min, max, mean, min, prod, sum};
use tidemill_value::{DType, Element, Memory, Value};

use crate::support::*;

type Reduction = fn(&Memory, &Value, &[usize]) -> Result<Value, NumericError>;

fn reduced<T: Element>(f: Reduction, value: &Value, axes: &[usize]) -> Vec<T> {
    f(&Memory::new(), value, axes).unwrap().into_vec().unwrap()
}

/// The elements that each element of the result is made of.
fn groups(shape: &[usize], axes: &[usize]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let kept: Vec<usize> = (0..shape.len()).filter(|axis| !axes.contains(axis)).collect();
    let output: Vec<usize> = kept.iter().map(|&axis| shape[axis]).collect();
    let mut groups = vec![vec![]; output.iter().product()];
    for (i, position) in positions(shape).iter().enumerate() {
        let own = kept.iter().fold(0, |at, &axis| at * shape[axis] + position[axis]);
        groups[own].push(i);
    }
    (output, groups)
}

/// A shape, and some of its axes in any order.
fn shape_and_axes() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    (small_shape(5), any::<u8>(), any::<bool>()).prop_map(|(shape, chosen, backwards)| {
        let mut axes: Vec<usize> = (0..shape.len()).filter(|i| chosen >> i & 1 == 1).collect();
        if backwards {
            axes.reverse();
        }
        (shape, axes)
    })
}

proptest! {
    #[test]
    fn integers_reduce_to_the_same_as_group_by_group((shape, axes) in shape_and_axes()) {
        let element = |i: usize| (i * 7919 % 251) as i32 - 125;
        let value = filled(&shape, element);
        let (output, groups) = groups(&shape, &axes);
        let expect = |f: fn(&[i32]) -> i32| {
            let of_group = |group: &Vec<usize>| f(&group.iter().map(|&i| element(i)).collect::<Vec<_>>());
            Value::from_vec(&output[..], groups.iter().map(of_group).collect())
        };
        prop_assert_eq!(sum(&Memory::new(), &value, &axes).ok(), expect(|x| x.iter().sum()).ok());
        prop_assert_eq!(
            prod(&Memory::new(), &value, &axes).ok(),
            expect(|x| x.iter().fold(1, |product, x| i32::wrapping_mul(product, *x))).ok()
        );
        prop_assert_eq!(
            max(&Memory::new(), &value, &axes).ok(),
            expect(|x| x.iter().copied().max().unwrap_or(i32::MIN)).ok()
        );
        prop_assert_eq!(
            min(&Memory::new(), &value, &axes).ok(),
            expect(|x| x.iter().copied().min().unwrap_or(i32::MAX)).ok()
        );
        prop_assert_eq!(
            mean(&Memory::new(), &value, &axes).ok(),
            expect(|x| x.iter().sum::<i32>().checked_div(x.len() as i32).unwrap_or(0)).ok()
        );
    }

    #[test]
    fn truth_values_reduce_to_the_same_as_group_by_group((shape, axes) in shape_and_axes()) {
        let value = filled(&shape, |i| i * 7919 % 13 < 9);
        let (output, groups) = groups(&shape, &axes);
        let elements = value.as_slice::<bool>().unwrap();
        let expect = |f: &dyn Fn(&Vec<usize>) -> bool| {
            Value::from_vec(&output[..], groups.iter().map(f).collect()).ok()
        };
        let every = |group: &Vec<usize>| group.iter().all(|&i| elements[i]);
        let some = |group: &Vec<usize>| group.iter().any(|&i| elements[i]);
        prop_assert_eq!(all(&Memory::new(), &value, &axes).ok(), expect(&every));
        prop_assert_eq!(reduce::any(&Memory::new(), &value, &axes).ok(), expect(&some));
    }

    #[test]
    fn long_rows_and_tall_columns_add_up(
        rows in 1_usize..700,
        columns in 1_usize..40,
        outer in 1_usize..4,
    ) {
        let element = |i: usize| (i * 7919 % 997) as f64 / 997.0;
        let value = filled(&[outer, rows, columns], element);
        for axes in [&[0][..], &[1], &[2], &[0, 1], &[1, 2], &[0, 2], &[0, 1, 2]] {
            let (_, groups) = groups(&[outer, rows, columns], axes);
            let of_group = |group: &Vec<usize>| group.iter().map(|&i| element(i)).sum();
            let expected: Vec<f64> = groups.iter().map(of_group).collect();
            assert_close(&sum(&Memory::new(), &value, axes).unwrap(), &expected, 1e-13);
        }
    }

    #[test]
    fn positions_of_extremes_are_those_of_a_search(shape in small_shape(4), axis in 0_usize..4) {
        prop_assume!(axis < shape.len() && shape[axis] > 0);
        let element = |i: usize| (i * 7919 % 11) as i16;
        let value = filled(&shape, element);
        let (output, groups) = groups(&shape, &[axis]);
        let first = |group: &Vec<usize>, best: fn(i16, i16) -> bool| {
            let elements: Vec<i16> = group.iter().map(|&i| element(i)).collect();
            (0..elements.len()).find(|&i| elements.iter().all(|x| !best(*x, elements[i]))).unwrap()
        };
        let largest = groups.iter().map(|group| first(group, |x, y| x > y) as i64).collect();
        let smallest = groups.iter().map(|group| first(group, |x, y| x < y) as i32).collect();
        let largest = Value::from_vec(&output[..], largest).unwrap();
        let smallest = Value::from_vec(&output[..], smallest).unwrap();
        prop_assert_eq!(arg_max(&Memory::new(), &value, axis, DType::I64), Ok(largest));
        prop_assert_eq!(arg_min(&Memory::new(), &value, axis, DType::I32), Ok(smallest));
    }
}

#[test]
fn ten_million_tenths_add_up_to_a_million() {
    let value = Value::list(vec![0.1_f32; 10_000_000]);
    let tenth = f64::from(0.1_f32);
    assert_close(&sum(&Memory::new(), &value, &[0]).unwrap(), &[tenth * 1e7], 1e-5);
    assert_close(&mean(&Memory::new(), &value, &[0]).unwrap(), &[tenth], 1e-5);
    let columns = value.reshape([2_000_000, 5]).unwrap();
    assert_close(&sum(&Memory::new(), &columns, &[0]).unwrap(), &[tenth * 2e6; 5], 1e-5);
}

#[test]
fn reductions_of_nothing_have_their_neutral_element() {
    let empty = Value::zeros(DType::F32, [0, 2]).unwrap();
    assert_eq!(reduced::<f32>(sum, &empty, &[0]), [0.0, 0.0]);
    assert_eq!(reduced::<f32>(prod, &empty, &[0]), [1.0, 1.0]);
    assert_eq!(reduced::<f32>(max, &empty, &[0]), [-INF, -INF]);
    assert_eq!(reduced::<f32>(min, &empty, &[0]), [INF, INF]);
    assert!(reduced::<f32>(mean, &empty, &[0]).iter().all(|x| x.is_nan()));
    assert_eq!(reduced::<f32>(sum, &empty, &[1]), [0.0; 0]);
    assert_eq!(reduced::<f32>(sum, &empty, &[0, 1]), [0.0]);
    let empty = Value::zeros(DType::I32, [0, 2]).unwrap();
    assert_eq!(reduced::<i32>(max, &empty, &[0]), [i32::MIN; 2]);
    assert_eq!(reduced::<i32>(min, &empty, &[0]), [i32::MAX; 2]);
    assert_eq!(reduced::<i32>(mean, &empty, &[0]), [0, 0]);
    let empty = Value::zeros(DType::Bool, [0]).unwrap();
    assert_eq!(reduced::<bool>(all, &empty, &[0]), [true]);
    assert_eq!(reduced::<bool>(reduce::any, &empty, &[0]), [false]);
}

#[test]
fn nan_comes_through_wherever_it_stands() {
    for length in [1, 2, 15, 16, 17, 40, 5000] {
        for at in [0, length / 2, length - 1] {
            let row = filled(&[length], |i| if i == at { NAN } else { i as f32 });
            for f in [max, min, sum, prod, mean] {
                assert!(reduced::<f32>(f, &row, &[0])[0].is_nan(), "{at} of {length}");
            }
            let column = row.reshape([length, 1]).unwrap();
            let pair = filled(&[length, 2], |i| if i == 2 * at { NAN } else { 1.0 });
            assert!(reduced::<f32>(max, &column, &[0])[0].is_nan());
            let columns = reduced::<f32>(min, &pair, &[0]);
            assert!(columns[0].is_nan() && columns[1] == 1.0);
        }
    }
}

#[test]
fn integer_sums_wrap_and_means_do_not() {
    assert_eq!(reduced::<i32>(sum, &value([i32::MAX, i32::MAX]), &[0]), [-2]);
    assert_eq!(reduced::<i32>(mean, &value([i32::MAX, i32::MAX]), &[0]), [i32::MAX]);
    assert_eq!(reduced::<u64>(mean, &value([u64::MAX - 1, 1]), &[0]), [u64::MAX / 2]);
    assert_eq!(reduced::<i64>(mean, &value([1_i64 << 62, 1 << 62]), &[0]), [-(1 << 62)]);
    assert_eq!(reduced::<i32>(mean, &value([[-3], [0]]), &[0]), [-1]);
}

#[test]
fn a_reduction_over_no_axes_changes_nothing() {
    let matrix = filled(&[2, 3], |i| i as f32);
    assert_eq!(sum(&Memory::new(), &matrix, &[]), Ok(matrix.clone()));
    assert_eq!(mean(&Memory::new(), &matrix, &[]), Ok(matrix));
    assert_eq!(max(&Memory::new(), &Value::from(3_i64), &[]), Ok(Value::from(3_i64)));
}

#[test]
fn axes_that_do_not_exist_or_stand_twice_are_an_error() {
    let matrix = filled(&[2, 3], |i| i as f32);
    assert_eq!(sum(&Memory::new(), &matrix, &[2]), Err(NumericError::Axis { axis: 2, rank: 2 }));
    assert_eq!(sum(&Memory::new(), &matrix, &[1, 1]), Err(NumericError::DuplicateAxis { axis: 1 }));
}

#[test]
fn types_that_a_reduction_is_not_defined_on_are_an_error() {
    let error = |dtype| Err(NumericError::UnsupportedDType { dtype });
    assert_eq!(sum(&Memory::new(), &value([true]), &[0]), error(DType::Bool));
    assert_eq!(max(&Memory::new(), &value(["a"]), &[0]), error(DType::String));
    assert_eq!(all(&Memory::new(), &value([1.0_f32]), &[0]), error(DType::F32));
    assert_eq!(arg_max(&Memory::new(), &value(["a"]), 0, DType::I64), error(DType::String));
    assert_eq!(arg_max(&Memory::new(), &value([1.0_f32]), 0, DType::F32), error(DType::F32));
}

#[test]
fn huge_shapes_without_elements_are_reduced_or_refused() {
    let empty = Value::zeros(DType::F64, [1 << 50, 0, 1 << 50]).unwrap();
    assert!(matches!(sum(&Memory::new(), &empty, &[1]), Err(NumericError::Value(_))));
    assert!(matches!(mean(&Memory::new(), &empty, &[1]), Err(NumericError::Value(_))));
    assert_eq!(mean(&Memory::new(), &empty, &[0, 2]).unwrap().elements(), 0);
    assert_eq!(reduced::<f64>(sum, &empty, &[0, 1, 2]), [0.0]);
}

#[test]
fn a_sum_depends_on_the_length_alone() {
    let row = |length: usize| filled(&[length], |i| ((i * 7919) % 997) as f32 * 0.1);
    for length in [5, 16, 100, 4096, 4097, 20_000] {
        let one = row(length);
        let elements = one.as_slice::<f32>().unwrap();
        let three = Value::from_vec([3, length], elements.repeat(3)).unwrap();
        let total = reduced::<f32>(sum, &one, &[0])[0];
        assert_eq!(reduced::<f32>(sum, &three, &[1]), [total; 3]);
        let twice =
            sum(&Memory::new(), &cast(&Memory::new(), &one, DType::F64).unwrap(), &[0]).unwrap();
        assert_close(&Value::from(total), twice.as_slice().unwrap(), 1e-6);
    }
}

#[test]
fn norms_neither_overflow_nor_vanish() {
    for x in [0.0_f32, 1e-45, 1e-20, 1.0, 1e30, f32::MAX] {
        let pair = Value::from_vec([1, 2], vec![x * 0.6, -x * 0.8]).unwrap();
        let norm: Vec<f32> = reduced(reduce::euclidean_norm, &pair, &[1]);
        assert!(x < 1e-40 || (norm[0] / x - 1.0).abs() < 1e-6 || x == 0.0, "{norm:?} for {x}");
        let single = Value::from_vec([1, 1], vec![x]).unwrap();
        assert_eq!(reduced::<f32>(reduce::euclidean_norm, &single, &[0]), [x]);
    }
    let mixed = [5e-324, 3e-200, 2.0, 3e200, f64::MAX, f64::INFINITY, 0.0, -1e-310];
    let expected = mixed.map(f64::abs);
    let rows = Value::from_vec([8, 1], mixed.to_vec()).unwrap();
    assert_eq!(reduced::<f64>(reduce::euclidean_norm, &rows, &[1]), expected);
    let nan = Value::from([f64::NAN, 1e200]);
    assert!(reduced::<f64>(reduce::euclidean_norm, &nan, &[0])[0].is_nan());
    assert_eq!(
        reduced::<f64>(reduce::euclidean_norm, &Value::from([3e-200, 4e-200]), &[0]),
        [5e-200]
    );
}
