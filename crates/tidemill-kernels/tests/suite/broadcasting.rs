use proptest::prelude::*;
use tidemill_kernels::elementwise::{AnyBinary, less, select, sub};
use tidemill_kernels::{Broadcast, NumericError};
use tidemill_value::{DType, Memory, Value, broadcast};

use crate::support::*;

/// Two shapes that broadcast, made by taking axes away from one and shrinking others to 1.
fn stretching(rank: usize) -> impl Strategy<Value = [Vec<usize>; 3]> {
    let change = prop::collection::vec((0..rank + 1, any::<u8>()), 3);
    (small_shape(rank), change).prop_map(|(shape, changes)| {
        let part = |(missing, ones): (usize, u8)| {
            let kept = shape.iter().enumerate().skip(missing.min(shape.len()));
            kept.map(|(i, &extent)| if ones >> i & 1 == 1 { 1 } else { extent }).collect()
        };
        [part(changes[0]), part(changes[1]), part(changes[2])]
    })
}

proptest! {
    #[test]
    fn operands_broadcast_as_positions_say([left, right, _] in stretching(5)) {
        let shape = broadcast(&left, &right).unwrap();
        let (x, y) = (filled(&left, |i| 1000 * i as i32), filled(&right, |i| i as i32));
        let elements = positions(&shape).into_iter().map(|position| {
            1000 * offset(&left, &position) as i32 - offset(&right, &position) as i32
        });
        let expected = Value::from_vec(shape.clone(), elements.collect()).unwrap();
        prop_assert_eq!(&binary(sub, &x, &y), &expected);
        let negative = expected.as_slice::<i32>().unwrap().iter().map(|x| *x < 0).collect();
        prop_assert_eq!(compare(less, &x, &y), Value::from_vec(shape, negative).unwrap());
    }

    #[test]
    fn a_selection_broadcasts_as_positions_say([condition, left, right] in stretching(4)) {
        let shape = broadcast(&condition, &broadcast(&left, &right).unwrap()).unwrap();
        let test = |i: usize| (7 * i).is_multiple_of(3);
        let elements = positions(&shape).into_iter().map(|position| {
            let (l, r) = (offset(&left, &position), offset(&right, &position));
            if test(offset(&condition, &position)) { l as i64 } else { -(r as i64) }
        });
        let expected = Value::from_vec(shape, elements.collect()).unwrap();
        let (x, y) = (filled(&left, |i| i as i64), filled(&right, |i| -(i as i64)));
        prop_assert_eq!(select(&Memory::new(), &filled(&condition, test), &x, &y), Ok(expected));
    }
}

#[test]
fn buffers_that_do_not_fit_the_plan_are_an_error() {
    let AnyBinary::F32(f) = sub(DType::F32).unwrap() else { panic!("of float32") };
    let plan = Broadcast::new([&[2, 3], &[3]]).unwrap();
    let mut out = [0.0; 6];
    let short = f.broadcast(&plan, &[0.0; 5], &[0.0; 3], &mut out);
    assert_eq!(short, Err(NumericError::Length { expected: 6, actual: 5 }));
    let long = f.broadcast(&plan, &[0.0; 6], &[0.0; 4], &mut out);
    assert_eq!(long, Err(NumericError::Length { expected: 3, actual: 4 }));
    let out = f.broadcast(&plan, &[0.0; 6], &[0.0; 3], &mut out[..5]);
    assert_eq!(out, Err(NumericError::Length { expected: 6, actual: 5 }));
}
