//! Prepared runs.

use std::sync::Arc;
use std::thread;

use crate::common::{Outcome, counted, failing, number};
use ndarray::{Array2, arr2};
use tidemill::prelude::*;
use tidemill::{Arguments, Callable, RunOptions};

fn in_fresh_graph() -> (Session, tidemill::DefaultGraph) {
    let graph = Graph::new();
    let guard = graph.as_default();
    (Session::new(), guard)
}

#[test]
fn a_callable_computes_what_a_run_computes() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let (x, y) = (placeholder::<f32>(shape![?]), placeholder::<f32>([]));
    let (product, total) = (x * y, reduce_sum(x, ..));
    let callable = session.callable(&[x, y], ([product], total))?;
    for values in [vec![1.0_f32, 2.0], vec![], vec![-3.0, 0.5, 4.0]] {
        let by_run = session.run_with(([product], total), feeds![x => &values, y => 2.5])?;
        assert_eq!(callable.call((values, 2.5))?, by_run);
    }
    Ok(())
}

#[test]
fn arguments_are_in_the_order_of_the_feeds() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let (x, y) = (placeholder::<f32>([]), placeholder::<f32>([]));
    let difference = x - y;
    assert_eq!(session.callable(&[x, y], difference)?.call((5.0, 3.0))?, Value::from(2.0_f32));
    assert_eq!(session.callable(&[y, x], difference)?.call((5.0, 3.0))?, Value::from(-2.0_f32));
    assert_eq!(session.callable(&[y, x], difference)?.call([5.0, 3.0])?, Value::from(-2.0_f32));
    assert_eq!(session.callable(&[y, x], difference)?.call(vec![5.0, 3.0])?, Value::from(-2.0_f32));
    Ok(())
}

#[test]
fn a_callable_stays_valid_while_the_graph_grows() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let x = placeholder::<i32>([]);
    let callable = session.callable(&[x], x + 1)?;
    for i in 0..100 {
        constant(i);
        assert_eq!(callable.call((i,))?, Value::from(i + 1));
    }
    Ok(())
}

#[test]
fn a_callable_trains_the_variables_of_its_session() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let weight = get_variable("weight", [], zeros());
    let x = placeholder::<f32>([]);
    let loss = square(weight - x);
    let train = GradientDescent::new(0.25).minimize(loss);
    session.init_missing()?;
    let step = session.callable(&[x], (loss, train))?;
    assert_eq!(step.call((2.0,))?.0, Value::from(4.0_f32));
    assert_eq!(step.call((2.0,))?.0, Value::from(1.0_f32));
    assert_eq!(number(&session, weight), 1.5);
    Ok(())
}

#[test]
fn only_the_path_of_a_callable_runs() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let (needed, needed_count) = counted(1.0_f32);
    let (_other, other_count) = counted(2.0_f32);
    let callable = session.callable(&[], needed + 1.0)?;
    callable.call(())?;
    assert_eq!((needed_count.take(), other_count.take()), (1, 0));
    Ok(())
}

#[track_caller]
fn error_of<F: Fetch>(callable: &Callable<F>, arguments: impl Arguments) -> RunError {
    callable.call(arguments).map(|_| ()).unwrap_err()
}

#[test]
fn wrong_arguments_are_errors_that_say_what_was_expected() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let x = placeholder::<f32>([2]).named("x");
    let callable = session.callable(&[x], x * 2.0)?;
    let too_many = error_of(&callable, ([1.0_f32, 2.0], 3.0));
    assert_eq!(too_many.to_string(), "the callable has 1 feeds, but was called with 2 values");
    let none = error_of(&callable, ());
    assert_eq!(none.to_string(), "the callable has 1 feeds, but was called with 0 values");
    let shape = error_of(&callable, ([1.0_f32, 2.0, 3.0],)).to_string();
    let expected = "cannot feed `x:0`: a value of shape [3] was fed, but the tensor has shape [2]";
    assert!(shape.starts_with(expected), "{shape}");
    let dtype = error_of(&callable, ([1_i32, 2],)).to_string();
    assert!(dtype.starts_with("cannot feed `x:0`: a value of type int32 was fed"), "{dtype}");
    assert_eq!(callable.call(([1.0_f32, 2.0],))?, Value::from([2.0_f32, 4.0]));
    Ok(())
}

#[test]
fn what_could_never_run_is_an_error_when_it_is_prepared() {
    let (session, _default) = in_fresh_graph();
    let (x, y) = (placeholder::<f32>([]), placeholder::<f32>([]));
    assert!(matches!(session.callable(&[x], x + y), Err(RunError::Unfed(_))));
    assert!(matches!(session.callable(&[x, x], x), Err(RunError::Feed(_))));
    session.close();
    let callable = session.callable(&[x], x);
    assert!(matches!(callable.unwrap().call((1.0,)), Err(RunError::Closed)));
}

#[test]
fn a_callable_is_usable_after_an_error() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let x = placeholder::<i32>([]);
    let callable = session.callable(&[x], floor_div(12, x))?;
    assert!(matches!(callable.call((0,)), Err(RunError::Kernel(_))));
    assert_eq!(callable.call((5,))?, Value::from(2));
    assert!(matches!(session.callable(&[], failing())?.call(()), Err(RunError::Kernel(_))));
    Ok(())
}

#[test]
fn threads_share_a_callable() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let (x, total) = (placeholder::<f32>([100]), get_variable("total", [100], zeros()));
    let add = Arc::new({
        let add = assign_add(total, x);
        session.init_missing()?;
        session.callable(&[x], add.op())?
    });
    thread::scope(|scope| {
        for _ in 0..4 {
            let add = Arc::clone(&add);
            scope.spawn(move || {
                for _ in 0..250 {
                    add.call((&[1.0_f32; 100],)).unwrap();
                }
            });
        }
    });
    assert_eq!(session.run(total)?, Value::from([1000.0_f32; 100]));
    Ok(())
}

#[test]
fn no_byte_of_an_owned_array_in_row_major_order_is_copied() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let x = placeholder::<f32>(shape![?, ?]);
    let callable = session.callable(&[x], reduce_sum(x, ..))?;
    let copied = |arguments: (Value,)| {
        callable.call_with_options(arguments, &RunOptions::default()).unwrap().stats.bytes_copied
    };
    let array = Array2::<f32>::ones((1000, 100));
    let run = callable.call_with_options((array.clone(),), &RunOptions::default())?;
    assert_eq!((run.stats.bytes_copied, run.output), (0, Value::from(100_000.0_f32)));
    assert_eq!(copied((Value::from(vec![1.0_f32; 6]).reshape([2, 3])?,)), 0);

    let run = |feeds| session.run_with_options(reduce_sum(x, ..), feeds, &RunOptions::default());
    assert_eq!(run(feeds![x => array.clone()])?.stats.bytes_copied, 0);
    let value: Value = tidemill::IntoValue::into_value(array.clone())?;
    assert_eq!(run(feeds![x => &value])?.stats.bytes_copied, 0);
    assert_eq!(run(feeds![x => &array])?.stats.bytes_copied, 400_000);
    assert_eq!(run(feeds![x => arr2(&[[1.0_f32, 2.0]]).t()])?.stats.bytes_copied, 8);
    Ok(())
}

#[test]
fn an_aligned_part_of_a_large_array_is_fed_whole() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let x = placeholder::<f64>([3]);
    let callable = session.callable(&[x], x + 1.0)?;
    let large = Array2::from_shape_fn((4, 3), |(i, j)| (i * 3 + j) as f64);
    let row = callable.call((large.row(2),))?;
    assert_eq!(row, Value::from([7.0, 8.0, 9.0]));
    Ok(())
}
