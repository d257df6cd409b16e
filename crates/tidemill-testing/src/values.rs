//! Copies, comparisons and conversions of values.

use tidemill_value::{
    ByteString, DType, Element, Scalar, TensorList, Value, bf16, f16, match_dtype,
};

/// The value in a buffer of its own.
pub fn deep_copy(value: &Value) -> Value {
    let copy = match_dtype!(value.dtype(), any, T => {
        let elements = value.as_slice::<T>().map(<[T]>::to_vec);
        elements.and_then(|elements| Value::from_vec(value.shape().clone(), elements))
    });
    copy.expect("a copy has the shape and type of the original")
}

/// True if both values are equal to the bit. Any NaN is equal to any other.
pub fn same(left: &Value, right: &Value) -> bool {
    left.dtype() == right.dtype()
        && left.shape() == right.shape()
        && match_dtype!(@ left.dtype(), T,
            elements::<T>(left).iter().zip(elements::<T>(right)).all(|(l, r)| {
                l.to_bits() == r.to_bits() || l.is_nan() && r.is_nan()
            }),
            left == right, F32 f32, F64 f64, F16 f16, BF16 bf16)
}

/// True if both lists are the [`same`], value by value.
pub fn all_same(left: &[Value], right: &[Value]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
}

/// True if both values are equal: floats within `tolerance`, relative or absolute, all else
/// exactly. NaN equals NaN, and an infinity equals itself.
pub fn close(actual: &Value, expected: &Value, tolerance: f64) -> bool {
    actual.dtype() == expected.dtype()
        && actual.shape() == expected.shape()
        && match_dtype!(actual.dtype(), floats,
            T => elements::<T>(actual).iter().zip(elements::<T>(expected)).all(|(l, r)| {
                close_numbers(*l, *r, tolerance)
            }),
            else actual == expected)
}

fn close_numbers(actual: impl Into<f64>, expected: impl Into<f64>, tolerance: f64) -> bool {
    let (actual, expected) = (actual.into(), expected.into());
    let both_nan = actual.is_nan() && expected.is_nan();
    both_nan
        || approx::relative_eq!(actual, expected, epsilon = tolerance, max_relative = tolerance)
}

fn elements<T: Element>(value: &Value) -> &[T] {
    value.as_slice().expect("the elements are of the value's type")
}

/// The numbers of a value, `true` as 1.
///
/// # Panics
/// If the elements are strings.
pub fn numbers(value: &Value) -> Vec<f64> {
    match_dtype!(value.dtype(), plain, T => {
        let scalars = elements::<T>(value).iter().filter_map(|x| x.into_scalar());
        scalars.map(number).collect()
    }, else panic!("strings are no numbers"))
}

fn number(scalar: Scalar) -> f64 {
    match scalar {
        Scalar::F32(x) => x.into(),
        Scalar::F64(x) => x,
        Scalar::F16(x) => x.into(),
        Scalar::BF16(x) => x.into(),
        Scalar::I8(x) => x.into(),
        Scalar::I16(x) => x.into(),
        Scalar::I32(x) => x.into(),
        Scalar::I64(x) => x as f64,
        Scalar::U8(x) => x.into(),
        Scalar::U16(x) => x.into(),
        Scalar::U32(x) => x.into(),
        Scalar::U64(x) => x as f64,
        Scalar::Bool(x) => x.into(),
    }
}

/// A value of these numbers. Numbers that `dtype` does not have become 1.
///
/// # Panics
/// If there are not as many numbers as `shape` has elements.
pub fn from_numbers(shape: &[usize], numbers: &[f64], dtype: DType) -> Value {
    let value = match_dtype!(dtype, plain, T => {
        let element = |&x: &f64| T::in_scalar(&scalar(x, dtype)).copied().unwrap_or_default();
        Value::from_vec(shape, numbers.iter().map(element).collect())
    }, else {
        let texts = numbers.iter().map(|x| ByteString::from(x.to_string()));
        Value::from_vec(shape, texts.collect())
    });
    value.expect("there are as many numbers as elements")
}

fn scalar(x: f64, dtype: DType) -> Scalar {
    let adopted = match dtype {
        DType::Bool => Ok(Scalar::Bool(x != 0.0)),
        _ if dtype.is_float() => Scalar::F64(x).adopt(dtype),
        _ if x.fract() == 0.0 => Scalar::I64(x as i64).adopt(dtype),
        _ => Scalar::U8(1).adopt(dtype),
    };
    adopted.or_else(|_| Scalar::U8(1).adopt(dtype)).expect("every type of number has a 1")
}

/// Lists with elements of another data type, converted as by [`converted`].
pub fn converted_lists(lists: &Value, dtype: DType) -> Value {
    let convert = |list: &TensorList| {
        let mut converted = TensorList::new(dtype, list.shape().clone());
        converted.resize(list.len()).expect("lists of samples are short");
        for (i, element) in list.elements().iter().enumerate() {
            if let Some(element) = element {
                let element = self::converted(element, dtype);
                converted.set(i, element).expect("the shapes are those of the list");
            }
        }
        converted
    };
    let lists: &[TensorList] = elements(lists);
    match lists {
        [list] => convert(list).into(),
        _ => Value::list(lists.iter().map(convert).collect()),
    }
}

/// The value as another data type, converted as by [`from_numbers`]. Strings stay strings.
pub fn converted(value: &Value, dtype: DType) -> Value {
    match value.dtype() {
        DType::String => value.clone(),
        from if from == dtype => value.clone(),
        _ => from_numbers(value.shape(), &numbers(value), dtype),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_is_the_same_as_nan_and_zeros_differ_in_sign() {
        assert!(same(&Value::from([f32::NAN, 1.0]), &Value::from([-f32::NAN, 1.0])));
        assert!(!same(&Value::from([0.0_f64]), &Value::from([-0.0_f64])));
        assert!(!same(&Value::from([1.0_f32]), &Value::from(1.0_f32)));
        assert!(!same(&Value::from(1_i32), &Value::from(1_i64)));
    }

    #[test]
    fn close_is_relative_for_large_numbers_and_absolute_for_small_ones() {
        let close = |l: f64, r: f64| close(&l.into(), &r.into(), 1e-5);
        assert!(close(1e6, 1e6 + 1.0) && close(1e-7, 0.0) && close(f64::NAN, f64::NAN));
        assert!(!close(1.0, 1.001) && !close(f64::INFINITY, 1e300) && !close(0.0, f64::NAN));
        assert!(close(f64::INFINITY, f64::INFINITY) && close(0.0, -0.0));
    }

    #[test]
    fn a_number_that_a_type_does_not_have_becomes_one() {
        let x = Value::from([-2.0_f32, 0.5, 300.0, 7.0]);
        assert_eq!(converted(&x, DType::U8), Value::from([1_u8, 1, 1, 7]));
        assert_eq!(converted(&x, DType::I16), Value::from([-2_i16, 1, 300, 7]));
        assert_eq!(converted(&x, DType::F64), Value::from([-2.0_f64, 0.5, 300.0, 7.0]));
        assert_eq!(converted(&Value::from([true, false]), DType::I64), Value::from([1_i64, 0]));
    }

    #[test]
    fn a_deep_copy_shares_no_buffer() {
        let value = Value::from([1, 2]);
        let copy = deep_copy(&value);
        assert!(copy == value && !copy.shares_buffer(&value));
    }
}
