//! Convolutions to the bit: each element is a sum in the order of its terms, 256 at a time, by fused
//! multiply-add where the machine has it.

use proptest::prelude::*;
use tidemill_kernels::conv::Convolution;
use tidemill_kernels::pool::{self, Context};
use tidemill_kernels::window::{Padding, Slide, Window};
use tidemill_value::{DType, Element, Memory, Value};

const TERMS: usize = 256;

/// A type that sums are written out for.
trait Float: Element + Copy + PartialEq {
    const ZERO: Self;
    fn of(number: f32) -> Self;
    fn fused(self, factor: Self, term: Self) -> Self;
    fn separate(self, factor: Self, term: Self) -> Self;
    fn plus(self, other: Self) -> Self;
}

macro_rules! float {
    ($($rust:ty),*) => {$(
        impl Float for $rust {
            const ZERO: Self = 0.0;
            fn of(number: f32) -> Self {
                number.into()
            }
            fn fused(self, factor: Self, term: Self) -> Self {
                self.mul_add(factor, term)
            }
            fn separate(self, factor: Self, term: Self) -> Self {
                self * factor + term
            }
            fn plus(self, other: Self) -> Self {
                self + other
            }
        }
    )*};
}

float!(f32, f64);

fn has_fused() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("fma") && is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    return cfg!(target_arch = "aarch64");
}

/// The sum of the products of pairs.
fn sum<T: Float>(pairs: &[(T, T)]) -> T {
    let fused = has_fused();
    let part = |pairs: &[(T, T)]| {
        pairs.iter().fold(
            T::ZERO,
            |sum, &(x, y)| {
                if fused { x.fused(y, sum) } else { x.separate(y, sum) }
            },
        )
    };
    pairs.chunks(TERMS).map(part).reduce(T::plus).unwrap_or(T::ZERO)
}

#[derive(Clone, Debug)]
struct Case {
    batch: usize,
    space: [usize; 3],
    taps: [usize; 3],
    slides: [Slide; 3],
    groups: usize,
    taken: usize,
    share: usize,
}

impl Case {
    fn plan(&self) -> Convolution {
        let Case { batch, space: [a, b, c], taps: [i, j, k], groups, taken, share, .. } = *self;
        let input = [batch, a, b, c, groups * taken];
        let plan = if taken == 1 && groups > 1 {
            Convolution::depthwise(&input, &[i, j, k, groups, share], &self.slides)
        } else {
            Convolution::new(&input, &[i, j, k, taken, groups * share], &self.slides)
        };
        plan.unwrap()
    }

    fn windows(&self) -> [Window; 3] {
        std::array::from_fn(|i| self.slides[i].window(self.space[i], self.taps[i]).unwrap())
    }

    /// The numbers of elements of the input, the filter and the result.
    fn volumes(&self) -> [usize; 3] {
        let windows = self.windows();
        let output: usize = windows.iter().map(Window::output).product();
        let taps: usize = self.taps.iter().product();
        let input: usize = self.space.iter().product();
        [
            self.batch * input * self.groups * self.taken,
            taps * self.groups * self.taken * self.share,
            self.batch * output * self.groups * self.share,
        ]
    }

    /// The place in the input of channel `c` of an element of a window, unless it is padding.
    fn input(&self, image: usize, window: [usize; 3], tap: [usize; 3], c: usize) -> Option<usize> {
        let windows = self.windows();
        let mut at = image;
        for i in 0..3 {
            if !windows[i].taps(window[i]).contains(&tap[i]) {
                return None;
            }
            at = at * self.space[i] + windows[i].position(window[i], tap[i]);
        }
        Some(at * self.groups * self.taken + c)
    }

    fn filter(&self, tap: [usize; 3], c: usize, filter: usize) -> usize {
        let [_, j, k] = self.taps;
        let tap = (tap[0] * j + tap[1]) * k + tap[2];
        (tap * self.taken + c) * self.groups * self.share + filter
    }

    fn output(&self, image: usize, window: [usize; 3], filter: usize) -> usize {
        let [a, b, c] = self.windows().map(|window| window.output());
        let at = ((image * a + window[0]) * b + window[1]) * c + window[2];
        at * self.groups * self.share + filter
    }

    fn outputs(&self) -> Vec<(usize, [usize; 3])> {
        let windows = positions(self.windows().map(|window| window.output()));
        (0..self.batch).flat_map(|image| windows.iter().map(move |&w| (image, w))).collect()
    }

    fn forward<T: Float>(&self, input: &[T], filter: &[T]) -> Vec<T> {
        let mut out = Vec::new();
        for (image, window) in self.outputs() {
            for k in 0..self.groups * self.share {
                let first = k / self.share * self.taken;
                let mut pairs = Vec::new();
                for tap in positions(self.taps) {
                    for c in 0..self.taken {
                        let x = self.input(image, window, tap, first + c);
                        let x = x.map_or(T::ZERO, |x| input[x]);
                        pairs.push((x, filter[self.filter(tap, c, k)]));
                    }
                }
                out.push(sum(&pairs));
            }
        }
        out
    }

    fn filter_gradient<T: Float>(&self, input: &[T], grad: &[T]) -> Vec<T> {
        let mut out = Vec::new();
        for tap in positions(self.taps) {
            for c in 0..self.taken {
                for k in 0..self.groups * self.share {
                    let channel = k / self.share * self.taken + c;
                    let pairs: Vec<_> = self
                        .outputs()
                        .into_iter()
                        .map(|(image, window)| {
                            let x = self.input(image, window, tap, channel);
                            let x = x.map_or(T::ZERO, |x| input[x]);
                            (x, grad[self.output(image, window, k)])
                        })
                        .collect();
                    out.push(sum(&pairs));
                }
            }
        }
        out
    }

    /// The gradient of the input. Its terms are the elements of the filter that meet an element with some
    /// padding, from the last one on.
    fn input_gradient<T: Float>(&self, filter: &[T], grad: &[T]) -> Vec<T> {
        let (windows, mut out) = (self.windows(), Vec::new());
        for image in 0..self.batch {
            for place in positions(self.space) {
                for channel in 0..self.groups * self.taken {
                    let (group, c) = (channel / self.taken, channel % self.taken);
                    let mut pairs = Vec::new();
                    for tap in positions(self.taps).into_iter().rev() {
                        let window: [isize; 3] = std::array::from_fn(|i| {
                            let before = place[i] + windows[i].padding().0;
                            before as isize - (tap[i] * windows[i].dilation()) as isize
                        });
                        let stride = windows.map(|window| window.stride() as isize);
                        if (0..3).any(|i| window[i].rem_euclid(stride[i]) != 0) {
                            continue;
                        }
                        let window: [isize; 3] = std::array::from_fn(|i| window[i] / stride[i]);
                        let inside =
                            (0..3).all(|i| (0..windows[i].output() as isize).contains(&window[i]));
                        for k in group * self.share..(group + 1) * self.share {
                            let window = window.map(|window| window as usize);
                            let y = match inside {
                                true => grad[self.output(image, window, k)],
                                false => T::ZERO,
                            };
                            pairs.push((y, filter[self.filter(tap, c, k)]));
                        }
                    }
                    out.push(sum(&pairs));
                }
            }
        }
        out
    }

    /// Whether the gradient of the input has the order of terms above.
    fn is_ordered(&self) -> bool {
        self.groups > 1 || self.taken > 4
    }
}

fn positions([a, b, c]: [usize; 3]) -> Vec<[usize; 3]> {
    let lines = (0..a).flat_map(|i| (0..b).map(move |j| (i, j)));
    lines.flat_map(|(i, j)| (0..c).map(move |k| [i, j, k])).collect()
}

fn noise<T: Float>(shape: &[usize], len: usize, seed: usize) -> (Vec<T>, Value) {
    let number = |i: usize| (((i + 3) * 7919 + seed * 613) % 1009) as f32 / 311.0 - 1.6;
    let numbers: Vec<T> = (0..len).map(|i| T::of(number(i))).collect();
    let value = Value::from_vec(shape, numbers.clone()).unwrap();
    (numbers, value)
}

/// Checks all three results, on up to four threads, in memory whose contents are not numbers.
fn check<T: Float>(case: &Case) {
    crate::prepare();
    let (plan, volumes) = (case.plan(), case.volumes());
    let Case { batch, space: [a, b, c], taps: [i, j, k], groups, taken, share, .. } = *case;
    let of_filter =
        if taken == 1 && groups > 1 { [groups, share] } else { [taken, groups * share] };
    let input = noise::<T>(&[batch, a, b, c, groups * taken], volumes[0], 1);
    let filter = noise::<T>(&[i, j, k, of_filter[0], of_filter[1]], volumes[1], 2);
    let grad = noise::<T>(plan.output(), volumes[2], 3);
    let expected = [
        case.forward(&input.0, &filter.0),
        case.filter_gradient(&input.0, &grad.0),
        case.input_gradient(&filter.0, &grad.0),
    ];
    for threads in 1..=4 {
        let memory = Memory::new();
        for power in 4..20 {
            let numbers = vec![T::of(f32::NAN); 1 << power];
            memory.recycle(Value::from_vec([1_usize << power], numbers).unwrap());
        }
        let actual = pool::with_context(&Context { threads, cancellation: None }, || {
            [
                plan.forward(&memory, &input.1, &filter.1).unwrap(),
                plan.filter_gradient(&memory, &input.1, &grad.1).unwrap(),
                plan.input_gradient(&memory, &filter.1, &grad.1).unwrap(),
            ]
        });
        for (i, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
            if i == 2 && !case.is_ordered() {
                continue;
            }
            let actual = actual.as_slice::<T>().unwrap();
            assert!(actual == expected, "result {i} on {threads} threads of {case:?}");
        }
    }
}

fn slide() -> impl Strategy<Value = Slide> {
    let padding = prop_oneof![
        3 => Just(Padding::Same),
        2 => Just(Padding::Valid),
        2 => (0_usize..4, 0_usize..4).prop_map(|(before, after)| Padding::Explicit(before, after)),
    ];
    (prop_oneof![4 => Just(1_usize), 2 => Just(2), 1 => 3_usize..7], 1_usize..4, padding).prop_map(
        |(stride, dilation, padding)| Slide {
            stride,
            dilation: if stride > 1 && dilation == 3 { 1 } else { dilation },
            padding,
        },
    )
}

prop_compose! {
    fn case()(
        batch in 1_usize..4,
        plane in prop_oneof![3 => Just(1_usize), 1 => 2_usize..4],
        line in (1_usize..10, 1_usize..14),
        taps in (1_usize..3, 1_usize..6, 1_usize..6),
        slides in (slide(), slide(), slide()),
        channels in prop_oneof![
            3 => (Just(1_usize), 1_usize..40, 1_usize..40),
            1 => (Just(1_usize), 60_usize..70, 1_usize..3),
            2 => (2_usize..4, 1_usize..12, 1_usize..20),
            2 => (2_usize..70, Just(1_usize), 1_usize..2),
            1 => (2_usize..9, Just(1_usize), 2_usize..4),
        ],
    ) -> Case {
        let (groups, taken, share) = channels;
        let front = if plane == 1 { 1 } else { taps.0 };
        let depth = if plane == 1 { Slide::UNIT } else { slides.0 };
        Case {
            batch,
            space: [plane, line.0, line.1],
            taps: [front, taps.1, taps.2],
            slides: [depth, slides.1, slides.2],
            groups,
            taken,
            share,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn convolutions_and_their_gradients_sum_terms_in_order(case in case()) {
        check::<f32>(&case);
        check::<f64>(&case);
    }
}

fn image(batch: usize, [height, width]: [usize; 2], taps: usize, slide: Slide) -> Case {
    let (space, taps) = ([1, height, width], [1, taps, taps]);
    let slides = [Slide::UNIT, slide, slide];
    Case { batch, space, taps, slides, groups: 1, taken: 1, share: 1 }
}

#[test]
fn many_windows_and_channels_are_summed_in_order() {
    let same = Slide { padding: Padding::Same, ..Slide::UNIT };
    let strided = Slide { stride: 2, ..same };
    // Lines longer than a tile, and images that share one.
    check::<f32>(&Case { taken: 3, share: 5, ..image(1, [2, 1100], 3, same) });
    check::<f32>(&Case { taken: 6, share: 33, ..image(40, [3, 3], 3, same) });
    check::<f32>(&Case { taken: 40, share: 70, ..image(2, [9, 9], 3, strided) });
    // Rows at multiples of a page.
    check::<f32>(&Case { taken: 1024, share: 3, ..image(1, [3, 3], 1, strided) });
    check::<f32>(&Case { taken: 512, share: 2, ..image(1, [3, 4], 3, same) });
    check::<f32>(&Case { groups: 100, ..image(1, [20, 30], 3, same) });
    // Windows of more elements than are summed at a time.
    check::<f32>(&Case { groups: 3, ..image(1, [20, 18], 17, same) });
}

#[test]
fn windows_far_apart_need_little_memory() {
    let far = 1 << 40;
    let slide = Slide { stride: 1, dilation: far, padding: Padding::Explicit(far, far) };
    let plan = Convolution::new(&[1, 5, 8], &[3, 8, 2], &[slide]).unwrap();
    let [input, filter] = [[1, 5, 8], [3, 8, 2]]
        .map(|shape| Value::from_vec(shape, vec![1.0_f32; shape.iter().product()]).unwrap());
    let out = plan.forward(&Memory::new(), &input, &filter).unwrap();
    assert_eq!(out.as_slice::<f32>().unwrap(), &[8.0; 10]);
    let grad = Value::from_vec([1, 5, 2], vec![1.0_f32; 10]).unwrap();
    let back = plan.input_gradient(&Memory::new(), &filter, &grad).unwrap();
    assert_eq!(back.as_slice::<f32>().unwrap(), &[2.0; 40]);
    let back = plan.filter_gradient(&Memory::new(), &input, &grad).unwrap();
    let middle = |i: usize| if (16..32).contains(&i) { 5.0 } else { 0.0 };
    assert_eq!(back.as_slice::<f32>().unwrap(), (0..48).map(middle).collect::<Vec<f32>>());
    assert_eq!(back.dtype(), DType::F32);
}
