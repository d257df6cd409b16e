//! Segments, scans, order, scatters, diagonals and blocks against plain references.

use proptest::prelude::*;
use tidemill_kernels::layout::*;
use tidemill_kernels::order::{top_k, unique};
use tidemill_kernels::recurrence::{Segments, Start, recurrence, segment_recurrence};
use tidemill_kernels::scan::{Scan, cumsum};
use tidemill_kernels::segment::{Segment, unsorted_segment};
use tidemill_kernels::{NumericError, reduce};
use tidemill_value::{DType, Memory, Value};

use crate::support::*;

proptest! {
    #[test]
    fn the_largest_elements_come_in_order_with_their_places(
        row in prop::collection::vec(-5_i32..5, 1..30),
        count in 0_usize..30,
    ) {
        prop_assume!(count <= row.len());
        let mut places: Vec<usize> = (0..row.len()).collect();
        places.sort_by_key(|&place| (-row[place], place));
        places.truncate(count);
        let expected = places.iter().map(|&place| row[place]).collect();
        let places = places.iter().map(|&place| place as i32).collect();
        let found = top_k(&Memory::new(), &Value::list(row), count, DType::I32);
        prop_assert_eq!(found, Ok((Value::list(expected), Value::list(places))));
    }

    #[test]
    fn a_scan_is_the_sum_of_all_before(row in prop::collection::vec(-9_i64..9, 1..20), exclusive: bool, reverse: bool) {
        let sum = |i: usize| -> i64 {
            let own = usize::from(!exclusive);
            if reverse { row[i + 1 - own..].iter().sum() } else { row[..i + own].iter().sum() }
        };
        let expected = Value::list((0..row.len()).map(sum).collect());
        prop_assert_eq!(cumsum(&Memory::new(), &Value::list(row), 0, Scan { exclusive, reverse }), Ok(expected));
    }

    #[test]
    fn a_recurrence_gives_the_state_before_each_step(
        steps in prop::collection::vec((-2_i32..3, -9_i32..9), 1..20),
        first in -2_i32..3,
        reverse: bool,
    ) {
        let mut state = f64::from(first);
        let mut expected = vec![0.0; steps.len()];
        for i in 0..steps.len() {
            let i = if reverse { steps.len() - 1 - i } else { i };
            let (a, b) = steps[i];
            expected[i] = state;
            state = f64::from(b) + f64::from(a) * state;
        }
        let [a, b] = [|(a, _): &(i32, i32)| *a, |(_, b): &(i32, i32)| *b]
            .map(|part| Value::list(steps.iter().map(part).map(f64::from).collect()));
        let start = Start { initial: first as f32, reverse };
        prop_assert_eq!(recurrence(&Memory::new(), &a, &b, 0, start), Ok(Value::list(expected.clone())));
        let ids = Value::list(vec![1_i32; steps.len()]);
        let segments = Segments { ids: &ids, count: 2 };
        prop_assert_eq!(segment_recurrence(&Memory::new(), &a, &b, segments, start), Ok(Value::list(expected)));
    }

    #[test]
    fn segments_are_sums_of_their_rows(ids in prop::collection::vec(-1_i32..4, 0..20)) {
        let rows: Vec<i32> = (1..).take(ids.len()).collect();
        let sum = |segment: i32| rows.iter().zip(&ids).filter(|(_, id)| **id == segment)
            .map(|(x, _)| *x).sum::<i32>();
        let expected = Value::list((0..4).map(sum).collect());
        let (rows, ids) = (Value::list(rows.clone()), Value::list(ids.clone()));
        prop_assert_eq!(unsorted_segment(&Memory::new(), &rows, &ids, 4, Segment::Sum), Ok(expected));
    }

    #[test]
    fn blocks_moved_into_the_batch_come_back(batch in 1_usize..3, rows in 1_usize..4, block in 1_usize..4, before in 0_usize..3) {
        let extent = (rows * block).saturating_sub(before);
        prop_assume!(extent > 0);
        let around = [(before, rows * block - extent - before.min(rows * block - extent))];
        let x = filled(&[batch, extent, 2], |i| i as i32);
        let moved = space_to_batch(&Memory::new(), &x, &[block], &around).unwrap();
        prop_assert_eq!(moved.shape()[0], batch * block);
        prop_assert_eq!(batch_to_space(&Memory::new(), &moved, &[block], &around), Ok(x));
    }

    #[test]
    fn diagonals_set_are_those_taken(
        (rows, columns) in (1_usize..5, 1_usize..5),
        ends in (0_usize..8, 0_usize..8),
        left: bool,
    ) {
        let diagonal = |i: usize| (i % (rows + columns - 1)) as i64 - (rows as i64 - 1);
        let (first, last) = (diagonal(ends.0), diagonal(ends.1));
        let (lower, upper) = (first.min(last), first.max(last));
        let band = Band { lower, upper, aligns_upper_left: left, aligns_lower_left: !left };
        let (x, zero) = (filled(&[2, rows, columns], |i| i as i32 + 1), Value::from(0));
        let taken = matrix_diag_part(&Memory::new(), &x, band, &zero).unwrap();
        let zeros = Value::zeros(DType::I32, [2, rows, columns]).unwrap();
        let set = matrix_set_diag(zeros, &taken, band).unwrap();
        let expected = filled(&[2, rows, columns], |i| {
            let k = (i % columns) as i64 - (i / columns % rows) as i64;
            if (lower..=upper).contains(&k) { i as i32 + 1 } else { 0 }
        });
        prop_assert_eq!(set, expected);
    }

    #[test]
    fn what_is_scattered_is_gathered_again(extent in 1_usize..6, seed in 0_usize..9) {
        let updates = filled(&[extent, 2], |i| i as i32 + 1);
        let indices: Vec<i64> = (0..extent).map(|i| ((i + seed) % extent) as i64).collect();
        let indices = Value::from_vec([extent, 1], indices).unwrap();
        let scattered = scatter_nd(&Memory::new(), &indices, &updates, &[extent, 2].into()).unwrap();
        prop_assert_eq!(gather_nd(&Memory::new(), &scattered, &indices), Ok(updates));
    }

    #[test]
    fn mirror_images_and_their_gradient_keep_the_sum(extent in 2_usize..6, before in 0_usize..2, behind in 0_usize..2, skips: bool) {
        let x = filled(&[extent, 2], |i| i as i64);
        let padded = mirror_pad(&Memory::new(), &x, &[(before, behind), (0, 1)], skips).unwrap();
        let back = mirror_pad_grad(&Memory::new(), &padded, &[(before, behind), (0, 1)], skips).unwrap();
        prop_assert_eq!(back.shape(), x.shape());
        prop_assert_eq!(reduce::sum(&Memory::new(), &back, &[0, 1]), reduce::sum(&Memory::new(), &padded, &[0, 1]));
    }
}

#[test]
fn both_zeros_are_one_number_and_nan_is_none() {
    let found =
        unique(&Memory::new(), &Value::from([0.0_f32, -0.0, f32::NAN, f32::NAN]), DType::I32)
            .unwrap();
    assert_eq!(found.indices, Value::from([0, 0, 1, 2]));
    assert_eq!(found.counts, Value::from([2, 1, 1]));
}

#[test]
fn a_segment_of_infinities_is_infinite_and_one_of_nothing_finite() {
    let rows = Value::from([f32::NEG_INFINITY, f32::NEG_INFINITY]);
    let largest = unsorted_segment(&Memory::new(), &rows, &Value::from([0, 0]), 2, Segment::Max);
    assert_eq!(largest, Ok(Value::from([f32::NEG_INFINITY, f32::MIN])));
}

#[test]
fn an_image_longer_than_what_it_shows_is_an_error() {
    let error = NumericError::Mirror { axis: 0, before: 2, behind: 0, extent: 2 };
    assert_eq!(mirror_pad(&Memory::new(), &Value::from([1, 2]), &[(2, 0)], true), Err(error));
}
