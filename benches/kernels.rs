//! What numeric functions cost: `cargo bench --bench kernels`.

use divan::{Bencher, black_box};
use tidemill_kernels::pool::{self, Context};

fn main() {
    divan::main();
}

fn on<R>(threads: usize, compute: impl FnOnce() -> R) -> R {
    pool::with_context(&Context { threads, cancellation: None }, compute)
}

mod fork {
    use super::*;

    /// Two tiles without work.
    #[divan::bench(args = [1, 2])]
    fn empty(bencher: Bencher<'_, '_>, threads: usize) {
        on(threads, || bencher.bench(|| pool::for_each(black_box(2), |_| ())));
    }

    /// Two tiles of about 10 µs each.
    #[divan::bench(args = [1, 2])]
    fn ten_microseconds(bencher: Bencher<'_, '_>, threads: usize) {
        let tile = |_| {
            black_box((0..black_box(10_000_u64)).fold(0, |sum, i| black_box(sum ^ i)));
        };
        on(threads, || bencher.bench(|| pool::for_each(black_box(2), tile)));
    }
}
