//! Results are the same bits on any number of threads.

use proptest::prelude::*;
use tidemill_kernels::elementwise::*;
use tidemill_kernels::layout::{self, gather, transpose};
use tidemill_kernels::matmul::Orientation::{self, Normal, Transposed};
use tidemill_kernels::matmul::{batch_matmul, matmul};
use tidemill_kernels::pool::{self, Cancellation, Context};
use tidemill_kernels::reduce::{arg_max, max, mean, prod, sum};
use tidemill_kernels::softmax::*;
use tidemill_kernels::training::{Rule, apply};
use tidemill_value::{DType, Memory, Value};

use crate::support::*;

fn on<R>(threads: usize, compute: impl FnOnce() -> R) -> R {
    pool::with_context(&Context { threads, cancellation: None }, compute)
}

/// Computes on up to four threads and compares the bits.
fn same_on_any(compute: impl Fn() -> Value) {
    let alone = compute();
    for threads in 1..=4 {
        assert!(on(threads, &compute).bits_eq(&alone), "{threads} threads");
    }
}

fn noise(shape: &[usize], seed: usize) -> Value {
    filled(shape, |i| {
        let bits = (i + seed * 1_000_003).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        bits as f32 / 4_194_304.0 - 2.0
    })
}

/// Extents on both sides of the limits at which work is divided.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        1_usize..100,
        32_700_usize..32_800,
        65_500_usize..65_600,
        Just(1 << 17),
        100_000_usize..110_000,
    ]
}

/// Rows and columns of matrices, flat and tall.
fn matrix() -> impl Strategy<Value = [usize; 2]> {
    (length(), 1_usize..12, any::<bool>())
        .prop_map(|(long, short, tall)| if tall { [long, short] } else { [short, long] })
}

fn orientation() -> impl Strategy<Value = Orientation> {
    prop_oneof![Just(Normal), Just(Transposed)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn elements_are_computed_alike(length in length(), seed in 0_usize..100) {
        let (x, y) = (noise(&[length], seed), noise(&[length], seed + 1));
        same_on_any(|| unary(exp, x.clone()));
        same_on_any(|| unary(tanh, x.clone()));
        same_on_any(|| binary(mul, x.clone(), y.clone()));
        same_on_any(|| binary(div, 2.5_f32, y.clone()));
        same_on_any(|| binary(sub, x.clone(), 2.5_f32));
        same_on_any(|| compare(less, x.clone(), y.clone()));
        same_on_any(|| cast(&Memory::new(), &x, DType::I16).unwrap());
        same_on_any(|| {
            let mut states = [x.clone(), y.clone(), x.clone()];
            let numbers = [0.9, 0.99, 0.1, 0.9, 0.99, 0.01].map(|number: f32| Value::from(number));
            let rule = Rule::Adam { nesterov: false };
            apply(rule, &mut states, &numbers.each_ref(), &y).unwrap();
            let [variable, ..] = states;
            let mut variable = variable.into_vec::<f32>().unwrap();
            let Some(AnyUnary::F32(f)) = tanh(DType::F32) else { panic!("of float32") };
            f.in_place(&mut variable);
            let Some(AnyBinary::F32(f)) = sub(DType::F32) else { panic!("of float32") };
            f.in_place(Side::Right, &mut variable, y.as_slice().unwrap()).unwrap();
            f.in_place(Side::Left, &mut variable, &[0.3]).unwrap();
            Value::list(variable)
        });
    }

    #[test]
    fn broadcast_operands_are_computed_alike([rows, columns] in matrix(), seed in 0_usize..100) {
        let (row, column) = (noise(&[columns], seed), noise(&[rows, 1], seed + 1));
        same_on_any(|| binary(add, row.clone(), column.clone()));
        let table = noise(&[rows, columns], seed + 2);
        same_on_any(|| binary(mul, table.clone(), row.clone()));
        same_on_any(|| binary(div, column.clone(), table.clone()));
        let chosen = compare(less, row.clone(), column.clone());
        same_on_any(|| select(&Memory::new(), &chosen, &table, &column).unwrap());
    }

    #[test]
    fn sums_are_added_alike([rows, columns] in matrix(), seed in 0_usize..100) {
        let table = noise(&[rows, columns], seed);
        for axes in [&[0][..], &[1], &[0, 1]] {
            for f in [sum, mean, prod, max] {
                same_on_any(|| f(&Memory::new(), &table, axes).unwrap());
            }
        }
        for axis in [0, 1] {
            same_on_any(|| arg_max(&Memory::new(), &table, axis, DType::I32).unwrap());
        }
        let cube = table.reshape([rows, 1, columns]).unwrap();
        same_on_any(|| sum(&Memory::new(), &cube, &[0, 2]).unwrap());
    }

    #[test]
    fn rows_are_normalized_alike([rows, columns] in matrix(), seed in 0_usize..100) {
        let logits = noise(&[rows, columns], seed);
        same_on_any(|| softmax(&Memory::new(), logits.clone()).unwrap());
        same_on_any(|| log_softmax(&Memory::new(), logits.clone()).unwrap());
        let labels = noise(&[rows, columns], seed + 1);
        same_on_any(|| softmax_cross_entropy(&Memory::new(), logits.clone(), &labels).unwrap().loss);
        same_on_any(|| softmax_cross_entropy(&Memory::new(), logits.clone(), &labels).unwrap().backprop);
        let labels = filled(&[rows], |i| (i % columns) as i32);
        same_on_any(|| sparse_softmax_cross_entropy(&Memory::new(), logits.clone(), &labels).unwrap().loss);
    }

    #[test]
    fn elements_are_moved_alike([rows, columns] in matrix(), seed in 0_usize..100) {
        let table = noise(&[rows, columns], seed);
        same_on_any(|| transpose(&Memory::new(), &table, &[1, 0]).unwrap());
        same_on_any(|| layout::reverse(&Memory::new(), &table, &[0, 1]).unwrap());
        same_on_any(|| layout::broadcast_to(&Memory::new(), &table, &[2, rows, columns]).unwrap());
        let indices = filled(&[rows], |i| ((i * 7919 + seed) % rows) as i32);
        same_on_any(|| gather(&Memory::new(), &table, &indices, 0).unwrap());
        let transposed = transpose(&Memory::new(), &table, &[1, 0]).unwrap();
        prop_assert!(transpose(&Memory::new(), &transposed, &[1, 0]).unwrap().bits_eq(&table));
    }

    #[test]
    fn products_are_computed_alike(
        (rows, inner, columns) in (1_usize..300, 1_usize..300, 1_usize..300),
        (left_lies, right_lies) in (orientation(), orientation()),
        seed in 0_usize..100,
    ) {
        let shape = |o, [m, n]: [usize; 2]| if o == Normal { [m, n] } else { [n, m] };
        let left = noise(&shape(left_lies, [rows, inner]), seed);
        let right = noise(&shape(right_lies, [inner, columns]), seed + 1);
        same_on_any(|| matmul(&Memory::new(), (&left, left_lies), (&right, right_lies)).unwrap());
        let cast = |value: &Value, dtype| cast(&Memory::new(), value, dtype).unwrap();
        for dtype in [DType::F64, DType::I32] {
            let (left, right) = (cast(&left, dtype), cast(&right, dtype));
            same_on_any(|| matmul(&Memory::new(), (&left, left_lies), (&right, right_lies)).unwrap());
        }
    }

    #[test]
    fn batches_are_multiplied_alike(
        batch in 1_usize..6,
        (rows, inner, columns) in (1_usize..90, 1_usize..90, 1_usize..90),
        seed in 0_usize..100,
    ) {
        let left = noise(&[batch, 3, rows, inner], seed);
        let right = noise(&[3, inner, columns], seed + 1);
        same_on_any(|| batch_matmul(&Memory::new(), (&left, Normal), (&right, Normal)).unwrap());
    }

    /// So it does not depend on the shape of the product either, which the tiles follow.
    #[test]
    fn an_element_of_a_product_depends_on_its_row_and_column_alone(
        (rows, inner, columns) in (2_usize..300, 1_usize..600, 2_usize..300),
        (left_lies, right_lies) in (orientation(), orientation()),
        (from_row, from_column) in (0_usize..298, 0_usize..298),
        double: bool,
    ) {
        let dtype = if double { DType::F64 } else { DType::F32 };
        let left = cast(&Memory::new(), &noise(&[rows, inner], 1), dtype).unwrap();
        let right = cast(&Memory::new(), &noise(&[inner, columns], 2), dtype).unwrap();
        let lay = |value: &Value, o| {
            if o == Normal { value.clone() } else { transpose(&Memory::new(), value, &[1, 0]).unwrap() }
        };
        let product = |left: &Value, right: &Value| {
            let (left, right) = (lay(left, left_lies), lay(right, right_lies));
            matmul(&Memory::new(), (&left, left_lies), (&right, right_lies)).unwrap()
        };
        let (row, column) = (from_row.min(rows - 2), from_column.min(columns - 2));
        let (height, width) = (rows - row, columns - column);
        let part = |value: &Value, at: [usize; 2], size: [usize; 2]| {
            layout::slice(&Memory::new(), value, &at, &size).unwrap()
        };
        let whole = product(&left, &right);
        let own = product(
            &part(&left, [row, 0], [height, inner]),
            &part(&right, [0, column], [inner, width]),
        );
        prop_assert!(part(&whole, [row, column], [height, width]).bits_eq(&own));
    }
}

#[test]
fn long_vectors_are_multiplied_alike() {
    let (matrix, row) = (noise(&[300, 700], 1), noise(&[1, 300], 2));
    same_on_any(|| matmul(&Memory::new(), (&row, Normal), (&matrix, Normal)).unwrap());
    same_on_any(|| matmul(&Memory::new(), (&matrix, Transposed), (&row, Transposed)).unwrap());
    let column = noise(&[700, 1], 3);
    same_on_any(|| matmul(&Memory::new(), (&matrix, Normal), (&column, Normal)).unwrap());
    let wide = noise(&[3, 100_000], 4);
    same_on_any(|| matmul(&Memory::new(), (&noise(&[1, 3], 5), Normal), (&wide, Normal)).unwrap());
}

#[test]
fn an_error_is_told_whatever_thread_meets_it() {
    let mut divisors = vec![1; 200_000];
    divisors[150_000] = 0;
    for threads in 1..=4 {
        let result = on(threads, || try_binary(div, 1, divisors.clone()));
        assert_eq!(result, Err(tidemill_kernels::NumericError::DivisionByZero));
    }
}

#[test]
fn a_large_product_stops_soon_after_a_request() {
    let matrix = Value::zeros(DType::F32, [2048, 2048]).unwrap();
    let request = Cancellation::new();
    request.cancel();
    for threads in [1, 2] {
        let context = Context { threads, cancellation: Some(&request) };
        let start = std::time::Instant::now();
        pool::with_context(&context, || {
            matmul(&Memory::new(), (&matrix, Normal), (&matrix, Normal))
        })
        .unwrap();
        assert!(start.elapsed().as_millis() < 200);
    }
}
