//! Writes to numbered rows.

use proptest::prelude::*;
use tidemill_kernels::NumericError;
use tidemill_kernels::layout::{
    Combine, check_scatter_rows, check_tensor_scatter, scatter_rows, tensor_scatter,
};
use tidemill_value::Value;

use crate::support::*;

proptest! {
    #[test]
    fn each_update_is_combined_with_the_row_or_part_that_its_index_names(
        rows in prop::collection::vec(0_i64..5, 0..12),
        columns in 0_i64..3,
        one: bool,
    ) {
        let table = filled(&[5, 3, 2], |i| i as i32 * 7 % 11 + 1);
        let updates = filled(&[rows.len(), 3, 2], |i| if one { 5 } else { i as i32 % 9 + 1 });
        let mut expected = table.as_slice::<i32>().unwrap().to_vec();
        for (i, &row) in rows.iter().enumerate() {
            for j in 0..6 {
                let update = updates.as_slice::<i32>().unwrap()[i * 6 + j];
                expected[row as usize * 6 + j] -= update;
            }
        }
        let expected = Value::from_vec([5, 3, 2], expected).unwrap();
        let single = if one { value(5) } else { updates.clone() };
        let indices = Value::list(rows.clone());
        prop_assert_eq!(check_scatter_rows(table.shape(), &indices, &single, Combine::Sub), Ok(()));
        let written = scatter_rows(table.clone(), &indices, &single, Combine::Sub);
        prop_assert_eq!(written.as_ref(), Ok(&expected));

        // The same by positions along two axes, each row in its three parts.
        let columns = [columns, (columns + 1) % 3, (columns + 2) % 3];
        let positions: Vec<i64> =
            rows.iter().flat_map(|&row| columns.into_iter().flat_map(move |c| [row, c])).collect();
        let positions = Value::from_vec([rows.len(), 3, 2], positions).unwrap();
        let parts = filled(&[rows.len(), 3, 2], |i| {
            let (row, part, element) = (i / 6, columns[i / 2 % 3] as usize, i % 2);
            updates.as_slice::<i32>().unwrap()[row * 6 + part * 2 + element]
        });
        prop_assert_eq!(check_tensor_scatter(table.shape(), &positions, &parts, Combine::Sub), Ok(()));
        prop_assert_eq!(tensor_scatter(table, &positions, &parts, Combine::Sub), Ok(expected));
    }
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
