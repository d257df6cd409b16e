//! The part of each axis that a strided slice takes.

use crate::operations::operations;
use smallvec::SmallVec;
use tidemill_graph::{NodeView, OpError};
use tidemill_kernels::layout::Cut;
use tidemill_value::{Dim, PartialShape, Shape};

operations! {
    exports: StrideMasks;
}

/// The masks of a strided slice: bit `i` is for entry `i`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StrideMasks {
    /// Entries that ignore `begin` and start at the end of the axis that they come from.
    pub begin: i64,
    /// Entries that ignore `end` and continue to the last element.
    pub end: i64,
    /// The entry that stands for all axes without another entry.
    pub ellipsis: i64,
    /// Entries that add an axis of extent 1.
    pub new_axis: i64,
    /// Entries that take one element, and drop its axis.
    pub shrink_axis: i64,
}

/// The masks' names as attributes.
pub(super) const MASKS: [&str; 5] =
    ["begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"];

impl StrideMasks {
    pub(super) fn of(node: &NodeView<'_>) -> Result<Self, OpError> {
        let [begin, end, ellipsis, new_axis, shrink_axis] = MASKS.map(|name| node.int_attr(name));
        Ok(StrideMasks {
            begin: begin?,
            end: end?,
            ellipsis: ellipsis?,
            new_axis: new_axis?,
            shrink_axis: shrink_axis?,
        })
    }

    /// The masks in the order of [`MASKS`].
    pub(super) fn to_array(self) -> [i64; 5] {
        [self.begin, self.end, self.ellipsis, self.new_axis, self.shrink_axis]
    }
}

fn bit(mask: i64, i: usize) -> bool {
    i < 64 && (mask >> i) & 1 == 1
}

/// One entry of a strided slice, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    pub(super) begin: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) stride: Option<i64>,
}

/// The role of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece {
    /// A new one.
    New,
    /// One of the input, cut.
    Cut { cut: Option<Cut>, extent: Dim, is_kept: bool },
}

/// A strided slice of a shape.
#[derive(Clone, Debug)]
pub(super) struct Resolved(SmallVec<[Piece; 4]>);

impl Resolved {
    /// Matches the entries with the axes of a shape.
    pub(super) fn new(
        masks: StrideMasks,
        entries: &[Entry],
        dims: &[Dim],
    ) -> Result<Self, OpError> {
        let is_ellipsis = |i: &usize| bit(masks.ellipsis, *i);
        let takes_axis = |i: &usize| !is_ellipsis(i) && !bit(masks.new_axis, *i);
        if (0..entries.len()).filter(is_ellipsis).count() > 1 {
            return Err(OpError::attr("ellipsis_mask", "a slice can have only one ellipsis"));
        }
        let named = (0..entries.len()).filter(takes_axis).count();
        let Some(others) = dims.len().checked_sub(named) else {
            let rank = dims.len();
            return Err(OpError::shape(
                "input",
                format!("{named} axes are sliced, but there are {rank}"),
            ));
        };
        let mut pieces = SmallVec::new();
        let mut axes = dims.iter().enumerate();
        for (i, entry) in entries.iter().enumerate() {
            if is_ellipsis(&i) {
                pieces.extend(axes.by_ref().take(others).map(|(_, dim)| whole(*dim)));
            } else if bit(masks.new_axis, i) {
                pieces.push(Piece::New);
            } else if let Some((axis, dim)) = axes.next() {
                pieces.push(piece(masks, i, *entry, axis, *dim)?);
            }
        }
        pieces.extend(axes.map(|(_, dim)| whole(*dim)));
        Ok(Resolved(pieces))
    }

    /// The shape of the result.
    pub(super) fn shape(&self) -> PartialShape {
        let extent = |piece: &Piece| match *piece {
            Piece::New => Some(Dim::from(1)),
            Piece::Cut { extent, is_kept, .. } => is_kept.then_some(extent),
        };
        self.0.iter().filter_map(extent).collect()
    }

    /// The cuts of the axes of the input, if all are known.
    pub(super) fn cuts(&self) -> Option<SmallVec<[Cut; 4]>> {
        let cuts = self.0.iter().filter_map(|piece| match *piece {
            Piece::New => None,
            Piece::Cut { cut, .. } => Some(cut),
        });
        cuts.collect()
    }
}

/// An axis that stays as it is.
fn whole(dim: Dim) -> Piece {
    let cut = dim.known().map(|count| Cut { begin: 0, count, step: 1 });
    Piece::Cut { cut, extent: dim, is_kept: true }
}

fn piece(
    masks: StrideMasks,
    i: usize,
    entry: Entry,
    axis: usize,
    dim: Dim,
) -> Result<Piece, OpError> {
    if entry.stride == Some(0) {
        return Err(OpError::elements("strides", format!("the stride of axis {axis} is zero")));
    }
    if bit(masks.shrink_axis, i) {
        return element(entry, axis, dim);
    }
    let begin = if bit(masks.begin, i) { Some(None) } else { entry.begin.map(Some) };
    let end = if bit(masks.end, i) { Some(None) } else { entry.end.map(Some) };
    let cut = match (dim.known(), begin, end, entry.stride) {
        (Some(extent), Some(begin), Some(end), Some(stride)) => {
            Some(cut(begin, end, stride, extent))
        }
        _ => None,
    };
    let extent = match (cut, begin, end, entry.stride) {
        (Some(cut), ..) => Dim::from(cut.count),
        (None, Some(None), Some(None), Some(1 | -1)) => dim,
        _ => Dim::UNKNOWN,
    };
    Ok(Piece::Cut { cut, extent, is_kept: true })
}

/// One element of an axis, which is dropped.
fn element(entry: Entry, axis: usize, dim: Dim) -> Result<Piece, OpError> {
    if entry.stride.is_some_and(|stride| stride < 0) {
        let message = format!("axis {axis} is reduced to one element, so its stride must be 1");
        return Err(OpError::elements("strides", message));
    }
    let cut = match (entry.begin, dim.known()) {
        (Some(index), Some(extent)) => {
            let counted =
                if index < 0 { index.saturating_add_unsigned(extent as u64) } else { index };
            let begin = usize::try_from(counted).ok().filter(|&begin| begin < extent);
            let begin = begin.ok_or_else(|| {
                let message =
                    format!("index {index} is out of range for axis {axis} of extent {extent}");
                OpError::elements("begin", message)
            })?;
            Some(Cut { begin, count: 1, step: 1 })
        }
        _ => None,
    };
    Ok(Piece::Cut { cut, extent: Dim::from(1), is_kept: false })
}

/// The cut from `begin` up to, but not including, `end`. Bounds beyond the ends of the axis are
/// clamped, and `None` stands for the ends.
fn cut(begin: Option<i64>, end: Option<i64>, stride: i64, extent: usize) -> Cut {
    let extent = i128::try_from(extent).unwrap_or(i128::MAX);
    let stride = i128::from(stride);
    let (low, high) = if stride > 0 { (0, extent) } else { (-1, extent - 1) };
    let inside = |bound: i64| {
        let bound = i128::from(bound);
        (if bound < 0 { bound + extent } else { bound }).clamp(low, high)
    };
    let (first, last) = if stride > 0 { (low, high) } else { (high, low) };
    let (begin, end) = (begin.map_or(first, inside), end.map_or(last, inside));
    let distance = if stride > 0 { end - begin } else { begin - end };
    let count = distance.max(0).unsigned_abs().div_ceil(stride.unsigned_abs());
    // The distance is at most the extent, which is a `usize`.
    let count = usize::try_from(count).unwrap_or(0);
    match count {
        0 => Cut { begin: 0, count, step: 1 },
        _ => {
            let begin = usize::try_from(begin).unwrap_or(0);
            let step = if count == 1 { 1 } else { isize::try_from(stride).unwrap_or(1) };
            Cut { begin, count, step }
        }
    }
}

/// A known shape as dimensions.
pub(super) fn dims_of(shape: &Shape) -> SmallVec<[Dim; 4]> {
    shape.iter().map(|&extent| Dim::from(extent)).collect()
}
