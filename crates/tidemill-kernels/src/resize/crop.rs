use tidemill_value::{DType, Memory, Shape, Value, match_dtype};

use super::unsupported;
use crate::NumericError;
use crate::float::Float;
use crate::output::{build, build_zeroed, expect_shape};

/// The source pixels of a pixel of a crop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// The four around it, weighted by distance.
    Bilinear,
    /// The nearest one.
    Nearest,
}

/// Boxes to cut out of images: `boxes`, of shape `[count, 4]`, has the first and the last row and
/// column of each, `y1, x1, y2, x2`, where 0 is the first pixel of an image and 1 the last;
/// `images`, of shape `[count]`, has the number of the image.
#[derive(Clone, Copy, Debug)]
pub struct Boxes<'a> {
    /// The boxes, `float32`.
    pub boxes: &'a Value,
    /// The numbers of their images, `int32`.
    pub images: &'a Value,
}

/// The parts of `images` in `boxes`, each resized to `size`; pixels off the image are `outside`.
/// TensorFlow's `CropAndResize`.
///
/// # Errors
/// [`NumericError::Rank`] if `images` does not have 4 axes, [`NumericError::EmptyAxis`] if there is
/// no pixel, [`NumericError::Shape`] if the boxes have another shape,
/// [`NumericError::IndexOutOfRange`] if a box is on no image or not finite,
/// [`NumericError::UnsupportedDType`] if the elements are not numbers.
pub fn crop(
    memory: &Memory,
    images: &Value,
    boxes: Boxes<'_>,
    size: [usize; 2],
    method: Method,
    outside: f32,
) -> Result<Value, NumericError> {
    let cuts = Cuts::new(images.shape(), boxes, size)?;
    with_pixels!(images, pixels => build(memory, cuts.crops(), |out: &mut [f32]| {
            out.fill(outside);
            cuts.for_each(&mut |place| {
                for (channel, out) in out[place.at..place.at + cuts.depth].iter_mut().enumerate() {
                    let pixel = |start: usize| pixels(start + channel);
                    *out = match method {
                        Method::Bilinear => place.between(place.corners.map(|row| row.map(pixel))),
                        Method::Nearest => pixel(place.nearest()),
                    };
                }
            });
            Ok(())
    }))
}

/// The gradient of [`crop`] of images of `shape`, as elements of type `dtype`. TensorFlow's
/// `CropAndResizeGradImage`.
///
/// # Errors
/// As for [`crop`], for a `dtype` that is not a float; [`NumericError::Shape`] also if `grads` does
/// not have the shape of the crops.
pub fn crop_grad_images(
    memory: &Memory,
    grads: &Value,
    boxes: Boxes<'_>,
    shape: &Shape,
    method: Method,
    dtype: DType,
) -> Result<Value, NumericError> {
    let cuts = Cuts::new(shape, boxes, size_of(grads)?)?;
    cuts.expect(grads)?;
    let grads = grads.as_slice::<f32>()?;
    match_dtype!(dtype, floats, T => build_zeroed(memory, shape.clone(), |out: &mut [T]| {
        cuts.for_each(&mut |place| {
            for (channel, grad) in grads[place.at..place.at + cuts.depth].iter().enumerate() {
                let mut add = |start: usize, part: f32| {
                    out[start + channel] += T::from_f64((part * grad).into());
                };
                if method == Method::Nearest {
                    add(place.nearest(), 1.0);
                    continue;
                }
                let [down, right] = place.parts;
                for (row, down) in place.corners.into_iter().zip([1.0 - down, down]) {
                    for (start, right) in row.into_iter().zip([1.0 - right, right]) {
                        add(start, down * right);
                    }
                }
            }
        });
        Ok(())
    }), else unsupported(dtype))
}

/// The gradient of the boxes of a bilinear [`crop`]. TensorFlow's `CropAndResizeGradBoxes`.
///
/// # Errors
/// As for [`crop`]; [`NumericError::Shape`] also if `grads` does not have the shape of the crops.
pub fn crop_grad_boxes(
    memory: &Memory,
    grads: &Value,
    images: &Value,
    boxes: Boxes<'_>,
) -> Result<Value, NumericError> {
    let cuts = Cuts::new(images.shape(), boxes, size_of(grads)?)?;
    cuts.expect(grads)?;
    let grads = grads.as_slice::<f32>()?;
    with_pixels!(images, pixels => build_zeroed(memory, boxes.boxes.shape().clone(), |out: &mut [f32]| {
            cuts.for_each(&mut |place| {
                let [y1, x1, y2, x2] = [0, 1, 2, 3].map(|i| 4 * place.number + i);
                let [down, right] = place.parts;
                for (channel, grad) in grads[place.at..place.at + cuts.depth].iter().enumerate() {
                    let pixel = |start: usize| pixels(start + channel);
                    let [[a, b], [c, d]] = place.corners.map(|row| row.map(pixel));
                    let by_row = ((1.0 - right) * (c - a) + right * (d - b)) * grad;
                    let by_column = ((1.0 - down) * (b - a) + down * (d - c)) * grad;
                    let [row, column] = place.shares;
                    out[y1] += by_row * row[0];
                    out[y2] += by_row * row[1];
                    out[x1] += by_column * column[0];
                    out[x2] += by_column * column[1];
                }
            });
            Ok(())
    }))
}

fn size_of(crops: &Value) -> Result<[usize; 2], NumericError> {
    let shape = crops.shape();
    let [_, height, width, _] = shape[..] else {
        return Err(NumericError::Rank { expected: 4, actual: shape.rank() });
    };
    match [height, width].iter().position(|&extent| extent == 0) {
        Some(i) => Err(NumericError::EmptyAxis { axis: 1 + i, shape: shape.clone() }),
        None => Ok([height, width]),
    }
}

/// The position on an axis of an image of a row or column of a crop, and its dependence on the
/// first and last of the box.
#[derive(Clone, Copy)]
struct Line {
    position: f32,
    shares: [f32; 2],
}

impl Line {
    /// Line `i` of `count` from `first` to `last`, as parts of an axis of `extent`.
    fn new(i: usize, count: usize, [first, last]: [f32; 2], extent: usize) -> Self {
        let end = (extent - 1) as f32;
        if count < 2 {
            // Like TensorFlow: the middle is computed in `float64`.
            let middle = 0.5 * f64::from(first + last) * f64::from(end);
            return Line { position: middle as f32, shares: [0.5 * end; 2] };
        }
        let (steps, i) = ((count - 1) as f32, i as f32);
        let share = i * (end / steps);
        let position = first * end + i * ((last - first) * end / steps);
        Line { position, shares: [end - share, share] }
    }
}

/// One pixel of a crop that is on its image.
struct Place {
    /// The number of the box.
    number: usize,
    /// The start of its channels.
    at: usize,
    /// The start of the channels of the pixels around it, by rows.
    corners: [[usize; 2]; 2],
    /// Its distance down and right among those.
    parts: [f32; 2],
    /// The dependence of its row and column on the first and last of the box.
    shares: [[f32; 2]; 2],
}

impl Place {
    fn between(&self, corners: [[f32; 2]; 2]) -> f32 {
        let [down, right] = self.parts;
        let [top, bottom] = corners.map(|[left, other]| left + (other - left) * right);
        top + (bottom - top) * down
    }

    /// The start of the channels of the nearest pixel; halves are rounded away from 0.
    fn nearest(&self) -> usize {
        let [row, column] = self.parts.map(|part| usize::from(part >= 0.5));
        self.corners[row][column]
    }
}

/// The sources of the pixels of crops.
struct Cuts<'a> {
    boxes: &'a [f32],
    images: &'a [i32],
    size: [usize; 2],
    extents: [usize; 2],
    depth: usize,
}

impl<'a> Cuts<'a> {
    fn new(shape: &Shape, boxes: Boxes<'a>, size: [usize; 2]) -> Result<Self, NumericError> {
        let [batch, height, width, depth] = shape[..] else {
            return Err(NumericError::Rank { expected: 4, actual: shape.rank() });
        };
        for (axis, extent) in [(1, height), (2, width)] {
            if extent == 0 {
                return Err(NumericError::EmptyAxis { axis, shape: shape.clone() });
            }
        }
        let count = boxes.images.elements();
        expect_shape(boxes.images, &[count])?;
        expect_shape(boxes.boxes, &[count, 4])?;
        let (boxes, images) = (boxes.boxes.as_slice::<f32>()?, boxes.images.as_slice::<i32>()?);
        let is_there = |&image: &i32| usize::try_from(image).is_ok_and(|image| image < batch);
        if let Some(position) = images.iter().position(|image| !is_there(image)) {
            let index = images[position].into();
            return Err(NumericError::IndexOutOfRange { index, position, extent: batch });
        }
        if let Some(position) = boxes.iter().position(|edge| !edge.is_finite()) {
            return Err(NumericError::NotFinite { position });
        }
        Ok(Cuts { boxes, images, size, extents: [height, width], depth })
    }

    /// The shape of the crops.
    fn crops(&self) -> Shape {
        [self.images.len(), self.size[0], self.size[1], self.depth].into()
    }

    fn expect(&self, grads: &Value) -> Result<(), NumericError> {
        expect_shape(grads, &self.crops())
    }

    /// Calls a function for each pixel of the crops that is on its image, in order.
    fn for_each(&self, f: &mut dyn FnMut(Place)) {
        let ([height, width], [rows, columns]) = (self.extents, self.size);
        if self.depth == 0 {
            return;
        }
        for (number, (edges, &image)) in self.boxes.chunks_exact(4).zip(self.images).enumerate() {
            let lines = |i: usize, count: usize, axis: usize| {
                let line = Line::new(i, count, [edges[axis], edges[axis + 2]], self.extents[axis]);
                let last = (self.extents[axis] - 1) as f32;
                (0.0..=last).contains(&line.position).then_some(line)
            };
            for row in 0..rows {
                let Some(y) = lines(row, rows, 0) else { continue };
                for column in 0..columns {
                    let Some(x) = lines(column, columns, 1) else { continue };
                    // Rounding up to `f32` could lead past the last pixel.
                    let around = |line: Line, extent: usize| {
                        [line.position.floor(), line.position.ceil()]
                            .map(|at| (at as usize).min(extent - 1))
                    };
                    let corners = around(y, height).map(|y| {
                        let line = (image as usize * height + y) * width;
                        around(x, width).map(|x| (line + x) * self.depth)
                    });
                    f(Place {
                        number,
                        at: ((number * rows + row) * columns + column) * self.depth,
                        corners,
                        parts: [y, x].map(|line| line.position - line.position.floor()),
                        shares: [y.shares, x.shares],
                    });
                }
            }
        }
    }
}
