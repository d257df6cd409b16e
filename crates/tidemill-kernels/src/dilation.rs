//! Grey-scale dilation: the largest sums of images and a filter, and their gradients.

use tidemill_value::{Memory, Shape, Value, match_dtype};

use crate::NumericError;
use crate::number::Number;
use crate::output::{build, build_zeroed, expect_shape};
use crate::window::{Slide, Window};

/// A filter of shape `[height, width, channels]` that moves over images of shape
/// `[batch, height, width, channels]`.
#[derive(Clone, Debug)]
pub struct Dilation {
    input: Shape,
    filter: Shape,
    output: Shape,
    windows: [Window; 2],
}

/// The operand of a gradient.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Side {
    Input,
    Filter,
}

impl Dilation {
    /// Plans the dilation of images by a filter of these shapes.
    ///
    /// # Errors
    /// [`NumericError::Rank`] if there are not as many axes, [`NumericError::Channels`] if the
    /// channels differ, [`NumericError::Window`] if the filter cannot move.
    pub fn new(input: &Shape, filter: &Shape, slides: &[Slide; 2]) -> Result<Self, NumericError> {
        let [batch, height, width, channels] = input[..] else {
            return Err(NumericError::Rank { expected: 4, actual: input.rank() });
        };
        let [rows, columns, taken] = filter[..] else {
            return Err(NumericError::Rank { expected: 3, actual: filter.rank() });
        };
        if taken != channels {
            return Err(NumericError::Channels { channels, taken, filters: taken });
        }
        let windows = [slides[0].window(height, rows)?, slides[1].window(width, columns)?];
        let output = [batch, windows[0].output(), windows[1].output(), channels].into();
        Ok(Dilation { input: input.clone(), filter: filter.clone(), output, windows })
    }

    /// The largest sum of filter and image at each place of the filter; the lowest number if there
    /// is none, or none that is comparable. TensorFlow's `Dilation2D`.
    ///
    /// # Errors
    /// [`NumericError::UnsupportedDType`] if the elements are not numbers, [`NumericError::Shape`]
    /// if they are not of the shapes of the plan.
    pub fn forward(
        &self,
        memory: &Memory,
        input: &Value,
        filter: &Value,
    ) -> Result<Value, NumericError> {
        self.check(input, filter)?;
        match_dtype!(input.dtype(), numbers, T => {
            let (input, filter) = (input.as_slice::<T>()?, filter.as_slice::<T>()?);
            build(memory, self.output.clone(), |out: &mut [T]| {
                self.for_each(&mut |at, places| out[at] = largest(input, filter, places).0);
                Ok(())
            })
        }, else Err(NumericError::UnsupportedDType { dtype: input.dtype() }))
    }

    /// The gradient of one operand: the incoming gradient of each place of the filter goes to the
    /// first of its largest sums. TensorFlow's `Dilation2DBackpropInput` and
    /// `Dilation2DBackpropFilter`.
    ///
    /// # Errors
    /// As for [`forward`](Dilation::forward).
    pub fn gradient(
        &self,
        memory: &Memory,
        side: Side,
        input: &Value,
        filter: &Value,
        grad: &Value,
    ) -> Result<Value, NumericError> {
        self.check(input, filter)?;
        expect_shape(grad, &self.output)?;
        match_dtype!(input.dtype(), numbers, T => {
            let (input, filter) = (input.as_slice::<T>()?, filter.as_slice::<T>()?);
            let grads = grad.as_slice::<T>()?;
            build_zeroed(memory, self.operand(side).clone(), |out: &mut [T]| {
                self.for_each(&mut |at, places| {
                    if let Some(place) = winner(side, input, filter, places) {
                        out[place] = out[place].plus(grads[at]);
                    }
                });
                Ok(())
            })
        }, else Err(NumericError::UnsupportedDType { dtype: input.dtype() }))
    }

    /// For each output, the element of `values` at the position of its first largest sum in the
    /// operand `side`, whose shape `values` has: the gradient of [`gradient`](Dilation::gradient).
    ///
    /// # Errors
    /// As for [`forward`](Dilation::forward).
    pub fn pick(
        &self,
        memory: &Memory,
        side: Side,
        input: &Value,
        filter: &Value,
        values: &Value,
    ) -> Result<Value, NumericError> {
        self.check(input, filter)?;
        expect_shape(values, self.operand(side))?;
        match_dtype!(input.dtype(), numbers, T => {
            let (input, filter) = (input.as_slice::<T>()?, filter.as_slice::<T>()?);
            let values = values.as_slice::<T>()?;
            build_zeroed(memory, self.output.clone(), |out: &mut [T]| {
                self.for_each(&mut |at, places| {
                    if let Some(place) = winner(side, input, filter, places) {
                        out[at] = values[place];
                    }
                });
                Ok(())
            })
        }, else Err(NumericError::UnsupportedDType { dtype: input.dtype() }))
    }

    fn operand(&self, side: Side) -> &Shape {
        match side {
            Side::Input => &self.input,
            Side::Filter => &self.filter,
        }
    }

    fn check(&self, input: &Value, filter: &Value) -> Result<(), NumericError> {
        expect_shape(input, &self.input)?;
        expect_shape(filter, &self.filter)
    }

    /// Calls a function for each element of the output, in order, with the positions of the
    /// elements of image and filter whose sums it is the largest of.
    fn for_each(&self, f: &mut dyn FnMut(usize, &[[usize; 2]])) {
        let ([down, across], depth) = (&self.windows, self.input[3]);
        let (mut at, mut places) = (0, Vec::new());
        // An empty output may have a shape that is more than memory can hold.
        if self.output.elements().is_none_or(|count| count == 0) {
            return;
        }
        for image in 0..self.input[0] {
            for row in 0..down.output() {
                for column in 0..across.output() {
                    places.clear();
                    for i in down.taps(row) {
                        let line = (image * down.input() + down.position(row, i)) * across.input();
                        places.extend(across.taps(column).map(|j| {
                            let pixel = line + across.position(column, j);
                            [pixel * depth, (i * across.filter() + j) * depth]
                        }));
                    }
                    for _ in 0..depth {
                        f(at, &places);
                        at += 1;
                        places.iter_mut().for_each(|[pixel, tap]| {
                            *pixel += 1;
                            *tap += 1;
                        });
                    }
                }
            }
        }
    }
}

/// The position of an operand of the first largest sum; of the first sum, if none is comparable.
fn winner<T: Number + PartialOrd>(
    side: Side,
    input: &[T],
    filter: &[T],
    places: &[[usize; 2]],
) -> Option<usize> {
    let [pixel, tap] = largest(input, filter, places).1.or(places.first().copied())?;
    Some(if side == Side::Input { pixel } else { tap })
}

/// The largest sum, and the place of the first such.
fn largest<T: Number + PartialOrd>(
    input: &[T],
    filter: &[T],
    places: &[[usize; 2]],
) -> (T, Option<[usize; 2]>) {
    places.iter().fold((T::LOWEST, None), |(largest, first), place| {
        let sum = input[place[0]].plus(filter[place[1]]);
        if sum > largest { (sum, Some(*place)) } else { (largest, first) }
    })
}
