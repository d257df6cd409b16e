use std::iter::repeat;

use tidemill_value::{DType, Value, ValueError};

use crate::moved::{Moved, build, read};
use crate::pool::{TILE, for_each_chunk_mut};
use crate::{Broadcast, NumericError};

/// Takes elements of `a` where `condition` is true, and of `b` elsewhere; all three broadcast.
/// TensorFlow's `SelectV2`.
///
/// `condition` is of type `bool`, `a` and `b` are of one type, any.
///
/// # Errors
/// [`NumericError::Broadcast`] if the shapes do not broadcast, [`NumericError::Value`] if the types
/// do not fit.
pub fn select(condition: &Value, a: &Value, b: &Value) -> Result<Value, NumericError> {
    let plan = Broadcast::new([condition.shape(), a.shape(), b.shape()])?;
    let condition = condition.as_slice()?;
    let dtype = a.dtype();
    if dtype == DType::Variant {
        return Err(ValueError::DType { expected: dtype, actual: b.dtype() }.into());
    }
    match_moved!(dtype, T => {
        let (a, b) = (read::<T>(a, dtype)?, read::<T>(b, dtype)?);
        build(dtype, plan.shape().clone(), |out| select_runs(&plan, condition, a, b, out))
    })
}

fn select_runs<T: Moved>(plan: &Broadcast<3>, condition: &[bool], a: &[T], b: &[T], out: &mut [T]) {
    let run = plan.run();
    let [condition_advances, a_advances, b_advances] = plan.advances();
    let select_run = |out: &mut [T], [c, a_start, b_start]: [usize; 3]| {
        let condition = &condition[c..];
        let (a, b) = (&a[a_start..], &b[b_start..]);
        match (condition_advances, a_advances, b_advances) {
            (false, ..) if condition[0] => fill(a, a_advances, out),
            (false, ..) => fill(b, b_advances, out),
            (true, true, true) => choose(condition, a, b, out),
            (true, true, false) => choose(condition, a, repeat(&b[0]), out),
            (true, false, true) => choose(condition, repeat(&a[0]), b, out),
            (true, false, false) => choose(condition, repeat(&a[0]), repeat(&b[0]), out),
        }
    };
    let runs = TILE.div_ceil(run);
    for_each_chunk_mut(out, runs * run, |i, out| {
        let starts = plan.starts_from(i * runs);
        out.chunks_exact_mut(run).zip(starts).for_each(|(out, starts)| select_run(out, starts));
    });
}

fn fill<T: Clone>(from: &[T], advances: bool, out: &mut [T]) {
    if advances {
        out.clone_from_slice(&from[..out.len()]);
    } else {
        out.fill(from[0].clone());
    }
}

#[inline(always)]
fn choose<'a, T: Clone + 'a>(
    condition: &[bool],
    a: impl IntoIterator<Item = &'a T>,
    b: impl IntoIterator<Item = &'a T>,
    out: &mut [T],
) {
    for (((condition, a), b), o) in condition.iter().zip(a).zip(b).zip(out) {
        *o = if *condition { a.clone() } else { b.clone() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_value::{ByteString, DType, IntoValue};

    #[test]
    fn each_element_comes_from_the_side_the_condition_names() {
        let condition = Value::from([true, false, true]);
        let chosen = select(&condition, &[1, 2, 3].into(), &[10, 20, 30].into());
        assert_eq!(chosen, Ok([1, 20, 3].into()));
    }

    #[test]
    fn all_three_operands_broadcast() {
        let condition = [[true], [false]].into_value().unwrap();
        let a = Value::from([1.0_f32, 2.0, 3.0]);
        let b = Value::from(0.5_f32);
        let expected = [[1.0_f32, 2.0, 3.0], [0.5, 0.5, 0.5]].into_value().unwrap();
        assert_eq!(select(&condition, &a, &b), Ok(expected.clone()));
        assert_eq!(select(&Value::from(true), &expected, &b), Ok(expected));
    }

    #[test]
    fn strings_are_selected_too() {
        let (a, b) = (Value::from("a"), Value::from("b"));
        let chosen = select(&[false, true].into(), &a, &b).unwrap();
        assert_eq!(chosen.into_vec(), Ok(vec![ByteString::from("b"), ByteString::from("a")]));
    }

    #[test]
    fn nothing_is_selected_from_nothing() {
        let empty = Value::zeros(DType::F32, [0]).unwrap();
        let chosen = select(&Value::from(true), &empty, &Value::from(1.0_f32)).unwrap();
        assert_eq!(&chosen.shape()[..], [0]);
    }

    #[test]
    fn operands_of_two_types_are_an_error() {
        let error = select(&true.into(), &1.0_f32.into(), &1_i32.into()).unwrap_err();
        let expected = ValueError::DType { expected: DType::F32, actual: DType::I32 };
        assert_eq!(error, expected.into());
        assert!(select(&1_i32.into(), &1_i32.into(), &1_i32.into()).is_err());
    }
}
