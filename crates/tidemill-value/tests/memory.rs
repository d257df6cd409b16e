//! Memory of values: reuse by other values, and copies of elements.

#![allow(clippy::unwrap_used)]

use tidemill_value::{DType, IntoValue, Recycler, Value, copied_bytes, recycle};

#[test]
fn memory_of_a_value_that_is_gone_serves_the_next_of_its_type_and_length() {
    let mut recycler = Recycler::new();
    let installed = recycler.install();
    let gone = Value::from(vec![1.0_f32; 6]);
    let address = gone.as_slice::<f32>().unwrap().as_ptr();
    recycle(gone);
    assert_eq!(
        Value::scratch(DType::F64, [6]).unwrap().to_string(),
        "[0.0, 0.0, 0.0, 0.0, 0.0, 0.0]"
    );
    let zeros = Value::zeros(DType::F32, [2, 3]).unwrap();
    assert_eq!(zeros.as_slice::<f32>().unwrap().as_ptr(), address);
    assert_eq!(zeros, Value::full(0.0_f32.into(), [2, 3]).unwrap());
    drop(installed);
    assert_eq!(recycler.idle(), 0);
}

#[test]
fn memory_that_is_shared_is_not_recycled() {
    let mut recycler = Recycler::new();
    let _installed = recycler.install();
    let kept = Value::from(vec![1.0_f32, 2.0]);
    recycle(kept.clone());
    assert!(!Value::scratch(DType::F32, [2]).unwrap().shares_buffer(&kept));
    assert_eq!(kept, Value::from([1.0_f32, 2.0]));
}

#[test]
fn memory_that_nobody_takes_for_a_round_is_freed() {
    let mut recycler = Recycler::new();
    let installed = recycler.install();
    recycle(Value::from(vec![1_i32; 8]));
    drop(installed);
    assert_eq!(recycler.idle(), 1);
    drop(recycler.install());
    assert_eq!(recycler.idle(), 0);
}

#[test]
fn a_thread_without_a_recycler_keeps_no_memory() {
    recycle(Value::from(vec![7.0_f32; 6]));
    let scratch = Value::scratch(DType::F32, [6]).unwrap();
    assert_eq!(scratch, Value::full(0.0_f32.into(), [6]).unwrap());
    let mut recycler = Recycler::new();
    drop(recycler.install());
    recycle(Value::from(vec![7.0_f32; 6]));
    assert_eq!(recycler.idle(), 0);
}

#[test]
fn a_recycler_within_another_leaves_that_as_it_was() {
    let (mut outer, mut inner) = (Recycler::new(), Recycler::new());
    let installed = outer.install();
    recycle(Value::from(vec![1_i32; 8]));
    let within = inner.install();
    recycle(Value::from(vec![1_i64; 2]));
    drop(within);
    assert_eq!((inner.idle(), inner.idle_bytes() >= 16), (1, true));
    drop(installed);
    assert_eq!((outer.idle(), outer.idle_bytes() >= 32), (1, true));
}

#[test]
fn bytes_are_counted_where_elements_are_copied() {
    let copied_by = |make: &dyn Fn() -> Value| {
        let before = copied_bytes();
        let value = make();
        (copied_bytes() - before, value).0
    };
    let array = ndarray::Array2::<f32>::zeros((3, 4));
    assert_eq!(copied_by(&|| array.clone().into_value().unwrap()), 0);
    assert_eq!(copied_by(&|| vec![1.0_f64; 5].into_value().unwrap()), 0);
    assert_eq!(copied_by(&|| Value::from(2.0_f32).into_value().unwrap()), 0);
    assert_eq!(copied_by(&|| array.view().into_value().unwrap()), 48);
    assert_eq!(copied_by(&|| array.t().into_value().unwrap()), 48);
    assert_eq!(copied_by(&|| [1_i16, 2].as_slice().into_value().unwrap()), 4);
    let mut shared = Value::from(vec![0_u8; 7]);
    let reader = shared.clone();
    let before = copied_bytes();
    shared.as_mut_slice::<u8>().unwrap()[0] = 1;
    assert_eq!((copied_bytes() - before, reader.as_slice::<u8>().unwrap()[0]), (7, 0));
}
