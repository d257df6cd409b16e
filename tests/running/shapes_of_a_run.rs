//! Facts known only in a run: shapes, rates, which case holds; and what users of TensorFlow also
//! expect of runs.

use std::collections::{BTreeMap, HashMap};

use crate::common::Outcome;
use tidemill::prelude::*;
use tidemill::{Lines, TextMessage, import_graph_def, proto::GraphDef};

fn warned_session() -> (Session, Lines) {
    let (sink, lines) = Sink::lines();
    let options = SessionOptions { warn_to: sink, ..SessionOptions::default() };
    (Session::with_options(&default_graph(), options), lines)
}

#[test]
fn noise_has_the_shape_of_a_batch_that_only_a_run_knows() -> Outcome {
    let _graph = Graph::new().as_default();
    let x = placeholder::<f32>(shape![?, 784]);
    let noised = x + random_normal(shape(x), 0.0, 0.1, DType::F32, Some(1));
    assert_eq!(noised.shape(), shape![?, 784]);
    let session = Session::new();
    for rows in [0, 1, 3] {
        let batch = Value::zeros(DType::F32, [rows, 784])?;
        let noised = session.run_with(noised, feeds![x => batch])?;
        assert_eq!(noised.shape(), &[rows, 784].into());
        assert!(noised.as_slice::<f32>()?.iter().all(|x| *x != 0.0 && x.abs() < 1.0));
    }
    Ok(())
}

#[test]
fn fill_and_random_tensors_take_their_shape_from_a_tensor() -> Outcome {
    let _graph = Graph::new().as_default();
    let extents = placeholder::<i32>([2]);
    let filled = fill(extents, 7_i64);
    let dice = random_integers(extents, 1, 7, Some(1));
    let uniform = random_uniform(extents, 0.0, 1.0, DType::F64, Some(1));
    let session = Session::new();
    let (filled_value, dice_value, uniform_value) =
        session.run_with((filled, dice, uniform), feeds![extents => [2, 3]])?;
    assert_eq!(filled_value, [[7_i64; 3]; 2].into_value()?);
    assert!(dice_value.as_slice::<i32>()?.iter().all(|n| (1..7).contains(n)));
    assert_eq!((dice_value.shape(), uniform_value.shape()), (&[2, 3].into(), &[2, 3].into()));
    for tensor in [filled, dice, uniform] {
        let error = session.run_with(tensor, feeds![extents => [2, -3]]).unwrap_err();
        assert!(error.to_string().contains("-3 is not a valid extent"), "{error}");
    }
    Ok(())
}

#[test]
fn a_known_shape_makes_the_same_nodes_and_numbers_as_ever() -> Outcome {
    let _graph = Graph::new().as_default();
    let known = random_uniform([2, 3], 0.0, 1.0, DType::F32, Some(5));
    let given = random_uniform(constant([2, 3]), 0.0, 1.0, DType::F32, Some(5));
    assert_eq!(known.name(), "random_uniform:0");
    assert_eq!(known.op().inputs()[0].name(), "random_uniform/mul:0");
    assert_eq!(given.shape(), [2, 3].into());
    let [known, given] = Session::new().run([known, given])?;
    assert_eq!(known, given);
    Ok(())
}

#[test]
fn dropout_takes_a_rate_that_only_training_feeds() -> Outcome {
    let _graph = Graph::new().as_default();
    let x = constant(vec![1.0_f32; 1000]);
    let rate = placeholder_with_default(0.0_f32, []);
    let dropped = dropout(x, rate, PartialShape::unknown(), Some(1));
    let session = Session::new();
    assert_eq!(session.run(dropped)?, session.run(x)?);
    let trained = session.run_with(dropped, feeds![rate => 0.75])?;
    let kept = trained.as_slice::<f32>()?.iter().filter(|x| **x != 0.0).count();
    assert!((200..300).contains(&kept), "{kept}");
    assert!(trained.as_slice::<f32>()?.iter().all(|x| *x == 0.0 || *x == 4.0));
    let error = session.run_with(dropped, feeds![rate => 1.0]).unwrap_err().to_string();
    assert!(error.contains("at least 0 and below 1"), "{error}");
    Ok(())
}

#[test]
fn exclusive_cases_fail_the_run_in_which_two_are_true() -> Outcome {
    let _graph = Graph::new().as_default();
    let x = placeholder::<i32>([]);
    let cases: Vec<(Tensor, Box<dyn FnOnce() -> Tensor>)> = vec![
        (less(x, 0), Box::new(|| constant(-1))),
        (greater(x, 0), Box::new(|| constant(1))),
        (equal(x, 7), Box::new(|| constant(7))),
    ];
    let sign = case_exclusive(cases, || constant(0));
    let session = Session::new();
    for (given, expected) in [(-5, -1), (0, 0), (5, 1)] {
        assert_eq!(session.run_with(sign, feeds![x => given])?, Value::from(expected));
    }
    let error = session.run_with(sign, feeds![x => 7]).unwrap_err().to_string();
    assert!(error.contains("more than one case is true"), "{error}");
    Ok(())
}

#[test]
fn maps_of_tensors_go_through_loops_and_branches() -> Outcome {
    let _graph = Graph::new().as_default();
    let state = BTreeMap::from([("count", constant(0)), ("product", constant(1))]);
    let last = while_loop(
        state,
        |state| less(state["count"], 4),
        |state| {
            let count = state["count"] + 1;
            BTreeMap::from([("count", count), ("product", state["product"] * count)])
        },
    );
    let values = Session::new().run(last)?;
    assert_eq!((&values["count"], &values["product"]), (&Value::from(4), &Value::from(24)));
    let by_name = |i: i32| HashMap::from([("a", constant(i)), ("b", constant(10 * i))]);
    let taken = cond(constant(false), || by_name(1), || by_name(2));
    let values = Session::new().run(taken)?;
    assert_eq!((&values["a"], &values["b"]), (&Value::from(2), &Value::from(20)));
    Ok(())
}

#[test]
fn gradients_of_what_is_unconnected_are_zeros_where_asked_for() -> Outcome {
    let _graph = Graph::new().as_default();
    let (x, other) = (placeholder::<f32>(shape![?]), placeholder::<f64>(shape![?, 2]));
    let (weights, handle) = (get_variable("w", [2], ones()), variable("h", [3]).resource(true));
    let handle = handle.initializer(ones()).get();
    let xs = || -> [tidemill::custom::TensorRef; 4] {
        [x.into(), other.into(), weights.into(), handle.into()]
    };
    let y = reduce_sum(square(x), ..);
    let grads = gradients_with([y], xs(), GradientOptions::default());
    assert!(grads[0].is_some() && grads[1..].iter().all(Option::is_none));
    let unconnected_gradients = UnconnectedGradients::Zero;
    let options = GradientOptions { unconnected_gradients, ..GradientOptions::default() };
    let grads: Vec<Tensor> = gradients_with([y], xs(), options).into_iter().flatten().collect();
    assert_eq!(grads.len(), 4);
    let session = Session::new();
    session.init_missing()?;
    let given = feeds![x => [3.0_f32], other => [[1.0, 2.0], [3.0, 4.0]]];
    let values = session.run_with(grads, given)?;
    assert_eq!(values[0], Value::from([6.0_f32]));
    assert_eq!(values[1], Value::zeros(DType::F64, [2, 2])?);
    assert_eq!(values[2], Value::from([0.0_f32, 0.0]));
    assert_eq!(values[3], Value::from([0.0_f32, 0.0, 0.0]));
    Ok(())
}

#[test]
fn an_operation_that_nobody_could_tell_of_is_computed_where_asked_for() -> Outcome {
    let _graph = Graph::new().as_default();
    let x = placeholder::<f32>([64]);
    let sum = (x + 1.0).op();
    let both = group([(x * 2.0).op(), (x * 3.0).op()]);
    let session = Session::new();
    let steps = |operation: Operation, force_targets: bool| {
        let options = RunOptions { trace: true, force_targets, ..RunOptions::default() };
        let given = feeds![x => vec![1.0_f32; 64]];
        let run = session.run_with_options((operation, x), given, &options)?;
        assert_eq!(run.output.1.shape(), &[64].into());
        let trace = run.trace.ok_or("no trace")?;
        Ok::<_, Box<dyn std::error::Error>>(trace.steps.len())
    };
    assert_eq!((steps(sum, false)?, steps(sum, true)?), (0, 1));
    assert_eq!((steps(both, false)?, steps(both, true)?), (0, 2));
    Ok(())
}

/// A counter variable in a function of a TensorFlow 2 model.
const COUNTER: &str = r#"
node { name: "count" op: "VarHandleOp"
  attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "shape" value { shape {} } }
  attr { key: "shared_name" value { s: "count" } } }
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
node { name: "call/sum" op: "AddV2" input: "x" input: "x" attr { key: "T" value { type: DT_FLOAT } } }
node { name: "call/AssignVariableOp" op: "AssignVariableOp" input: "count" input: "call/sum"
  attr { key: "dtype" value { type: DT_FLOAT } } }
"#;

#[test]
fn a_model_that_assigns_its_state_is_not_warned_of_initializing_it_again() -> Outcome {
    let _graph = Graph::new().as_default();
    let imported = import_graph_def(GraphDef::from_text(COUNTER)?)?;
    let (session, lines) = warned_session();
    let graph = default_graph();
    let (x, count) = (graph.tensor("x:0")?, graph.operation("call/AssignVariableOp")?);
    for _ in 0..3 {
        session.run_with(count, feeds![x => 1.0])?;
    }
    assert_eq!(lines.take(), Vec::<String>::new());
    assert_eq!(graph.variables().len(), 1);
    drop(imported);
    Ok(())
}
