//! Plans for the shapes that are fed, which are made when shapes are fed again.

use tidemill::custom::NodeBuilder;
use tidemill::prelude::*;
use tidemill_ops::ops::assign::ASSIGN;

use crate::common::Outcome;

fn batch(rows: usize, columns: usize) -> Value {
    let elements = (0..rows * columns).map(|i| (i as f32 * 0.37).sin()).collect();
    Value::from_vec([rows, columns], elements).unwrap()
}

/// A classifier with dropout whose batch is of any size: its loss, and a step of training.
fn classifier() -> (Tensor, Tensor, Operation) {
    let x = placeholder::<f32>(shape![?, 6]);
    let hidden = tanh(matmul(x, get_variable("w", [6, 5], uniform(-1.0, 1.0).seed(1))));
    let hidden = dropout(hidden + get_variable("b", [5], zeros()), 0.25, shape![..], Some(3));
    let scores = matmul(hidden, get_variable("v", [5, 3], uniform(-1.0, 1.0).seed(2)));
    let loss = reduce_mean(square(scores - reduce_mean(scores, Axes::from(1).keep_dims())), ..);
    (x, loss, Adam::new(0.05).minimize(loss))
}

#[test]
fn runs_have_the_same_bits_whichever_plan_computes_them() -> Outcome {
    let losses = |rewriting: Rewriting| -> Result<Vec<Value>, RunError> {
        let graph = Graph::new();
        let _default = graph.as_default();
        let (x, loss, train) = classifier();
        let options = SessionOptions { rewriting, seed: Some(7), ..SessionOptions::default() };
        let session = Session::with_options(&graph, options);
        session.run(global_variables_initializer())?;
        let rows = [4, 4, 9, 4, 1, 9, 1, 4, 9, 1, 4];
        let step = |rows| session.run_with((loss, train), feeds![x => batch(rows, 6)]);
        rows.into_iter().map(|rows| Ok(step(rows)?.0)).collect()
    };
    let (on, off) = (losses(Rewriting::On)?, losses(Rewriting::Off)?);
    for (i, (on, off)) in on.iter().zip(&off).enumerate() {
        assert!(on.bits_eq(off), "run {i}: {on} and {off}");
    }
    Ok(())
}

#[test]
fn the_second_run_with_a_shape_takes_fewer_steps() -> Outcome {
    let _graph = Graph::new().as_default();
    let x = placeholder::<f32>(shape![?, 3]);
    let loss = reduce_sum(square(x - reduce_mean(x, 0)), ..);
    let slope = gradients([loss], [x])[0].unwrap();
    let session = Session::new();
    let mut steps = Vec::new();
    for _ in 0..3 {
        let feeds = feeds![x => batch(4, 3)];
        steps.push(session.run_with_options(slope, feeds, &RunOptions::default())?.stats.steps);
    }
    assert!(steps[1] < steps[0], "{steps:?}");
    assert_eq!(steps[2], steps[1]);
    Ok(())
}

#[test]
fn shapes_that_fail_give_the_same_error_each_time_and_change_nothing() -> Outcome {
    let _graph = Graph::new().as_default();
    let (x, y) = (placeholder::<f32>(shape![?]), placeholder::<f32>(shape![?]));
    let total = get_variable("total", [], zeros());
    let added = assign_add(total, reduce_sum(x * y, ..));
    let session = Session::new();
    session.run(global_variables_initializer())?;
    let step = session.callable(&[x, y], added)?;
    let wrong = || step.call(([1.0_f32, 2.0, 3.0], [1.0_f32, 2.0])).unwrap_err().to_string();
    let first = wrong();
    assert!(first.contains("shapes [3] and [2] do not broadcast"), "{first}");
    assert_eq!([wrong(), wrong()], [first.clone(), first]);
    for count in 1..4 {
        let sum = step.call(([1.0_f32, 2.0], [3.0_f32, 4.0]))?;
        assert_eq!(sum, Value::from(11.0 * count as f32));
    }
    Ok(())
}

#[test]
fn values_that_fail_in_a_plan_for_their_shapes_change_nothing() -> Outcome {
    let _graph = Graph::new().as_default();
    let ids = placeholder::<i64>(shape![?]);
    let count = get_variable("count", [], zeros());
    let picked = gather(constant([1.0_f32, 2.0, 4.0]), ids, 0);
    let counted = assign_add(count, reduce_sum(picked, ..));
    let session = Session::new();
    session.run(global_variables_initializer())?;
    for _ in 0..3 {
        session.run_with(counted, feeds![ids => [0_i64, 2]])?;
        let error = session.run_with(counted, feeds![ids => [0_i64, 3]]).unwrap_err();
        assert!(error.to_string().contains("index 3"), "{error}");
    }
    assert_eq!(session.run(count)?, Value::from(15.0_f32));
    Ok(())
}

#[test]
fn more_shapes_than_there_are_plans_for_are_computed_as_well() -> Outcome {
    let _graph = Graph::new().as_default();
    let x = placeholder::<f32>(shape![..]);
    let total = reduce_sum(x * 2.0 + 1.0, ..);
    let session = Session::new();
    for _ in 0..3 {
        for rows in 0..100 {
            let ones = Value::full(1.0_f32.into(), [rows, 2])?;
            let sum = session.run_with(total, feeds![x => ones])?;
            assert_eq!(sum, Value::from(6.0 * rows as f32));
        }
        assert_eq!(session.run_with(total, feeds![x => 1.0_f32])?, Value::from(3.0_f32));
    }
    Ok(())
}

#[test]
fn loops_and_branches_take_batches_of_any_size() -> Outcome {
    let _graph = Graph::new().as_default();
    let x = placeholder::<f32>(shape![?, 2]);
    let halved = while_loop(
        (x, constant(0)),
        |(x, i)| less(i, 3) & greater(reduce_sum(abs(x), ..), 0.0),
        |(x, i)| (x * 0.5, i + 1),
    );
    let y = cond(greater(reduce_sum(x, ..), 0.0), || halved.0 + 1.0, || halved.0 - 1.0);
    let session = Session::new();
    for rows in [1, 3, 3, 1, 3, 1, 0, 0] {
        let ones = Value::full(8.0_f32.into(), [rows, 2])?;
        let expected = if rows > 0 { 2.0_f32 } else { 7.0 };
        let result = session.run_with(y, feeds![x => ones])?;
        assert_eq!(result, Value::full(expected.into(), [rows, 2])?);
    }
    Ok(())
}

#[test]
fn threads_share_the_plans_for_shapes() -> Outcome {
    let _graph = Graph::new().as_default();
    let x = placeholder::<f32>(shape![?]);
    let doubled = reduce_sum(x + x, ..);
    let session = Session::new();
    let sum = session.callable(&[x], doubled)?;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let sum = &sum;
            scope.spawn(move || {
                for i in 0..200 {
                    let rows = (i + thread) % 7;
                    let value = sum.call((vec![1.0_f32; rows],)).unwrap();
                    assert_eq!(value, Value::from(2.0 * rows as f32));
                }
            });
        }
    });
    Ok(())
}

#[test]
fn a_reshape_by_no_extents_fails_whichever_plan_runs_it() -> Outcome {
    let _graph = Graph::new().as_default();
    let (x, extents) = (placeholder::<f32>(shape![?]), placeholder::<i32>(shape![?]));
    let count = get_variable("count", [], zeros());
    let reshaped = reshape(x, extents);
    let counted = assign_add(count, 1.0);
    let session = Session::new();
    session.run(global_variables_initializer())?;
    let none = || Value::from_vec([0], Vec::<i32>::new()).unwrap();
    for _ in 0..3 {
        for fetch in [size(reshaped), reduce_sum(zeros_like(reshaped), ..)] {
            let feeds = feeds![x => [1.0_f32, 2.0], extents => none()];
            let error = session.run_with((fetch, counted), feeds).unwrap_err();
            assert!(error.to_string().contains("a tensor of shape [2]"), "{error}");
        }
        let one = feeds![x => [7.0_f32], extents => none()];
        assert_eq!(session.run_with(reshaped, one)?, Value::from(7.0_f32));
    }
    assert_eq!(session.run(count)?, Value::from(0.0_f32));
    Ok(())
}

#[test]
fn an_error_of_two_reshapes_shows_the_shape_between_them_each_time() -> Outcome {
    let _graph = Graph::new().as_default();
    let (x, extents) = (placeholder::<f32>(shape![?, ?]), placeholder::<i32>([1]));
    let reshaped = reshape(reshape(x, [-1]), extents);
    let session = Session::new();
    for _ in 0..3 {
        let feeds = feeds![x => [[1.0_f32, 2.0], [3.0, 4.0]], extents => [2]];
        let error = session.run_with(reshaped, feeds).unwrap_err();
        assert!(error.to_string().contains("a tensor of shape [4] has 4 elements"), "{error}");
    }
    Ok(())
}

#[test]
fn a_condition_that_is_not_a_single_truth_value_is_an_error_of_the_loop() -> Outcome {
    let _graph = Graph::new().as_default();
    let end = placeholder::<i32>(shape![..]);
    let count = get_variable("count", [], zeros());
    let looped = while_loop(constant(0), |i| less(i, end), |i| i + 1);
    let chosen = cond(less(end, 3), || constant(1), || constant(2));
    let counted = assign_add(count, 1.0);
    let session = Session::new();
    session.run(global_variables_initializer())?;
    for _ in 0..3 {
        let fed = || Value::from([1_i32, 2]);
        let error = session.run_with((looped, counted), feeds![end => fed()]).unwrap_err();
        assert!(error.to_string().contains("a value of shape [2] is not a single"), "{error}");
        assert_eq!(session.run_with(looped, feeds![end => 2])?, Value::from(2));
        // As in TensorFlow, an array that has elements is true.
        assert_eq!(session.run_with(chosen, feeds![end => fed()])?, Value::from(1));
    }
    assert_eq!(session.run(count)?, Value::from(0.0_f32));
    Ok(())
}

#[test]
fn a_branch_whose_shapes_disagree_fails_where_it_is_taken() -> Outcome {
    let _graph = Graph::new().as_default();
    let (x, flag) = (placeholder::<f32>(shape![?]), placeholder::<bool>([]));
    let three = get_variable("three", [3], ones());
    let count = get_variable("count", [], zeros());
    let filled = fill(shape(x), 2.0_f32);
    let chosen = cond(flag, || three + 1.0, || three + filled);
    let counted = assign_add(count, 1.0);
    let session = Session::new();
    session.run(global_variables_initializer())?;
    for _ in 0..3 {
        let feeds = |taken: bool| feeds![x => vec![0.0_f32; 10], flag => taken];
        assert_eq!(session.run_with(chosen, feeds(true))?, Value::from([2.0_f32; 3]));
        let error = session.run_with((chosen, counted), feeds(false)).unwrap_err();
        assert!(error.to_string().contains("shapes [3] and [10] do not broadcast"), "{error}");
    }
    assert_eq!(session.run(count)?, Value::from(0.0_f32));
    Ok(())
}

#[test]
fn a_branch_takes_a_batch_whose_rows_have_another_length_than_declared() -> Outcome {
    let _graph = Graph::new().as_default();
    let (x, flag) = (placeholder::<f32>(shape![?, 2]), placeholder::<bool>([]));
    let weights = get_variable("weights", [2, 3], ones());
    let scores = matmul(x, weights);
    let length = || size(reduce_sum(scores, 0));
    let chosen = cond(flag, length, || constant(0));
    let looped =
        while_loop((constant(0), constant(0)), |(i, _)| less(i, 1), |(i, _)| (i + 1, length()));
    let value = placeholder::<f32>(shape![?, ?]);
    let unchecked = NodeBuilder::new(&ASSIGN).input(weights).input(value);
    let unchecked = Tensor::from(unchecked.attr("validate_shape", false).build().output(0));
    let session = Session::new();
    session.run(global_variables_initializer())?;
    for columns in [3, 5] {
        session.run_with(unchecked, feeds![value => batch(2, columns)])?;
        for _ in 0..3 {
            let feeds = feeds![x => batch(4, 2), flag => true];
            let columns = Value::from(columns as i32);
            let lengths = session.run_with((chosen, looped.1), feeds)?;
            assert_eq!(lengths, (columns.clone(), columns));
        }
    }
    Ok(())
}
