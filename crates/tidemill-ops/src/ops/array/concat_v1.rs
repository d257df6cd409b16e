//! `Concat` and `ConcatOffset`, which take the axis first.

use smallvec::SmallVec;
use tidemill_graph::{Arg, AttrDef, Fallible, OpDef, OpError, Sample};
use tidemill_kernels::layout;
use tidemill_value::{DType, Value};

use super::join::concat_shape;
use super::join_gradients::split_like;
use super::split::list_kernel;
use crate::Tensor;
use crate::index::{
    axis_of, check_rank, check_single, integer, integers, known_integer, known_integers,
};
use crate::kernel::kernel;
use crate::operations::operations;
use crate::sample::array;

operations! {
    ops: CONCAT_OFFSET, CONCAT_V1;
}

/// The concatenation of tensors along an axis, which is the first input.
pub static CONCAT_V1: OpDef =
    OpDef::new("Concat", "The concatenation of tensors along an axis, which is the first input.")
        .inputs(&[Arg::is("concat_dim", DType::I32), Arg::list("values", "T", "N")])
        .outputs(&[Arg::of("output", "T")])
        .attrs(&[AttrDef::types("T", DType::ALL)])
        .fallible(Fallible::Values)
        .infer(|node| {
            check_single(node, 0)?;
            concat_shape(known_integer(node, 0), node.inputs().get(1..).unwrap_or_default())
        })
        .gradient(|cx| {
            let axis: Tensor = cx.input(0);
            let values: Vec<Tensor> = (1..cx.input_count()).map(|i| cx.input(i)).collect();
            let parts = split_like(cx.grad(), &values, axis);
            Ok([None].into_iter().chain(parts.into_iter().map(|part| Some(part.into()))).collect())
        })
        .kernel(|_| {
            Ok(kernel(|cx| {
                let inputs = cx.all_inputs()?;
                let Some((axis, values)) = inputs.split_first() else {
                    return Err(OpError::invalid("there is nothing to join").into());
                };
                let rank = values.first().map_or(0, |value| value.shape().rank());
                Ok(layout::concat(cx.memory, values, axis_of(integer(axis, "concat_dim")?, rank)?)?)
            }))
        })
        .samples(|| {
            let values = || vec![array([1, 2], [1.0_f32, 2.0]), array([1, 1], [3.0_f32])];
            let along = |axis: i32| vec![vec![Value::from(axis)], values()];
            vec![
                Sample::new([], array([1, 3], [1.0_f32, 2.0, 3.0])).arguments(along(-1)),
                Sample::error([], "2]").arguments(along(0)),
                Sample::error([], "axis 2").arguments(along(2)),
            ]
        });

/// The offset of each tensor in a concatenation.
pub static CONCAT_OFFSET: OpDef =
    OpDef::new("ConcatOffset", "The offset of each tensor in a concatenation.")
        .inputs(&[Arg::is("concat_dim", DType::I32), Arg::list("shape", "shape_type", "N")])
        .outputs(&[Arg::list("offset", "shape_type", "N")])
        .attrs(&[AttrDef::types("shape_type", DType::INDICES)
            .default(tidemill_graph::AttrDefault::Type(DType::I32))])
        .fallible(Fallible::Values)
        .infer(|node| {
            check_rank(node, 0, 0, "no axes")?;
            let shapes = (1..node.inputs().len()).map(|i| known_integers(node, i));
            let shapes: Option<Vec<SmallVec<[i64; 4]>>> =
                shapes.map(|shape| Some(SmallVec::from_vec(shape?))).collect();
            if let Some((axis, shapes)) = known_integer(node, 0).zip(shapes) {
                offsets(axis, &shapes)?;
            }
            Ok(node.inputs().iter().skip(1).map(|shape| shape.shape.clone().into()).collect())
        })
        .not_differentiable()
        .kernel(|node| {
            let dtype = node.type_attr("shape_type")?;
            Ok(list_kernel(move |cx| {
                let inputs = cx.all_inputs()?;
                let Some((axis, shapes)) = inputs.split_first() else {
                    return Err(OpError::invalid("there is nothing to join").into());
                };
                let axis = integer(axis, "concat_dim")?;
                let shapes = shapes.iter().map(|shape| integers(shape));
                let shapes: Vec<SmallVec<[i64; 4]>> = shapes.collect::<Result<_, _>>()?;
                let offsets = offsets(axis, &shapes)?;
                let list = |offset| {
                    tidemill_kernels::elementwise::cast(cx.memory, &Value::list(offset), dtype)
                };
                Ok(offsets.into_iter().map(list).collect::<Result<_, _>>()?)
            }))
        })
        .samples(|| {
            let shapes = || vec![Value::from([2, 3]), Value::from([2, 4]), Value::from([2, 1])];
            let offsets = [[0, 0], [0, 3], [0, 7]].map(Value::from);
            let along = |axis: i32| vec![vec![Value::from(axis)], shapes()];
            vec![
                Sample::shapes([]).arguments(along(1)).outputs(offsets),
                Sample::error([], "axis 2").arguments(along(2)),
                Sample::error([], "[2, 4]").arguments(along(0)),
            ]
        });

fn offsets(axis: i64, shapes: &[SmallVec<[i64; 4]>]) -> Result<Vec<Vec<i64>>, OpError> {
    let rank = shapes.first().map_or(0, |shape| shape.len());
    let axis = axis_of(axis, rank)?;
    let mut offset = 0_i64;
    let mut offsets = Vec::with_capacity(shapes.len());
    for shape in shapes {
        let fits = shape.len() == rank && (0..rank).all(|i| i == axis || shape[i] == shapes[0][i]);
        if !fits {
            let message =
                format!("shapes {:?} and {:?} cannot be concatenated", &shapes[0][..], &shape[..]);
            return Err(OpError::elements("shape", message));
        }
        offsets.push((0..rank).map(|i| if i == axis { offset } else { 0 }).collect());
        offset = offset.saturating_add(shape[axis]);
    }
    Ok(offsets)
}
