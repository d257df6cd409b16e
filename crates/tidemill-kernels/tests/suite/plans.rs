//! How element-wise functions walk over operands that broadcast.

use tidemill_kernels::{Broadcast, NumericError};
use tidemill_value::ValueError;

fn plan<const N: usize>(shapes: [&[usize]; N]) -> Broadcast<N> {
    Broadcast::new(shapes).unwrap()
}

#[test]
fn equal_shapes_are_one_run() {
    let plan = plan([&[2, 3, 4], &[2, 3, 4]]);
    assert_eq!((plan.run(), plan.advances()), (24, [true, true]));
    assert_eq!(plan.starts_from(0).collect::<Vec<_>>(), [[0, 0]]);
}

#[test]
fn a_scalar_stays_while_the_other_operand_advances() {
    let plan = plan([&[2, 3], &[]]);
    assert_eq!((plan.run(), plan.advances()), (6, [true, false]));
}

#[test]
fn a_row_is_repeated_run_by_run() {
    let plan = plan([&[5, 2, 3], &[2, 3]]);
    assert_eq!((plan.run(), plan.advances()), (6, [true, true]));
    let starts: Vec<_> = plan.starts_from(0).collect();
    assert_eq!(starts, [[0, 0], [6, 0], [12, 0], [18, 0], [24, 0]]);
}

#[test]
fn a_walk_can_start_anywhere() {
    let plan = plan([&[3, 1, 4, 1], &[3, 5, 1, 2]]);
    let (starts, positions): (Vec<_>, Vec<_>) =
        (plan.starts_from(0).collect(), plan.positions_from(0).collect());
    for first in 0..=starts.len() {
        assert_eq!(plan.starts_from(first).collect::<Vec<_>>(), starts[first..]);
    }
    for first in 0..=positions.len() {
        assert_eq!(plan.positions_from(first).collect::<Vec<_>>(), positions[first..]);
    }
}

#[test]
fn a_column_and_a_row_stretch_each_other() {
    let plan = plan([&[3, 1], &[4]]);
    assert_eq!(&plan.shape()[..], [3, 4]);
    assert_eq!((plan.run(), plan.advances()), (4, [false, true]));
    assert_eq!(plan.starts_from(0).collect::<Vec<_>>(), [[0, 0], [1, 0], [2, 0]]);
}

#[test]
fn two_scalars_are_one_run_of_one() {
    let plan = plan([&[], &[]]);
    assert_eq!((plan.run(), plan.elements()), (1, 1));
    assert_eq!(plan.starts_from(0).count(), 1);
}

#[test]
fn an_empty_output_has_no_runs() {
    let plan = plan([&[0, 3], &[1]]);
    assert_eq!(plan.starts_from(0).count(), 0);
    assert_eq!(&plan.shape()[..], [0, 3]);
}

#[test]
fn shapes_that_do_not_broadcast_are_an_error() {
    let error = Broadcast::new([&[2, 3][..], &[2]]).unwrap_err();
    assert!(matches!(error, NumericError::Broadcast(_)));
}

#[test]
fn an_output_too_large_for_memory_is_an_error() {
    let error = Broadcast::new([&[1 << 40, 1][..], &[1 << 40]]).unwrap_err();
    assert!(matches!(error, NumericError::Value(ValueError::TooLarge { .. })));
}
