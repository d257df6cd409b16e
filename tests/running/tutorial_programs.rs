//! The programs of the tutorial "TensorFlow: The Confusing Parts", part 1, as its readers would
//! write them here, and their output.

use crate::common::{Outcome, all_names, printing_session, relative};
use tidemill::prelude::*;

#[test]
fn program_1_the_graph_is_empty_at_the_start() {
    let graph = Graph::new();
    assert_eq!(graph.operations(), []);
}

#[test]
fn program_2_printing_a_node_shows_what_it_is_and_no_value() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let two_node = constant(2);
    assert_eq!(format!("{two_node}"), r#"Tensor("Const:0", shape=(), dtype=int32)"#);
}

#[test]
fn program_3_every_call_adds_a_node() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let _two_node = constant(2);
    let _another_two_node = constant(2);
    let _two_node = constant(2);
    constant(3);
    assert_eq!(all_names(&graph), ["Const", "Const_1", "Const_2", "Const_3"]);
    let outputs: Vec<Tensor> = graph.operations().iter().map(|op| op.output(0)).collect();
    let values = Session::new().run(outputs)?;
    assert_eq!(
        format!("{values:?}"),
        "[Value(int32[]: 2), Value(int32[]: 2), \
                                        Value(int32[]: 2), Value(int32[]: 3)]"
    );
    Ok(())
}

#[test]
fn program_4_a_handle_is_a_pointer_to_its_node() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let mut two_node = Some(constant(2));
    let another_pointer_at_two_node = two_node;
    let taken = two_node.take();
    assert!(taken.is_some() && two_node.is_none());
    let printed = another_pointer_at_two_node.map(|node| node.to_string());
    assert_eq!(printed.as_deref(), Some(r#"Tensor("Const:0", shape=(), dtype=int32)"#));
    assert_eq!(graph.len(), 1);
}

/// The graph of programs 5 to 7 and 17 to 20.
fn two_and_three() -> [Tensor; 3] {
    let two_node = constant(2);
    let three_node = constant(3);
    [two_node, three_node, two_node + three_node]
}

#[test]
fn program_5_adding_nodes_adds_a_node_and_computes_nothing() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let [two_node, three_node, sum_node] = two_and_three();
    assert_eq!(all_names(&graph), ["Const", "Const_1", "add"]);
    assert_eq!(sum_node.op().op_type(), "AddV2");
    assert_eq!(sum_node.op().inputs(), [two_node, three_node]);
    assert_eq!(sum_node.fact().and_then(|fact| fact.elements), None);
    assert!(!graph.operations().iter().any(|op| op.to_string().contains("int_val: 5")));
}

#[test]
fn program_6_a_session_computes_a_node() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let [_, _, sum_node] = two_and_three();
    let sess = Session::new();
    assert_eq!(format!("{}", sess.run(sum_node)?), "5");
    Ok(())
}

#[test]
fn program_7_a_run_of_a_list_returns_a_list() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let [two_node, _, sum_node] = two_and_three();
    let sess = Session::new();
    let [two, sum] = sess.run([two_node, sum_node])?;
    assert_eq!(format!("[{two}, {sum}]"), "[2, 5]");
    Ok(())
}

#[test]
fn program_8_a_placeholder_must_be_fed() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let input_placeholder = placeholder::<i32>([]);
    let sess = Session::new();
    let error = sess.run(input_placeholder).unwrap_err();
    assert_eq!(error.code(), tidemill::Code::InvalidArgument);
    insta::assert_snapshot!(relative(error, file!(), base), @"
    placeholder `Placeholder`, int32[], was not fed
      --> +1:29
      the fetch `Placeholder` (+1:29) needs it
      help: feed it, as in session.run_with(Placeholder, feeds![Placeholder => ..])
    ");
}

#[test]
fn program_9_a_fed_placeholder_has_the_fed_value() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let input_placeholder = placeholder::<i32>([]);
    let sess = Session::new();
    let value = sess.run_with(input_placeholder, feeds![input_placeholder => 2])?;
    assert_eq!(format!("{value}"), "2");
    Ok(())
}

#[test]
fn program_10_a_placeholder_off_the_path_needs_no_value() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let input_placeholder = placeholder::<i32>([]);
    let three_node = constant(3);
    let sum_node = input_placeholder + three_node;
    let sess = Session::new();
    assert_eq!(format!("{}", sess.run(three_node)?), "3");
    let error = sess.run(sum_node).unwrap_err();
    insta::assert_snapshot!(relative(error, file!(), base), @"
    placeholder `Placeholder`, int32[], was not fed
      --> +1:29
      the fetch `add` (+3:20) needs it:
         add ← Placeholder
      help: feed it, as in session.run_with(add, feeds![Placeholder => ..])
    ");
    Ok(())
}

#[test]
fn program_11_a_new_variable_has_no_value() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let count_variable = variable("count", []).get();
    let sess = Session::new();
    let error = sess.run(count_variable).unwrap_err();
    assert_eq!(error.code(), tidemill::Code::FailedPrecondition);
    insta::assert_snapshot!(relative(error, file!(), base), @"
    variable `count`, float32[], has no value in this session
      --> +1:48
      the fetch `count/read` (+1:48) needs it:
         count/read ← count
      help: run global_variables_initializer(), made after all variables, or call session.init_missing()
    ");
}

#[test]
fn program_12_an_assignment_gives_a_variable_its_value() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let count_variable = variable("count", []).get();
    let zero_node = constant(0.0_f32);
    let assign_node = assign(count_variable, zero_node);
    let sess = Session::new();
    sess.run(assign_node)?;
    assert_eq!(format!("{}", sess.run(count_variable)?), "0.0");
    Ok(())
}

#[test]
fn program_13_an_initializer_alone_gives_no_value() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let const_init_node = constant_initializer(0.0);
    let count_variable = get_variable("count", [], const_init_node);
    let sess = Session::new();
    let error = sess.run([count_variable]).unwrap_err();
    insta::assert_snapshot!(relative(error, file!(), base), @"
    variable `count`, float32[], has no value in this session
      --> +2:26
      the fetch `count/read` (+2:26) needs it:
         count/read ← count
      help: run global_variables_initializer(), made after all variables, or call session.init_missing()
    ");
}

#[test]
fn program_14_running_the_initializer_gives_the_value() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let const_init_node = constant_initializer(0.0);
    let count_variable = get_variable("count", [], const_init_node);
    let init = global_variables_initializer();
    let sess = Session::new();
    sess.run(init)?;
    assert_eq!(format!("{}", sess.run(count_variable)?), "0.0");
    Ok(())
}

/// Numbers from 0 to 1 that leave no gap: the multiples of the golden ratio, modulo 1.
fn evenly_spread(step: u32) -> f32 {
    ((f64::from(step) * 0.618_033_988_749_894_9) % 1.0) as f32
}

#[test]
fn program_15_gradient_descent_finds_the_line() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let m = get_variable("m", [], constant_initializer(0.0));
    let b = get_variable("b", [], constant_initializer(0.0));
    let init = global_variables_initializer();

    let input_placeholder = placeholder::<f32>([]);
    let output_placeholder = placeholder::<f32>([]);

    let x = input_placeholder;
    let y = output_placeholder;
    let y_guess = m * x + b;
    let loss = square(y - y_guess);

    let optimizer = GradientDescent::new(0.3);
    let train_op = optimizer.minimize(loss);

    let sess = Session::new();
    sess.run(init)?;
    let (true_m, true_b) = (0.3519_f32, 0.3242_f32);
    let mut losses = Vec::new();
    for update in 0..2000 {
        let input_data = evenly_spread(update);
        let output_data = true_m * input_data + true_b;
        let feeds = feeds![input_placeholder => input_data, output_placeholder => output_data];
        let (loss, ()) = sess.run_with((loss, train_op), feeds)?;
        losses.push(loss.to_scalar::<f32>()?);
    }
    // The variables start at zero, so the first loss, taken before any update, is known.
    assert_eq!(losses[0], true_b * true_b);
    assert!(losses[1999] < 1e-8, "the last loss is {}", losses[1999]);
    let (m, b): (f32, f32) = sess.run((m, b))?.into_scalars()?;
    assert_eq!(format!("m={m:.4}, b={b:.4}"), "m=0.3519, b=0.3242");
    Ok(())
}

#[test]
fn program_16_an_optimizer_adds_nodes_only_when_it_minimizes() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let loss = square(get_variable("m", [], zeros()) - 1.0);
    let before = graph.len();
    let optimizer = GradientDescent::new(1e-3);
    assert_eq!(graph.len(), before);
    optimizer.minimize(loss);
    assert!(graph.len() > before);
}

#[test]
fn program_17_a_run_shows_only_what_is_fetched() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let [_, _, sum_node] = two_and_three();
    let (sess, lines) = printing_session();
    assert_eq!(format!("{}", sess.run(sum_node)?), "5");
    assert!(lines.take().is_empty());
    Ok(())
}

#[test]
fn program_18_intermediate_values_are_fetched_beside_the_answer() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let [two_node, three_node, sum_node] = two_and_three();
    let sess = Session::new();
    let (answer, inspection) = sess.run((sum_node, [two_node, three_node]))?;
    assert_eq!(format!("[{}, {}]", inspection[0], inspection[1]), "[2, 3]");
    assert_eq!(format!("{answer}"), "5");
    Ok(())
}

#[test]
fn program_19_a_print_node_prints_when_it_runs() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let [two_node, three_node, sum_node] = two_and_three();
    let print_sum_node = print(sum_node, [two_node, three_node]);
    let (sess, lines) = printing_session();
    assert_eq!(format!("{}", sess.run(print_sum_node)?), "5");
    assert_eq!(lines.take(), ["[2][3]"]);
    Ok(())
}

#[test]
fn program_20_a_print_node_off_the_path_prints_nothing() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let [two_node, three_node, sum_node] = two_and_three();
    let _print_two_node = print(two_node, [two_node, three_node, sum_node]);
    let (sess, lines) = printing_session();
    assert_eq!(format!("{}", sess.run(sum_node)?), "5");
    assert!(lines.take().is_empty());
    Ok(())
}
