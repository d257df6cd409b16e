//! Values: conversions to and from them, and the copies of elements that these make.

#![allow(clippy::unwrap_used)]

use ndarray::{Array2, ArrayD, IxDyn, ShapeBuilder, array, s};
use tidemill_value::{
    ByteString, DType, IntoScalars, IntoValue, Memory, Scalar, Value, ValueError,
};

fn value(data: impl IntoValue) -> Value {
    data.into_value().unwrap()
}

fn parts<T: tidemill_value::Element>(value: &Value) -> (&[usize], &[T]) {
    (value.shape(), value.as_slice().unwrap())
}

#[test]
fn a_number_has_no_axes() {
    let two = value(2.0_f32);
    assert_eq!((two.dtype(), two.shape().rank(), two.elements()), (DType::F32, 0, 1));
    assert_eq!(two.as_scalar::<f32>(), Some(2.0));
    assert_eq!(two.number(), Some(Scalar::F32(2.0)));
    assert_eq!(value(true), Value::from(Scalar::Bool(true)));
}

#[test]
fn nested_lists_become_axes() {
    assert_eq!(parts(&value([[1, 2, 3], [4, 5, 6]])), (&[2, 3][..], &[1, 2, 3, 4, 5, 6][..]));
    assert_eq!(parts(&value(vec![vec![1_u8], vec![2]])), (&[2, 1][..], &[1_u8, 2][..]));
    assert_eq!(&value(vec![[[1.5_f64]; 2]; 3]).shape()[..], [3, 2, 1]);
    assert_eq!(parts(&value(&[1_i64, 2][..])), (&[2][..], &[1_i64, 2][..]));
    assert_eq!(&value([&[1_i16, 2][..], &[3, 4]]).shape()[..], [2, 2]);
}

#[test]
fn text_becomes_strings() {
    let words = value(["tide", "mill"]);
    let expected = ["tide", "mill"].map(ByteString::from);
    assert_eq!(parts(&words), (&[2][..], &expected[..]));
    assert_eq!(value(String::from("tide")), Value::from("tide"));
}

#[test]
fn empty_lists_keep_the_axes_they_declare() {
    assert_eq!(&value(Vec::<f32>::new()).shape()[..], [0]);
    assert_eq!(&value(vec![Vec::<f32>::new(); 2]).shape()[..], [2, 0]);
    assert_eq!(&value([[0_i32; 3]; 0]).shape()[..], [0, 3]);
}

#[test]
fn ragged_lists_are_an_error() {
    let error = vec![vec![1, 2], vec![3]].into_value().unwrap_err();
    assert_eq!(error, ValueError::Ragged { first: [2].into(), other: [1].into() });
    assert!(vec![vec![vec![1]], vec![vec![2, 3]]].into_value().is_err());
}

#[test]
fn a_vector_moves_in_and_out() {
    let elements = vec![1.0_f32, 2.0, 3.0];
    let pointer = elements.as_ptr();
    let value = Value::list(elements);
    assert_eq!(value.as_slice::<f32>().unwrap().as_ptr(), pointer);
    let elements = value.into_vec::<f32>().unwrap();
    assert_eq!(elements.as_ptr(), pointer);
}

#[test]
fn an_array_moves_in_and_out() {
    let array = Array2::from_shape_fn((2, 3), |(i, j)| (3 * i + j) as f64);
    let pointer = array.as_ptr();
    let value = value(array);
    assert_eq!(&value.shape()[..], [2, 3]);
    assert_eq!(value.as_slice::<f64>().unwrap().as_ptr(), pointer);
    assert_eq!(value.view::<f64>().unwrap().as_ptr(), pointer);
    let array: ArrayD<f64> = value.try_into().unwrap();
    assert_eq!((array.as_ptr(), array.shape()), (pointer, &[2, 3][..]));
}

#[test]
fn a_shared_value_is_copied_on_its_way_out() {
    let kept = Value::list(vec![1, 2, 3]);
    let taken = kept.clone().into_vec::<i32>().unwrap();
    assert_ne!(taken.as_ptr(), kept.as_slice().unwrap().as_ptr());
    assert_eq!(taken, [1, 2, 3]);
    assert_eq!(kept.clone().into_array::<i32>().unwrap(), array![1, 2, 3].into_dyn());
}

#[test]
fn array_views_are_read_in_row_major_order() {
    let array = array![[1, 2, 3], [4, 5, 6]];
    let expected = value([[1, 4], [2, 5], [3, 6]]);
    assert_eq!(value(array.t()), expected);
    assert_eq!(value(array.t().to_owned()), expected);
    assert_eq!(value(&array), value([[1, 2, 3], [4, 5, 6]]));
    assert_eq!(value(array.slice(s![.., 1..])), value([[2, 3], [5, 6]]));
    assert_eq!(value(array.slice(s![..;-1, ..])), value([[4, 5, 6], [1, 2, 3]]));
    assert_eq!(value(array.slice(s![1, ..;2])), value([4, 6]));
}

#[test]
fn an_array_in_fortran_order_is_turned() {
    let array = Array2::from_shape_vec((2, 3).f(), vec![1, 4, 2, 5, 3, 6]).unwrap();
    assert_eq!(value(array), value([[1, 2, 3], [4, 5, 6]]));
}

#[test]
fn an_owned_slice_of_an_array_loses_what_was_cut_off() {
    let array = array![1, 2, 3, 4, 5].slice_move(s![1..4]);
    assert_eq!(value(array), value([2, 3, 4]));
    let empty = ArrayD::<f32>::zeros(IxDyn(&[3, 0]));
    assert_eq!(&value(empty).shape()[..], [3, 0]);
    assert_eq!(value(ndarray::arr0(7_i64)), Value::from(7_i64));
}

#[test]
fn writing_to_a_shared_value_leaves_the_other_alone() {
    let mut first = Value::list(vec![1, 2, 3]);
    assert!(first.is_unique());
    let second = first.clone();
    assert!(!first.is_unique() && first.shares_buffer(&second));
    first.as_mut_slice().unwrap()[0] = 9;
    assert!(first.is_unique() && !first.shares_buffer(&second));
    assert_eq!((first, second), (Value::from([9, 2, 3]), Value::from([1, 2, 3])));
}

#[test]
fn writing_to_a_unique_value_copies_nothing() {
    let mut value = Value::list(vec![1, 2, 3]);
    let pointer = value.as_slice::<i32>().unwrap().as_ptr();
    value.as_mut_slice().unwrap()[0] = 9;
    assert_eq!(value.as_slice::<i32>().unwrap().as_ptr(), pointer);
    let mut scalar = Value::from(1.0_f64);
    scalar.as_mut_slice().unwrap()[0] = 2.0;
    assert_eq!(scalar, Value::from(2.0_f64));
}

#[test]
fn reshaping_shares_the_elements() {
    let row = Value::list(vec![1, 2, 3, 4, 5, 6]);
    let matrix = row.clone().reshape([2, 3]).unwrap();
    assert!(matrix.shares_buffer(&row));
    assert_eq!(matrix, value([[1, 2, 3], [4, 5, 6]]));
    let error = ValueError::Elements { shape: [4].into(), expected: 4, actual: 6 };
    assert_eq!(row.reshape([4]), Err(error));
}

#[test]
fn a_number_is_reshaped_to_lists_and_back() {
    let list = Value::from(5_i32).reshape([1, 1]).unwrap();
    assert_eq!(list, value([[5]]));
    assert_eq!(list.as_scalar::<i32>(), None);
    let number = list.reshape([]).unwrap();
    assert_eq!(number.number(), Some(Scalar::I32(5)));
    let text = value(["a"]).reshape([]).unwrap();
    assert_eq!(text, Value::from("a"));
}

#[test]
fn numbers_are_taken_out_of_values_that_hold_one() {
    assert_eq!(value([[7.5_f32]]).to_scalar(), Ok(7.5_f32));
    assert_eq!(f32::try_from(Value::from(7.5_f32)), Ok(7.5));
    let error = ValueError::DType { expected: DType::F64, actual: DType::F32 };
    assert_eq!(f64::try_from(Value::from(7.5_f32)), Err(error));
    let error = ValueError::NotScalar { shape: [2].into() };
    assert_eq!(value([1, 2]).to_scalar::<i32>(), Err(error));
    let pair: [i32; 2] = [value(1), value(2)].into_scalars().unwrap();
    assert_eq!(pair, [1, 2]);
    let short: Result<[i32; 3], _> = IntoScalars::into_scalars([value(1), value(2), value(3)]);
    assert_eq!(short, Ok([1, 2, 3]));
}

#[test]
fn elements_that_do_not_fill_the_shape_are_an_error() {
    let error = ValueError::Elements { shape: [2, 2].into(), expected: 4, actual: 3 };
    assert_eq!(Value::from_vec([2, 2], vec![1, 2, 3]), Err(error));
    assert!(Value::from_vec([1 << 40, 1 << 40], vec![1]).is_err());
}

#[test]
fn shapes_too_large_for_memory_are_an_error() {
    let huge = [[1 << 40, 1 << 40], [isize::MAX as usize, 1], [1 << 57, 8], [1 << 50, 1]];
    for shape in huge {
        let error = ValueError::TooLarge { shape: shape.into() };
        assert_eq!(Value::zeros(DType::F64, shape), Err(error.clone()));
        assert_eq!(Value::full(Scalar::F64(1.0), shape), Err(error));
    }
    assert!(Value::from(1).reshape([1 << 40, 1 << 40]).is_err());
    assert!(value([1]).reshape([1 << 40, 1 << 40]).is_err());
}

#[test]
fn large_values_are_filled_as_small_ones_are() {
    let shape = [9 << 10, 1 << 10];
    let ones = Value::full(Scalar::F64(1.0), shape).unwrap();
    assert_eq!(&ones.shape()[..], shape);
    assert!(ones.as_slice::<f64>().unwrap().iter().all(|x| *x == 1.0));
    let zeros = Value::zeros(DType::F64, shape).unwrap();
    assert!(zeros.as_slice::<f64>().unwrap().iter().all(|x| *x == 0.0));
}

#[test]
fn values_without_elements_have_shapes() {
    let empty = Value::zeros(DType::String, [0, 1 << 40]).unwrap();
    assert_eq!((empty.elements(), empty.bytes(), &empty.shape()[..]), (0, 0, &[0, 1 << 40][..]));
    assert_eq!(empty.reshape([5, 0]).unwrap().elements(), 0);
}

#[test]
fn every_type_has_a_zero() {
    for &dtype in DType::ALL {
        let zeros = Value::zeros(dtype, [2]).unwrap();
        assert_eq!((zeros.dtype(), zeros.elements()), (dtype, 2));
        assert_eq!(zeros.bytes(), 2 * dtype.size());
    }
}

#[test]
fn equality_follows_ieee_and_bits_do_not() {
    let (nan, zeros) = (value([f32::NAN]), value([0.0_f32]));
    assert!(nan != nan.clone() && nan.bits_eq(&nan));
    assert!(zeros == value([-0.0_f32]) && !zeros.bits_eq(&value([-0.0_f32])));
    assert!(value([1_i32]) != value([1_i64]) && value([1]) != value([[1]]));
}

#[test]
fn values_print_as_nested_lists() {
    assert_eq!(value([[1.0_f32, 2.5], [-0.0, 1e30]]).to_string(), "[[1.0, 2.5], [-0.0, 1e30]]");
    assert_eq!(value(0.1_f32).to_string(), "0.1");
    assert_eq!(value([true, false]).to_string(), "[true, false]");
    assert_eq!(value(["a\"b", "c"]).to_string(), "[\"a\\\"b\", \"c\"]");
    assert_eq!(value([f64::NAN, f64::INFINITY, -f64::INFINITY]).to_string(), "[nan, inf, -inf]");
    assert_eq!(value([i64::MIN]).to_string(), "[-9223372036854775808]");
    assert_eq!(format!("{:?}", value([1_u8, 2])), "Value(uint8[2]: [1, 2])");
}

#[test]
fn empty_values_print_their_outer_axes() {
    assert_eq!(Value::zeros(DType::F32, [0]).unwrap().to_string(), "[]");
    assert_eq!(Value::zeros(DType::F32, [2, 0]).unwrap().to_string(), "[[], []]");
    assert_eq!(Value::zeros(DType::F32, [0, 2]).unwrap().to_string(), "[]");
    let endless = Value::zeros(DType::F32, [1 << 40, 0]).unwrap().to_string();
    assert_eq!(endless, "[[], [], [], ..., [], [], []]");
}

#[test]
fn long_axes_are_abbreviated() {
    let line = Value::list((0..2000).collect::<Vec<i32>>());
    assert_eq!(line.to_string(), "[0, 1, 2, ..., 1997, 1998, 1999]");
    let matrix = line.reshape([8, 250]).unwrap().to_string();
    assert!(matrix.starts_with("[[0, 1, 2, ..., 247, 248, 249], [250, "));
    assert!(matrix.ends_with("..., 1997, 1998, 1999]]"));
    let short = Value::list((0..1000).collect::<Vec<i32>>()).to_string();
    assert!(!short.contains("..."));
}

#[test]
fn scalars_adopt_the_types_that_can_hold_them() {
    let table = [
        (Scalar::I32(7), DType::F32, Some(Scalar::F32(7.0))),
        (Scalar::I32(7), DType::U8, Some(Scalar::U8(7))),
        (Scalar::I32(-1), DType::U8, None),
        (Scalar::I32(300), DType::I8, None),
        (Scalar::I64(i64::MAX), DType::F32, Some(Scalar::F32(i64::MAX as f32))),
        (Scalar::U64(u64::MAX), DType::I64, None),
        (Scalar::U64(u64::MAX), DType::U64, Some(Scalar::U64(u64::MAX))),
        (Scalar::F64(0.1), DType::F32, Some(Scalar::F32(0.1))),
        (Scalar::F32(0.5), DType::F64, Some(Scalar::F64(0.5))),
        (Scalar::F64(1e300), DType::F32, None),
        (Scalar::F64(f64::INFINITY), DType::F32, Some(Scalar::F32(f32::INFINITY))),
        (Scalar::F64(2.0), DType::I32, None),
        (Scalar::F32(0.5), DType::I32, None),
        (Scalar::Bool(true), DType::Bool, Some(Scalar::Bool(true))),
        (Scalar::Bool(true), DType::I32, None),
        (Scalar::I32(1), DType::Bool, None),
        (Scalar::F32(1.0), DType::Bool, None),
        (Scalar::I32(1), DType::String, None),
    ];
    for (scalar, dtype, expected) in table {
        let number = scalar.to_string();
        let expected = expected.ok_or(ValueError::Unrepresentable { number, dtype });
        assert_eq!(scalar.adopt(dtype), expected, "{scalar:?} as {dtype}");
    }
}

#[test]
fn a_nan_stays_one_when_it_is_adopted() {
    let Ok(Scalar::F32(x)) = Scalar::F64(f64::NAN).adopt(DType::F32) else { panic!("adopted") };
    assert!(x.is_nan());
}

#[test]
fn data_types_are_found_by_name() {
    for &dtype in DType::ALL {
        assert_eq!(dtype.to_string().parse(), Ok(dtype));
    }
    let error = ValueError::UnknownDType { name: "float".to_owned() };
    assert_eq!("float".parse::<DType>(), Err(error));
}

#[test]
fn an_edition_ends_when_elements_may_have_changed_and_never_comes_back() {
    let mut value = Value::from_vec([2], vec![1.0_f32, 2.0]).unwrap();
    let first = value.edition();
    assert!(first.is_some());
    let mut copy = value.clone();
    assert_eq!(copy.edition(), first);
    copy.as_mut_slice::<f32>().unwrap()[0] = 3.0;
    assert_ne!(copy.edition(), first);
    assert_eq!(value.edition(), first);
    drop(copy);
    value.as_mut_slice::<f32>().unwrap();
    let second = value.edition();
    assert_ne!(second, first);
    let memory = Memory::new();
    memory.recycle(memory.scratch(DType::F32, [3]).unwrap());
    let reused = memory.scratch(DType::F32, [3]).unwrap();
    let third = reused.edition();
    memory.recycle(reused);
    let reused = memory.scratch(DType::F32, [3]).unwrap();
    let editions = [first, second, third, reused.edition()];
    assert!((1..4).all(|i| !editions[..i].contains(&editions[i])), "{editions:?}");
    assert_eq!(Value::from(1.0_f32).edition(), None);
}
