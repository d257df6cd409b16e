//! Gradients at points where TensorFlow divides by zero, overflows or drops a term: here they are
//! the mathematical ones. If there is none, conventions hold.

use crate::common::Outcome;
use tidemill::prelude::*;

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// Derivatives of `y` by `x` of order 1 and up, each of the sum of the one before, as `float64`.
fn derivatives(y: Tensor, x: Tensor, orders: usize) -> Vec<Tensor> {
    let mut found = Vec::new();
    let mut last = y;
    for _ in 0..orders {
        last = gradients([last], [x])[0].unwrap_or_else(|| zeros_like(x));
        found.push(cast(last, DType::F64));
    }
    found
}

/// Derivatives of the sum of `f(x)`, for an `x` of the type and shape of `at`, or of a shape that
/// is unknown before the run.
pub(crate) fn derivatives_at(
    f: impl Fn(Tensor) -> Tensor,
    at: &Value,
    shape: impl Into<PartialShape>,
    orders: usize,
) -> Result<Vec<Vec<f64>>, Box<dyn std::error::Error>> {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder_of(at.dtype(), shape);
    let found = Session::new().run_with(derivatives(f(x), x, orders), feeds![x => at.clone()])?;
    let vectors = found.into_iter().map(Value::into_vec);
    Ok(vectors.collect::<Result<_, _>>()?)
}

fn is_near(actual: f64, expected: f64, tolerance: f64) -> bool {
    (actual.is_nan() && expected.is_nan())
        || actual == expected
        || (actual - expected).abs() <= tolerance * expected.abs().max(1.0)
}

#[track_caller]
fn assert_near(actual: &[f64], expected: &[f64], tolerance: f64) {
    let near = |(actual, expected): (&f64, &f64)| is_near(*actual, *expected, tolerance);
    let all = actual.len() == expected.len() && actual.iter().zip(expected).all(near);
    assert!(all, "{actual:?} instead of {expected:?}");
}

/// A function of one number, and its derivatives at some points.
type Known = (&'static str, fn(Tensor) -> Tensor, &'static [(f64, &'static [f64])]);

#[track_caller]
fn check(table: &[Known]) {
    for (name, f, points) in table {
        for (x, expected) in *points {
            let at = Value::from([*x]);
            let found = derivatives_at(f, &at, [1], expected.len()).unwrap();
            for (order, (found, expected)) in (1..).zip(found.iter().zip(*expected)) {
                let is_right = is_near(found[0], *expected, 1e-9);
                let found = found[0];
                assert!(is_right, "{name} at {x}, order {order}: {found}, not {expected}");
            }
        }
    }
}

#[test]
fn powers_have_all_their_derivatives_at_zero() {
    check(&[
        ("x²", |x| pow(x, 2.0), &[(0.0, &[0.0, 2.0, 0.0, 0.0]), (-1.0, &[-2.0, 2.0, 0.0, 0.0])]),
        (
            "x⁴",
            |x| pow(x, 4.0),
            &[
                (0.0, &[0.0, 0.0, 0.0, 24.0, 0.0, 0.0]),
                (-1.0, &[-4.0, 12.0, -24.0, 24.0, 0.0, 0.0]),
                (1e-200, &[0.0, 0.0, 0.0, 24.0, 0.0, 0.0]),
            ],
        ),
        (
            "x³ + x² + x",
            |x| pow(x, 3.0) + pow(x, 2.0) + pow(x, 1.0),
            &[(0.0, &[1.0, 2.0, 6.0, 0.0])],
        ),
        ("x", |x| pow(x, 1.0), &[(0.0, &[1.0, 0.0, 0.0])]),
        ("x^0.5", |x| pow(x, 0.5), &[(0.0, &[INF, -INF, INF])]),
        ("x^-1", |x| pow(x, -1.0), &[(0.0, &[-INF, INF]), (INF, &[0.0, 0.0, 0.0])]),
    ]);
}

#[test]
fn a_power_of_exponent_zero_has_the_gradient_zero() {
    let points: &[(f64, &[f64])] = &[
        (0.0, &[0.0, 0.0, 0.0]),
        (1e-310, &[0.0, 0.0, 0.0]),
        (-2.0, &[0.0, 0.0, 0.0]),
        (INF, &[0.0, 0.0, 0.0]),
    ];
    check(&[("x⁰", |x| pow(x, 0.0), points)]);
}

#[test]
fn powers_of_exponents_that_are_fed_or_broadcast_have_their_derivatives() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    for (x, y) in [
        (placeholder::<f32>([5, 1]), placeholder::<f32>([4])),
        (
            placeholder_of(DType::F32, PartialShape::unknown()),
            placeholder_of(DType::F32, PartialShape::unknown()),
        ),
    ] {
        let power = pow(x, y);
        let by_x = derivatives(power, x, 3);
        let by_y = derivatives(power, y, 2);
        let first = gradients([power], [x])[0].unwrap();
        let mixed = gradients([first], [y])[0].unwrap();
        let run = |tensors: Vec<Tensor>, bases: [f32; 5], exponents: [f32; 4]| {
            let bases = Value::from_vec([5, 1], bases.to_vec()).unwrap();
            Session::new().run_with(tensors, feeds![x => bases, y => exponents.to_vec()])
        };
        let found = run(by_x, [-1.0, 0.0, 1.0, -2.0, 0.0], [2.0, 0.0, 1.0, 3.0])?;
        let third = found.iter().map(|value| value.clone().into_vec::<f64>());
        let third = third.collect::<Result<Vec<_>, _>>()?;
        // Of x² + 1 + x + x³.
        assert_eq!(third[0], [2.0, 1.0, 6.0, 9.0, 1.0]);
        assert_eq!(third[1], [-4.0, 2.0, 8.0, -10.0, 2.0]);
        assert_eq!(third[2], [6.0; 5]);
        // At bases of 0 and below, exponents have no gradient.
        for value in run(by_y, [-1.0, 0.0, 1.0, -2.0, 0.0], [2.0, 0.0, 1.0, 3.0])? {
            assert_eq!(value.into_vec::<f64>()?, [0.0; 4]);
        }
        let by_y =
            run(vec![cast(mixed, DType::F64)], [2.0, 4.0, 1.0, 1.0, 1.0], [0.0, 1.0, 2.0, 0.0])?;
        let slope = |y: f64| -> f64 {
            let of = |x: f64| x.powf(y - 1.0) * (1.0 + y * x.ln());
            of(2.0) + of(4.0) + 3.0
        };
        let expected = [0.0, 1.0, 2.0, 0.0].map(slope);
        assert_near(&by_y[0].clone().into_vec::<f64>()?, &expected, 1e-5);
    }
    Ok(())
}

#[test]
fn the_gradient_of_an_exponent_is_there_at_a_base_of_zero() {
    check(&[
        (
            "0^y",
            |y| pow(constant(0.0), y),
            &[
                (2.0, &[0.0, 0.0, 0.0]),
                (0.5, &[0.0, 0.0, 0.0]),
                (0.0, &[0.0, 0.0]),
                (-1.0, &[-INF]),
            ],
        ),
        ("(-2)^y", |y| pow(constant(-2.0), y), &[(2.0, &[0.0, 0.0, 0.0]), (-1.0, &[0.0, 0.0])]),
        ("∞^y", |y| pow(constant(INF), y), &[(2.0, &[INF]), (-1.0, &[0.0])]),
    ]);
}

#[test]
fn a_euclidean_norm_has_a_gradient_at_zero_and_does_not_vanish() -> Outcome {
    let norm = |x: Tensor| reduce_euclidean_norm(x, -1);
    for at in [1e-19_f32, 1e-20, 1e-30, 1e-45, 1e25, f32::MAX] {
        let row = Value::from_vec([1, 1], vec![at])?;
        assert_eq!(derivatives_at(norm, &row, [1, 1], 1)?, [[1.0]], "{at}");
        let graph = Graph::new();
        let _default = graph.as_default();
        let value: Value = Session::new().run(norm(constant(row)))?;
        assert_eq!(value.into_vec::<f32>()?, [at]);
    }
    for at in [5e-324, 3e-200, 1.0, 3e200, f64::MAX / 2.0] {
        let row = Value::from_vec([2, 2], vec![at, 0.0, 0.0, 0.0])?;
        assert_eq!(derivatives_at(norm, &row, PartialShape::unknown(), 1)?, [[1.0, 0.0, 0.0, 0.0]]);
        let triangle = Value::from_vec([1, 2], vec![at * 0.75, -at])?;
        let first = derivatives_at(norm, &triangle, [1, 2], 1)?.remove(0);
        if at > 1e-300 {
            assert_near(&first, &[0.6, -0.8], 1e-12);
        }
    }
    let zeros = Value::zeros(DType::F32, [2, 3])?;
    assert_eq!(derivatives_at(norm, &zeros, [2, 3], 3)?, [[0.0; 6]; 3]);
    let second = derivatives_at(norm, &Value::from([[3.0, 4.0]].as_flattened().to_vec()), [2], 2)?;
    assert_near(&second[0], &[0.6, 0.8], 1e-12);
    assert_near(&second[1], &[0.032, -0.024], 1e-12);
    Ok(())
}

#[test]
fn norms_and_deviations_have_the_gradient_zero_where_they_are_zero() -> Outcome {
    check(&[
        ("deviation of one", |x| reduce_std(expand_dims(x, 1), 1), &[(3.0, &[0.0, 0.0])]),
        ("deviation of equals", |x| reduce_std(stack([x, x], 1), 1), &[(3.0, &[0.0, 0.0])]),
        ("variance of one", |x| reduce_variance(expand_dims(x, 1), 1), &[(3.0, &[0.0, 0.0, 0.0])]),
        ("norm of all", |x| global_norm([x]), &[(0.0, &[0.0, 0.0]), (-2.0, &[-1.0, 0.0])]),
        ("limited", |x| clip_by_norm(x, 1.0, ..), &[(0.0, &[1.0, 0.0, 0.0]), (2.0, &[0.0, 0.0])]),
        (
            "limited together",
            |x| clip_by_global_norm([x], 1.0).0[0],
            &[(0.0, &[1.0, 0.0, 0.0]), (0.5, &[1.0, 0.0]), (2.0, &[0.0, 0.0])],
        ),
    ]);
    let deviations = derivatives_at(|x| reduce_std(x, 0), &Value::from([1.0, 3.0]), [2], 1)?;
    assert_near(&deviations[0], &[-0.5, 0.5], 1e-12);
    Ok(())
}

#[test]
fn a_logarithm_of_no_exponentials_has_the_gradient_zero() -> Outcome {
    let rows = [[-INF, -INF], [-INF, 1.0], [INF, 1.0], [1000.0, 1000.0]];
    let at = Value::from_vec([4, 2], rows.as_flattened().to_vec())?;
    let found = derivatives_at(|x| reduce_logsumexp(x, 1), &at, [4, 2], 2)?;
    assert_near(&found[0], &[0.0, 0.0, 0.0, 1.0, NAN, 0.0, 0.5, 0.5], 1e-12);
    assert_near(&found[1][..4], &[0.0; 4], 1e-12);
    check(&[
        (
            "of one",
            |x| reduce_logsumexp(x, 0),
            &[(-INF, &[0.0, 0.0, 0.0]), (-2000.0, &[1.0, 0.0, 0.0])],
        ),
        ("exp", |x| exp(x), &[(-INF, &[0.0, 0.0, 0.0]), (INF, &[INF, INF, INF])]),
        ("log exp", |x| log(exp(x)), &[(-INF, &[0.0, 0.0])]),
    ]);
    Ok(())
}

#[test]
fn logits_of_minus_infinity_have_the_gradient_zero() {
    check(&[
        (
            "own logarithm",
            |x| log_softmax(concat([x, zeros_like(x)], 0)).slice(s![0]),
            &[(0.0, &[0.5, -0.25, 0.0]), (-2000.0, &[1.0, 0.0, 0.0]), (-INF, &[1.0, 0.0, 0.0])],
        ),
        (
            "other logarithm",
            |x| log_softmax(concat([x, zeros_like(x)], 0)).slice(s![1]),
            &[(0.0, &[-0.5, -0.25, 0.0]), (-2000.0, &[0.0, 0.0, 0.0]), (-INF, &[0.0, 0.0, 0.0])],
        ),
        (
            "softmax",
            |x| softmax(concat([x, zeros_like(x)], 0)).slice(s![0]),
            &[(0.0, &[0.25, 0.0, -0.125]), (-2000.0, &[0.0, 0.0, 0.0]), (-INF, &[0.0, 0.0, 0.0])],
        ),
    ]);
}

#[test]
fn sigmoids_and_their_relatives_are_smooth_at_zero_and_flat_far_away() {
    check(&[
        (
            "sigmoid",
            |x| sigmoid(x),
            &[(0.0, &[0.25, 0.0, -0.125]), (1000.0, &[0.0, 0.0, 0.0]), (-INF, &[0.0, 0.0, 0.0])],
        ),
        (
            "softplus",
            |x| softplus(x),
            &[
                (0.0, &[0.5, 0.25, 0.0, -0.125]),
                (1000.0, &[1.0, 0.0, 0.0, 0.0]),
                (-1000.0, &[0.0, 0.0, 0.0, 0.0]),
                (INF, &[1.0, 0.0, 0.0]),
                (-INF, &[0.0, 0.0, 0.0]),
            ],
        ),
        (
            "log_sigmoid",
            |x| log_sigmoid(x),
            &[(0.0, &[0.5, -0.25, 0.0]), (1000.0, &[0.0, 0.0, 0.0, 0.0]), (-INF, &[1.0, 0.0, 0.0])],
        ),
        ("softsign", |x| softsign(x), &[(0.0, &[1.0]), (1e200, &[0.0, 0.0, 0.0])]),
        ("tanh", |x| tanh(x), &[(0.0, &[1.0, 0.0, -2.0]), (-INF, &[0.0, 0.0, 0.0])]),
        ("gelu", |x| gelu(x), &[(1000.0, &[1.0, 0.0, 0.0]), (-1000.0, &[0.0, 0.0, 0.0])]),
        ("swish", |x| swish(x, 1.0), &[(0.0, &[0.5, 0.5, 0.0]), (-1000.0, &[0.0, 0.0, 0.0])]),
        ("elu", |x| elu(x), &[(0.0, &[1.0]), (-INF, &[0.0, 0.0, 0.0])]),
    ]);
}

#[test]
fn sigmoid_losses_have_their_gradient_at_logits_of_zero() {
    check(&[
        (
            "plain",
            |x| sigmoid_cross_entropy_with_logits(constant(0.25), x),
            &[
                (0.0, &[0.25, 0.25, 0.0]),
                (-0.0, &[0.25, 0.25, 0.0]),
                (1000.0, &[0.75, 0.0, 0.0]),
                (-1000.0, &[-0.25, 0.0, 0.0]),
            ],
        ),
        (
            "weighted",
            |x| weighted_cross_entropy_with_logits(constant(0.25), x, 3.0),
            &[
                (0.0, &[0.0, 0.375, 0.0]),
                (-0.0, &[0.0, 0.375, 0.0]),
                (1000.0, &[0.75, 0.0, 0.0]),
                (-1000.0, &[-0.75, 0.0, 0.0]),
            ],
        ),
    ]);
}

#[test]
fn products_with_logarithms_and_quotients_have_their_slope_at_zero() {
    check(&[
        ("x log 2", |x| xlogy(x, constant(2.0)), &[(0.0, &[std::f64::consts::LN_2, 0.0])]),
        ("x log 0", |x| xlogy(x, constant(0.0)), &[(0.0, &[0.0, 0.0]), (1.0, &[-INF, 0.0])]),
        ("0 log y", |y| xlogy(constant(0.0), y), &[(0.0, &[0.0, 0.0]), (-1.0, &[0.0, 0.0])]),
        ("x log x", |x| xlogy(x, x), &[(1.0, &[1.0, 1.0, -1.0]), (0.0, &[0.0])]),
        ("x / 2", |x| xdivy(x, constant(2.0)), &[(0.0, &[0.5, 0.0])]),
        ("x / 0", |x| xdivy(x, constant(0.0)), &[(0.0, &[0.0, 0.0]), (1.0, &[INF, 0.0])]),
        ("0 / y", |y| xdivy(constant(0.0), y), &[(0.0, &[0.0, 0.0]), (2.0, &[0.0, 0.0])]),
        ("1e-200 / y", |y| xdivy(constant(1e-200), y), &[(1e-200, &[-1e200])]),
        ("1 / 0", |x| div_no_nan(x, constant(0.0)), &[(1.0, &[0.0, 0.0])]),
        (
            "2 / y",
            |y| div_no_nan(constant(2.0), y),
            &[(0.0, &[0.0, 0.0]), (1.0, &[-2.0, 4.0, -12.0])],
        ),
        ("2 y", |y| mul_no_nan(constant(2.0), y), &[(0.0, &[2.0, 0.0])]),
    ]);
}

#[test]
fn the_gradient_of_an_angle_neither_overflows_nor_vanishes() {
    check(&[
        ("by 0", |x| atan2(x, constant(0.0)), &[(1.0, &[0.0, 0.0]), (0.0, &[NAN])]),
        ("of 0", |y| atan2(constant(0.0), y), &[(1.0, &[0.0, 0.0]), (-1.0, &[0.0])]),
        (
            "by 1",
            |x| atan2(x, constant(1.0)),
            &[(0.0, &[1.0, 0.0, -2.0]), (1.0, &[0.5, -0.5, 0.5])],
        ),
        ("by 1e-200", |x| atan2(x, constant(1e-200)), &[(1e-200, &[5e199]), (0.0, &[1e200])]),
        ("by 1e200", |x| atan2(x, constant(1e200)), &[(1e200, &[5e-201, 0.0]), (1.0, &[1e-200])]),
        ("by ∞", |x| atan2(x, constant(INF)), &[(1.0, &[0.0, 0.0])]),
    ]);
    let at = Value::from([1e-30_f32, 1e25]);
    let slopes = derivatives_at(|x| atan2(x, x * 2.0), &at, [2], 1).unwrap();
    assert_near(&slopes[0], &[0.0, 0.0], 1e-3);
}

#[test]
fn functions_with_ends_have_infinite_slopes_there() {
    check(&[
        ("sqrt", |x| sqrt(x), &[(0.0, &[INF, -INF, INF]), (INF, &[0.0, 0.0])]),
        ("rsqrt", |x| rsqrt(x), &[(0.0, &[-INF, INF, -INF]), (INF, &[0.0, 0.0, 0.0])]),
        ("1 / x", |x| 1.0 / x, &[(0.0, &[-INF, INF, -INF]), (INF, &[0.0, 0.0, 0.0])]),
        ("reciprocal", |x| reciprocal(x), &[(-0.0, &[-INF, -INF, -INF]), (INF, &[0.0, 0.0, 0.0])]),
        ("log", |x| log(x), &[(0.0, &[INF, -INF, INF]), (INF, &[0.0, 0.0, 0.0])]),
        ("log1p", |x| log1p(x), &[(-1.0, &[INF, -INF, INF]), (0.0, &[1.0, -1.0, 2.0])]),
        ("asin", |x| asin(x), &[(1.0, &[INF, INF, INF]), (-1.0, &[INF, -INF, INF])]),
        ("acos", |x| acos(x), &[(1.0, &[-INF, -INF, -INF]), (-1.0, &[-INF, INF, -INF])]),
        ("acosh", |x| acosh(x), &[(1.0, &[INF, -INF]), (1e200, &[0.0, 0.0, 0.0])]),
        ("atanh", |x| atanh(x), &[(1.0, &[INF, INF, INF]), (-1.0, &[INF, -INF, INF])]),
        ("asinh", |x| asinh(x), &[(0.0, &[1.0, 0.0, -1.0]), (1e200, &[0.0, 0.0, 0.0])]),
        (
            "atan",
            |x| atan(x),
            &[(0.0, &[1.0, 0.0, -2.0]), (1e200, &[0.0, 0.0, 0.0]), (INF, &[0.0])],
        ),
        ("erf", |x| erf(x), &[(1e200, &[0.0, 0.0, 0.0]), (-INF, &[0.0])]),
    ]);
}

#[test]
fn a_root_that_is_not_taken_has_two_derivatives_without_nan() {
    check(&[
        ("sqrt", |x| select(greater(x, 0.0), sqrt(x), 0.0), &[(0.0, &[0.0, 0.0])]),
        ("rsqrt", |x| select(greater(x, 0.0), rsqrt(x), 0.0), &[(0.0, &[0.0, 0.0])]),
        ("reciprocal", |x| select(greater(x, 0.0), reciprocal(x), 0.0), &[(0.0, &[0.0, 0.0])]),
        ("x^0.5", |x| select(greater(x, 0.0), pow(x, 0.5), 0.0), &[(0.0, &[0.0, 0.0])]),
    ]);
}

#[test]
fn where_there_is_no_derivative_tensorflows_conventions_hold() {
    check(&[
        ("abs", |x| abs(x), &[(0.0, &[0.0, 0.0])]),
        ("relu", |x| relu(x), &[(0.0, &[0.0, 0.0])]),
        ("relu6", |x| relu6(x), &[(6.0, &[0.0])]),
        ("leaky_relu", |x| leaky_relu(x, 0.25), &[(0.0, &[0.25])]),
        ("maximum", |x| maximum(x, 1.0), &[(1.0, &[1.0, 0.0])]),
        ("minimum", |x| minimum(x, 1.0), &[(1.0, &[1.0, 0.0])]),
        ("largest of two", |x| reduce_max(stack([x, ones_like(x)], 0), 0), &[(1.0, &[0.5, 0.0])]),
        ("root of squares", |x| sqrt(reduce_sum(x * x, ..)), &[(0.0, &[NAN])]),
        ("log not taken", |x| select(greater(x, 0.0), log(x), 0.0), &[(0.0, &[NAN])]),
    ]);
}

#[test]
fn a_singular_matrix_has_no_gradient_of_its_determinant() -> Outcome {
    let singular = Value::from_vec([2, 2], vec![1.0, 2.0, 2.0, 4.0])?;
    let found = derivatives_at(|x| matrix_determinant(x), &singular, [2, 2], 1);
    assert!(found.is_err_and(|error| error.to_string().contains("not invertible")));
    Ok(())
}
