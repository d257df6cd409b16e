//! Sums a gradient back to the shape of a broadcast operand.

use tidemill_graph::Fact;
use tidemill_ops::{Axes, Tensor, broadcast_gradient_args, reduce_sum, reshape, shape};
use tidemill_value::{Dim, PartialShape};

/// The gradient of operand `i` of an operation that broadcasts its operands to the shape of
/// `output`, from a gradient of that shape.
pub(crate) fn unbroadcast(
    grad: Tensor,
    operand: Tensor,
    output: Tensor,
    operands: &[Fact],
    i: usize,
) -> Tensor {
    let Some(stretched) = Stretched::of(operands, i, &output.shape()) else {
        let own = shape(operand);
        let (axes, _) = broadcast_gradient_args(own, shape(output));
        return reshape(reduce_sum(grad, axes), own);
    };
    let grad = match stretched.added.as_slice() {
        [] => grad,
        axes => reduce_sum(grad, axes),
    };
    match stretched.from_one.as_slice() {
        [] => grad,
        axes => reduce_sum(grad, Axes::from(axes).keep_dims()),
    }
}

/// The axes along which an operand was broadcast.
#[derive(PartialEq, Debug)]
struct Stretched {
    /// The axes that it lacks, as axes of the output.
    added: Vec<i64>,
    /// The axes along which its extent is 1, as its own axes.
    from_one: Vec<i64>,
}

impl Stretched {
    /// The axes along which operand `i` was broadcast; `None` if they are not known before a run.
    fn of(operands: &[Fact], i: usize, output: &PartialShape) -> Option<Self> {
        let (own, output) = (operands[i].shape.dims()?, output.dims()?);
        let added = output.len().checked_sub(own.len())?;
        let mut from_one = Vec::new();
        for (axis, (&dim, &result)) in own.iter().zip(&output[added..]).enumerate() {
            let from_last = own.len() - axis;
            match (dim.known(), result.known()) {
                (Some(1), Some(1)) => {}
                _ if others_are_one(operands, i, from_last) => {}
                (Some(1), _) => from_one.push(axis as i64),
                (Some(_), _) => {}
                (None, _) => return None,
            }
        }
        Some(Stretched { added: (0..added as i64).collect(), from_one })
    }
}

/// True if no operand but `i` can stretch the axis `from_last`, counted from the last, which is 1.
fn others_are_one(operands: &[Fact], i: usize, from_last: usize) -> bool {
    let is_one = |dim: &Dim| dim.known() == Some(1);
    operands.iter().enumerate().filter(|(other, _)| *other != i).all(|(_, fact)| {
        fact.shape.dims().is_some_and(|dims| {
            dims.len().checked_sub(from_last).is_none_or(|axis| is_one(&dims[axis]))
        })
    })
}

#[cfg(test)]
mod tests {
    use tidemill_value::{DType, shape};

    use super::*;

    #[track_caller]
    fn check(shapes: [PartialShape; 2], expected: Option<(&[i64], &[i64])>) {
        let output = shapes[0].broadcast(&shapes[1]).unwrap();
        let operands = shapes.map(|shape| Fact::new(DType::F32, shape));
        let expected = expected.map(|(added, from_one)| Stretched {
            added: added.to_vec(),
            from_one: from_one.to_vec(),
        });
        assert_eq!(Stretched::of(&operands, 0, &output), expected);
    }

    #[test]
    fn the_axes_that_were_stretched_are_told_from_known_shapes() {
        check([shape![2, 3], shape![2, 3]], Some((&[], &[])));
        check([shape![3], shape![2, 3]], Some((&[0], &[])));
        check([shape![1, 3], shape![2, 3]], Some((&[], &[0])));
        check([shape![1], shape![4, 2, 3]], Some((&[0, 1], &[0])));
        check([shape![1, 1], shape![1, 1]], Some((&[], &[])));
    }

    #[test]
    fn an_axis_of_unknown_extent_was_not_stretched_where_nothing_stretches_it() {
        check([shape![?, 3], shape![3]], Some((&[], &[])));
        check([shape![?, 3], shape![1, 3]], Some((&[], &[])));
        check([shape![3], shape![?, 3]], Some((&[0], &[])));
        check([shape![1, 3], shape![?, 3]], Some((&[], &[0])));
    }

    #[test]
    fn what_only_a_run_can_tell_is_left_to_it() {
        check([shape![?, 3], shape![?, 3]], None);
        check([shape![?, 3], shape![2, 3]], None);
        check([shape![..], shape![3]], None);
        check([shape![3], shape![..]], None);
    }
}
