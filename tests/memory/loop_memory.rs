//! The memory that loops allocate.

use crate::{MEMORY, Outcome};
use tidemill::prelude::*;

pub(crate) fn an_iteration_asks_for_no_memory_and_memory_does_not_grow() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let options = SessionOptions { threads: Some(1), ..SessionOptions::default() };
    let session = Session::with_options(&graph, options);
    let limit = placeholder::<i64>([]);
    let count = while_loop(constant(0_i64), |i| less(i, limit), |i| i + 1);
    let x = placeholder::<f32>([64, 32]);
    let (_, decayed) = while_loop(
        (constant(0_i64), x),
        |(i, _)| less(i, limit),
        |(i, x)| (i + 1, tanh(x * 0.9 + 0.1)),
    );
    let collatz = while_loop(
        (constant(0_i64), constant(27_i64)),
        |(i, _)| less(i, limit),
        |(i, x)| (i + 1, cond(equal(floor_mod(x, 2), 0), || floor_div(x, 2), || x * 3 + 1)),
    );
    let count = session.callable(&[limit], count)?;
    let decay = session.callable(&[limit, x], reduce_sum(decayed, ..))?;
    let collatz = session.callable(&[limit], collatz.1)?;
    let input = Value::full(0.25_f32.into(), [64, 32])?;
    type Run<'a> = (&'a str, &'a dyn Fn(i64), i64);
    let runs: [Run<'_>; 3] = [
        ("numbers", &|n| drop(count.call((n,)).unwrap()), 1_000_000),
        ("arrays", &|n| drop(decay.call((n, &input)).unwrap()), 1_000),
        ("branches", &|n| drop(collatz.call((n,)).unwrap()), 10_000),
    ];
    for (what, run, iterations) in runs {
        (0..3).for_each(|_| run(10));
        let (few, ()) = MEMORY.calls_in(|| run(10));
        let before = MEMORY.in_use();
        let (peak, (many, ())) = MEMORY.peak_in(|| MEMORY.calls_in(|| run(iterations)));
        assert_eq!(many, few, "{what}: {iterations} iterations ask for memory");
        assert!(peak - before < 64 * 1024, "{what}: {} bytes", peak - before);
    }
    Ok(())
}
