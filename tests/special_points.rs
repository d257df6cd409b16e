//! Gradients where something is divided by zero, is infinite, or jumps: the mathematical ones.

mod common;

use common::Outcome;
use tidemill::prelude::*;

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// Derivatives of `y` by `x` of order 1 and up, each that of the sum of the one before.
fn derivatives(y: Tensor, x: Tensor, orders: usize) -> Vec<Tensor> {
    let mut found = Vec::new();
    let mut last = y;
    for _ in 0..orders {
        last = gradients([last], [x])[0].unwrap_or_else(|| zeros_like(x));
        found.push(last);
    }
    found
}

/// Derivatives of the sum of `f(x)` at a list of numbers.
fn derivatives_of(
    f: impl Fn(Tensor) -> Tensor,
    at: &[f64],
    orders: usize,
) -> Result<Vec<Vec<f64>>, Box<dyn std::error::Error>> {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f64>([at.len()]);
    let derivatives = derivatives(f(x), x, orders);
    let values = Session::new().run_with(derivatives, feeds![x => at.to_vec()])?;
    let vectors = values.into_iter().map(|value: Value| value.into_vec::<f64>());
    Ok(vectors.collect::<Result<_, _>>()?)
}

fn is_near(actual: f64, expected: f64) -> bool {
    (actual.is_nan() && expected.is_nan())
        || actual == expected
        || (actual - expected).abs() <= 1e-9 * expected.abs().max(1.0)
}

#[track_caller]
fn assert_near(actual: &[f64], expected: &[f64]) {
    let all = actual.len() == expected.len()
        && actual.iter().zip(expected).all(|(actual, expected)| is_near(*actual, *expected));
    assert!(all, "{actual:?} instead of {expected:?}");
}

type Function = fn(Tensor) -> Tensor;

#[test]
fn probe() -> Outcome {
    let e = std::f64::consts::E;
    let _ = e;
    let table: Vec<(&str, Function, Vec<(f64, Vec<f64>)>)> = vec![
        ("square", |x| square(x), vec![(0.0, vec![0.0, 2.0, 0.0])]),
        ("pow2", |x| pow(x, 2.0), vec![(0.0, vec![0.0, 2.0, 0.0, 0.0]), (-1.0, vec![-2.0, 2.0, 0.0, 0.0])]),
        ("pow4", |x| pow(x, 4.0), vec![(0.0, vec![0.0, 0.0, 0.0, 24.0, 0.0, 0.0]), (-1.0, vec![-4., 12., -24., 24., 0., 0.]), (1e-200, vec![0., 0., 0., 24., 0., 0.])]),
        ("pow0", |x| pow(x, 0.0), vec![(0.0, vec![0.0, 0.0, 0.0]), (INF, vec![0., 0., 0.]), (-2.0, vec![0., 0., 0.]), (1e-310, vec![0., 0., 0.])]),
        ("pow1", |x| pow(x, 1.0), vec![(0.0, vec![1.0, 0.0, 0.0])]),
        ("pow.5", |x| pow(x, 0.5), vec![(0.0, vec![INF, -INF, INF])]),
        ("pow-1", |x| pow(x, -1.0), vec![(0.0, vec![-INF, INF]), (INF, vec![0., 0., 0.])]),
        ("pow by y", |y| pow(constant(0.0_f64), y), vec![(2.0, vec![0.0, 0.0, 0.0]), (0.0, vec![0.0, 0.0]), (-1.0, vec![-INF]), (0.5, vec![0., 0., 0.])]),
        ("pow by y, negative", |y| pow(constant(-2.0_f64), y), vec![(2.0, vec![0.0, 0.0, 0.0]), (-1.0, vec![0., 0.])]),
        ("pow by y, inf", |y| pow(constant(INF), y), vec![(2.0, vec![INF]), (-1.0, vec![0., 0.])]),
        ("abs", |x| abs(x), vec![(0.0, vec![0.0, 0.0])]),
        ("sqrt", |x| sqrt(x), vec![(0.0, vec![INF, -INF, INF]), (INF, vec![0., 0.])]),
        ("rsqrt", |x| rsqrt(x), vec![(0.0, vec![-INF, INF, -INF]), (INF, vec![0., 0., 0.])]),
        ("reciprocal", |x| reciprocal(x), vec![(0.0, vec![-INF, INF, -INF]), (INF, vec![0., 0., 0.]), (-0.0, vec![-INF, -INF, -INF])]),
        ("1/x", |x| 1.0 / x, vec![(0.0, vec![-INF, INF, -INF]), (INF, vec![0., 0., 0.])]),
        ("where sqrt", |x| select(greater(x, 0.0), sqrt(x), 0.0), vec![(0.0, vec![0.0, 0.0, 0.0])]),
        ("where rsqrt", |x| select(greater(x, 0.0), rsqrt(x), 0.0), vec![(0.0, vec![0.0, 0.0, 0.0])]),
        ("where recip", |x| select(greater(x, 0.0), reciprocal(x), 0.0), vec![(0.0, vec![0.0, 0.0, 0.0])]),
        ("where pow", |x| select(greater(x, 0.0), pow(x, 0.5), 0.0), vec![(0.0, vec![0.0, 0.0, 0.0])]),
        ("exp", |x| exp(x), vec![(-INF, vec![0., 0., 0.]), (INF, vec![INF, INF, INF])]),
        ("expm1", |x| expm1(x), vec![(-INF, vec![0., 0., 0.])]),
        ("log", |x| log(x), vec![(0.0, vec![INF, -INF, INF]), (INF, vec![0., 0., 0.])]),
        ("log1p", |x| log1p(x), vec![(-1.0, vec![INF, -INF, INF]), (INF, vec![0., 0., 0.]), (0.0, vec![1., -1., 2.])]),
        ("asin", |x| asin(x), vec![(1.0, vec![INF, INF, INF]), (-1.0, vec![INF, -INF, INF]), (0.0, vec![1., 0., 1.])]),
        ("acos", |x| acos(x), vec![(1.0, vec![-INF, -INF, -INF]), (-1.0, vec![-INF, INF, -INF]), (0.0, vec![-1., 0., -1.])]),
        ("atan", |x| atan(x), vec![(0.0, vec![1., 0., -2.]), (1e200, vec![0., 0., 0.]), (INF, vec![0., 0., 0.])]),
        ("sinh", |x| sinh(x), vec![(0.0, vec![1., 0., 1.])]),
        ("cosh", |x| cosh(x), vec![(0.0, vec![0., 1., 0.])]),
        ("tanh", |x| tanh(x), vec![(0.0, vec![1., 0., -2.]), (1000., vec![0., 0., 0.]), (-1000., vec![0., 0., 0.]), (INF, vec![0., 0., 0.])]),
        ("asinh", |x| asinh(x), vec![(0.0, vec![1., 0., -1.]), (1e200, vec![0., 0., 0.]), (INF, vec![0., 0., 0.])]),
        ("acosh", |x| acosh(x), vec![(1.0, vec![INF, -INF, INF]), (1e200, vec![0., 0., 0.]), (INF, vec![0., 0., 0.])]),
        ("atanh", |x| atanh(x), vec![(1.0, vec![INF, INF, INF]), (-1.0, vec![INF, -INF, INF]), (0.0, vec![1., 0., 2.])]),
        ("erf", |x| erf(x), vec![(0.0, vec![1.1283791670955126, 0., -2.0 * 1.1283791670955126]), (1e200, vec![0., 0., 0.]), (INF, vec![0., 0., 0.])]),
        ("erfc", |x| erfc(x), vec![(0.0, vec![-1.1283791670955126, 0., 2.0 * 1.1283791670955126]), (INF, vec![0., 0., 0.])]),
        ("lgamma", |x| lgamma(x), vec![(0.0, vec![NAN, INF]), (INF, vec![INF, 0., 0.])]),
        ("sigmoid", |x| sigmoid(x), vec![(0.0, vec![0.25, 0., -0.125]), (1000., vec![0., 0., 0.]), (-1000., vec![0., 0., 0.]), (INF, vec![0., 0., 0.]), (-INF, vec![0., 0., 0.])]),
        ("softplus", |x| softplus(x), vec![(0.0, vec![0.5, 0.25, 0.]), (1000., vec![1., 0., 0., 0.]), (-1000., vec![0., 0., 0., 0.]), (INF, vec![1., 0., 0.]), (-INF, vec![0., 0., 0.])]),
        ("log_sigmoid", |x| log_sigmoid(x), vec![(0.0, vec![0.5, -0.25, 0.]), (1000., vec![0., 0., 0., 0.]), (-1000., vec![1., 0., 0., 0.]), (INF, vec![0., 0., 0.]), (-INF, vec![1., 0., 0.])]),
        ("relu", |x| relu(x), vec![(0.0, vec![0., 0.])]),
        ("elu", |x| elu(x), vec![(0.0, vec![1., 0.]), (-1000., vec![0., 0., 0.]), (-INF, vec![0., 0., 0.])]),
        ("selu", |x| selu(x), vec![(-1000., vec![0., 0., 0.])]),
        ("softsign", |x| softsign(x), vec![(0.0, vec![1., 0.]), (1e200, vec![0., 0., 0.]), (INF, vec![0., 0., 0.])]),
        ("gelu", |x| gelu(x), vec![(0.0, vec![0.5, 0.7978845608028654, 0.]), (1000., vec![1., 0., 0.]), (-1000., vec![0., 0., 0.])]),
        ("swish", |x| swish(x, 1.0), vec![(0.0, vec![0.5, 0.5, 0.]), (1000., vec![1., 0., 0.]), (-1000., vec![0., 0., 0.])]),
        ("xent 0", |x| sigmoid_cross_entropy_with_logits(constant(0.25_f64), x), vec![(0.0, vec![0.25, 0.25, 0.]), (1000., vec![0.75, 0., 0.]), (-1000., vec![-0.25, 0., 0.])]),
        ("wxent 0", |x| weighted_cross_entropy_with_logits(constant(0.25_f64), x, 3.0), vec![(0.0, vec![0.0, 0.375, 0.]), (1000., vec![0.75, 0., 0.]), (-1000., vec![-0.75, 0., 0.])]),
        ("xlogy x", |x| xlogy(x, constant(2.0_f64)), vec![(0.0, vec![2.0_f64.ln(), 0.])]),
        ("xlogy x0", |x| xlogy(x, constant(0.0_f64)), vec![(0.0, vec![0.0, 0.]), (1.0, vec![-INF, 0.])]),
        ("xlogy y", |y| xlogy(constant(0.0_f64), y), vec![(0.0, vec![0., 0.]), (2.0, vec![0., 0.]), (-1.0, vec![0., 0.])]),
        ("xlogx", |x| xlogy(x, x), vec![(1.0, vec![1.0, 1.0, -1.0])]),
        ("xdivy x", |x| xdivy(x, constant(2.0_f64)), vec![(0.0, vec![0.5, 0.])]),
        ("xdivy x0", |x| xdivy(x, constant(0.0_f64)), vec![(0.0, vec![0.0, 0.]), (1.0, vec![INF, 0.])]),
        ("xdivy y", |y| xdivy(constant(0.0_f64), y), vec![(0.0, vec![0., 0.]), (2.0, vec![0., 0.])]),
        ("xdivy y1", |y| xdivy(constant(1e-200_f64), y), vec![(1e-200, vec![-1e200])]),
        ("div_no_nan x", |x| div_no_nan(x, constant(0.0_f64)), vec![(1.0, vec![0.0, 0.])]),
        ("div_no_nan y", |y| div_no_nan(constant(2.0_f64), y), vec![(0.0, vec![0.0, 0.]), (1.0, vec![-2., 4., -12.])]),
        ("mul_no_nan", |y| mul_no_nan(constant(2.0_f64), y), vec![(0.0, vec![2.0, 0.])]),
        ("atan2 x", |x| atan2(x, constant(0.0_f64)), vec![(1.0, vec![0., 0.]), (0.0, vec![NAN])]),
        ("atan2 y", |y| atan2(constant(0.0_f64), y), vec![(1.0, vec![0., 0.])]),
        ("atan2 small", |x| atan2(x, constant(1e-200_f64)), vec![(1e-200, vec![5e199]), (0.0, vec![1e200])]),
        ("atan2 large", |x| atan2(x, constant(1e200_f64)), vec![(1e200, vec![5e-201, 0.]), (1.0, vec![1e-200, 0.])]),
        ("atan2 inf", |x| atan2(x, constant(INF)), vec![(1.0, vec![0., 0.])]),
        ("max tie", |x| maximum(x, 1.0), vec![(1.0, vec![1.0, 0.])]),
        ("min tie", |x| minimum(x, 1.0), vec![(1.0, vec![1.0, 0.])]),
        ("squared_difference", |x| squared_difference(x, 1.0), vec![(1.0, vec![0., 2.0, 0.])]),
        ("tan", |x| tan(x), vec![(0.0, vec![1., 0., 2.])]),
        ("norm", |x| reduce_euclidean_norm(expand_dims(x, 1), 1), vec![(0.0, vec![0., 0.]), (1e-20, vec![1.0]), (-1e-200, vec![-1.0]), (1e200, vec![1.0, 0.]), (5e-324, vec![1.0]), (1e308, vec![1., 0.])]),
        ("std of one", |x| reduce_std(expand_dims(x, 1), 1), vec![(3.0, vec![0., 0.])]),
        ("std of equal", |x| reduce_std(stack([x, x], 1), 1), vec![(3.0, vec![0., 0.])]),
        ("variance of one", |x| reduce_variance(expand_dims(x, 1), 1), vec![(3.0, vec![0., 0., 0.])]),
        ("sqrt sum squares", |x| sqrt(reduce_sum(square(expand_dims(x, 1)), 1)), vec![(0.0, vec![NAN])]),
        ("softmax", |x| softmax(stack([x, fill([4], -INF), fill([4], 0.0_f64)], 1)), vec![]),
        ("log_softmax 0", |x| log_softmax(stack([x, zeros_like(x)], 1)).slice(s![.., 0]), vec![(0.0, vec![0.5, -0.25, 0.]), (-INF, vec![1.0, 0., 0.]), (-2000., vec![1., 0., 0.])]),
        ("log_softmax 1", |x| log_softmax(stack([x, zeros_like(x)], 1)).slice(s![.., 1]), vec![(0.0, vec![-0.5, -0.25, 0.]), (-INF, vec![0.0, 0., 0.]), (-2000., vec![0., 0., 0.])]),
        ("softmax 0", |x| softmax(stack([x, zeros_like(x)], 1)).slice(s![.., 0]), vec![(0.0, vec![0.25, 0., -0.125]), (-INF, vec![0.0, 0., 0.]), (-2000., vec![0., 0., 0.])]),
        ("lse", |x| reduce_logsumexp(expand_dims(x, 1), 1), vec![(0.0, vec![1.0, 0., 0.]), (-INF, vec![0.0, 0., 0.]), (-2000., vec![1., 0., 0.])]),
        ("lse2", |x| reduce_logsumexp(stack([x, zeros_like(x)], 1), 1), vec![(0.0, vec![0.5, 0.25, 0.]), (-INF, vec![0.0, 0., 0.]), (-2000., vec![0., 0., 0.])]),
        ("prod2", |x| reduce_prod(stack([x, x], 1), 1), vec![(0.0, vec![0., 2., 0.])]),
        ("prod3", |x| reduce_prod(stack([x, x, x], 1), 1), vec![(0.0, vec![0., 0., 6.0, 0.0]), (1.0, vec![3., 6., 6.0, 0.])]),
        ("cumprod3", |x| cumprod(stack([x, x, x], 1), 1), vec![(0.0, vec![1., 2., 6.0, 0.0]), (1.0, vec![6., 8., 6.0, 0.])]),
        ("clip_by_norm", |x| clip_by_norm(expand_dims(x, 1), 1.0, 1), vec![(0.0, vec![1., 0., 0.]), (2.0, vec![0., 0.])]),
        ("clip_by_global_norm", |x| clip_by_global_norm([x], 1.0).0[0], vec![(0.0, vec![1., 0., 0.])]),
        ("global_norm", |x| global_norm([x]), vec![(0.0, vec![0., 0.])]),
        ("l2", |x| l2_loss(x), vec![(0.0, vec![0., 1., 0.])]),
        ("floormod", |x| floor_mod(x, 2.0), vec![(2.0, vec![1., 0.])]),
    ];
    let mut wrong = 0;
    for (name, f, points) in table {
        for (x, expected) in points {
            let found = derivatives_of(f, &[x], expected.len())?;
            for (order, (found, expected)) in found.iter().zip(&expected).enumerate() {
                if !is_near(found[0], *expected) {
                    wrong += 1;
                    println!("{name} at {x}: order {} is {} instead of {expected}", order + 1, found[0]);
                }
            }
        }
    }
    assert_near(&[wrong as f64], &[0.0]);
    Ok(())
}
