//! The memory traffic of a step of Adam, compared with a copy: `cargo bench --bench training`.

use std::time::{Duration, Instant};

use tidemill::prelude::*;
use tidemill_kernels::pool::{self, Context};

const PARAMETERS: usize = 10_000_000;
const TRIALS: usize = 41;
/// The bytes moved by a copy, which reads and writes, and by a step, which reads the variable, two
/// slots and the gradient, and writes all but the gradient.
const COPIED: usize = 2 * PARAMETERS * 4;
const MOVED: usize = 7 * PARAMETERS * 4;

fn main() {
    for threads in [1, 2] {
        report(threads);
    }
}

/// Alternates steps and copies, so that other load on the machine affects both.
fn report(threads: usize) {
    let graph = Graph::new();
    let _default = graph.as_default();
    let w = get_variable("w", [PARAMETERS], ones());
    let gradient = placeholder::<f32>([PARAMETERS]);
    let train = Adam::new(1e-3).apply_gradients(&[(Some(gradient), w)], None);
    let options = SessionOptions { threads: Some(threads), ..SessionOptions::default() };
    let session = Session::with_options(&graph, options);
    session.run(w.initializer()).unwrap();
    let step = session.callable(&[gradient], train).unwrap();
    let given = Value::full(0.5_f32.into(), [PARAMETERS]).unwrap();
    let (source, mut target) = (vec![1.0_f32; PARAMETERS], vec![0.0_f32; PARAMETERS]);
    let mut copy = || {
        pool::with_context(&Context { threads, cancellation: None }, || {
            const PART: usize = 1 << 15;
            pool::for_each_chunk_mut(&mut target, PART, |i, part| {
                part.copy_from_slice(&source[i * PART..][..part.len()]);
            });
        });
    };
    let mut steps = || step.call((given.clone(),)).unwrap();
    let times: Vec<[Duration; 2]> =
        (0..TRIALS).map(|_| [timed(&mut copy), timed(&mut steps)]).collect();
    let median = |which: usize| {
        let mut times: Vec<Duration> = times.iter().map(|times| times[which]).collect();
        times.sort();
        times[TRIALS / 2]
    };
    let rate = |bytes: usize, time: Duration| bytes as f64 / time.as_secs_f64() / 1e9;
    let (copied, moved) = (rate(COPIED, median(0)), rate(MOVED, median(1)));
    println!(
        "Adam, {PARAMETERS} parameters, threads: {threads}: {:.1?} a step, {moved:.1} GB/s; copy \
         {copied:.1} GB/s; ratio {:.2}",
        median(1),
        moved / copied
    );
}

fn timed(work: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
