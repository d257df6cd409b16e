//! Slices written with Rust's ranges.

use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use smallvec::SmallVec;
use tidemill_graph::{NodeBuilder, TensorRef};
use tidemill_value::{DType, Value};

use crate::operand::{composite, tensor};
use crate::ops::array::{STRIDED_SLICE, stack};
use crate::ops::cast::cast;
use crate::ops::constant::constant_node;
use crate::{Operand, Tensor, Variable};

/// A bound of a slice: a number, or a tensor of shape `[]`. Negative numbers count from the end of
/// an axis.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// Known when the graph is built.
    Number(i64),
    /// Computed in the graph.
    Tensor(Tensor),
}

/// The part of one axis that a slice takes. [`s!`](crate::s) builds a list of them.
#[derive(Clone, Copy, Debug)]
pub enum SliceItem {
    /// Takes one element, and drops the axis.
    Index(Bound),
    /// Takes the elements from `start` up to, but not including, `end`, by steps.
    Range {
        /// The first element; `None` starts at the beginning of the axis, or at its end if the step
        /// is negative.
        start: Option<Bound>,
        /// The element to stop before; `None` stops after the last element.
        end: Option<Bound>,
        /// The distance from one element to the next. If it is negative, they are taken in reverse
        /// order, from `start` down.
        step: i64,
    },
    /// Keeps all axes without another item.
    Ellipsis,
    /// Adds an axis of extent 1.
    NewAxis,
}

/// In [`s!`](crate::s), stands for all axes without another item.
#[derive(Clone, Copy, Debug)]
pub struct Ellipsis;

/// In [`s!`](crate::s), adds an axis of extent 1.
#[derive(Clone, Copy, Debug)]
pub struct NewAxis;

impl SliceItem {
    /// The same range, by steps of `step`. Other items do not change.
    pub fn by(self, step: impl Into<i64>) -> Self {
        match self {
            SliceItem::Range { start, end, .. } => {
                SliceItem::Range { start, end, step: step.into() }
            }
            other => other,
        }
    }

    fn range(start: Option<Bound>, end: Option<Bound>) -> Self {
        SliceItem::Range { start, end, step: 1 }
    }

    /// The range up to and including `last`.
    fn through(start: Option<Bound>, last: Bound) -> Self {
        let end = match last {
            // After the last element, no number counts from the end.
            Bound::Number(-1) => None,
            Bound::Number(last) => Some(Bound::Number(last.saturating_add(1))),
            Bound::Tensor(last) => Some(Bound::Tensor(last + 1)),
        };
        SliceItem::range(start, end)
    }
}

impl From<Ellipsis> for SliceItem {
    fn from(_: Ellipsis) -> Self {
        SliceItem::Ellipsis
    }
}

impl From<NewAxis> for SliceItem {
    fn from(_: NewAxis) -> Self {
        SliceItem::NewAxis
    }
}

impl From<RangeFull> for SliceItem {
    fn from(_: RangeFull) -> Self {
        SliceItem::range(None, None)
    }
}

macro_rules! items_from {
    ($($bound:ty: $convert:expr;)*) => {$(
        impl From<$bound> for Bound {
            fn from(bound: $bound) -> Self {
                $convert(bound)
            }
        }

        impl From<$bound> for SliceItem {
            fn from(index: $bound) -> Self {
                SliceItem::Index(index.into())
            }
        }

        impl From<Range<$bound>> for SliceItem {
            fn from(range: Range<$bound>) -> Self {
                SliceItem::range(Some(range.start.into()), Some(range.end.into()))
            }
        }

        impl From<RangeFrom<$bound>> for SliceItem {
            fn from(range: RangeFrom<$bound>) -> Self {
                SliceItem::range(Some(range.start.into()), None)
            }
        }

        impl From<RangeTo<$bound>> for SliceItem {
            fn from(range: RangeTo<$bound>) -> Self {
                SliceItem::range(None, Some(range.end.into()))
            }
        }

        impl From<RangeInclusive<$bound>> for SliceItem {
            fn from(range: RangeInclusive<$bound>) -> Self {
                let (first, last) = range.into_inner();
                SliceItem::through(Some(first.into()), last.into())
            }
        }

        impl From<RangeToInclusive<$bound>> for SliceItem {
            fn from(range: RangeToInclusive<$bound>) -> Self {
                SliceItem::through(None, range.end.into())
            }
        }
    )*};
}

items_from! {
    i32: |bound: i32| Bound::Number(bound.into());
    i64: Bound::Number;
    usize: |bound| Bound::Number(i64::try_from(bound).unwrap_or(i64::MAX));
    Tensor: Bound::Tensor;
}

/// Builds a slice for [`Tensor::slice`] from one item for each axis:
///
/// - `3` or `-1` takes one element and drops the axis;
/// - `1..4`, `..-1`, `2..`, `..` takes a range, `0..=2` with its end;
/// - `1..;2` takes every second element from number 1 on, `..;-1` all of them in reverse order;
/// - `NewAxis` adds an axis of extent 1;
/// - `Ellipsis` stands for all axes without another item.
///
/// Bounds are numbers, or tensors of shape `[]`. They mean the same as in Python: negative ones
/// count from the end, and those of ranges may lie beyond the ends. A step counts from the start of
/// its range, so a negative one needs a start above the end.
///
/// ```
/// use tidemill_ops::{NewAxis, constant, s};
/// let x = constant([[1, 2, 3, 4], [5, 6, 7, 8]]);
/// assert_eq!(x.slice(s![.., 1..-1]).shape().to_string(), "[2, 2]");
/// assert_eq!(x.slice(s![-1, NewAxis, ..;2]).shape().to_string(), "[1, 2]");
/// ```
#[macro_export]
macro_rules! s {
    (@ [$($items:expr,)*] $item:expr; $step:expr $(, $($rest:tt)*)?) => {
        $crate::s!(@ [$($items,)* $crate::SliceItem::from($item).by($step),] $($($rest)*)?)
    };
    (@ [$($items:expr,)*] $item:expr $(, $($rest:tt)*)?) => {
        $crate::s!(@ [$($items,)* $crate::SliceItem::from($item),] $($($rest)*)?)
    };
    (@ [$($items:expr,)*]) => { [$($items),*] };
    ($($rest:tt)*) => { $crate::s!(@ [] $($rest)*) };
}

impl Tensor {
    /// The part of the tensor that [`s!`](crate::s) describes: Python's `x[1:-1:2, ..., 3]` is
    /// `x.slice(s![1..-1;2, Ellipsis, 3])`. Axes without an item are kept whole.
    ///
    /// The gradient is that of the result, with zeros elsewhere.
    ///
    /// ```
    /// use tidemill_ops::{Ellipsis, constant, s, shape};
    /// let x = constant([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]);
    /// assert_eq!(x.slice(s![0, Ellipsis, ..1]).shape().to_string(), "[2, 1]");
    ///
    /// let rows = shape(x).slice(s![0]);
    /// let last = x.slice(s![rows - 1]);
    /// assert_eq!(last.shape().to_string(), "[2, 2]");
    /// ```
    ///
    /// # Errors
    /// More items than axes, more than one ellipsis, a step of 0, or an index out of range; if
    /// that depends on values, the run fails.
    #[doc(alias = "StridedSlice")]
    #[doc(alias = "getitem")]
    #[track_caller]
    pub fn slice(self, items: impl AsRef<[SliceItem]>) -> Tensor {
        let entries: Entries = items.as_ref().iter().enumerate().collect();
        composite(self.graph(), "strided_slice", |full| {
            let node = NodeBuilder::new(&STRIDED_SLICE).exact_name(full).input(self);
            let strides: Bounds = entries.strides.into_iter().map(Bound::Number).collect();
            let dtype = index_type(entries.begin.iter().chain(&entries.end).chain(&strides));
            let lists = [(entries.begin, "stack"), (entries.end, "stack_1"), (strides, "stack_2")];
            let node = lists.into_iter().fold(node, |node, (bounds, name)| {
                node.input(if self.is_invalid() { self } else { list(self, &bounds, dtype, name) })
            });
            let masks = [
                ("begin_mask", entries.begin_mask),
                ("end_mask", entries.end_mask),
                ("ellipsis_mask", entries.ellipsis_mask),
                ("new_axis_mask", entries.new_axis_mask),
                ("shrink_axis_mask", entries.shrink_axis_mask),
            ];
            tensor(masks.into_iter().fold(node, |node, (name, mask)| node.attr(name, mask)))
        })
    }
}

impl Variable {
    /// A slice of the variable's value, like [`Tensor::slice`].
    ///
    /// # Errors
    /// As for [`Tensor::slice`].
    #[track_caller]
    pub fn slice(self, items: impl AsRef<[SliceItem]>) -> Tensor {
        self.read().slice(items)
    }
}

type Bounds = SmallVec<[Bound; 4]>;

/// The items as the inputs and attributes of a strided slice.
#[derive(Default)]
struct Entries {
    begin: Bounds,
    end: Bounds,
    strides: SmallVec<[i64; 4]>,
    begin_mask: i64,
    end_mask: i64,
    ellipsis_mask: i64,
    new_axis_mask: i64,
    shrink_axis_mask: i64,
}

impl<'a> FromIterator<(usize, &'a SliceItem)> for Entries {
    fn from_iter<I: IntoIterator<Item = (usize, &'a SliceItem)>>(items: I) -> Self {
        let mut entries = Entries::default();
        for (i, item) in items {
            // Masks have no bits for more axes; there are none to slice either.
            let bit = u32::try_from(i).ok().and_then(|i| 1_i64.checked_shl(i)).unwrap_or(0);
            entries.add(*item, bit);
        }
        entries
    }
}

impl Entries {
    fn add(&mut self, item: SliceItem, bit: i64) {
        let zero = Bound::Number(0);
        let (begin, end, step) = match item {
            SliceItem::Index(index) => {
                self.shrink_axis_mask |= bit;
                (index, next(index), 1)
            }
            SliceItem::Range { start, end, step } => {
                self.begin_mask |= if start.is_none() { bit } else { 0 };
                self.end_mask |= if end.is_none() { bit } else { 0 };
                (start.unwrap_or(zero), end.unwrap_or(zero), step)
            }
            SliceItem::Ellipsis => {
                self.ellipsis_mask |= bit;
                (zero, zero, 1)
            }
            SliceItem::NewAxis => {
                self.new_axis_mask |= bit;
                (zero, zero, 1)
            }
        };
        self.begin.push(begin);
        self.end.push(end);
        self.strides.push(step);
    }
}

/// The bound after an index. Dropping the axis ignores it, but TensorFlow writes it.
fn next(index: Bound) -> Bound {
    match index {
        Bound::Number(index) => Bound::Number(index.saturating_add(1)),
        Bound::Tensor(index) => Bound::Tensor(index),
    }
}

/// The type of the lists: `int32`, unless a number or tensor among the bounds needs `int64`.
fn index_type<'a>(bounds: impl IntoIterator<Item = &'a Bound>) -> DType {
    let is_wide = |bound: &Bound| match bound {
        Bound::Number(number) => i32::try_from(*number).is_err(),
        Bound::Tensor(tensor) => tensor.dtype() == Some(DType::I64),
    };
    if bounds.into_iter().any(is_wide) { DType::I64 } else { DType::I32 }
}

/// Bounds as a list: a constant if they are numbers, or else a node that packs their tensors.
#[track_caller]
fn list(x: Tensor, bounds: &[Bound], dtype: DType, name: &'static str) -> Tensor {
    let graph = Some(TensorRef::from(x).graph());
    let numbers: Option<Vec<i64>> = bounds
        .iter()
        .map(|bound| match bound {
            Bound::Number(number) => Some(*number),
            Bound::Tensor(_) => None,
        })
        .collect();
    if let Some(numbers) = numbers {
        return match narrow(&numbers).filter(|_| dtype == DType::I32) {
            Some(numbers) => constant_node(graph, name, Value::list(numbers)),
            None => constant_node(graph, name, Value::list(numbers)),
        };
    }
    let part = |bound: &Bound| match *bound {
        Bound::Number(number) => Operand::from(number).to_tensor_of(graph, dtype, "Const"),
        Bound::Tensor(tensor) if tensor.dtype().is_none_or(|own| own == dtype) => tensor,
        Bound::Tensor(tensor) => cast(tensor, dtype),
    };
    stack(bounds.iter().map(part), 0)
}

fn narrow(numbers: &[i64]) -> Option<Vec<i32>> {
    numbers.iter().map(|&number| i32::try_from(number).ok()).collect()
}
