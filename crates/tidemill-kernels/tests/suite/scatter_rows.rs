//! Writes to numbered rows.

use tidemill_kernels::NumericError;
use tidemill_kernels::layout::{Combine, scatter_rows};
use tidemill_value::{IntoValue, Value};

fn value(from: impl IntoValue) -> Value {
    from.into_value().unwrap()
}

#[test]
fn several_updates_of_one_row_are_combined_in_order() {
    let table = value([[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    let updates = value([[10.0_f32, 20.0], [30.0, 40.0]]);
    let written = |combine| scatter_rows(table.clone(), &value([2, 2]), &updates, combine).unwrap();
    let with_last = |row: [f32; 2]| value([[1.0, 2.0], [3.0, 4.0], row]);
    assert_eq!(written(Combine::Update), with_last([30.0, 40.0]));
    assert_eq!(written(Combine::Add), with_last([45.0, 66.0]));
    assert_eq!(written(Combine::Sub), with_last([-35.0, -54.0]));
    assert_eq!(written(Combine::Mul), with_last([1500.0, 4800.0]));
}

#[test]
fn one_number_updates_every_row() {
    let written = scatter_rows(value([8_i32, 9, -9]), &value([[2, 0]]), &value(2), Combine::Div);
    assert_eq!(written, Ok(value([4, 9, -4])));
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let table = value([1_i32, i32::MIN]);
    let error = scatter_rows(table.clone(), &value([2]), &value([1]), Combine::Add);
    assert_eq!(error, Err(NumericError::IndexOutOfRange { index: 2, position: 0, extent: 2 }));
    let error = scatter_rows(table.clone(), &value([0]), &value([0]), Combine::Div);
    assert_eq!(error, Err(NumericError::DivisionByZero));
    let error = scatter_rows(table.clone(), &value([0]), &value([1, 2]), Combine::Add);
    assert_eq!(error, Err(NumericError::Shape { expected: [1].into(), actual: [2].into() }));
    let error = scatter_rows(value(1), &value([0]), &value([1]), Combine::Add);
    assert_eq!(error, Err(NumericError::Rank { expected: 1, actual: 0 }));
    let written = scatter_rows(table, &value([1]), &value([-1]), Combine::Div);
    assert_eq!(written, Ok(value([1, i32::MIN])));
}
