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
    pub(crate) fn run(&self) -> usize {
        self.run
    }

    /// True for the operands that advance in a run; the others stay at one element.
    pub(crate) fn advances(&self) -> [bool; N] {
        self.advances
    }

    /// The start of each run in each operand, in the order of the output.
    #[cfg(test)]
    fn starts(&self) -> impl Iterator<Item = [usize; N]> {
        self.starts_from(0)
    }

    /// The start of each run in each operand, from run number `first` on.
    pub(crate) fn starts_from(&self, first: usize) -> impl Iterator<Item = [usize; N]> {
        Odometer::new(&self.outer, [0; N]).starting_at(first).take(self.elements)
    }

    /// The source of each output element in each operand, from element `first` on.
    pub(crate) fn positions_from(&self, first: usize) -> impl Iterator<Item = [usize; N]> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn plan<const N: usize>(shapes: [&[usize]; N]) -> Broadcast<N> {
        Broadcast::new(shapes).unwrap()
    }

    #[test]
    fn equal_shapes_are_one_run() {
        let plan = plan([&[2, 3, 4], &[2, 3, 4]]);
        assert_eq!((plan.run(), plan.advances()), (24, [true, true]));
        assert_eq!(plan.starts().collect::<Vec<_>>(), [[0, 0]]);
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
        let starts: Vec<_> = plan.starts().collect();
        assert_eq!(starts, [[0, 0], [6, 0], [12, 0], [18, 0], [24, 0]]);
    }

    #[test]
    fn a_walk_can_start_anywhere() {
        let plan = plan([&[3, 1, 4, 1], &[3, 5, 1, 2]]);
        let (starts, positions): (Vec<_>, Vec<_>) =
            (plan.starts().collect(), plan.positions_from(0).collect());
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
        assert_eq!(plan.starts().collect::<Vec<_>>(), [[0, 0], [1, 0], [2, 0]]);
    }

    #[test]
    fn two_scalars_are_one_run_of_one() {
        let plan = plan([&[], &[]]);
        assert_eq!((plan.run(), plan.elements()), (1, 1));
        assert_eq!(plan.starts().count(), 1);
    }

    #[test]
    fn an_empty_output_has_no_runs() {
        let plan = plan([&[0, 3], &[1]]);
        assert_eq!(plan.starts().count(), 0);
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
}
