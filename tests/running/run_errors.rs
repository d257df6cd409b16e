//! The errors of failed runs. Lines are counted from the line of `base`.

use std::sync::Arc;

use crate::common::{Outcome, error_of, relative};
use tidemill::prelude::*;
use tidemill::{Code, Operand};

#[test]
fn a_placeholder_that_was_not_fed() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = placeholder::<f32>(shape![?, 3]).named("x");
    let loss = reduce_mean(square(x * 2.0 - 1.0), ..).named("loss");
    let error = error_of(&Session::new(), loss);
    insta::assert_snapshot!(relative(error, file!(), base), @"
    placeholder `x`, float32[?, 3], was not fed
      --> +1:13
      the fetch `loss` (+2:16) needs it:
         loss ← Square ← sub ← mul ← x
      help: feed it, as in session.run_with(loss, feeds![x => ..])
    ");
}

#[test]
fn two_placeholders_that_were_not_fed() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = placeholder::<f32>([]).named("x");
    let y = placeholder::<i32>([]).named("y");
    let sum = x + cast(y, DType::F32);
    let error = error_of(&Session::new(), (x, sum));
    insta::assert_snapshot!(relative(error, file!(), base), @"
    placeholder `x`, float32[], was not fed
      --> +1:13
      the fetch `x` (+1:13) needs it
      help: feed it, as in session.run_with(x, feeds![x => ..])
    placeholder `y`, int32[], was not fed
      --> +2:13
      the fetch `add` (+3:15) needs it:
         add ← Cast ← y
      help: feed it, as in session.run_with(add, feeds![y => ..])
    ");
}

#[test]
fn a_placeholder_behind_a_control_dependency() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = placeholder::<f32>([]).named("x");
    let positive = tidemill::ops::assert(greater(x, 0.0), [x]).named("positive");
    let answer = control_dependencies([positive], || constant(42)).named("answer");
    let error = error_of(&Session::new(), answer);
    insta::assert_snapshot!(relative(error, file!(), base), @"
    placeholder `x`, float32[], was not fed
      --> +1:13
      the fetch `answer` (+3:54) needs it:
         answer ← positive ← x
      help: feed it, as in session.run_with(answer, feeds![x => ..])
    ");
}

#[test]
fn a_variable_that_nothing_initializes() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let count = get_variable("count", [], zeros());
    let error = error_of(&Session::new(), count + 1.0);
    assert_eq!(error.code(), Code::FailedPrecondition);
    insta::assert_snapshot!(relative(error, file!(), base), @"
    variable `count`, float32[], has no value in this session
      --> +1:17
      the fetch `add` (+2:43) needs it:
         add ← count/read ← count
      help: run global_variables_initializer(), made after all variables, or call session.init_missing()
    ");
}

#[test]
fn a_variable_whose_initializer_did_not_run() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let count = get_variable("count", [], zeros());
    global_variables_initializer();
    let error = error_of(&Session::new(), assign_add(count, 1.0));
    insta::assert_snapshot!(relative(error, file!(), base), @"
    variable `count`, float32[], has no value in this session
      --> +1:17
      the fetch `AssignAdd` (+3:43) needs it:
         AssignAdd ← count
      help: run `init` (+2:5) first
    ");
}

#[test]
fn a_variable_made_after_the_initializer() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let early = get_variable("early", [], zeros());
    let init = global_variables_initializer();
    let late = get_variable("late", [2], zeros());
    let session = Session::new();
    session.run(init).unwrap();
    let error = error_of(&session, early + late);
    insta::assert_snapshot!(relative(error, file!(), base), @"
    variable `late`, float32[2], has no value in this session
      --> +3:16
      the fetch `add` (+6:36) needs it:
         add ← late/read ← late
      `init` (+2:16) was made before `late`, and leaves it out
      help: make the initializer after all variables, or call session.init_missing()
    ");
}

#[test]
fn several_variables_without_a_value() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let a = get_variable("a", [], zeros());
    let b = get_variable("b", [], zeros());
    let error = error_of(&Session::new(), a * b);
    insta::assert_snapshot!(relative(error, file!(), base), @"
    variable `a`, float32[], has no value in this session
      --> +1:13
      the fetch `mul` (+3:43) needs it:
         mul ← a/read ← a
      help: run global_variables_initializer(), made after all variables, or call session.init_missing()
    variable `b`, float32[], has no value in this session
      --> +2:13
      the fetch `mul` (+3:43) needs it:
         mul ← b/read ← b
      help: run global_variables_initializer(), made after all variables, or call session.init_missing()
    ");
}

#[test]
fn a_fetch_that_could_not_be_built() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = constant([1.0_f32, 2.0]).named("x");
    let sum = x + constant([1.0_f32, 2.0, 3.0]);
    let loss = reduce_mean(square(sum), ..).named("loss");
    let session = Session::new();
    insta::assert_snapshot!(relative(error_of(&session, loss), file!(), base), @"
    shapes [2] and [3] do not broadcast: counted from the last, axis -1 is 2 on the left and 3 on the right, and neither is 1
      --> +2:15 (in `add`)
      input `x`: `x`, float32[2] (+1:13)
      input `y`: `Const`, float32[3] (+2:19)
      `loss` could not be built because it depends on this call: loss ← Square ← add
    ");
    insta::assert_snapshot!(relative(error_of(&session, sum), file!(), base), @"
    shapes [2] and [3] do not broadcast: counted from the last, axis -1 is 2 on the left and 3 on the right, and neither is 1
      --> +2:15 (in `add`)
      input `x`: `x`, float32[2] (+1:13)
      input `y`: `Const`, float32[3] (+2:19)
    ");
}

#[test]
fn a_fetch_that_could_not_be_built_for_two_reasons() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = constant([1.0_f32, 2.0]).named("x");
    let first = x + constant([1.0_f32, 2.0, 3.0]);
    let second = matmul(x, x);
    let _unrelated = x + constant(1);
    let both = first * second;
    let error = error_of(&Session::new(), both);
    assert_eq!(error.code(), Code::InvalidArgument);
    insta::assert_snapshot!(relative(error, file!(), base), @"
    shapes [2] and [3] do not broadcast: counted from the last, axis -1 is 2 on the left and 3 on the right, and neither is 1
      --> +2:17 (in `add`)
      input `x`: `x`, float32[2] (+1:13)
      input `y`: `Const`, float32[3] (+2:21)
    `a` must have 2 axes, but its shape is [2]
      --> +3:18 (in `MatMul`)
      input `a`: `x`, float32[2] (+1:13)
      input `b`: `x`, float32[2] (+1:13)
      `mul` could not be built because it depends on this call: mul ← add
    ");
}

#[test]
fn a_tensor_of_another_graph() {
    let base = line!();
    let (graph, other) = (Graph::new(), Graph::new());
    let x = {
        let _default = other.as_default();
        constant(1).named("x")
    };
    let _default = graph.as_default();
    let y = placeholder::<i32>([]);
    let session = Session::new();
    insta::assert_snapshot!(relative(error_of(&session, x), file!(), base), @"
    `x` is in graph #, but the session runs graph #
      --> +4:9
      help: make a session for its graph, as in Session::with_graph(&graph)
    ");
    let error = session.run_with(y, feeds![x => 1, y => 1]).unwrap_err();
    insta::assert_snapshot!(relative(error, file!(), base), @"
    `x` is in graph #, but the session runs graph #
      --> +4:9
      help: make a session for its graph, as in Session::with_graph(&graph)
    ");
}

#[test]
fn a_tensor_of_a_graph_that_was_dropped() {
    let x = {
        let graph = Graph::new();
        let _default = graph.as_default();
        constant(1)
    };
    let graph = Graph::new();
    let _default = graph.as_default();
    constant(1);
    insta::assert_snapshot!(relative(error_of(&Session::new(), x), file!(), 0), @"the graph of this handle is gone: it was dropped");
}

#[test]
fn a_name_that_nothing_has() {
    let graph = Graph::new();
    let _default = graph.as_default();
    constant(1).named("accuracy");
    let session = Session::new();
    let error = error_of(&session, "acuracy:0");
    assert_eq!(error.code(), Code::NotFound);
    insta::assert_snapshot!(error, @"there is no operation `acuracy`; did you mean `accuracy`?");
    insta::assert_snapshot!(error_of(&session, "zzz"), @"there is no operation `zzz`");
    insta::assert_snapshot!(error_of(&session, "accuracy:1"), @"`accuracy` has no output 1: it has 1");
    insta::assert_snapshot!(session.run_with("accuracy", feeds!["precision" => 1]).unwrap_err(), @"
    there is no tensor `precision` to feed
      the graph has no placeholders
    ");
    insta::assert_snapshot!(Inspect::variable(&graph, "accuracy").unwrap_err(), @"`accuracy` is not a variable, but of type Const");
}

#[test]
fn an_output_that_is_not_there() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let missing = constant(1).op().output(3);
    insta::assert_snapshot!(error_of(&Session::new(), missing), @"`Const` has no output 3: it has 1");
}

#[test]
fn a_division_by_zero() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = placeholder::<i32>(shape![?]).named("x");
    let quotient = floor_div(constant([6, 8]).named("total"), x);
    let error = Session::new().run_with(quotient, feeds![x => [2, 0]]).unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    insta::assert_snapshot!(relative(error, file!(), base), @"
    integer division by zero
      --> +2:20 (in `floordiv`, of type FloorDiv)
      input: `total`, int32[2] (+2:30)
      input: `x`, int32[?] (+1:13)
    ");
}

#[test]
fn shapes_that_are_found_to_differ_in_a_run() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let (x, y) =
        (placeholder::<f32>(shape![?]).named("x"), placeholder::<f32>(shape![?]).named("y"));
    let sum = x + y;
    let feeds = feeds![x => [1.0_f32, 2.0], y => [1.0_f32, 2.0, 3.0]];
    let error = Session::new().run_with(sum, feeds).unwrap_err();
    insta::assert_snapshot!(relative(error, file!(), base), @"
    shapes [2] and [3] do not broadcast: counted from the last, axis -1 is 2 on the left and 3 on the right, and neither is 1
      --> +3:15 (in `add`, of type AddV2)
      input: `x`, float32[?] (+2:10)
      input: `y`, float32[?] (+2:52)
    ");
}

#[test]
fn an_index_out_of_range() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let table = get_variable("table", [3, 2], zeros());
    let row = placeholder::<i32>(shape![?]).named("row");
    let picked = gather(table, row, 0);
    let session = Session::new();
    session.init_missing().unwrap();
    let error = session.run_with(picked, feeds![row => [0, 3]]).unwrap_err();
    insta::assert_snapshot!(relative(error, file!(), base), @"
    index 3 at position 1 is not in [0, 3)
      --> +3:18 (in `GatherV2`, of type GatherV2)
      input: `table/read`, float32[3, 2] (+1:17)
      input: `row`, int32[?] (+2:15)
      input: `GatherV2/axis`, int32[] (+3:18)
    ");
}

#[test]
fn an_assertion_that_does_not_hold() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = constant(-1.0_f32).named("x");
    let data = [constant("x must be positive, but is"), x];
    let positive = tidemill::ops::assert(greater(x, 0.0), data).named("positive");
    let error = error_of(&Session::new(), positive);
    insta::assert_snapshot!(relative(error, file!(), base), @"
    assertion failed: [x must be positive, but is] [-1]
      --> +3:20 (in `positive`, of type Assert)
      input: `Greater`, bool[] (+3:42)
      input: `Const`, string[] (+2:17)
      input: `x`, float32[] (+1:13)
    ");
}

#[test]
fn numbers_that_are_not_finite() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = constant([0.0_f32, 1.0]).named("x");
    let checked = check_numerics(log(x), "the logarithm");
    let error = error_of(&Session::new(), checked);
    insta::assert_snapshot!(relative(error, file!(), base), @"
    the logarithm : Tensor had Inf values
      --> +2:19 (in `CheckNumerics`, of type CheckNumerics)
      input: `Log`, float32[2] (+2:34)
    ");
}

/// A tensor that a function of the host program computes.
#[track_caller]
fn host<F>(function: F) -> Tensor
where
    F: Fn() -> Result<Value, Box<dyn std::error::Error + Send + Sync>> + Send + Sync + 'static,
{
    let output = HostOutput::new::<f32>([2]);
    host_call(Vec::<Operand>::new(), [output], move |_| Ok(vec![function()?]))[0]
}

#[test]
fn a_host_function_that_fails() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let failing = host(|| Err("the file is gone".into()));
    let error = error_of(&Session::new(), failing);
    assert_eq!(error.code(), Code::Unknown);
    insta::assert_snapshot!(relative(error, file!(), base), @"
    the host function failed: the file is gone
      --> +1:19 (in `HostCall`, of type HostCall)
    ");
}

#[test]
fn a_host_function_that_panics() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let panicking = host(|| panic!("the wheel came off"));
    let error = error_of(&Session::new(), panicking);
    insta::assert_snapshot!(relative(error, file!(), base), @"
    the host function failed: it panicked: the wheel came off
      --> +1:21 (in `HostCall`, of type HostCall)
    ");
}

#[test]
fn a_host_function_that_breaks_its_promise() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let surprising = host(|| Ok(Value::from([1, 2, 3])));
    let error = error_of(&Session::new(), surprising);
    insta::assert_snapshot!(relative(error, file!(), base), @"
    the host function returned [int32[3]], but promised [float32[2]]
      --> +1:22 (in `HostCall`, of type HostCall)
    ");
}

#[test]
fn a_session_inside_itself() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let two = constant(2.0_f32);
    let session = Arc::new(Session::new());
    let inner = Arc::downgrade(&session);
    let nested = host(move || Ok(inner.upgrade().ok_or("gone")?.run(two)?));
    insta::assert_snapshot!(relative(error_of(&session, nested), file!(), base), @"
    the host function failed: a run of a session cannot run the same session
      --> +4:18 (in `HostCall`, of type HostCall)
    ");
}

#[test]
fn no_default_session() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let error = constant(1).eval(feeds![]).unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    insta::assert_snapshot!(error, @"there is no default session: call `Session::as_default` and keep what it returns");
    insta::assert_snapshot!(no_op().run(feeds![]).unwrap_err(), @"there is no default session: call `Session::as_default` and keep what it returns");
}

#[test]
fn a_closed_session() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let session = Session::new();
    session.close();
    insta::assert_snapshot!(error_of(&session, constant(1)), @"the session is closed");
}

#[test]
fn an_empty_graph() {
    let (graph, other) = (Graph::new(), Graph::new());
    let _default = other.as_default();
    let base = line!();
    let x = constant(1);
    let session = Session::with_graph(&graph);
    insta::assert_snapshot!(relative(error_of(&session, x), file!(), base), @"
    `Const` is in graph #, but the session runs graph #, which is empty
      --> +1:13
      help: make a session for its graph, as in Session::with_graph(&graph)
    ");
    insta::assert_snapshot!(error_of(&session, "x"), @"the graph of the session is empty: add operations to it before running them");
}

#[test]
fn an_error_of_a_node_made_by_a_gradient_shows_the_line_of_its_forward_node() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = constant([0.0_f32, 1.0]).named("x");
    let y = check_numerics(sqrt(x), "the root");
    let gradient = gradients([y], [x])[0].ok_or("there is a gradient")?;
    let session = Session::new();
    session.run(y)?;
    let grad_of_check = graph.operations().into_iter().rfind(|op| op.op_type() == "CheckNumerics");
    let place = grad_of_check.and_then(|op| op.location()).map(|at| at.line() - base);
    assert_eq!(place, Some(2));
    assert_eq!(session.run(gradient)?.to_string(), "[inf, 0.5]");
    Ok(())
}

#[test]
fn an_error_prints_the_same_when_main_returns_it() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let error = error_of(&Session::new(), placeholder::<f32>([]));
    assert_eq!(format!("{error:?}"), error.to_string());
}
