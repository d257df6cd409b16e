//! Functions composed of others: bounds, activations, statistics, losses, and derivatives of many
//! outputs.

use std::error::Error;

use tidemill_autodiff::{gradients, hessian_vector_product, jacobian};
use tidemill_graph::Graph;
use tidemill_ops::*;
use tidemill_runtime::{RunError, Session};
use tidemill_testing::check_gradient;
use tidemill_value::{DType, PartialShape, Value, f16, shape};

type Outcome = Result<(), Box<dyn Error>>;

fn floats(tensor: Tensor) -> Result<Vec<f32>, RunError> {
    let value: Value = Session::new().run(tensor)?;
    Ok(value.into_vec().unwrap_or_default())
}

#[track_caller]
fn assert_near(actual: &[f32], expected: &[f32]) {
    let near = |(a, e): (&f32, &f32)| (a - e).abs() <= 1e-5 * e.abs().max(1.0);
    let all = actual.len() == expected.len() && actual.iter().zip(expected).all(near);
    assert!(all, "{actual:?} instead of {expected:?}");
}

/// The gradient of the sum of `f(x)`, where `f` is guarded by `x > 0`, at -1, 0 and 4.
fn guarded(f: fn(Tensor) -> Tensor, is_safe: bool) -> Result<Vec<f32>, RunError> {
    let x = constant([-1.0_f32, 0.0, 4.0]);
    let y = match is_safe {
        true => safe_where(greater(x, 0.0), f, x, 0.0),
        false => select(greater(x, 0.0), f(x), 0.0),
    };
    floats(gradients([y], [x])[0].unwrap_or(x))
}

#[test]
fn safe_where_keeps_nan_of_the_branch_not_taken_out_of_the_gradient() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let functions: [fn(Tensor) -> Tensor; 4] = [|x| sqrt(x), |x| 1.0 / x, |x| log(x), |x| rsqrt(x)];
    for (f, derivative) in functions.into_iter().zip([0.25, -0.0625, 0.25, -0.0625]) {
        assert_eq!(guarded(f, true)?, [0.0, 0.0, derivative]);
    }
    let leaks = |x: Tensor| log(x) / x;
    assert!(guarded(leaks, false)?[1].is_nan());
    assert!(guarded(leaks, true)?.iter().all(|x| x.is_finite()));
    Ok(())
}

#[test]
fn safe_where_has_a_second_gradient_without_nan() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant([-1.0_f32, 0.0, 4.0]);
    let first = gradients([safe_where(greater(x, 0.0), |x| sqrt(x), x, 0.0)], [x])[0];
    let second = first.and_then(|first| gradients([first], [x])[0]);
    assert_near(&floats(second.unwrap_or(x))?, &[0.0, 0.0, -0.03125]);
    Ok(())
}

#[test]
fn vectors_are_scaled_to_their_limit_and_short_ones_left() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let rows = constant([[3.0_f32, 4.0], [0.3, 0.4]]);
    assert_near(&floats(clip_by_norm(rows, 1.0, 1))?, &[0.6, 0.8, 0.3, 0.4]);
    let zeros = constant([0.0_f32, 0.0]);
    let clipped = clip_by_norm(zeros, 1.0, ..);
    assert_eq!(floats(clipped)?, [0.0, 0.0]);
    assert_eq!(floats(gradients([clipped], [zeros])[0].unwrap_or(zeros))?, [1.0, 1.0]);
    let (clipped, norm) = clip_by_global_norm([constant([6.0_f32]), constant([8.0_f32])], 5.0);
    assert_near(&floats(stack([clipped[0], clipped[1]], 0))?, &[3.0, 4.0]);
    assert_near(&floats(norm)?, &[10.0]);
    let (clipped, _) = clip_by_global_norm([constant([f32::INFINITY, 1.0])], 5.0);
    assert!(floats(clipped[0])?.iter().all(|x| x.is_nan()));
    Ok(())
}

#[test]
fn activations_have_the_known_values() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant([-1.0_f32, 0.5, 2.0]);
    assert_near(&floats(gelu(x))?, &[-0.15865526, 0.34573123, 1.9544997]);
    assert_near(&floats(gelu_approximate(x))?, &[-0.158808, 0.345714, 1.954598]);
    assert_near(&floats(swish(x, 1.0))?, &[-0.26894143, 0.31122968, 1.7615942]);
    assert_near(&floats(log_sigmoid(x))?, &[-1.3132616, -0.474077, -0.126928]);
    assert_near(&floats(crelu(x))?, &[0.0, 0.5, 2.0, 1.0, 0.0, 0.0]);
    Ok(())
}

#[test]
fn statistics_have_the_known_values() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant([[1.0_f32, 2.0], [3.0, 6.0]]);
    assert_near(&floats(reduce_variance(x, 0))?, &[1.0, 4.0]);
    assert_near(&floats(reduce_std(x, 0))?, &[1.0, 2.0]);
    let (mean, variance) = moments(x, 1);
    assert_near(&floats(mean)?, &[1.5, 4.5]);
    assert_near(&floats(variance)?, &[0.25, 2.25]);
    let large = constant([[1000.0_f32, 1000.0], [f32::NEG_INFINITY, f32::NEG_INFINITY]]);
    let sums = floats(reduce_logsumexp(large, 1))?;
    assert_near(&sums[..1], &[1000.6931]);
    assert_eq!(sums[1], f32::NEG_INFINITY);
    Ok(())
}

#[test]
fn composite_functions_have_the_gradients_of_finite_differences() {
    let x = Value::from([-1.5, -0.25, 0.5, 2.0]);
    let functions: [fn(Tensor) -> Tensor; 10] = [
        |x| gelu(x),
        |x| gelu_approximate(x),
        |x| swish(x, 1.5),
        |x| log_sigmoid(x),
        |x| reduce_logsumexp(x, ..),
        |x| reduce_variance(x, ..),
        |x| reduce_std(x, ..),
        |x| moments(x, 0).1,
        |x| clip_by_norm(x, 1.0, ..),
        |x| tensordot(x, square(x), &[0], &[0]),
    ];
    for f in functions {
        check_gradient(|xs| f(xs[0]), std::slice::from_ref(&x));
    }
    let root = Value::from([[2.0, 0.5], [-1.0, 1.5]].as_flattened().to_vec());
    check_gradient(
        |xs| {
            let root = reshape(xs[0], [2, 2]);
            cholesky(batch_matmul(root, matrix_transpose(root)))
        },
        &[root],
    );
    let [a, b, c] = [1.0, 2.0, 3.0].map(|x| Value::from([x, -0.5, 0.25 * x]));
    check_gradient(|xs| einsum("i,j,i->j", [xs[0], xs[1], xs[2]]), &[a, b, c]);
}

#[test]
fn matrix_products_of_more_than_two_axes_are_those_of_many_matrices() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = reshape(constant([1.0_f32, 2.0, 3.0, 4.0]), [2, 1, 2]);
    let y = constant([[1.0_f32], [-1.0]]);
    assert_eq!(matmul(x, y).op().op_type(), "BatchMatMulV2");
    assert_eq!(floats(matmul(x, y))?, [-1.0, -1.0]);
    assert!(matmul(y, y).is_invalid());
    Ok(())
}

#[test]
fn gradients_are_built_in_the_graph_of_their_tensors() -> Outcome {
    let graph = Graph::new();
    let x = {
        let _default = graph.as_default();
        placeholder::<f64>([2, 2])
    };
    let functions: [fn(Tensor) -> Tensor; 8] = [
        |x| cholesky(x),
        |x| matrix_inverse(x),
        |x| matrix_determinant(x),
        |x| triangular_solve(x, x, TriangularSolve::default()),
        |x| einsum("ij,kl->", [x, x]),
        |x| reduce_prod(x, ..),
        |x| clip_by_norm(x, 1.0, ..),
        |x| reduce_logsumexp(x, 0),
    ];
    for f in functions {
        let first = gradients([f(x)], [x])[0].unwrap_or(x);
        gradients([first], [x]);
        jacobian(f(x), x);
    }
    graph.check()?;
    Ok(())
}

#[test]
fn weighted_sigmoid_losses_weigh_the_positive_labels() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (labels, logits) = (constant([1.0_f32, 0.0]), constant([0.5_f32, -2.0]));
    let plain = floats(sigmoid_cross_entropy_with_logits(labels, logits))?;
    let weighted = floats(weighted_cross_entropy_with_logits(labels, logits, 3.0))?;
    assert_near(&weighted, &[3.0 * plain[0], plain[1]]);
    Ok(())
}

#[test]
fn dropout_keeps_the_expected_value_and_zero_elements_stay() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    graph.set_random_seed(3);
    let x = fill([10_000], 2.0_f32);
    let dropped = dropout(x, 0.25, PartialShape::unknown(), None);
    let elements = floats(dropped)?;
    let kept = elements.iter().filter(|x| **x != 0.0).count();
    assert!((7_300..7_700).contains(&kept), "{kept} are kept");
    assert!(elements.iter().all(|x| *x == 0.0 || (x - 2.0 / 0.75).abs() < 1e-6));
    let rows = dropout(fill([50, 4], 1.0_f32), 0.5, [50, 1], Some(1));
    let rows = floats(rows)?;
    assert!(rows.chunks(4).all(|row| row.iter().all(|x| x == &row[0])));
    assert!(dropout(x, 1.5, PartialShape::unknown(), None).is_invalid());
    Ok(())
}

#[test]
fn shuffled_rows_are_all_there_and_the_more_likely_class_is_drawn_more_often() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    graph.set_random_seed(3);
    let mut shuffled = floats(random_shuffle(range(0.0_f32, 100.0_f32, 1.0_f32), None))?;
    let in_order: Vec<f32> = (0..100).map(|x| x as f32).collect();
    assert_ne!(shuffled, in_order);
    shuffled.sort_by(f32::total_cmp);
    assert_eq!(shuffled, in_order);
    let drawn = multinomial(constant([[0.0_f32, 3.0_f32.ln()]]), 10_000, None);
    let ones: f32 = floats(reduce_sum(cast(drawn, DType::F32), ..))?[0];
    assert!((7_300.0..7_700.0).contains(&ones), "{ones} are of the second class");
    Ok(())
}

#[test]
fn a_jacobian_has_a_row_for_each_element() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant([1.0_f32, 2.0, 3.0]);
    let y = einsum("ij,j->i", [constant([[1.0_f32, 1.0, 1.0], [0.0, 1.0, 2.0]]), square(x)]);
    let derivatives = jacobian(y, x).unwrap_or(y);
    assert_eq!(derivatives.shape(), shape![2, 3]);
    assert_eq!(floats(derivatives)?, [2.0, 4.0, 6.0, 0.0, 4.0, 12.0]);
    let hessian = jacobian(gradients([reduce_sum(x * square(x), ..)], [x])[0].unwrap_or(x), x);
    let hessian = floats(hessian.unwrap_or(y))?;
    assert_near(&hessian, &[6.0, 0.0, 0.0, 0.0, 12.0, 0.0, 0.0, 0.0, 18.0]);
    assert_eq!(jacobian(y, constant(1.0_f32)), None);
    let empty = jacobian(reshape(x, [3, 1]) * constant(Vec::<f32>::new()), x);
    assert_eq!(Session::new().run(empty.unwrap_or(y))?.shape()[..], [3, 0, 3]);
    Ok(())
}

#[test]
fn a_jacobian_of_unknown_or_large_shape_is_an_error() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>(shape![?]);
    assert!(jacobian(square(x), x).is_some_and(Tensor::is_invalid));
    let errors = graph.check().unwrap_err().to_string();
    assert!(errors.contains("a known shape of at most 1024 elements"), "{errors}");
}

#[test]
fn a_hessian_is_multiplied_without_being_built() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant([1.0_f32, 2.0]);
    let y = reduce_sum(x * square(x), ..) + reduce_sum(x * swapped(x), ..) * 0.5;
    let product = hessian_vector_product(y, [x], [constant([1.0_f32, 10.0])]);
    // The Hessian is [[6, 1], [1, 12]].
    assert_near(&floats(product[0].unwrap_or(x))?, &[16.0, 121.0]);
    Ok(())
}

fn swapped(x: Tensor) -> Tensor {
    einsum("ij,j->i", [constant([[0.0_f32, 1.0], [1.0, 0.0]]), x])
}

#[test]
fn a_custom_gradient_takes_the_place_of_the_other_also_twice() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant([0.5_f32, 2.0]);
    let y = custom_gradient(
        [x],
        |xs| vec![square(xs[0]), exp(xs[0])],
        |cx| vec![Some(cx.grads[0] * square(cx.inputs[0]) + cx.grads[1])],
    );
    assert_near(&floats(y[0])?, &[0.25, 4.0]);
    let first = gradients([y[0]], [x])[0].unwrap_or(x);
    assert_near(&floats(first)?, &[0.25, 4.0]);
    let second = gradients([first], [x])[0].unwrap_or(x);
    assert_near(&floats(second)?, &[1.0, 4.0]);
    assert_near(&floats(gradients([y[1]], [x])[0].unwrap_or(x))?, &[1.0, 1.0]);
    graph.check()?;
    Ok(())
}

#[test]
fn a_custom_rule_must_give_a_gradient_for_each_input() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(2.0_f32);
    let y = custom_gradient([x], |xs| vec![square(xs[0])], |_| Vec::new());
    gradients([y[0]], [x]);
    let errors = graph.check().unwrap_err().to_string();
    assert!(errors.contains("the rule gives 0 gradients for 1 inputs"), "{errors}");
}

#[test]
fn local_response_normalization_and_its_gradients_are_those_of_what_it_is_made_of() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant([[0.5_f32, -1.5, 2.0, 0.25, 1.0], [1.0, 0.75, -0.5, 3.0, -2.0]]);
    let weights = constant([[1.0_f32, -0.5, 2.0, 0.25, 0.5], [0.5, 1.5, -1.0, 0.75, 2.0]]);
    for (radius, bias, alpha, beta) in [(1, 1.0, 1.0, 0.5), (2, 2.0, 0.5, 0.75), (9, 0.5, 0.1, 1.0)]
    {
        let band = matrix_band_part(fill([5, 5], 1.0_f32), radius.min(5), radius.min(5));
        let norm = matmul(square(x), band) * alpha + bias;
        let images = reshape(x, [2, 1, 1, 5]);
        let fused = reshape(lrn(images, radius, bias, alpha, beta), [2, 5]);
        let expected = derivatives(x * pow(norm, -beta), x, weights)?;
        for (actual, expected) in derivatives(fused, x, weights)?.iter().zip(&expected) {
            assert_near(actual, expected);
        }
    }
    Ok(())
}

/// `y`, its gradient with respect to `x` with the incoming gradient `weights`, and the gradient of
/// the sum of its squares.
fn derivatives(y: Tensor, x: Tensor, weights: Tensor) -> Result<[Vec<f32>; 3], RunError> {
    let first = gradients([y * weights], [x])[0].unwrap_or(x);
    let second = gradients([square(first)], [x])[0].unwrap_or(x);
    Ok([floats(y)?, floats(first)?, floats(second)?])
}

#[test]
fn floats_of_16_bits_are_computed_as_float32_and_rounded() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let halves = |numbers: [f32; 2]| numbers.map(f16::from_f32);
    let x = constant(Value::from(halves([2048.0, 0.1])));
    let run = |y: Tensor| -> Result<Vec<f16>, Box<dyn Error>> {
        let value: Value = Session::new().run(y)?;
        Ok(value.into_vec()?)
    };
    assert_eq!(run(x + 1.0)?, halves([2048.0, 1.0996094]));
    assert_eq!(run(gradients([square(x)], [x])[0].unwrap_or(x))?, halves([4096.0, 0.19995117]));
    // The lowest number of the type stands for no element.
    let largest = unsorted_segment_max(x, [1, 1], 2);
    assert_eq!(run(largest)?, [f16::MIN, f16::from_f32(2048.0)]);
    Ok(())
}
