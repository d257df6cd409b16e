//! Operands of products, packed as the innermost loops read them.
//!
//! The right operand is packed by panels, which are as wide as a block; the last one may be one vector
//! wide. A panel has the numbers of its columns for each term in turn, with zeros beyond the last
//! column. A whole operand is packed [`TERMS`] terms at a time, the panels side by side.

use std::ops::Range;

use smallvec::SmallVec;

use super::micro::Micro;
use super::plan::{MatMul, Orientation, TERMS};
use crate::number::Number;
use crate::pool::for_each_chunk_mut;

/// The number of panels packed side by side.
const TOGETHER: usize = 4;

/// Some columns of a right operand that is not packed.
pub(super) struct Panels<'a, T: 'static> {
    pub(super) plan: &'a MatMul,
    pub(super) micro: Micro<T>,
    pub(super) right: &'a [T],
    pub(super) columns: Range<usize>,
}

impl<T: Number> Panels<'_, T> {
    /// Packs some terms, panel by panel.
    pub(super) fn pack(&self, terms: Range<usize>, out: &mut [T]) {
        let (plan, width) = (self.plan, self.micro.columns());
        let len = width * terms.len();
        let mut panels = panels(&self.micro, &self.columns);
        for out in out.chunks_mut(TOGETHER * len) {
            let group: SmallVec<[Range<usize>; TOGETHER]> =
                panels.by_ref().take(TOGETHER).collect();
            let is_whole =
                group.len() == TOGETHER && group.iter().all(|panel| panel.len() == width);
            if plan.right == Orientation::Normal && is_whole {
                // Rows are read over several panels: memory likes long reads.
                let columns = group[0].start..group[0].start + TOGETHER * width;
                let rows = self.right.chunks_exact(plan.columns).skip(terms.start);
                for (i, row) in rows.take(terms.len()).enumerate() {
                    let parts = row[columns.clone()].chunks_exact(width);
                    for (part, out) in parts.zip(out.chunks_exact_mut(len)) {
                        copy(part, &mut out[i * width..]);
                    }
                }
                continue;
            }
            for (columns, out) in group.into_iter().zip(out.chunks_mut(len)) {
                let out = &mut out[..padded_width(&self.micro, &columns) * terms.len()];
                self.pack_panel(columns, terms.clone(), out);
            }
        }
    }

    /// Packs some terms of the columns of a panel: for each term, numbers up to its width, of which
    /// those beyond the last column are zero.
    pub(super) fn pack_panel(&self, columns: Range<usize>, terms: Range<usize>, out: &mut [T]) {
        let (plan, width) = (self.plan, padded_width(&self.micro, &columns));
        match plan.right {
            Orientation::Normal => {
                let rows = &self.right[terms.start * plan.columns..];
                copy_parts(rows, plan.columns, columns.clone(), width, out);
            }
            Orientation::Transposed => {
                let list =
                    |i: usize| &self.right[(columns.start + i) * plan.inner..][terms.clone()];
                pack(&self.micro, list, columns.len(), width, out);
            }
        }
        if columns.len() < width {
            out.chunks_exact_mut(width).for_each(|out| out[columns.len()..].fill(T::ZERO));
        }
    }
}

/// The columns of each panel.
pub(super) fn panels<T: Number>(
    micro: &Micro<T>,
    columns: &Range<usize>,
) -> impl Iterator<Item = Range<usize>> + use<T> {
    let (end, width) = (columns.end, micro.columns());
    columns.clone().step_by(width).map(move |start| start..end.min(start + width))
}

/// The number of columns that a panel is padded to.
pub(super) fn padded_width<T: Number>(micro: &Micro<T>, columns: &Range<usize>) -> usize {
    if columns.len() > micro.lanes { micro.columns() } else { micro.lanes }
}

/// The number of columns that all panels of a right operand are padded to together.
pub(super) fn padded<T: Number>(micro: &Micro<T>, columns: usize) -> usize {
    columns.next_multiple_of(micro.lanes)
}

/// Packs a whole right operand, whose length has been checked, into `out`, which has
/// [`padded`] columns for each term.
pub(super) fn pack_right<T: Number>(plan: &MatMul, micro: Micro<T>, right: &[T], out: &mut [T]) {
    let (padded, group) = (padded(&micro, plan.columns), TOGETHER * micro.columns());
    for (i, out) in out.chunks_mut(TERMS * padded).enumerate() {
        let terms = i * TERMS..plan.inner.min((i + 1) * TERMS);
        for_each_chunk_mut(out, group * terms.len(), |i, out| {
            let columns = i * group..plan.columns.min((i + 1) * group);
            Panels { plan, micro, right, columns }.pack(terms.clone(), out);
        });
    }
}

/// Packs `count` lists: the first number of each, the second of each, and so on, each time at a
/// distance of `width`.
pub(super) fn pack<'a, T: Number>(
    micro: &Micro<T>,
    list: impl Fn(usize) -> &'a [T],
    count: usize,
    width: usize,
    out: &mut [T],
) {
    if count < 4 {
        for i in 0..count {
            for (out, &x) in out[i..].iter_mut().step_by(width).zip(list(i)) {
                *out = x;
            }
        }
        return;
    }
    let mut first = 0;
    while first < count {
        // The last four lists may have been packed in part.
        let start = first.min(count - 4);
        let lists = [0, 1, 2, 3].map(|i| list(start + i));
        micro.pack(lists, width, &mut out[start..]);
        first += 4;
    }
}

/// Copies a part of each row of a matrix, at distances of `width`.
#[inline(never)]
pub(super) fn copy_parts<T: Copy>(
    matrix: &[T],
    columns: usize,
    part: Range<usize>,
    width: usize,
    out: &mut [T],
) {
    for (row, out) in matrix.chunks_exact(columns).zip(out.chunks_exact_mut(width)) {
        copy(&row[part.clone()], out);
    }
}

/// Copies a few numbers to the beginning of `to`. So few are not worth a call.
#[inline(always)]
fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    let ((from, from_rest), (to, to_rest)) =
        (from.as_chunks::<4>(), to[..from.len()].as_chunks_mut::<4>());
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    for (to, from) in to_rest.iter_mut().zip(from_rest) {
        *to = *from;
    }
}
