//! `float16` and `bfloat16`.

use tidemill_value::{DType, Scalar, Value, bf16, f16};

#[test]
fn halves_print_with_the_fewest_digits_that_read_back() {
    let halves = [0.1, 1.0, -65504.0, 1e-7, 0.333, 2048.0].map(f16::from_f32);
    assert_eq!(Value::from(halves).to_string(), "[0.1, 1.0, -65500.0, 1e-7, 0.333, 2048.0]");
    let halves = [0.1, 3.125, 1e30, 256.0].map(bf16::from_f32);
    assert_eq!(Value::from(halves).to_string(), "[0.1, 3.12, 1e30, 256.0]");
    let special = [f16::NAN, f16::INFINITY, f16::NEG_ZERO];
    assert_eq!(Value::from(special).to_string(), "[nan, inf, -0.0]");
}

#[test]
fn every_half_reads_back_from_what_it_prints() {
    for bits in 0..=u16::MAX {
        let (half, brain) = (f16::from_bits(bits), bf16::from_bits(bits));
        let read = |scalar: Scalar| scalar.to_string().parse::<f32>().unwrap();
        let again = f16::from_f32(read(half.into()));
        assert!(half.is_nan() || again.to_bits() == bits, "{bits:#x}");
        let again = bf16::from_f32(read(brain.into()));
        assert!(brain.is_nan() || again.to_bits() == bits, "{bits:#x}");
    }
}

#[test]
fn numbers_are_adopted_unless_they_would_become_infinite() {
    let adopted = Scalar::F64(0.1).adopt(DType::F16).unwrap();
    assert_eq!(adopted, Scalar::F16(f16::from_f64(0.1)));
    assert_eq!(Scalar::I64(3).adopt(DType::BF16), Ok(Scalar::BF16(bf16::from_f32(3.0))));
    assert!(Scalar::I64(70_000).adopt(DType::F16).is_err());
    assert!(Scalar::F64(1e39).adopt(DType::BF16).is_err());
    assert!(Scalar::F32(f32::INFINITY).adopt(DType::F16).is_ok());
}

#[test]
fn bits_tell_zeros_apart_and_find_nan_equal() {
    let value = |x: f16| Value::from(vec![x]);
    assert!(value(f16::NAN).bits_eq(&value(f16::NAN)));
    assert!(!value(f16::ZERO).bits_eq(&value(f16::NEG_ZERO)));
    assert_eq!(value(f16::ZERO), value(f16::NEG_ZERO));
}
