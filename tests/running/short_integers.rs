//! Short integers give the results of arithmetic in their own type, although kernels compute them
//! in a wider one.

use crate::common::Outcome;
use tidemill::prelude::*;

/// Asserts that each tensor has the value beside it.
#[track_caller]
fn assert_values(expected: Vec<(&str, Tensor, Value)>) -> Outcome {
    let session = Session::new();
    session.init_missing()?;
    for (name, tensor, expected) in expected {
        let actual: Value = session.run(tensor)?;
        assert_eq!(actual, expected, "{name}");
    }
    Ok(())
}

/// Declares the tests of one type in a module of its name. The expected results are Rust's in that
/// type.
macro_rules! tests_of {
    ($($rust:ident $signed:literal;)*) => {$(mod $rust {
        use super::*;

        type T = $rust;

        const COUNT: usize = 12;
        const BITS: T = T::BITS as T;
        /// The lowest signed number, or the middle of the unsigned ones.
        const TOP_BIT: T = 1 << (BITS - 1);
        const EDGES: [T; COUNT] = [
            T::MIN, T::MAX, TOP_BIT, TOP_BIT.wrapping_sub(1), TOP_BIT.wrapping_add(1), 0, 1, 2, 7,
            BITS, BITS + 1, (0 as T).wrapping_sub(3),
        ];

        /// Each edge with each, as two lists.
        fn pairs() -> (Vec<T>, Vec<T>) {
            EDGES.iter().flat_map(|x| EDGES.map(|y| (*x, y))).unzip()
        }

        fn map<O>(x: &[T], y: &[T], f: impl Fn(T, T) -> O) -> Value
        where
            Value: From<Vec<O>>,
        {
            x.iter().zip(y).map(|(x, y)| f(*x, *y)).collect::<Vec<O>>().into()
        }

        /// The results of a function for each row of edges rotated by one more.
        fn of_rows(f: impl Fn(&[T]) -> T) -> Value {
            rows().chunks(COUNT).map(f).collect::<Vec<T>>().into()
        }

        fn rows() -> Vec<T> {
            (0..COUNT * COUNT).map(|i| EDGES[(i / COUNT + i * 5) % COUNT]).collect()
        }

        fn matrix() -> Result<Tensor, Box<dyn std::error::Error>> {
            Ok(constant(Value::from_vec([COUNT, COUNT], rows())?))
        }

        #[test]
        fn functions_of_two_operands_wrap() -> Outcome {
            let graph = Graph::new();
            let _default = graph.as_default();
            let (xs, ys) = pairs();
            let (x, y) = (constant(xs.clone()), constant(ys.clone()));
            let shift = |y: T| y.clamp(0, BITS - 1) as u32;
            assert_values(vec![
                ("add", x + y, map(&xs, &ys, T::wrapping_add)),
                ("sub", x - y, map(&xs, &ys, T::wrapping_sub)),
                ("mul", x * y, map(&xs, &ys, T::wrapping_mul)),
                ("maximum", maximum(x, y), map(&xs, &ys, T::max)),
                ("minimum", minimum(x, y), map(&xs, &ys, T::min)),
                ("squared", squared_difference(x, y), map(&xs, &ys, |x, y| {
                    x.wrapping_sub(y).wrapping_mul(x.wrapping_sub(y))
                })),
                ("less", less(x, y), map(&xs, &ys, |x, y| x < y)),
                ("at most", less_equal(x, y), map(&xs, &ys, |x, y| x <= y)),
                ("greater", greater(x, y), map(&xs, &ys, |x, y| x > y)),
                ("at least", greater_equal(x, y), map(&xs, &ys, |x, y| x >= y)),
                ("equal", equal(x, y), map(&xs, &ys, |x, y| x == y)),
                ("not equal", not_equal(x, y), map(&xs, &ys, |x, y| x != y)),
                ("and", bitwise_and(x, y), map(&xs, &ys, |x, y| x & y)),
                ("or", bitwise_or(x, y), map(&xs, &ys, |x, y| x | y)),
                ("xor", bitwise_xor(x, y), map(&xs, &ys, |x, y| x ^ y)),
                ("left", left_shift(x, y), map(&xs, &ys, |x, y| x << shift(y))),
                ("right", right_shift(x, y), map(&xs, &ys, |x, y| x >> shift(y))),
                ("far left", left_shift(x, T::MAX), map(&xs, &ys, |x, _| x << (BITS - 1))),
                ("sum", add_n([x, y, x]), map(&xs, &ys, |x, y| {
                    x.wrapping_add(y).wrapping_add(x)
                })),
                ("clip", clip_by_value(x, 2 as T, y), map(&xs, &ys, |x, y| x.min(y).max(2))),
            ])
        }

        #[test]
        fn quotients_and_powers_wrap() -> Outcome {
            let graph = Graph::new();
            let _default = graph.as_default();
            let (xs, ys) = pairs();
            let (dividends, divisors): (Vec<T>, Vec<T>) =
                xs.iter().zip(&ys).filter(|(_, y)| **y != 0).unzip();
            let (x, y) = (constant(dividends.clone()), constant(divisors.clone()));
            let floored = |x: T, y: T| {
                let (quotient, rest) = (x.wrapping_div(y), x.wrapping_rem(y));
                let differ = (i128::from(rest) < 0) != (i128::from(y) < 0);
                match rest != 0 && differ {
                    true => (quotient - 1, rest + y),
                    false => (quotient, rest),
                }
            };
            let (bases, exponents): (Vec<T>, Vec<T>) =
                xs.iter().zip(&ys).filter(|(_, y)| i128::from(**y) >= 0).unzip();
            let power = |x: T, y: T| x.wrapping_pow(y as u32);
            assert_values(vec![
                ("div", div_v1(x, y), map(&dividends, &divisors, T::wrapping_div)),
                ("truncated", truncate_div(x, y), map(&dividends, &divisors, T::wrapping_div)),
                ("rest", truncate_mod(x, y), map(&dividends, &divisors, T::wrapping_rem)),
                ("floored", floor_div(x, y), map(&dividends, &divisors, |x, y| floored(x, y).0)),
                ("floored rest", floor_mod(x, y), map(&dividends, &divisors, |x, y| {
                    floored(x, y).1
                })),
                ("power", pow(bases.clone(), exponents.clone()), map(&bases, &exponents, power)),
            ])
        }

        #[test]
        fn functions_of_one_operand_wrap() -> Outcome {
            let graph = Graph::new();
            let _default = graph.as_default();
            let x = constant(EDGES.to_vec());
            let each = |f: &dyn Fn(T) -> T| Value::from(EDGES.map(f).to_vec());
            let mut expected = vec![
                ("square", square(x), each(&|x| x.wrapping_mul(x))),
                ("relu", relu(x), each(&|x| x.max(0))),
                ("relu6", relu6(x), each(&|x| x.clamp(0, 6))),
                ("round", round(x), each(&|x| x)),
                ("invert", invert(x), each(&|x| !x)),
                ("range", range(1 as T, T::MAX, T::MAX / 3), Value::from(vec![
                    1 as T, 1 + T::MAX / 3, 1 + T::MAX / 3 * 2,
                ])),
            ];
            if $signed {
                let negated = |x: T| (0 as T).wrapping_sub(x);
                let is_negative = |x: T| i128::from(x) < 0;
                let signum = |x: T| if is_negative(x) { negated(1) } else { x.min(1) };
                let step = T::MAX - 27;
                let second = T::MIN.wrapping_add(step);
                expected.extend([
                    ("far range", range(T::MIN, T::MAX, step), Value::from(vec![
                        T::MIN, second, second.wrapping_add(step),
                    ])),
                    ("neg", neg(x), each(&negated)),
                    ("abs", abs(x), each(&|x| if is_negative(x) { negated(x) } else { x })),
                    ("sign", sign(x), each(&signum)),
                ]);
            }
            assert_values(expected)
        }

        #[test]
        fn reductions_wrap_and_those_of_nothing_are_the_ends_of_the_range() -> Outcome {
            let graph = Graph::new();
            let _default = graph.as_default();
            let x = matrix()?;
            let none = constant(Value::from_vec([2, 0], Vec::<T>::new())?);
            let sum = |row: &[T]| row.iter().fold(0 as T, |sum, x| sum.wrapping_add(*x));
            let product = |row: &[T]| row.iter().fold(1 as T, |sum, x| sum.wrapping_mul(*x));
            let mean = |row: &[T]| {
                (row.iter().map(|x| i128::from(*x)).sum::<i128>() / COUNT as i128) as T
            };
            let norm = |row: &[T]| {
                let square = |x: &T| x.wrapping_mul(*x);
                let squares = row.iter().map(square).fold(0, T::wrapping_add);
                (squares as f64).sqrt() as T
            };
            // The lowest numbers of the wide types.
            let [of_32_bits, of_64_bits] = [31, 63].map(|count| constant(vec![2 as T; count]));
            let position = |largest: bool| {
                let of_row = |row: &[T]| {
                    let best = if largest { row.iter().max() } else { row.iter().min() };
                    row.iter().position(|x| Some(x) == best).map_or(-1, |i| i as i64)
                };
                Value::from(rows().chunks(COUNT).map(of_row).collect::<Vec<i64>>())
            };
            assert_values(vec![
                ("sum", reduce_sum(x, 1), of_rows(sum)),
                ("product", reduce_prod(x, 1), of_rows(product)),
                ("a power", reduce_prod(of_32_bits, 0), Value::scalar(T::wrapping_pow(2, 31))),
                ("another one", reduce_prod(of_64_bits, 0), Value::scalar(T::wrapping_pow(2, 63))),
                ("max", reduce_max(x, 1), of_rows(|row| *row.iter().max().unwrap())),
                ("min", reduce_min(x, 1), of_rows(|row| *row.iter().min().unwrap())),
                ("mean", reduce_mean(x, 1), of_rows(mean)),
                ("norm", reduce_euclidean_norm(x, 1), of_rows(norm)),
                ("largest", arg_max(x, 1), position(true)),
                ("smallest", arg_min(x, 1), position(false)),
                ("sum of none", reduce_sum(none, 1), vec![0 as T; 2].into()),
                ("product of none", reduce_prod(none, 1), vec![1 as T; 2].into()),
                ("max of none", reduce_max(none, 1), vec![T::MIN; 2].into()),
                ("min of none", reduce_min(none, 1), vec![T::MAX; 2].into()),
                ("mean of none", reduce_mean(none, 1), vec![0 as T; 2].into()),
                ("norm of none", reduce_euclidean_norm(none, 1), vec![0 as T; 2].into()),
            ])
        }

        #[test]
        fn scans_and_products_wrap() -> Outcome {
            let graph = Graph::new();
            let _default = graph.as_default();
            let x = constant(EDGES.to_vec());
            let scan = |start: T, f: fn(T, T) -> T| {
                let mut total = start;
                Value::from(EDGES.map(|x| { total = f(total, x); total }).to_vec())
            };
            let element = |i: usize| rows()[i];
            let product = |i: usize| {
                let [row, column] = [i / COUNT, i % COUNT];
                let term = |k| element(row * COUNT + k).wrapping_mul(element(k * COUNT + column));
                (0..COUNT).map(term).fold(0, T::wrapping_add)
            };
            let products = (0..COUNT * COUNT).map(product).collect();
            let product = Value::from_vec([COUNT, COUNT], products)?;
            let [a, b, c] = [T::MAX, 3, TOP_BIT];
            let minus = |x: T, y: T, z: T, w: T| x.wrapping_mul(y).wrapping_sub(z.wrapping_mul(w));
            let (sorted, unique_of) = (top_k(x, 3), unique(constant(vec![T::MAX, 1, T::MAX])));
            let mut largest = EDGES.to_vec();
            largest.sort_by(|x, y| y.cmp(x));
            let biased = bias_add(matrix()?, x);
            let sums = (0..COUNT * COUNT).map(|i| element(i).wrapping_add(EDGES[i % COUNT]));
            assert_values(vec![
                ("sums", cumsum(x, 0), scan(0, T::wrapping_add)),
                ("products", cumprod(x, 0), scan(1, T::wrapping_mul)),
                ("product", matmul(matrix()?, matrix()?), product.clone()),
                ("einsum", einsum("ij,jk->ik", [matrix()?, matrix()?]), product),
                ("cross", cross(vec![a, b, c], vec![b, c, a]), Value::from(vec![
                    minus(b, a, c, c), minus(c, b, a, a), minus(a, c, b, b),
                ])),
                ("bias", biased, Value::from_vec([COUNT, COUNT], sums.collect())?),
                ("largest", sorted.0, Value::from(largest[..3].to_vec())),
                ("unique", unique_of.0, Value::from(vec![T::MAX, 1])),
            ])
        }

        #[test]
        fn segments_and_windows_wrap_or_have_the_ends_of_the_range() -> Outcome {
            let graph = Graph::new();
            let _default = graph.as_default();
            let x = constant(vec![T::MAX, T::MAX, 2, TOP_BIT]);
            let [all, ids] = [vec![0, 0, 2, 2], vec![0, -1, 2, 2]].map(constant);
            let last: [T; 2] = [2, TOP_BIT];
            let [low, high] = [last[0].min(last[1]), last[0].max(last[1])];
            let half = ((2 + i128::from(TOP_BIT)) / 2) as T;
            let image = |row: &[T]| Value::from_vec([1, 1, row.len(), 1], row.to_vec());
            let around = ConvPadding::Explicit([[0, 0], [1, 1]]);
            let padded = Conv { padding: around, ..Conv::VALID };
            let pooled = max_pool(constant(image(&[1, T::MAX])?), [1, 2], padded);
            let padding_alone = max_pool(constant(image(&[])?), [1, 2], padded);
            // The sums are 0 and, of the highest number and 1, the lowest.
            let filter = constant(Value::from_vec([1, 2, 1], vec![0 as T, 1])?);
            let dilated = dilation2d(constant(image(&[0, T::MAX])?), filter, Conv::VALID);
            assert_values(vec![
                ("sums", segment_sum(x, all), vec![T::MAX.wrapping_mul(2), 0, TOP_BIT + 2].into()),
                ("means", segment_mean(x, all), vec![T::MAX, 0, half].into()),
                ("none is 0", segment_max(x, all), vec![T::MAX, 0, high].into()),
                ("max", unsorted_segment_max(x, ids, 3), vec![T::MAX, T::MIN, high].into()),
                ("min", unsorted_segment_min(x, ids, 3), vec![T::MAX, T::MAX, low].into()),
                ("products", unsorted_segment_prod(x, ids, 3), vec![T::MAX, 1, 0].into()),
                ("windows", pooled, image(&[1, T::MAX, T::MAX])?),
                ("padding alone", padding_alone, image(&[T::MIN])?),
                ("dilation", dilated, image(&[0])?),
            ])
        }

        #[test]
        fn writes_wrap() -> Outcome {
            let graph = Graph::new();
            let _default = graph.as_default();
            let minus_one = (0 as T).wrapping_sub(1);
            let variable = |name| get_variable(name, [2], constant(vec![TOP_BIT, T::MAX]));
            let quotient = TOP_BIT.wrapping_div(minus_one).wrapping_div(2);
            let twice = |f: fn(T, T) -> T, y: [T; 2]| {
                Value::from(vec![f(f(TOP_BIT, y[0]), y[1]), T::MAX])
            };
            let factors: [T; 2] = [3, 5];
            assert_values(vec![
                ("add", assign_add(variable("a"), vec![1 as T, 1]).into(), Value::from(vec![
                    TOP_BIT + 1, T::MAX.wrapping_add(1),
                ])),
                ("div", scatter_div(variable("b"), [0, 0], vec![minus_one, 2]), Value::from(vec![
                    quotient, T::MAX,
                ])),
                ("mul", scatter_mul(variable("c"), [0, 0], factors.to_vec()),
                    twice(T::wrapping_mul, factors)),
                ("sub", scatter_sub(variable("d"), [0, 0], factors.to_vec()),
                    twice(T::wrapping_sub, factors)),
                ("max", scatter_max(variable("e"), [0, 0], factors.to_vec()),
                    twice(T::max, factors)),
                ("update", scatter_update(variable("f"), [0, 0], factors.to_vec()), Value::from(
                    vec![5, T::MAX],
                )),
            ])
        }
    })*};
}

tests_of! {
    i8 true;
    i16 true;
    u8 false;
    u16 false;
    u32 false;
}
