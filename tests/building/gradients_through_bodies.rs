//! Gradients into, out of and inside branches, loops and maps.

use crate::common::{Outcome, in_both_modes, printing_session, relative};
use tidemill::custom::TensorRef;
use tidemill::prelude::*;
use tidemill::{Feeds, GradientOptions, gradients_with};

fn own_graph() -> tidemill::DefaultGraph {
    Graph::new().as_default()
}

fn gradient(y: Tensor, x: impl Into<TensorRef>) -> Option<Tensor> {
    gradients([y], [x]).pop().flatten()
}

#[track_caller]
fn check(fetched: Tensor, feeds: impl Fn() -> Feeds, expected: &str) {
    for session in in_both_modes() {
        session.init_missing().unwrap();
        assert_eq!(session.run_with(fetched, feeds()).unwrap().to_string(), expected);
    }
}

#[track_caller]
fn gives(fetched: Tensor, expected: &str) {
    check(fetched, || feeds![], expected);
}

#[test]
fn a_constant_used_in_a_branch_has_a_gradient() {
    let _graph = own_graph();
    let x = constant(3.0_f32);
    let y = x * cond(constant(true), || x * 1.0, || x * 2.0);
    gives(gradient(y, x).unwrap(), "6.0");
}

#[test]
fn a_constant_used_in_a_map_has_a_gradient() {
    let _graph = own_graph();
    let p = constant(2.0_f32);
    let c = constant([1.0_f32, 2.0, 3.0]);
    let y = map_fn(c, |e| e * p);
    gives(gradient(y, p).unwrap(), "6.0");
    gives(gradient(y, c).unwrap(), "[2.0, 2.0, 2.0]");
}

#[test]
fn a_constant_used_in_a_loop_within_a_branch_has_a_gradient() {
    let _graph = own_graph();
    let p = constant(2.0_f32);
    let y = cond(
        constant(true),
        || {
            while_loop(
                (constant(0), constant(1.0_f32)),
                |(i, _)| less(i, 3),
                |(i, y)| (i + 1, y * p),
            )
            .1
        },
        || p,
    );
    let first = gradient(y, p).unwrap();
    gives(first, "12.0");
    gives(gradient(first, p).unwrap(), "12.0");
}

#[test]
fn the_value_of_an_outer_constant_is_known_inside() {
    let _graph = own_graph();
    let (axes, extents) = (constant([0]), constant([3, 2]));
    let x = placeholder::<f32>([2, 3]);
    let y =
        cond(constant(true), || reduce_sum(reshape(x, extents), axes), || constant([0.0_f32; 2]));
    assert_eq!(y.shape().to_string(), "[2]");
}

#[test]
fn a_float_constant_taken_by_a_body_is_folded_there() -> Outcome {
    let _graph = own_graph();
    let p = constant(2.0_f32);
    let y = while_loop(
        (constant(0), constant(1.0_f32)),
        |(i, _)| less(i, 3),
        |(i, y)| (i + 1, y + exp(p * 3.0)),
    )
    .1;
    let session = Session::new();
    let explained = session.explain(y, &[])?.to_string();
    assert!(explained.contains("constant folding"), "{explained}");
    Ok(())
}

#[test]
fn a_gradient_inside_of_a_body_by_a_variable_outside_is_that_by_its_value() {
    for resource in [false, true] {
        let _graph = own_graph();
        let u = variable("u", [2]).initializer(constant([1.0_f32, 2.0])).resource(resource).get();
        let c = placeholder::<bool>([]);
        let g = cond(c, || gradient(reduce_sum(square(u.read()), ..), u).unwrap(), || u.read());
        check(g, || feeds![c => true], "[2.0, 4.0]");
    }
}

#[test]
fn a_gradient_inside_of_a_body_goes_through_what_was_computed_outside() {
    let _graph = own_graph();
    let u = get_variable("u", [2], constant([1.0_f32, 2.0]));
    let x = placeholder::<f32>([2]);
    let w = u * 3.0 + x;
    let total = map_fn(constant([1.0_f32, 2.0]), |e| {
        let y = reduce_sum(square(w) * e + u, ..);
        reduce_sum(gradient(y, u).unwrap(), ..) + 0.0 * reduce_sum(gradient(y, x).unwrap(), ..)
    });
    // d/du Σ ((3u + x)² e + u) = 6 (3u + x) e + 1
    check(total, || feeds![x => [1.0_f32, 0.0]], "[62.0, 122.0]");
}

#[test]
fn a_gradient_two_bodies_deep_goes_through_a_loop_outside_of_both() {
    let _graph = own_graph();
    let u = get_variable("u", [], constant(2.0_f32));
    let power =
        while_loop((constant(0), constant(1.0_f32)), |(i, _)| less(i, 3), |(i, y)| (i + 1, y * u))
            .1;
    let chosen = cond(greater(power, 0.0), || power * 2.0, || power);
    let g = cond(
        constant(true),
        || map_fn(constant([1.0_f32, 3.0]), |e| gradient(chosen * e, u).unwrap()),
        || constant([0.0_f32; 2]),
    );
    gives(g, "[24.0, 72.0]");
}

#[test]
fn a_gradient_inside_of_a_body_of_a_tensor_outside_is_built_inside() {
    let _graph = own_graph();
    let x = placeholder::<f32>([]);
    let y = x * x;
    let g = cond(constant(true), || gradient(y, x).unwrap(), || x);
    check(g, || feeds![x => 3.0], "6.0");
}

#[test]
fn minimizing_inside_of_a_body_changes_variables_outside() -> Outcome {
    for listed in [false, true] {
        let _graph = own_graph();
        let u = get_variable("u", [2], constant([1.0_f32, 2.0]));
        let other = get_variable("other", [], constant(7.0_f32));
        let c = placeholder::<bool>([]);
        let loss = cond(
            c,
            || {
                let loss = reduce_sum(square(u), ..);
                let options = match listed {
                    true => MinimizeOptions::default().var_list([u]),
                    false => MinimizeOptions::default(),
                };
                let step = GradientDescent::new(0.25).minimize_with(loss, options);
                control_dependencies([step], || identity(loss))
            },
            || constant(0.0_f32),
        );
        for session in in_both_modes() {
            session.init_missing()?;
            assert_eq!(session.run_with(loss, feeds![c => true])?.to_string(), "5.0");
            assert_eq!(session.run_with(loss, feeds![c => false])?.to_string(), "0.0");
            let (u, other) = session.run((u, other))?;
            assert_eq!((u.to_string(), other.to_string()), ("[0.5, 1.0]".into(), "7.0".into()));
        }
    }
    Ok(())
}

#[test]
fn minimizing_with_slots_inside_of_a_loop_takes_a_step_in_each_iteration() -> Outcome {
    let _graph = own_graph();
    let u = get_variable("u", [], constant(1.0_f32));
    let losses = while_loop(
        (constant(0), constant(0.0_f32)),
        |(i, _)| less(i, 3),
        |(i, _)| {
            let loss = square(u);
            let step = Momentum::new(0.1, 0.5).minimize(loss);
            control_dependencies([step], || (i + 1, identity(loss)))
        },
    );
    for session in in_both_modes() {
        session.init_missing()?;
        session.run(losses.1)?;
        let mut expected = (1.0_f32, 0.0_f32);
        for _ in 0..3 {
            expected.1 = 0.5 * expected.1 + 2.0 * expected.0;
            expected.0 -= 0.1 * expected.1;
        }
        let u: f32 = session.run(u)?.try_into()?;
        assert!((u - expected.0).abs() < 1e-6, "{u} is not {}", expected.0);
    }
    Ok(())
}

#[test]
fn a_gradient_of_what_is_inside_of_a_body_names_the_body() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = placeholder::<f32>([]).named("x");
    let mut inside = None;
    let _ = while_loop(x, |x| less(x, 3.0), |x| *inside.insert((x * 2.0).named("doubled")));
    let _ = gradients([inside.unwrap()], [x]);
    let _ = gradients([x * x], [inside.unwrap()]);
    insta::assert_snapshot!(relative(graph.check().unwrap_err(), file!(), base), @"
    `doubled` is inside the `body` of the loop `while` (+3:13), and has a value only there: take what comes out of it, `while:0`
      --> +4:13 (in `gradients`)
      `x` was made here (+1:13)
      `doubled` was made here (+3:64)
    `doubled` is inside the `body` of the loop `while` (+3:13), and has a value only there: take what comes out of it, `while:0`
      --> +5:13 (in `gradients`)
      `mul` was made here (+5:24)
      `doubled` was made here (+3:64)
    ");
}

#[test]
fn a_loop_gives_zeros_for_a_state_that_is_stopped() {
    let _graph = own_graph();
    let (a, b, p) = (placeholder::<f32>([]), placeholder::<f32>([]), placeholder::<f32>([2]));
    let (_, y, z) = while_loop(
        (constant(0), a, b),
        |(i, _, _)| less(i, 2),
        |(i, y, z)| (i + 1, y * 2.0, stop_gradient(z * reduce_sum(stop_gradient(p), ..))),
    );
    let of = |x: Tensor| gradient(y + z, x).unwrap();
    let feeds = || feeds![a => 1.0, b => 1.0, p => [1.0_f32, 1.0]];
    check(of(a), feeds, "4.0");
    check(of(b), feeds, "0.0");
    check(of(p), feeds, "[0.0, 0.0]");
}

#[test]
fn branches_that_all_stop_give_none_and_one_that_does_gives_zeros() {
    let _graph = own_graph();
    let (x, c) = (placeholder::<f32>([]), placeholder::<bool>([]));
    let stopped = cond(c, || stop_gradient(x), || stop_gradient(x * 2.0));
    assert!(gradient(stopped, x).is_none());
    let half = gradient(cond(c, || stop_gradient(x), || x * 2.0), x).unwrap();
    check(half, || feeds![x => 1.0, c => true], "0.0");
    check(half, || feeds![x => 1.0, c => false], "2.0");
}

#[test]
fn stopping_at_a_tensor_keeps_the_gradient_by_it() {
    let _graph = own_graph();
    let a = placeholder::<f32>([]);
    let b = a * 3.0;
    let y = a * b;
    let options = || GradientOptions { stop_gradients: vec![b], ..Default::default() };
    let grads = gradients_with([y], [a, b], options());
    let feeds = || feeds![a => 2.0];
    check(grads[0].unwrap(), feeds, "6.0");
    check(grads[1].unwrap(), feeds, "2.0");
    let options = GradientOptions { stop_gradients: vec![a], ..Default::default() };
    check(gradients_with([y], [a], options)[0].unwrap(), feeds, "12.0");
}

#[test]
fn a_gradient_does_not_run_a_print_for_a_shape_that_is_known() -> Outcome {
    let _graph = own_graph();
    let x = placeholder::<f32>([2, 3]);
    let printed = print(x, [x]);
    let y = reshape(printed, [6]) * 2.0 + constant([0.0_f32]);
    let by_mean = gradient(reduce_mean(y, ..), x).unwrap();
    let by_itself = gradient(printed, x).unwrap();
    let padded = gradient(reduce_sum(concat([y, y], 0), 0), x).unwrap();
    let (session, lines) = printing_session();
    session.run_with((by_mean, by_itself, padded), feeds![x => [[0.0_f32; 3]; 2]])?;
    assert_eq!(lines.take(), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_list_of_booleans_that_two_gradients_take_has_none() {
    let _graph = own_graph();
    let (x, c) = (placeholder::<f32>([]), placeholder::<bool>([]));
    let y = while_loop(
        (constant(0), x),
        |(i, _)| less(i, 3),
        |(i, y)| (i + 1, cond(less(y, 5.0), || y * x, || y + x)),
    )
    .1;
    let first = gradient(y, x).unwrap();
    let second = gradient(first + gradient(y * y, x).unwrap(), x).unwrap();
    // y = x⁴, as long as the value before it is below 5: x³ < 5.
    check(second, || feeds![x => 1.0, c => true], "68.0");
}
