use proptest::prelude::*;
use tidemill_kernels::NumericError;
use tidemill_kernels::linalg::*;
use tidemill_kernels::matmul::Orientation::{Normal, Transposed};
use tidemill_kernels::matmul::batch_matmul;
use tidemill_value::{DType, Memory, Value};

use crate::support::*;

/// Matrices that are far from singular, but need their rows swapped.
fn matrices(batch: &[usize], rows: usize, seed: usize) -> Value {
    let shape = [batch, &[rows, rows]].concat();
    filled(&shape, |i| {
        let (row, column) = (i / rows % rows, i % rows);
        let noise = ((i * 7919 + seed * 104_729) % 1009) as f64 / 1009.0 - 0.5;
        if (row + 1) % rows == column { 3.0 + rows as f64 / 2.0 + noise } else { noise }
    })
}

#[track_caller]
fn assert_near(left: &Value, right: &Value) {
    assert_eq!(left.shape(), right.shape());
    let (left, right) = (left.as_slice::<f64>().unwrap(), right.as_slice::<f64>().unwrap());
    for (l, r) in left.iter().zip(right) {
        assert!((l - r).abs() <= 1e-10 * r.abs().max(1.0), "{left:?} instead of {right:?}");
    }
}

fn times(left: &Value, right: &Value, transposed: bool) -> Value {
    let orientation = if transposed { Transposed } else { Normal };
    batch_matmul(&Memory::new(), (left, orientation), (right, Normal)).unwrap()
}

/// The determinant by its first row.
fn expanded(matrix: &[f64], rows: usize) -> f64 {
    let minor = |column: usize| -> Vec<f64> {
        let below = matrix[rows..].iter().enumerate();
        below.filter(|(i, _)| i % rows != column).map(|(_, x)| *x).collect()
    };
    let term = |column: usize| {
        let sign = if column.is_multiple_of(2) { 1.0 } else { -1.0 };
        sign * matrix[column] * expanded(&minor(column), rows - 1)
    };
    if rows == 0 { 1.0 } else { (0..rows).map(term).sum() }
}

proptest! {
    #[test]
    fn solutions_give_the_right_side_back(
        rows in 0_usize..12,
        columns in 0_usize..4,
        batch in 0_usize..3,
        transposed: bool,
        seed in 0_usize..1000,
    ) {
        let matrices = matrices(&[batch], rows, seed);
        let right = filled(&[batch, rows, columns], |i| (i % 7) as f64 - 3.0);
        let solution = solve(&Memory::new(), &matrices, &right, transposed).unwrap();
        assert_near(&times(&matrices, &solution, transposed), &right);
    }

    #[test]
    fn a_matrix_times_its_inverse_is_the_identity(
        rows in 0_usize..12,
        transposed: bool,
        seed in 0_usize..1000,
    ) {
        let matrices = matrices(&[2], rows, seed);
        let inverses = inverse(&Memory::new(), &matrices, transposed).unwrap();
        let identity = filled(&[2, rows, rows], |i| {
            if i / rows % rows == i % rows { 1.0 } else { 0.0 }
        });
        assert_near(&times(&matrices, &inverses, transposed), &identity);
    }

    #[test]
    fn determinants_are_what_expansion_gives(rows in 0_usize..6, seed in 0_usize..1000) {
        let matrix = matrices(&[], rows, seed);
        let expected = expanded(matrix.as_slice().unwrap(), rows);
        assert_near(&determinant(&Memory::new(), &matrix).unwrap(), &expected.into());
        let (sign, logarithm) = log_determinant(&Memory::new(), &matrix).unwrap();
        assert_near(&sign, &expected.signum().into());
        assert_near(&logarithm, &expected.abs().ln().into());
    }

    #[test]
    fn triangles_are_solved_and_the_rest_is_not_read(
        rows in 1_usize..10,
        lower: bool,
        transposed: bool,
    ) {
        let matrix = filled(&[2, 1, rows, rows], |i| {
            let (row, column) = (i / rows % rows, i % rows);
            match row.cmp(&column) {
                std::cmp::Ordering::Equal => 2.0 + (i % 3) as f64,
                std::cmp::Ordering::Greater if lower => (i % 5) as f64 / 5.0 - 0.4,
                std::cmp::Ordering::Less if !lower => (i % 5) as f64 / 5.0 - 0.4,
                _ => 0.0,
            }
        });
        let full = filled(&[2, 1, rows, rows], |i| {
            let x = matrix.as_slice::<f64>().unwrap()[i];
            if x == 0.0 { f64::NAN } else { x }
        });
        let readable = matrix.as_slice::<f64>().unwrap().iter().zip(full.as_slice::<f64>().unwrap());
        let zeros = readable.filter(|(x, _)| **x == 0.0).count();
        let triangle = rows * (rows - 1) / 2;
        // A zero inside the triangle would be read.
        let given = if zeros == 2 * triangle { &full } else { &matrix };
        let right = filled(&[3, rows, 2], |i| (i % 7) as f64 - 3.0);
        let solution = triangular_solve(&Memory::new(), given, &right, lower, transposed).unwrap();
        prop_assert_eq!(&solution.shape()[..], &[2, 3, rows, 2]);
        let product = times(&matrix, &solution, transposed);
        let zero = Value::zeros(DType::F64, [2, 1, 1, 1]).unwrap();
        let expected = binary(tidemill_kernels::elementwise::add, right, zero);
        assert_near(&product, &expected);
    }

    #[test]
    fn a_factor_times_its_transpose_is_the_matrix(rows in 0_usize..12, seed in 0_usize..1000) {
        let root = matrices(&[2], rows, seed);
        let matrix = batch_matmul(&Memory::new(), (&root, Normal), (&root, Transposed)).unwrap();
        let factor = cholesky(&Memory::new(), &matrix).unwrap();
        let product = batch_matmul(&Memory::new(), (&factor, Normal), (&factor, Transposed)).unwrap();
        assert_near(&product, &matrix);
        let above = |(i, x): (usize, &f64)| i / rows % rows < i % rows && *x != 0.0;
        prop_assert!(!factor.as_slice::<f64>().unwrap().iter().enumerate().any(above));
    }
}

#[test]
fn singular_and_indefinite_matrices_are_told_by_their_number() {
    let both = value([[[1.0_f32, 0.0], [0.0, 1.0]], [[1.0, 2.0], [2.0, 4.0]]]);
    let singular = NumericError::Singular { index: 1 };
    assert_eq!(inverse(&Memory::new(), &both, false), Err(singular.clone()));
    assert_eq!(solve(&Memory::new(), &both, &both, true), Err(singular));
    assert_eq!(determinant(&Memory::new(), &both).unwrap(), value([1.0_f32, 0.0]));
    assert_eq!(
        cholesky(&Memory::new(), &both),
        Err(NumericError::NotPositiveDefinite { index: 1 })
    );
    let (sign, logarithm) = log_determinant(&Memory::new(), &both).unwrap();
    assert_eq!((sign, logarithm), (value([1.0_f32, 0.0]), value([0.0, -INF])));
}

#[test]
fn matrices_that_are_not_square_are_an_error() {
    let wide = Value::zeros(DType::F32, [2, 3]).unwrap();
    assert_eq!(
        inverse(&Memory::new(), &wide, false),
        Err(NumericError::NotSquare { shape: [2, 3].into() })
    );
    assert!(determinant(&Memory::new(), &value([1.0_f32])).is_err());
    assert!(cholesky(&Memory::new(), &value([[1]])).is_err());
    let square = value([[1.0_f32]]);
    assert!(solve(&Memory::new(), &square, &wide, false).is_err());
    assert!(triangular_solve(&Memory::new(), &square, &wide, true, false).is_err());
}

#[test]
fn nan_goes_through() {
    let matrix = value([[NAN, 1.0], [1.0, 2.0]]);
    assert!(determinant(&Memory::new(), &matrix).unwrap().to_scalar::<f32>().unwrap().is_nan());
    assert!(cholesky(&Memory::new(), &matrix).unwrap().as_slice::<f32>().unwrap()[0].is_nan());
    assert!(
        inverse(&Memory::new(), &matrix, false).unwrap().as_slice::<f32>().unwrap()[0].is_nan()
    );
}
