//! Filters, packed as the innermost loops read them.
//!
//! A panel has the numbers of its columns, which are as many as a block has, for each term in turn, with
//! zeros beyond the last column. The last panel may be one vector wide.

use std::array::from_fn;
use std::ops::Range;

use super::micro::Kernel;
use super::pass::Axis;
use crate::number::Number;

/// The columns of each panel.
pub(super) fn panels<T: Number>(
    kernel: &Kernel<T>,
    columns: Range<usize>,
) -> impl Iterator<Item = Range<usize>> + use<T> {
    let (end, width) = (columns.end, kernel.columns());
    columns.step_by(width).map(move |start| start..end.min(start + width))
}

/// The number of columns that a panel is padded to.
pub(super) fn padded_width<T: Number>(kernel: &Kernel<T>, columns: &Range<usize>) -> usize {
    if columns.len() > kernel.lanes { kernel.columns() } else { kernel.lanes }
}

/// A filter of shape `[space.., channels of a group, filters]`: a matrix of a row for each term and a
/// column for each result. In the gradient of the input, the terms are those of the filters.
#[derive(Clone, Copy)]
pub(super) struct Filter<'a, T> {
    pub(super) numbers: &'a [T],
    pub(super) extents: [usize; 3],
    pub(super) taken: usize,
    pub(super) filters: usize,
    pub(super) groups: usize,
    pub(super) is_transposed: bool,
}

impl<T: Number> Filter<'_, T> {
    /// The numbers of terms for each element of a window, and of columns, in a group.
    pub(super) fn sides(&self) -> [usize; 2] {
        let share = self.filters / self.groups;
        if self.is_transposed { [share, self.taken] } else { [self.taken, share] }
    }

    /// Packs some terms of the windows of a pass and some columns of a group, panel by panel.
    pub(super) fn pack(
        &self,
        kernel: &Kernel<T>,
        axes: &[Axis; 3],
        group: usize,
        (terms, columns): (Range<usize>, Range<usize>),
        out: &mut [T],
    ) {
        let [inner, _] = self.sides();
        let first = group * (self.filters / self.groups);
        if !self.is_transposed {
            let rows = &self.numbers[terms.start * self.filters + first..];
            return copy_panels(kernel, rows, self.filters, columns, out);
        }
        let mut panel_start = 0;
        for columns in panels(kernel, columns) {
            let width = padded_width(kernel, &columns);
            let panel = &mut out[panel_start..][..width * terms.len()];
            panel_start += panel.len();
            let (mut term, mut rest) = (terms.start, panel);
            while term < terms.end {
                let (tap, start) = (term / inner, term % inner);
                let count = (inner - start).min(terms.end - term);
                let (part, others) = rest.split_at_mut(count * width);
                let row = self.tap(axes, tap) * self.taken + columns.start;
                let rows = &self.numbers[row * self.filters + first + start..];
                transpose(rows, self.filters, columns.len(), width, part);
                (term, rest) = (term + count, others);
            }
        }
    }

    /// The number of the element of the filter that meets an element of a window.
    fn tap(&self, axes: &[Axis; 3], tap: usize) -> usize {
        let [_, down, across] = axes;
        let taps =
            [tap / across.taps / down.taps, tap / across.taps % down.taps, tap % across.taps];
        let [z, y, x] = from_fn(|i| axes[i].filter_tap(taps[i]));
        (z * self.extents[1] + y) * self.extents[2] + x
    }
}

/// Packs some columns of a matrix, which are all that `out` has room for. Rows are read over all panels:
/// memory likes long reads.
pub(super) fn copy_panels<T: Number>(
    kernel: &Kernel<T>,
    matrix: &[T],
    pitch: usize,
    columns: Range<usize>,
    out: &mut [T],
) {
    let terms = out.len() / columns.len().next_multiple_of(kernel.lanes);
    for term in 0..terms {
        let row = &matrix[term * pitch..][columns.clone()];
        for (i, row) in row.chunks(kernel.columns()).enumerate() {
            let width = padded_width(kernel, &(0..row.len()));
            let at = i * kernel.columns() * terms + term * width;
            let (to, beyond) = out[at..at + width].split_at_mut(row.len());
            let ((from, from_rest), (to, to_rest)) =
                (row.as_chunks::<4>(), to.as_chunks_mut::<4>());
            // So few numbers are not worth a call.
            to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            to_rest.iter_mut().zip(from_rest).for_each(|(to, from)| *to = *from);
            beyond.fill(T::ZERO);
        }
    }
}

/// Copies the first numbers of `count` rows, which are columns of `out`, with zeros beyond the last one.
fn transpose<T: Number>(rows: &[T], pitch: usize, count: usize, width: usize, out: &mut [T]) {
    let terms = out.len() / width;
    if count < width {
        out.chunks_exact_mut(width).for_each(|out| out[count..].fill(T::ZERO));
    }
    let (whole, whole_terms) = (count / 4 * 4, terms / 4 * 4);
    for column in (0..whole).step_by(4) {
        let lists: [&[T]; 4] = from_fn(|i| &rows[(column + i) * pitch..][..terms]);
        let [a, b, c, d] = lists.map(|list| list.as_chunks::<4>().0);
        let blocks = out.chunks_exact_mut(4 * width);
        for ((((a, b), c), d), out) in a.iter().zip(b).zip(c).zip(d).zip(blocks) {
            for (i, out) in out.chunks_exact_mut(width).enumerate() {
                out[column..column + 4].copy_from_slice(&[a[i], b[i], c[i], d[i]]);
            }
        }
        for term in whole_terms..terms {
            for (i, list) in lists.iter().enumerate() {
                out[term * width + column + i] = list[term];
            }
        }
    }
    for column in whole..count {
        for term in 0..terms {
            out[term * width + column] = rows[column * pitch + term];
        }
    }
}
