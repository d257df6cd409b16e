//! `GatherNd`, `ScatterNd`, `TensorScatterUpdate` and its like, `SparseToDense`.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, Fallible, GradCx, GradientError, Grads, Inferred, NodeBuilder, NodeView, OpDef,
    OpError, Sample,
};
use tidemill_kernels::layout::{self, Combine};
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::{described_shape, shape_as, zeros_like};
use crate::family::grads;
use crate::index::{check_rank, check_shape, known_extents, shape_of};
use crate::kernel::kernel;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::ops::cast::cast;
use crate::ops::compare::equal;
use crate::ops::reduce::reduce_sum;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops:
        GATHER_ND, SCATTER_ND, SPARSE_TO_DENSE, TENSOR_SCATTER_ADD, TENSOR_SCATTER_MAX,
        TENSOR_SCATTER_MIN, TENSOR_SCATTER_SUB, TENSOR_SCATTER_UPDATE;
    exports:
        gather_nd, scatter_nd, sparse_to_dense, tensor_scatter_add, tensor_scatter_max,
        tensor_scatter_min, tensor_scatter_sub, tensor_scatter_update;
}

/// Slices of a tensor selected by position along its first axes.
pub static GATHER_ND: OpDef =
    OpDef::new("GatherNd", "Slices of a tensor selected by position along its first axes.")
        .inputs(&[Arg::of("params", "Tparams"), Arg::of("indices", "Tindices")])
        .outputs(&[Arg::of("output", "Tparams")])
        .attrs(&[
            AttrDef::types("Tparams", DType::ALL),
            AttrDef::types("Tindices", DType::INDICES),
            AttrDef::str("bad_indices_policy", ""),
        ])
        .fallible(Fallible::Values)
        .infer(|node| Inferred::one(parts_shape(node.shape(0), node.shape(1))?))
        .gradient(|cx| {
            let (params, indices): (Tensor, Tensor) = (cx.input(0), cx.input(1));
            let extents = shape_as(params, cx.node().dtype(1));
            Ok(grads([Some(scatter_nd(indices, cx.grad::<Tensor>(), extents)), None]))
        })
        .kernel(|_| Ok(kernel(|cx| Ok(layout::gather_nd(cx.memory, cx.input(0)?, cx.input(1)?)?))))
        .samples(|| {
            let x = || array([2, 2], [1.0_f32, 2.0, 3.0, 4.0]);
            let of_all = array([2, 0], Vec::<i32>::new());
            let twice = array([2, 2, 2], [1.0_f32, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0]);
            vec![
                Sample::new([x(), array([2, 2], [1, 0, 0, 0])], Value::from([3.0_f32, 1.0])),
                Sample::new([x(), array([1, 1], [1])], array([1, 2], [3.0_f32, 4.0])),
                Sample::new([x(), Value::from([1, 1])], Value::from(4.0_f32)),
                Sample::new([x(), of_all], twice),
                Sample::error([x(), array([1, 2], [0, 2])], "index 2"),
                Sample::error([x(), array([1, 3], [0, 0, 0])], "3 axes"),
            ]
        });

/// The shape of the parts of `shape` at `indices`.
pub(crate) fn parts_shape(
    shape: &PartialShape,
    indices: &PartialShape,
) -> Result<PartialShape, OpError> {
    let Some(indices) = indices.dims() else { return Ok(PartialShape::unknown()) };
    let Some((depth, outer)) = indices.split_last() else {
        return Err(OpError::shape("indices", "indices must have at least 1 axis"));
    };
    let (Some(dims), Some(depth)) = (shape.dims(), depth.known()) else {
        return Ok(PartialShape::unknown());
    };
    match dims.get(depth..) {
        Some(part) => Ok(outer.iter().chain(part).copied().collect()),
        None => {
            let rank = dims.len();
            Err(OpError::shape(
                "indices",
                format!("positions along {depth} axes are given for {rank} axes"),
            ))
        }
    }
}

/// Zeros, with updates added at given positions.
pub static SCATTER_ND: OpDef =
    OpDef::new("ScatterNd", "Zeros, with updates added at given positions.")
        .inputs(&[
            Arg::of("indices", "Tindices"),
            Arg::of("updates", "T"),
            Arg::of("shape", "Tindices"),
        ])
        .outputs(&[Arg::of("output", "T")])
        .attrs(&[
            AttrDef::widened("T", DType::NUMBERS),
            AttrDef::types("Tindices", DType::INDICES),
            AttrDef::str("bad_indices_policy", ""),
        ])
        .fallible(Fallible::Values)
        .infer(|node| {
            let shape = described_shape(node, 2)?;
            parts_shape(&shape, node.shape(0))?.merge(node.shape(1))?;
            Inferred::one(shape)
        })
        .gradient(|cx| {
            let grad = gather_nd(cx.grad::<Tensor>(), cx.input::<Tensor>(0));
            Ok(grads([None, Some(grad), None]))
        })
        .kernel(|_| {
            Ok(kernel(|cx| {
                let shape = shape_of(cx.input(2)?)?;
                Ok(layout::scatter_nd(cx.memory, cx.input(0)?, cx.input(1)?, &shape)?)
            }))
        })
        .samples(|| {
            let indices = || array([3, 1], [2, 0, 2]);
            let inputs =
                |extent: i32| [indices(), Value::from([1.0_f32, 2.0, 3.0]), Value::from([extent])];
            let rows = [array([1, 1], [1]), array([1, 2], [1.0_f32, 2.0]), Value::from([2, 2])];
            vec![
                Sample::new(inputs(4), Value::from([2.0_f32, 0.0, 4.0, 0.0])),
                Sample::new(rows, array([2, 2], [0.0_f32, 0.0, 1.0, 2.0])),
                Sample::error(inputs(2), "index 2"),
                Sample::error([indices(), Value::from([1.0_f32]), Value::from([4])], "[1]"),
            ]
        });

const UPDATE_INPUTS: &[Arg] =
    &[Arg::of("tensor", "T"), Arg::of("indices", "Tindices"), Arg::of("updates", "T")];

/// A tensor with updates at given positions.
const fn tensor_scatter(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .inputs(UPDATE_INPUTS)
        .outputs(const { &[Arg::of("output", "T")] })
        .attrs(
            const {
                &[
                    AttrDef::widened("T", DType::NUMBERS),
                    AttrDef::types("Tindices", DType::INDICES),
                    AttrDef::str("bad_indices_policy", ""),
                ]
            },
        )
        .fallible(Fallible::Values)
        .infer(infer_tensor_scatter)
}

fn infer_tensor_scatter(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    parts_shape(node.shape(0), node.shape(1))?.merge(node.shape(2))?;
    Inferred::one(node.shape(0))
}

fn scatter_kernel(combine: Combine) -> Box<dyn tidemill_graph::Kernel> {
    Box::new(move |cx: &mut tidemill_graph::KernelCx<'_>| {
        let value = cx.take_unique(0)?;
        let output = layout::tensor_scatter(value, cx.input(1)?, cx.input(2)?, combine)?;
        cx.set(0, output);
        Ok(())
    })
}

/// Samples of `[1, 5, 3]` with 4 and 2 for the last and the first.
fn scatter_samples(y: [f32; 3]) -> Vec<Sample> {
    let inputs = |last: i32| {
        [Value::from([1.0_f32, 5.0, 3.0]), array([2, 1], [last, 0]), Value::from([4.0_f32, 2.0])]
    };
    let none =
        [Value::from([1.0_f32]), array([0, 1], Vec::<i32>::new()), Value::from([0.0_f32; 0])];
    vec![
        Sample::new(inputs(2), Value::from(y)),
        Sample::new(none, Value::from([1.0_f32])),
        Sample::error(inputs(3), "index 3"),
    ]
}

/// A tensor with the slices at given positions replaced by updates.
pub static TENSOR_SCATTER_UPDATE: OpDef = tensor_scatter(
    "TensorScatterUpdate",
    "A tensor with the slices at given positions replaced by updates.",
)
.attrs(&[
    AttrDef::types("T", DType::ALL),
    AttrDef::types("Tindices", DType::INDICES),
    AttrDef::str("bad_indices_policy", ""),
])
.gradient(|cx| {
    let (indices, updates, grad): (Tensor, Tensor, Tensor) = (cx.input(1), cx.input(2), cx.grad());
    let of_tensor = tensor_scatter_update(grad, indices, zeros_like(updates));
    Ok(grads([Some(of_tensor), None, Some(gather_nd(grad, indices))]))
})
.kernel(|_| Ok(scatter_kernel(Combine::Update)))
.samples(|| scatter_samples([2.0, 5.0, 4.0]));

/// A tensor with updates added at given positions.
pub static TENSOR_SCATTER_ADD: OpDef =
    tensor_scatter("TensorScatterAdd", "A tensor with updates added at given positions.")
        .gradient(|cx| {
            let grad: Tensor = cx.grad();
            Ok(grads([Some(grad), None, Some(gather_nd(grad, cx.input::<Tensor>(1)))]))
        })
        .kernel(|_| Ok(scatter_kernel(Combine::Add)))
        .samples(|| scatter_samples([3.0, 5.0, 7.0]));

/// A tensor with updates subtracted at given positions.
pub static TENSOR_SCATTER_SUB: OpDef =
    tensor_scatter("TensorScatterSub", "A tensor with updates subtracted at given positions.")
        .gradient(|cx| {
            let grad: Tensor = cx.grad();
            Ok(grads([Some(grad), None, Some(-gather_nd(grad, cx.input::<Tensor>(1)))]))
        })
        .kernel(|_| Ok(scatter_kernel(Combine::Sub)))
        .samples(|| scatter_samples([-1.0, 5.0, -1.0]));

/// A tensor with the minimum of updates and its slices at given positions.
pub static TENSOR_SCATTER_MIN: OpDef = tensor_scatter(
    "TensorScatterMin",
    "A tensor with the minimum of updates and its slices at given positions.",
)
.gradient(extremum_gradient)
.kernel(|_| Ok(scatter_kernel(Combine::Min)))
.samples(|| scatter_samples([1.0, 5.0, 3.0]));

/// A tensor with the maximum of updates and its slices at given positions.
pub static TENSOR_SCATTER_MAX: OpDef = tensor_scatter(
    "TensorScatterMax",
    "A tensor with the maximum of updates and its slices at given positions.",
)
.gradient(extremum_gradient)
.kernel(|_| Ok(scatter_kernel(Combine::Max)))
.samples(|| scatter_samples([2.0, 5.0, 4.0]));

/// The gradient of an extremum: split evenly among all elements that attain it.
fn extremum_gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let (x, indices, updates): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.input(2));
    let (output, grad): (Tensor, Tensor) = (cx.output(0), cx.grad());
    let dtype = cx.node().dtype(0);
    let own = cast(equal(x, output), dtype);
    let of_updates = cast(equal(updates, gather_nd(output, indices)), dtype);
    let extents = shape_as(x, cx.node().dtype(1));
    let share = grad / (own + scatter_nd(indices, of_updates, extents));
    Ok(grads([Some(share * own), None, Some(gather_nd(share, indices) * of_updates)]))
}

/// Checks that each value has a position along all axes.
fn check_sparse(node: &NodeView<'_>) -> Result<(), OpError> {
    let Some(dims) = node.shape(0).dims() else { return Ok(()) };
    let count = dims.first().copied().unwrap_or(Dim::from(1));
    let depth = dims.get(1).copied().unwrap_or(Dim::from(1));
    let axes = node.shape(1).elements();
    if count.known().is_some_and(|count| count > 0)
        && axes.zip(depth.known()).is_some_and(|(axes, depth)| axes != depth)
    {
        let indices = ("sparse_indices", node.shape(0));
        let rule = "have a position along each axis";
        return Err(OpError::disagree(indices, ("output_shape", node.shape(1)), rule));
    }
    let values = [count].into_iter().collect::<PartialShape>();
    let stretched = node.shape(2).broadcast(&values);
    match stretched.is_ok_and(|stretched| stretched.merge(&values).is_ok()) {
        true => Ok(()),
        false => check_shape(node, 2, &values),
    }
}

/// A tensor with given values at given positions and a default elsewhere.
pub static SPARSE_TO_DENSE: OpDef = OpDef::new(
    "SparseToDense",
    "A tensor with given values at given positions and a default elsewhere.",
)
.inputs(&[
    Arg::of("sparse_indices", "Tindices"),
    Arg::of("output_shape", "Tindices"),
    Arg::of("sparse_values", "T"),
    Arg::of("default_value", "T"),
])
.outputs(&[Arg::of("dense", "T")])
.attrs(&[
    AttrDef::bool("validate_indices", true),
    AttrDef::types("T", DType::ALL),
    AttrDef::types("Tindices", DType::INDICES),
])
.fallible(Fallible::Values)
.infer(|node| {
    check_rank(node, 3, 0, "no axes")?;
    if node.shape(0).rank().is_some_and(|rank| rank > 2) {
        let (input, actual) = ("sparse_indices", node.shape(0).clone());
        return Err(OpError::Rank { input, expected: "at most 2 axes", actual });
    }
    known_extents(node, 1)?;
    check_sparse(node)?;
    Inferred::one(described_shape(node, 1)?)
})
.gradient(|cx| {
    let (indices, values, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(2), cx.grad());
    let positions = match cx.node().shape(0).rank() {
        Some(2) => indices,
        _ => super::reshape(indices, Operand::from([-1, 1]).to_tensor_beside(indices, "Const")),
    };
    let picked = gather_nd(grad, positions);
    let of_values = match cx.node().shape(2).rank() {
        Some(0) => reduce_sum(picked, ..),
        _ => super::reshape(picked, shape_as(values, DType::I32)),
    };
    let around = reduce_sum(grad, ..) - reduce_sum(picked, ..);
    Ok(grads([None, None, Some(of_values), Some(around)]))
})
.kernel(|node| {
    let checks_order = node.bool_attr("validate_indices")?;
    Ok(kernel(move |cx| {
        let (indices, shape) = (cx.input(0)?, shape_of(cx.input(1)?)?);
        let (values, default) = (cx.input(2)?, cx.input(3)?);
        Ok(layout::sparse_to_dense(cx.memory, indices, &shape, values, default, checks_order)?)
    }))
})
.samples(|| {
    let inputs = |indices, values: &[f32]| {
        let values = Value::list(values.to_vec());
        [indices, Value::from([2, 2]), values, Value::from(9.0_f32)]
    };
    let dense = array([2, 2], [9.0_f32, 1.0, 2.0, 9.0]);
    let list = [Value::from([0, 2]), Value::from([3]), Value::from(5.0_f32), 0.0_f32.into()];
    vec![
        Sample::new(inputs(array([2, 2], [0, 1, 1, 0]), &[1.0, 2.0]), dense),
        Sample::new(list, Value::from([5.0_f32, 0.0, 5.0])),
        Sample::error(inputs(array([2, 2], [1, 0, 0, 1]), &[1.0, 2.0]), "out of order"),
        Sample::error(inputs(array([1, 2], [0, 2]), &[1.0]), "index 2"),
    ]
});

/// The slices of `params` at the positions in the last axis of `indices`: each position indexes the
/// first axes. The other axes of `indices` replace those axes.
///
/// ```
/// use tidemill_ops::{constant, gather_nd};
/// let diagonal = gather_nd(constant([[1, 2], [3, 4]]), constant([[0, 0], [1, 1]]));
/// assert_eq!(diagonal.shape().to_string(), "[2]");
/// ```
///
/// Its gradient adds the incoming gradient at the positions.
///
/// # Errors
/// Positions with more axes than `params` has; a run fails if one is out of range.
#[doc(alias = "GatherNd")]
#[track_caller]
pub fn gather_nd(params: impl Into<Operand>, indices: impl Into<Operand>) -> Tensor {
    let params = params.into().to_tensor();
    let indices = indices.into().to_tensor_beside(params, "indices");
    tensor(NodeBuilder::new(&GATHER_ND).input(params).input(indices))
}

/// Zeros of a shape, with each of the `updates` added at its position (see [`gather_nd`]). The
/// shape is a list of extents, or a tensor of the type of `indices`.
///
/// Its gradient gathers the incoming gradient at the positions.
///
/// # Errors
/// Updates of another shape than the slices at the positions; a run fails if a position is out of
/// range.
#[doc(alias = "ScatterNd")]
#[track_caller]
pub fn scatter_nd(
    indices: impl Into<Operand>,
    updates: impl Into<Operand>,
    shape: impl Into<Operand>,
) -> Tensor {
    let (indices, shape) = (indices.into().to_tensor(), shape.into());
    let updates = updates.into().to_tensor_beside(indices, "updates");
    composite(indices.graph(), "ScatterNd", |full| {
        let node = NodeBuilder::new(&SCATTER_ND).exact_name(full).input(indices).input(updates);
        tensor(node.input(shape.to_tensor_beside(indices, "shape")))
    })
}

macro_rules! tensor_scatters {
    ($(
        $(#[doc = $doc:literal])*
        $function:ident = $op:ident, $alias:literal;
    )*) => {$(
        $(#[doc = $doc])*
        ///
        /// # Errors
        /// Updates of another shape than the slices at the positions; a run fails if a position is
        /// out of range.
        #[doc(alias = $alias)]
        #[track_caller]
        pub fn $function(
            x: impl Into<Operand>,
            indices: impl Into<Operand>,
            updates: impl Into<Operand>,
        ) -> Tensor {
            let x = x.into().to_tensor();
            let indices = indices.into().to_tensor_beside(x, "indices");
            let updates = updates.into().to_tensor_like(x, "updates");
            tensor(NodeBuilder::new(&$op).input(x).input(indices).input(updates))
        }
    )*};
}

tensor_scatters! {
    /// `x` with `updates` in place of the parts at the positions in `indices` (see
    /// [`gather_nd`]). If several updates have the same position, the last one wins.
    tensor_scatter_update = TENSOR_SCATTER_UPDATE, "TensorScatterUpdate";

    /// `x` with `updates` added at the positions in `indices` (see [`gather_nd`]).
    tensor_scatter_add = TENSOR_SCATTER_ADD, "TensorScatterAdd";

    /// `x` with `updates` subtracted at the positions in `indices` (see [`gather_nd`]).
    tensor_scatter_sub = TENSOR_SCATTER_SUB, "TensorScatterSub";

    /// The smaller of `x` and `updates` at the positions in `indices` (see [`gather_nd`]), and
    /// `x` elsewhere. The gradient is split evenly among equal elements.
    tensor_scatter_min = TENSOR_SCATTER_MIN, "TensorScatterMin";

    /// The larger of `x` and `updates` at the positions in `indices` (see [`gather_nd`]), and
    /// `x` elsewhere. The gradient is split evenly among equal elements.
    tensor_scatter_max = TENSOR_SCATTER_MAX, "TensorScatterMax";
}

/// A tensor of shape `shape` that has the `values` at the positions in `indices`, of shape `[count,
/// rank]`, and `default` elsewhere. The indices must be in order and distinct.
///
/// The gradient of the values is gathered at the positions; the rest is summed for `default`.
///
/// # Errors
/// A run fails if an index is out of range or out of order.
#[doc(alias = "SparseToDense")]
#[track_caller]
pub fn sparse_to_dense(
    indices: impl Into<Operand>,
    shape: impl Into<Operand>,
    values: impl Into<Operand>,
    default: impl Into<Operand>,
) -> Tensor {
    let (values, default) = (values.into().to_tensor(), default.into());
    let (indices, shape) = (indices.into(), shape.into());
    composite(values.graph(), "SparseToDense", |full| {
        let indices = indices.to_tensor_beside(values, "sparse_indices");
        let shape = shape.to_tensor_beside(values, "output_shape");
        let node = NodeBuilder::new(&SPARSE_TO_DENSE).exact_name(full).input(indices);
        let default = default.to_tensor_like(values, "default_value");
        tensor(node.input(shape).input(values).input(default))
    })
}
