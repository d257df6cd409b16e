//! The movement of a filter, read from the attributes of a convolution.

use std::borrow::Cow;

use smallvec::SmallVec;
use tidemill_graph::{KernelError, NodeView, OpError};
use tidemill_kernels::layout::transpose;
use tidemill_kernels::window::{Padding, Slide};
use tidemill_value::{Dim, Memory, PartialShape, Value};

/// The movement of a filter, and the position of the channels.
pub(super) struct Layout {
    /// The movement along each spatial axis.
    pub(super) slides: SmallVec<[Slide; 3]>,
    channels_first: bool,
}

impl Layout {
    /// Reads the attributes of a convolution over `space` axes.
    pub(super) fn of(node: &NodeView<'_>, space: usize) -> Result<Self, OpError> {
        let format = node.str_attr("data_format")?;
        let channels_first = match (&format[..], space) {
            (b"NHWC", 2) | (b"NDHWC", 3) => false,
            (b"NCHW", 2) | (b"NCDHW", 3) => true,
            _ => {
                return Err(OpError::attr("data_format", format!("unknown data format {format}")));
            }
        };
        let channels = if channels_first { 1 } else { space + 1 };
        let strides = steps(node, "strides", space, channels)?;
        let dilations = steps(node, "dilations", space, channels)?;
        let paddings = paddings(node, space, channels)?;
        let moves = strides.into_iter().zip(dilations).zip(paddings);
        let slide = |((stride, dilation), padding)| Slide { stride, dilation, padding };
        Ok(Layout { slides: moves.map(slide).collect(), channels_first })
    }

    /// The order of the axes that puts the channels last.
    fn permutation(&self) -> SmallVec<[usize; 5]> {
        let rank = self.slides.len() + 2;
        [0].into_iter().chain(2..rank).chain([1]).collect()
    }

    /// The known extents of values with channels, with the channels last.
    pub(super) fn dims(&self, shape: &PartialShape) -> SmallVec<[Dim; 5]> {
        let rank = self.slides.len() + 2;
        match shape.dims() {
            Some(dims) if dims.len() != rank => SmallVec::from_elem(Dim::UNKNOWN, rank),
            None => SmallVec::from_elem(Dim::UNKNOWN, rank),
            Some(dims) if self.channels_first => {
                self.permutation().iter().map(|&axis| dims[axis]).collect()
            }
            Some(dims) => dims.into(),
        }
    }

    /// The shape of values with these extents, of which the channels are last.
    pub(super) fn shape(&self, dims: &[Dim]) -> PartialShape {
        match dims {
            [batch, space @ .., channels] if self.channels_first => {
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
        if !self.channels_first {
            return Ok(Cow::Borrowed(value));
        }
        Ok(Cow::Owned(transpose(memory, value, &self.permutation())?))
    }

    /// A value whose channels are last, with its channels moved back.
    pub(super) fn restored(&self, memory: &Memory, value: Value) -> Result<Value, KernelError> {
        if !self.channels_first {
            return Ok(value);
        }
        let rank = self.slides.len() + 2;
        let permutation: SmallVec<[usize; 5]> =
            [0, rank - 1].into_iter().chain(1..rank - 1).collect();
        Ok(transpose(memory, &value, &permutation)?)
    }
}

/// The number of positions of a filter on an axis, as far as it is known.
pub(in crate::ops) fn places(slide: Slide, input: Dim, filter: Dim) -> Result<Dim, OpError> {
    Ok(slide.output(input, filter)?)
}

/// The entries for the spatial axes of a list with one for each axis. All must be above 0, and
/// those for batch and channels must be 1.
pub(in crate::ops) fn steps(
    node: &NodeView<'_>,
    name: &'static str,
    space: usize,
    channels: usize,
) -> Result<SmallVec<[usize; 3]>, OpError> {
    let steps = node.ints_attr(name)?;
    if steps.len() != space + 2 {
        return Err(wrong_length(name, space + 2, steps.len()));
    }
    if steps[0] != 1 || steps[channels] != 1 {
        let message = format!("`{name}` must be 1 for batch and channels, not {steps:?}");
        return Err(OpError::attr(name, message));
    }
    let moving = steps.iter().enumerate().filter(|&(axis, _)| axis != 0 && axis != channels);
    let step = |(_, &step): (usize, &i64)| {
        usize::try_from(step)
            .ok()
            .filter(|&step| step > 0)
            .ok_or_else(|| OpError::attr(name, format!("`{name}` must be above 0, not {steps:?}")))
    };
    moving.map(step).collect()
}

fn wrong_length(name: &'static str, expected: usize, actual: usize) -> OpError {
    OpError::attr(name, format!("`{name}` must have {expected} entries, not {actual}"))
}

pub(in crate::ops) fn paddings(
    node: &NodeView<'_>,
    space: usize,
    channels: usize,
) -> Result<SmallVec<[Padding; 3]>, OpError> {
    const EXPLICIT: &str = "explicit_paddings";
    let padding = node.str_attr("padding")?;
    let explicit = match node.op().attr(EXPLICIT) {
        Some(_) => Some(node.ints_attr(EXPLICIT)?),
        None => None,
    };
    let everywhere = match (&padding[..], &explicit) {
        (b"SAME", _) => Padding::Same,
        (b"VALID", _) => Padding::Valid,
        (b"EXPLICIT", Some(explicit)) => return explicit_paddings(explicit, space, channels),
        _ => return Err(OpError::attr("padding", format!("unknown padding {padding}"))),
    };
    if explicit.is_some_and(|explicit| !explicit.is_empty()) {
        return Err(OpError::attr(
            EXPLICIT,
            format!("`{EXPLICIT}` must be empty for padding {padding}"),
        ));
    }
    Ok(SmallVec::from_elem(everywhere, space))
}

fn explicit_paddings(
    explicit: &[i64],
    space: usize,
    channels: usize,
) -> Result<SmallVec<[Padding; 3]>, OpError> {
    let expected = 2 * (space + 2);
    if explicit.len() != expected {
        return Err(wrong_length("explicit_paddings", expected, explicit.len()));
    }
    let mut paddings = SmallVec::new();
    for (axis, pair) in explicit.chunks_exact(2).enumerate() {
        let around = usize::try_from(pair[0]).ok().zip(usize::try_from(pair[1]).ok());
        match around {
            Some((0, 0)) if axis == 0 || axis == channels => {}
            Some((before, after)) if axis != 0 && axis != channels => {
                paddings.push(Padding::Explicit(before, after));
            }
            _ => {
                return Err(OpError::attr(
                    "explicit_paddings",
                    format!(
                        "`explicit_paddings` must be 0 for batch and channels and never negative, \
                         not {explicit:?}"
                    ),
                ));
            }
        }
    }
    Ok(paddings)
}
