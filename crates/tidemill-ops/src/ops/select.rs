//! `SelectV2`.

use tidemill_graph::{Arg, AttrDef, Inferred, OpDef, Sample};
use tidemill_kernels::elementwise;
use tidemill_value::{DType, Value};

use super::array::zeros_like;
use crate::family::grads;
use crate::kernel::kernel;
use crate::operand::tensor;
use crate::{Operand, Tensor};

/// Elements of one tensor where a condition holds, of another elsewhere.
pub static SELECT: OpDef =
    OpDef::new("SelectV2", "Elements of one tensor where a condition holds, of another elsewhere.")
        .inputs(&[Arg::is("condition", DType::Bool), Arg::of("t", "T"), Arg::of("e", "T")])
        .outputs(&[Arg::of("output", "T")])
        .attrs(&[AttrDef::types("T", DType::ALL)])
        .broadcasts()
        .infer(|node| {
            let branches = node.shape(1).broadcast(node.shape(2))?;
            Inferred::one(node.shape(0).broadcast(&branches)?)
        })
        .gradient(|cx| {
            let (condition, grad): (Tensor, Tensor) = (cx.input(0), cx.grad());
            let zeros = zeros_like(grad);
            Ok(grads([
                None,
                Some(select(condition, grad, zeros)),
                Some(select(condition, zeros, grad)),
            ]))
        })
        .kernel(|_| {
            Ok(kernel(|cx| Ok(elementwise::select(cx.input(0)?, cx.input(1)?, cx.input(2)?)?)))
        })
        .samples(|| {
            let condition = Value::from([true, false, true]);
            let (t, e) = (Value::from([1.0_f32, 2.0, 3.0]), Value::from(-1.0_f32));
            vec![Sample::new([condition, t, e], Value::from([1.0_f32, -1.0, 3.0]))]
        });

/// The elements of `x` where `condition` holds, those of `y` elsewhere. Shapes broadcast.
///
/// It is TensorFlow's `where` of three arguments. Both branches are computed, and the gradient
/// of the one that is not taken is zero times whatever it is: NaN, if that is not finite.
#[doc(alias = "SelectV2")]
#[doc(alias = "where")]
#[track_caller]
pub fn select(
    condition: impl Into<Operand>,
    x: impl Into<Operand>,
    y: impl Into<Operand>,
) -> Tensor {
    let condition = condition.into().to_tensor();
    let (x, y) = (x.into(), y.into());
    let (x, y) = match (x.as_tensor(), y.as_tensor()) {
        (Some(x), _) => (x, y.to_tensor_like(x, "e")),
        (None, Some(y)) => (x.to_tensor_like(y, "t"), y),
        (None, None) => {
            let x = x.to_tensor_named("t");
            (x, y.to_tensor_like(x, "e"))
        }
    };
    tensor(tidemill_graph::NodeBuilder::new(&SELECT).input(condition).input(x).input(y))
}
