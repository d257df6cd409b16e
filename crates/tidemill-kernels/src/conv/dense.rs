//! Convolutions as products of windows and filters, without a matrix of the windows: the innermost loops
//! read the windows' numbers where they lie, or in a copy with the padding around it.
//!
//! An element of a result is summed as the products of matrices are: in the order of its terms,
//! [`TERMS`] at a time.

use std::array::from_fn;
use std::ops::Range;
use std::ptr::null_mut;

use smallvec::SmallVec;
use tidemill_value::{Element, Memory, Workspace};

use super::Convolution;
use super::filter::{Filter, padded_width, panels};
use super::micro::{Block, Kernel, Kernels, ROWS, Run};
use super::pass::Axis;
use super::strip::{Layout, Source};
use crate::NumericError;
use crate::matmul::{MatMul, Multiply, Orientation, Shared, TERMS};
use crate::output::volume;
use crate::pool::{for_each_chunk_mut, is_cancelled, threads, try_for_each_with};
use crate::window::Window;

/// The most lines of windows in a tile,
const LINES: usize = 128;
/// the most windows of a line,
const WIDTH: usize = 512;
/// the most columns,
const COLUMNS: usize = 512;
/// the number of windows for which reading the filter is worthwhile,
const WINDOWS: usize = 64;
/// and the most numbers of the source, so that a cache holds them.
const NUMBERS: usize = 1 << 16;
/// The least number of multiplications of a tile, if there are enough.
const WORK: usize = 1 << 20;
/// The most channels of an input whose gradient is too narrow for vectors.
const FEW: usize = 4;
/// The number of tiles for each thread, so that all are done at about the same time.
const TILES: usize = 4;

impl Convolution {
    /// Whether the input itself is its windows.
    pub(super) fn is_product(&self) -> bool {
        self.groups == 1 && self.windows.iter().all(Window::is_identity)
    }

    /// Computes a product that the convolution is.
    pub(super) fn multiply<T: Multiply>(
        memory: &Memory,
        left: ([usize; 2], Orientation, &[T]),
        right: ([usize; 2], Orientation, &[T]),
        out: &mut [T],
    ) -> Result<(), NumericError> {
        let plan = MatMul::new((left.0, left.1), (right.0, right.1))?;
        plan.run(left.2, right.2, out, &mut memory.workspace(plan.spare::<T>())?)
    }

    pub(super) fn forward_dense<T: Kernels + Multiply>(
        &self,
        memory: &Memory,
        input: &[T],
        filter: &[T],
        out: &mut [T],
    ) -> Result<(), NumericError> {
        if self.is_product() {
            let left = ([self.pixels(), self.channels], Orientation::Normal, input);
            let right = ([self.channels, self.filters], Orientation::Normal, filter);
            return Self::multiply(memory, left, right, out);
        }
        let axes = self.windows.each_ref().map(Axis::forward);
        let filter = self.filter(filter, false);
        let source = Source { numbers: input, axes, channels: self.channels };
        Pass::new(self.batch, source, filter).compute(memory, out)
    }

    pub(super) fn input_gradient_dense<T: Kernels + Multiply>(
        &self,
        memory: &Memory,
        filter: &[T],
        grad: &[T],
        out: &mut [T],
    ) -> Result<(), NumericError> {
        if self.is_product() {
            let left = ([self.pixels(), self.filters], Orientation::Normal, grad);
            let right = ([self.channels, self.filters], Orientation::Transposed, filter);
            return Self::multiply(memory, left, right, out);
        }
        if self.groups == 1 && self.channels <= FEW {
            return self.input_gradient_by_scattering(memory, filter, grad, out);
        }
        let filter = self.filter(filter, true);
        let phases = self.windows.each_ref().map(Axis::phases);
        let axes = |phase: usize| -> [Axis; 3] {
            let (rest, across) = (phase / phases[2], phase % phases[2]);
            let start = [rest / phases[1], rest % phases[1], across];
            from_fn(|i| Axis::backward(&self.windows[i], start[i]))
        };
        let is_empty = |axes: &[Axis; 3]| axes.iter().any(|axis| axis.taps == 0);
        if (0..volume(&phases)).any(|phase| is_empty(&axes(phase))) {
            // No window reaches these elements.
            out.fill(T::ZERO);
        }
        for axes in (0..volume(&phases)).map(axes).filter(|axes| !is_empty(axes)) {
            let source = Source { numbers: grad, axes, channels: self.filters };
            Pass::new(self.batch, source, filter).compute(memory, out)?;
        }
        Ok(())
    }

    fn filter<'a, T>(&self, numbers: &'a [T], is_transposed: bool) -> Filter<'a, T> {
        let extents = self.windows.each_ref().map(Window::filter);
        let taken = self.channels / self.groups;
        Filter {
            numbers,
            extents,
            taken,
            filters: self.filters,
            groups: self.groups,
            is_transposed,
        }
    }
}

/// A pass of windows over a source, whose products with a filter it sums.
struct Pass<'a, T: 'static> {
    images: usize,
    source: Source<'a, T>,
    filter: Filter<'a, T>,
    kernel: Kernel<T>,
    /// The number of terms for each element of a window, and of results.
    sides: [usize; 2],
    /// The number of all terms.
    terms: usize,
}

/// How a pass is cut into tiles.
#[derive(Clone, Copy)]
struct Cut {
    /// The number of slabs, or else the height and the number of parts of a slab.
    slabs: usize,
    height: usize,
    parts: usize,
    width: usize,
    across: usize,
    columns: usize,
    panels: usize,
}

impl<'a, T: Kernels + Element> Pass<'a, T> {
    fn new(images: usize, source: Source<'a, T>, filter: Filter<'a, T>) -> Self {
        let sides = filter.sides();
        let terms = source.axes.iter().fold(sides[0], |terms, axis| terms * axis.taps);
        Pass { images, source, filter, kernel: T::kernel(), sides, terms }
    }

    /// The number of lines of windows that lie in one slab, and of slabs.
    fn lines(&self) -> [usize; 2] {
        let [depth, down, _] = &self.source.axes;
        [down.results, self.images * depth.results]
    }

    /// Tiles whose part of the source fits a cache, but enough for the threads.
    fn cut(&self, threads: usize) -> Cut {
        let ([lines, all_slabs], across) = (self.lines(), self.source.axes[2].results);
        let even = |count: usize, most: usize| count.div_ceil(count.div_ceil(most));
        let width = even(across, WIDTH);
        let (mut slabs, mut height) = (1, lines.min(LINES));
        let numbers = |height: usize| {
            let [down, across] =
                [self.source.axes[1].reach(height), self.source.axes[2].reach(width)];
            down.saturating_mul(across).saturating_mul(self.source.channels)
        };
        while height > 1 && numbers(height) > NUMBERS {
            height = height.div_ceil(2);
        }
        if height == lines {
            slabs = (NUMBERS / numbers(height)).min(LINES / lines).clamp(1, all_slabs);
        }
        let mut columns = self.sides[1].min(COLUMNS);
        loop {
            height = even(lines, height);
            let parts = lines.div_ceil(height);
            let across = across.div_ceil(width);
            let panels = self.sides[1].div_ceil(columns);
            let tiles = all_slabs.div_ceil(slabs) * parts * across * panels * self.filter.groups;
            let windows = slabs * height * width;
            let work = windows.saturating_mul(columns).saturating_mul(self.terms);
            let halved = columns.div_ceil(2).next_multiple_of(self.kernel.columns());
            if threads > 1 && tiles < TILES * threads && work > WORK {
                // Tiles of other windows read the filter again, those of other columns the source.
                let of_filter = columns.saturating_mul(self.terms);
                if halved < columns && of_filter > numbers(height).saturating_mul(slabs) {
                    columns = halved;
                    continue;
                } else if windows > WINDOWS && slabs > 1 {
                    slabs = slabs.div_ceil(2);
                    continue;
                } else if windows > WINDOWS && height > 1 {
                    height = height.div_ceil(2);
                    continue;
                } else if halved < columns {
                    columns = halved;
                    continue;
                }
            }
            return Cut { slabs, height, parts, width, across, columns, panels };
        }
    }

    fn compute(&self, memory: &Memory, out: &mut [T]) -> Result<(), NumericError> {
        let cut = self.cut(threads());
        let [lines, all_slabs] = self.lines();
        let (groups, across) = (self.filter.groups, self.source.axes[2].results);
        let windows = all_slabs.div_ceil(cut.slabs) * cut.parts * cut.across;
        // A filter that only one tile reads is packed there.
        let is_packed = windows > 1;
        let packed = memory.workspace(if is_packed { groups * self.packed() } else { 0 })?;
        let packed = &self.pack(packed)[..];
        let layout = self.source.layout(cut.height, cut.width);
        let of_filter = cut.columns.next_multiple_of(self.kernel.lanes) * TERMS.min(self.terms);
        let of_filter = if is_packed { 0 } else { of_filter };
        let space = layout.slab.saturating_mul(cut.slabs).saturating_add(of_filter);
        let out = Shared::of(out);
        let tiles = windows * groups * cut.panels;
        try_for_each_with(memory, space, tiles, |i, space| {
            let (i, panel) = (i / cut.panels, i % cut.panels);
            let (i, group) = (i / groups, i % groups);
            let (i, x) = (i / cut.across, i % cut.across);
            let (first, part) = (i / cut.parts * cut.slabs, i % cut.parts);
            let slabs = first..all_slabs.min(first + cut.slabs);
            let ys = part * cut.height..lines.min((part + 1) * cut.height);
            let xs = x * cut.width..across.min((x + 1) * cut.width);
            let columns = panel * cut.columns..self.sides[1].min((panel + 1) * cut.columns);
            let (filter, strip) = space.split_at_mut(of_filter);
            let mut places = Places::new();
            for (i, slab) in slabs.enumerate() {
                let lines = slab * lines + ys.start..slab * lines + ys.end;
                let at = i * layout.slab;
                let strip = &mut strip[at..at + layout.slab];
                self.source.copy(&layout, lines.clone(), xs.clone(), strip);
                self.source.places(&layout, lines, (xs.start, at), |line, source| {
                    places.push((source, self.place(line, xs.start)));
                });
            }
            let source = if layout.is_in_place { self.source.numbers } else { strip };
            let tile = Tile { pass: self, layout: &layout, group, source, places, width: xs.len() };
            let packed = if is_packed { Some(&packed[group * self.packed()..]) } else { None };
            // SAFETY: Tiles do not overlap, each comes up once, and the result is borrowed for writing.
            unsafe { tile.compute(columns, (packed, filter), &out) };
            Ok(())
        })
    }

    /// The number of elements of the packed filter of a group.
    fn packed(&self) -> usize {
        self.terms.saturating_mul(self.sides[1].next_multiple_of(self.kernel.lanes))
    }

    /// Packs the filter of each group, [`TERMS`] terms at a time.
    fn pack<'m>(&self, mut packed: Workspace<'m, T>) -> Workspace<'m, T> {
        let (is_grouped, [_, columns]) = (self.filter.groups > 1, self.sides);
        let block = TERMS * columns.next_multiple_of(self.kernel.lanes);
        let chunk = if is_grouped { self.packed() } else { block };
        for_each_chunk_mut(&mut packed, chunk, |i, out| {
            let (group, first) = if is_grouped { (i, 0) } else { (0, i) };
            for (i, out) in out.chunks_mut(block).enumerate() {
                let start = (first + i) * TERMS;
                let terms = start..self.terms.min(start + TERMS);
                let axes = &self.source.axes;
                self.filter.pack(&self.kernel, axes, group, (terms, 0..columns), out);
            }
        });
        packed
    }

    /// The place in the result of window `x` of a line of windows.
    fn place(&self, line: usize, x: usize) -> usize {
        let [image, z, y] = self.source.line(line);
        let results = [z, y, x];
        (0..3).fold(image, |at, i| {
            let axis = &self.source.axes[i];
            at * axis.extent + axis.start + results[i] * axis.stride
        }) * self.filter.groups
            * self.sides[1]
    }
}

/// For each line of windows, where the first one and its result are.
type Places = SmallVec<[(usize, usize); LINES]>;

/// Some windows, and the numbers that they read.
struct Tile<'a, 'p, T: 'static> {
    pass: &'a Pass<'p, T>,
    layout: &'a Layout,
    group: usize,
    source: &'a [T],
    places: Places,
    /// The number of windows in a line.
    width: usize,
}

impl<T: Kernels + Element> Tile<'_, '_, T> {
    /// Computes some columns of the results, with the packed filter or with space to pack a part of it. A
    /// request to stop is heeded between terms.
    ///
    /// # Safety
    /// Nobody else may use these elements of the result meanwhile.
    unsafe fn compute(
        &self,
        columns: Range<usize>,
        (packed, space): (Option<&[T]>, &mut [T]),
        out: &Shared<T>,
    ) {
        let Pass { kernel, terms: all, sides, filter, source, .. } = self.pass;
        for first in (0..*all).step_by(TERMS) {
            let terms = first..(*all).min(first + TERMS);
            if is_cancelled() {
                return;
            }
            let runs = self.runs(terms.clone());
            let padded = columns.len().next_multiple_of(kernel.lanes);
            let numbers = if let Some(packed) = packed {
                let before = first * sides[1].next_multiple_of(kernel.lanes);
                &packed[before + columns.start * terms.len()..]
            } else {
                let numbers = &mut space[..padded * terms.len()];
                let part = (terms.clone(), columns.clone());
                filter.pack(kernel, &source.axes, self.group, part, numbers);
                &*numbers
            };
            for panel in panels(kernel, columns.clone()) {
                let len = padded_width(kernel, &panel) * terms.len();
                let right = &numbers[(panel.start - columns.start) * terms.len()..][..len];
                // SAFETY: As the caller ensures.
                unsafe { self.panel(&runs, panel, right, first > 0, out) };
            }
        }
    }

    /// The runs of some terms of a window.
    fn runs(&self, terms: Range<usize>) -> Runs {
        let Pass { source, sides: [inner, _], .. } = self.pass;
        let [_, down, across] = source.axes.each_ref().map(|axis| axis.taps);
        let pitches = self.layout.pitches;
        let is_joined = *inner == pitches[2];
        let (len, across) = if is_joined { (inner * across, 1) } else { (*inner, across) };
        let mut runs = Runs::new();
        let mut term = terms.start;
        while term < terms.end {
            let (tap, start) = (term / len, term % len);
            let taps = [tap / across / down, tap / across % down, tap % across];
            let tap: usize = (0..3).map(|i| taps[i] * pitches[i]).sum();
            let count = (len - start).min(terms.end - term);
            runs.push(Run { offset: tap + start, len: count });
            term += count;
        }
        runs
    }

    /// Adds the products of some terms to the columns of a panel.
    ///
    /// # Safety
    /// Nobody else may use these elements of the result meanwhile.
    unsafe fn panel(
        &self,
        runs: &[Run],
        columns: Range<usize>,
        right: &[T],
        adds: bool,
        out: &Shared<T>,
    ) {
        let Pass { kernel, source, sides: [inner, share], filter, .. } = self.pass;
        let step = source.axes[2].stride * share * filter.groups;
        let before = self.group * share + columns.start;
        let (mut line, mut x) = (0, 0);
        let windows = self.places.len() * self.width;
        let numbers = self.source[self.group * inner..].as_ptr();
        for count in shares(windows, kernel.rows()) {
            let mut block = Block {
                rows: [numbers; ROWS],
                outs: [null_mut(); ROWS],
                count,
                runs,
                step: 1,
                right: right.as_ptr(),
                adds,
            };
            for i in 0..count {
                let (source, place) = self.places[line];
                block.rows[i] = numbers.wrapping_add(source + x * self.layout.window);
                // SAFETY: The result of the window lies inside the result.
                block.outs[i] = unsafe { out.at(place + x * step + before) };
                x += 1;
                if x == self.width {
                    (line, x) = (line + 1, 0);
                }
            }
            // SAFETY: Each window has all its numbers in the source or the strip, the filter has one for
            // each term and column, and the caller vouches for the result.
            unsafe { kernel.compute(block, columns.len()) };
        }
    }
}

/// The runs of up to [`TERMS`] terms.
pub(super) type Runs = SmallVec<[Run; TERMS]>;

/// Cuts a number of rows into about equal shares, none longer than `most`.
pub(super) fn shares(rows: usize, most: usize) -> impl Iterator<Item = usize> {
    let count = rows.div_ceil(most);
    (0..count).map(move |i| rows * (i + 1) / count - rows * i / count)
}
