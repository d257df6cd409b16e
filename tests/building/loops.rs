//! Loops along tensors, the ends of loops, and the errors of mistaken bodies.

use std::cell::Cell;
use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Outcome, error_of, in_both_modes, number, relative};
use tidemill::Cancellation;
use tidemill::prelude::*;

fn own_graph() -> tidemill::DefaultGraph {
    Graph::new().as_default()
}

/// Three rows; the expected results for them are TensorFlow's.
fn rows() -> Tensor {
    constant([[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]])
}

fn halve_and_add(sum: Tensor, x: Tensor) -> Tensor {
    sum * 0.5 + x
}

#[test]
fn scans_and_folds_give_what_tensorflow_gives() -> Outcome {
    let _graph = own_graph();
    let (x, ones) = (rows(), constant([1.0_f32, 1.0]));
    let results = [
        (scan(x, ones, halve_and_add), "[[1.5, 2.5], [3.75, 5.25], [6.875, 8.625]]"),
        (scan_reverse(x, ones, halve_and_add), "[[3.875, 5.625], [5.75, 7.25], [5.5, 6.5]]"),
        (foldl(x, ones, halve_and_add), "[6.875, 8.625]"),
        (foldr(x, ones, halve_and_add), "[3.875, 5.625]"),
    ];
    let expected_gradients = [
        "[[10.1875, 14.5625], [14.375, 19.125], [13.75, 17.25]]",
        "[[7.75, 11.25], [15.375, 20.125], [18.6875, 23.0625]]",
        "[[3.4375, 4.3125], [6.875, 8.625], [13.75, 17.25]]",
        "[[7.75, 11.25], [3.875, 5.625], [1.9375, 2.8125]]",
    ];
    for ((result, expected), expected_gradient) in results.into_iter().zip(expected_gradients) {
        let loss = reduce_sum(square(result), ..);
        let gradient = gradients([loss], [x])[0].unwrap();
        for session in in_both_modes() {
            assert_eq!(session.run(result)?.to_string().replace('\n', ""), expected);
            let gradient = session.run(gradient)?.to_string().replace('\n', "");
            assert_eq!(gradient, expected_gradient);
        }
    }
    Ok(())
}

#[test]
fn a_map_goes_through_several_tensors_and_gives_several() -> Outcome {
    let _graph = own_graph();
    let factors = placeholder::<f32>(shape![?]);
    let (sums, products) = map_fn((rows(), factors), |(x, f)| (reduce_sum(x, ..), x * f));
    assert_eq!((sums.shape(), products.shape()), ([3].into(), [3, 2].into()));
    for session in in_both_modes() {
        let feeds = feeds![factors => [1.0_f32, 10.0, 100.0]];
        let (sums, products) = session.run_with((sums, products), feeds)?;
        assert_eq!(sums.to_string(), "[3.0, 7.0, 11.0]");
        let products: Vec<f32> = products.as_slice::<f32>()?.to_vec();
        assert_eq!(products, [1.0, 2.0, 30.0, 40.0, 500.0, 600.0]);
    }
    Ok(())
}

#[test]
fn a_map_over_nothing_gives_nothing_of_the_right_shape() -> Outcome {
    let _graph = own_graph();
    let x = placeholder::<f32>(shape![?, 2]);
    let y = map_fn(x, |x| concat([x, x * 2.0], 0));
    assert_eq!(y.shape().to_string(), "[?, 4]");
    let last = foldl(x, constant(7.0_f32), |sum, x| sum + reduce_sum(x, ..));
    for session in in_both_modes() {
        let nothing = Value::zeros(DType::F32, [0, 2])?;
        let (y, last) = session.run_with((y, last), feeds![x => nothing])?;
        assert_eq!((y.shape().to_string(), last.to_string()), ("[0, 4]".into(), "7.0".into()));
    }
    Ok(())
}

#[test]
fn a_loop_carries_an_array() -> Outcome {
    let _graph = own_graph();
    let array = TensorArray::of_shape(DType::I32, [], 5);
    let (_, squares) = while_loop(
        (constant(0), array),
        |(i, _)| less(i, 5),
        |(i, array)| (i + 1, array.write(i, i * i)),
    );
    for session in in_both_modes() {
        assert_eq!(session.run(squares.stack())?.to_string(), "[0, 1, 4, 9, 16]");
    }
    Ok(())
}

#[test]
fn elements_and_states_that_do_not_fit() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let _ = map_fn(constant(3), |x| x);
    let _ = map_fn((rows(), constant([1.0_f32, 2.0])), |(x, y)| x * y);
    let _ = scan(rows(), constant(0.0_f32), |sum, x| sum + x);
    let errors = graph.check().unwrap_err();
    insta::assert_snapshot!(relative(errors, file!(), base), @"
    an element is a single number, with no first axis to iterate over
      --> +1:13 (in `elems`)
    dimensions 3 and 2 contradict each other
      --> +2:13 (in `elems`)
    value 0 of the loop is float32[] when an iteration begins, but float32[2] when it ends: give it a shape invariant that always holds
      --> +3:13 (in `while`)
      input `input[0]`: `Const_4`, float32[] (+3:26)
      input `input[1]`: `scan/TensorListFromTensor`, variant[] (+3:13)
      input `input[2]`: `scan_1/EmptyTensorList`, variant[] (+3:13)
    ");
}

#[test]
fn a_loop_ends_after_the_most_iterations_that_it_may_take() -> Outcome {
    let _graph = own_graph();
    let count =
        WhileLoop::new().maximum_iterations(7).run(constant(0_i64), |_| constant(true), |i| i + 1);
    for session in in_both_modes() {
        assert_eq!(session.run(count)?.to_string(), "7");
    }
    Ok(())
}

/// A variable that is assigned to before, in and after an endless loop.
fn endless() -> (Variable, Tensor) {
    let state = get_variable("state", [], zeros());
    let count = while_loop(
        constant(0_i64),
        |_| constant(true),
        |i| {
            assign_add(state, 1.0);
            i + 1
        },
    );
    (state, count)
}

#[test]
fn a_loop_that_does_not_end_stops_after_its_time_and_changes_nothing() -> Outcome {
    let _graph = own_graph();
    let (state, count) = endless();
    for session in in_both_modes() {
        session.init_missing()?;
        let timeout = Some(Duration::from_millis(30));
        let options = RunOptions { timeout, ..RunOptions::default() };
        let begin = Instant::now();
        let result = session.run_with_options(count, feeds![], &options).map(|_| ());
        assert!(matches!(result, Err(RunError::Timeout { .. })));
        assert!(begin.elapsed() < Duration::from_secs(5));
        assert_eq!(number(&session, state), 0.0);
    }
    Ok(())
}

#[test]
fn another_thread_cancels_a_loop_in_the_middle() -> Outcome {
    let _graph = own_graph();
    let (state, count) = endless();
    for session in in_both_modes() {
        session.init_missing()?;
        let cancellation = Cancellation::new();
        let cancelled = Some(cancellation.clone());
        let options = RunOptions { cancellation: cancelled, ..RunOptions::default() };
        let result = thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(20));
                cancellation.cancel();
            });
            session.run_with_options(count, feeds![], &options).map(|_| ())
        });
        assert!(matches!(result, Err(RunError::Cancelled)));
        assert_eq!(number(&session, state), 0.0);
    }
    Ok(())
}

#[test]
fn what_is_inside_of_a_loop_can_neither_be_fetched_nor_fed() {
    let _graph = own_graph();
    let (mut doubled, mut deep) = (None, None);
    let base = line!();
    let (_, last) = while_loop(
        (constant(0), constant(1.0_f32)),
        |(i, _)| less(i, 3),
        |(i, x)| {
            doubled = Some((x * 2.0).named("doubled"));
            let next = cond(greater(x, 1.0), || *deep.insert(exp(x)), || x + 0.5);
            (i + 1, next)
        },
    );
    let session = Session::new();
    let error = error_of(&session, doubled.unwrap());
    insta::assert_snapshot!(relative(error, file!(), base), @"`doubled` is inside the `body` of the loop `while` (+1:21), and has a value only there: take what comes out of it, `while:0` or `while:1`");
    insta::assert_snapshot!(relative(error_of(&session, deep.unwrap()), file!(), base), @"`Exp` is inside the `then` of the conditional `cond` (+6:24), inside the `body` of the loop `while` (+1:21), and has a value only there: take what comes out of it, `while:0` or `while:1`");
    let error = session.run_with(last, feeds![doubled.unwrap() => 1.0]).unwrap_err();
    assert!(matches!(error, RunError::InsideBody(_)), "{error}");
}

#[test]
fn what_is_inside_of_a_body_cannot_be_used_outside() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (mut doubled, compared) = (None, Cell::new(None));
    let base = line!();
    let _ = while_loop(
        constant(1.0_f32),
        |x| less(x, 3.0),
        |x| *doubled.insert((x * 2.0).named("doubled")),
    );
    let _ = doubled.unwrap() + 1.0;
    let _ = cond(constant(true), || doubled.unwrap(), || constant(1.0_f32));
    let _ = while_loop(
        constant(1.0_f32),
        |x| {
            compared.set(Some(less(x, 3.0)));
            compared.get().unwrap()
        },
        |x| select(compared.get().unwrap(), x, x * 2.0),
    );
    let errors = graph.check().unwrap_err();
    insta::assert_snapshot!(relative(errors, file!(), base), @"
    `doubled` is inside the `body` of the loop `while` (+1:13), and has a value only there: take what comes out of it, `while:0`
      --> +6:13 (in `add`)
      `doubled` was made here (+4:29)
    `doubled` is inside the `body` of the loop `while` (+1:13), and has a value only there: take what comes out of it, `while:0`
      --> +7:13 (in `result`)
      `doubled` was made here (+4:29)
    `Less` is inside a body that is still being built, and has a value only there
      --> +14:13 (in `SelectV2`)
      `arg` was made here (+8:13)
      `Less` was made here (+11:31)
    ");
}

#[test]
fn an_effect_made_outside_of_a_body_cannot_be_captured() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let state = get_variable("state", [], zeros());
    let base = line!();
    let written = assign_add(state, 1.0);
    let _ = while_loop(constant(0.0_f32), |x| less(x, 3.0), |x| x + written);
    let _ =
        cond(constant(true), || control_dependencies([written], || constant(1)), || constant(2));
    let grouped = group([group([written.op()])]);
    let _ =
        cond(constant(true), || control_dependencies([grouped], || constant(1)), || constant(2));
    let errors = graph.check().unwrap_err();
    insta::assert_snapshot!(relative(errors, file!(), base), @"
    `AssignAdd` (AssignAdd) was made at +1:19, outside of this body, and has an effect: make it inside, or run it before
      --> +2:65 (in `add`)
    `AssignAdd` (AssignAdd) was made at +1:19, outside of this body, and has an effect: make it inside, or run it before
      --> +4:68 (in `Const`)
    `AssignAdd` (AssignAdd) was made at +1:19, outside of this body, and has an effect: make it inside, or run it before
      --> +7:68 (in `Const`)
    ");
}

#[test]
fn what_only_one_branch_needs_is_computed_only_where_it_is_taken() -> Outcome {
    let _graph = own_graph();
    let (p, x) = (placeholder::<bool>([]), placeholder::<i32>([]));
    let quotient = floor_div(6, x);
    let y = cond(p, || quotient + 1, || x);
    for session in in_both_modes() {
        assert_eq!(session.run_with(y, feeds![p => true, x => 2])?.to_string(), "4");
        assert_eq!(session.run_with(y, feeds![p => false, x => 0])?.to_string(), "0");
        assert!(session.run_with(y, feeds![p => true, x => 0]).is_err());
    }
    Ok(())
}

#[test]
fn a_failure_in_a_body_names_the_body_and_what_runs_it() {
    let _graph = own_graph();
    let base = line!();
    let (_, quotient) = while_loop(
        (constant(3), constant(12)),
        |(i, _)| greater(i, -5),
        |(i, x)| (i - 1, cond(less(i, 5), || floor_div(x, i), || x)),
    );
    let error = error_of(&Session::new(), quotient);
    insta::assert_snapshot!(relative(error, file!(), base), @"
    integer division by zero
      --> +4:46 (in `floordiv`, of type FloorDiv)
      input: `arg_1`, int32[] (+1:25)
      input: `arg`, int32[] (+1:25)
      inside `cond` (+4:26), in its `then`
      inside `while` (+1:25), in its `body`
    ");
}

#[test]
fn a_loop_that_changes_a_shape_or_a_type_is_an_error() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let _ = while_loop(constant([1.0_f32]), |_| constant(true), |x| concat([x, x], 0));
    let _ = while_loop(constant(1.0_f32), |_| constant(true), |x| cast(x, DType::F64));
    let _ = while_loop(constant(1.0_f32), |x| x, |x| x);
    let errors = graph.check().unwrap_err();
    insta::assert_snapshot!(relative(errors, file!(), base), @"
    value 0 of the loop is float32[1] when an iteration begins, but float32[2] when it ends: give it a shape invariant that always holds
      --> +1:13 (in `while`)
      input `input`: `Const`, float32[1] (+1:24)
    `body` gives float64 as its value 0, not float32
      --> +2:13 (in `while`)
      input `input`: `Const_1`, float32[] (+2:24)
    the condition of a loop must be one bool, but is float32[]
      --> +3:13 (in `while`)
      input `input`: `Const_2`, float32[] (+3:24)
    ");
}

#[test]
fn the_gradient_of_a_scan_takes_time_in_proportion_to_its_length() -> Outcome {
    let _graph = own_graph();
    let x = placeholder::<f32>(shape![?]);
    let sums = scan(x, constant(0.0_f32), |sum, x| tanh(sum * 0.5 + x));
    let gradient = gradients([reduce_sum(sums, ..)], [x])[0].unwrap();
    let session = Session::new();
    let time = |length: usize| -> Result<Duration, Box<dyn Error>> {
        let input = Value::full(0.1_f32.into(), [length])?;
        let begin = Instant::now();
        session.run_with(gradient, feeds![x => &input])?;
        Ok(begin.elapsed())
    };
    time(100)?;
    let (short, long) = (time(2_000)?, time(20_000)?);
    // A gradient of quadratic cost would take a hundred times as long.
    assert!(long < 40 * short, "{short:?} for 2000 steps, {long:?} for 20000");
    Ok(())
}
