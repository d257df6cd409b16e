//! Convolutions against sums written out, and on several threads.

use tidemill_kernels::NumericError;
use tidemill_kernels::conv::Convolution;
use tidemill_kernels::pool::{self, Context};
use tidemill_kernels::window::{Padding, Slide, Window};
use tidemill_value::{DType, Memory, Value};

use crate::support::*;

/// A convolution of images, and the shapes of its operands.
struct Case {
    plan: Convolution,
    input: [usize; 4],
    filter: [usize; 4],
    windows: [Window; 2],
    depthwise: bool,
}

impl Case {
    fn new(input: [usize; 4], filter: [usize; 4], slides: [Slide; 2], depthwise: bool) -> Self {
        let plan = if depthwise { Convolution::depthwise } else { Convolution::new };
        let plan = plan(&input, &filter, &slides).unwrap();
        let windows = [0, 1].map(|i| slides[i].window(input[1 + i], filter[i]).unwrap());
        Case { plan, input, filter, windows, depthwise }
    }

    /// The positions of the elements of input, filter and output that meet.
    fn meetings(&self) -> Vec<[usize; 3]> {
        let [batch, height, width, channels] = self.input;
        let filters = self.plan.output()[3];
        let (taken, share) = match self.depthwise {
            true => (1, self.filter[3]),
            false => (self.filter[2], filters * self.filter[2] / channels),
        };
        let [down, across] = self.windows;
        let mut meetings = Vec::new();
        for n in 0..batch {
            for (y, i) in pairs(down) {
                for (x, j) in pairs(across) {
                    for (k, c) in (0..filters).flat_map(|k| (0..taken).map(move |c| (k, c))) {
                        let row = (n * height + down.position(y, i)) * width;
                        let channel = k / share * taken + c;
                        let pixel = (n * down.output() + y) * across.output() + x;
                        meetings.push([
                            (row + across.position(x, j)) * channels + channel,
                            ((i * across.filter() + j) * taken + c) * filters + k,
                            pixel * filters + k,
                        ]);
                    }
                }
            }
        }
        meetings
    }
}

/// Windows and their elements that lie on the input.
fn pairs(window: Window) -> impl Iterator<Item = (usize, usize)> {
    (0..window.output()).flat_map(move |i| window.taps(i).map(move |tap| (i, tap)))
}

fn cases() -> Vec<Case> {
    let slides = |stride, dilation, padding| [Slide { stride, dilation, padding }; 2];
    let mut cases = Vec::new();
    for padding in [Padding::Same, Padding::Valid, Padding::Explicit(2, 1)] {
        for (stride, dilation) in [(1, 1), (2, 1), (1, 2), (3, 2)] {
            let slides = slides(stride, dilation, padding);
            for (channels, taken, filters) in [(3, 3, 2), (4, 2, 6), (3, 1, 6)] {
                let filter = [2, 3, taken, filters];
                cases.push(Case::new([2, 7, 6, channels], filter, slides, false));
            }
            cases.push(Case::new([2, 7, 6, 3], [3, 2, 3, 1], slides, true));
            cases.push(Case::new([1, 5, 8, 2], [3, 2, 2, 3], slides, true));
        }
    }
    let one = slides(1, 1, Padding::Valid);
    cases.push(Case::new([2, 3, 4, 5], [1, 1, 5, 3], one, false));
    cases.push(Case::new([1, 2, 2, 1], [3, 3, 1, 1], one, false));
    cases.push(Case::new([0, 3, 3, 2], [2, 2, 2, 1], one, false));
    cases.push(Case::new([3, 40, 30, 2], [3, 3, 2, 2], slides(1, 1, Padding::Same), false));
    cases
}

fn noise(shape: &[usize], seed: usize) -> Value {
    filled(shape, |i| ((i * 31 + seed * 17) % 23) as f64 / 8.0 - 1.25)
}

/// Sums the products of `left[i]` and `right[j]` into element `k` of a value of `shape`.
fn sums(
    shape: &[usize],
    left: &Value,
    right: &Value,
    meetings: impl Iterator<Item = [usize; 3]>,
) -> Value {
    let mut out = vec![0.0; shape.iter().product()];
    let (left, right) = (left.as_slice::<f64>().unwrap(), right.as_slice::<f64>().unwrap());
    for [i, j, k] in meetings {
        out[k] += left[i] * right[j];
    }
    Value::from_vec(shape, out).unwrap()
}

fn assert_close(actual: &Value, expected: &Value) {
    assert_eq!(actual.shape(), expected.shape());
    let pairs = actual.as_slice::<f64>().unwrap().iter().zip(expected.as_slice::<f64>().unwrap());
    for (actual, expected) in pairs {
        assert!((actual - expected).abs() <= 1e-9 * (1.0 + expected.abs()), "{actual} {expected}");
    }
}

#[test]
fn convolutions_and_their_gradients_are_sums_of_products() {
    for case in cases() {
        let meetings = case.meetings();
        let (input, filter) = (noise(&case.input, 1), noise(&case.filter, 2));
        let grad = noise(case.plan.output(), 3);
        let expected = sums(case.plan.output(), &input, &filter, meetings.iter().copied());
        assert_close(&case.plan.forward(&Memory::new(), &input, &filter).unwrap(), &expected);
        let back = meetings.iter().map(|&[x, f, y]| [f, y, x]);
        let expected = sums(&case.input, &filter, &grad, back);
        assert_close(&case.plan.input_gradient(&Memory::new(), &filter, &grad).unwrap(), &expected);
        let back = meetings.iter().map(|&[x, f, y]| [x, y, f]);
        let expected = sums(&case.filter, &input, &grad, back);
        assert_close(&case.plan.filter_gradient(&Memory::new(), &input, &grad).unwrap(), &expected);
    }
}

#[test]
fn integers_are_convolved_as_floats_are() {
    for case in cases() {
        let whole = |shape: &[usize], seed| filled(shape, |i| ((i * 31 + seed) % 23) as i32 - 11);
        let (input, filter) = (whole(&case.input, 1), whole(&case.filter, 2));
        let float =
            |x: &Value| tidemill_kernels::elementwise::cast(&Memory::new(), x, DType::F64).unwrap();
        let expected = case.plan.forward(&Memory::new(), &float(&input), &float(&filter)).unwrap();
        assert_close(
            &float(&case.plan.forward(&Memory::new(), &input, &filter).unwrap()),
            &expected,
        );
    }
}

#[test]
fn convolutions_are_the_same_bits_on_any_number_of_threads() {
    for case in cases() {
        let (input, filter) = (noise(&case.input, 1), noise(&case.filter, 2));
        let grad = noise(case.plan.output(), 3);
        let compute = || {
            [
                case.plan.forward(&Memory::new(), &input, &filter).unwrap(),
                case.plan.input_gradient(&Memory::new(), &filter, &grad).unwrap(),
                case.plan.filter_gradient(&Memory::new(), &input, &grad).unwrap(),
            ]
        };
        let alone = compute();
        for threads in 2..=4 {
            let context = Context { threads, cancellation: None };
            let together = pool::with_context(&context, compute);
            assert!(alone.iter().zip(&together).all(|(l, r)| l.bits_eq(r)), "{threads} threads");
        }
    }
}

#[test]
fn operands_that_do_not_fit_are_errors() {
    let plan = |input: &[usize], filter: &[usize]| {
        Convolution::new(input, filter, &[Slide::UNIT, Slide::UNIT])
    };
    let channels =
        |channels, taken, filters| Err(NumericError::Channels { channels, taken, filters });
    assert_eq!(plan(&[1, 2, 2, 3], &[1, 1, 2, 4]), channels(3, 2, 4));
    assert_eq!(plan(&[1, 2, 2, 4], &[1, 1, 2, 3]), channels(4, 2, 3));
    assert_eq!(plan(&[1, 2, 2, 0], &[1, 1, 0, 3]), channels(0, 0, 3));
    assert!(matches!(plan(&[1, 2, 2], &[1, 1, 2, 3]), Err(NumericError::Rank { .. })));
    assert!(matches!(plan(&[1, 2, 2, 1], &[0, 1, 1, 1]), Err(NumericError::Window { .. })));
    let plan = plan(&[1, 2, 2, 1], &[1, 1, 1, 1]).unwrap();
    let (small, wrong) = (noise(&[1, 1, 1, 1], 0), noise(&[1, 1, 2, 1], 0));
    assert!(matches!(
        plan.forward(&Memory::new(), &wrong, &small),
        Err(NumericError::Shape { .. })
    ));
    let integers = |shape: [usize; 4]| Value::zeros(DType::I64, shape).unwrap();
    let refused = plan.forward(&Memory::new(), &integers([1, 2, 2, 1]), &integers([1, 1, 1, 1]));
    assert!(matches!(refused, Err(NumericError::UnsupportedDType { dtype: DType::I64 })));
}
