//! Inspecting values during a run: print, assert, check_numerics.

use crate::common::{Outcome, number, printing_session};
use tidemill::prelude::*;
use tidemill::{Code, RunError};

#[test]
fn print_gives_its_first_argument() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (two, three) = (constant(2), constant(3));
    let (session, lines) = printing_session();
    assert_eq!(session.run(print(two + three, [two, three]))?.to_string(), "5");
    assert_eq!(lines.take(), ["[2][3]"]);
    Ok(())
}

#[test]
fn print_prints_only_if_it_is_on_the_path() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(2);
    let printing = print(x, [x]);
    let (session, lines) = printing_session();
    session.run((x, x + 1))?;
    assert!(lines.take().is_empty());
    session.run(printing + 1)?;
    assert_eq!(lines.take(), ["[2]"]);
    Ok(())
}

#[test]
fn building_a_print_prints_nothing() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (_session, lines) = printing_session();
    print(constant(2), ["built"]);
    assert!(lines.take().is_empty());
}

#[test]
fn print_runs_in_every_run_that_needs_it() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([]);
    let y = print(x, [x]) * 2.0;
    let (session, lines) = printing_session();
    for i in 0..3 {
        session.run_with(y, feeds![x => i])?;
    }
    assert_eq!(lines.take(), ["[0]", "[1]", "[2]"]);
    Ok(())
}

#[test]
fn a_message_a_limit_of_elements_and_one_of_runs_can_be_given() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant([1.5_f32, 2.0, 3.0, 4.0, 5.0]);
    let options = PrintOptions { message: "x = ", summarize: 2, first_n: Some(2) };
    let printing = print_with(x, [x], options);
    let few = print(x, [x]);
    let all = print_with(x, [x], PrintOptions { summarize: -1, ..PrintOptions::default() });
    let (session, lines) = printing_session();
    for _ in 0..4 {
        session.run(printing)?;
    }
    assert_eq!(lines.take(), ["x = [1.5 2...]"; 2]);
    session.run((all, few))?;
    assert_eq!(lines.take(), ["[1.5 2 3...]", "[1.5 2 3 4 5]"]);
    Ok(())
}

#[test]
fn values_of_all_types_are_printed() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let items = [constant(true), constant("text"), constant(1.0_f32), constant([[1, 2], [3, 4]])];
    let (session, lines) = printing_session();
    session.run(print(0, items))?;
    assert_eq!(lines.take(), ["[1][text][1][[1 2][3...]...]"]);
    Ok(())
}

#[test]
fn what_takes_a_tensor_after_print_on_prints() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(2);
    let before = x + 1;
    let printing = print_on(x, [x]);
    let after = x + 1;
    let (session, lines) = printing_session();
    session.run((x, before))?;
    assert!(lines.take().is_empty());
    assert_eq!(session.run(after)?.to_string(), "3");
    assert_eq!(lines.take(), ["[2]"]);
    session.run((after * x, after, printing))?;
    assert_eq!(lines.take(), ["[2]"]);
    Ok(())
}

#[test]
fn a_tensor_that_was_printed_on_is_fetched_and_fed_as_before() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(2);
    print_on(x, ["printed"]);
    let y = x + 1;
    let (session, lines) = printing_session();
    assert_eq!(session.run_with(x, feeds![x => 5])?.to_string(), "5");
    assert!(lines.take().is_empty());
    assert_eq!(session.run_with(y, feeds![x => 5])?.to_string(), "6");
    assert_eq!(lines.take(), ["printed"].map(|text| format!("[{text}]")));
    Ok(())
}

#[test]
fn several_prints_on_one_tensor_print_in_their_order() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(2);
    let first = print_on(x, ["first"]);
    print_on(x, ["second"]);
    print_on(first, ["third"]);
    let (session, lines) = printing_session();
    session.run(x + 1)?;
    assert_eq!(lines.take(), ["[first]", "[second]"]);
    session.run(first + 1)?;
    assert_eq!(lines.take(), ["[first]", "[third]"]);
    Ok(())
}

#[test]
fn a_variable_that_was_printed_on_prints_where_it_is_read_and_is_written_as_before() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], zeros());
    print_on(v, [v]);
    let (read, write) = (v + 1.0, assign(v, 3.0_f32));
    let (session, lines) = printing_session();
    session.run(global_variables_initializer())?;
    session.run(write)?;
    assert!(lines.take().is_empty());
    assert_eq!(session.run(read)?.to_string(), "4.0");
    assert_eq!(lines.take(), ["[3]"]);
    Ok(())
}

#[test]
fn gradients_of_what_was_built_before_print_on_do_not_print() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(3.0_f32);
    let before = square(x);
    print_on(x, ["printed"]);
    let after = square(x);
    let gradient = |y| gradients([y], [x])[0].ok_or("there is a gradient");
    let (old, new) = (gradient(before)?, gradient(after)?);
    let (session, lines) = printing_session();
    assert_eq!(number(&session, old), 6.0);
    assert!(lines.take().is_empty());
    assert_eq!(number(&session, new), 6.0);
    assert_eq!(lines.take(), ["[printed]"]);
    Ok(())
}

#[test]
fn print_on_hides_nothing_from_shape_inference() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let extents = constant([2, 3]);
    print_on(extents, [extents]);
    assert_eq!(reshape(placeholder::<f32>(shape![?]), extents).shape(), shape![2, 3]);
}

#[test]
fn feeding_a_print_bypasses_it() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let printing = print(constant(2), ["printed"]);
    let (session, lines) = printing_session();
    assert_eq!(session.run_with(printing + 1, feeds![printing => 5])?.to_string(), "6");
    assert!(lines.take().is_empty());
    Ok(())
}

#[test]
fn a_print_tied_in_by_a_control_dependency_prints() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(2);
    let printing = print(x, [x]);
    let tied = control_dependencies([printing], || identity(x));
    let (session, lines) = printing_session();
    assert_eq!(session.run(tied)?.to_string(), "2");
    assert_eq!(lines.take(), ["[2]"]);
    Ok(())
}

#[test]
fn a_gradient_passes_through_print() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(3.0_f32);
    let y = square(print(x, ["forward"]));
    let gradient = gradients([y], [x])[0].ok_or("there is a gradient")?;
    let (session, lines) = printing_session();
    assert_eq!(number(&session, gradient), 6.0);
    assert_eq!(lines.take(), ["[forward]"]);
    Ok(())
}

#[test]
fn sessions_print_to_sinks_of_their_own() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let printing = print(constant(2), ["printed"]);
    let ((first, first_lines), (_second, second_lines)) = (printing_session(), printing_session());
    first.run(printing)?;
    assert_eq!((first_lines.take().len(), second_lines.take().len()), (1, 0));
    Ok(())
}

#[test]
fn values_are_seen_by_fetching_them() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([]);
    let hidden = x * 2.0;
    let output = hidden + 1.0;
    let (seen, value) = Session::new().run_with((hidden, output), feeds![x => 3.0])?;
    assert_eq!([seen.to_string(), value.to_string()], ["6.0", "7.0"]);
    Ok(())
}

#[test]
fn an_assertion_runs_only_if_it_is_tied_in() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([]);
    let positive = tidemill::ops::assert(greater(x, 0.0), [x]);
    let loose = x * 2.0;
    let tied = control_dependencies([positive], || x * 2.0);
    let session = Session::new();
    assert_eq!(session.run_with(loose, feeds![x => -1.0])?.to_string(), "-2.0");
    let error = session.run_with(tied, feeds![x => -1.0]).unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(matches!(error, RunError::Kernel(_)));
    assert_eq!(session.run_with(tied, feeds![x => 1.0])?.to_string(), "2.0");
    assert!(session.run_with(positive, feeds![x => -1.0]).is_err());
    Ok(())
}

#[test]
fn prints_and_assertions_on_no_path_are_remarked_upon() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(1.0_f32);
    let used = print(x, [x]);
    print(used, [x]).named("idle_print");
    tidemill::ops::assert(greater(x, 0.0), [x]).named("idle_assert");
    let remarks: Vec<String> = graph.lint().into_iter().map(|lint| lint.name).collect();
    assert_eq!(remarks, ["idle_print", "idle_assert"]);
}

#[test]
fn numbers_that_are_not_finite_are_found_where_they_arise() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>(shape![?]);
    let checked = check_numerics(1.0 / x, "the quotient");
    let session = Session::new();
    assert_eq!(session.run_with(checked, feeds![x => [2.0_f32, 4.0]])?.to_string(), "[0.5, 0.25]");
    let error = session.run_with(checked * 2.0, feeds![x => [1.0_f32, 0.0]]).unwrap_err();
    assert!(error.to_string().starts_with("the quotient : Tensor had Inf values"), "{error}");
    Ok(())
}
