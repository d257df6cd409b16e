use std::f64::consts::FRAC_PI_4;

use tidemill_kernels::NumericError;
use tidemill_kernels::elementwise::*;
use tidemill_value::{BinaryOp, ByteString, CompareOp, DType, Memory, PredicateOp, UnaryOp, Value};

use crate::support::*;

/// Operands and TensorFlow 2.21's results, one function per line.
const TENSORFLOW: &str = include_str!("tensorflow_unary.txt");

type Function = fn(DType) -> Option<AnyUnary>;

#[test]
fn functions_of_one_float_agree_with_tensorflow() {
    let functions: [(&str, Function); 31] = [
        ("Neg", neg),
        ("Abs", abs),
        ("Sign", sign),
        ("Square", square),
        ("Sqrt", sqrt),
        ("Rsqrt", rsqrt),
        ("Reciprocal", reciprocal),
        ("Exp", exp),
        ("Expm1", expm1),
        ("Log", log),
        ("Log1p", log1p),
        ("Sin", sin),
        ("Cos", cos),
        ("Tan", tan),
        ("Asin", asin),
        ("Acos", acos),
        ("Atan", atan),
        ("Sinh", sinh),
        ("Cosh", cosh),
        ("Tanh", tanh),
        ("Asinh", asinh),
        ("Acosh", acosh),
        ("Atanh", atanh),
        ("Sigmoid", sigmoid),
        ("Softplus", softplus),
        ("Relu", relu),
        ("Relu6", relu6),
        ("Elu", elu),
        ("Floor", floor),
        ("Ceil", ceil),
        ("Rint", rint),
    ];
    let (_, operands) = TENSORFLOW.split_once("operand").unwrap();
    let operands = numbers(operands.lines().next().unwrap());
    for (name, f) in functions {
        let line = TENSORFLOW.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        let expected = numbers(line.unwrap());
        let singles = operands.iter().map(|x| *x as f32).collect::<Vec<f32>>();
        let singles: Vec<f32> = unary(f, singles).into_vec().unwrap();
        let doubles: Vec<f64> = unary(f, operands.clone()).into_vec().unwrap();
        assert_close(&Value::list(without_subnormals(singles)), &expected, 1e-6);
        let rounded = doubles.into_iter().map(|x| x as f32).collect();
        assert_close(&Value::list(without_subnormals(rounded)), &expected, 1e-6);
    }
}

fn numbers(line: &str) -> Vec<f64> {
    line.split_whitespace().map(|word| word.parse().unwrap()).collect()
}

/// TensorFlow's vector functions take subnormal numbers for 0.
fn without_subnormals(numbers: Vec<f32>) -> Vec<f32> {
    numbers.into_iter().map(|x| if x.is_subnormal() { 0.0 } else { x }).collect()
}

#[test]
fn sigmoid_and_softplus_do_not_overflow() {
    let x = [-200.0_f32, -100.0, -80.0, -30.0, 30.0, 200.0];
    let expected = [0.0, 3.78e-44, 1.8048513e-35, 9.3576243e-14, 1.0, 1.0];
    assert_close(&unary(sigmoid, x), &expected, 2e-2);
    let expected = [0.0, 3.78e-44, 1.8048513e-35, 9.3576243e-14, 30.0, 200.0];
    assert_close(&unary(softplus, x), &expected, 2e-2);
    assert_close(&unary(softplus, [14.0_f32, -20.0]), &[14.0, 2.0611537e-9], 1e-7);
    assert_close(&unary(sigmoid, [-800.0, 800.0, -745.0]), &[0.0, 1.0, 5e-324], 0.0);
}

#[test]
fn rounding_goes_to_the_even_neighbor() {
    let x = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999997, 8388609.0_f32];
    assert_eq!(unary(rint, x), value([0.0, 2.0, 2.0, -0.0, -2.0, -2.0, 0.0, 8388609.0_f32]));
    assert_eq!(unary(rint, [3, -3]), value([3, -3]));
}

#[test]
fn integers_of_one_operand_wrap() {
    assert_eq!(unary(neg, [i32::MIN, i32::MAX]), value([i32::MIN, -i32::MAX]));
    assert_eq!(unary(abs, [i32::MIN, -i32::MAX]), value([i32::MIN, i32::MAX]));
    assert_eq!(unary(sign, [i32::MIN, i32::MAX, 0]), value([-1, 1, 0]));
    assert_eq!(unary(square, [1_u64 << 32, 15]), value([0_u64, 225]));
    assert_eq!(unary(relu, [-1, 2]), value([0, 2]));
    assert_eq!(unary(relu6, [-1_i64, 2, 7]), value([0_i64, 2, 6]));
    assert_eq!(unary(logical_not, [true, false]), value([false, true]));
}

#[test]
fn arithmetic_on_integers_wraps() {
    assert_eq!(binary(add, [i32::MAX, 1], [1, 2]), value([i32::MIN, 3]));
    assert_eq!(binary(sub, [0_u64, 5], [1_u64, 3]), value([u64::MAX, 2]));
    assert_eq!(binary(mul, [1_i64 << 62, 3], [4_i64, -3]), value([0_i64, -9]));
    assert_eq!(binary(squared_difference, [1, 100], [100, 1]), value([9801, 9801]));
}

#[test]
fn division_of_integers_has_four_kinds() {
    let (x, y) = ([7, -7, 7, -7, i32::MIN], [2, 2, -2, -2, -1]);
    assert_eq!(binary(div, x, y), value([3, -3, -3, 3, i32::MIN]));
    assert_eq!(binary(truncate_div, x, y), value([3, -3, -3, 3, i32::MIN]));
    assert_eq!(binary(floor_div, x, y), value([3, -4, -4, 3, i32::MIN]));
    assert_eq!(binary(floor_mod, x, y), value([1, 1, -1, -1, 0]));
    assert_eq!(binary(truncate_mod, x, y), value([1, -1, 1, -1, 0]));
    let (x, y) = ([7, -7, 7, -7, i32::MIN], [3, 3, -3, -3, -1]);
    assert_eq!(binary(floor_mod, x, y), value([1, 2, -2, -1, 0]));
    assert_eq!(binary(floor_div, [7_u64, 6], [4_u64, 3]), value([1_u64, 2]));
    assert_eq!(binary(floor_mod, [u64::MAX, 6], [10_u64, 3]), value([5_u64, 0]));
}

#[test]
fn an_integer_divided_by_zero_is_an_error_for_every_kind() {
    for f in [div, truncate_div, floor_div, floor_mod, truncate_mod] {
        for dtype in [DType::I32, DType::I64, DType::U64] {
            let one = cast(&Memory::new(), &1_i32.into(), dtype).unwrap();
            let zeros = Value::zeros(dtype, [3]).unwrap();
            assert_eq!(try_binary(f, one, zeros), Err(NumericError::DivisionByZero));
        }
    }
}

/// TensorFlow 2.21's results for these operands.
#[test]
fn division_of_floats_agrees_with_tensorflow() {
    let x = [-1.0, 1.0, 5.5, -5.5, 5.5, -0.0, 3.0, INF, NAN, -3.0, 1.0];
    let y = [INF, -INF, -2.0, 2.0, 2.0, 3.0, 0.0, 2.0, 1.0, 3.0, NAN];
    let expected = [INF, -INF, -0.5, 0.5, 1.5, -0.0, NAN, NAN, NAN, -0.0, NAN];
    assert_close(&binary(floor_mod, x, y), &expected.map(f64::from), 0.0);
    let (x, y) =
        ([-1.0_f32, 5.5, -5.5, 3.0, 0.0, -3.0, 1e-30], [INF, -2.0, 2.0, 0.0, 0.0, 0.0, -3.0]);
    let expected = [-0.0, -3.0, -3.0, INF, NAN, -INF, -1.0];
    assert_close(&binary(floor_div, x, y), &expected.map(f64::from), 0.0);
    let (x, y) = ([-1.0_f32, 5.5, -5.5, 3.0], [INF, -2.0, 2.0, 0.0]);
    let expected = [-1.0, 1.5, -1.5, NAN].map(f64::from);
    assert_close(&binary(truncate_mod, x, y), &expected, 0.0);
    assert_close(&binary(truncate_div, [-5.5_f32], [2.0_f32]), &[-2.0], 0.0);
    assert_close(
        &binary(div, [1.0_f64, -1.0, 0.0], [0.0, 0.0, 0.0]),
        &[f64::INFINITY, -f64::INFINITY, f64::NAN],
        0.0,
    );
}

#[test]
fn powers_of_integers_wrap_and_have_no_negative_exponents() {
    let powers = binary(pow, [2, -2, 3, 0, 0, 7], [31, 31, 40, 0, 5, 1]);
    assert_eq!(powers, value([i32::MIN, i32::MIN, 689956897, 1, 0, 7]));
    assert_eq!(
        binary(pow, [3_u64, 2, 5, 0], [41_u64, 64, 0, 0]),
        value([3_u64.wrapping_pow(41), 0, 1, 1])
    );
    assert_eq!(binary(pow, [1_i64, -1], [i64::MAX, i64::MAX]), value([1_i64, -1]));
    for base in [1, 2] {
        assert_eq!(try_binary(pow, [base], [-1]), Err(NumericError::NegativeExponent));
    }
}

#[test]
fn powers_of_floats_have_ieee_corners() {
    let (x, y) = ([0.0, 1.0, NAN, -8.0, -1.0, -1.0], [0.0, NAN, 0.0, 1.0 / 3.0, INF, 2.0]);
    let expected = [1.0, 1.0, 1.0, NAN, 1.0, 1.0].map(f64::from);
    assert_close(&binary(pow, x, y), &expected, 0.0);
}

#[test]
fn nan_comes_through_extremes_and_equals_keep_the_first() {
    let (x, y) = ([0.0, -0.0, NAN, 1.0, NAN, -INF], [-0.0, 0.0, 1.0, NAN, NAN, 2.0]);
    let expected = [0.0, -0.0, NAN, NAN, NAN, 2.0_f32];
    assert!(binary(maximum, x, y).bits_eq(&value(expected)));
    let expected = [0.0, -0.0, NAN, NAN, NAN, -INF];
    assert!(binary(minimum, x, y).bits_eq(&value(expected)));
    assert_eq!(binary(maximum, [1, u64::MAX], [2, 100_u64]), value([2, u64::MAX]));
    assert_eq!(binary(minimum, [-1, 2], [1, -2]), value([-1, -2]));
}

#[test]
fn functions_without_nan_take_zero_for_an_answer() {
    let (x, y) = ([1.0, 0.0, NAN, INF, 1.0, 3.0], [0.0, 0.0, 0.0, 0.0, NAN, 2.0]);
    assert_close(&binary(div_no_nan, x, y), &[0.0, 0.0, 0.0, 0.0, f64::NAN, 1.5], 0.0);
    assert_close(&binary(mul_no_nan, x, y), &[0.0, 0.0, 0.0, 0.0, f64::NAN, 6.0], 0.0);
    assert_close(&binary(absorbing_mul, x, y), &[0.0, 0.0, 0.0, 0.0, f64::NAN, 6.0], 0.0);
    assert_close(&binary(absorbing_mul, y, x), &[0.0, 0.0, 0.0, 0.0, f64::NAN, 6.0], 0.0);
    let (x, y) = ([0.0, 0.0, 1.0, NAN, -0.0], [0.0, NAN, 0.0, 1.0, 2.0]);
    let expected = [0.0, 0.0, -INF, NAN, 0.0].map(f64::from);
    assert_close(&binary(xlogy, x, y), &expected, 0.0);
    let expected = [0.0, 0.0, INF, NAN, 0.0].map(f64::from);
    assert_close(&binary(xdivy, x, y), &expected, 0.0);
    assert_close(
        &binary(atan2, [1.0_f32, 1.0], [1.0_f32, -1.0]),
        &[FRAC_PI_4, 3.0 * FRAC_PI_4],
        1e-7,
    );
}

type Gradient = fn(DType) -> Option<AnyBinary>;

/// TensorFlow 2.21's results for these operands.
#[test]
fn gradients_agree_with_tensorflow() {
    let y = [0.0, INF, NAN, 2.0, 3.0, 0.0, INF, 2.0];
    let dy = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, INF];
    let table: [(Gradient, [f32; 8]); 5] = [
        (sqrt_grad, [0.0, 0.0, 0.0, 0.0, 0.16666667, INF, 0.0, INF]),
        (rsqrt_grad, [0.0, 0.0, 0.0, 0.0, -13.5, 0.0, -INF, -INF]),
        (reciprocal_grad, [0.0, 0.0, 0.0, 0.0, -9.0, 0.0, -INF, -INF]),
        (sigmoid_grad, [0.0, NAN, NAN, 0.0, -6.0, 0.0, -INF, -INF]),
        (tanh_grad, [0.0, NAN, NAN, 0.0, -8.0, 1.0, -INF, -INF]),
    ];
    for (f, expected) in table {
        assert_close(&binary(f, y, dy), &expected.map(f64::from), 1e-7);
    }
    let dy = [NAN, INF, -1.0, -1.0, 2.0, NAN, -3.0, 1.0];
    let x = [-1.0, -1.0, -1.0, 0.0, NAN, 1.0, 6.0, 5.0];
    let expected = [NAN, NAN, 0.0, 0.0, 0.0, NAN, -3.0, 1.0].map(f64::from);
    assert_close(&binary(relu_grad, dy, x), &expected, 0.0);
    let expected = [NAN, NAN, 0.0, 0.0, 0.0, NAN, 0.0, 1.0].map(f64::from);
    assert_close(&binary(relu6_grad, dy, x), &expected, 0.0);
    assert_close(&binary(elu_grad, [2.0, 2.0], [-0.5, 3.0]), &[1.0, 2.0], 0.0);
    let expected = [0.0, 0.5, 1.0, 0.731_058_578_630_004_9];
    assert_close(&binary(softplus_grad, [1.0; 4], [-800.0, 0.0, 800.0, 1.0]), &expected, 1e-15);
}

#[test]
fn comparisons_follow_ieee() {
    let (x, y) = ([1.0, NAN, 0.0, -INF], [2.0, NAN, -0.0, INF]);
    assert_eq!(compare(equal, x, y), value([false, false, true, false]));
    assert_eq!(compare(not_equal, x, y), value([true, true, false, true]));
    assert_eq!(compare(less, x, y), value([true, false, false, true]));
    assert_eq!(compare(less_equal, x, y), value([true, false, true, true]));
    assert_eq!(compare(greater, x, y), value([false; 4]));
    assert_eq!(compare(greater_equal, x, y), value([false, false, true, false]));
}

#[test]
fn strings_and_truth_values_are_equal_or_not() {
    assert_eq!(compare(equal, ["a", "b"], "b"), value([false, true]));
    assert_eq!(compare(not_equal, "b", [["a"], ["b"]]), value([[true], [false]]));
    assert_eq!(compare(equal, [true, false], [true, true]), value([true, false]));
    assert!(less(DType::Bool).is_none() && less(DType::String).is_none());
    let AnyComparison::String(f) = equal(DType::String).unwrap() else { panic!("of strings") };
    assert_eq!((f.one)(ByteString::from("a"), ByteString::from("a")), Some(true));
}

#[test]
fn kinds_of_floats_are_told_apart() {
    let x = [1.0, NAN, INF, -INF];
    assert_eq!(predicate(is_nan, x), value([false, true, false, false]));
    assert_eq!(predicate(is_inf, x), value([false, false, true, true]));
    assert_eq!(predicate(is_finite, x), value([true, false, false, false]));
    assert!(is_nan(DType::I32).is_none());
}

#[test]
fn truth_values_combine() {
    let (x, y) = ([true, true, false, false], [true, false, true, false]);
    assert_eq!(binary(logical_and, x, y), value([true, false, false, false]));
    assert_eq!(binary(logical_or, x, y), value([true, true, true, false]));
}

#[test]
fn functions_are_defined_on_the_types_they_name() {
    for &dtype in DType::ALL {
        let is_wide = dtype.wide() == dtype;
        let computes = |dtypes: &[DType]| dtypes.contains(&dtype) && is_wide;
        assert_eq!(add(dtype).is_some(), computes(DType::NUMBERS), "{dtype}");
        assert_eq!(exp(dtype).is_some(), computes(DType::FLOATS), "{dtype}");
        assert_eq!(div_no_nan(dtype).is_some(), computes(DType::FLOATS), "{dtype}");
        assert_eq!(logical_or(dtype).is_some(), dtype == DType::Bool, "{dtype}");
        assert_eq!(equal(dtype).map(|f| f.dtype()), is_wide.then_some(dtype));
    }
    assert!(neg(DType::U64).is_none() && neg(DType::I32).is_some());
}

#[test]
fn the_logarithm_of_epsilon_is_rounded_right() {
    let (single, double) = tidemill_kernels::internals::LN_EPSILON;
    assert_eq!(single, f64::from(f32::EPSILON).ln() as f32);
    assert_eq!(double, f64::EPSILON.ln());
}

#[test]
fn every_scalar_function_has_loops_that_agree_with_it_on_single_elements() {
    let numbers = [0.5_f32, -1.25, 3.0, 0.0];
    for function in UnaryOp::ALL {
        let defined = DType::ALL.iter().filter(|dtype| unary_loops(*function, **dtype).is_some());
        assert!(defined.count() > 0, "{function:?}");
        if let Some(AnyUnary::F32(loops)) = unary_loops(*function, DType::F32) {
            let mut out = [0.0; 4];
            loops.slice(&numbers, &mut out);
            assert_eq!(out.map(f32::to_bits), numbers.map(|x| (loops.one)(x).to_bits()));
        }
    }
    for function in BinaryOp::ALL {
        let defined = DType::ALL.iter().filter(|dtype| binary_loops(*function, **dtype).is_some());
        assert!(defined.count() > 0, "{function:?}");
        if let Some(AnyBinary::F32(loops)) = binary_loops(*function, DType::F32) {
            let mut out = [0.0; 4];
            loops.pairs(&numbers, &[2.0; 4], &mut out).unwrap();
            let single = numbers.map(|x| (loops.one)(x, 2.0).unwrap());
            assert_eq!(out.map(f32::to_bits), single.map(f32::to_bits), "{function:?}");
        }
    }
    for function in PredicateOp::ALL {
        assert!(predicate_loops(*function, DType::F64).is_some(), "{function:?}");
    }
    for function in CompareOp::ALL {
        assert!(comparison_loops(*function, DType::I64).is_some(), "{function:?}");
    }
}
