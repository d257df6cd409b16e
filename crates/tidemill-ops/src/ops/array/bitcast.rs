//! `Bitcast`.

use tidemill_graph::{Arg, AttrDef, Inferred, NodeBuilder, NodeView, OpDef, OpError, Sample};
use tidemill_kernels::layout;
use tidemill_value::{DType, Dim, PartialShape, Value};

use crate::index::check_shape;
use crate::kernel::map_kernel;
use crate::operand::tensor;
use crate::operations::operations;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops: BITCAST;
    exports: bitcast;
}

/// The bytes of a tensor's elements as elements of another type.
pub static BITCAST: OpDef =
    OpDef::new("Bitcast", "The bytes of a tensor's elements as elements of another type.")
        .inputs(&[Arg::of("input", "T")])
        .outputs(&[Arg::of("output", "type")])
        .attrs(&[AttrDef::types("T", DType::NUMBERS), AttrDef::types("type", DType::NUMBERS)])
        .infer(|node| Inferred::one(shape(node)?))
        .not_differentiable()
        .kernel(|node| {
            let dtype = node.type_attr("type")?;
            Ok(map_kernel(move |memory, x| layout::bitcast(memory, x, dtype)))
        })
        .samples(|| {
            let bits = Value::from([1.5_f32, -0.0]);
            vec![
                Sample::new([bits], Value::from([0x3fc0_0000_i32, i32::MIN]))
                    .attr("type", DType::I32),
                Sample::shapes([array([2, 2], [1.1_f32, 2.2, 3.3, 4.4])]).attr("type", DType::F64),
                Sample::shapes([array([1, 2], [0.5_f32, 2.0])]).attr("type", DType::U8),
                Sample::error([Value::from([1_u8, 2, 3])], "[3]").attr("type", DType::I32),
            ]
        });

/// The shape: with an additional axis over the parts of each element, or without the last one.
fn shape(node: &NodeView<'_>) -> Result<PartialShape, OpError> {
    let (from, to) = (node.dtype(0).size(), node.type_attr("type")?.size());
    let Some(dims) = node.shape(0).dims() else { return Ok(PartialShape::unknown()) };
    if from >= to {
        let parts = (from > to).then_some(Dim::from(from / to));
        return Ok(dims.iter().copied().chain(parts).collect());
    }
    let Some((last, rest)) = dims.split_last() else {
        let (input, actual) = ("input", node.shape(0).clone());
        return Err(OpError::Rank { input, expected: "at least 1 axis", actual });
    };
    let parts: PartialShape = rest.iter().copied().chain([Dim::from(to / from)]).collect();
    match last.merge(Dim::from(to / from)) {
        Ok(_) => Ok(rest.into()),
        Err(_) => check_shape(node, 0, &parts).map(|()| rest.into()),
    }
}

/// The bytes of `x` as elements of type `dtype`. Smaller elements get a new last axis; larger
/// elements are assembled from the last axis, which is dropped.
///
/// ```
/// use tidemill_ops::{bitcast, constant};
/// use tidemill_value::DType;
/// assert_eq!(bitcast(constant([1.0_f64]), DType::F32).shape().to_string(), "[1, 2]");
/// ```
///
/// # Errors
/// Types other than numbers, and a last axis that does not hold the parts of one element.
#[doc(alias = "Bitcast")]
#[track_caller]
pub fn bitcast(x: impl Into<Operand>, dtype: DType) -> Tensor {
    tensor(NodeBuilder::new(&BITCAST).input(x.into().to_tensor()).attr("type", dtype))
}
