use tidemill_value::{Shape, ValueError, broadcast};

use crate::NumericError;
use crate::strided::{Axes, Axis, Odometer, coalesce};

/// The walk of an element-wise function over `N` operands that broadcast to one shape.
///
/// Axes that can be walked as one are joined, so that the output falls into runs as long as
/// possible. In a run, each operand either advances with the output or stays at one element.
/// The plan depends on the shapes alone and can be kept for as long as they do not change.
#[derive(Clone, Debug)]
pub struct Broadcast<const N: usize> {
    shape: Shape,
    elements: usize,
    operands: [usize; N],
    run: usize,
    advances: [bool; N],
    outer: Axes<N>,
}

impl<const N: usize> Broadcast<N> {
    /// Plans the walk over operands of these shapes.
    ///
    /// # Errors
    /// [`NumericError::Broadcast`] if the shapes do not broadcast, [`NumericError::Value`] if
    /// memory cannot hold the output.
    pub fn new(shapes: [&[usize]; N]) -> Result<Self, NumericError> {
        let mut shape = Shape::scalar();
        for operand in shapes {
            shape = broadcast(&shape, operand)?;
        }
        let elements = elements_of(&shape)?;
        let mut operands = [0; N];
        for (count, operand) in operands.iter_mut().zip(shapes) {
            *count = elements_of(&operand.into())?;
        }
        let mut outer = if elements == 0 { Axes::new() } else { walk(&shape, shapes) };
        let inner = outer.pop().unwrap_or(Axis { extent: 1, steps: [0; N] });
        let advances = inner.steps.map(|step| step == 1);
        Ok(Broadcast { shape, elements, operands, run: inner.extent, advances, outer })
    }

    /// The shape of the output.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The number of elements of the output.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// The number of output elements in a run. At least 1.
    #[doc(hidden)]
    pub fn run(&self) -> usize {
        self.run
    }

    /// True for the operands that advance in a run; the others stay at one element.
    #[doc(hidden)]
    pub fn advances(&self) -> [bool; N] {
        self.advances
    }

    /// The start of each run in each operand, from run number `first` on.
    #[doc(hidden)]
    pub fn starts_from(&self, first: usize) -> impl Iterator<Item = [usize; N]> {
        Odometer::new(&self.outer, [0; N]).starting_at(first).take(self.elements)
    }

    /// The source of each output element in each operand, from element `first` on.
    #[doc(hidden)]
    pub fn positions_from(&self, first: usize) -> impl Iterator<Item = [usize; N]> {
        let advances = self.advances.map(usize::from);
        let positions = self.starts_from(first / self.run).flat_map(move |starts| {
            (0..self.run).map(move |i| {
                let mut position = starts;
                for (position, advance) in position.iter_mut().zip(advances) {
                    *position += i * advance;
                }
                position
            })
        });
        positions.skip(first % self.run)
    }

    /// Checks that the buffers hold what their shapes say.
    pub(crate) fn check(&self, operands: [usize; N], output: usize) -> Result<(), NumericError> {
        let counts = operands.into_iter().chain([output]);
        for (actual, expected) in counts.zip(self.operands.into_iter().chain([self.elements])) {
            if actual != expected {
                return Err(NumericError::Length { expected, actual });
            }
        }
        Ok(())
    }
}

fn elements_of(shape: &Shape) -> Result<usize, ValueError> {
    shape.elements().ok_or_else(|| ValueError::TooLarge { shape: shape.clone() })
}

/// The joined axes of an output that has elements.
fn walk<const N: usize>(shape: &Shape, operands: [&[usize]; N]) -> Axes<N> {
    let strides = operands.map(|operand| Shape::from(operand).strides());
    coalesce((0..shape.rank()).map(|axis| {
        let mut steps = [0; N];
        for ((step, operand), strides) in steps.iter_mut().zip(operands).zip(&strides) {
            let own = (axis + operand.len()).checked_sub(shape.rank());
            if let Some(own) = own.filter(|&own| operand[own] != 1) {
                *step = strides[own] as isize;
            }
        }
        Axis { extent: shape[axis], steps }
    }))
}
