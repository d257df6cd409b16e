//! `LinSpace`.

use tidemill_graph::{
    Arg, AttrDef, AttrDefault, Fallible, GradCx, GradientError, Grads, Inferred, KernelError,
    NodeBuilder, OpDef, OpError, Sample,
};
use tidemill_kernels::layout;
use tidemill_value::{DType, Scalar, Value, ValueError};

use crate::family::grads;
use crate::index::{check_rank, count_of, integer, known_integer};
use crate::kernel::kernel;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::ops::reduce::reduce_sum;
use crate::{Operand, Tensor};

operations! {
    ops: LIN_SPACE;
    exports: lin_space;
}

/// A given number of evenly spaced numbers.
pub static LIN_SPACE: OpDef = OpDef::new("LinSpace", "A given number of evenly spaced numbers.")
    .inputs(&[Arg::of("start", "T"), Arg::of("stop", "T"), Arg::of("num", "Tidx")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(&[
        AttrDef::widened("T", DType::FLOATS),
        AttrDef::types("Tidx", DType::INDICES).default(AttrDefault::Type(DType::I32)),
    ])
    .fallible(Fallible::Values)
    .infer(|node| {
        (0..3).try_for_each(|i| check_rank(node, i, 0, "no axes"))?;
        let count = known_integer(node, 2).map(positive).transpose()?;
        Inferred::one([count.into()].into_iter().collect::<tidemill_value::PartialShape>())
    })
    .gradient(gradient)
    .kernel(|_| {
        Ok(kernel(|cx| {
            let number = |i| -> Result<Scalar, KernelError> {
                let value = cx.input(i)?;
                let shape = value.shape().clone();
                Ok(value.number().ok_or(ValueError::NotScalar { shape })?)
            };
            let count = positive(integer(cx.input(2)?, "num")?)?;
            Ok(layout::lin_space(cx.memory, number(0)?, number(1)?, count)?)
        }))
    })
    .samples(|| {
        let inputs = |count: i32| [Value::from(-1.0_f32), Value::from(2.0_f32), Value::from(count)];
        vec![
            Sample::new(inputs(4), Value::from([-1.0_f32, 0.0, 1.0, 2.0])),
            Sample::new(inputs(1), Value::from([-1.0_f32])),
            Sample::error(inputs(0), "at least 1 number, not 0"),
        ]
    });

fn positive(count: i64) -> Result<usize, OpError> {
    match count_of(count, "num")? {
        0 => Err(OpError::elements("num", "there must be at least 1 number, not 0")),
        count => Ok(count),
    }
}

/// Each number is a mean of both ends, with evenly spaced weights.
fn gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let (grad, count): (Tensor, Tensor) = (cx.grad(), cx.input(2));
    let weight = lin_space(Operand::from(0.0).to_tensor_like(grad, "start"), 1.0, count);
    let of_start = reduce_sum(grad * (1.0 - weight), ..);
    Ok(grads([Some(of_start), Some(reduce_sum(grad * weight, ..)), None]))
}

/// `count` evenly spaced numbers from `start` to `stop`, both included.
///
/// ```
/// use tidemill_ops::lin_space;
/// assert_eq!(lin_space(0.0_f32, 1.0, 5).shape().to_string(), "[5]");
/// ```
///
/// # Errors
/// A count below 1, or ends that are not floats of one type.
#[doc(alias = "LinSpace")]
#[doc(alias = "linspace")]
#[track_caller]
pub fn lin_space(
    start: impl Into<Operand>,
    stop: impl Into<Operand>,
    count: impl Into<Operand>,
) -> Tensor {
    let (start, stop, count) = (start.into(), stop.into(), count.into());
    let among = [&start, &stop].into_iter().find_map(Operand::as_tensor);
    composite(among.and_then(Tensor::graph), "LinSpace", |full| {
        let like = among.unwrap_or_else(|| start.to_tensor_named("start"));
        let start = if among.is_some() { start.to_tensor_like(like, "start") } else { like };
        let node = NodeBuilder::new(&LIN_SPACE).exact_name(full).input(start);
        let node = node.input(stop.to_tensor_like(like, "stop"));
        tensor(node.input(count.to_tensor_beside(like, "num")))
    })
}
