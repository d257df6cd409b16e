//! Optimizers: what they add to a graph, which variables they change, and when.

use crate::common::{Outcome, all_names, in_both_modes, number};
use tidemill::prelude::*;
use tidemill::{GradientAndVariable, RunError};

/// A variable and a loss that is least at 3.
fn parabola(name: &str) -> (Variable, Tensor) {
    let v = get_variable(name, [], zeros());
    (v, square(v - 3.0))
}

#[test]
fn an_optimizer_is_no_node() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (_, loss) = parabola("v");
    let before = graph.len();
    let optimizer = GradientDescent::new(0.1);
    assert_eq!(graph.len(), before);
    optimizer.minimize(loss);
    assert!(graph.len() > before);
}

#[test]
fn an_optimizer_can_minimize_several_losses() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let ((a, loss_a), (b, loss_b)) = (parabola("a"), parabola("b"));
    let optimizer = GradientDescent::new(0.5);
    let trains = [optimizer.minimize(loss_a), optimizer.minimize(loss_b)];
    let session = Session::new();
    session.init_missing()?;
    session.run(trains[0])?;
    assert_eq!([number(&session, a), number(&session, b)], [3.0, 0.0]);
    session.run(trains[1])?;
    assert_eq!([number(&session, a), number(&session, b)], [3.0, 3.0]);
    Ok(())
}

#[test]
fn a_step_moves_each_variable_against_its_gradient() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = get_variable("a", [2], ones());
    let b = get_variable("b", [], 2.0);
    let loss = reduce_sum(square(a) * b, ..);
    let train = GradientDescent::new(0.25).minimize(loss);
    for session in in_both_modes() {
        session.init_missing()?;
        session.run(train)?;
        // Both gradients are taken at the old values: 2ab = 4 and a² summed = 2.
        assert_eq!(session.run(a)?.to_string(), "[0.0, 0.0]");
        assert_eq!(number(&session, b), 1.5);
    }
    Ok(())
}

#[test]
fn variables_off_the_path_of_the_loss_stay_as_they_are() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (v, loss) = parabola("v");
    let other = get_variable("other", [], ones());
    let _unrelated = other * v;
    let train = GradientDescent::new(0.1).minimize(loss);
    assert!(!all_names(&graph).iter().any(|name| name.contains("update_other")));
    let session = Session::new();
    session.run(v.initializer())?;
    session.run(train)?;
    assert!(session.run(other).is_err(), "the variable is not touched, not even read");
    Ok(())
}

#[test]
fn variables_that_are_not_trainable_stay_as_they_are() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (v, loss) = parabola("v");
    let fixed = variable("fixed", []).initializer(2.0).trainable(false).get();
    let train = GradientDescent::new(0.1).minimize(loss * fixed);
    let session = Session::new();
    session.init_missing()?;
    session.run(train)?;
    assert_eq!(number(&session, fixed), 2.0);
    assert!((number(&session, v) - 1.2).abs() < 1e-6);
    Ok(())
}

#[test]
fn a_variable_without_a_gradient_on_the_path_stays_as_it_is() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (v, loss) = parabola("v");
    let cut = get_variable("cut", [], 2.0);
    let train = GradientDescent::new(0.1).minimize(loss * stop_gradient(cut));
    let session = Session::new();
    session.init_missing()?;
    session.run(train)?;
    assert_eq!(number(&session, cut), 2.0);
    assert!(number(&session, v) > 1.0);
    Ok(())
}

#[test]
fn the_variables_to_change_can_be_given() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let ((a, loss_a), (b, loss_b)) = (parabola("a"), parabola("b"));
    let options = MinimizeOptions { variables: Some(vec![b]), ..MinimizeOptions::default() };
    let train = GradientDescent::new(0.5).minimize_with(loss_a + loss_b, options);
    let session = Session::new();
    session.init_missing()?;
    session.run(train)?;
    assert_eq!([number(&session, a), number(&session, b)], [0.0, 3.0]);
    Ok(())
}

#[test]
fn training_gives_nothing_and_has_no_output() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (_, loss) = parabola("v");
    let train = GradientDescent::new(0.1).minimize(loss);
    assert!(train.outputs().is_empty());
    assert_eq!((train.name().as_str(), train.op_type()), ("GradientDescent", "NoOp"));
    let session = Session::new();
    session.init_missing()?;
    let (): () = session.run(train)?;
    Ok(())
}

#[test]
fn one_run_goes_forward_backward_and_updates() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (v, loss) = parabola("v");
    let train = GradientDescent::new(0.5).minimize(loss);
    for session in in_both_modes() {
        session.init_missing()?;
        let (before, ()) = session.run((loss, train))?;
        assert_eq!(before.to_string(), "9.0");
        assert_eq!([number(&session, v), number(&session, loss)], [3.0, 0.0]);
    }
    Ok(())
}

#[test]
fn a_training_loop_feeds_guesses_compares_and_updates() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let slope = get_variable("slope", [], zeros());
    let (input, target) = (placeholder::<f32>([]), placeholder::<f32>([]));
    let guess = slope * input;
    let loss = square(target - guess);
    let train = GradientDescent::new(0.1).minimize(loss);
    let session = Session::new();
    session.init_missing()?;
    let mut losses = Vec::new();
    for step in 0..100 {
        let x = 1.0 + (step % 3) as f32 / 2.0;
        let feeds = feeds![input => x, target => 0.5 * x];
        losses.push(session.run_with((loss, train), feeds)?.0.to_scalar::<f32>()?);
    }
    assert!(losses[0] > losses[3] && losses[3] > losses[6] && losses[99] < 1e-10);
    assert!((number(&session, slope) - 0.5).abs() < 1e-5);
    Ok(())
}

#[test]
fn gradients_can_be_changed_before_they_are_applied() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (v, loss) = parabola("v");
    let optimizer = GradientDescent::new(1.0);
    let gradients = optimizer.compute_gradients(loss, &MinimizeOptions::default());
    let clip = |gradient: Tensor| maximum(minimum(gradient, 1.0), -1.0);
    let clipped: Vec<GradientAndVariable> =
        gradients.iter().map(|(gradient, variable)| (gradient.map(clip), *variable)).collect();
    let train = optimizer.apply_gradients(&clipped, None);
    let session = Session::new();
    session.init_missing()?;
    assert_eq!(number(&session, gradients[0].0.ok_or("there is a gradient")?), -6.0);
    session.run(train)?;
    assert_eq!(number(&session, v), 1.0);
    Ok(())
}

#[test]
fn minimizing_is_computing_gradients_and_applying_them() -> Outcome {
    let train = |split: bool| -> Result<String, RunError> {
        let graph = Graph::new();
        let _default = graph.as_default();
        let (v, loss) = parabola("v");
        let optimizer = GradientDescent::new(0.1);
        let train = match split {
            true => {
                let gradients = optimizer.compute_gradients(loss, &MinimizeOptions::default());
                optimizer.apply_gradients(&gradients, None)
            }
            false => optimizer.minimize(loss),
        };
        let session = Session::new();
        session.init_missing()?;
        session.run(train)?;
        Ok(format!("{} {:?}", session.run(v)?, all_names(&graph)))
    };
    assert_eq!(train(true)?, train(false)?);
    Ok(())
}

#[test]
fn steps_are_counted_after_the_updates() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (v, loss) = parabola("v");
    let step = get_or_create_global_step();
    assert_eq!(step, get_or_create_global_step());
    assert_eq!((step.dtype(), step.is_trainable()), (Some(DType::I64), false));
    let options = MinimizeOptions { global_step: Some(step), ..MinimizeOptions::default() };
    let train = GradientDescent::new(0.1).minimize_with(loss, options);
    assert_eq!((train.name().as_str(), train.op_type()), ("GradientDescent", "AssignAdd"));
    let update = graph.operation("GradientDescent/update")?;
    assert_eq!(train.control_inputs(), [update]);
    for session in in_both_modes() {
        session.init_missing()?;
        for expected in 0..3_i64 {
            let (before, ()) = session.run((step, train))?;
            assert_eq!(before.to_scalar::<i64>()?, expected);
        }
        assert!(number(&session, v) > 1.0);
    }
    Ok(())
}

#[test]
fn the_learning_rate_can_be_a_tensor() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (v, loss) = parabola("v");
    let rate = placeholder::<f32>([]);
    let train = GradientDescent::new(rate).minimize(loss);
    let session = Session::new();
    session.init_missing()?;
    session.run_with(train, feeds![rate => 0.0])?;
    assert_eq!(number(&session, v), 0.0);
    session.run_with(train, feeds![rate => 0.5])?;
    assert_eq!(number(&session, v), 3.0);
    Ok(())
}

#[test]
fn the_gradient_of_the_loss_can_be_given() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (v, loss) = parabola("v");
    let grad_loss = Some(constant(2.0_f32));
    let options = MinimizeOptions { grad_loss, ..MinimizeOptions::default() };
    let train = GradientDescent::new(0.25).minimize_with(loss, options);
    let session = Session::new();
    session.init_missing()?;
    session.run(train)?;
    assert_eq!(number(&session, v), 3.0);
    Ok(())
}

#[test]
fn an_initializer_made_before_the_optimizer_is_enough() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (v, loss) = parabola("v");
    let init = global_variables_initializer();
    let train = GradientDescent::new(0.5).minimize(loss);
    let session = Session::new();
    session.run(init)?;
    session.run(train)?;
    assert_eq!(number(&session, v), 3.0);
    Ok(())
}

#[test]
fn updates_run_where_another_graph_is_the_default() -> Outcome {
    let graph = Graph::new();
    let (v, loss) = {
        let _default = graph.as_default();
        parabola("v")
    };
    let elsewhere = Graph::new();
    let _default = elsewhere.as_default();
    let train = GradientDescent::new(0.5).minimize(loss);
    assert_eq!(train.graph(), Some(graph.clone()));
    let session = Session::with_graph(&graph);
    session.init_missing()?;
    session.run(train)?;
    assert_eq!(number(&session, v), 3.0);
    assert!(elsewhere.is_empty());
    Ok(())
}
