//! Updates of variables in place.

use tidemill_value::Element;

use crate::NumericError;
use crate::pool::{TILE, for_each_chunk_mut};

/// An element type of variables that can be trained: `f32` and `f64`.
pub trait Trainable: Element + Copy {
    #[doc(hidden)]
    fn descend(variable: &mut [Self], rate: Self, delta: &[Self]);
}

macro_rules! trainable {
    ($($rust:ty),*) => {$(
        impl Trainable for $rust {
            fn descend(variable: &mut [Self], rate: Self, delta: &[Self]) {
                for_each_chunk_mut(variable, TILE, |i, variable| {
                    for (x, delta) in variable.iter_mut().zip(&delta[i * TILE..]) {
                        *x -= rate * delta;
                    }
                });
            }
        }
    )*};
}

trainable!(f32, f64);

/// `variable ← variable - rate · delta`. TensorFlow's `ApplyGradientDescent`.
///
/// # Errors
/// [`NumericError::Length`] where `delta` is not as long as the variable, which then stays as it
/// is.
pub fn apply_gradient_descent<T: Trainable>(
    variable: &mut [T],
    rate: T,
    delta: &[T],
) -> Result<(), NumericError> {
    let (expected, actual) = (variable.len(), delta.len());
    if actual != expected {
        return Err(NumericError::Length { expected, actual });
    }
    T::descend(variable, rate, delta);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_leads_down_the_gradient() {
        let mut variable = [1.0_f32, -2.0, 0.5];
        apply_gradient_descent(&mut variable, 0.1, &[1.0, 0.0, -5.0]).unwrap();
        assert_eq!(variable, [1.0 - 0.1, -2.0, 0.5 + 0.1 * 5.0]);
    }

    #[test]
    fn a_gradient_of_another_length_changes_nothing() {
        let mut variable = [1.0_f64, 2.0];
        let error = NumericError::Length { expected: 2, actual: 1 };
        assert_eq!(apply_gradient_descent(&mut variable, 1.0, &[1.0]), Err(error));
        assert_eq!(variable, [1.0, 2.0]);
    }
}
