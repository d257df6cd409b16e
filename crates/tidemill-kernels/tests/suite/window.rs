use tidemill_kernels::window::{Padding, Slide};
use tidemill_value::Dim;

fn slide(stride: usize, dilation: usize, padding: Padding) -> Slide {
    Slide { stride, dilation, padding }
}

#[test]
fn padding_to_the_same_extent_puts_the_odd_element_behind() {
    let window = slide(2, 1, Padding::Same).window(6, 3).unwrap();
    assert_eq!((window.output(), window.padding()), (3, (0, 1)));
    let window = slide(1, 2, Padding::Same).window(5, 3).unwrap();
    assert_eq!((window.output(), window.padding()), (5, (2, 2)));
    let window = slide(3, 1, Padding::Same).window(7, 1).unwrap();
    assert_eq!((window.output(), window.padding()), (3, (0, 0)));
}

#[test]
fn a_filter_longer_than_the_input_has_no_window() {
    assert_eq!(slide(1, 1, Padding::Valid).window(2, 3).unwrap().output(), 0);
    assert_eq!(slide(1, 1, Padding::Valid).window(0, 1).unwrap().output(), 0);
    assert_eq!(slide(1, 1, Padding::Same).window(0, 3).unwrap().output(), 0);
    assert_eq!(slide(2, 2, Padding::Explicit(1, 1)).window(2, 3).unwrap().output(), 0);
}

#[test]
fn taps_are_those_that_lie_on_the_input() {
    for padding in [Padding::Same, Padding::Valid, Padding::Explicit(5, 4)] {
        for (stride, dilation, filter) in [(1, 1, 3), (2, 1, 4), (1, 3, 3), (3, 2, 2)] {
            let window = slide(stride, dilation, padding).window(9, filter).unwrap();
            for i in 0..window.output() {
                let on_input = |tap: &usize| {
                    let position = i * stride + tap * dilation;
                    (window.padding().0..window.padding().0 + 9).contains(&position)
                };
                let expected: Vec<usize> = (0..filter).filter(on_input).collect();
                assert_eq!(window.taps(i).collect::<Vec<_>>(), expected);
            }
        }
    }
}

#[test]
fn impossible_windows_are_errors() {
    assert!(slide(0, 1, Padding::Same).window(4, 2).is_err());
    assert!(slide(1, 0, Padding::Same).window(4, 2).is_err());
    assert!(slide(1, 1, Padding::Same).window(4, 0).is_err());
    assert!(slide(1, usize::MAX, Padding::Valid).window(4, 3).is_err());
    assert!(slide(usize::MAX, 1, Padding::Same).window(4, usize::MAX).is_err());
    assert!(slide(1, 1, Padding::Explicit(usize::MAX, 1)).window(4, 3).is_err());
}

#[test]
fn what_is_unknown_leaves_the_number_of_windows_unknown() {
    let (same, valid) = (slide(2, 1, Padding::Same), slide(2, 1, Padding::Valid));
    assert_eq!(same.output(5.into(), Dim::UNKNOWN), Ok(3.into()));
    assert_eq!(valid.output(5.into(), Dim::UNKNOWN), Ok(Dim::UNKNOWN));
    assert_eq!(valid.output(Dim::UNKNOWN, 3.into()), Ok(Dim::UNKNOWN));
    assert_eq!(valid.output(5.into(), 3.into()), Ok(2.into()));
    assert!(slide(0, 1, Padding::Same).output(Dim::UNKNOWN, Dim::UNKNOWN).is_err());
}
