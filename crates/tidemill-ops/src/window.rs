//! The attributes that move windows over images: those of filters and of pools.

use smallvec::SmallVec;
use tidemill_graph::{AttrDef, AttrDefault, AttrKind, NodeView, OpError};
use tidemill_kernels::window::{Padding, Slide};
use tidemill_value::Dim;

use crate::data_format::DataFormat;

pub(crate) const STRIDES: AttrDef = AttrDef::new("strides", AttrKind::Ints);
pub(crate) const PADDING: AttrDef = AttrDef::new("padding", AttrKind::Str);
pub(crate) const EXPLICIT_PADDINGS: AttrDef =
    AttrDef::new("explicit_paddings", AttrKind::Ints).default(AttrDefault::Ints(&[]));

/// The reason why a list does not have a number above 0 for each spatial axis, and 1 for batch and
/// channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WrongList {
    /// It has another length than the format has axes.
    Length,
    /// The number for the batch or the channels is not 1.
    Ends,
    /// The number for a spatial axis is not above 0.
    Space,
}

/// The numbers for the spatial axes in a list with one for each axis.
pub(crate) fn spatial(list: &[i64], format: DataFormat) -> Result<SmallVec<[usize; 3]>, WrongList> {
    if list.len() != format.rank() {
        return Err(WrongList::Length);
    }
    if list[0] != 1 || list[format.channel_axis()] != 1 {
        return Err(WrongList::Ends);
    }
    let above_0 = |&number: &i64| usize::try_from(number).ok().filter(|&number| number > 0);
    list[format.spatial_axes()].iter().map(|n| above_0(n).ok_or(WrongList::Space)).collect()
}

/// The entries of attribute `name` for the spatial axes.
///
/// # Errors
/// Entries that are not above 0, or not 1 for batch and channels; another number of entries than
/// axes.
pub(crate) fn steps(
    node: &NodeView<'_>,
    name: &'static str,
    format: DataFormat,
) -> Result<SmallVec<[usize; 3]>, OpError> {
    let steps = node.ints_attr(name)?;
    spatial(&steps, format).map_err(|wrong| match wrong {
        WrongList::Length => wrong_length(name, format.rank(), steps.len()),
        WrongList::Ends => {
            let message = format!("`{name}` must be 1 for batch and channels, not {steps:?}");
            OpError::attr(name, message)
        }
        WrongList::Space => OpError::attr(name, format!("`{name}` must be above 0, not {steps:?}")),
    })
}

fn wrong_length(name: &'static str, expected: usize, actual: usize) -> OpError {
    OpError::attr(name, format!("`{name}` must have {expected} entries, not {actual}"))
}

/// The padding of the spatial axes, from the attribute `padding` and, where the operation has it,
/// `explicit_paddings`.
///
/// # Errors
/// An unknown padding; explicit paddings that are negative, not 0 for batch and channels, too few
/// or too many, or given for another padding.
pub(crate) fn paddings(
    node: &NodeView<'_>,
    format: DataFormat,
) -> Result<SmallVec<[Padding; 3]>, OpError> {
    const EXPLICIT: &str = EXPLICIT_PADDINGS.name;
    let padding = node.str_attr(PADDING.name)?;
    let explicit = match node.op().attr(EXPLICIT) {
        Some(_) => Some(node.ints_attr(EXPLICIT)?),
        None => None,
    };
    let everywhere = match (&padding[..], &explicit) {
        (b"SAME", _) => Padding::Same,
        (b"VALID", _) => Padding::Valid,
        (b"EXPLICIT", Some(explicit)) => return explicit_paddings(explicit, format),
        _ => return Err(OpError::attr(PADDING.name, format!("unknown padding {padding}"))),
    };
    if explicit.is_some_and(|explicit| !explicit.is_empty()) {
        let message = format!("`{EXPLICIT}` must be empty for padding {padding}");
        return Err(OpError::attr(EXPLICIT, message));
    }
    Ok(SmallVec::from_elem(everywhere, format.space))
}

fn explicit_paddings(
    explicit: &[i64],
    format: DataFormat,
) -> Result<SmallVec<[Padding; 3]>, OpError> {
    const EXPLICIT: &str = EXPLICIT_PADDINGS.name;
    let expected = 2 * format.rank();
    if explicit.len() != expected {
        return Err(wrong_length(EXPLICIT, expected, explicit.len()));
    }
    let mut paddings = SmallVec::new();
    for (axis, pair) in explicit.chunks_exact(2).enumerate() {
        let is_spatial = format.spatial_axes().contains(&axis);
        match usize::try_from(pair[0]).ok().zip(usize::try_from(pair[1]).ok()) {
            Some((before, after)) if is_spatial => paddings.push(Padding::Explicit(before, after)),
            Some((0, 0)) => {}
            _ => {
                let rule = "must be 0 for batch and channels and never negative";
                return Err(OpError::attr(
                    EXPLICIT,
                    format!("`{EXPLICIT}` {rule}, not {explicit:?}"),
                ));
            }
        }
    }
    Ok(paddings)
}

/// The number of positions of a window on an axis, as far as it is known.
pub(crate) fn places(slide: Slide, input: Dim, window: Dim) -> Result<Dim, OpError> {
    Ok(slide.output(input, window)?)
}
