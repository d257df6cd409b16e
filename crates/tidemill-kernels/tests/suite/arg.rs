use tidemill_kernels::NumericError;
use tidemill_kernels::reduce::{arg_max, arg_min};
use tidemill_value::{DType, IntoValue, Memory, Value};

const NAN: f32 = f32::NAN;
const INF: f32 = f32::INFINITY;

fn both(row: &[f32]) -> [i64; 2] {
    let row = Value::list(row.to_vec());
    [arg_max, arg_min].map(|f| f(&Memory::new(), &row, 0, DType::I64).unwrap().to_scalar().unwrap())
}

#[test]
fn the_first_of_equals_wins() {
    assert_eq!(both(&[1.0, 3.0, 3.0, 1.0]), [1, 0]);
}

#[test]
fn nan_is_passed_over() {
    assert_eq!(both(&[NAN, 1.0, 2.0, 2.0]), [2, 1]);
    assert_eq!(both(&[NAN, NAN, -INF, 5.0, NAN, 7.0, 7.0]), [5, 2]);
    assert_eq!(both(&[NAN, NAN, NAN]), [0, 0]);
}

#[test]
fn nothing_beats_the_lowest_finite_number_but_what_is_above_it() {
    assert_eq!(both(&[NAN, -INF, NAN]), [0, 1]);
    assert_eq!(both(&[-INF, -INF]), [0, 0]);
    assert_eq!(both(&[NAN, f32::MIN]), [0, 1]);
}

#[test]
fn integers_and_truth_values_have_extremes_too() {
    let row = Value::from([-128_i8, -128, -127, -127]);
    assert_eq!(arg_max(&Memory::new(), &row, 0, DType::I32), Ok(2_i32.into()));
    let truth = Value::from([true, false, true]);
    assert_eq!(arg_max(&Memory::new(), &truth, 0, DType::I32), Ok(0_i32.into()));
    assert_eq!(arg_min(&Memory::new(), &truth, 0, DType::I32), Ok(1_i32.into()));
}

#[test]
fn an_axis_in_the_middle_is_searched_column_by_column() {
    let cube = [[[1, 6], [5, 2], [3, 6]], [[9, 9], [9, 9], [0, 10]]].into_value().unwrap();
    let expected = [[1_i64, 0], [0, 2]].into_value();
    assert_eq!(arg_max(&Memory::new(), &cube, 1, DType::I64).ok(), expected.ok());
}

#[test]
fn an_empty_axis_is_an_error_and_an_empty_rest_is_not() {
    let value = Value::zeros(DType::F32, [0, 3]).unwrap();
    let error = NumericError::EmptyAxis { axis: 0, shape: [0, 3].into() };
    assert_eq!(arg_max(&Memory::new(), &value, 0, DType::I64), Err(error));
    assert_eq!(arg_max(&Memory::new(), &value, 1, DType::I64), Ok(Value::list(Vec::<i64>::new())));
    assert_eq!(
        arg_max(&Memory::new(), &value, 2, DType::I64),
        Err(NumericError::Axis { axis: 2, rank: 2 })
    );
}
