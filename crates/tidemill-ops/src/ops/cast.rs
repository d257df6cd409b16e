//! `Cast`.

use tidemill_graph::{Arg, AttrDef, Fallible, Inferred, NodeBuilder, OpDef, Sample};
use tidemill_value::{DType, ScalarOp, Value};

use crate::elementwise::scalar_kernel;
use crate::family::grads;
use crate::operand::tensor;
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    ops: OP;
    exports: cast, to_float;
}

/// The elements as another data type.
pub static OP: OpDef = OpDef::new("Cast", "The elements as another data type.")
    .inputs(&[Arg::of("x", "SrcT")])
    .outputs(&[Arg::of("y", "DstT")])
    .attrs(&[
        AttrDef::types("SrcT", DType::PLAIN),
        AttrDef::types("DstT", DType::PLAIN),
        AttrDef::bool("Truncate", false),
    ])
    .fallible(Fallible::Never)
    .infer(|node| {
        let is_index = |dtype: DType| DType::INDICES.contains(&dtype);
        let to = node.type_attr("DstT")?;
        let keeps = is_index(node.dtype(0)) && is_index(to);
        let converted = |element: &Option<i64>| match to {
            DType::I32 => element.map(|x| (x as i32).into()),
            _ => *element,
        };
        let elements = node.elements(0).filter(|_| keeps);
        let elements = elements.map(|elements| elements.iter().map(converted).collect());
        Ok([Inferred::with_elements(node.shape(0).clone(), elements)].into_iter().collect())
    })
    .gradient(|cx| {
        let (from, to) = (cx.node().dtype(0), cx.node().type_attr("DstT")?);
        let passes = from.is_float() && to.is_float();
        Ok(grads([passes.then(|| cast(cx.grad::<Tensor>(), from))]))
    })
    .scalar(ScalarOp::Cast)
    .kernel(scalar_kernel)
    .samples(|| {
        let x = Value::from([1.9_f32, -1.9, 0.0]);
        vec![
            Sample::new([x.clone()], Value::from([1, -1, 0])).attr("DstT", DType::I32),
            Sample::new([x.clone()], Value::from([true, true, false])).attr("DstT", DType::Bool),
            Sample::new([x], Value::from([1.9_f32 as f64, -1.9_f32 as f64, 0.0]))
                .attr("DstT", DType::F64),
        ]
    });

/// The elements of `x` as another data type.
///
/// Floats become integers by truncation towards zero, and saturate; integers wrap if the new type
/// is narrower; nonzero numbers become true; bools become 0 and 1. A gradient passes between floats
/// only.
///
/// ```
/// use tidemill_ops::{cast, constant};
/// use tidemill_value::DType;
/// assert_eq!(cast(constant([1.5_f32]), DType::I32).dtype(), Some(DType::I32));
/// ```
#[doc(alias = "Cast")]
#[track_caller]
pub fn cast(x: impl Into<Operand>, dtype: DType) -> Tensor {
    tensor(NodeBuilder::new(&OP).input(x.into().to_tensor()).attr("DstT", dtype))
}

/// The elements of `x` as `float32` (see [`cast`]).
///
/// ```
/// use tidemill_ops::{constant, to_float};
/// use tidemill_value::DType;
/// assert_eq!(to_float(constant([1, 2])).dtype(), Some(DType::F32));
/// ```
#[track_caller]
pub fn to_float(x: impl Into<Operand>) -> Tensor {
    cast(x, DType::F32).named("ToFloat")
}
