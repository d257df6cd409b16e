//! The order of the axes of images and volumes.

use std::ops::Range;

use tidemill_graph::{AttrDef, NodeView, OpError};

const NAME: &str = "data_format";

/// The order of the axes of a batch: the channels follow the batch, or come last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct DataFormat {
    /// True if the channels come before the spatial axes.
    pub(crate) channels_first: bool,
    /// The number of spatial axes.
    pub(crate) space: usize,
}

/// The formats that an operation takes.
#[derive(Clone, Copy)]
pub(crate) struct Formats {
    least_space: usize,
    most_space: usize,
    /// True if the error for another format quotes its name.
    quoted: bool,
}

impl Formats {
    /// `NHWC` and `NCHW`.
    pub(crate) const IMAGES: Self = Formats::of_space(2);
    /// All formats: of images and of volumes.
    pub(crate) const ALL: Self = Formats { least_space: 2, most_space: 3, quoted: false };

    /// The formats with that many spatial axes.
    pub(crate) const fn of_space(space: usize) -> Self {
        Formats { least_space: space, most_space: space, quoted: false }
    }

    /// The same, but the error for another format quotes its name.
    pub(crate) const fn quoted(self) -> Self {
        Formats { quoted: true, ..self }
    }
}

impl DataFormat {
    /// The attribute of operations on images.
    pub(crate) const ATTR: AttrDef = AttrDef::str(NAME, "NHWC");
    /// The attribute of operations on volumes.
    pub(crate) const ATTR_3D: AttrDef = AttrDef::str(NAME, "NDHWC");
    /// Images whose channels come last.
    pub(crate) const NHWC: Self = DataFormat { channels_first: false, space: 2 };

    /// The format that the attribute of a node names.
    ///
    /// # Errors
    /// A name of no format among those that the operation takes.
    pub(crate) fn of(node: &NodeView<'_>, taken: Formats) -> Result<Self, OpError> {
        let name = node.str_attr(NAME)?;
        let (channels_first, space) = match &name[..] {
            b"NHWC" => (false, 2),
            b"NCHW" => (true, 2),
            b"NDHWC" => (false, 3),
            b"NCDHW" => (true, 3),
            _ => (false, 0),
        };
        if (taken.least_space..=taken.most_space).contains(&space) {
            return Ok(DataFormat { channels_first, space });
        }
        let message = match taken.quoted {
            true => format!("unknown data format {name:?}"),
            false => format!("unknown data format {name}"),
        };
        Err(OpError::attr(NAME, message))
    }

    /// The name of the format.
    pub(crate) fn name(self) -> &'static str {
        match (self.channels_first, self.space) {
            (false, 3) => "NDHWC",
            (true, 3) => "NCDHW",
            (false, _) => "NHWC",
            (true, _) => "NCHW",
        }
    }

    /// The number of axes.
    pub(crate) fn rank(self) -> usize {
        self.space + 2
    }

    /// The axis of the channels.
    pub(crate) fn channel_axis(self) -> usize {
        self.channel_axis_of(self.rank())
    }

    /// The axis of the channels of values of any rank: the second or the last one.
    pub(crate) fn channel_axis_of(self, rank: usize) -> usize {
        if self.channels_first { 1 } else { rank.saturating_sub(1) }
    }

    /// The spatial axes.
    pub(crate) fn spatial_axes(self) -> Range<usize> {
        let first = if self.channels_first { 2 } else { 1 };
        first..first + self.space
    }
}
