//! Rewriting changes no bit of the results.

#![expect(
    clippy::erasing_op,
    clippy::modulo_one,
    reason = "of tensors, these are what a rewrite rule looks for"
)]

use crate::common::{Outcome, in_both_modes};
use tidemill::RunError;
use tidemill::prelude::*;

const SPECIAL: [f32; 9] =
    [0.0, -0.0, 1.0, -1.5, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE, f32::MAX];

#[track_caller]
fn check_same_bits(fetches: &[Tensor], feeds: impl Fn() -> tidemill::Feeds) {
    let [rewritten, plain] = in_both_modes().map(|session| {
        session.init_missing().unwrap();
        session.run_with(fetches, feeds()).unwrap()
    });
    for (i, fetch) in fetches.iter().enumerate() {
        assert!(rewritten[i].bits_eq(&plain[i]), "{fetch}: {} is not {}", rewritten[i], plain[i]);
    }
}

#[test]
fn arithmetic_on_special_numbers_has_the_same_bits() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>(shape![?]);
    let zero = zeros_like(x);
    let fetches = [
        x + 0.0,
        0.0 + x,
        x + -0.0,
        x - 0.0,
        0.0 - x,
        x * 1.0,
        1.0 * x,
        x * 0.0,
        0.0 * x,
        x * -1.0,
        x / 1.0,
        x / -1.0,
        1.0 / x,
        x - x,
        x / x,
        x + zero,
        x * zero,
        -(-x),
        (x + 1.0) - 1.0,
        (x + 1e8) + -1e8,
        1.0 / (1.0 / x),
        pow(x, 1.0),
        pow(x, 2.0),
        pow(x, 0.5),
        pow(x, 0.0),
        square(sqrt(x)),
        log(exp(x)),
        maximum(x, x),
        minimum(x, 0.0),
        abs(abs(x)),
        add_n([x, zero, x]),
    ];
    check_same_bits(&fetches, || feeds![x => SPECIAL]);
}

#[test]
fn integers_wrap_in_the_same_way() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<i32>(shape![?]);
    let fetches = [
        x + i32::MAX,
        x * 65_536 * 65_536,
        x * 0,
        -(-x),
        floor_div(x, 1),
        floor_div(x, -1),
        x % 1,
        x - x,
        constant(i32::MAX) + 1,
    ];
    check_same_bits(&fetches, || feeds![x => [0, 1, -1, i32::MAX, i32::MIN]]);
}

#[test]
fn layouts_have_the_same_bits() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>(shape![3, 3]);
    let fetches = [
        transpose(transpose(x, &[1, 0]), &[1, 0]),
        transpose(x, &[0, 1]),
        reshape(reshape(x, [9]), [3, 3]),
        reshape(transpose(x, &[1, 0]), [9]),
        expand_dims(squeeze(expand_dims(x, 0), &[0]), 2),
        identity(identity(x)),
        cast(cast(x, DType::F64), DType::F32),
        cast(x, DType::F32),
        matmul(transpose(x, &[1, 0]), x),
        concat([x, x], 1),
        broadcast_to(x, [2, 3, 3]),
        reduce_sum(x, ..) + reduce_sum(x, 0),
    ];
    let value = Value::from_vec([3, 3], SPECIAL.to_vec()).unwrap();
    check_same_bits(&fetches, || feeds![x => &value]);
}

#[test]
fn equal_nodes_have_the_same_bits() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>(shape![?]);
    let twice = || exp(x) * 2.0 + constant([1.0_f32]);
    let sum = twice() + twice();
    check_same_bits(&[sum, twice(), twice()], || feeds![x => SPECIAL]);
}

/// The loss of a network of two layers, and the operation that trains it.
fn network(x: Tensor, labels: Tensor) -> (Tensor, Operation) {
    let hidden = {
        let weights = get_variable("w1", [5, 7], glorot_uniform().seed(1));
        relu(matmul(x, weights) + get_variable("b1", [7], zeros()))
    };
    let weights = get_variable("w2", [7, 3], glorot_uniform().seed(2));
    let logits = matmul(hidden, weights) + get_variable("b2", [3], zeros());
    let losses = sparse_softmax_cross_entropy_with_logits(labels, logits);
    let loss = reduce_mean(losses, ..);
    (loss, GradientDescent::new(0.1).minimize(loss))
}

#[test]
fn training_has_the_same_bits() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = random(Distribution::Normal { mean: 0.0, stddev: 1.0 }, [8, 5], DType::F32, Some(3));
    let labels = random_integers([8], 0_i32, 3, Some(4));
    let (loss, train) = network(x, labels);
    let mut losses = Vec::new();
    for session in in_both_modes() {
        session.init_missing()?;
        let mut of_session = Vec::new();
        for _ in 0..20 {
            of_session.push(session.run((loss, train))?.0);
        }
        losses.push((of_session, session.run(graph.variables())?));
    }
    let [(first, variables), (second, others)] = &losses[..] else { panic!("two sessions") };
    assert!(first.iter().zip(second).all(|(l, r)| l.bits_eq(r)), "{first:?} {second:?}");
    assert!(variables.iter().zip(others).all(|(l, r)| l.bits_eq(r)));
    Ok(())
}

#[test]
fn what_fails_without_rewriting_fails_with_it() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let division = floor_div(constant(1), constant(0));
    let check = check_numerics(constant(f32::NAN), "constant");
    let index = gather(constant([1, 2]), constant(2), 0);
    let ignored = division * 0;
    let behind = control_dependencies([division], || constant(1));
    for session in in_both_modes() {
        for fetch in [division, check, index, ignored, behind] {
            assert!(matches!(session.run(fetch), Err(RunError::Kernel(_))), "{fetch}");
        }
    }
}

#[test]
fn what_cannot_be_folded_stands_in_no_ones_way() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let _division = floor_div(constant(1), constant(0));
    let sum = constant(2) + constant(3);
    for session in in_both_modes() {
        assert_eq!(session.run(sum)?.to_string(), "5");
    }
    Ok(())
}

#[test]
fn rewriting_makes_fewer_calls() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([]);
    let y = exp(x) + exp(x) * (constant(2.0_f32) * constant(0.5_f32));
    let [rewritten, plain] = in_both_modes();
    let (few, many) = (rewritten.explain(y, &[x])?, plain.explain(y, &[x])?);
    assert!(few.steps.len() < many.steps.len(), "{few}\n{many}");
    assert!(!few.rewrites.is_empty() && many.rewrites.is_empty());
    Ok(())
}

#[test]
fn an_explanation_reports_each_rule_with_the_lines_it_rewrote() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([2]);
    let first = line!() + 1;
    let ones: Vec<Tensor> = (0..3).map(|_| x * 1.0).collect();
    let y = identity(x * 2.0);
    let session = Session::new();
    let explained = session.explain((ones, y), &[x])?;
    let find = |rule: &str| explained.rules.iter().find(|report| report.rule == rule);
    let product = find("mul-one").ok_or("it was tried")?;
    let lines: Vec<(u32, usize)> = product.lines.iter().map(|(at, n)| (at.line(), *n)).collect();
    assert_eq!((product.count(), lines), (3, vec![(first, 3)]));
    assert_eq!(product.refusals, [("the constant is not neutral", 1)]);
    let passed_on = find("identity").ok_or("it was tried")?;
    assert_eq!((passed_on.count(), passed_on.lines[0].0.line()), (1, first + 1));
    let printed = explained.to_string();
    let expected = format!("mul-one: 3, at tests/running/rewriting.rs:{first}:");
    assert!(printed.contains(&expected) && printed.contains(" (x3)"), "{printed}");
    Ok(())
}

#[test]
fn without_rewriting_there_is_no_report() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let y = constant(2.0_f32) * 1.0;
    let [_, plain] = in_both_modes();
    let explained = plain.explain(y, &[])?;
    assert!(explained.rules.is_empty() && explained.rewrites.is_empty(), "{explained}");
    Ok(())
}

#[test]
fn rewriting_adds_nothing_to_the_graph() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let y = constant(2.0_f32) * constant(0.5_f32) + 0.0;
    let before = graph.to_text();
    Session::new().run(y)?;
    assert_eq!(graph.to_text(), before);
    Ok(())
}
