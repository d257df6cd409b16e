//! Products of packed matrices. The rewriter uses these operations; graphs have none of them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tidemill_graph::{
    Arg, AttrDef, Inferred, Kernel, KernelCx, KernelError, NodeView, OpDef, OpError,
};
use tidemill_kernels::NumericError;
use tidemill_kernels::matmul::{self as kernels, Orientation};
use tidemill_value::{DType, Dim, Memory, PartialShape, Value};

use super::matmul::{infer_product, matrix, orientation};
use crate::kernel::map_kernel;
use crate::product::{Factors, Product};

const T: AttrDef = AttrDef::types("T", &[DType::F32, DType::F64]);

/// A matrix packed as the right operand of products on this machine.
pub static PACK: OpDef =
    OpDef::new("_PackMatrix", "A matrix packed as the right operand of products on this machine.")
        .inputs(&[Arg::of("matrix", "T")])
        .outputs(&[Arg::of("packed", "T")])
        .attrs(&[T, AttrDef::bool("transpose", false), AttrDef::bool("keeps", false)])
        .infer(|node| {
            let [inner, columns] = matrix(node, 0, node.bool_attr("transpose")?)?;
            let known = inner.known().zip(columns.known());
            let len = known
                .and_then(|(inner, columns)| kernels::packed_len(node.dtype(0), [inner, columns]));
            let len = len.map_or(Dim::UNKNOWN, Dim::from);
            Inferred::one([len].into_iter().collect::<PartialShape>())
        })
        .kernel(|node| {
            let orientation = orientation(node.bool_attr("transpose")?);
            if node.bool_attr("keeps")? {
                return Ok(Box::new(Keeper { orientation, kept: Mutex::default() }));
            }
            Ok(map_kernel(move |memory, matrix| kernels::pack(memory, (matrix, orientation))))
        });

/// Packs a matrix again only once it has changed.
struct Keeper {
    orientation: Orientation,
    kept: Mutex<Option<Kept>>,
}

/// A packed matrix, and the edition of the one that it was packed from.
struct Kept {
    edition: u64,
    packed: Value,
}

impl Keeper {
    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kernel for Keeper {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let matrix = cx.input(0)?;
        let edition = matrix.edition();
        let packed = match self.kept().take() {
            Some(kept) if Some(kept.edition) == edition => kept.packed,
            outdated => {
                if let Some(kept) = outdated {
                    cx.memory.recycle(kept.packed);
                }
                kernels::pack(cx.memory, (matrix, self.orientation))?
            }
        };
        *self.kept() = edition.map(|edition| Kept { edition, packed: packed.clone() });
        cx.set(0, packed);
        Ok(())
    }

    fn kept_bytes(&self) -> usize {
        self.kept().as_ref().map_or(0, |kept| kept.packed.bytes())
    }
}

/// The product of a matrix and a packed one.
pub static OP: OpDef = OpDef::new("_PackedMatMul", "The product of a matrix and a packed one.")
    .inputs(&[Arg::of("a", "T"), Arg::of("packed", "T")])
    .outputs(&[Arg::of("product", "T")])
    .attrs(&[
        T,
        AttrDef::bool("transpose_a", false),
        AttrDef::int("inner", -1),
        AttrDef::int("columns", -1),
    ])
    .infer(|node| {
        let left = matrix(node, 0, node.bool_attr("transpose_a")?)?;
        infer_product(left, packed_extents(node)?.map(Dim::from))
    })
    .kernel(|node| {
        let left = orientation(node.bool_attr("transpose_a")?);
        Ok(Product::kernel(Factors::Packed(left, packed_extents(node)?)))
    });

/// The extents of the packed matrix.
fn packed_extents(node: &NodeView<'_>) -> Result<[usize; 2], OpError> {
    let extent = |name| {
        let extent = usize::try_from(node.int_attr(name)?);
        extent.map_err(|_| OpError::shape("packed", "the extents are not given"))
    };
    Ok([extent("inner")?, extent("columns")?])
}

/// Whether a product of so many rows, terms and columns profits from a packed right operand.
pub fn is_preferred(dtype: DType, extents: [usize; 3]) -> bool {
    kernels::prefers_packed(dtype, extents)
}

/// A constant, packed as [`PACK`] packs it.
///
/// # Errors
/// [`NumericError`] if it is no matrix, or of a data type that is not packed.
pub fn pack(matrix: &Value, transpose: bool) -> Result<Value, NumericError> {
    kernels::pack(&Memory::new(), (matrix, orientation(transpose)))
}
