use tidemill_kernels::internals::{Axis, Odometer, coalesce};

#[test]
fn an_axis_of_extent_one_and_a_seam_without_a_gap_vanish() {
    let axes = [
        Axis { extent: 2, steps: [12, 0] },
        Axis { extent: 1, steps: [99, 7] },
        Axis { extent: 3, steps: [4, 0] },
        Axis { extent: 4, steps: [1, 1] },
    ];
    let expected = [Axis { extent: 6, steps: [4, 0] }, Axis { extent: 4, steps: [1, 1] }];
    assert_eq!(coalesce(axes).as_slice(), expected);
}

#[test]
fn an_odometer_turns_the_last_axis_fastest() {
    let axes = [Axis { extent: 2, steps: [10, 0] }, Axis { extent: 3, steps: [-1, 2] }];
    let offsets: Vec<_> = Odometer::new(&axes, [5, 0]).collect();
    assert_eq!(offsets, [[5, 0], [4, 2], [3, 4], [15, 0], [14, 2], [13, 4]]);
}

#[test]
fn an_odometer_without_axes_stands_at_its_start_once() {
    assert_eq!(Odometer::new(&[], [3]).collect::<Vec<_>>(), [[3]]);
    let empty = [Axis { extent: 0, steps: [1] }];
    assert_eq!(Odometer::new(&empty, [0]).count(), 0);
}
