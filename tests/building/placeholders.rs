//! Placeholders and feeds.

use crate::common::Outcome;
use ndarray::array;
use tidemill::prelude::*;
use tidemill::{Code, RunError};

#[test]
fn an_unfed_placeholder_on_the_path_is_an_error_that_names_it() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<i32>([]).named("x");
    let error = Session::new().run(x + 3).unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    let RunError::Unfed(unfed) = error else { panic!("{error}") };
    assert_eq!((unfed[0].placeholder.name.as_str(), unfed[0].dtype), ("x", DType::I32));
    assert_eq!(unfed[0].way.names, ["add", "x"]);
}

#[test]
fn an_unfed_placeholder_off_the_path_is_fine() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<i32>([]);
    let three = constant(3);
    let _sum = x + three;
    assert_eq!(Session::new().run(three)?.to_string(), "3");
    Ok(())
}

#[test]
fn numbers_arrays_vectors_and_values_can_be_fed() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>(shape![..]);
    let session = Session::new();
    let run = |feeds| session.run_with(x, feeds).map(|value| value.to_string());
    assert_eq!(run(feeds![x => 1.5])?, "1.5");
    assert_eq!(run(feeds![x => 1])?, "1.0");
    assert_eq!(run(feeds![x => [1.0_f32, 2.0]])?, "[1.0, 2.0]");
    assert_eq!(run(feeds![x => vec![vec![1.0_f32], vec![2.0]]])?, "[[1.0], [2.0]]");
    assert_eq!(run(feeds![x => &[1.0_f32, 2.0][..]])?, "[1.0, 2.0]");
    assert_eq!(run(feeds![x => array![[1.0_f32, 2.0], [3.0, 4.0]]])?, "[[1.0, 2.0], [3.0, 4.0]]");
    assert_eq!(
        run(feeds![x => array![[1.0_f32, 2.0], [3.0, 4.0]].t()])?,
        "[[1.0, 3.0], [2.0, 4.0]]"
    );
    assert_eq!(run(feeds![x => Value::from(vec![7.0_f32])])?, "[7.0]");
    Ok(())
}

#[test]
fn strings_and_truth_values_can_be_fed() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let text = placeholder::<tidemill::ByteString>(shape![?]);
    let truth = placeholder::<bool>([]);
    let session = Session::new();
    let (text, truth) =
        session.run_with((text, !truth), feeds![text => ["a", "b"], truth => true])?;
    assert_eq!([text.to_string(), truth.to_string()], ["[\"a\", \"b\"]", "false"]);
    Ok(())
}

#[test]
fn a_number_takes_the_type_of_the_tensor_it_is_fed_for() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let session = Session::new();
    for &dtype in DType::NUMBERS {
        let x = tidemill::ops::placeholder_of(dtype, []);
        assert_eq!(session.run_with(x, feeds![x => 3])?.dtype(), dtype);
    }
    Ok(())
}

#[test]
fn each_run_is_fed_anew() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<i32>([]);
    let session = Session::new();
    assert_eq!(session.run_with(x, feeds![x => 1])?.to_string(), "1");
    assert_eq!(session.run_with(x, feeds![x => 2])?.to_string(), "2");
    assert!(session.run(x).is_err());
    Ok(())
}

#[test]
fn an_axis_of_unknown_extent_takes_any() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>(shape![?, 2]);
    let sum = reduce_sum(x, 0);
    let session = Session::new();
    for rows in 0..4 {
        let value = Value::from_vec([rows, 2], vec![1.0_f32; 2 * rows])?;
        let expected = [rows as f32; 2];
        assert_eq!(session.run_with(sum, feeds![x => value])?.as_slice::<f32>()?, expected);
    }
    Ok(())
}

#[test]
fn a_placeholder_with_a_default_need_not_be_fed() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder_with_default([1.0_f32, 2.0], shape![?]);
    let session = Session::new();
    assert_eq!(session.run(x * 2.0)?.to_string(), "[2.0, 4.0]");
    assert_eq!(session.run_with(x, feeds![x => [5.0_f32]])?.to_string(), "[5.0]");
    Ok(())
}

#[test]
fn feeding_a_variable_replaces_what_is_read_of_it() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let doubled = v * 2.0;
    let session = Session::new();
    let fed = session.run_with((doubled, v), feeds![v => 5.0])?;
    assert_eq!([fed.0.to_string(), fed.1.to_string()], ["10.0", "5.0"]);
    assert!(session.run(v).is_err(), "a feed does not initialize the variable");
    session.run(v.initializer())?;
    assert_eq!(session.run_with(doubled, feeds![v => 5.0])?.to_string(), "10.0");
    assert_eq!(session.run(doubled)?.to_string(), "2.0");
    Ok(())
}

#[test]
fn a_fed_buffer_is_not_copied() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>(shape![?]);
    let fed = Value::from(vec![1.0_f32; 100]);
    let fetched = Session::new().run_with(identity(x), feeds![x => &fed])?;
    assert!(fetched.shares_buffer(&fed));
    Ok(())
}

#[test]
fn a_run_does_not_write_to_what_it_is_fed() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>(shape![?]);
    let fed = Value::from(vec![1.0_f32; 100]);
    let session = Session::new();
    let changed = session.run_with(-exp(x), feeds![x => &fed])?;
    assert!(!changed.shares_buffer(&fed));
    assert!(fed.as_slice::<f32>()?.iter().all(|x| *x == 1.0));
    Ok(())
}
