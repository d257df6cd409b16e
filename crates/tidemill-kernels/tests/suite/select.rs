use tidemill_kernels::elementwise::select;
use tidemill_value::{ByteString, DType, IntoValue, Memory, Value, ValueError};

#[test]
fn each_element_comes_from_the_side_the_condition_names() {
    let condition = Value::from([true, false, true]);
    let chosen = select(&Memory::new(), &condition, &[1, 2, 3].into(), &[10, 20, 30].into());
    assert_eq!(chosen, Ok([1, 20, 3].into()));
}

#[test]
fn all_three_operands_broadcast() {
    let condition = [[true], [false]].into_value().unwrap();
    let a = Value::from([1.0_f32, 2.0, 3.0]);
    let b = Value::from(0.5_f32);
    let expected = [[1.0_f32, 2.0, 3.0], [0.5, 0.5, 0.5]].into_value().unwrap();
    assert_eq!(select(&Memory::new(), &condition, &a, &b), Ok(expected.clone()));
    assert_eq!(select(&Memory::new(), &Value::from(true), &expected, &b), Ok(expected));
}

#[test]
fn strings_are_selected_too() {
    let (a, b) = (Value::from("a"), Value::from("b"));
    let chosen = select(&Memory::new(), &[false, true].into(), &a, &b).unwrap();
    assert_eq!(chosen.into_vec(), Ok(vec![ByteString::from("b"), ByteString::from("a")]));
}

#[test]
fn nothing_is_selected_from_nothing() {
    let empty = Value::zeros(DType::F32, [0]).unwrap();
    let chosen = select(&Memory::new(), &Value::from(true), &empty, &Value::from(1.0_f32)).unwrap();
    assert_eq!(&chosen.shape()[..], [0]);
}

#[test]
fn operands_of_two_types_are_an_error() {
    let error = select(&Memory::new(), &true.into(), &1.0_f32.into(), &1_i32.into()).unwrap_err();
    let expected = ValueError::DType { expected: DType::F32, actual: DType::I32 };
    assert_eq!(error, expected.into());
    assert!(select(&Memory::new(), &1_i32.into(), &1_i32.into(), &1_i32.into()).is_err());
}
