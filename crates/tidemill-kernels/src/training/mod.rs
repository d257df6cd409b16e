//! Steps of training: a variable and its slots, such as momenta, updated by a gradient in one pass
//! over memory, in place.
//!
//! The arithmetic is that of TensorFlow's kernels for the processor, operation by operation.

mod rules;

use smallvec::{SmallVec, smallvec};
use tidemill_value::{DType, Scalar, Shape, Value, match_dtype};

use crate::NumericError;
use crate::float::Float;
use crate::layout::Indices;
use crate::output::{expect_shape, volume};
use crate::pool::{TILE, for_each_chunks_mut};

/// The update rule of a variable. Each names the numbers it takes, in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// `alpha`.
    GradientDescent,
    /// `lr`, `momentum`.
    Momentum {
        /// True if the step looks ahead (Nesterov).
        nesterov: bool,
    },
    /// `lr`, `momentum`; the accumulator holds steps instead of gradients.
    KerasMomentum {
        /// True if the step looks ahead (Nesterov).
        nesterov: bool,
    },
    /// `lr`.
    Adagrad {
        /// True if the accumulator takes in the gradient.
        update_slots: bool,
    },
    /// `lr`, `epsilon`.
    AdagradV2 {
        /// True if the accumulator takes in the gradient.
        update_slots: bool,
    },
    /// `lr`, `l1`, `l2`, `global_step`.
    AdagradDa,
    /// `lr`, `rho`, `epsilon`.
    Adadelta,
    /// `lr`, `rho`, `momentum`, `epsilon`.
    RmsProp,
    /// `lr`, `rho`, `momentum`, `epsilon`.
    CenteredRmsProp,
    /// `beta1_power`, `beta2_power`, `lr`, `beta1`, `beta2`, `epsilon`.
    Adam {
        /// True if the step looks ahead (Nesterov).
        nesterov: bool,
    },
    /// `beta1_power`, `beta2_power`, `lr`, `beta1`, `beta2`, `epsilon`.
    AdamWithAmsgrad,
    /// `beta1_power`, `lr`, `beta1`, `beta2`, `epsilon`.
    AdaMax,
    /// `lr`, `l1`, `l2`, `lr_power`.
    Ftrl {
        /// True if the linear term is kept multiplied by the learning rate.
        multiply_linear_by_lr: bool,
    },
    /// `lr`, `l1`, `l2`, `l2_shrinkage`, `lr_power`.
    FtrlV2 {
        /// True if the linear term is kept multiplied by the learning rate.
        multiply_linear_by_lr: bool,
    },
    /// `alpha`, `l1`, `l2`.
    ProximalGradientDescent,
    /// `lr`, `l1`, `l2`.
    ProximalAdagrad,
    /// `lr`, `alpha`, `sign_decay`, `beta`.
    AddSign,
    /// `lr`, `logbase`, `sign_decay`, `beta`.
    PowerSign,
}

/// Updates a variable, the first of `states`, and its slots, the others, in place by the gradient
/// of all its elements. A shared buffer is copied first.
///
/// # Errors
/// [`NumericError::Shape`] if a slot or the gradient does not have the shape of the variable,
/// [`NumericError::Operands`] if the rule takes another number of numbers or slots. Nothing is
/// written then.
pub fn apply(
    rule: Rule,
    states: &mut [Value],
    numbers: &[&Value],
    gradient: &Value,
) -> Result<(), NumericError> {
    let shape = common_shape(states)?;
    expect_shape(gradient, &shape)?;
    update(rule, states, numbers, gradient, Parts::Whole)
}

/// As [`apply`], of the rows that `indices` name, one after the other, by one row of the gradient
/// each.
///
/// # Errors
/// As for [`apply`], and [`NumericError::IndexOutOfRange`] if there is no such row.
pub fn apply_rows(
    rule: Rule,
    states: &mut [Value],
    numbers: &[&Value],
    gradient: &Value,
    indices: &Value,
) -> Result<(), NumericError> {
    let shape = common_shape(states)?;
    let rows = rows_of(&shape, gradient, indices)?;
    update(rule, states, numbers, gradient, rows)
}

/// Checks that [`apply_rows`] can update a variable of `shape`.
///
/// # Errors
/// As for [`apply_rows`].
pub fn check_rows(shape: &Shape, gradient: &Value, indices: &Value) -> Result<(), NumericError> {
    rows_of(shape, gradient, indices).map(drop)
}

/// The result of [`apply`] for a variable that is a single number and has no slots; `None` if it is
/// not one, or the rule takes others.
pub fn apply_to_number(
    rule: Rule,
    variable: &Value,
    numbers: &[&Value],
    gradient: &Value,
) -> Option<Scalar> {
    match_dtype!(variable.dtype(), floats, T => {
        let mut updated: T = variable.as_scalar()?;
        let gradient: T = gradient.as_scalar()?;
        let numbers = numbers.iter().map(|number| number.as_scalar());
        let work = Work {
            numbers: numbers.collect::<Option<_>>()?,
            states: smallvec![std::slice::from_mut(&mut updated)],
            gradient: std::slice::from_ref(&gradient),
            parts: Parts::Whole,
        };
        rules::apply::<T>(rule, work).ok()?;
        Some(updated.into())
    }, else None)
}

fn rows_of<'a>(
    shape: &Shape,
    gradient: &Value,
    indices: &'a Value,
) -> Result<Parts<'a>, NumericError> {
    let ([extent, row @ ..], [count]) = (&shape[..], &indices.shape()[..]) else {
        let (expected, actual) = (1, shape.rank().min(indices.shape().rank()));
        return Err(NumericError::Rank { expected, actual });
    };
    let rows: Shape = [*count].iter().chain(row).copied().collect();
    expect_shape(gradient, &rows)?;
    Ok(Parts::Rows(Indices::below(indices, *extent)?, volume(row)))
}

fn common_shape(states: &[Value]) -> Result<Shape, NumericError> {
    let [variable, slots @ ..] = states else { return Err(NumericError::NoOperands) };
    slots.iter().try_for_each(|slot| expect_shape(slot, variable.shape()))?;
    Ok(variable.shape().clone())
}

/// The elements of a variable that are updated.
#[derive(Clone, Copy)]
enum Parts<'a> {
    Whole,
    /// Rows of this many elements.
    Rows(Indices<'a>, usize),
}

/// The states that a rule updates, and its numbers.
struct Work<'a, T> {
    states: SmallVec<[&'a mut [T]; 4]>,
    numbers: SmallVec<[T; 6]>,
    gradient: &'a [T],
    parts: Parts<'a>,
}

fn update(
    rule: Rule,
    states: &mut [Value],
    numbers: &[&Value],
    gradient: &Value,
    parts: Parts<'_>,
) -> Result<(), NumericError> {
    let dtype = gradient.dtype();
    match_dtype!(dtype, floats, T => {
        let gradient = gradient.as_slice::<T>()?;
        let numbers = numbers.iter().map(|number| to_number(number)).collect::<Result<_, _>>()?;
        let states = states.iter_mut().map(Value::as_mut_slice).collect::<Result<_, _>>()?;
        rules::apply::<T>(rule, Work { states, numbers, gradient, parts })
    }, else Err(NumericError::UnsupportedDType { dtype }))
}

fn to_number<T: Float>(value: &Value) -> Result<T, NumericError> {
    Ok(match value.dtype() {
        DType::I64 => T::from_f64(value.to_scalar::<i64>()? as f64),
        _ => value.to_scalar()?,
    })
}

/// The step of one element of a variable and of its slots, given the element of the gradient.
trait Step<T, const N: usize>: Sync {
    /// Whether the loop has a copy for each instruction set.
    const VECTOR: bool;

    fn step(&self, states: [T; N], gradient: T) -> [T; N];
}

impl<T: Float> Work<'_, T> {
    /// The numbers, if there are `N`.
    fn numbers<const N: usize>(&self) -> Result<[T; N], NumericError> {
        let actual = self.numbers.len();
        let numbers = <[T; N]>::try_from(&self.numbers[..]);
        numbers.map_err(|_| NumericError::Operands { expected: N, actual })
    }

    /// Whether only some rows are updated.
    fn is_sparse(&self) -> bool {
        matches!(self.parts, Parts::Rows(..))
    }

    fn run<S: Step<T, N>, const N: usize>(self, step: &S) -> Result<(), NumericError> {
        self.run_tiles(&|states, gradient| tile(step, states, gradient))
    }

    /// Compiled once per number of states, not per step.
    fn run_tiles<const N: usize>(
        self,
        tile: &(dyn Fn([&mut [T]; N], &[T]) + Sync),
    ) -> Result<(), NumericError> {
        let Work { states, gradient, parts, .. } = self;
        let actual = states.len();
        if actual != N {
            return Err(NumericError::Operands { expected: N, actual });
        }
        let mut states = states.into_iter();
        let mut states: [&mut [T]; N] = std::array::from_fn(|_| states.next().unwrap_or_default());
        match parts {
            Parts::Whole if gradient.len() <= TILE => tile(states, gradient),
            Parts::Whole => for_each_chunks_mut(states, TILE, |i, states| {
                let begin = i * TILE;
                tile(states, &gradient[begin..(begin + TILE).min(gradient.len())]);
            }),
            Parts::Rows(rows, width) if width > 0 => {
                for (row, gradient) in rows.iter().zip(gradient.chunks_exact(width)) {
                    let part = row * width..(row + 1) * width;
                    tile(states.each_mut().map(|state| &mut state[part.clone()]), gradient);
                }
            }
            Parts::Rows(..) => {}
        }
        Ok(())
    }
}

/// The number of elements loaded at once, so that the processor need not check whether slices
/// overlap before it computes several at a time.
const BLOCK: usize = 128;
/// The same at the end of slices, where missing elements are computed along with the others.
const SMALL: usize = 16;

#[allow(clippy::needless_range_loop)]
fn tile<T: Float, S: Step<T, N>, const N: usize>(
    step: &S,
    mut states: [&mut [T]; N],
    gradient: &[T],
) {
    // A single number is not worth a block.
    if let [gradient] = gradient {
        let mut values = [T::ZERO; N];
        for n in 0..N {
            values[n] = states[n][0];
        }
        let updated = step.step(values, *gradient);
        for n in 0..N {
            states[n][0] = updated[n];
        }
        return;
    }
    if S::VECTOR {
        return vector_tile(step, states, gradient);
    }
    for begin in (0..gradient.len()).step_by(SMALL) {
        let end = (begin + SMALL).min(gradient.len());
        block::<T, S, N, SMALL>(step, &mut states, gradient, begin..end);
    }
}

vectorized! {
    if true;
    fn vector_tile<T, S; const N>(step: &S, states: [&mut [T]; N], gradient: &[T])
    where [T: Float, S: Step<T, N>]
    {
        let mut states = states;
        let full = gradient.len() - gradient.len() % BLOCK;
        for begin in (0..full).step_by(BLOCK) {
            block::<T, S, N, BLOCK>(step, &mut states, gradient, begin..begin + BLOCK);
        }
        for begin in (full..gradient.len()).step_by(SMALL) {
            let end = (begin + SMALL).min(gradient.len());
            block::<T, S, N, SMALL>(step, &mut states, gradient, begin..end);
        }
    }
}

// Loops instead of iterators and maps of arrays, which are much code for each step.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn block<T: Float, S: Step<T, N>, const N: usize, const B: usize>(
    step: &S,
    states: &mut [&mut [T]; N],
    gradient: &[T],
    part: std::ops::Range<usize>,
) {
    let count = part.len().min(B);
    let mut values = [[T::ZERO; B]; N];
    let mut gradients = [T::ZERO; B];
    for n in 0..N {
        values[n][..count].copy_from_slice(&states[n][part.clone()]);
    }
    gradients[..count].copy_from_slice(&gradient[part.clone()]);
    for i in 0..B {
        let mut own = [T::ZERO; N];
        for n in 0..N {
            own[n] = values[n][i];
        }
        let updated = step.step(own, gradients[i]);
        for n in 0..N {
            values[n][i] = updated[n];
        }
    }
    for n in 0..N {
        states[n][part.clone()].copy_from_slice(&values[n][..count]);
    }
}
