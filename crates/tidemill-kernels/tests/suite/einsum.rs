use proptest::prelude::*;
use tidemill_kernels::einsum::{Label, einsum};
use tidemill_value::{Memory, Value};

use crate::support::*;

const LABELS: usize = 5;

/// An operand with these labels whose axes have these extents.
fn operand(labels: &[Label], extents: &[usize], seed: usize) -> Value {
    let shape: Vec<usize> = labels.iter().map(|&label| extents[label]).collect();
    filled(&shape, |i| ((i + seed) * 7919 % 11) as i64 - 5)
}

fn offset(labels: &[Label], extents: &[usize], position: &[usize]) -> usize {
    labels.iter().fold(0, |offset, &label| offset * extents[label] + position[label])
}

/// The sum over every position of all labels.
fn reference(operands: &[(&Value, &[Label])], output: &[Label], extents: &[usize]) -> Value {
    let mut sums = operand(output, extents, 0);
    sums.as_mut_slice::<i64>().unwrap().fill(0);
    let used = |label: usize| operands.iter().any(|(_, labels)| labels.contains(&label));
    let counted: Vec<usize> =
        (0..LABELS).map(|label| if used(label) { extents[label] } else { 1 }).collect();
    for number in 0..counted.iter().product() {
        let mut position = vec![0; LABELS];
        let mut rest = number;
        for (place, extent) in position.iter_mut().zip(&counted) {
            *place = rest % extent;
            rest /= extent;
        }
        let element = |(value, labels): &(&Value, &[Label])| {
            value.as_slice::<i64>().unwrap()[offset(labels, extents, &position)]
        };
        let product: i64 = operands.iter().map(element).product();
        sums.as_mut_slice::<i64>().unwrap()[offset(output, extents, &position)] += product;
    }
    sums
}

fn labels() -> impl Strategy<Value = Vec<Label>> {
    prop::collection::vec(0..LABELS, 0..5)
}

proptest! {
    #[test]
    fn sums_of_products_are_those_over_all_positions(
        left in labels(),
        right in labels(),
        choice in labels(),
        extents in prop::collection::vec(1_usize..4, LABELS),
    ) {
        let known = |label: &Label| left.contains(label) || right.contains(label);
        let output: Vec<Label> = choice.into_iter().filter(known).collect();
        let (x, y) = (operand(&left, &extents, 1), operand(&right, &extents, 2));
        let operands = [(&x, &left[..]), (&y, &right[..])];
        let expected = reference(&operands, &output, &extents);
        prop_assert_eq!(einsum(&Memory::new(), &operands, &output).unwrap(), expected);
    }

    #[test]
    fn one_operand_is_transposed_and_summed(
        labels in labels(),
        choice in labels(),
        extents in prop::collection::vec(0_usize..4, LABELS),
    ) {
        let output: Vec<Label> = choice.into_iter().filter(|x| labels.contains(x)).collect();
        let x = operand(&labels, &extents, 1);
        let operands = [(&x, &labels[..])];
        let expected = reference(&operands, &output, &extents);
        prop_assert_eq!(einsum(&Memory::new(), &operands, &output).unwrap(), expected);
    }
}

#[test]
fn an_extent_of_one_broadcasts() {
    let (x, y) = (value([[1, 2]]), value([[1, 1], [2, 2], [3, 3]]));
    let product = einsum(&Memory::new(), &[(&x, &[0, 1]), (&y, &[0, 1])], &[0, 1]).unwrap();
    assert_eq!(product, value([[1, 2], [2, 4], [3, 6]]));
    assert_eq!(einsum(&Memory::new(), &[(&x, &[0, 1]), (&y, &[0, 1])], &[]).unwrap(), value(18));
}

#[test]
fn what_does_not_fit_is_an_error() {
    let x = value([[1, 2, 3], [4, 5, 6]]);
    assert!(einsum(&Memory::new(), &[(&x, &[0])], &[0]).is_err());
    assert!(einsum(&Memory::new(), &[(&x, &[0, 0])], &[0]).is_err());
    assert!(einsum(&Memory::new(), &[(&x, &[0, 1])], &[2]).is_err());
    assert!(einsum(&Memory::new(), &[(&x, &[0, 1]), (&x, &[1, 2])], &[0, 2]).is_err());
    assert!(einsum(&Memory::new(), &[(&x, &[0, 1]), (&x, &[1, 0])], &[0]).is_err());
    assert!(einsum(&Memory::new(), &[], &[]).is_err());
}
