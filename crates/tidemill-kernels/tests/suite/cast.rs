use tidemill_kernels::NumericError;
use tidemill_kernels::elementwise::cast;
use tidemill_value::{DType, Element, Memory, Value, bf16, f16};

fn to<O: Element>(value: impl Into<Value>) -> Vec<O> {
    cast(&Memory::new(), &value.into(), O::DTYPE).unwrap().into_vec().unwrap()
}

#[test]
fn floats_lose_their_fraction_toward_zero() {
    assert_eq!(to::<i32>([2.9_f32, -2.9, 0.5, -0.0]), [2, -2, 0, 0]);
    assert_eq!(to::<i8>([-100.4_f64, 3.99]), [-100, 3]);
}

#[test]
fn floats_out_of_range_become_the_lowest_number_and_wrap_when_narrowed() {
    assert_eq!(to::<i32>([1e10_f32, -1e10, f32::NAN]), [i32::MIN; 3]);
    assert_eq!(to::<i64>([1e19_f64, -1e19, f64::INFINITY]), [i64::MIN; 3]);
    assert_eq!(to::<u8>([300.0_f64, -1.0, f64::INFINITY, 70_000.0]), [44, 255, 0, 112]);
    assert_eq!(to::<i16>([32_768.0_f32, -32_769.0, 3e9]), [i16::MIN, i16::MAX, 0]);
    assert_eq!(to::<u32>([3e9_f32, -1.0, 5e9]), [3_000_000_000, u32::MAX, 705_032_704]);
    let high = [9.3e18_f64, -1.0, 2e19, f64::NAN];
    assert_eq!(to::<u64>(high), [9_300_000_000_000_000_000, u64::MAX, 1 << 63, 1 << 63]);
}

#[test]
fn integers_wrap_when_narrowed() {
    assert_eq!(to::<i8>([300_i32, -300, 128, -129, 65536]), [44, -44, -128, 127, 0]);
    assert_eq!(to::<u8>([300_i32, -300, 128, -129, 65536]), [44, 212, 128, 127, 0]);
    assert_eq!(to::<i64>([u64::MAX]), [-1]);
}

#[test]
fn numbers_are_rounded_to_the_nearest_float() {
    let large = [16_777_217_i64, -16_777_219, 9_007_199_254_740_993];
    assert_eq!(to::<f32>(large), [16_777_216.0, -16_777_220.0, 9_007_199_254_740_992.0]);
    assert_eq!(to::<f32>([0.1_f64, 1e300]), [0.1, f32::INFINITY]);
}

#[test]
fn halves_are_rounded_to_even() {
    let halves = to::<f16>([2049.0_f32, 2051.0, 65519.0, 65520.0, 1e-8, -0.1]);
    let expected = [2048.0, 2052.0, 65504.0, f32::INFINITY, 0.0, -0.099975586];
    assert_eq!(to::<f32>(halves), expected);
    let halves = to::<bf16>([257_i32, 259, 1 << 20]);
    assert_eq!(to::<i64>(halves), [256, 260, 1 << 20]);
    assert_eq!(to::<u8>([f16::NAN, f16::INFINITY, f16::from_f32(-1.5)]), [0, 0, 255]);
    assert_eq!(to::<bool>([f16::NEG_ZERO, f16::NAN]), [false, true]);
    assert_eq!(to::<bf16>([f16::from_f32(1.5)]), [bf16::from_f32(1.5)]);
}

#[test]
fn every_number_but_zero_is_true() {
    let numbers = [f32::NAN, f32::INFINITY, 0.0, -0.0, 1e-30];
    assert_eq!(to::<bool>(numbers), [true, true, false, false, true]);
    assert_eq!(to::<f64>([true, false]), [1.0, 0.0]);
}

#[test]
fn plain_types_all_convert_to_each_other() {
    for &from in DType::PLAIN {
        let one = cast(&Memory::new(), &Value::from([0.0_f32, 1.0]), from).unwrap();
        for &to in DType::PLAIN {
            let same = cast(&Memory::new(), &cast(&Memory::new(), &one, to).unwrap(), DType::F32);
            assert_eq!(same, Ok(Value::from([0.0_f32, 1.0])), "{from} to {to}");
        }
    }
}

#[test]
fn a_value_of_the_right_type_is_shared() {
    let value = Value::list(vec![1_u16, 2]);
    assert!(cast(&Memory::new(), &value, DType::U16).unwrap().shares_buffer(&value));
    let strings = Value::from("a");
    assert_eq!(cast(&Memory::new(), &strings, DType::String), Ok(strings));
}

#[test]
fn strings_do_not_become_numbers() {
    let error = NumericError::UnsupportedDType { dtype: DType::String };
    assert_eq!(cast(&Memory::new(), &Value::from("1"), DType::F32), Err(error.clone()));
    assert_eq!(cast(&Memory::new(), &Value::from(1.0_f32), DType::String), Err(error));
}

#[test]
fn shapes_are_kept() {
    let empty = Value::zeros(DType::F32, [0, 3]).unwrap();
    assert_eq!(&cast(&Memory::new(), &empty, DType::I64).unwrap().shape()[..], [0, 3]);
    assert_eq!(cast(&Memory::new(), &Value::from(2.5_f32), DType::I64), Ok(Value::from(2_i64)));
}
