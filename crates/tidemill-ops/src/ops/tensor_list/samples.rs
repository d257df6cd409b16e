//! Lists for samples.

use tidemill_value::{DType, PartialShape, TensorList, Value};

fn list_of<const N: usize>(rows: impl IntoIterator<Item = [f32; N]>) -> TensorList {
    let mut list = TensorList::new(DType::F32, [N]);
    // A row that did not fit would be missed by the tests.
    rows.into_iter().for_each(|row| drop(list.push(row.into())));
    list
}

/// A list of rows.
pub(super) fn list<const N: usize>(rows: impl IntoIterator<Item = [f32; N]>) -> Value {
    list_of(rows).into()
}

/// Several lists of rows.
pub(super) fn lists<const N: usize, const M: usize, const L: usize>(
    lists: [[[f32; N]; M]; L],
) -> Value {
    Value::list(lists.map(list_of).into())
}

/// A list of absent elements.
pub(super) fn absent_of(len: usize, shape: impl Into<PartialShape>) -> Value {
    let mut list = TensorList::new(DType::F32, shape);
    // As above.
    drop(list.resize(len));
    list.into()
}

/// A list of a row, and absent elements.
pub(super) fn with_absent<const N: usize>(row: [f32; N], absent: usize) -> Value {
    let mut list = list_of([row]);
    drop(list.resize(1 + absent));
    list.into()
}
