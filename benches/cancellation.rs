//! The time from cancelling a run to its end: `cargo bench --bench cancellation`.

use std::thread;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tidemill::prelude::*;
use tidemill::{Cancellation, RunOptions};

const TRIALS: usize = 101;

fn main() {
    report("100,000 steps on 1,024 numbers", many_small_steps(1024));
    report("100,000 steps on single numbers", many_small_steps(1));
    report("product of 2048 × 2048 by 2048 × 2048", product_of(2048));
}

/// The times of runs that are not cancelled, and of runs from their cancellation to their end, both
/// ascending.
struct Times {
    whole: Vec<Duration>,
    late: Vec<Duration>,
}

fn report(case: &str, Times { whole, late }: Times) {
    let [whole, median] = [&whole, &late].map(|times| times[times.len() / 2]);
    let p90 = late[late.len() * 9 / 10];
    let most = late[late.len() - 1];
    println!(
        "{case}: {whole:.1?} in all; cancelled, {median:.1?} median, {p90:.1?} in nine of ten, {most:.1?} at most"
    );
}

fn many_small_steps(size: usize) -> Times {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = if size == 1 { placeholder::<f32>([]) } else { placeholder::<f32>([size]) };
    let y = (0..100_000).fold(x, |y, _| tanh(y));
    let shape = if size == 1 { vec![] } else { vec![size] };
    cancel(y, x, &Value::full(0.5_f32.into(), shape).unwrap())
}

fn product_of(side: usize) -> Times {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([side, side]);
    cancel(matmul(x, x), x, &Value::full(0.5_f32.into(), [side, side]).unwrap())
}

/// Cancels runs of `fetch` at random moments.
fn cancel(fetch: Tensor, x: Tensor, input: &Value) -> Times {
    let session = Session::new();
    let run = |cancellation: Option<Cancellation>| {
        let options = RunOptions { cancellation, ..RunOptions::default() };
        let result = session.run_with_options(fetch, feeds![x => input], &options);
        (Instant::now(), result.is_err())
    };
    let mut whole: Vec<Duration> =
        (0..5).map(|_| Instant::now()).map(|start| run(None).0 - start).collect();
    whole.sort_unstable();
    let mut rng = StdRng::seed_from_u64(1);
    let mut late = Vec::new();
    while late.len() < TRIALS {
        let cancellation = Cancellation::new();
        let delay = whole[0].mul_f64(rng.random_range(0.1..0.9));
        let (asked, (ended, failed)) = thread::scope(|scope| {
            let run = scope.spawn(|| run(Some(cancellation.clone())));
            thread::sleep(delay);
            let asked = Instant::now();
            cancellation.cancel();
            (asked, run.join().unwrap())
        });
        if failed {
            late.push(ended - asked);
        }
    }
    late.sort_unstable();
    Times { whole, late }
}
