//! Tensors from messages, and messages from tensors.

use proptest::prelude::*;
use tidemill_formats::proto::{DataType, Message, TensorProto};
use tidemill_formats::{SplatBudget, TensorError, read_safetensors};
use tidemill_value::{ByteString, DType, Shape, Value, bf16, f16};

fn value_of(tensor: &TensorProto) -> Result<Value, TensorError> {
    tensor.value(&mut SplatBudget::default())
}

fn tensor(dtype: DataType, shape: impl Into<Shape>) -> TensorProto {
    let shape = shape.into();
    TensorProto {
        dtype: dtype.into(),
        tensor_shape: Some((&shape).into()),
        ..TensorProto::default()
    }
}

#[test]
fn the_last_element_stands_for_those_that_are_missing() {
    let some = |elements: Vec<f32>| {
        value_of(&TensorProto { float_val: elements, ..tensor(DataType::Float, [3]) })
    };
    assert_eq!(some(vec![]).unwrap(), Value::from([0.0_f32; 3]));
    assert_eq!(some(vec![5.0]).unwrap(), Value::from([5.0_f32; 3]));
    assert_eq!(some(vec![1.0, 2.0]).unwrap(), Value::from([1.0_f32, 2.0, 2.0]));
    assert_eq!(some(vec![1.0, 2.0, 3.0, 4.0]).unwrap(), Value::from([1.0_f32, 2.0, 3.0]));
}

#[test]
fn narrow_integers_are_the_low_bits_of_wider_ones() {
    let some =
        |dtype| value_of(&TensorProto { int_val: vec![-1, 300], ..tensor(dtype, [2]) }).unwrap();
    assert_eq!(some(DataType::Uint8), Value::from([255_u8, 44]));
    assert_eq!(some(DataType::Int8), Value::from([-1_i8, 44]));
    assert_eq!(some(DataType::Uint16), Value::from([65535_u16, 300]));
}

#[test]
fn strings_stand_in_a_list_or_as_bytes() {
    let strings = Value::list(vec![ByteString::from("ab"), ByteString::from("")]);
    let content = TensorProto {
        tensor_content: (&b"\x02\x00ab"[..]).into(),
        ..tensor(DataType::String, [2])
    };
    assert_eq!(value_of(&content).unwrap(), strings);
    assert_eq!(value_of(&(&strings).into()).unwrap(), strings);
    let short = TensorProto { tensor_content: (&b"\x02\x00a"[..]).into(), ..content };
    assert_eq!(value_of(&short), Err(TensorError::Strings { count: 2 }));
}

#[test]
fn sizes_that_do_not_fit_are_refused_before_memory_is_taken() {
    let terabytes = tensor(DataType::Double, [1 << 20, 1 << 20]);
    assert!(matches!(value_of(&terabytes), Err(TensorError::Splat { .. })));
    let overflow = tensor(DataType::Double, [1 << 40, 1 << 40]);
    assert!(matches!(value_of(&overflow), Err(TensorError::Shape(_))));
    let content = TensorProto { tensor_content: vec![0; 7].into(), ..tensor(DataType::Float, [2]) };
    assert_eq!(
        value_of(&content).unwrap_err().to_string(),
        "a tensor of type float32 and shape [2] takes 8 bytes, not 7"
    );
    let complex = tensor(DataType::Complex64, [2]);
    assert_eq!(
        value_of(&complex).unwrap_err().to_string(),
        "the data type DT_COMPLEX64 is not supported yet"
    );
}

#[test]
fn halves_are_listed_by_their_bits() {
    let some = |dtype, bits| value_of(&TensorProto { half_val: vec![bits], ..tensor(dtype, [2]) });
    let halves = some(DataType::Half, 0x3c00).unwrap();
    assert_eq!(halves, Value::from([f16::ONE; 2]));
    assert_eq!(TensorProto::from(&halves).half_val, [0x3c00]);
    assert_eq!(some(DataType::Bfloat16, 0xbf80).unwrap(), Value::from([bf16::NEG_ONE; 2]));
}

#[test]
fn a_budget_is_for_all_tensors_together() {
    let mut budget = SplatBudget::new(8);
    let two = tensor(DataType::Float, [2]);
    assert!(two.value(&mut budget).is_ok());
    assert!(matches!(two.value(&mut budget), Err(TensorError::Splat { left: 0, .. })));
}

#[test]
fn equal_elements_are_written_once_unless_their_bits_differ() {
    let written = |value: Value| TensorProto::from(&value);
    assert_eq!(written(Value::from([7_i64; 100])).int64_val, [7]);
    let zeros = written(Value::from([0.0_f32, -0.0]));
    assert_eq!((zeros.float_val.len(), zeros.tensor_content.len()), (0, 8));
}

#[test]
fn every_type_reads_back() {
    for &dtype in DType::ALL {
        let zeros = Value::zeros(dtype, [2, 0, 3]).unwrap();
        assert_eq!(value_of(&(&zeros).into()).unwrap(), zeros);
        let zeros = Value::zeros(dtype, [3]).unwrap();
        assert_eq!(value_of(&(&zeros).into()).unwrap(), zeros);
    }
}

proptest! {
    #[test]
    fn floats_read_back_to_the_bit(elements: Vec<f32>) {
        let value = Value::list(elements);
        let bytes = TensorProto::from(&value).encode_to_vec();
        let read = value_of(&TensorProto::decode(bytes.as_slice()).unwrap()).unwrap();
        prop_assert!(read.bits_eq(&value));
    }

    #[test]
    fn bytes_of_any_kind_are_read_or_refused(bytes: Vec<u8>) {
        if let Ok(tensor) = TensorProto::decode(bytes.as_slice()) {
            let _ = tensor.value(&mut SplatBudget::new(1 << 16));
        }
        let _ = read_safetensors(&bytes);
    }
}
