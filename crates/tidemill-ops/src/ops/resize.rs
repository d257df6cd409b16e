//! Images of shape `[batch, height, width, channels]` at other sizes.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, Fallible, Inferred, NodeBuilder, NodeView, OpDef, OpError, Sample,
};
use tidemill_kernels::NumericError;
use tidemill_kernels::resize::{self as kernels, Align};
use tidemill_value::{DType, Dim, Memory, PartialShape, Value};

use super::array::{shape_as, slice};
use crate::family::{beside, grads};
use crate::index::{check_not_empty, check_rank, count_of, known_integers, shape_of};
use crate::kernel::kernel;
use crate::operand::tensor;
use crate::operations::operations;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops:
        RESIZE_BICUBIC, RESIZE_BICUBIC_GRAD, RESIZE_BILINEAR, RESIZE_BILINEAR_GRAD,
        RESIZE_NEAREST_NEIGHBOR, RESIZE_NEAREST_NEIGHBOR_GRAD;
    exports: resize_bicubic, resize_bilinear, resize_nearest_neighbor;
}

const IMAGES: AttrDef = AttrDef::widened("T", DType::NUMBERS);
const FLOATS: AttrDef = AttrDef::widened("T", DType::FLOATS);
const CORNERS: AttrDef = AttrDef::bool("align_corners", false);
const CENTERS: AttrDef = AttrDef::bool("half_pixel_centers", false);

fn align(node: &NodeView<'_>) -> Result<Align, OpError> {
    match (node.bool_attr("align_corners")?, node.bool_attr("half_pixel_centers")?) {
        (false, false) => Ok(Align::Origin),
        (true, false) => Ok(Align::Corners),
        (false, true) => Ok(Align::HalfPixels),
        (true, true) => {
            let message = "`align_corners` and `half_pixel_centers` are mutually exclusive";
            Err(OpError::attr("align_corners", message))
        }
    }
}

/// The shape of images whose size is input 1.
fn infer_size(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    align(node)?;
    check_rank(node, 0, 4, "4 axes")?;
    check_rank(node, 1, 1, "1 axis")?;
    let ends = node.shape(0).dims().map_or([Dim::UNKNOWN; 2], |dims| [dims[0], dims[3]]);
    let size = match known_integers(node, 1).as_deref() {
        Some(&[height, width]) => {
            [count_of(height, "size")?.into(), count_of(width, "size")?.into()]
        }
        Some(size) => {
            let message = format!("`size` must have 2 numbers, not {}", size.len());
            return Err(OpError::elements("size", message));
        }
        None => [Dim::UNKNOWN; 2],
    };
    let dims = [ends[0], size[0], size[1], ends[1]];
    Inferred::one(dims.into_iter().collect::<PartialShape>())
}

fn two(size: &[usize]) -> Result<[usize; 2], NumericError> {
    size.try_into().map_err(|_| NumericError::Rank { expected: 2, actual: size.len() })
}

/// The height and the width of images.
fn size_of(images: Tensor) -> Tensor {
    slice(shape_as(images, DType::I32), [1], [2])
}

const fn resized(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary).fallible(Fallible::Values).infer(|node| {
        check_not_empty(node, 0, [1, 2])?;
        infer_size(node)
    })
}

const IMAGES_AND_SIZE: &[Arg] = &[Arg::of("images", "T"), Arg::is("size", DType::I32)];

/// Images resized by nearest neighbor.
pub static RESIZE_NEAREST_NEIGHBOR: OpDef =
    resized("ResizeNearestNeighbor", "Images resized by nearest neighbor.")
        .inputs(IMAGES_AND_SIZE)
        .outputs(&[Arg::of("resized_images", "T")])
        .attrs(&[IMAGES, CORNERS, CENTERS])
        .gradient(|cx| {
            let inputs = [cx.grad(), size_of(cx.input(0))];
            Ok(grads([Some(beside(&RESIZE_NEAREST_NEIGHBOR_GRAD, cx, inputs)?), None]))
        })
        .kernel(|node| {
            let align = align(node)?;
            Ok(kernel(move |cx| {
                Ok(kernels::nearest(
                    cx.memory,
                    cx.input(0)?,
                    two(&shape_of(cx.input(1)?)?)?,
                    align,
                )?)
            }))
        })
        .samples(|| {
            let stretched = array([1, 1, 4, 1], [1.0_f32, 1.0, 3.0, 3.0]);
            let mut samples = samples();
            samples.push(Sample::new([pair(), Value::from([1, 4])], stretched));
            samples
        });

/// The gradient of [`RESIZE_NEAREST_NEIGHBOR`].
pub static RESIZE_NEAREST_NEIGHBOR_GRAD: OpDef =
    resized("ResizeNearestNeighborGrad", "The gradient of nearest-neighbor resizing.")
        .infer(|node| {
            if known_integers(node, 1).is_some_and(|size| size.contains(&0)) {
                let message = "there are no pixels to add up for: `size` must be above 0";
                return Err(OpError::elements("size", message));
            }
            infer_size(node)
        })
        .inputs(&[Arg::of("grads", "T"), Arg::is("size", DType::I32)])
        .outputs(&[Arg::of("output", "T")])
        .attrs(&[IMAGES, CORNERS, CENTERS])
        .gradient(|cx| {
            let inputs = [cx.grad(), size_of(cx.input(0))];
            Ok(grads([Some(beside(&RESIZE_NEAREST_NEIGHBOR, cx, inputs)?), None]))
        })
        .kernel(|node| {
            let align = align(node)?;
            Ok(kernel(move |cx| {
                Ok(kernels::nearest_grad(
                    cx.memory,
                    cx.input(0)?,
                    two(&shape_of(cx.input(1)?)?)?,
                    align,
                )?)
            }))
        })
        .samples(|| {
            let grad = array([1, 1, 4, 1], [1.0_f32, 2.0, 3.0, 4.0]);
            let sums = array([1, 1, 2, 1], [3.0_f32, 7.0]);
            vec![Sample::new([grad, Value::from([1, 2])], sums)]
        });

type Resize = fn(&Memory, &Value, [usize; 2], Align) -> Result<Value, NumericError>;
type Gradient = fn(&Memory, &Value, [usize; 2], Align, DType) -> Result<Value, NumericError>;

/// A way to interpolate pixels from those around them.
trait Interpolation {
    const RESIZE: Resize;
    const GRADIENT: Gradient;

    /// The operation and its gradient.
    fn family() -> [&'static OpDef; 2];
}

struct Linear;

impl Interpolation for Linear {
    const RESIZE: Resize = kernels::bilinear;
    const GRADIENT: Gradient = kernels::bilinear_grad;

    fn family() -> [&'static OpDef; 2] {
        [&RESIZE_BILINEAR, &RESIZE_BILINEAR_GRAD]
    }
}

struct Cubic;

impl Interpolation for Cubic {
    const RESIZE: Resize = kernels::bicubic;
    const GRADIENT: Gradient = kernels::bicubic_grad;

    fn family() -> [&'static OpDef; 2] {
        [&RESIZE_BICUBIC, &RESIZE_BICUBIC_GRAD]
    }
}

const fn interpolated<I: Interpolation>(name: &'static str, summary: &'static str) -> OpDef {
    resized(name, summary)
        .inputs(IMAGES_AND_SIZE)
        .outputs(const { &[Arg::is("resized_images", DType::F32)] })
        .attrs(const { &[IMAGES, CORNERS, CENTERS] })
        .gradient(|cx| {
            if !cx.node().dtype(0).is_float() {
                return Ok(grads([None, None]));
            }
            let [_, gradient] = I::family();
            Ok(grads([Some(beside(gradient, cx, [cx.grad(), cx.input(0)])?), None]))
        })
        .kernel(|node| {
            let align = align(node)?;
            Ok(kernel(move |cx| {
                Ok((I::RESIZE)(cx.memory, cx.input(0)?, two(&shape_of(cx.input(1)?)?)?, align)?)
            }))
        })
}

const fn interpolated_grad<I: Interpolation>(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .inputs(const { &[Arg::is("grads", DType::F32), Arg::of("original_image", "T")] })
        .outputs(const { &[Arg::of("output", "T")] })
        .attrs(const { &[FLOATS, CORNERS, CENTERS] })
        .fallible(Fallible::Values)
        .infer(|node| {
            align(node)?;
            check_rank(node, 0, 4, "4 axes")?;
            check_rank(node, 1, 4, "4 axes")?;
            check_not_empty(node, 1, [1, 2])?;
            let ends = node.shape(0).dims().map_or([Dim::UNKNOWN; 2], |dims| [dims[0], dims[3]]);
            let size = node.shape(1).dims().map_or([Dim::UNKNOWN; 2], |dims| [dims[1], dims[2]]);
            let dims = [ends[0], size[0], size[1], ends[1]];
            Inferred::one(dims.into_iter().collect::<PartialShape>())
        })
        .gradient(|cx| {
            let [resize, _] = I::family();
            let grad = beside(resize, cx, [cx.grad(), size_of(cx.input(0))])?;
            Ok(grads([Some(grad), None]))
        })
        .kernel(|node| {
            let align = align(node)?;
            Ok(kernel(move |cx| {
                let image = cx.input(1)?;
                let size = two(image.shape().get(1..3).unwrap_or_default())?;
                Ok((I::GRADIENT)(cx.memory, cx.input(0)?, size, align, image.dtype())?)
            }))
        })
}

/// Images resized by bilinear interpolation.
pub static RESIZE_BILINEAR: OpDef =
    interpolated::<Linear>("ResizeBilinear", "Images resized by bilinear interpolation.")
        .samples(|| between(array([1, 1, 4, 1], [1.0_f32, 2.0, 3.0, 3.0])));

/// The gradient of [`RESIZE_BILINEAR`].
pub static RESIZE_BILINEAR_GRAD: OpDef =
    interpolated_grad::<Linear>("ResizeBilinearGrad", "The gradient of bilinear resizing.")
        .samples(|| vec![divided(array([1, 1, 2, 1], [2.0_f32, 8.0]))]);

/// Images resized by bicubic interpolation.
pub static RESIZE_BICUBIC: OpDef =
    interpolated::<Cubic>("ResizeBicubic", "Images resized by bicubic interpolation.")
        .samples(|| between(array([1, 1, 4, 1], [1.0_f32, 2.0, 3.0, 3.1875])));

/// The gradient of [`RESIZE_BICUBIC`].
pub static RESIZE_BICUBIC_GRAD: OpDef =
    interpolated_grad::<Cubic>("ResizeBicubicGrad", "The gradient of bicubic resizing.")
        .samples(|| vec![divided(array([1, 1, 2, 1], [1.625_f32, 8.375]))]);

/// Samples, one of which stretches a [`pair`] to these pixels.
fn between(stretched: Value) -> Vec<Sample> {
    let mut samples = samples();
    samples.push(Sample::new([pair(), Value::from([1, 4])], stretched));
    // Finite differences in `float32` are too coarse to compare with.
    samples.into_iter().map(Sample::at_kink).collect()
}

/// A sample of a gradient with these sums as its result.
fn divided(sums: Value) -> Sample {
    let grad = array([1, 1, 4, 1], [1.0_f32, 2.0, 3.0, 4.0]);
    Sample::new([grad, pair()], sums).at_kink()
}

fn pair() -> Value {
    array([1, 1, 2, 1], [1.0_f32, 3.0])
}

fn samples() -> Vec<Sample> {
    let image = || array([1, 2, 3, 1], [1.0_f32, 2.0, 4.0, 8.0, 16.0, 32.0]);
    let inputs = |height: i32, width: i32| [image(), Value::from([height, width])];
    let empty = array([1, 0, 2, 1], Vec::<f32>::new());
    vec![
        Sample::shapes(inputs(3, 2)),
        Sample::shapes(inputs(4, 5)).attr("align_corners", true),
        Sample::shapes(inputs(1, 4)).attr("half_pixel_centers", true),
        Sample::shapes(inputs(0, 2)),
        Sample::error(inputs(-1, 2), "-1"),
        Sample::error([empty, Value::from([2, 2])], "empty"),
        Sample::error(inputs(1, 1), "mutually exclusive")
            .attr("align_corners", true)
            .attr("half_pixel_centers", true),
    ]
}

/// The nearest pixels of `images`, of shape `[batch, height, width, channels]`, at `size`,
/// `[height, width]`: pixel `i` is pixel `floor(i * height / new height)` of the image.
///
/// # Errors
/// Images of another rank or without pixels.
///
/// ```
/// use tidemill_ops::{placeholder, resize_nearest_neighbor};
/// let images = placeholder::<f32>([2, 8, 8, 3]);
/// assert_eq!(resize_nearest_neighbor(images, [4, 6]).shape().to_string(), "[2, 4, 6, 3]");
/// ```
#[doc(alias = "ResizeNearestNeighbor")]
#[track_caller]
pub fn resize_nearest_neighbor(images: impl Into<Operand>, size: impl Into<Operand>) -> Tensor {
    resize(&RESIZE_NEAREST_NEIGHBOR, images, size)
}

/// `images`, of shape `[batch, height, width, channels]`, at `size`, `[height, width]`, as
/// `float32`: each pixel is a mean of the four around it, weighted by their distances.
///
/// # Errors
/// As for [`resize_nearest_neighbor`].
///
/// ```
/// use tidemill_ops::{placeholder, resize_bilinear};
/// let images = placeholder::<f32>([2, 8, 8, 3]);
/// assert_eq!(resize_bilinear(images, [4, 6]).shape().to_string(), "[2, 4, 6, 3]");
/// ```
#[doc(alias = "ResizeBilinear")]
#[track_caller]
pub fn resize_bilinear(images: impl Into<Operand>, size: impl Into<Operand>) -> Tensor {
    resize(&RESIZE_BILINEAR, images, size)
}

/// `images`, of shape `[batch, height, width, channels]`, at `size`, `[height, width]`, as
/// `float32`: each pixel is a sum of the sixteen around it, weighted by cubics of their distances
/// (Keys, 1981).
///
/// # Errors
/// As for [`resize_nearest_neighbor`].
///
/// ```
/// use tidemill_ops::{placeholder, resize_bicubic};
/// let images = placeholder::<f32>([2, 8, 8, 3]);
/// assert_eq!(resize_bicubic(images, [4, 6]).shape().to_string(), "[2, 4, 6, 3]");
/// ```
#[doc(alias = "ResizeBicubic")]
#[track_caller]
pub fn resize_bicubic(images: impl Into<Operand>, size: impl Into<Operand>) -> Tensor {
    resize(&RESIZE_BICUBIC, images, size)
}

#[track_caller]
fn resize(op: &'static OpDef, images: impl Into<Operand>, size: impl Into<Operand>) -> Tensor {
    let images = images.into().to_tensor();
    let size = size.into().to_tensor_beside(images, "size");
    tensor(NodeBuilder::new(op).input(images).input(size))
}
