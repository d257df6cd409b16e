//! The movement of a filter, read from the attributes of a convolution.

use std::borrow::Cow;

use smallvec::SmallVec;
use tidemill_graph::{KernelError, NodeView, OpError};
use tidemill_kernels::layout::transpose;
use tidemill_kernels::window::Slide;
use tidemill_value::{Dim, Memory, PartialShape, Value};

use crate::data_format::{DataFormat, Formats};
use crate::window::{paddings, steps};

/// The movement of a filter, and the position of the channels.
pub(super) struct Layout {
    /// The movement along each spatial axis.
    pub(super) slides: SmallVec<[Slide; 3]>,
    format: DataFormat,
}

impl Layout {
    /// Reads the attributes of a convolution over `space` axes.
    pub(super) fn of(node: &NodeView<'_>, space: usize) -> Result<Self, OpError> {
        let format = DataFormat::of(node, Formats::of_space(space))?;
        let strides = steps(node, "strides", format)?;
        let dilations = steps(node, "dilations", format)?;
        let moves = strides.into_iter().zip(dilations).zip(paddings(node, format)?);
        let slide = |((stride, dilation), padding)| Slide { stride, dilation, padding };
        Ok(Layout { slides: moves.map(slide).collect(), format })
    }

    /// The order of the axes that puts the channels last.
    fn permutation(&self) -> SmallVec<[usize; 5]> {
        let rank = self.format.rank();
        [0].into_iter().chain(2..rank).chain([1]).collect()
    }

    /// The known extents of values with channels, with the channels last.
    pub(super) fn dims(&self, shape: &PartialShape) -> SmallVec<[Dim; 5]> {
        let rank = self.format.rank();
        match shape.dims() {
            Some(dims) if dims.len() != rank => SmallVec::from_elem(Dim::UNKNOWN, rank),
            None => SmallVec::from_elem(Dim::UNKNOWN, rank),
            Some(dims) if self.format.channels_first => {
                self.permutation().iter().map(|&axis| dims[axis]).collect()
            }
            Some(dims) => dims.into(),
        }
    }

    /// The shape of values with these extents, of which the channels are last.
    pub(super) fn shape(&self, dims: &[Dim]) -> PartialShape {
        match dims {
            [batch, space @ .., channels] if self.format.channels_first => {
                [*batch, *channels].into_iter().chain(space.iter().copied()).collect()
            }
            _ => dims.into(),
        }
    }

    /// A value with its channels last.
    pub(super) fn channels_last<'a>(
        &self,
        memory: &Memory,
        value: &'a Value,
    ) -> Result<Cow<'a, Value>, KernelError> {
        if !self.format.channels_first {
            return Ok(Cow::Borrowed(value));
        }
        Ok(Cow::Owned(transpose(memory, value, &self.permutation())?))
    }

    /// A value whose channels are last, with its channels moved back.
    pub(super) fn restored(&self, memory: &Memory, value: Value) -> Result<Value, KernelError> {
        if !self.format.channels_first {
            return Ok(value);
        }
        let rank = self.format.rank();
        let permutation: SmallVec<[usize; 5]> =
            [0, rank - 1].into_iter().chain(1..rank - 1).collect();
        Ok(transpose(memory, &value, &permutation)?)
    }
}
