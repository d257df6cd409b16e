//! `Cumsum` and `Cumprod`.

use tidemill_graph::{
    Arg, AttrDef, AttrDefault, Fallible, GradCx, GradientError, Grads, Inferred, Kernel,
    NodeBuilder, NodeView, OpDef, OpError, Sample,
};
use tidemill_kernels::NumericError;
use tidemill_kernels::recurrence::Start;
use tidemill_kernels::scan::{self as kernels, Scan};
use tidemill_value::{DType, Memory, Value};

use super::recurrence::linear_recurrence;
use super::zeros_like;
use crate::family::{example, grads};
use crate::index::{axis_of, check_rank, integer, known_integer};
use crate::kernel::kernel;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::ops::division::absorbing_mul;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops: CUMPROD, CUMSUM;
    exports: cumprod, cumprod_with, cumsum, cumsum_with;
}

/// An operation that combines all elements along an axis up to each.
const fn scan(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .inputs(const { &[Arg::of("x", "T"), Arg::of("axis", "Tidx")] })
        .outputs(const { &[Arg::of("out", "T")] })
        .attrs(
            const {
                &[
                    AttrDef::bool("exclusive", false),
                    AttrDef::bool("reverse", false),
                    AttrDef::widened("T", DType::NUMBERS),
                    AttrDef::types("Tidx", DType::INDICES).default(AttrDefault::Type(DType::I32)),
                ]
            },
        )
        .fallible(Fallible::Elements(&[1]))
        .infer(|node| {
            check_rank(node, 1, 0, "no axes")?;
            if let (Some(rank), Some(axis)) = (node.shape(0).rank(), known_integer(node, 1)) {
                axis_of(axis, rank)?;
            }
            Inferred::one(node.shape(0))
        })
}

fn attrs(node: &NodeView<'_>) -> Result<Scan, OpError> {
    Ok(Scan { exclusive: node.bool_attr("exclusive")?, reverse: node.bool_attr("reverse")? })
}

type Compute = fn(&Memory, &Value, usize, Scan) -> Result<Value, NumericError>;

fn scan_kernel(node: &NodeView<'_>, compute: Compute) -> Result<Box<dyn Kernel>, OpError> {
    let scan = attrs(node)?;
    Ok(kernel(move |cx| {
        let x = cx.input(0)?;
        let axis = axis_of(integer(cx.input(1)?, "axis")?, x.shape().rank())?;
        Ok(compute(cx.memory, x, axis, scan)?)
    }))
}

/// Samples of `[[2, 3, 4]]` along the last axis, in each direction and without the element itself.
fn samples(forward: [f32; 3], reverse: [f32; 3], exclusive: [f32; 3]) -> Vec<Sample> {
    let x = || array([1, 3], [2.0_f32, 3.0, 4.0]);
    let sample = |y: [f32; 3]| Sample::new([x(), Value::from(-1)], array([1, 3], y));
    let empty = array([0, 3], Vec::<f32>::new());
    vec![
        sample(forward),
        sample(reverse).attr("reverse", true),
        sample(exclusive).attr("exclusive", true),
        Sample::new([empty.clone(), Value::from(0)], empty),
        Sample::error([x(), Value::from(2)], "axis 2"),
    ]
}

/// The cumulative sum along an axis.
pub static CUMSUM: OpDef = scan("Cumsum", "The cumulative sum along an axis.")
    .gradient(|cx| {
        let Scan { exclusive, reverse } = attrs(cx.node())?;
        let back = Scan { exclusive, reverse: !reverse };
        Ok(grads([Some(node(&CUMSUM, cx.grad(), cx.input(1), back)), None]))
    })
    .kernel(|node| scan_kernel(node, kernels::cumsum))
    .samples(|| samples([2.0, 5.0, 9.0], [9.0, 7.0, 4.0], [0.0, 2.0, 5.0]));

/// The cumulative product along an axis.
pub static CUMPROD: OpDef = scan("Cumprod", "The cumulative product along an axis.")
    .gradient(cumprod_gradient)
    .kernel(|node| scan_kernel(node, kernels::cumprod))
    .samples(|| {
        let x = || Value::from([2.0_f32, 0.0, 3.0, 0.0]);
        let sample = |y: [f32; 4]| Sample::new([x(), Value::from(0)], Value::from(y));
        let with_zeros = [
            sample([2.0, 0.0, 0.0, 0.0]),
            sample([1.0, 2.0, 0.0, 0.0]).attr("exclusive", true),
            sample([0.0; 4]).attr("reverse", true),
        ];
        let samples = samples([2.0, 6.0, 24.0], [24.0, 12.0, 4.0], [1.0, 2.0, 6.0]);
        samples.into_iter().chain(with_zeros).collect()
    });

/// The gradient of an element is the product of those before it, times the sum of the incoming
/// gradients after it, each times the elements up to it. That sum follows a recurrence, so nothing is
/// divided by an element that may be zero.
fn cumprod_gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let (x, axis, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
    let Scan { exclusive, reverse } = attrs(cx.node())?;
    // Unlike a cumulative product, a recurrence has 0 behind a zero even if that of the elements
    // before it is infinite.
    let before = linear_recurrence(x, zeros_like(x), axis, Start { initial: 1.0, reverse });
    let back = Start { initial: 0.0, reverse: !reverse };
    let behind = match exclusive {
        true => linear_recurrence(x, grad, axis, back),
        false => grad + linear_recurrence(x, x * grad, axis, back),
    };
    Ok(grads([Some(absorbing_mul(behind, before)), None]))
}

#[track_caller]
fn node(op: &'static OpDef, x: Tensor, axis: Tensor, scan: Scan) -> Tensor {
    let node = NodeBuilder::new(op).input(x).input(axis);
    tensor(node.attr("exclusive", scan.exclusive).attr("reverse", scan.reverse))
}

macro_rules! scans {
    ($(
        $(#[doc = $doc:literal])*
        $function:ident = $op:ident, $alias:literal, $with:ident;
    )*) => {$(
        $(#[doc = $doc])*
        ///
        /// # Errors
        /// An axis that does not exist.
        #[doc = example!($function(constant([0.5_f32, 2.0]), 0) => "[2]")]
        #[doc(alias = $alias)]
        #[track_caller]
        pub fn $function(x: impl Into<Operand>, axis: impl Into<Operand>) -> Tensor {
            $with(x, axis, false, false)
        }

        #[doc = concat!("[`", stringify!($function), "`], without the element itself if")]
        /// `exclusive`, and from the last element down if `reverse`.
        ///
        /// # Errors
        /// An axis that does not exist.
        #[doc = example!($with(constant([0.5_f32, 2.0]), 0, true, false) => "[2]")]
        #[doc(alias = $alias)]
        #[track_caller]
        pub fn $with(
            x: impl Into<Operand>,
            axis: impl Into<Operand>,
            exclusive: bool,
            reverse: bool,
        ) -> Tensor {
            let (x, axis) = (x.into().to_tensor(), axis.into());
            composite(x.graph(), $alias, |full| {
                let axis = axis.to_tensor_beside(x, "axis");
                let node = NodeBuilder::new(&$op).exact_name(full).input(x).input(axis);
                tensor(node.attr("exclusive", exclusive).attr("reverse", reverse))
            })
        }
    )*};
}

scans! {
    /// The cumulative sums of `x` along an axis: `[a, a + b, a + b + c]`.
    cumsum = CUMSUM, "Cumsum", cumsum_with;

    /// The cumulative products of `x` along an axis: `[a, a b, a b c]`. Its derivatives of any
    /// order are correct where elements are 0.
    cumprod = CUMPROD, "Cumprod", cumprod_with;
}
