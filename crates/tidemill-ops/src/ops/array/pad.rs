//! `Pad`, `PadV2`, `MirrorPad` and `MirrorPadGrad`.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, AttrKind, Fallible, GradCx, Inferred, KernelError, NodeBuilder, NodeView, OpDef,
    OpError, Sample,
};
use tidemill_kernels::{NumericError, layout};
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::{rank, reshape, shape_as, slice, stack};
use crate::family::grads;
use crate::index::{integers, known_integers};
use crate::kernel::kernel;
use crate::operand::{composite, indexed, tensor};
use crate::operations::operations;
use crate::ops::cast::cast;
use crate::ops::reduce::reduce_sum;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops: MIRROR_PAD, MIRROR_PAD_GRAD, PAD, PAD_V2;
    exports: Mirror, mirror_pad, pad, pad_with;
}

const PADDINGS: Arg = Arg::of("paddings", "Tpaddings");
const PADDINGS_TYPE: AttrDef = AttrDef::types("Tpaddings", DType::INDICES);

/// A tensor padded with zeros.
pub static PAD: OpDef = OpDef::new("Pad", "A tensor padded with zeros.")
    .inputs(const { &[Arg::of("input", "T"), PADDINGS] })
    .outputs(&[Arg::of("output", "T")])
    .attrs(const { &[AttrDef::types("T", DType::ALL), PADDINGS_TYPE] })
    .fallible(Fallible::Elements(&[1]))
    .infer(|node| Inferred::one(padded_shape(node, Grow::Outward)?))
    .gradient(|cx| Ok(grads([Some(middle(cx)), None])))
    .kernel(|_| {
        Ok(kernel(|cx| {
            let x = cx.input(0)?;
            let zero = Value::zeros(x.dtype(), [])?;
            Ok(layout::pad(cx.memory, x, &paddings(cx.input(1)?)?, &zero)?)
        }))
    })
    .samples(|| {
        let x = || Value::from([1.0_f32, 2.0]);
        let around = |before: i32, behind: i32| array([1, 2], [before, behind]);
        let scalar = Value::from(1.0_f32);
        vec![
            Sample::new([x(), around(1, 2)], Value::from([0.0_f32, 1.0, 2.0, 0.0, 0.0])),
            Sample::new([x(), around(0, 0)], x()),
            Sample::new([scalar.clone(), array([0, 2], Vec::<i32>::new())], scalar),
            Sample::error([x(), around(-1, 0)], "must not be negative"),
            Sample::error([x(), array([2, 2], [0, 0, 0, 0])], "[2, 2]"),
        ]
    });

/// A tensor padded with a given number.
pub static PAD_V2: OpDef = OpDef::new("PadV2", "A tensor padded with a given number.")
    .inputs(const { &[Arg::of("input", "T"), PADDINGS, Arg::of("constant_values", "T")] })
    .outputs(&[Arg::of("output", "T")])
    .attrs(const { &[AttrDef::types("T", DType::ALL), PADDINGS_TYPE] })
    .fallible(Fallible::Elements(&[1]))
    .infer(|node| {
        crate::index::check_rank(node, 2, 0, "no axes")?;
        Inferred::one(padded_shape(node, Grow::Outward)?)
    })
    .gradient(|cx| {
        let of_x = middle(cx);
        let around = reduce_sum(cx.grad::<Tensor>(), ..) - reduce_sum(of_x, ..);
        Ok(grads([Some(of_x), None, Some(around)]))
    })
    .kernel(|_| {
        Ok(kernel(|cx| {
            Ok(layout::pad(cx.memory, cx.input(0)?, &paddings(cx.input(1)?)?, cx.input(2)?)?)
        }))
    })
    .samples(|| {
        let inputs = [Value::from([1.0_f32]), array([1, 2], [1, 1]), Value::from(3.0_f32)];
        vec![Sample::new(inputs, Value::from([3.0_f32, 1.0, 3.0]))]
    });

/// A tensor padded with its mirror images.
pub static MIRROR_PAD: OpDef =
    OpDef::new("MirrorPad", "A tensor padded with its mirror images.")
        .inputs(const { &[Arg::of("input", "T"), PADDINGS] })
        .outputs(&[Arg::of("output", "T")])
        .attrs(
            const {
                &[
                    AttrDef::types("T", DType::ALL),
                    PADDINGS_TYPE,
                    AttrDef::new("mode", AttrKind::Str),
                ]
            },
        )
        .fallible(Fallible::Values)
        .infer(|node| {
            check_mirrors(node, Grow::Outward)?;
            Inferred::one(padded_shape(node, Grow::Outward)?)
        })
        .gradient(|cx| Ok(grads([Some(mirrored(&MIRROR_PAD_GRAD, cx)?), None])))
        .kernel(|node| {
            let skips_edge = skips_edge(node)?;
            Ok(kernel(move |cx| {
                Ok(layout::mirror_pad(
                    cx.memory,
                    cx.input(0)?,
                    &paddings(cx.input(1)?)?,
                    skips_edge,
                )?)
            }))
        })
        .samples(|| {
            let x = || Value::from([1.0_f32, 2.0, 3.0]);
            let sample =
                |mode: &str, y| Sample::new([x(), array([1, 2], [2, 1])], y).attr("mode", mode);
            let wrong = |mode: &str, behind: i32, message| {
                Sample::error([x(), array([1, 2], [0, behind])], message).attr("mode", mode)
            };
            vec![
                sample("REFLECT", Value::from([3.0_f32, 2.0, 1.0, 2.0, 3.0, 2.0])),
                sample("SYMMETRIC", Value::from([2.0_f32, 1.0, 1.0, 2.0, 3.0, 3.0])),
                wrong("REFLECT", 3, "axis 0 of extent 3 is too short to mirror"),
                wrong("SYMMETRIC", 4, "axis 0 of extent 3 is too short to mirror"),
                wrong("EDGE", 1, "EDGE"),
            ]
        });

/// The gradient of mirror padding: each image is added to the element that it mirrors.
pub static MIRROR_PAD_GRAD: OpDef = OpDef::new(
    "MirrorPadGrad",
    "The gradient of mirror padding: each image is added to the element that it mirrors.",
)
.inputs(const { &[Arg::of("input", "T"), PADDINGS] })
.outputs(&[Arg::of("output", "T")])
.attrs(
    const {
        &[AttrDef::widened("T", DType::NUMBERS), PADDINGS_TYPE, AttrDef::new("mode", AttrKind::Str)]
    },
)
.fallible(Fallible::Values)
.infer(|node| {
    check_mirrors(node, Grow::Inward)?;
    Inferred::one(padded_shape(node, Grow::Inward)?)
})
.gradient(|cx| Ok(grads([Some(mirrored(&MIRROR_PAD, cx)?), None])))
.kernel(|node| {
    let skips_edge = skips_edge(node)?;
    Ok(kernel(move |cx| {
        Ok(layout::mirror_pad_grad(cx.memory, cx.input(0)?, &paddings(cx.input(1)?)?, skips_edge)?)
    }))
})
.samples(|| {
    let inputs = [Value::from([1.0_f32, 2.0, 3.0, 4.0, 5.0]), array([1, 2], [1, 1])];
    let sample = |mode: &str, y| Sample::new(inputs.clone(), y).attr("mode", mode);
    vec![
        sample("REFLECT", Value::from([2.0_f32, 9.0, 4.0])),
        sample("SYMMETRIC", Value::from([3.0_f32, 3.0, 9.0])),
    ]
});

/// True if the mirror is on the outermost element, not past it.
fn skips_edge(node: &NodeView<'_>) -> Result<bool, OpError> {
    let mode = node.str_attr("mode")?;
    match &mode[..] {
        b"REFLECT" => Ok(true),
        b"SYMMETRIC" => Ok(false),
        _ => Err(OpError::attr(
            "mode",
            format!("unknown mode {mode}: only REFLECT and SYMMETRIC exist"),
        )),
    }
}

fn mirrored(op: &'static OpDef, cx: &GradCx<'_>) -> Result<Tensor, OpError> {
    let node = NodeBuilder::new(op).input(cx.grad::<Tensor>()).input(cx.input::<Tensor>(1));
    Ok(tensor(node.attr("mode", cx.node().str_attr("mode")?)))
}

/// The gradient of a padded tensor: the block in the middle of the incoming gradient.
fn middle(cx: &GradCx<'_>) -> Tensor {
    let (x, paddings): (Tensor, Tensor) = (cx.input(0), cx.input(1));
    let index = cx.node().dtype(1);
    let rows = cast(rank(x), index);
    let first_column = stack([rows, Operand::from(1).to_tensor_like(rows, "Const")], 0);
    let begin = Value::zeros(index, [2]);
    let begin = begin.map_or_else(|_| Operand::from(0), Operand::from);
    let before = reshape(slice(paddings, begin, first_column), [-1]);
    slice(cx.grad::<Tensor>(), before, shape_as(x, index))
}

/// Paddings as numbers of elements before and after each axis.
pub(super) fn paddings(value: &Value) -> Result<SmallVec<[(usize, usize); 4]>, KernelError> {
    if value.shape().rank() != 2 || value.shape()[1] != 2 {
        return Err(wrong_paddings(&value.shape().into()).into());
    }
    let numbers = integers(value)?;
    let pairs = numbers.chunks_exact(2).map(|pair| pair_of(pair[0], pair[1]));
    Ok(pairs.collect::<Result<_, _>>()?)
}

fn pair_of(before: i64, behind: i64) -> Result<(usize, usize), OpError> {
    let pair = usize::try_from(before).ok().zip(usize::try_from(behind).ok());
    let message = || format!("paddings must not be negative, but are {before} and {behind}");
    pair.ok_or_else(|| OpError::elements("paddings", message()))
}

fn wrong_paddings(shape: &PartialShape) -> OpError {
    OpError::shape("paddings", format!("paddings must have shape [rank, 2], not {shape}"))
}

/// The relation of paddings to the input's shape: added to it, or part of it.
#[derive(Clone, Copy, PartialEq)]
enum Grow {
    Outward,
    Inward,
}

/// Checks that no mirror image is longer than its axis allows, as far as that is known.
fn check_mirrors(node: &NodeView<'_>, grow: Grow) -> Result<(), OpError> {
    let skips_edge = skips_edge(node)?;
    let (Some(dims), Some(paddings)) = (node.shape(0).dims(), known_integers(node, 1)) else {
        return Ok(());
    };
    for (axis, (dim, pair)) in dims.iter().zip(paddings.chunks_exact(2)).enumerate() {
        let (before, behind) = pair_of(pair[0], pair[1])?;
        let Some(extent) = dim.known().filter(|_| before + behind > 0) else { continue };
        let shown = match grow {
            Grow::Outward => Some(extent),
            Grow::Inward => extent.checked_sub(before.saturating_add(behind)),
        };
        let longest = shown.and_then(|shown| shown.checked_sub(usize::from(skips_edge)));
        if longest.is_none_or(|longest| before.max(behind) > longest) {
            let extent = shown.unwrap_or_default();
            return Err(NumericError::Mirror { axis, before, behind, extent }.into());
        }
    }
    Ok(())
}

fn padded_shape(node: &NodeView<'_>, grow: Grow) -> Result<PartialShape, OpError> {
    let pairs = [Dim::from(node.shape(0).rank()), Dim::from(2)].into_iter().collect();
    let paddings = node.shape(1).merge(&pairs).map_err(|_| wrong_paddings(node.shape(1)))?;
    let Some(rank) = paddings.dims().and_then(|dims| dims.first()?.known()) else {
        return Ok(PartialShape::unknown());
    };
    let padding = |i: usize| node.elements(1).and_then(|all| all.get(i).copied().flatten());
    let dim = |axis: usize| {
        let around = padding(2 * axis).zip(padding(2 * axis + 1));
        let around = around.map(|(before, behind)| pair_of(before, behind)).transpose()?;
        let own = node.shape(0).dims().and_then(|dims| dims[axis].known());
        Ok(Dim::from(own.zip(around).and_then(|(extent, (before, behind))| {
            let around = before.checked_add(behind)?;
            match grow {
                Grow::Outward => extent.checked_add(around),
                Grow::Inward => extent.checked_sub(around),
            }
        })))
    };
    (0..rank).map(dim).collect()
}

/// `x` padded with zeros: `paddings[i]` gives the number before and after axis `i`. The paddings
/// are a list of pairs, or an integer tensor of shape `[rank, 2]`.
///
/// ```
/// use tidemill_ops::{constant, pad};
/// assert_eq!(pad(constant([[1, 2]]), [[1, 1], [0, 2]]).shape().to_string(), "[3, 4]");
/// ```
///
/// Its gradient is the block in the middle.
///
/// # Errors
/// Negative paddings, or not a pair for each axis.
#[doc(alias = "Pad")]
#[track_caller]
pub fn pad(x: impl Into<Operand>, paddings: impl Into<Operand>) -> Tensor {
    let x = x.into().to_tensor();
    indexed(&PAD, "Pad", x, ("paddings", paddings.into()), |node| node)
}

/// [`pad`] with a number other than zero. The gradient of the number is the sum over the padding.
///
/// # Errors
/// As for [`pad`], and if the number has another type than `x`.
///
/// ```
/// use tidemill_ops::{constant, pad_with};
/// let x = pad_with(constant([1.0_f32, 2.0]), [[1, 2]], -1.0);
/// assert_eq!(x.shape().to_string(), "[5]");
/// ```
#[doc(alias = "PadV2")]
#[track_caller]
pub fn pad_with(
    x: impl Into<Operand>,
    paddings: impl Into<Operand>,
    constant: impl Into<Operand>,
) -> Tensor {
    let (x, paddings, constant) = (x.into().to_tensor(), paddings.into(), constant.into());
    composite(x.graph(), "PadV2", |full| {
        let node = NodeBuilder::new(&PAD_V2).exact_name(full).input(x);
        let node = node.input(paddings.to_tensor_beside(x, "paddings"));
        tensor(node.input(constant.to_tensor_like(x, "constant_values")))
    })
}

/// The position of the mirror in [`mirror_pad`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mirror {
    /// On the outermost element, which is not repeated: `3 2 | 1 2 3 | 2 1`.
    Reflect,
    /// Beyond the outermost element, which is repeated: `2 1 | 1 2 3 | 3 2`.
    Symmetric,
}

/// `x` padded with its mirror images: `paddings[i]` gives the number of elements before and after
/// axis `i` (see [`pad`]).
///
/// Its gradient adds the gradient of an image to the element that it mirrors.
///
/// # Errors
/// As for [`pad`], and images that are longer than the axis allows.
///
/// ```
/// use tidemill_ops::{Mirror, constant, mirror_pad};
/// let x = mirror_pad(constant([1.0_f32, 2.0, 3.0]), [[1, 2]], Mirror::Reflect);
/// assert_eq!(x.shape().to_string(), "[6]");
/// ```
#[doc(alias = "MirrorPad")]
#[track_caller]
pub fn mirror_pad(x: impl Into<Operand>, paddings: impl Into<Operand>, mirror: Mirror) -> Tensor {
    let x = x.into().to_tensor();
    let mode = match mirror {
        Mirror::Reflect => "REFLECT",
        Mirror::Symmetric => "SYMMETRIC",
    };
    indexed(&MIRROR_PAD, "MirrorPad", x, ("paddings", paddings.into()), |node| {
        node.attr("mode", mode)
    })
}
