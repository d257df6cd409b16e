//! Kernels of writes to variables, which are named by their storage or by a handle.

use smallvec::SmallVec;
use tidemill_graph::{
    AttrDef, Inferred, Kernel, KernelCx, KernelError, NodeView, OpError, Widening,
};
use tidemill_kernels::NumericError;
use tidemill_kernels::layout::{self, Combine};
use tidemill_value::{DType, PartialShape, Shape, Value, ValueError};

use super::array::parts_shape;

pub(super) struct Assign {
    /// The shapes that the variable can take.
    pub(super) admitted: PartialShape,
}

impl Kernel for Assign {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let value = cx.take(1)?;
        if !self.admitted.admits(value.shape()) {
            let (left, right) = (self.admitted.clone(), value.shape().into());
            return Err(ValueError::Incompatible { left, right }.into());
        }
        cx.set(0, value);
        Ok(())
    }
}

pub(super) fn infer_rows(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let (variable, indices, updates) = (node.shape(0), node.shape(1), node.shape(2));
    if variable.rank() == Some(0) {
        let (input, actual) = ("ref", variable.clone());
        return Err(OpError::Rank { input, expected: "at least 1 axis", actual });
    }
    if let (Some(variable), Some(indices)) = (variable.dims(), indices.dims())
        && updates.rank() != Some(0)
    {
        let numbered: PartialShape = indices.iter().chain(&variable[1..]).copied().collect();
        numbered.merge(updates)?;
    }
    Inferred::one(variable)
}

pub(super) fn infer_parts(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    parts_shape(node.shape(0), node.shape(1))?.merge(node.shape(2))?;
    Inferred::one(node.shape(0))
}

type Write = fn(Value, &Value, &Value, Combine) -> Result<Value, NumericError>;
type Check = fn(&Shape, &Value, &Value, Combine) -> Result<(), NumericError>;

pub(super) struct Scatter {
    combine: Combine,
    write: Write,
    check: Check,
    /// The shape of the variable, if it is known.
    shape: Option<Shape>,
}

impl Scatter {
    pub(super) fn rows(node: &NodeView<'_>, combine: Combine) -> Self {
        let (write, check) = (layout::scatter_rows, layout::check_scatter_rows);
        Scatter { combine, write, check, shape: node.shape(0).known() }
    }

    pub(super) fn parts(node: &NodeView<'_>, combine: Combine) -> Self {
        let (write, check) = (layout::tensor_scatter, layout::check_tensor_scatter);
        Scatter { combine, write, check, shape: node.shape(0).known() }
    }
}

impl Kernel for Scatter {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let variable = cx.take_unique(0)?;
        let written = (self.write)(variable, cx.input(1)?, cx.input(2)?, self.combine)?;
        cx.set(0, written);
        Ok(())
    }

    fn check(&self, cx: &KernelCx<'_>) -> Result<(), KernelError> {
        let shape = self.shape.as_ref().ok_or(KernelError::Internal("an unknown shape"))?;
        Ok((self.check)(shape, cx.input(1)?, cx.input(2)?, self.combine)?)
    }
}

pub(super) struct IsInitialized;

impl Kernel for IsInitialized {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let present = cx.peek(0).is_some();
        cx.set(0, Value::from(present));
        Ok(())
    }
}

/// The type of a variable and of the updates that are combined with it.
pub(super) const fn element_type(
    name: &'static str,
    types: &'static [DType],
    combine: Combine,
) -> AttrDef {
    AttrDef::types(name, types).widening(match combine {
        Combine::Update => Widening::Never,
        // The quotient of a short integer may wrap before another update divides it again.
        Combine::Div => Widening::Floats,
        _ => Widening::Wrapping,
    })
}
