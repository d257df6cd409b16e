//! The kernels of matrix products, which can apply functions to the product at once.

use smallvec::SmallVec;
use tidemill_graph::{Kernel, KernelCx, KernelError, Then};
use tidemill_kernels::elementwise::Side;
use tidemill_kernels::epilogue::{MOST, Stage};
use tidemill_kernels::matmul::{self, Orientation};
use tidemill_value::{DType, Value};

/// The form of the operands of a product.
#[derive(Clone, Copy)]
pub(crate) enum Factors {
    /// Two matrices.
    Matrices([Orientation; 2]),
    /// Two batches of matrices, which broadcast.
    Batches([Orientation; 2]),
    /// A matrix, and a packed one of these extents.
    Packed(Orientation, [usize; 2]),
}

/// The kernel of a product of the first two inputs.
#[derive(Clone)]
pub(crate) struct Product {
    factors: Factors,
    /// The functions to apply, with the inputs that they take.
    functions: SmallVec<[(Stage, Option<usize>); MOST]>,
}

impl Product {
    pub(crate) fn kernel(factors: Factors) -> Box<dyn Kernel> {
        Box::new(Product { factors, functions: SmallVec::new() })
    }

    fn compute(&self, cx: &KernelCx<'_>) -> Result<Value, KernelError> {
        let (left, right) = (cx.input(0)?, cx.input(1)?);
        let other = |input: Option<usize>| input.map(|i| cx.input(i)).transpose();
        let functions = self.functions.iter().map(|&(stage, input)| Ok((stage, other(input)?)));
        let epilogue: SmallVec<[(Stage, Option<&Value>); MOST]> =
            functions.collect::<Result<_, KernelError>>()?;
        Ok(match self.factors {
            Factors::Matrices([of_left, of_right]) => {
                matmul::matmul_then(cx.memory, (left, of_left), (right, of_right), &epilogue)
            }
            Factors::Batches([of_left, of_right]) => {
                matmul::batch_matmul_then(cx.memory, (left, of_left), (right, of_right), &epilogue)
            }
            Factors::Packed(of_left, extents) => {
                matmul::packed_matmul(cx.memory, (left, of_left), (right, extents), &epilogue)
            }
        }?)
    }
}

impl Kernel for Product {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let product = self.compute(cx)?;
        cx.set(0, product);
        Ok(())
    }

    fn then(&self, then: Then, dtype: DType) -> Option<Box<dyn Kernel>> {
        if self.functions.len() == MOST {
            return None;
        }
        let side = if then.is_second { Side::Right } else { Side::Left };
        let mut product = self.clone();
        product.functions.push((Stage::new(then.function, dtype, side)?, then.other));
        Some(Box::new(product))
    }
}
