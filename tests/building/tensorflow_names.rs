//! Functions that programs written for TensorFlow look for by name, and methods of tensors.

use crate::common::{Outcome, in_both_modes, relative};
use layers::{Dense, dense, fully_connected};
use tidemill::prelude::*;
use tidemill::rnn::GruCell;

fn check(tensor: Tensor, expected: impl IntoValue) {
    let expected = expected.into_value().unwrap();
    for session in in_both_modes() {
        assert_eq!(session.run(tensor).unwrap(), expected);
    }
}

fn check_close(tensor: Tensor, expected: &[f32]) {
    let value = Session::new().run(tensor).unwrap();
    let actual = value.as_slice::<f32>().unwrap();
    let near = |(a, e): (&f32, &f32)| (a - e).abs() < 1e-6 * e.abs().max(1.0);
    let are_near = actual.len() == expected.len() && actual.iter().zip(expected).all(near);
    assert!(are_near, "{actual:?} is not {expected:?}");
}

#[test]
fn norms_are_those_of_their_orders() {
    let _graph = Graph::new().as_default();
    let x = constant([[3.0_f32, -4.0], [0.0, 2.0]]);
    check(norm(x, Norm::Euclidean, 1), [5.0_f32, 2.0]);
    check(norm(x, Norm::L1, 1), [7.0_f32, 2.0]);
    check(norm(x, Norm::Infinity, ..), 4.0_f32);
    check_close(norm(x, Norm::P(3.0), 1), &[4.497_941_4, 2.0]);
    check_close(norm(x, Norm::Euclidean, None), &[5.385_165]);
}

#[test]
fn l2_normalize_divides_by_lengths_and_leaves_zeros() {
    let _graph = Graph::new().as_default();
    let x = constant([[3.0_f32, 4.0], [0.0, 0.0]]);
    check_close(l2_normalize(x, 1, 1e-12), &[0.6, 0.8, 0.0, 0.0]);
}

#[test]
fn eye_is_square_unless_it_is_told_otherwise() {
    let _graph = Graph::new().as_default();
    check(eye(2, None, DType::F32), [[1.0_f32, 0.0], [0.0, 1.0]]);
    check(eye(2, 3, DType::I32), [[1, 0, 0], [0, 1, 0]]);
    check(eye(3, 2, DType::F64), [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]);
    assert_eq!(eye(0, None, DType::F32).shape(), [0, 0].into());
}

#[test]
fn meshgrid_swaps_the_first_axes_as_images_have_them() {
    let _graph = Graph::new().as_default();
    let lists = || [constant([1, 2, 3]), constant([4, 5])];
    let [x, y] = meshgrid(lists(), Indexing::Xy)[..] else { panic!("not two") };
    check(x, [[1, 2, 3], [1, 2, 3]]);
    check(y, [[4, 4, 4], [5, 5, 5]]);
    let [x, y] = meshgrid(lists(), Indexing::Ij)[..] else { panic!("not two") };
    check(x, [[1, 1], [2, 2], [3, 3]]);
    check(y, [[4, 5], [4, 5], [4, 5]]);
    let three = meshgrid([constant([1, 2]), constant([3]), constant([5, 6])], Indexing::Xy);
    check(three[0], [[[1, 1], [2, 2]]]);
    check(three[2], [[[5, 6], [5, 6]]]);
    check(meshgrid([constant([7, 8])], Indexing::Xy)[0], [7, 8]);
}

#[test]
fn logical_xor_is_true_where_one_is() {
    let _graph = Graph::new().as_default();
    let x = constant([false, false, true, true]);
    check(logical_xor(x, constant([false, true, false, true])), [false, true, true, false]);
    check(logical_xor(x, true), [true, true, false, false]);
}

#[test]
fn a_confusion_matrix_counts_or_weighs_pairs() {
    let _graph = Graph::new().as_default();
    let (labels, predictions) = (constant([1, 2, 2]), constant([1, 0, 0]));
    let counts = [[0, 0, 0], [0, 1, 0], [2, 0, 0]];
    check(confusion_matrix(labels, predictions, 3, None, DType::I32), counts);
    check(confusion_matrix(labels, predictions, None, None, DType::I32), counts);
    let weights = constant([0.5_f32, 1.0, 2.0]);
    check(
        confusion_matrix(labels, predictions, 3, Some(weights), DType::F32),
        [[0.0_f32, 0.0, 0.0], [0.0, 0.5, 0.0], [3.0, 0.0, 0.0]],
    );
    let outside = confusion_matrix(labels, predictions, 2, None, DType::I32);
    assert!(Session::new().run(outside).is_err());
}

#[test]
fn layers_by_hand_and_conversions_have_their_names() {
    let _graph = Graph::new().as_default();
    let x = constant([[1.0_f32, 2.0]]);
    check(xw_plus_b(x, constant([[3.0_f32], [4.0]]), [0.5_f32]), [[11.5_f32]]);
    let float = to_float(constant([1, 2]));
    assert_eq!(float.name(), "ToFloat:0");
    check(float, [1.0_f32, 2.0]);
    check(convert_to_tensor(2.5), 2.5);
    assert_eq!(convert_to_tensor(x), x);
}

#[test]
fn rot90_turns_images_against_the_clock() {
    let _graph = Graph::new().as_default();
    let image = constant([[[1], [2]], [[3], [4]], [[5], [6]]]);
    check(rot90(image, 1), [[[2], [4], [6]], [[1], [3], [5]]]);
    check(rot90(image, 2), [[[6], [5]], [[4], [3]], [[2], [1]]]);
    check(rot90(image, -1), [[[5], [3], [1]], [[6], [4], [2]]]);
    check(rot90(image, 4), [[[1], [2]], [[3], [4]], [[5], [6]]]);
    check(rot90(expand_dims(image, 0), 1), [[[[2], [4], [6]], [[1], [3], [5]]]]);
}

#[test]
fn random_numbers_by_name_are_in_their_range_and_of_their_spread() -> Outcome {
    let _graph = Graph::new().as_default();
    let uniform = random_uniform([1000], -2.0, 3.0, DType::F32, Some(1));
    let session = Session::new();
    let (low, high) = session.run((uniform.min(..), uniform.max(..)))?;
    let (low, high): (f32, f32) = (low, high).into_scalars()?;
    assert!((-2.0..-1.9).contains(&low) && (2.9..3.0).contains(&high), "{low} {high}");
    let normal = random_normal([10_000], 5.0, 0.5, DType::F64, Some(2));
    let (mean, std): (f64, f64) = session.run((normal.mean(..), normal.std(..)))?.into_scalars()?;
    assert!((mean - 5.0).abs() < 0.03 && (std - 0.5).abs() < 0.03, "{mean} {std}");
    Ok(())
}

#[test]
fn the_variables_of_dense_layers_are_named_as_tensorflow_names_them() -> Outcome {
    let _graph = Graph::new().as_default();
    let x = constant([[1.0_f32, -2.0]]);
    let start = |number| constant_initializer(number);
    let options = || Dense { kernel_initializer: start(0.5), ..Dense::default() };
    let y = dense(x, 3, Dense { bias_initializer: start(1.0), ..options() });
    let z = dense(y, 1, Dense { use_bias: false, name: Some("out"), ..options() });
    let relu = dense(x, 2, Dense { activation: Some(relu), ..options() });
    let whole = dense(placeholder::<f32>(shape![?, 7, 3]), 5, options());
    assert_eq!(whole.shape(), shape![?, 7, 5]);
    fully_connected(x, 2, Some(tanh));
    let names: Vec<String> = global_variables_in("").iter().map(|v| v.op().name()).collect();
    let expected = [
        "dense/kernel",
        "dense/bias",
        "out/kernel",
        "dense_1/kernel",
        "dense_1/bias",
        "dense_2/kernel",
        "dense_2/bias",
        "fully_connected/weights",
        "fully_connected/biases",
    ];
    assert_eq!(names, expected);
    let session = Session::new();
    session.init_missing()?;
    assert_eq!(session.run(y)?, [[0.5_f32, 0.5, 0.5]].into_value()?);
    assert_eq!(session.run(z)?, [[0.75_f32]].into_value()?);
    assert_eq!(session.run(relu)?, [[0.0_f32, 0.0]].into_value()?);
    assert!(dense(placeholder::<f32>(shape![2, ?]), 3, Dense::default()).is_invalid());
    Ok(())
}

#[test]
fn a_shape_is_set_on_the_tensor_that_is_returned() -> Outcome {
    let _graph = Graph::new().as_default();
    let x = placeholder::<f32>(shape![..]);
    let known = x.set_shape(shape![?, 2]);
    assert_eq!((known.shape(), x.shape()), (shape![?, 2], shape![..]));
    let doubled = known * 2.0;
    let session = Session::new();
    let fits = session.run_with(doubled, feeds![x => [[1.0_f32, 2.0]]])?;
    assert_eq!(fits, [[2.0_f32, 4.0]].into_value()?);
    let error = session.run_with(doubled, feeds![x => [1.0_f32, 2.0]]).unwrap_err().to_string();
    assert!(error.contains("[?, 2]") && error.contains("[2]"), "{error}");
    assert!(known.set_shape([3, 3]).is_invalid());
    Ok(())
}

#[test]
fn methods_compute_what_their_functions_do() {
    let _graph = Graph::new().as_default();
    let x = constant([[1.0_f32, 2.0], [3.0, 4.0]]);
    check(x.sum(0), [4.0_f32, 6.0]);
    check(x.mean(..), 2.5_f32);
    check(x.max(1).min(0), 2.0_f32);
    check(x.prod(None), 24.0_f32);
    check(x.matmul(x).reshape([-1]), [7.0_f32, 10.0, 15.0, 22.0]);
    check(x.transpose(&[1, 0]).cast(DType::I32), [[1, 3], [2, 4]]);
    check(x.square().sqrt(), [[1.0_f32, 2.0], [3.0, 4.0]]);
    check(x.greater(2.0).any(0), [true, true]);
    check(x.gather([1], 0).squeeze(&[0]).expand_dims(1), [[3.0_f32], [4.0]]);
    check(x.clip_by_value(2.0, 3.0).arg_max(1), [0_i64, 0]);
    check(x.exp().log1p().abs().floor(), [[1.0_f32, 2.0], [3.0, 4.0]]);
}

#[test]
fn an_error_of_a_method_names_the_line_that_calls_it() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = placeholder::<f32>([2, 3]);
    x.matmul(x);
    get_variable("w", [2, 3], zeros()).reshape([4, -1]);
    x.sum(7);
    insta::assert_snapshot!(relative(graph.check().unwrap_err(), file!(), base), @"
    the inner dimensions of [2, 3] and [2, 3] differ: 3 columns on the left, 2 rows on the right
      --> +2:7 (in `MatMul`)
      input `a`: `Placeholder`, float32[2, 3] (+1:13)
      input `b`: `Placeholder`, float32[2, 3] (+1:13)
    a tensor of shape [2, 3] has 6 elements, and 6 is not a multiple of 4, as shape [4, ?] requires
      --> +3:40 (in `Reshape`)
      input `tensor`: `w/read`, float32[2, 3] (+3:5)
      input `shape`: `Reshape/shape`, int32[2] (+3:40)
    axis 7 is out of range for 2 axes: it must be at least -2 and below 2
      --> +4:7 (in `Sum`)
      input `input`: `Placeholder`, float32[2, 3] (+1:13)
      input `reduction_indices`: `Sum/reduction_indices`, int32[] (+4:7)
    ");
}

#[test]
fn a_network_both_ways_gives_what_each_way_gives() -> Outcome {
    let _graph = Graph::new().as_default();
    let (forward, backward) = (GruCell::new(2), GruCell::new(3));
    let x = placeholder::<f32>(shape![?, ?, 2]);
    let lengths = placeholder::<i32>(shape![?]);
    let ((along, against), (last, first)) =
        rnn::bidirectional_dynamic_rnn(&forward, &backward, x, Some(lengths));
    let names: Vec<String> = trainable_variables().iter().map(|v| v.op().name()).collect();
    assert_eq!(names[0], "bidirectional_rnn/fw/gru_cell/gates/kernel");
    assert_eq!(names[4], "bidirectional_rnn/bw/gru_cell/gates/kernel");
    let (alone, state) = rnn::dynamic_rnn(&forward, x);
    let session = Session::new();
    session.init_missing()?;
    let input = [[[0.1_f32, 0.2], [0.3, 0.4], [0.5, 0.6]]].into_value()?;
    let feeds = || feeds![x => &input, lengths => [3]];
    let found = session.run_with((along, last, against, first), feeds())?;
    let expected = session.run_with((alone, state), feeds![x => &input])?;
    assert_eq!((found.0, found.1), expected);
    // In reverse, the last state is the output at the first step.
    let outputs = found.2.as_slice::<f32>()?;
    assert_eq!(found.3.as_slice::<f32>()?, &outputs[..3]);
    Ok(())
}
