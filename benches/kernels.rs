//! The cost of numeric functions: `cargo bench --bench kernels`.

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

mod elements {
    use tidemill_kernels::elementwise::{AnyBinary, AnyUnary, add, exp, log, sigmoid, tanh};
    use tidemill_value::DType;

    use super::*;

    const COUNT: usize = 100_000;

    fn unary(bencher: Bencher<'_, '_>, f: fn(DType) -> Option<AnyUnary>) {
        let Some(AnyUnary::F32(f)) = f(DType::F32) else { return };
        let input: Vec<f32> = (0..COUNT).map(|i| i as f32 / 6250.0 - 8.0).collect();
        let mut out = vec![0.0; COUNT];
        bencher.counter(COUNT).bench_local(|| f.slice(black_box(&input), &mut out));
    }

    #[divan::bench]
    fn exponential(bencher: Bencher<'_, '_>) {
        unary(bencher, exp);
    }

    #[divan::bench]
    fn hyperbolic_tangent(bencher: Bencher<'_, '_>) {
        unary(bencher, tanh);
    }

    #[divan::bench]
    fn logistic(bencher: Bencher<'_, '_>) {
        unary(bencher, sigmoid);
    }

    #[divan::bench]
    fn logarithm(bencher: Bencher<'_, '_>) {
        unary(bencher, log);
    }

    #[divan::bench(args = [1, 2])]
    fn sum(bencher: Bencher<'_, '_>, threads: usize) {
        let Some(AnyBinary::F32(f)) = add(DType::F32) else { return };
        let input: Vec<f32> = (0..COUNT).map(|i| i as f32).collect();
        let mut out = vec![0.0; COUNT];
        let bencher = bencher.counter(COUNT);
        on(threads, || bencher.bench_local(|| f.pairs(black_box(&input), &input, &mut out)));
    }
}

mod matrices {
    use tidemill_kernels::matmul::Orientation::Normal;
    use tidemill_kernels::matmul::matmul;
    use tidemill_kernels::softmax::softmax;
    use tidemill_value::{DType, Memory, Value};

    use super::*;

    const SHAPES: [[usize; 3]; 7] = [
        [1, 64, 64],
        [1, 784, 256],
        [16, 16, 16],
        [32, 64, 64],
        [64, 784, 256],
        [128, 128, 128],
        [512, 512, 512],
    ];

    fn product(bencher: Bencher<'_, '_>, [rows, inner, columns]: [usize; 3], threads: usize) {
        let left = Value::full(0.5_f32.into(), [rows, inner]).unwrap();
        let right = Value::full(0.5_f32.into(), [inner, columns]).unwrap();
        // As in a run, a product takes the memory of the one before.
        let memory = Memory::new();
        on(threads, || {
            bencher.bench_local(|| {
                let product = matmul(&memory, (black_box(&left), Normal), (&right, Normal));
                memory.recycle(product.unwrap());
            });
        });
    }

    #[divan::bench(args = SHAPES)]
    fn product_on_one_thread(bencher: Bencher<'_, '_>, shape: [usize; 3]) {
        product(bencher, shape, 1);
    }

    #[divan::bench(args = SHAPES)]
    fn product_on_two_threads(bencher: Bencher<'_, '_>, shape: [usize; 3]) {
        product(bencher, shape, 2);
    }

    #[divan::bench(args = [1, 2])]
    fn softmax_of_256_rows_of_1000(bencher: Bencher<'_, '_>, threads: usize) {
        let mut logits = Value::zeros(DType::F32, [256, 1000]).unwrap();
        let memory = Memory::new();
        on(threads, || {
            bencher.bench_local(|| {
                logits =
                    softmax(&memory, std::mem::replace(&mut logits, Value::from(0.0_f32))).unwrap();
            });
        });
    }
}
