use smallvec::SmallVec;
use tidemill_value::{Element, Memory, Shape, ValueError};

use super::fold::Loops;
use crate::NumericError;
use crate::pool::{TILE, try_for_each_chunk_mut_with};

/// The plan for reducing a shape over some of its axes.
///
/// Neighboring axes of one kind are joined and axes of extent 1 are dropped, so that reduced
/// and kept axes alternate.
#[derive(Clone, Debug)]
pub(super) struct Reduction {
    output: Shape,
    /// The number of elements that each element of the output is computed from.
    pub(super) count: usize,
    axes: SmallVec<[Axis; 4]>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Axis {
    extent: usize,
    reduced: bool,
}

impl Reduction {
    pub(super) fn new(shape: &Shape, reduced: &[usize]) -> Result<Self, NumericError> {
        let mut kinds: SmallVec<[Axis; 4]> =
            shape.iter().map(|&extent| Axis { extent, reduced: false }).collect();
        for &axis in reduced {
            let rank = shape.rank();
            let kind = kinds.get_mut(axis).ok_or(NumericError::Axis { axis, rank })?;
            if std::mem::replace(&mut kind.reduced, true) {
                return Err(NumericError::DuplicateAxis { axis });
            }
        }
        let extents = |reduced: bool| -> Shape {
            kinds.iter().filter(|axis| axis.reduced == reduced).map(|axis| axis.extent).collect()
        };
        let count = extents(true).iter().fold(1, |count: usize, dim| count.saturating_mul(*dim));
        Ok(Reduction { output: extents(false), count, axes: join(&kinds) })
    }

    /// The shape of the output, without the axes reduced.
    pub(super) fn output(&self) -> &Shape {
        &self.output
    }

    /// Reduces `input` into `out` axis by axis from the last: the first axis with `loops`, the
    /// others with `again`.
    pub(super) fn run<I, T>(
        &self,
        memory: &Memory,
        (loops, again): (Loops<I, T>, Loops<T, T>),
        input: &[I],
        out: &mut [T],
    ) -> Result<(), ValueError>
    where
        I: Copy + Sync,
        T: Element + Copy,
    {
        if input.is_empty() {
            out.fill(loops.identity);
            return Ok(());
        }
        let mut axes = self.axes.clone();
        let Some(last) = pop_reduced(&mut axes) else {
            for (x, o) in input.iter().zip(out) {
                *o = (loops.take)(*x);
            }
            return Ok(());
        };
        if !axes.iter().any(|axis| axis.reduced) {
            return fold_axis(memory, &loops, input, last, out);
        }
        let mut totals = memory.workspace::<T>(input.len() / last.extent)?;
        fold_axis(memory, &loops, input, last, &mut totals)?;
        while let Some(axis) = pop_reduced(&mut axes) {
            if !axes.iter().any(|axis| axis.reduced) {
                return fold_axis(memory, &again, &totals, axis, out);
            }
            let mut next = memory.workspace::<T>(totals.len() / axis.extent)?;
            fold_axis(memory, &again, &totals, axis, &mut next)?;
            totals = next;
        }
        Ok(())
    }
}

fn join(axes: &[Axis]) -> SmallVec<[Axis; 4]> {
    let mut joined: SmallVec<[Axis; 4]> = SmallVec::new();
    for axis in axes.iter().filter(|axis| axis.extent != 1) {
        match joined.last_mut() {
            Some(last) if last.reduced == axis.reduced => {
                last.extent = last.extent.saturating_mul(axis.extent);
            }
            _ => joined.push(*axis),
        }
    }
    joined
}

/// A reduced axis between the axes before and after it.
#[derive(Clone, Copy)]
struct Middle {
    extent: usize,
    inner: usize,
}

/// Removes the last reduced axis.
fn pop_reduced(axes: &mut SmallVec<[Axis; 4]>) -> Option<Middle> {
    let at = axes.iter().rposition(|axis| axis.reduced)?;
    let extent = axes.remove(at).extent;
    Some(Middle { extent, inner: axes[at..].iter().map(|axis| axis.extent).product() })
}

fn fold_axis<I, T>(
    memory: &Memory,
    loops: &Loops<I, T>,
    input: &[I],
    axis: Middle,
    out: &mut [T],
) -> Result<(), ValueError>
where
    I: Copy + Sync,
    T: Element + Copy,
{
    let slab = axis.extent * axis.inner;
    let slabs = TILE.div_ceil(slab);
    let space = Loops::<I, T>::space(slab, axis.inner);
    try_for_each_chunk_mut_with(memory, space, out, slabs * axis.inner, |i, out, space| {
        let input = input[i * slabs * slab..].chunks_exact(slab);
        for (slab, out) in input.zip(out.chunks_exact_mut(axis.inner)) {
            match out {
                [total] => *total = loops.fold_row(slab, space),
                _ => loops.fold_columns(slab, out, space),
            }
        }
        Ok(())
    })
}
