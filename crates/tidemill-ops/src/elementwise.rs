//! The kernels of element-wise operations: one type for each form of function, whatever the
//! function is.

use smallvec::{SmallVec, smallvec};
use tidemill_graph::{Inferred, Kernel, KernelCx, KernelError, NodeView, OpError};
use tidemill_kernels::elementwise::{self, Binary, Plain, Side, Unary};
use tidemill_kernels::{Broadcast, with_binary, with_comparison, with_predicate, with_unary};
use tidemill_value::{BinaryOp, DType, Element, Memory, Scalar, ScalarOp, Value};

use crate::kernel::{kernel, map_kernel};

/// The kernel of an operation that applies a function to each element.
pub(crate) fn scalar_kernel(node: &NodeView<'_>) -> Result<Box<dyn Kernel>, OpError> {
    let dtype = node.dtype(0);
    let found: Option<Box<dyn Kernel>> = match node.op().scalar {
        Some(ScalarOp::Unary(function)) => elementwise::unary_loops(function, dtype)
            .map(|function| with_unary!(function, f => Box::new(UnaryKernel(f)) as _)),
        Some(ScalarOp::Binary(function)) => elementwise::binary_loops(function, dtype)
            .map(|function| with_binary!(function, f => Box::new(BinaryKernel(f)) as _)),
        Some(ScalarOp::Predicate(function)) => elementwise::predicate_loops(function, dtype)
            .map(|function| with_predicate!(function, f => Box::new(PredicateKernel(f)) as _)),
        Some(ScalarOp::Compare(function)) => elementwise::comparison_loops(function, dtype)
            .map(|function| with_comparison!(function, f => Box::new(ComparisonKernel(f)) as _)),
        Some(ScalarOp::Select) => Some(kernel(|cx| {
            Ok(elementwise::select(cx.memory, cx.input(0)?, cx.input(1)?, cx.input(2)?)?)
        })),
        Some(ScalarOp::Cast) => {
            let to = node.type_attr("DstT")?;
            Some(map_kernel(move |memory, x| elementwise::cast(memory, x, to)))
        }
        None => None,
    };
    found.ok_or_else(|| unsupported(node))
}

/// A kernel that writes to its first input, a variable of the second's shape.
pub(crate) fn update_kernel(
    node: &NodeView<'_>,
    function: BinaryOp,
) -> Result<Box<dyn Kernel>, OpError> {
    let function =
        elementwise::binary_loops(function, node.dtype(0)).ok_or_else(|| unsupported(node))?;
    Ok(with_binary!(function, f => Box::new(UpdateKernel(f))))
}

fn unsupported(node: &NodeView<'_>) -> OpError {
    OpError::UnsupportedDType { op: node.op().name, dtype: node.dtype(0) }
}

/// The shape of the first input.
pub(crate) fn same_shape(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    Inferred::one(node.shape(0))
}

/// The shape that two inputs broadcast to.
pub(crate) fn broadcast_shape(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    Ok(smallvec![node.shape(0).broadcast(node.shape(1))?.into()])
}

/// The shape that two inputs must have in common.
pub(crate) fn equal_shape(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    Inferred::one(node.shape(0).merge(node.shape(1))?)
}

struct UnaryKernel<T>(Unary<T>);

impl<T: Plain + Into<Scalar>> Kernel for UnaryKernel<T> {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let input = cx.input(0)?;
        if let Some(x) = input.as_scalar() {
            let y = (self.0.one)(x);
            cx.set_scalar(0, y);
            return Ok(());
        }
        let output = match cx.take_buffer(0) {
            Some(mut buffer) => {
                self.0.in_place(buffer.as_mut_slice()?);
                buffer
            }
            None => {
                let input = cx.input(0)?;
                let mut output = cx.memory.scratch(T::DTYPE, input.shape().clone())?;
                self.0.slice(input.as_slice()?, output.as_mut_slice()?);
                output
            }
        };
        cx.set(0, output);
        Ok(())
    }
}

struct PredicateKernel<T>(Unary<T, bool>);

impl<T: Plain> Kernel for PredicateKernel<T> {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let input = cx.input(0)?;
        let mut output = cx.memory.scratch(DType::Bool, input.shape().clone())?;
        self.0.slice(input.as_slice()?, output.as_mut_slice()?);
        cx.set(0, output);
        Ok(())
    }
}

struct BinaryKernel<T>(Binary<T>);

impl<T: Plain + Into<Scalar>> Kernel for BinaryKernel<T> {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let (left, right) = (cx.input(0)?, cx.input(1)?);
        if let (Some(x), Some(y)) = (left.as_scalar(), right.as_scalar()) {
            match (self.0.one)(x, y) {
                Some(z) => cx.set_scalar(0, z),
                // The other forms report the error.
                None => self.0.pairs(&[x], &[y], &mut [T::default()])?,
            }
            return Ok(());
        }
        let output = match self.in_place(cx)? {
            Some(output) => output,
            None => broadcast(cx.memory, &self.0, cx.input(0)?, cx.input(1)?)?,
        };
        cx.set(0, output);
        Ok(())
    }
}

impl<T: Plain> BinaryKernel<T> {
    /// Writes the result over an operand of its shape that nothing needs afterwards.
    fn in_place(&self, cx: &mut KernelCx<'_>) -> Result<Option<Value>, KernelError> {
        let Some((side, mut buffer)) = take_operand(cx)? else { return Ok(None) };
        let other = cx.slice(if side == Side::Left { 1 } else { 0 })?;
        self.0.in_place(side, buffer.as_mut_slice()?, other)?;
        Ok(Some(buffer))
    }
}

/// Takes an operand whose buffer can be overwritten with the result.
fn take_operand(cx: &mut KernelCx<'_>) -> Result<Option<(Side, Value)>, KernelError> {
    for (side, i) in [(Side::Left, 0), (Side::Right, 1)] {
        let (own, other) = (cx.input(i)?, cx.input(1 - i)?);
        let fits = own.shape() == other.shape()
            || (other.elements() == 1 && other.shape().rank() <= own.shape().rank());
        if fits && let Some(buffer) = cx.take_buffer(i) {
            return Ok(Some((side, buffer)));
        }
    }
    Ok(None)
}

struct ComparisonKernel<T>(Binary<T, bool>);

impl<T: Element> Kernel for ComparisonKernel<T> {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let (left, right) = (cx.input(0)?, cx.input(1)?);
        // No comparison fails, so there always is a result.
        if let (Some(x), Some(y)) = (left.as_scalar(), right.as_scalar())
            && let Some(z) = (self.0.one)(x, y)
        {
            cx.set_scalar(0, z);
            return Ok(());
        }
        let output = broadcast(cx.memory, &self.0, left, right)?;
        cx.set(0, output);
        Ok(())
    }
}

/// The results of a function of two operands that broadcast.
pub(crate) fn broadcast<T: Element, O: Element>(
    memory: &Memory,
    function: &Binary<T, O>,
    left: &Value,
    right: &Value,
) -> Result<Value, KernelError> {
    let shape = left.shape();
    if shape == right.shape() {
        let mut output = memory.scratch(O::DTYPE, shape.clone())?;
        function.pairs(left.as_slice()?, right.as_slice()?, output.as_mut_slice()?)?;
        return Ok(output);
    }
    let plan = Broadcast::new([shape, right.shape()])?;
    let mut output = memory.scratch(O::DTYPE, plan.shape().clone())?;
    function.broadcast(&plan, left.as_slice()?, right.as_slice()?, output.as_mut_slice()?)?;
    Ok(output)
}

struct UpdateKernel<T>(Binary<T>);

impl<T: Plain> Kernel for UpdateKernel<T> {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let (variable, value) = (cx.input(0)?, cx.input(1)?);
        if variable.shape() != value.shape() {
            let (left, right) = (variable.shape().into(), value.shape().into());
            return Err(tidemill_value::ValueError::Incompatible { left, right }.into());
        }
        // `as_mut_slice` copies values that a reader still holds.
        let mut variable = cx.take_unique(0)?;
        self.0.in_place(Side::Left, variable.as_mut_slice()?, cx.slice(1)?)?;
        cx.set(0, variable);
        Ok(())
    }
}
