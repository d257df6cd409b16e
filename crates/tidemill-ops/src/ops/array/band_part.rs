//! Bands of matrices.

use tidemill_graph::{
    Arg, AttrDef, AttrDefault, Fallible, Inferred, NodeBuilder, OpDef, OpError, Sample,
};
use tidemill_kernels::layout;
use tidemill_value::{DType, Dim, Value};

use super::diagonal::packed_shape;
use crate::family::grads;
use crate::index::{check_rank, integer, known_integer};
use crate::kernel::kernel;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops: MATRIX_BAND_PART;
    exports: matrix_band_part;
}

/// The inputs of [`MATRIX_BAND_PART`] that bound the band, and the names of their diagonals.
const SIDES: [(&str, &str); 2] = [("num_lower", "lower"), ("num_upper", "upper")];

fn check_reach(
    reach: i64,
    extent: usize,
    (input, side): (&'static str, &str),
) -> Result<(), OpError> {
    if usize::try_from(reach).is_ok_and(|reach| reach > extent) {
        let message = format!("there are no {reach} {side} diagonals, but at most {extent}");
        return Err(OpError::elements(input, message));
    }
    Ok(())
}

/// Matrices with zeros outside a band around the diagonal.
pub static MATRIX_BAND_PART: OpDef =
    OpDef::new("MatrixBandPart", "Matrices with zeros outside a band around the diagonal.")
        .inputs(&[
            Arg::of("input", "T"),
            Arg::of("num_lower", "Tindex"),
            Arg::of("num_upper", "Tindex"),
        ])
        .outputs(&[Arg::of("band", "T")])
        .attrs(&[
            AttrDef::types("T", DType::ALL),
            AttrDef::types("Tindex", DType::INDICES).default(AttrDefault::Type(DType::I64)),
        ])
        .fallible(Fallible::Values)
        .infer(|node| {
            packed_shape(node, None)?;
            check_rank(node, 1, 0, "no axes")?;
            check_rank(node, 2, 0, "no axes")?;
            let extents = node.shape(0).dims().and_then(<[Dim]>::last_chunk::<2>);
            let extents = extents.map(|extents| extents.map(|extent| extent.known()));
            for (i, extent) in extents.into_iter().flatten().enumerate() {
                if let Some((reach, extent)) = known_integer(node, 1 + i).zip(extent) {
                    check_reach(reach, extent, SIDES[i])?;
                }
            }
            Inferred::one(node.shape(0))
        })
        .gradient(|cx| {
            let node = NodeBuilder::new(&MATRIX_BAND_PART).input(cx.grad::<Tensor>());
            let node = node.input(cx.input::<Tensor>(1)).input(cx.input::<Tensor>(2));
            Ok(grads([Some(tensor(node)), None, None]))
        })
        .kernel(|_| {
            Ok(kernel(|cx| {
                let below = integer(cx.input(1)?, "num_lower")?;
                let above = integer(cx.input(2)?, "num_upper")?;
                let x = cx.input(0)?;
                let extents = x.shape().last_chunk::<2>().copied().unwrap_or_default();
                for (i, reach) in [below, above].into_iter().enumerate() {
                    check_reach(reach, extents[i], SIDES[i])?;
                }
                Ok(layout::matrix_band_part(cx.memory, x, below, above)?)
            }))
        })
        .samples(|| {
            let x = || array([2, 3], [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
            let inputs = |below: i64, above: i64| [x(), Value::from(below), Value::from(above)];
            vec![
                Sample::new(inputs(0, -1), array([2, 3], [1.0_f32, 2.0, 3.0, 0.0, 5.0, 6.0])),
                Sample::new(inputs(-1, 1), array([2, 3], [1.0_f32, 2.0, 0.0, 4.0, 5.0, 6.0])),
                Sample::error(inputs(3, 0), "no 3 lower diagonals"),
            ]
        });

/// `x` with zeros outside a band of its matrices: `below` diagonals below and `above` above the
/// main one are kept; -1 means all of them. Its gradient is the band of the incoming gradient.
///
/// # Errors
/// Tensors of fewer than 2 axes, or more diagonals than there are.
///
/// ```
/// use tidemill_ops::{matrix_band_part, placeholder};
/// let x = placeholder::<f32>([3, 3]);
/// let lower_triangle = matrix_band_part(x, -1, 0);
/// assert_eq!(lower_triangle.shape().to_string(), "[3, 3]");
/// ```
#[doc(alias = "MatrixBandPart")]
#[doc(alias = "band_part")]
#[track_caller]
pub fn matrix_band_part(x: impl Into<Operand>, below: i64, above: i64) -> Tensor {
    let x = x.into().to_tensor();
    composite(x.graph(), "MatrixBandPart", |full| {
        let node = NodeBuilder::new(&MATRIX_BAND_PART).exact_name(full).input(x);
        let node = node.input(Operand::from(below).to_tensor_beside(x, "num_lower"));
        tensor(node.input(Operand::from(above).to_tensor_beside(x, "num_upper")))
    })
}
