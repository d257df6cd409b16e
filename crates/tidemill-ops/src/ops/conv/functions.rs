//! The functions that add convolutions to a graph.

use tidemill_graph::{NodeBuilder, OpDef};

use super::{CONV_2D, CONV_2D_BACKPROP_FILTER, CONV_2D_BACKPROP_INPUT, CONV_3D, DEPTHWISE_CONV_2D};
use crate::data_format::DataFormat;
use crate::operand::{composite, tensor};
use crate::ops::array::{expand_dims, squeeze};
use crate::{Operand, Tensor};

/// The padding of a convolution or a pool along its `N` spatial axes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConvPadding<const N: usize> {
    /// Enough zeros to make the output as long as the input divided by the stride.
    Same,
    /// No padding.
    Valid,
    /// This many zeros before and after each axis.
    Explicit([[i64; 2]; N]),
}

/// The movement of a filter, or of the window of a pool, over an input along its `N` spatial axes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conv<const N: usize> {
    /// The distances between positions of the filter.
    pub strides: [i64; N],
    /// The padding of the input.
    pub padding: ConvPadding<N>,
    /// The distances between the input elements that the filter takes.
    pub dilations: [i64; N],
    /// Whether the channels come before the spatial axes instead of after them.
    pub channels_first: bool,
}

impl<const N: usize> Conv<N> {
    /// Strides of 1, with padding that keeps the dimensions.
    pub const SAME: Self = Conv { padding: ConvPadding::Same, ..Self::VALID };
    /// Strides of 1, without padding.
    pub const VALID: Self = Conv {
        strides: [1; N],
        padding: ConvPadding::Valid,
        dilations: [1; N],
        channels_first: false,
    };

    /// The same with these strides.
    pub const fn strides(self, strides: [i64; N]) -> Self {
        Conv { strides, ..self }
    }

    /// The same with these dilations.
    pub const fn dilations(self, dilations: [i64; N]) -> Self {
        Conv { dilations, ..self }
    }

    /// The same for inputs whose channels come before their spatial axes.
    pub const fn channels_first(self) -> Self {
        Conv { channels_first: true, ..self }
    }

    /// The entries for the spatial axes among those for all axes.
    pub(in crate::ops) fn spread<T: Copy>(&self, space: [T; N], other: T) -> Vec<T> {
        let (before, behind) = if self.channels_first { (2, 0) } else { (1, 1) };
        let others = |count| std::iter::repeat_n(other, count);
        others(before).chain(space).chain(others(behind)).collect()
    }

    /// The node with the attributes of the movement of its windows, except the dilations.
    pub(in crate::ops) fn moved(self, node: NodeBuilder) -> NodeBuilder {
        let node = match self.padding {
            ConvPadding::Same => node.attr("padding", "SAME"),
            ConvPadding::Valid => node.attr("padding", "VALID"),
            ConvPadding::Explicit(around) => {
                let around = self.spread(around, [0; 2]).concat();
                node.attr("padding", "EXPLICIT").attr("explicit_paddings", around)
            }
        };
        let format = DataFormat { channels_first: self.channels_first, space: N };
        let node = match self.channels_first {
            true => node.attr("data_format", format.name()),
            false => node,
        };
        node.attr("strides", self.spread(self.strides, 1))
    }

    #[track_caller]
    fn node<const M: usize>(self, op: &'static OpDef, inputs: [Tensor; M]) -> Tensor {
        let node = inputs.into_iter().fold(NodeBuilder::new(op), NodeBuilder::input);
        tensor(self.moved(node).attr("dilations", self.spread(self.dilations, 1)))
    }
}

/// The images `input`, of shape `[batch, height, width, channels]`, filtered: pixel `y, x` of
/// channel `k` is the sum of
/// `input[y * strides[0] + i, x * strides[1] + j, c] * filter[i, j, c, k]` over `i`, `j`, `c`.
///
/// Filters are of shape `[height, width, channels, filters]`. If they have fewer channels than the
/// images, the channels are split into groups, each with its share of the filters.
///
/// ```
/// use tidemill_ops::{Conv, conv2d, fill};
/// let (images, filter) = (fill([8, 28, 28, 3], 1.0_f32), fill([5, 5, 3, 16], 1.0_f32));
/// let features = conv2d(images, filter, Conv::SAME.strides([2, 2]));
/// assert_eq!(features.shape().to_string(), "[8, 14, 14, 16]");
/// ```
///
/// # Errors
/// Tensors that differ in type or do not have 4 axes, channels that do not fit, and strides and
/// dilations below 1.
#[doc(alias = "Conv2D")]
#[track_caller]
pub fn conv2d(input: impl Into<Operand>, filter: impl Into<Operand>, options: Conv<2>) -> Tensor {
    let (input, filter) = (input.into().to_tensor(), filter.into().to_tensor());
    options.node(&CONV_2D, [input, filter])
}

/// The gradient of the images of [`conv2d`], which are of shape `input_sizes`, from that of the
/// output.
///
/// # Errors
/// As for [`conv2d`], and a gradient that does not have the shape of the output.
///
/// ```
/// use tidemill_ops::{Conv, conv2d_backprop_input, fill};
/// let (filter, grad) = (fill([3, 3, 2, 4], 1.0_f32), fill([1, 8, 8, 4], 1.0_f32));
/// let images = conv2d_backprop_input([1, 8, 8, 2], filter, grad, Conv::SAME);
/// assert_eq!(images.shape().to_string(), "[1, 8, 8, 2]");
/// ```
#[doc(alias = "Conv2DBackpropInput")]
#[track_caller]
pub fn conv2d_backprop_input(
    input_sizes: impl Into<Operand>,
    filter: impl Into<Operand>,
    out_backprop: impl Into<Operand>,
    options: Conv<2>,
) -> Tensor {
    let (filter, grad) = (filter.into().to_tensor(), out_backprop.into().to_tensor());
    let sizes = input_sizes.into().to_tensor_beside(filter, "input_sizes");
    options.node(&CONV_2D_BACKPROP_INPUT, [sizes, filter, grad])
}

/// The gradient of the filter of [`conv2d`], which is of shape `filter_sizes`, from that of the
/// output.
///
/// # Errors
/// As for [`conv2d`], and a gradient that does not have the shape of the output.
///
/// ```
/// use tidemill_ops::{Conv, conv2d_backprop_filter, fill};
/// let (images, grad) = (fill([1, 8, 8, 2], 1.0_f32), fill([1, 8, 8, 4], 1.0_f32));
/// let filter = conv2d_backprop_filter(images, [3, 3, 2, 4], grad, Conv::SAME);
/// assert_eq!(filter.shape().to_string(), "[3, 3, 2, 4]");
/// ```
#[doc(alias = "Conv2DBackpropFilter")]
#[track_caller]
pub fn conv2d_backprop_filter(
    input: impl Into<Operand>,
    filter_sizes: impl Into<Operand>,
    out_backprop: impl Into<Operand>,
    options: Conv<2>,
) -> Tensor {
    let (input, grad) = (input.into().to_tensor(), out_backprop.into().to_tensor());
    let sizes = filter_sizes.into().to_tensor_beside(input, "filter_sizes");
    options.node(&CONV_2D_BACKPROP_FILTER, [input, sizes, grad])
}

/// The transpose of [`conv2d`], also called deconvolution: the gradient of [`conv2d`] with respect
/// to images of shape `output_shape`, applied to `value`. The filter is of shape `[height, width,
/// channels of the output, channels of value]`.
///
/// # Errors
/// As for [`conv2d_backprop_input`].
///
/// ```
/// use tidemill_ops::{Conv, conv2d_transpose, fill};
/// let (value, filter) = (fill([1, 4, 4, 8], 1.0_f32), fill([3, 3, 2, 8], 1.0_f32));
/// let larger = conv2d_transpose(value, filter, [1, 8, 8, 2], Conv::SAME.strides([2, 2]));
/// assert_eq!(larger.shape().to_string(), "[1, 8, 8, 2]");
/// ```
#[track_caller]
pub fn conv2d_transpose(
    value: impl Into<Operand>,
    filter: impl Into<Operand>,
    output_shape: impl Into<Operand>,
    options: Conv<2>,
) -> Tensor {
    let value = value.into().to_tensor();
    composite(value.graph(), "conv2d_transpose", |_| {
        conv2d_backprop_input(output_shape, filter, value, options)
    })
}

/// The images `input`, with each channel filtered separately: channel `k * multiplier + q` is
/// `input[.., k]` filtered by `filter[.., k, q]`. Filters are of shape `[height, width, channels,
/// multiplier]`.
///
/// # Errors
/// As for [`conv2d`].
///
/// ```
/// use tidemill_ops::{Conv, depthwise_conv2d_native, fill};
/// let (images, filter) = (fill([1, 8, 8, 3], 1.0_f32), fill([3, 3, 3, 2], 1.0_f32));
/// let features = depthwise_conv2d_native(images, filter, Conv::SAME);
/// assert_eq!(features.shape().to_string(), "[1, 8, 8, 6]");
/// ```
#[doc(alias = "DepthwiseConv2dNative")]
#[track_caller]
pub fn depthwise_conv2d_native(
    input: impl Into<Operand>,
    filter: impl Into<Operand>,
    options: Conv<2>,
) -> Tensor {
    let (input, filter) = (input.into().to_tensor(), filter.into().to_tensor());
    options.node(&DEPTHWISE_CONV_2D, [input, filter])
}

/// The volumes `input`, of shape `[batch, depth, height, width, channels]`, filtered like
/// [`conv2d`]. Padding cannot be explicit.
///
/// # Errors
/// As for [`conv2d`].
///
/// ```
/// use tidemill_ops::{Conv, conv3d, fill};
/// let (volumes, filter) = (fill([1, 8, 8, 8, 3], 1.0_f32), fill([2, 2, 2, 3, 4], 1.0_f32));
/// let features = conv3d(volumes, filter, Conv::VALID);
/// assert_eq!(features.shape().to_string(), "[1, 7, 7, 7, 4]");
/// ```
#[doc(alias = "Conv3D")]
#[track_caller]
pub fn conv3d(input: impl Into<Operand>, filter: impl Into<Operand>, options: Conv<3>) -> Tensor {
    let (input, filter) = (input.into().to_tensor(), filter.into().to_tensor());
    options.node(&CONV_3D, [input, filter])
}

/// The sequences `input`, of shape `[batch, length, channels]`, filtered like [`conv2d`], by
/// filters of shape `[length, channels, filters]`.
///
/// # Errors
/// As for [`conv2d`], for tensors of 3 axes.
///
/// ```
/// use tidemill_ops::{Conv, conv1d, fill};
/// let (sequences, filter) = (fill([1, 8, 3], 1.0_f32), fill([2, 3, 4], 1.0_f32));
/// let features = conv1d(sequences, filter, Conv::VALID);
/// assert_eq!(features.shape().to_string(), "[1, 7, 4]");
/// ```
#[track_caller]
pub fn conv1d(input: impl Into<Operand>, filter: impl Into<Operand>, options: Conv<1>) -> Tensor {
    let (input, filter) = (input.into().to_tensor(), filter.into().to_tensor());
    let height = if options.channels_first { 2 } else { 1 };
    let options = Conv {
        strides: [1, options.strides[0]],
        padding: match options.padding {
            ConvPadding::Same => ConvPadding::Same,
            ConvPadding::Valid => ConvPadding::Valid,
            ConvPadding::Explicit([around]) => ConvPadding::Explicit([[0; 2], around]),
        },
        dilations: [1, options.dilations[0]],
        channels_first: options.channels_first,
    };
    composite(input.graph(), "conv1d", |_| {
        let filtered = conv2d(expand_dims(input, height), expand_dims(filter, 0), options);
        squeeze(filtered, &[height.into()])
    })
}
