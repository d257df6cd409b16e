//! Steps that run at once in wide graphs.

mod common;

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::Outcome;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tidemill::custom::{Arg, Fallible, Inferred, KernelCx, KernelError, NodeBuilder, OpDef};
use tidemill::prelude::*;
use tidemill::{Rewriting, RunOptions, Sink};

/// One test at a time uses the compute threads.
fn compute_threads() -> MutexGuard<'static, ()> {
    static THREADS: Mutex<()> = Mutex::new(());
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn session(graph: &Graph, threads: usize, rewriting: Rewriting) -> Session {
    let options = SessionOptions { threads: Some(threads), rewriting, ..SessionOptions::default() };
    Session::with_options(graph, options)
}

/// The number of kernels of `MEET` that are at work, and the most that have been at once.
static AT_WORK: Mutex<(usize, usize)> = Mutex::new((0, 0));
static CHANGED: Condvar = Condvar::new();

/// Returns its input once another node of its type runs at the same time, or after a while.
static MEET: OpDef = OpDef::new("Meet", "Waits for another.")
    .inputs(const { &[Arg::is("x", DType::F32)] })
    .outputs(const { &[Arg::is("y", DType::F32)] })
    .fallible(Fallible::Never)
    .infer(|node| Inferred::one(node.shape(0).clone()))
    .kernel(|_| Ok(Box::new(meet)));

fn meet(cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
    let lock = || AT_WORK.lock().unwrap_or_else(PoisonError::into_inner);
    let mut state = lock();
    state.0 += 1;
    state.1 = state.1.max(state.0);
    CHANGED.notify_all();
    let patience = Duration::from_millis(500);
    let alone = |state: &mut (usize, usize)| state.1 < 2;
    let waited = CHANGED.wait_timeout_while(state, patience, alone);
    waited.unwrap_or_else(PoisonError::into_inner).0.0 -= 1;
    let x = cx.take(0)?;
    cx.set(0, x);
    Ok(())
}

/// The most nodes of type `MEET` that were at work at once, of four that depend only on `x`.
fn met(
    threads: usize,
    size: usize,
    options: RunOptions,
) -> Result<usize, Box<dyn std::error::Error>> {
    let _threads = compute_threads();
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([size]);
    let meet = |i: u8| -> Tensor {
        NodeBuilder::new(&MEET).input(x + f32::from(i)).build().output(0).into()
    };
    let sum = add_n((0..4).map(meet));
    *AT_WORK.lock().unwrap_or_else(PoisonError::into_inner) = (0, 0);
    let session = session(&graph, threads, Rewriting::On);
    let input = Value::full(0.5_f32.into(), [size])?;
    let run = session.run_with_options(sum, feeds![x => &input], &options)?;
    assert_eq!(run.output.as_slice::<f32>()?[0], 8.0);
    let (_, most) = *AT_WORK.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(most)
}

#[test]
fn steps_that_do_not_need_each_other_run_at_once() -> Outcome {
    assert!(met(4, 10_000, RunOptions::default())? >= 2);
    Ok(())
}

#[test]
fn one_thread_runs_them_one_by_one() -> Outcome {
    assert_eq!(met(1, 10_000, RunOptions::default())?, 1);
    Ok(())
}

#[test]
fn steps_of_little_work_run_one_by_one() -> Outcome {
    assert_eq!(met(4, 100, RunOptions::default())?, 1);
    Ok(())
}

#[test]
fn a_traced_run_runs_its_steps_one_by_one() -> Outcome {
    assert_eq!(met(4, 10_000, RunOptions { trace: true, ..RunOptions::default() })?, 1);
    Ok(())
}

/// Tensors of a graph of many branches with some light nodes, and a feed.
fn random_branches(seed: u64) -> (Tensor, Value, Vec<Tensor>) {
    const SIDE: usize = 48;
    let mut rng = StdRng::seed_from_u64(seed);
    let x = match rng.random_bool(0.5) {
        true => placeholder::<f32>([SIDE, SIDE]),
        false => placeholder::<f32>(shape![?, SIDE]),
    };
    let mut tensors = vec![x];
    for _ in 0..60 {
        let mut any = || tensors[rng.random_range(tensors.len().saturating_sub(12)..tensors.len())];
        let (a, b) = (any(), any());
        tensors.push(match rng.random_range(0..7) {
            0 => tanh(a) + b,
            1 => tanh(matmul(a, b) * 0.1),
            2 => a * reduce_mean(b, ..),
            3 => sigmoid(a) - b,
            4 => dropout(a, 0.3, PartialShape::unknown(), Some(7)),
            5 => a + reduce_max(b, 0) * 0.5,
            _ => print(a, [reduce_sum(b, ..)]),
        });
    }
    let elements = (0..SIDE * SIDE).map(|_| rng.random_range(-1.0_f32..1.0));
    let input = Value::from_vec([SIDE, SIDE], elements.collect()).unwrap();
    (x, input, tensors.split_off(50))
}

#[test]
fn neither_bits_nor_prints_tell_what_ran_at_once() -> Outcome {
    let _threads = compute_threads();
    for seed in 0..20 {
        let graph = Graph::new();
        let _default = graph.as_default();
        let (x, input, fetches) = random_branches(seed);
        let run = |threads, rewriting| {
            let (print_to, lines) = Sink::lines();
            let session = Session::with_options(
                &graph,
                SessionOptions {
                    threads: Some(threads),
                    rewriting,
                    print_to,
                    seed: Some(3),
                    ..SessionOptions::default()
                },
            );
            let step = session.callable(&[x], fetches.clone()).unwrap();
            let runs: Vec<Vec<Value>> = (0..3).map(|_| step.call((&input,)).unwrap()).collect();
            (runs, lines.take())
        };
        let expected = run(1, Rewriting::Off);
        for (threads, rewriting) in [(1, Rewriting::On), (2, Rewriting::On), (5, Rewriting::On)] {
            assert_eq!(run(threads, rewriting), expected, "seed {seed}, {threads} threads");
        }
    }
    Ok(())
}

#[test]
fn a_failure_is_reported_in_its_turn() -> Outcome {
    let _threads = compute_threads();
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([128, 128]);
    let row = placeholder::<i32>([64]);
    let first = tanh(x);
    let light = placeholder::<i32>([]);
    let printed = print(reduce_sum(first, ..), [7]);
    let quotient = floor_div(light, light);
    // It can run beside `first`, before the print and the quotient.
    let rows = gather(x, row, 0);
    let all = group([first.op(), printed.op(), quotient.op(), rows.op()]);
    let (print_to, lines) = Sink::lines();
    let options = SessionOptions { threads: Some(2), print_to, ..SessionOptions::default() };
    let session = Session::with_options(&graph, options);
    let (input, out_of_range) =
        (Value::full(0.5_f32.into(), [128, 128])?, Value::full(1000_i32.into(), [64])?);
    let run = |light_value: i32| {
        let feeds = feeds![x => &input, row => &out_of_range, light => light_value];
        let error = session.run_with(all, feeds).unwrap_err();
        (error.to_string(), lines.take())
    };
    let (error, printed_lines) = run(1);
    assert!(error.contains("GatherV2"), "{error}");
    assert_eq!(printed_lines, ["[7]"]);
    let (error, printed_lines) = run(0);
    assert!(error.contains("zero"), "{error}");
    assert_eq!(printed_lines, ["[7]"]);
    Ok(())
}
