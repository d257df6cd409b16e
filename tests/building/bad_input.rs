//! Input at the edge of what makes sense gives a result or an error, never a panic.

use crate::common::{Outcome, in_both_modes, number};
use tidemill::prelude::*;
use tidemill::{FeedErrorKind, RunError};

/// The error of a feed.
fn feed_error(session: &Session, fetch: Tensor, feeds: tidemill::Feeds) -> FeedErrorKind {
    match session.run_with(fetch, feeds) {
        Err(RunError::Feed(error)) => error.kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn tensors_without_elements_pass_through_operations() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>(shape![?, 3]);
    let fetches = [
        x + 1.0,
        exp(x),
        matmul(x, constant([[1.0_f32], [2.0], [3.0]])),
        reduce_sum(x, 0),
        reduce_max(x, 0),
        reduce_mean(x, ..),
        transpose(x, &[1, 0]),
        concat([x, x], 0),
        softmax(x),
        reshape(x, [0, 5]),
        check_numerics(x, "empty"),
    ];
    let expected = [
        "float32[0, 3]: []",
        "float32[0, 3]: []",
        "float32[0, 1]: []",
        "float32[3]: [0.0, 0.0, 0.0]",
        "float32[3]: [-inf, -inf, -inf]",
        "float32[]: nan",
        "float32[3, 0]: [[], [], []]",
        "float32[0, 3]: []",
        "float32[0, 3]: []",
        "float32[0, 5]: []",
        "float32[0, 3]: []",
    ];
    let empty = Value::zeros(DType::F32, [0, 3])?;
    for session in in_both_modes() {
        let values = session.run_with(fetches, feeds![x => &empty])?;
        let printed = values.map(|value| format!("{}{}: {value}", value.dtype(), value.shape()));
        assert_eq!(printed, expected);
    }
    Ok(())
}

#[test]
fn variables_without_elements_are_variables() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [0, 2], normal(0.0, 1.0));
    let loss = reduce_sum(square(v), ..);
    let train = GradientDescent::new(0.1).minimize(loss);
    for session in in_both_modes() {
        assert!(session.run(v).is_err());
        session.init_missing()?;
        session.run((train, assign_add(v, v), print(v, [v])))?;
        assert_eq!(session.run(v)?.shape().to_string(), "[0, 2]");
        assert_eq!(number(&session, loss), 0.0);
    }
    Ok(())
}

#[test]
fn nan_and_infinity_are_numbers_like_others() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([]);
    let v = get_variable("v", [], f32::NAN);
    let constants = [constant(f32::NAN), constant(f32::INFINITY), constant(f32::NEG_INFINITY)];
    for session in in_both_modes() {
        session.init_missing()?;
        assert_eq!(session.run(v)?.to_string(), "nan");
        assert_eq!(session.run(constants)?.map(|x| x.to_string()), ["nan", "inf", "-inf"]);
        assert_eq!(session.run_with(x + 1.0, feeds![x => f32::NAN])?.to_string(), "nan");
        assert_eq!(session.run_with(-x, feeds![x => f64::INFINITY])?.to_string(), "-inf");
    }
    Ok(())
}

#[test]
fn fetching_nothing_gives_nothing() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    constant(1);
    let session = Session::new();
    session.run(())?;
    assert!(session.run(Vec::<Tensor>::new())?.is_empty());
    assert!(session.run([] as [Operation; 0])?.is_empty());
    assert_eq!(session.run(None::<Tensor>)?, None);
    session.run_with((), feeds![])?;
    Ok(())
}

#[test]
fn a_list_of_one_is_not_a_number() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (scalar, list) = (placeholder::<f32>([]), placeholder::<f32>([1]));
    let session = Session::new();
    let fed = session.run_with((scalar, list), feeds![scalar => 1.0, list => [1.0_f32]])?;
    assert_eq!([fed.0.to_string(), fed.1.to_string()], ["1.0", "[1.0]"]);
    let wrong =
        [feeds![scalar => [1.0_f32], list => [1.0_f32]], feeds![scalar => 1.0, list => 1.0]];
    for feeds in wrong {
        let kind = feed_error(&session, scalar + list, feeds);
        assert!(matches!(kind, FeedErrorKind::Shape { .. }), "{kind}");
    }
    Ok(())
}

#[test]
fn shapes_that_no_memory_holds_are_errors() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let huge = placeholder::<f32>([1_usize << 60]);
    assert!(!huge.is_invalid());
    let broadcast = placeholder::<f32>([1 << 30, 1]) + placeholder::<f32>([1, 1 << 30]);
    assert_eq!(broadcast.shape(), shape![1 << 30, 1 << 30]);
    let filled = fill([1 << 60], 1.0_f32);
    let stretched = broadcast_to(constant(1.0_f32), constant([i32::MAX, i32::MAX, i32::MAX]));
    let uniform = Distribution::Uniform { min: 0.0, max: 1.0 };
    let drawn = random(uniform, [1 << 40, 1 << 40], DType::F32, None);
    let counted = range(0_i64, i64::MAX, 1_i64);
    let v = get_variable("v", [1_usize << 50], zeros());
    for session in in_both_modes() {
        for fetch in [filled, stretched, drawn, counted, v.read()] {
            assert!(session.run(fetch).is_err(), "{fetch}");
        }
        assert!(session.init_missing().is_err());
    }
}

#[test]
fn a_number_of_the_wrong_kind_is_not_fed() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (float, int) = (placeholder::<f32>([]), placeholder::<i32>([]));
    let (byte, truth) = (placeholder::<u8>([]), placeholder::<bool>([]));
    let session = Session::new();
    assert_eq!(session.run_with(float, feeds![float => 3])?.to_string(), "3.0");
    let wrong = [
        (int, feeds![int => 3.0]),
        (int, feeds![int => 1_i64 << 40]),
        (byte, feeds![byte => 256]),
        (byte, feeds![byte => -1]),
        (truth, feeds![truth => 1]),
        (float, feeds![float => true]),
        (float, feeds![float => 1e300]),
    ];
    for (fetch, feeds) in wrong {
        let shown = format!("{feeds:?}");
        let kind = feed_error(&session, fetch, feeds);
        assert!(matches!(kind, FeedErrorKind::Value(_)), "{shown}: {kind}");
    }
    let kind = feed_error(&session, float, feeds![float => "3.0"]);
    assert!(matches!(kind, FeedErrorKind::DType { .. }), "{kind}");
    Ok(())
}

#[test]
fn an_array_keeps_its_type() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>(shape![..]);
    let session = Session::new();
    for feeds in [feeds![x => [1, 2]], feeds![x => [1.0_f64]], feeds![x => Vec::<i32>::new()]] {
        let kind = feed_error(&session, x, feeds);
        assert!(matches!(kind, FeedErrorKind::DType { .. }), "{kind}");
    }
}

#[test]
fn what_nothing_needs_must_fit_all_the_same() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, unused) = (placeholder::<f32>([]), placeholder::<f32>([2]));
    let session = Session::new();
    let kind = feed_error(&session, x, feeds![x => 1.0, unused => [1.0_f32, 2.0, 3.0]]);
    assert!(matches!(kind, FeedErrorKind::Shape { .. }), "{kind}");
}

#[test]
fn names_of_any_characters_are_looked_up_without_a_panic() {
    let graph = Graph::new();
    let _default = graph.as_default();
    constant(1).named("x");
    let session = Session::new();
    let long = "x".repeat(100_000);
    let names =
        ["", ":", ":0", "x:", "x:1", "x:-1", "x:99999999999", "x:0:0", "é", "\0", "x y", &long];
    for name in names {
        let found = session.run(name);
        assert!(matches!(found, Err(RunError::Lookup(_))), "{name:?}: {found:?}");
    }
}

#[test]
fn names_of_strange_characters_are_refused_where_they_are_given() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let strange = ["", "_x", "x y", "x:0", "^x", "é", "-x", "x\n", "\0"];
    for name in strange {
        assert!(constant(1).named(name).is_invalid(), "{name:?}");
        assert!(get_variable(name, [], zeros()).op().is_invalid(), "{name:?}");
    }
    for name in ["x", ".x", "X.y/z-w>v_0", "0"] {
        assert!(!constant(1).named(name).is_invalid(), "{name:?}");
    }
    let scoped = name_scope("a b", || constant(1));
    assert!(scoped.is_invalid());
}

#[test]
fn a_variable_must_have_a_known_shape_to_be_initialized() {
    let graph = Graph::new();
    let _default = graph.as_default();
    for shape in [shape![?], shape![..], shape![2, ?]] {
        assert!(get_variable("v", shape, zeros()).op().is_invalid());
    }
    assert_eq!(graph.check().unwrap_err().errors().len(), 3);
}

#[test]
fn a_handle_of_an_output_that_is_not_there_is_an_error() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let missing = constant(1).op().output(7);
    assert!((missing + 1).is_invalid());
    for session in in_both_modes() {
        assert!(session.run(missing).is_err());
        assert!(session.run_with(constant(1), feeds![missing => 1]).is_err());
    }
    assert!(session_of_operation_without_outputs().is_err());
}

fn session_of_operation_without_outputs() -> Result<Value, RunError> {
    Session::new().run(no_op().output(0))
}

#[test]
fn sums_of_nothing_and_joins_of_nothing_are_errors() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let nothing = Vec::<Tensor>::new;
    assert!(add_n(nothing()).is_invalid());
    assert!(stack(nothing(), 0).is_invalid());
    assert!(concat(nothing(), 0).is_invalid());
}

#[test]
fn axes_out_of_range_are_errors() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant([[1.0_f32, 2.0], [3.0, 4.0]]);
    let wrong = [
        reduce_sum(x, 2),
        reduce_sum(x, -3),
        arg_max(x, 5),
        expand_dims(x, 4),
        transpose(x, &[0]),
        transpose(x, &[0, 0]),
        transpose(x, &[0, 7]),
        concat([x, x], 2),
        stack([x, x], 9),
        squeeze(x, &[0]),
        gather(x, constant([0]), 3),
        reshape(x, [3]),
        reshape(x, [-1, -1]),
        reshape(x, [-2]),
    ];
    let session = Session::new();
    for tensor in wrong {
        assert!(tensor.is_invalid() || session.run(tensor).is_err(), "{tensor}");
    }
}
