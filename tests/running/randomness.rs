//! Random numbers: what they depend on, and what they do not.

use crate::common::{Outcome, in_both_modes};
use tidemill::prelude::*;

fn uniform_of(seed: Option<i64>) -> Tensor {
    random(Distribution::Uniform { min: 0.0, max: 1.0 }, [4], DType::F32, seed)
}

fn seeded_session(seed: u64) -> Session {
    let options = SessionOptions { seed: Some(seed), ..SessionOptions::default() };
    Session::with_options(&default_graph(), options)
}

#[test]
fn with_a_graph_seed_two_sessions_draw_the_same_numbers() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    graph.set_random_seed(7);
    let (a, b) = (uniform_of(None), uniform_of(None));
    let (first, second) = (Session::new(), Session::new());
    for _ in 0..3 {
        assert_eq!(first.run([a, b])?, second.run([a, b])?);
    }
    let [a, b] = first.run([a, b])?;
    assert_ne!(a, b, "the seeds of operations differ");
    Ok(())
}

#[test]
fn with_a_graph_seed_the_same_program_draws_the_same_numbers() -> Outcome {
    let draw = |seed| -> Result<Value, RunError> {
        let graph = Graph::new();
        let _default = graph.as_default();
        graph.set_random_seed(seed);
        Session::new().run(uniform_of(None))
    };
    assert_eq!(draw(7)?, draw(7)?);
    assert_ne!(draw(7)?, draw(8)?);
    Ok(())
}

#[test]
fn every_run_draws_other_numbers() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    for x in [uniform_of(None), uniform_of(Some(3))] {
        for session in in_both_modes() {
            let drawn = [session.run(x)?, session.run(x)?, session.run(x)?];
            assert!(drawn[0] != drawn[1] && drawn[1] != drawn[2] && drawn[0] != drawn[2]);
        }
    }
    Ok(())
}

#[test]
fn the_numbers_of_a_run_depend_on_how_often_the_operation_ran() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (a, b) = (uniform_of(Some(1)), uniform_of(Some(2)));
    let (first, second) = (Session::new(), Session::new());
    let drawn = [first.run(a)?, first.run(a)?];
    second.run(b)?;
    second.run(constant(1))?;
    assert_eq!([second.run(a)?, second.run((b, a))?.1], drawn);
    Ok(())
}

#[test]
fn an_operation_with_a_seed_does_not_depend_on_the_rest_of_the_graph() -> Outcome {
    let draw = |others: usize| -> Result<Value, RunError> {
        let graph = Graph::new();
        let _default = graph.as_default();
        let _others: Vec<Tensor> = (0..others).map(|_| constant(0)).collect();
        Session::new().run(uniform_of(Some(3)))
    };
    assert_eq!(draw(0)?, draw(10)?);
    Ok(())
}

#[test]
fn operations_of_different_seeds_draw_different_numbers() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let same = (uniform_of(Some(3)), uniform_of(Some(3)));
    let session = Session::new();
    let (a, b) = session.run(same)?;
    assert_eq!(a, b);
    let (a, b) = session.run((uniform_of(Some(3)), uniform_of(Some(4))))?;
    assert_ne!(a, b);
    Ok(())
}

#[test]
fn without_seeds_sessions_draw_different_numbers() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (a, b) = (uniform_of(None), uniform_of(None));
    let (first, second) = (Session::new(), Session::new());
    assert_ne!(first.seed(), second.seed());
    assert_ne!(first.run(a)?, second.run(a)?);
    let [a, b] = first.run([a, b])?;
    assert_ne!(a, b);
    Ok(())
}

#[test]
fn the_seed_of_a_session_reproduces_its_numbers() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = uniform_of(None);
    let first = Session::new();
    let again = seeded_session(first.seed());
    assert_eq!(again.seed(), first.seed());
    for _ in 0..3 {
        assert_eq!(first.run(x)?, again.run(x)?);
    }
    Ok(())
}

#[test]
fn a_random_tensor_is_drawn_once_in_a_run() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = uniform_of(None);
    for session in in_both_modes() {
        let (x, doubled, negative) = session.run((x, x * 2.0, -x))?;
        let x = x.as_slice::<f32>()?;
        assert!(doubled.as_slice::<f32>()?.iter().zip(x).all(|(y, x)| *y == 2.0 * x));
        assert!(negative.as_slice::<f32>()?.iter().zip(x).all(|(y, x)| *y == -x));
    }
    Ok(())
}

#[test]
fn a_fed_random_tensor_draws_nothing() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = random_integers([], 0_i64, 1_000_000, Some(5));
    let [fed, plain] = in_both_modes();
    fed.run_with(x + 1, feeds![x => 3])?;
    assert_eq!(fed.run(x)?, plain.run(x)?);
    Ok(())
}

#[test]
fn rewriting_changes_no_random_number() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (a, b) = (uniform_of(None), uniform_of(None));
    let unused = uniform_of(None) * 0.0;
    let sum = control_dependencies([unused], || a * 1.0 + b + a);
    let [rewritten, plain] = in_both_modes();
    for _ in 0..3 {
        assert!(rewritten.run(sum)?.bits_eq(&plain.run(sum)?));
    }
    Ok(())
}

#[test]
fn random_initial_values_differ_from_variable_to_variable() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let start = || normal(0.0, 1.0);
    let (a, b) = (get_variable("a", [4], start()), get_variable("b", [4], start()));
    let seeded =
        [("c", 5), ("d", 5)].map(|(name, seed)| get_variable(name, [4], start().seed(seed)));
    let session = Session::new();
    session.init_missing()?;
    let (a, b, [c, d]) = session.run((a, b, seeded))?;
    assert_ne!(a, b);
    assert_eq!(c, d);
    Ok(())
}

#[test]
fn distributions_have_their_bounds() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let draw = |distribution| random(distribution, [1000], DType::F64, Some(1));
    let uniform = draw(Distribution::Uniform { min: -2.0, max: 3.0 });
    let truncated = draw(Distribution::TruncatedNormal { mean: 1.0, stddev: 0.5 });
    let integers = random_integers([1000], -3_i32, 3, Some(1));
    let (uniform, truncated, integers) = Session::new().run((uniform, truncated, integers))?;
    assert!(uniform.as_slice::<f64>()?.iter().all(|x| (-2.0..3.0).contains(x)));
    assert!(truncated.as_slice::<f64>()?.iter().all(|x| (0.0..=2.0).contains(x)));
    let integers = integers.as_slice::<i32>()?;
    assert!((-3..3).all(|i| integers.contains(&i)) && integers.iter().all(|i| (-3..3).contains(i)));
    Ok(())
}
