use std::iter::repeat;

use tidemill_value::{DType, Memory, Value, ValueError};

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
pub fn select(
    memory: &Memory,
    condition: &Value,
    a: &Value,
    b: &Value,
) -> Result<Value, NumericError> {
    let plan = Broadcast::new([condition.shape(), a.shape(), b.shape()])?;
    let condition = condition.as_slice()?;
    let dtype = a.dtype();
    if dtype == DType::Variant {
        return Err(ValueError::DType { expected: dtype, actual: b.dtype() }.into());
    }
    match_moved!(dtype, T => {
        let (a, b) = (read::<T>(a, dtype)?, read::<T>(b, dtype)?);
        build(memory, dtype, plan.shape().clone(), |out| select_runs(&plan, condition, a, b, out))
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
