//! `Shape`, `Size`, `Rank` and `BroadcastGradientArgs`.

use smallvec::{SmallVec, smallvec};
use tidemill_graph::{
    Arg, AttrDef, AttrDefault, Elements, Fact, Fallible, Inferred, KernelCx, KernelError,
    NodeBuilder, OpDef, OpError, Sample, TensorRef, in_gradient,
};
use tidemill_value::{DType, Dim, PartialShape, Scalar, Value, ValueError};

use super::split::list_kernel;
use crate::index::{check_rank, index_list, known_extents, shape_of, shape_tensor};
use crate::kernel::{kernel, map_kernel};
use crate::operand::{tensor, unary};
use crate::operations::operations;
use crate::ops::constant::constant_node;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops: BROADCAST_ARGS, BROADCAST_GRADIENT_ARGS, RANK, SHAPE, SHAPE_N, SIZE;
    exports: broadcast_dynamic_shape, broadcast_gradient_args, rank, shape, shape_n, size;
}

const TYPES: &[AttrDef] = &[
    AttrDef::types("T", DType::ANY),
    AttrDef::types("out_type", DType::INDICES).default(AttrDefault::Type(DType::I32)),
];

/// An operation that depends only on the shape of its input.
const fn of_shape(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .inputs(const { &[Arg::of("input", "T")] })
        .outputs(const { &[Arg::of("output", "out_type")] })
        .attrs(TYPES)
        .fallible(Fallible::Shapes)
        .not_differentiable()
}

/// The extents along the axes.
pub static SHAPE: OpDef = of_shape("Shape", "The extents along the axes.")
    .infer(|node| {
        let shape = node.shape(0);
        let out_type = node.type_attr("out_type")?;
        for extent in shape.dims().into_iter().flatten().filter_map(|dim| dim.known()) {
            index(extent, out_type)?;
        }
        let rank = Dim::from(shape.rank());
        Ok(smallvec![Inferred::with_elements(
            [rank].into_iter().collect::<PartialShape>(),
            Elements::of_shape(shape)
        )])
    })
    .kernel(|node| {
        let dtype = node.type_attr("out_type")?;
        Ok(map_kernel(move |_, x| Ok(index_list(x.shape(), dtype)?)))
    })
    .samples(|| {
        let x = Value::from_vec([2, 3], vec![0.0_f32; 6]);
        x.into_iter().map(|x| Sample::new([x], Value::from([2, 3]))).collect()
    });

/// The extents of several tensors along their axes.
pub static SHAPE_N: OpDef = of_shape("ShapeN", "The extents of several tensors along their axes.")
    .inputs(&[Arg::list("input", "T", "N")])
    .outputs(&[Arg::list("output", "out_type", "N")])
    .infer(|node| {
        let shape_of = |fact: &Fact| {
            Inferred::with_elements(
                PartialShape::from_iter([Dim::from(fact.shape.rank())]),
                Elements::of_shape(&fact.shape),
            )
        };
        Ok(node.inputs().iter().map(shape_of).collect())
    })
    .kernel(|node| {
        let dtype = node.type_attr("out_type")?;
        Ok(list_kernel(move |cx| {
            let inputs = cx.all_inputs()?;
            let shapes = inputs.iter().map(|x| index_list(x.shape(), dtype));
            Ok(shapes.collect::<Result<_, _>>()?)
        }))
    })
    .samples(|| {
        let inputs = vec![array([2, 1], [1.0_f32, 2.0]), Value::from(1.0_f32)];
        let shapes = [Value::from([2, 1]), Value::list(Vec::<i32>::new())];
        vec![Sample::shapes([]).arguments(vec![inputs]).outputs(shapes)]
    });

/// The number of elements.
pub static SIZE: OpDef = of_shape("Size", "The number of elements.")
    .infer(|node| {
        if let Some(size) = node.shape(0).elements() {
            index(size, node.type_attr("out_type")?)?;
        }
        let elements = node.shape(0).elements().map(|size| i64::try_from(size).ok());
        let elements = elements.map(|size| [size].into_iter().collect());
        Ok(smallvec![Inferred::with_elements(PartialShape::scalar(), elements)])
    })
    .kernel(|node| {
        let dtype = node.type_attr("out_type")?;
        Ok(map_kernel(move |_, x| Ok(index(x.elements(), dtype)?.into())))
    })
    .samples(|| vec![Sample::new([Value::from([1.0_f32, 2.0])], Value::from(2))]);

/// The number of axes.
pub static RANK: OpDef = of_shape("Rank", "The number of axes.")
    .outputs(&[Arg::is("output", DType::I32)])
    .attrs(&[AttrDef::types("T", DType::ALL)])
    .infer(|node| {
        let elements = node.shape(0).rank().map(|rank| i64::try_from(rank).ok());
        let elements = elements.map(|rank| [rank].into_iter().collect());
        Ok(smallvec![Inferred::with_elements(PartialShape::scalar(), elements)])
    })
    .kernel(|_| Ok(map_kernel(|_, x| Ok(index(x.shape().rank(), DType::I32)?.into()))))
    .samples(|| vec![Sample::new([Value::from([1.0_f32, 2.0])], Value::from(1))]);

/// A count as an element of an index type.
fn index(count: usize, dtype: DType) -> Result<Scalar, ValueError> {
    Scalar::U64(count as u64).adopt(dtype)
}

/// For two shapes that broadcast, the axes of the result along which each was stretched.
pub static BROADCAST_GRADIENT_ARGS: OpDef = OpDef::new(
    "BroadcastGradientArgs",
    "For two shapes that broadcast and differ: the axes along which each is broadcast.",
)
.inputs(&[Arg::of("s0", "T"), Arg::of("s1", "T")])
.outputs(&[Arg::of("r0", "T"), Arg::of("r1", "T")])
.attrs(&[AttrDef::types("T", DType::INDICES)])
.fallible(Fallible::Values)
.infer(|node| {
    for input in node.inputs() {
        if input.shape.rank().is_some_and(|rank| rank != 1) {
            let (input, actual) = ("s0 and s1", input.shape.clone());
            return Err(OpError::Rank { input, expected: "1 axis", actual });
        }
    }
    if let Some((left, right)) = known_extents(node, 0)?.zip(known_extents(node, 1)?) {
        left.broadcast(&right)?;
    }
    Ok((0..2).map(|_| PartialShape::of_rank(1).into()).collect())
})
.kernel(|node| {
    let dtype = node.type_attr("T")?;
    Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
        let (left, right) = (shape_of(cx.input(0)?)?, shape_of(cx.input(1)?)?);
        let shape = tidemill_value::broadcast(&left, &right)?;
        for (i, operand) in [&left, &right].into_iter().enumerate() {
            let axes =
                if left == right { SmallVec::new() } else { unit_axes(operand, shape.rank()) };
            cx.set(i, index_list(&axes, dtype)?);
        }
        Ok(())
    }))
})
.not_differentiable()
.samples(|| {
    let axes = vec![Value::from([1]), Value::from([0])];
    let sample = Sample::new([Value::from([2, 1, 3]), Value::from([1, 4, 3])], axes[0].clone());
    let both = Sample::shapes([Value::from([1, 2]), Value::from([1, 1])]);
    let equal = Sample::shapes([Value::from([1, 2]), Value::from([1, 2])]);
    let none = || Value::from(Vec::<i32>::new());
    vec![
        Sample { expect: tidemill_graph::Expect::Outputs(axes), ..sample },
        both.outputs([Value::from([0]), Value::from([0, 1])]),
        equal.outputs([none(), none()]),
        Sample::error([Value::from([2]), Value::from([3])], "do not broadcast"),
    ]
});

/// The shape that two shapes broadcast to.
pub static BROADCAST_ARGS: OpDef =
    OpDef::new("BroadcastArgs", "The shape that two shapes broadcast to.")
        .inputs(&[Arg::of("s0", "T"), Arg::of("s1", "T")])
        .outputs(&[Arg::of("r0", "T")])
        .attrs(&[AttrDef::types("T", DType::INDICES).default(AttrDefault::Type(DType::I32))])
        .fallible(Fallible::Values)
        .infer(|node| {
            check_rank(node, 0, 1, "1 axis")?;
            check_rank(node, 1, 1, "1 axis")?;
            let length = |i: usize| node.shape(i).dims().and_then(|dims| dims.first()?.known());
            let shape = [Dim::from(length(0).zip(length(1)).map(|(l, r)| l.max(r)))];
            let shape_of = |i: usize| node.elements(i).and_then(Elements::known);
            let shapes = shape_of(0).zip(shape_of(1));
            let extents = |list: Vec<i64>| {
                list.into_iter().map(|x| usize::try_from(x).ok()).collect::<Option<Vec<_>>>()
            };
            let shapes = shapes.and_then(|(l, r)| extents(l).zip(extents(r)));
            let broadcast = shapes.map(|(l, r)| tidemill_value::broadcast(&l, &r)).transpose()?;
            let elements = broadcast.and_then(|shape| Elements::of_shape(&shape.into()));
            Ok(smallvec![Inferred::with_elements(
                shape.into_iter().collect::<PartialShape>(),
                elements
            )])
        })
        .not_differentiable()
        .kernel(|node| {
            let dtype = node.type_attr("T")?;
            Ok(kernel(move |cx| {
                let (left, right) = (shape_of(cx.input(0)?)?, shape_of(cx.input(1)?)?);
                Ok(index_list(&tidemill_value::broadcast(&left, &right)?, dtype)?)
            }))
        })
        .samples(|| {
            vec![
                Sample::new([Value::from([2, 1, 4]), Value::from([3, 1])], Value::from([2, 3, 4])),
                Sample::error([Value::from([2]), Value::from([3])], "do not broadcast"),
                Sample::error([Value::from([-2]), Value::from([1])], "-2"),
            ]
        });

/// The axes, out of `rank`, that an operand lacks or along which it has extent 1.
fn unit_axes(operand: &[usize], rank: usize) -> SmallVec<[usize; 4]> {
    let lacks = rank - operand.len();
    (0..rank).filter(|&axis| axis < lacks || operand[axis - lacks] == 1).collect()
}

/// The extents of `x` along its axes: an `int32` tensor of shape `[rank]`.
///
/// ```
/// use tidemill_ops::{placeholder, shape};
/// let extents = shape(placeholder::<f32>([2, 6]));
/// assert_eq!(extents.shape().to_string(), "[2]");
/// ```
#[doc(alias = "Shape")]
#[track_caller]
pub fn shape(x: impl Into<Operand>) -> Tensor {
    let x = x.into().to_tensor();
    match needs_no_value(x).and_then(|shape| shape.known()) {
        Some(known) => beside(x, "Shape", shape_tensor(&known)),
        None => unary(&SHAPE, x),
    }
}

/// The shape of a tensor, if nothing else of it is needed: gradients do not take values only for
/// their shapes.
pub(crate) fn needs_no_value(x: Tensor) -> Option<PartialShape> {
    in_gradient().then(|| x.shape())
}

#[track_caller]
fn beside(x: Tensor, name: &'static str, value: Value) -> Tensor {
    constant_node(Some(TensorRef::from(x).graph()), name, value)
}

/// The extents of `x` as a list of an index type.
#[track_caller]
pub(crate) fn shape_as(x: Tensor, dtype: DType) -> Tensor {
    tensor(NodeBuilder::new(&SHAPE).input(x).attr("out_type", dtype))
}

/// The extents of several tensors: an `int32` tensor of shape `[rank]` for each.
///
/// ```
/// use tidemill_ops::{placeholder, shape_n};
/// let shapes = shape_n([placeholder::<f32>([2, 6]), placeholder::<f32>([3])]);
/// assert_eq!(shapes[1].shape().to_string(), "[1]");
/// ```
#[doc(alias = "ShapeN")]
#[track_caller]
pub fn shape_n<T: Into<Operand>>(values: impl IntoIterator<Item = T>) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    for value in values {
        tensors.push(value.into().to_tensor());
    }
    let count = tensors.len();
    let node = NodeBuilder::new(&SHAPE_N).inputs(tensors).build();
    (0..count).map(|i| node.output(i as u32).into()).collect()
}

/// The shape that two shapes, given as integer tensors, broadcast to.
///
/// # Errors
/// A run fails if the shapes do not broadcast.
///
/// ```
/// use tidemill_ops::{broadcast_dynamic_shape, constant};
/// let extents = broadcast_dynamic_shape(constant([2, 1]), constant([3]));
/// assert_eq!(extents.shape().to_string(), "[2]");
/// ```
#[doc(alias = "BroadcastArgs")]
#[track_caller]
pub fn broadcast_dynamic_shape(left: impl Into<Operand>, right: impl Into<Operand>) -> Tensor {
    let (left, right) = (left.into().to_tensor(), right.into().to_tensor());
    tensor(NodeBuilder::new(&BROADCAST_ARGS).input(left).input(right))
}

/// The number of elements of `x`: an `int32` tensor of shape `[]`.
///
/// ```
/// use tidemill_ops::{placeholder, size};
/// assert_eq!(size(placeholder::<f32>([2, 6])).shape().to_string(), "[]");
/// ```
#[doc(alias = "Size")]
#[track_caller]
pub fn size(x: impl Into<Operand>) -> Tensor {
    let x = x.into().to_tensor();
    let count = needs_no_value(x).and_then(|shape| i32::try_from(shape.elements()?).ok());
    match count {
        Some(count) => beside(x, "Size", count.into()),
        None => unary(&SIZE, x),
    }
}

/// The number of axes of `x`: an `int32` tensor of shape `[]`.
///
/// ```
/// use tidemill_ops::{placeholder, rank};
/// assert_eq!(rank(placeholder::<f32>([2, 6])).shape().to_string(), "[]");
/// ```
#[doc(alias = "Rank")]
#[track_caller]
pub fn rank(x: impl Into<Operand>) -> Tensor {
    let x = x.into().to_tensor();
    match needs_no_value(x).and_then(|shape| shape.rank()) {
        Some(rank) => beside(x, "Rank", (rank as i32).into()),
        None => unary(&RANK, x),
    }
}

/// For two shapes that broadcast and differ: the axes along which each was broadcast, over which a
/// gradient must be summed.
///
/// ```
/// use tidemill_ops::{broadcast_gradient_args, constant};
/// let (left, right) = broadcast_gradient_args(constant([2, 1]), constant([3]));
/// assert_eq!((left.shape().rank(), right.shape().rank()), (Some(1), Some(1)));
/// ```
#[doc(alias = "BroadcastGradientArgs")]
#[track_caller]
pub fn broadcast_gradient_args(
    left: impl Into<Operand>,
    right: impl Into<Operand>,
) -> (Tensor, Tensor) {
    let (left, right) = (left.into().to_tensor(), right.into().to_tensor());
    let node = NodeBuilder::new(&BROADCAST_GRADIENT_ARGS).input(left).input(right).build();
    (node.output(0).into(), node.output(1).into())
}
