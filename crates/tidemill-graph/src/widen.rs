//! Wide types in place of short ones, for kernels that compute only with those.

use std::borrow::Cow;

use smallvec::SmallVec;
use tidemill_value::{DType, Element, Memory, Value, bf16, f16};

use crate::{
    Attr, AttrDef, Attrs, Execution, Fact, Kernel, KernelCx, KernelError, NodeView, OpDef, OpError,
    Operand, Widening,
};

impl OpDef {
    /// Makes the kernel of a node. If the operation computes a type of the node in a wider one (see
    /// [`Widening`]), the kernel gets wide inputs, and its results are converted back.
    ///
    /// # Errors
    /// [`OpError`] if the operation has no kernel for the attributes and types of the node.
    pub fn kernel_of(&self, node: &NodeView<'_>) -> Result<Box<dyn Kernel>, OpError> {
        let is_widened = |name, widening: Widening| {
            node.type_attr(name).is_ok_and(|dtype| widening.of(dtype) != dtype)
        };
        let widened = self.attrs.iter().find(|attr| is_widened(attr.name, attr.widening));
        let Some(&AttrDef { widening, .. }) = widened else {
            return (self.kernel)(node);
        };
        let attrs = node.attrs().iter().map(|(name, attr)| {
            let attr = match attr {
                Attr::Type(dtype) => Attr::Type(widening.of(*dtype)),
                other => other.clone(),
            };
            (Cow::Owned(name.to_owned()), attr)
        });
        let facts = |facts: &[Fact]| -> Vec<Fact> {
            let wide = |fact: &Fact| Fact { dtype: widening.of(fact.dtype), ..fact.clone() };
            facts.iter().map(wide).collect()
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
        Ok(Box::new(Widened { kernel, widening, outputs }))
    }
}

impl Widening {
    /// The type that kernels get in place of another.
    fn of(self, dtype: DType) -> DType {
        match self {
            Widening::Never => dtype,
            Widening::Floats if !dtype.is_half() => dtype,
            Widening::Floats | Widening::Wrapping | Widening::Saturating => dtype.wide(),
        }
    }
}

/// A kernel that gets wide types in place of short ones.
struct Widened {
    kernel: Box<dyn Kernel>,
    widening: Widening,
    /// The types of the outputs.
    outputs: SmallVec<[DType; 1]>,
}

impl Kernel for Widened {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let results = self.with_widened(cx, |cx| self.kernel.run(cx))?;
        for (i, (output, dtype)) in results.into_iter().zip(&self.outputs).enumerate() {
            if let Some(output) = output {
                cx.set(i, narrowed(cx.memory, output, *dtype, self.widening)?);
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
        let wide = |value| widened(cx.memory, value, self.widening);
        let mut slots: Vec<Option<Value>> =
            (0..count).map(|i| cx.peek(i).map(wide).transpose()).collect::<Result<_, _>>()?;
        slots.resize(count + self.outputs.len(), None);
        let inputs: SmallVec<[Operand; 4]> =
            (0..count as u32).map(|i| Operand::slot(i).last_use()).collect();
        let outputs: SmallVec<[u32; 2]> = (count as u32..slots.len() as u32).collect();
        f(&mut KernelCx {
            slots: &mut slots,
            constants: &[],
            inputs: &inputs,
            outputs: &outputs,
            memory: cx.memory,
            draw: cx.draw,
            host: cx.host,
        })?;
        let outputs = slots.split_off(count);
        slots.into_iter().flatten().for_each(|input| cx.memory.recycle(input));
        Ok(outputs)
    }
}

fn widened(memory: &Memory, value: &Value, widening: Widening) -> Result<Value, KernelError> {
    match value.dtype() {
        dtype if widening.of(dtype) == dtype => Ok(value.clone()),
        DType::F16 => convert(memory, value, f16::to_f32),
        DType::BF16 => convert(memory, value, bf16::to_f32),
        DType::I8 => convert::<i8, i32>(memory, value, i32::from),
        DType::I16 => convert::<i16, i32>(memory, value, i32::from),
        DType::U8 => convert::<u8, i32>(memory, value, i32::from),
        DType::U16 => convert::<u16, i32>(memory, value, i32::from),
        DType::U32 => convert::<u32, i64>(memory, value, i64::from),
        _ => Ok(value.clone()),
    }
}

fn narrowed(
    memory: &Memory,
    value: Value,
    dtype: DType,
    widening: Widening,
) -> Result<Value, KernelError> {
    /// Converts integers back from their wide type.
    macro_rules! cut {
        ($wide:ident, $rust:ident) => {
            match widening {
                Widening::Saturating => convert(memory, &value, |x: $wide| {
                    x.clamp($rust::MIN.into(), $rust::MAX.into()) as $rust
                }),
                _ => convert(memory, &value, |x: $wide| x as $rust),
            }
        };
    }
    match dtype {
        _ if value.dtype() == dtype => Ok(value),
        DType::F16 => convert(memory, &value, |x| short(x, [f16::MIN, f16::MAX], f16::from_f32)),
        DType::BF16 => {
            convert(memory, &value, |x| short(x, [bf16::MIN, bf16::MAX], bf16::from_f32))
        }
        DType::I8 => cut!(i32, i8),
        DType::I16 => cut!(i32, i16),
        DType::U8 => cut!(i32, u8),
        DType::U16 => cut!(i32, u16),
        DType::U32 => cut!(i64, u32),
        _ => Ok(value),
    }
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

fn convert<A: Element + Copy, O: Element>(
    memory: &Memory,
    value: &Value,
    f: impl Fn(A) -> O,
) -> Result<Value, KernelError> {
    let mut converted = memory.scratch(O::DTYPE, value.shape().clone())?;
    for (x, o) in value.as_slice()?.iter().zip(converted.as_mut_slice()?) {
        *o = f(*x);
    }
    Ok(converted)
}
