//! Gradients of products of many numbers, some of them zero: the mathematical ones, unlike
//! TensorFlow's.

use std::collections::BTreeMap;

use crate::common::Outcome;
use crate::special_points::derivatives_at;
use tidemill::prelude::*;

/// The derivatives of a function that is linear in each number: first-order ones, and those of
/// their sum. The numbers and the results are whole.
fn of_linear(f: &dyn Fn(&[f64]) -> f64, x: &[f64], orders: usize) -> Vec<Vec<f64>> {
    let by = |f: &dyn Fn(&[f64]) -> f64, x: &[f64], i: usize| {
        let with = |number| {
            let mut moved = x.to_vec();
            moved[i] = number;
            f(&moved)
        };
        with(1.0) - with(0.0)
    };
    let all = |x: &[f64]| -> f64 { (0..x.len()).map(|i| by(f, x, i)).sum() };
    let first = (0..x.len()).map(|i| by(f, x, i)).collect();
    let mut found = vec![first];
    if orders > 1 {
        found.extend(of_linear(&all, x, orders - 1));
    }
    found
}

/// Rows of small whole numbers, some of them zero.
fn with_zeros() -> Vec<Vec<f64>> {
    let rows: [&[f64]; 7] = [
        &[2.0, 3.0, 0.0],
        &[2.0, 0.0, 0.0, 3.0],
        &[0.0, 2.0, -3.0, 4.0],
        &[0.0, 0.0, 0.0],
        &[1.0, 2.0, 0.0, -0.0, 3.0, 2.0],
        &[2.0, -3.0, 5.0],
        &[0.0],
    ];
    rows.map(<[f64]>::to_vec).to_vec()
}

const WEIGHTS: [f64; 6] = [1.0, -2.0, 3.0, 5.0, -1.0, 2.0];

/// The weighted sum of the products of all numbers before each, as `cumprod_with` takes them.
fn weighted_products(x: &[f64], exclusive: bool, reverse: bool) -> f64 {
    let own = usize::from(!exclusive);
    let product = |i: usize| -> f64 {
        if reverse { x[i + 1 - own..].iter().product() } else { x[..i + own].iter().product() }
    };
    (0..x.len()).map(|i| WEIGHTS[i] * product(i)).sum()
}

#[test]
fn a_cumulative_product_has_its_derivatives_at_zeros() -> Outcome {
    let first =
        |x: &[f64]| derivatives_at(|x| cumprod(x, 0), &Value::list(x.to_vec()), [x.len()], 1);
    assert_eq!(first(&[2.0, 3.0, 0.0])?, [[4.0, 2.0, 6.0]]);
    assert_eq!(first(&[2.0, 0.0, 0.0, 3.0])?, [[1.0, 2.0, 0.0, 0.0]]);
    for x in with_zeros() {
        for (exclusive, reverse) in [(false, false), (true, false), (false, true), (true, true)] {
            let expected = of_linear(&|x| weighted_products(x, exclusive, reverse), &x, 3);
            let f = |x: Tensor| {
                let weights = constant(WEIGHTS).slice(s![..x.shape().elements().unwrap() as i32]);
                cumprod_with(x, -1, exclusive, reverse) * weights
            };
            let found = derivatives_at(f, &Value::list(x.clone()), [x.len()], 3)?;
            assert_eq!(found, expected, "{x:?}, exclusive {exclusive}, reverse {reverse}");
        }
    }
    Ok(())
}

#[test]
fn a_cumulative_product_has_its_gradient_along_every_axis_and_for_every_float() -> Outcome {
    let x = [0.0, 2.0, 3.0, 4.0, 0.0, 5.0];
    let columns = [1.0 + 4.0, 1.0, 1.0 + 5.0, 0.0, 2.0, 3.0];
    let rows = [1.0 + 2.0 + 6.0, 0.0, 0.0, 1.0, 4.0 + 20.0, 0.0];
    for dtype in [DType::F64, DType::F32, DType::F16, DType::BF16] {
        for (axis, expected) in [(0, columns), (-2, columns), (1, rows), (-1, rows)] {
            for known in [PartialShape::from([2, 3]), PartialShape::unknown()] {
                let graph = Graph::new();
                let _default = graph.as_default();
                let wide = placeholder_of(DType::F64, known);
                let x_of_type = cast(wide, dtype);
                let grad = gradients([cumprod(x_of_type, axis)], [x_of_type])[0].unwrap();
                let at = Value::from_vec([2, 3], x.to_vec())?;
                let found: Value =
                    Session::new().run_with(cast(grad, DType::F64), feeds![wide => at])?;
                assert_eq!(found.into_vec::<f64>()?, expected, "{dtype}, axis {axis}");
            }
        }
    }
    let empty = Value::from_vec([0, 3], Vec::<f64>::new())?;
    assert_eq!(
        derivatives_at(|x| cumprod(x, 0), &empty, [0, 3], 2)?,
        [vec![], vec![]] as [Vec<f64>; 2]
    );
    Ok(())
}

#[test]
fn beside_a_zero_a_product_of_large_numbers_gives_no_nan() -> Outcome {
    let x = Value::from([1.0_f32, 0.0, 1e30, 1e30, 1e30]);
    let functions: [fn(Tensor) -> Tensor; 4] = [
        |x| cumprod(x, 0).slice(s![3..]),
        |x| reduce_prod(x.slice(s![..4]), 0),
        |x| segment_prod(x.slice(s![..4]), [0, 0, 0, 0]),
        |x| unsorted_segment_prod(x.slice(s![..4]), [1, 1, 1, 1], 2),
    ];
    for f in functions {
        let first = derivatives_at(f, &x, [5], 1)?.remove(0);
        assert!(first.iter().all(|x| !x.is_nan()), "{first:?}");
        assert!(first[0] == 0.0 && first[2] == 0.0 && first[1] > 1e38, "{first:?}");
    }
    Ok(())
}

#[test]
fn a_million_numbers_have_a_cumulative_product_with_a_gradient() -> Outcome {
    let mut x = vec![1.0_f32; 1_000_000];
    x[500_000] = 0.0;
    let first = derivatives_at(|x| cumprod(x, 0), &Value::list(x), [1_000_000], 1)?.remove(0);
    assert_eq!((first[0], first[500_000], first[999_999]), (500_000.0, 500_000.0, 0.0));
    Ok(())
}

#[test]
fn a_product_has_its_derivatives_at_zeros() -> Outcome {
    for x in with_zeros() {
        let count = x.len();
        let expected = of_linear(&|x| x.iter().product(), &x, 3);
        let f = |x: Tensor| reduce_prod(x, 0);
        assert_eq!(derivatives_at(f, &Value::list(x.clone()), [count], 3)?, expected, "{x:?}");
        let unknown = derivatives_at(f, &Value::list(x), PartialShape::unknown(), 3)?;
        assert_eq!(unknown, expected);
    }
    Ok(())
}

/// The sum of the products of an array of shape `[2, 3, 2]` along the axes that are not kept.
fn sum_of_products(x: &[f64], keep: [bool; 3]) -> f64 {
    let mut products = BTreeMap::<Vec<usize>, f64>::new();
    for (i, x) in x.iter().enumerate() {
        let place = [i / 6, i / 2 % 3, i % 2];
        let kept = place.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(place, _)| place);
        *products.entry(kept.collect()).or_insert(1.0) *= x;
    }
    products.values().sum()
}

#[test]
fn a_product_along_several_axes_has_its_derivatives_at_zeros() -> Outcome {
    let x = vec![0.0, 2.0, 3.0, -1.0, 0.0, 2.0, 5.0, 1.0, 2.0, 0.0, 3.0, 4.0];
    let ways: [(&[i32], [bool; 3]); 5] = [
        (&[0, 2], [false, true, false]),
        (&[-1, 0], [false, true, false]),
        (&[1, 2], [true, false, false]),
        (&[0, 1, 2], [false; 3]),
        (&[], [true; 3]),
    ];
    let at = Value::from_vec([2, 3, 2], x.clone())?;
    for (axes, keep) in ways {
        let expected = of_linear(&|x| sum_of_products(x, keep), &x, 2);
        let axes = axes.to_vec();
        let known = |x: Tensor| reduce_prod(x, constant(Value::list(axes.clone())));
        assert_eq!(derivatives_at(known, &at, [2, 3, 2], 2)?, expected, "{axes:?}");
        let kept =
            |x: Tensor| reduce_prod(x, Axes::from(constant(Value::list(axes.clone()))).keep_dims());
        assert_eq!(derivatives_at(kept, &at, [2, 3, 2], 2)?, expected, "{axes:?}");
        // Computed axes are known only in the run.
        let computed = |x: Tensor| {
            let unknown =
                placeholder_with_default(Value::list(axes.clone()), PartialShape::unknown());
            reduce_prod(x, unknown)
        };
        assert_eq!(
            derivatives_at(computed, &at, PartialShape::unknown(), 2)?,
            expected,
            "{axes:?}"
        );
    }
    Ok(())
}

#[test]
fn products_of_segments_have_their_derivatives_at_zeros() -> Outcome {
    let x = vec![0.0, 2.0, 3.0, 0.0, 0.0, 5.0, 4.0];
    let at = Value::list(x.clone());
    let ids = [0, 0, 0, 1, 1, 1, 3];
    let expected = of_linear(&|x| x[0] * x[1] * x[2] + x[3] * x[4] * x[5] + x[6], &x, 3);
    assert_eq!(derivatives_at(|x| segment_prod(x, ids), &at, [7], 3)?, expected);
    let ids = [2, 0, -1, 2, 0, 2, -1];
    let expected = of_linear(&|x| x[0] * x[3] * x[5] + x[1] * x[4], &x, 3);
    assert_eq!(derivatives_at(|x| unsorted_segment_prod(x, ids, 4), &at, [7], 3)?, expected);
    let rows = Value::from_vec([3, 2], vec![0.0, 2.0, 0.0, 0.0, 3.0, 5.0])?;
    let expected = [[0.0, 0.0, 0.0, 10.0, 0.0, 0.0], [3.0, 5.0, 3.0, 7.0, 0.0, 2.0]];
    let found = derivatives_at(|x| segment_prod(x, [0, 0, 0]), &rows, PartialShape::unknown(), 2)?;
    assert_eq!(found, expected);
    let empty = Value::from_vec([0, 2], Vec::<f64>::new())?;
    let none = Value::list(Vec::<i32>::new());
    let found = derivatives_at(|x| segment_prod(x, constant(none.clone())), &empty, [0, 2], 2)?;
    assert_eq!(found, [vec![], vec![]] as [Vec<f64>; 2]);
    Ok(())
}
