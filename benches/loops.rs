//! The cost of loops: `cargo bench --bench loops`.

use divan::{Bencher, black_box};
use rnn::{LstmCell, dynamic_rnn, static_rnn};
use tidemill::prelude::*;

const BATCH: usize = 32;
const STEPS: usize = 50;
const INPUTS: usize = 64;
const UNITS: usize = 128;

fn main() {
    divan::main();
}

fn session(threads: usize) -> Session {
    let options = SessionOptions { threads: Some(threads), ..SessionOptions::default() };
    Session::with_options(&default_graph(), options)
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn counting_to_a_million(bencher: Bencher<'_, '_>) {
    let _default = Graph::new().as_default();
    let limit = placeholder::<i64>([]);
    let count = while_loop(constant(0_i64), |i| less(i, limit), |i| i + 1);
    let count = session(1).callable(&[limit], count).unwrap();
    bencher.bench(|| count.call((black_box(1_000_000_i64),)).unwrap());
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Loop,
    Unrolled,
}

/// The input, the outputs and, if `backward` is set, the gradients of a sum of squares.
fn lstm(form: Form, backward: bool) -> (Tensor, Vec<Tensor>) {
    let x = placeholder::<f32>([BATCH, STEPS, INPUTS]);
    let cell = LstmCell::new(UNITS);
    let outputs = match form {
        Form::Loop => dynamic_rnn(&cell, x).0,
        Form::Unrolled => stack(static_rnn(&cell, unstack(x, 1), None).0, 1),
    };
    if !backward {
        return (x, vec![outputs]);
    }
    let variables = default_graph().trainable_variables();
    let gradients = gradients([reduce_sum(square(outputs), ..)], variables);
    (x, gradients.into_iter().flatten().collect())
}

fn bench_lstm(bencher: Bencher<'_, '_>, form: Form, threads: usize, backward: bool) {
    let _default = Graph::new().as_default();
    let (x, fetches) = lstm(form, backward);
    let session = session(threads);
    session.init_missing().unwrap();
    let run = session.callable(&[x], fetches).unwrap();
    let input = Value::full(0.1_f32.into(), [BATCH, STEPS, INPUTS]).unwrap();
    bencher.bench(|| run.call((black_box(&input),)).unwrap());
}

#[divan::bench(args = [Form::Loop, Form::Unrolled], consts = [1, 2], sample_count = 30)]
fn lstm_forward<const THREADS: usize>(bencher: Bencher<'_, '_>, form: Form) {
    bench_lstm(bencher, form, THREADS, false);
}

#[divan::bench(args = [Form::Loop, Form::Unrolled], consts = [1, 2], sample_count = 30)]
fn lstm_forward_and_backward<const THREADS: usize>(bencher: Bencher<'_, '_>, form: Form) {
    bench_lstm(bencher, form, THREADS, true);
}
