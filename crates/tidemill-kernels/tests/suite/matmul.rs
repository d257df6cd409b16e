use std::time::{Duration, Instant};

use proptest::prelude::*;
use tidemill_kernels::NumericError;
use tidemill_kernels::elementwise::{Side, cast};
use tidemill_kernels::epilogue::Stage;
use tidemill_kernels::layout::transpose;
use tidemill_kernels::matmul::Orientation::{Normal, Transposed};
use tidemill_kernels::matmul::{
    MatMul, Orientation, batch_matmul, batch_matmul_then, matmul, matmul_then, pack, packed_len,
    packed_matmul,
};
use tidemill_kernels::pool::{Cancellation, Context, with_context};
use tidemill_value::{BinaryOp, DType, Memory, ScalarOp, UnaryOp, Value};

use crate::support::*;

fn orientation() -> impl Strategy<Value = Orientation> {
    prop_oneof![Just(Normal), Just(Transposed)]
}

fn integers(rows: usize, columns: usize, seed: usize) -> Value {
    filled(&[rows, columns], |i| ((i + seed) * 7919 % 23) as i32 - 11)
}

fn reference(left: &Value, right: &Value) -> Value {
    let ([rows, inner], columns) = ([left.shape()[0], left.shape()[1]], right.shape()[1]);
    let (l, r) = (left.as_slice::<i32>().unwrap(), right.as_slice::<i32>().unwrap());
    filled(&[rows, columns], |at| {
        let (i, j) = (at / columns, at % columns);
        (0..inner).map(|k| l[i * inner + k] * r[k * columns + j]).sum::<i32>()
    })
}

fn laid(matrix: &Value, orientation: Orientation, dtype: DType) -> Value {
    let matrix = cast(&Memory::new(), matrix, dtype).unwrap();
    if orientation == Normal {
        matrix
    } else {
        transpose(&Memory::new(), &matrix, &[1, 0]).unwrap()
    }
}

/// A number that is rounded in every product and sum.
fn float(i: usize) -> f64 {
    ((i.wrapping_mul(2_654_435_761) >> 7) % 20_011) as f64 / 7_919.0 - 1.25
}

/// An element of a product as every way to compute it must sum it: in order, by fused multiply-add where
/// the machine has it, 256 terms at a time.
macro_rules! summed {
    ($terms:expr, $rust:ty) => {{
        let terms: Vec<[$rust; 2]> = $terms.collect();
        let sums = terms.chunks(256).map(|terms| {
            terms
                .iter()
                .fold(0.0, |sum, [x, y]| if fuses() { x.mul_add(*y, sum) } else { sum + x * y })
        });
        sums.reduce(|total: $rust, sum| total + sum).unwrap_or_default()
    }};
}

fn fuses() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("fma")
        && std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    return cfg!(target_arch = "aarch64");
}

fn few_or_many() -> impl Strategy<Value = usize> {
    prop_oneof![1_usize..20, 20_usize..70, 140_usize..330]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn the_order_of_sums_depends_on_nothing_but_the_inner_dimension(
        (rows, columns) in (few_or_many(), few_or_many()),
        inner in prop_oneof![1_usize..40, 200_usize..600],
        (left_lies, right_lies) in (orientation(), orientation()),
        threads in 1_usize..4,
        picks in proptest::collection::vec(any::<u32>(), 50),
    ) {
        macro_rules! check {
            ($rust:ty) => {{
                let number = |i: usize, j: usize| float(i * 631 + j) as $rust;
                let left = filled(&[rows, inner], |at| number(at / inner, at % inner));
                let right = filled(&[inner, columns], |at| number(at % columns, at / columns + 77));
                let (left, right) =
                    (laid(&left, left_lies, left.dtype()), laid(&right, right_lies, right.dtype()));
                let context = Context { threads, cancellation: None };
                let product = with_context(&context, || {
                    matmul(&Memory::new(), (&left, left_lies), (&right, right_lies)).unwrap()
                });
                let product = product.as_slice::<$rust>().unwrap();
                let ends = [0, columns - 1, (rows - 1) * columns, rows * columns - 1];
                for at in picks.iter().map(|&i| i as usize % product.len()).chain(ends) {
                    let (i, j) = (at / columns, at % columns);
                    let terms = (0..inner).map(|k| [number(i, k), number(j, k + 77)]);
                    let expected = summed!(terms, $rust);
                    prop_assert_eq!(product[at].to_bits(), expected.to_bits(), "{} {}", i, j);
                }
            }};
        }
        check!(f32);
        check!(f64);
    }
}

/// A matrix of floats of either type.
fn floats(dtype: DType, extents: &[usize], seed: usize) -> Value {
    match dtype {
        DType::F32 => filled(extents, |i| float(i + seed) as f32),
        _ => filled(extents, |i| float(i + seed)),
    }
}

fn on_threads<R>(threads: usize, f: impl FnOnce() -> R) -> R {
    with_context(&Context { threads, cancellation: None }, f)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_packed_operand_gives_the_bits_of_the_operand(
        (rows, columns) in (few_or_many(), few_or_many()),
        inner in prop_oneof![0_usize..40, 200_usize..600],
        (left_lies, right_lies) in (orientation(), orientation()),
        (packing, computing) in (1_usize..4, 1_usize..4),
        dtype in prop_oneof![Just(DType::F32), Just(DType::F64)],
    ) {
        let memory = Memory::new();
        let left = laid(&floats(dtype, &[rows, inner], 1), left_lies, dtype);
        let right = laid(&floats(dtype, &[inner, columns], 2), right_lies, dtype);
        let expected = matmul(&memory, (&left, left_lies), (&right, right_lies)).unwrap();
        let packed = on_threads(packing, || pack(&memory, (&right, right_lies)));
        let Some(len) = packed_len(dtype, [inner, columns]) else {
            prop_assert!(packed.is_err());
            return Ok(());
        };
        let packed = packed.unwrap();
        prop_assert_eq!(packed.elements(), len);
        let product = on_threads(computing, || {
            packed_matmul(&memory, (&left, left_lies), (&packed, [inner, columns]), &[])
        });
        prop_assert!(product.unwrap().bits_eq(&expected));
    }

    #[test]
    fn functions_of_a_product_give_the_bits_of_steps_of_their_own(
        batch in 1_usize..4,
        (rows, columns) in (few_or_many(), few_or_many()),
        inner in prop_oneof![0_usize..40, 250_usize..270],
        (left_lies, right_lies) in (orientation(), orientation()),
        threads in 1_usize..4,
        kinds in proptest::collection::vec(0_usize..5, 1..4),
    ) {
        let memory = Memory::new();
        let dtype = DType::F32;
        let shape = |matrix: [usize; 2], lies| match lies {
            Normal => [batch, matrix[0], matrix[1]],
            Transposed => [batch, matrix[1], matrix[0]],
        };
        let left = floats(dtype, &shape([rows, inner], left_lies), 1);
        let right = floats(dtype, &shape([inner, columns], right_lies), 2);
        let (one, row, all) = (
            floats(dtype, &[], 3),
            floats(dtype, &[columns], 4),
            floats(dtype, &[batch, rows, columns], 5),
        );
        let stage = |function, side| Stage::new(function, dtype, side).unwrap();
        let stages: Vec<_> = kinds.iter().map(|kind| match kind {
            0 => (stage(ScalarOp::Unary(UnaryOp::Relu), Side::Left), None),
            1 => (stage(ScalarOp::Binary(BinaryOp::Sub), Side::Left), Some(&row)),
            2 => (stage(ScalarOp::Binary(BinaryOp::Sub), Side::Right), Some(&row)),
            3 => (stage(ScalarOp::Binary(BinaryOp::Div), Side::Right), Some(&one)),
            _ => (stage(ScalarOp::Binary(BinaryOp::Mul), Side::Left), Some(&all)),
        }).collect();
        let product = on_threads(threads, || {
            batch_matmul_then(&memory, (&left, left_lies), (&right, right_lies), &stages).unwrap()
        });
        let mut expected =
            batch_matmul(&memory, (&left, left_lies), (&right, right_lies)).unwrap().into_vec::<f32>().unwrap();
        let (row, all) = (row.as_slice::<f32>().unwrap(), all.as_slice::<f32>().unwrap());
        for kind in kinds {
            for (i, x) in expected.iter_mut().enumerate() {
                *x = match kind {
                    0 if *x > 0.0 || x.is_nan() => *x,
                    0 => 0.0,
                    1 => *x - row[i % columns],
                    2 => row[i % columns] - *x,
                    3 => one.to_scalar::<f32>().unwrap() / *x,
                    _ => *x * all[i],
                };
            }
        }
        let expected = Value::from_vec([batch, rows, columns], expected).unwrap();
        prop_assert_eq!(product, expected);
    }
}

#[test]
fn functions_that_do_not_fit_a_product_are_an_error() {
    let (memory, matrix) = (Memory::new(), filled(&[3, 3], |i| i as f32));
    let product = |stage, other: Option<&Value>| {
        matmul_then(&memory, (&matrix, Normal), (&matrix, Normal), &[(stage, other)])
    };
    let add = |dtype| Stage::new(ScalarOp::Binary(BinaryOp::Add), dtype, Side::Left).unwrap();
    let pair = filled(&[2], |i| i as f32);
    let error = NumericError::Length { expected: 9, actual: 2 };
    assert_eq!(product(add(DType::F32), Some(&pair)), Err(error));
    assert_eq!(
        product(add(DType::F32), None),
        Err(NumericError::Length { expected: 9, actual: 0 })
    );
    let error = NumericError::UnsupportedDType { dtype: DType::F32 };
    assert_eq!(product(add(DType::F64), Some(&pair)), Err(error));
    assert!(Stage::new(ScalarOp::Select, DType::F32, Side::Left).is_none());
    assert!(Stage::new(ScalarOp::Unary(UnaryOp::Relu), DType::I32, Side::Left).is_none());
}

#[test]
fn a_packed_operand_of_other_extents_is_an_error() {
    let (memory, matrix) = (Memory::new(), filled(&[3, 5], |i| i as f32));
    let Ok(packed) = pack(&memory, (&matrix, Normal)) else { return };
    let product = |extents| packed_matmul(&memory, (&matrix, Transposed), (&packed, extents), &[]);
    assert!(product([3, 5]).is_ok());
    let error = NumericError::InnerDimensions { left: 3, right: 5 };
    assert_eq!(product([5, 3]), Err(error));
    assert!(matches!(product([3, 500]), Err(NumericError::Length { .. })));
    let vector = filled(&[3], |i| i as f32);
    let error = NumericError::Rank { expected: 2, actual: 1 };
    assert_eq!(pack(&memory, (&vector, Normal)), Err(error.clone()));
    assert_eq!(packed_matmul(&memory, (&vector, Normal), (&packed, [3, 5]), &[]), Err(error));
    let integers = filled(&[3, 5], |i| i as i32);
    let error = NumericError::UnsupportedDType { dtype: DType::I32 };
    assert_eq!(pack(&memory, (&integers, Normal)), Err(error));
}

proptest! {
    #[test]
    fn products_are_sums_of_products(
        rows in 0_usize..20,
        inner in 0_usize..40,
        columns in 0_usize..20,
        (left_lies, right_lies) in (orientation(), orientation()),
    ) {
        let (left, right) = (integers(rows, inner, 1), integers(inner, columns, 2));
        let expected = reference(&left, &right);
        for dtype in [DType::F32, DType::F64, DType::I32, DType::I64, DType::U64] {
            let (left, right) = (laid(&left, left_lies, dtype), laid(&right, right_lies, dtype));
            let product = matmul(&Memory::new(), (&left, left_lies), (&right, right_lies)).unwrap();
            prop_assert_eq!(product, cast(&Memory::new(), &expected, dtype).unwrap());
        }
    }

    #[test]
    fn vectors_are_multiplied_as_matrices_are(
        inner in 1_usize..100,
        columns in 1_usize..40,
        (left_lies, right_lies) in (orientation(), orientation()),
    ) {
        let (row, matrix) = (integers(1, inner, 1), integers(inner, columns, 2));
        let expected = cast(&Memory::new(), &reference(&row, &matrix), DType::F32).unwrap();
        let (left, right) =
            (laid(&row, left_lies, DType::F32), laid(&matrix, right_lies, DType::F32));
        prop_assert_eq!(matmul(&Memory::new(), (&left, left_lies), (&right, right_lies)).unwrap(), expected.clone());

        let turn = |o| if o == Normal { Transposed } else { Normal };
        let column = matmul(&Memory::new(), (&right, turn(right_lies)), (&left, turn(left_lies))).unwrap();
        prop_assert_eq!(column, transpose(&Memory::new(), &expected, &[1, 0]).unwrap());
    }

    #[test]
    fn batches_broadcast(batch in small_shape(3), left_ones: u8, right_ones: u8) {
        let part = |ones: u8, matrix: [usize; 2]| {
            let shrunk = batch.iter().enumerate();
            let shrunk = shrunk.map(|(i, &extent)| if ones >> i & 1 == 1 { 1 } else { extent });
            filled(&shrunk.chain(matrix).collect::<Vec<_>>(), |i| (i * 7919 % 23) as i32 - 11)
        };
        let (left, right) = (part(left_ones, [2, 3]), part(right_ones, [3, 4]));
        let product = batch_matmul(&Memory::new(), (&left, Normal), (&right, Normal)).unwrap();
        let (l, r) = (left.as_slice::<i32>().unwrap(), right.as_slice::<i32>().unwrap());
        let shape = product.shape().clone();
        let batch_of = |value: &Value| value.shape()[..batch.len()].to_vec();
        let mut expected = Vec::new();
        for position in positions(&shape[..batch.len()]) {
            let (a, b) = (offset(&batch_of(&left), &position), offset(&batch_of(&right), &position));
            let a = Value::from_vec([2, 3], l[a * 6..(a + 1) * 6].to_vec()).unwrap();
            let b = Value::from_vec([3, 4], r[b * 12..(b + 1) * 12].to_vec()).unwrap();
            expected.extend(reference(&a, &b).into_vec::<i32>().unwrap());
        }
        prop_assert_eq!(product, Value::from_vec(shape, expected).unwrap());
    }
}

#[test]
fn an_inner_dimension_of_zero_gives_zeros() {
    for dtype in [DType::F32, DType::I32] {
        let (left, right) =
            (Value::zeros(dtype, [2, 0]).unwrap(), Value::zeros(dtype, [0, 3]).unwrap());
        let product = matmul(&Memory::new(), (&left, Normal), (&right, Normal));
        assert_eq!(product, Ok(Value::zeros(dtype, [2, 3]).unwrap()));
    }
    let mut stale = [7.0_f32; 2];
    let plan = MatMul::new(([2, 0], Normal), ([0, 1], Normal)).unwrap();
    plan.run(&[], &[], &mut stale, &mut []).unwrap();
    assert_eq!(stale, [0.0; 2]);
}

#[test]
fn integers_wrap() {
    let left = value([[1 << 16, 5]]);
    assert_eq!(matmul(&Memory::new(), (&left, Normal), (&left, Transposed)), Ok(value([[25]])));
}

#[test]
fn nan_and_infinity_are_multiplied_too() {
    let left = value([[NAN, 1.0], [0.0, 1.0], [INF, 0.0], [0.0, 0.0]]);
    let product =
        matmul(&Memory::new(), (&left, Normal), (&value([[INF], [2.0]]), Normal)).unwrap();
    assert_close(&product, &[f64::NAN, f64::NAN, f64::INFINITY, f64::NAN], 0.0);
}

#[test]
fn shapes_and_types_that_do_not_fit_are_an_error() {
    let (matrix, vector) = (filled(&[2, 3], |i| i as f32), filled(&[3], |i| i as f32));
    let product = |left, right| matmul(&Memory::new(), (left, Normal), (right, Normal));
    let error = NumericError::InnerDimensions { left: 3, right: 2 };
    assert_eq!(product(&matrix, &matrix), Err(error));
    assert_eq!(product(&matrix, &vector), Err(NumericError::Rank { expected: 2, actual: 1 }));
    let doubles = Value::zeros(DType::F64, [3, 2]).unwrap();
    assert!(matches!(product(&matrix, &doubles), Err(NumericError::Value(_))));
    let truth = Value::zeros(DType::Bool, [1, 1]).unwrap();
    let error = NumericError::UnsupportedDType { dtype: DType::Bool };
    assert_eq!(product(&truth, &truth), Err(error));
    let (wide, tall) = (
        Value::zeros(DType::F32, [1 << 40, 0]).unwrap(),
        Value::zeros(DType::F32, [0, 1 << 40]).unwrap(),
    );
    assert!(matches!(product(&wide, &tall), Err(NumericError::Value(_))));
}

#[test]
fn buffers_that_do_not_fit_the_plan_are_an_error() {
    let plan = MatMul::new(([2, 3], Normal), ([3, 2], Normal)).unwrap();
    let error = NumericError::Length { expected: 6, actual: 5 };
    assert_eq!(plan.run(&[0.0_f32; 5], &[0.0; 6], &mut [0.0; 4], &mut []), Err(error.clone()));
    assert_eq!(plan.run(&[0_i32; 6], &[0; 5], &mut [0; 4], &mut []), Err(error));
    let error = NumericError::Length { expected: 4, actual: 3 };
    assert_eq!(plan.run(&[0.0_f64; 6], &[0.0; 6], &mut [0.0; 3], &mut []), Err(error));
}

#[test]
fn wide_products_of_a_batch_are_those_of_its_matrices_on_any_number_of_threads() {
    let [batch, rows, inner, columns] = [3, 300, 260, 1100];
    let left = filled(&[batch, rows, inner], |at| float(at) as f32);
    let right = filled(&[batch, inner, columns], |at| float(at + 7) as f32);
    let product = |threads| {
        let context = Context { threads, cancellation: None };
        with_context(&context, || {
            batch_matmul(&Memory::new(), (&left, Normal), (&right, Normal)).unwrap()
        })
    };
    let alone = product(1);
    for threads in [2, 3, 8] {
        assert!(product(threads) == alone, "{threads} threads");
    }
}

#[test]
fn a_product_of_long_vectors_is_one_number_on_any_number_of_threads() {
    const INNER: usize = 200_000;
    let vectors = [filled(&[1, INNER], float), filled(&[1, INNER], |at| float(at + 7))];
    let terms = (0..INNER).map(|at| [float(at), float(at + 7)]);
    let expected = Value::from_vec([1, 1], vec![summed!(terms, f64)]).unwrap();
    for threads in 1..=4 {
        let context = Context { threads, cancellation: None };
        let [left, right] = &vectors;
        let product = with_context(&context, || {
            matmul(&Memory::new(), (left, Normal), (right, Transposed)).unwrap()
        });
        assert!(product.bits_eq(&expected), "{threads} threads");
    }
}

#[test]
fn a_request_to_stop_is_heeded_within_a_product_of_two_long_vectors() {
    const INNER: usize = 1 << 22;
    macro_rules! check {
        ($one:literal, $rust:ty) => {{
            let plan = MatMul::new(([1, INNER], Normal), ([INNER, 1], Normal)).unwrap();
            let (vector, mut sum) = (vec![$one; INNER], [$one - $one]);
            // The whole product takes several times as long.
            let soon = Cancellation::new().with_deadline(Instant::now() + Duration::from_millis(1));
            let context = Context { threads: 1, cancellation: Some(&soon) };
            with_context(&context, || plan.run(&vector, &vector, &mut sum, &mut []).unwrap());
            assert!(sum[0] < INNER as $rust, "{}", sum[0]);
        }};
    }
    check!(1.0_f64, f64);
    check!(1_i64, i64);
}
