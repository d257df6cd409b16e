//! 16-bit floats for kernels that compute with 32 bits.

use std::borrow::Cow;

use smallvec::SmallVec;
use tidemill_value::{DType, Value, bf16, f16};

use crate::{
    Attr, Attrs, Execution, Fact, Kernel, KernelCx, KernelError, NodeView, OpDef, OpError, Operand,
};

impl OpDef {
    /// Makes the kernel of a node. If the operation computes 16-bit floats as `float32` (see
    /// [`AttrDef::widened`](crate::AttrDef::widened)), the kernel gets `float32` inputs and its
    /// results are rounded.
    ///
    /// # Errors
    /// [`OpError`] if the operation has no kernel for the attributes and types of the node.
    pub fn kernel_of(&self, node: &NodeView<'_>) -> Result<Box<dyn Kernel>, OpError> {
        let is_short = |name| node.type_attr(name).is_ok_and(DType::is_half);
        if !self.attrs.iter().any(|attr| attr.widens && is_short(attr.name)) {
            return (self.kernel)(node);
        }
        let attrs = node.attrs().iter().map(|(name, attr)| {
            let attr = match attr {
                Attr::Type(dtype) => Attr::Type(wide(*dtype)),
                other => other.clone(),
            };
            (Cow::Owned(name.to_owned()), attr)
        });
        let facts = |facts: &[Fact]| -> Vec<Fact> {
            facts.iter().map(|fact| Fact { dtype: wide(fact.dtype), ..fact.clone() }).collect()
        };
        let (attrs, inputs): (Attrs, _) = (attrs.collect(), facts(node.inputs()));
        let outputs = facts(node.outputs());
        let kernel = (self.kernel)(&NodeView::new(node.op(), &attrs, &inputs, &outputs))?;
        let mut outputs: SmallVec<[DType; 1]> =
            node.outputs().iter().map(|fact| fact.dtype).collect();
        if self.execution == Execution::Write {
            let count = outputs.len();
            let is_added = |&i: &usize| self.state_slot(count, i) as usize >= count;
            outputs.extend((0..self.written()).filter(is_added).map(|i| node.dtype(i)));
        }
        Ok(Box::new(Widened { kernel, outputs }))
    }
}

fn wide(dtype: DType) -> DType {
    if dtype.is_half() { DType::F32 } else { dtype }
}

/// A kernel that gets `float32` for 16-bit floats.
struct Widened {
    kernel: Box<dyn Kernel>,
    /// The types of the outputs.
    outputs: SmallVec<[DType; 1]>,
}

impl Kernel for Widened {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let results = self.with_widened(cx, |cx| self.kernel.run(cx))?;
        for (i, (output, dtype)) in results.into_iter().zip(&self.outputs).enumerate() {
            if let Some(output) = output {
                cx.set(i, rounded(output, *dtype)?);
            }
        }
        Ok(())
    }

    fn check(&self, cx: &KernelCx<'_>) -> Result<(), KernelError> {
        self.with_widened(cx, |cx| self.kernel.check(cx)).map(drop)
    }
}

impl Widened {
    /// Calls `f` with the inputs widened, and returns its outputs.
    fn with_widened(
        &self,
        cx: &KernelCx<'_>,
        f: impl FnOnce(&mut KernelCx<'_>) -> Result<(), KernelError>,
    ) -> Result<Vec<Option<Value>>, KernelError> {
        let count = cx.input_count();
        let mut slots: Vec<Option<Value>> =
            (0..count).map(|i| cx.peek(i).map(widened).transpose()).collect::<Result<_, _>>()?;
        slots.resize(count + self.outputs.len(), None);
        let inputs: SmallVec<[Operand; 4]> =
            (0..count as u32).map(|i| Operand::slot(i).last_use()).collect();
        let outputs: SmallVec<[u32; 2]> = (count as u32..slots.len() as u32).collect();
        f(&mut KernelCx {
            slots: &mut slots,
            constants: &[],
            inputs: &inputs,
            outputs: &outputs,
            draw: cx.draw,
            host: cx.host,
        })?;
        Ok(slots.split_off(count))
    }
}

fn widened(value: &Value) -> Result<Value, KernelError> {
    let shape = value.shape().clone();
    Ok(match value.dtype() {
        DType::F16 => Value::from_vec(shape, map(value.as_slice()?, |x: &f16| x.to_f32()))?,
        DType::BF16 => Value::from_vec(shape, map(value.as_slice()?, |x: &bf16| x.to_f32()))?,
        _ => value.clone(),
    })
}

fn rounded(value: Value, dtype: DType) -> Result<Value, KernelError> {
    let shape = value.shape().clone();
    Ok(match dtype {
        DType::F16 => {
            let ends = [f16::MIN, f16::MAX];
            Value::from_vec(shape, map(value.as_slice()?, |x| short(*x, ends, f16::from_f32)))?
        }
        DType::BF16 => {
            let ends = [bf16::MIN, bf16::MAX];
            Value::from_vec(shape, map(value.as_slice()?, |x| short(*x, ends, bf16::from_f32)))?
        }
        _ => value,
    })
}

/// A rounded number. The ends of the range stand for numbers above or below all others, and become
/// the ends of the other type.
fn short<T>(x: f32, [lowest, highest]: [T; 2], round: fn(f32) -> T) -> T {
    match x {
        f32::MIN => lowest,
        f32::MAX => highest,
        x => round(x),
    }
}

fn map<T, U>(elements: &[T], f: impl Fn(&T) -> U) -> Vec<U> {
    elements.iter().map(f).collect()
}
