//! Boxes cut out of images and resized.

use tidemill_graph::{
    Arg, Attr, AttrDef, Fallible, GradCx, Inferred, KernelCx, KernelError, NodeBuilder, NodeView,
    OpDef, OpError, Sample,
};
use tidemill_kernels::resize::{self as kernels, Boxes, Method};
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::array::{shape_as, slice};
use crate::family::{beside, grads};
use crate::index::{
    check_not_empty, check_rank, check_shape, count_of, integers, known_extents, known_integers,
    shape_of,
};
use crate::kernel::kernel;
use crate::operand::tensor;
use crate::operations::operations;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops: CROP_AND_RESIZE, CROP_AND_RESIZE_GRAD_BOXES, CROP_AND_RESIZE_GRAD_IMAGE;
    exports: crop_and_resize;
}

const IMAGES: AttrDef = AttrDef::widened("T", DType::NUMBERS);
const METHOD: AttrDef = AttrDef::str("method", "bilinear");
const OUTSIDE: AttrDef = AttrDef::float("extrapolation_value", 0.0);
const BOXES: Arg = Arg::is("boxes", DType::F32);
const BOX_INDEX: Arg = Arg::is("box_ind", DType::I32);

fn method(node: &NodeView<'_>) -> Result<Method, OpError> {
    let method = node.str_attr("method")?;
    match &method[..] {
        b"bilinear" => Ok(Method::Bilinear),
        b"nearest" => Ok(Method::Nearest),
        _ => Err(OpError::attr("method", format!("unknown crop method {method:?}"))),
    }
}

/// The boxes that the two inputs from `first` on describe.
fn boxes<'a>(cx: &'a KernelCx<'_>, first: usize) -> Result<Boxes<'a>, KernelError> {
    Ok(Boxes { boxes: cx.input(first)?, images: cx.input(first + 1)? })
}

fn check_boxes(node: &NodeView<'_>, first: usize) -> Result<Dim, OpError> {
    method(node)?;
    check_rank(node, first, 2, "2 axes")?;
    check_rank(node, first + 1, 1, "1 axis")?;
    let count = |i: usize| node.shape(i).dims().map_or(Dim::UNKNOWN, |dims| dims[0]);
    check_shape(node, first, &[count(first + 1), 4.into()].into_iter().collect())?;
    Ok(if count(first).known().is_some() { count(first) } else { count(first + 1) })
}

/// Checks that input 0 can be crops, one for each box.
fn check_crops(node: &NodeView<'_>, count: Dim, depth: Dim) -> Result<(), OpError> {
    let crops = [count, Dim::UNKNOWN, Dim::UNKNOWN, depth];
    check_shape(node, 0, &crops.into_iter().collect())
}

fn check_bilinear(node: &NodeView<'_>) -> Result<(), OpError> {
    match method(node)? {
        Method::Bilinear => Ok(()),
        Method::Nearest => {
            Err(OpError::attr("method", "only bilinear crops have a gradient for their boxes"))
        }
    }
}

/// The parts of images in boxes, resized.
pub static CROP_AND_RESIZE: OpDef =
    OpDef::new("CropAndResize", "The parts of images in boxes, all resized to one size.")
        .inputs(&[Arg::of("image", "T"), BOXES, BOX_INDEX, Arg::is("crop_size", DType::I32)])
        .outputs(&[Arg::is("crops", DType::F32)])
        .attrs(&[IMAGES, METHOD, OUTSIDE])
        .fallible(Fallible::Values)
        .infer(|node| {
            let count = check_boxes(node, 1)?;
            check_rank(node, 0, 4, "4 axes")?;
            check_rank(node, 3, 1, "1 axis")?;
            check_not_empty(node, 0, [1, 2])?;
            let size = match known_integers(node, 3) {
                Some(size) => crop_size(&size)?.map(Dim::from),
                None => [Dim::UNKNOWN; 2],
            };
            let depth = node.shape(0).dims().map_or(Dim::UNKNOWN, |dims| dims[3]);
            let dims = [count, size[0], size[1], depth];
            Inferred::one(dims.into_iter().collect::<PartialShape>())
        })
        .gradient(|cx| {
            // TensorFlow gives the boxes the gradient of bilinear crops for nearest ones too.
            let (image, boxes, of) = (cx.input(0), cx.input(1), cx.input(2));
            let by_boxes = grad_boxes(cx.grad(), image, boxes, of);
            if !cx.node().dtype(0).is_float() {
                return Ok(grads([None, Some(by_boxes), None, None]));
            }
            let sizes = shape_as(image, DType::I32);
            let node = NodeBuilder::new(&CROP_AND_RESIZE_GRAD_IMAGE).input(cx.grad::<Tensor>());
            let node = node.input(boxes).input(of).input(sizes);
            let node = node.attr("T", cx.node().dtype(0)).attr("method", method_of(cx)?);
            Ok(grads([Some(tensor(node)), Some(by_boxes), None, None]))
        })
        .kernel(|node| {
            let (method, outside) = (method(node)?, node.float_attr("extrapolation_value")?);
            Ok(kernel(move |cx| {
                let size = crop_size(&integers(cx.input(3)?)?)?;
                Ok(kernels::crop(cx.memory, cx.input(0)?, boxes(cx, 1)?, size, method, outside)?)
            }))
        })
        .samples(samples);

fn crop_size(size: &[i64]) -> Result<[usize; 2], OpError> {
    match *size {
        [height, width] if height > 0 && width > 0 => {
            Ok([count_of(height, "crop_size")?, count_of(width, "crop_size")?])
        }
        _ => Err(OpError::elements(
            "crop_size",
            format!("`crop_size` must be 2 numbers above 0, not {size:?}"),
        )),
    }
}

fn method_of(cx: &GradCx<'_>) -> Result<Attr, OpError> {
    Ok(Attr::Str(cx.node().str_attr("method")?))
}

fn grad_boxes(grad: Tensor, image: Tensor, boxes: Tensor, of: Tensor) -> Tensor {
    let node = NodeBuilder::new(&CROP_AND_RESIZE_GRAD_BOXES).input(grad);
    tensor(node.input(image).input(boxes).input(of))
}

/// The gradient of [`CROP_AND_RESIZE`] with respect to its images.
pub static CROP_AND_RESIZE_GRAD_IMAGE: OpDef = OpDef::new(
    "CropAndResizeGradImage",
    "The gradient of bilinear crops with respect to the images.",
)
.inputs(&[Arg::is("grads", DType::F32), BOXES, BOX_INDEX, Arg::is("image_size", DType::I32)])
.outputs(&[Arg::of("output", "T")])
.attrs(&[AttrDef::widened("T", DType::FLOATS), METHOD])
.fallible(Fallible::Values)
.infer(|node| {
    let count = check_boxes(node, 1)?;
    check_rank(node, 0, 4, "4 axes")?;
    check_shape(node, 3, &[4].into())?;
    check_not_empty(node, 0, [1, 2])?;
    let shape = known_extents(node, 3)?.unwrap_or_else(|| PartialShape::of_rank(4));
    let dims = shape.dims().unwrap_or_default();
    if let Some(axis) = [1, 2].into_iter().find(|&axis| dims[axis].known() == Some(0)) {
        let message = format!("axis {axis} of the images of shape {shape} is empty");
        return Err(OpError::elements("image_size", message));
    }
    check_crops(node, count, dims[3])?;
    Inferred::one(shape)
})
.gradient(|cx| {
    let (crops, boxes, of): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.input(2));
    let images: Tensor = cx.grad();
    let size = slice(shape_as(crops, DType::I32), [1], [2]);
    let by_crops = beside(&CROP_AND_RESIZE, cx, [images, boxes, of, size])?;
    let by_boxes = grad_boxes(crops, images, boxes, of);
    Ok(grads([Some(by_crops), Some(by_boxes), None, None]))
})
.kernel(|node| {
    let (method, dtype) = (method(node)?, node.type_attr("T")?);
    Ok(kernel(move |cx| {
        let shape = shape_of(cx.input(3)?)?;
        Ok(kernels::crop_grad_images(
            cx.memory,
            cx.input(0)?,
            boxes(cx, 1)?,
            &shape,
            method,
            dtype,
        )?)
    }))
})
.samples(|| {
    let grads = array([1, 1, 2, 1], [4.0_f32, 8.0]);
    let inputs = |size: [i32; 4]| {
        [grads.clone(), array([1, 4], [0.0_f32, 0.25, 1.0, 1.0]), [0].into(), size.into()]
    };
    let spread = array([1, 1, 3, 1], [2.0_f32, 2.0, 8.0]);
    let nearest = array([1, 1, 3, 1], [0.0_f32, 4.0, 8.0]);
    vec![
        Sample::new(inputs([1, 1, 3, 1]), spread).attr("T", DType::F32).at_kink(),
        Sample::new(inputs([1, 1, 3, 1]), nearest)
            .attr("T", DType::F32)
            .attr("method", "nearest")
            .at_kink(),
        Sample::error(inputs([1, 1, 3, 2]), "[1, 1, 2, 1]").attr("T", DType::F32),
    ]
});

/// The gradient of [`CROP_AND_RESIZE`] with respect to its boxes.
pub static CROP_AND_RESIZE_GRAD_BOXES: OpDef = OpDef::new(
    "CropAndResizeGradBoxes",
    "The gradient of bilinear crops with respect to the boxes.",
)
.inputs(&[Arg::is("grads", DType::F32), Arg::of("image", "T"), BOXES, BOX_INDEX])
.outputs(&[Arg::is("output", DType::F32)])
.attrs(&[IMAGES, METHOD])
.fallible(Fallible::Values)
.infer(|node| {
    check_bilinear(node)?;
    let count = check_boxes(node, 2)?;
    check_rank(node, 0, 4, "4 axes")?;
    check_rank(node, 1, 4, "4 axes")?;
    check_not_empty(node, 0, [1, 2])?;
    check_not_empty(node, 1, [1, 2])?;
    let depth = node.shape(1).dims().map_or(Dim::UNKNOWN, |dims| dims[3]);
    check_crops(node, count, depth)?;
    Inferred::one([count, 4.into()].into_iter().collect::<PartialShape>())
})
.kernel(|node| {
    check_bilinear(node)?;
    Ok(kernel(|cx| {
        Ok(kernels::crop_grad_boxes(cx.memory, cx.input(0)?, cx.input(1)?, boxes(cx, 2)?)?)
    }))
})
.samples(|| {
    let inputs = |boxes: Value| {
        let image = array([1, 1, 3, 1], [1.0_f32, 2.0, 4.0]);
        [array([1, 1, 2, 1], [1.0_f32, 1.0]), image, boxes, [0].into()]
    };
    let inside = array([1, 4], [0.0_f32, 0.25, 1.0, 0.75]);
    let wrong = array([1, 3], [0.0_f32, 0.25, 1.0]);
    vec![
        Sample::new(inputs(inside.clone()), array([1, 4], [0.0_f32, 2.0, 0.0, 4.0])),
        Sample::error(inputs(inside), "bilinear").attr("method", "nearest"),
        Sample::error(inputs(wrong), "[1, 4]"),
    ]
});

fn samples() -> Vec<Sample> {
    let image = || array([2, 2, 3, 1], (0..12).map(|i| (i * i) as f32).collect::<Vec<_>>());
    let boxes = || array([2, 4], [0.125_f32, 0.25, 0.75, 1.0, 0.875, 0.625, -0.25, 0.125]);
    let inputs = |size: [i32; 2]| [image(), boxes(), [1, 0].into(), size.into()];
    let row = array([1, 1, 3, 1], [1.0_f32, 2.0, 4.0]);
    let cut = |method: &'static str, crop: [f32; 3]| {
        let boxes = array([1, 4], [0.0_f32, 0.125, 0.0, 1.25]);
        let inputs = [row.clone(), boxes, [0].into(), [1, 3].into()];
        Sample::new(inputs, array([1, 1, 3, 1], crop))
            .attr("method", method)
            .attr("extrapolation_value", -1.0_f32)
    };
    let with = |boxes: Value, of: i32| [image(), boxes, [of].into(), [2, 2].into()];
    let all = || array([1, 4], [0.0_f32, 0.0, 1.0, 1.0]);
    let samples = vec![
        cut("bilinear", [1.25, 2.75, -1.0]),
        cut("nearest", [1.0, 2.0, -1.0]),
        Sample::shapes(inputs([3, 2])),
        Sample::shapes(inputs([1, 1])),
        Sample::error(inputs([0, 2]), "above 0"),
        Sample::error(inputs([2, 2]), "cubic").attr("method", "cubic"),
        Sample::error(with(all(), 2), "[0, 2)"),
        Sample::error(with(all(), -1), "-1"),
        Sample::error(with(array([1, 4], [0.0_f32, 0.0, f32::NAN, 1.0]), 0), "not finite"),
    ];
    // Finite differences in `float32` are too coarse to compare with.
    samples.into_iter().map(Sample::at_kink).collect()
}

/// The parts of images inside `boxes`, resized to `crop_size`, `[height, width]`, as `float32` of
/// shape `[boxes, height, width, channels]`.
///
/// `image` has shape `[batch, height, width, channels]`. `boxes`, `float32`, has shape
/// `[boxes, 4]`: the first row and column, then the last row and column, `[y1, x1, y2, x2]`, where
/// 0 is the first pixel of the image and 1 the last. `box_index`, `int32`, has the image number of
/// each box. Pixels are interpolated bilinearly from the four around them; pixels outside the
/// image are `extrapolation_value`. The gradient goes to the image and to the boxes.
///
/// # Errors
/// Tensors of other ranks, or sizes below 1. A run fails if a box is not finite or has no image.
///
/// ```
/// use tidemill_ops::{crop_and_resize, placeholder};
/// let image = placeholder::<f32>([1, 64, 64, 3]);
/// let crops = crop_and_resize(image, [[0.0_f32, 0.0, 0.5, 0.5]], [0], [8, 8], 0.0);
/// assert_eq!(crops.shape().to_string(), "[1, 8, 8, 3]");
/// ```
#[doc(alias = "CropAndResize")]
#[track_caller]
pub fn crop_and_resize(
    image: impl Into<Operand>,
    boxes: impl Into<Operand>,
    box_index: impl Into<Operand>,
    crop_size: impl Into<Operand>,
    extrapolation_value: f32,
) -> Tensor {
    let image = image.into().to_tensor();
    let boxes = boxes.into().to_tensor_beside(image, "boxes");
    let box_index = box_index.into().to_tensor_beside(image, "box_ind");
    let size = crop_size.into().to_tensor_beside(image, "crop_size");
    let node = NodeBuilder::new(&CROP_AND_RESIZE).input(image).input(boxes).input(box_index);
    tensor(node.input(size).attr("extrapolation_value", extrapolation_value))
}
