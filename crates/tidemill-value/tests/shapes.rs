//! Shapes, known and partly known: broadcasting, merging and relaxing.

use proptest::prelude::*;
use tidemill_value::{Dim, PartialShape, Shape, ValueError, broadcast, shape};

fn broadcast_of(left: &[usize], right: &[usize]) -> Option<Vec<usize>> {
    broadcast(left, right).ok().map(|shape| shape.to_vec())
}

#[test]
fn axes_of_extent_one_and_missing_axes_stretch() {
    assert_eq!(broadcast_of(&[2, 3], &[3]), Some(vec![2, 3]));
    assert_eq!(broadcast_of(&[3, 1], &[1, 4]), Some(vec![3, 4]));
    assert_eq!(broadcast_of(&[], &[5, 6]), Some(vec![5, 6]));
    assert_eq!(broadcast_of(&[], &[]), Some(vec![]));
}

#[test]
fn an_empty_axis_meets_one_and_itself_only() {
    assert_eq!(broadcast_of(&[0], &[1]), Some(vec![0]));
    assert_eq!(broadcast_of(&[1, 0], &[4, 1]), Some(vec![4, 0]));
    assert_eq!(broadcast_of(&[0], &[2]), None);
}

#[test]
fn a_failed_broadcast_names_the_axis_and_both_extents() {
    let error = broadcast(&[4, 2, 3], &[5, 3]).unwrap_err();
    assert_eq!((error.axis, error.left_dim, error.right_dim), (2, 2, 5));
    let expected = "shapes [4, 2, 3] and [5, 3] do not broadcast: counted from the last, \
                    axis -2 is 2 on the left and 5 on the right, and neither is 1";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn element_counts_beyond_memory_are_unknown() {
    assert_eq!(Shape::from([2, 3]).elements(), Some(6));
    assert_eq!(Shape::scalar().elements(), Some(1));
    assert_eq!(Shape::from([1 << 40, 1 << 40]).elements(), None);
    assert_eq!(Shape::from([isize::MAX as usize, 2]).elements(), None);
    assert_eq!(Shape::from([1 << 40, 1 << 40, 0]).elements(), Some(0));
}

#[test]
fn strides_are_those_of_row_major_order() {
    assert_eq!(&Shape::from([2, 3, 4]).strides()[..], [12, 4, 1]);
    assert_eq!(&Shape::from([1 << 40, 1 << 40, 0]).strides()[..], [0, 0, 0]);
    assert!(Shape::scalar().strides().is_empty());
}

#[test]
fn shapes_print_as_lists() {
    assert_eq!(Shape::from([2, 3]).to_string(), "[2, 3]");
    assert_eq!(Shape::scalar().to_string(), "[]");
    assert_eq!(shape![?, 3].to_string(), "[?, 3]");
    assert_eq!(shape![..].to_string(), "<unknown>");
}

#[test]
fn the_macro_writes_every_kind_of_shape() {
    let rows = 7;
    assert_eq!(shape![], PartialShape::scalar());
    assert_eq!(shape![2, 3], PartialShape::from([2, 3]));
    assert_eq!(shape![?, rows * 2,], [Dim::UNKNOWN, Dim::from(14)].into_iter().collect());
    assert_eq!(shape![?, ?], PartialShape::of_rank(2));
    assert_eq!(shape![Some(4), None::<usize>], shape![4, ?]);
}

#[test]
fn merging_joins_what_two_shapes_know() {
    assert_eq!(shape![?, 3].merge(&shape![2, ?]), Ok(shape![2, 3]));
    assert_eq!(shape![..].merge(&shape![2, ?]), Ok(shape![2, ?]));
    assert_eq!(shape![2, ?].merge(&shape![..]), Ok(shape![2, ?]));
    let error = ValueError::Incompatible { left: shape![2, 3], right: shape![2, 4] };
    assert_eq!(shape![2, 3].merge(&shape![2, 4]), Err(error));
    assert!(shape![2].merge(&shape![2, 2]).is_err());
}

#[test]
fn a_partial_broadcast_concludes_what_it_can() {
    assert_eq!(shape![?, 3].broadcast(&shape![5, 1]), Ok(shape![5, 3]));
    assert_eq!(shape![?].broadcast(&shape![1]), Ok(shape![?]));
    assert_eq!(shape![?].broadcast(&shape![?]), Ok(shape![?]));
    assert_eq!(shape![..].broadcast(&shape![5]), Ok(shape![..]));
    assert!(shape![?, 2].broadcast(&shape![3]).is_err());
}

/// A shape that occurs in practice: few axes, small extents, many of them 1, some 0.
fn concrete() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![Just(0), Just(1), Just(1), Just(2), Just(3)], 0..4)
}

/// A concrete shape, and partial knowledge of it before a run.
fn known_in_part() -> impl Strategy<Value = (Vec<usize>, PartialShape)> {
    let hidden = prop::collection::vec(any::<bool>(), 4);
    (concrete(), hidden, prop::bool::weighted(0.1)).prop_map(|(shape, hidden, unknown)| {
        let dims = shape.iter().zip(hidden);
        let partial = dims.map(|(&dim, hidden)| Dim::from((!hidden).then_some(dim))).collect();
        (shape, if unknown { PartialShape::unknown() } else { partial })
    })
}

proptest! {
    #[test]
    fn a_broadcast_has_the_larger_extent_of_each_axis(left in concrete(), right in concrete()) {
        let rank = left.len().max(right.len());
        let padded = |shape: &[usize]| [vec![1; rank - shape.len()], shape.to_vec()].concat();
        let pairs: Vec<_> = padded(&left).into_iter().zip(padded(&right)).collect();
        let fits = pairs.iter().all(|(l, r)| l == r || *l == 1 || *r == 1);
        let expected = pairs.iter().map(|&(l, r)| if l == 1 { r } else { l }).collect();
        prop_assert_eq!(broadcast_of(&left, &right), fits.then_some(expected));
    }

    #[test]
    fn broadcasting_is_symmetric(left in concrete(), right in concrete()) {
        prop_assert_eq!(broadcast_of(&left, &right), broadcast_of(&right, &left));
    }

    #[test]
    fn a_partial_broadcast_admits_the_concrete_one(
        (left, partial_left) in known_in_part(),
        (right, partial_right) in known_in_part(),
    ) {
        if let Some(concrete) = broadcast_of(&left, &right) {
            let partial = partial_left.broadcast(&partial_right).unwrap();
            prop_assert!(partial.admits(&concrete), "{} does not admit {:?}", partial, concrete);
        }
    }

    #[test]
    fn a_known_partial_broadcast_is_the_concrete_one(left in concrete(), right in concrete()) {
        let partial = PartialShape::from(&left[..]).broadcast(&PartialShape::from(&right[..]));
        let known = partial.ok().map(|shape| shape.known().unwrap().to_vec());
        prop_assert_eq!(known, broadcast_of(&left, &right));
    }

    #[test]
    fn a_partial_shape_admits_the_shape_it_comes_from((shape, partial) in known_in_part()) {
        prop_assert!(partial.admits(&shape));
    }

    #[test]
    fn a_merge_admits_what_both_admit(
        (shape, first) in known_in_part(),
        (other, second) in known_in_part(),
    ) {
        if let Ok(merged) = first.merge(&second) {
            for shape in [shape, other] {
                let both = first.admits(&shape) && second.admits(&shape);
                prop_assert_eq!(merged.admits(&shape), both);
            }
        } else {
            prop_assert!(!(first.admits(&other) && second.admits(&other)));
        }
    }

    #[test]
    fn relaxing_admits_what_either_admits(
        (shape, first) in known_in_part(),
        (other, second) in known_in_part(),
    ) {
        let relaxed = first.relax(&second);
        prop_assert!(relaxed.admits(&shape) && relaxed.admits(&other));
        prop_assert_eq!(relaxed, second.relax(&first));
        prop_assert_eq!(first.relax(&first), first.clone());
    }
}
