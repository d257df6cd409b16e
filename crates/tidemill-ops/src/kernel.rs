//! Kernels written as closures.

use tidemill_graph::{Kernel, KernelCx, KernelError};
use tidemill_kernels::NumericError;
use tidemill_value::{Memory, Value};

/// A kernel of one output, computed by a function of the inputs.
pub(crate) fn kernel<F>(compute: F) -> Box<dyn Kernel>
where
    F: Fn(&KernelCx<'_>) -> Result<Value, KernelError> + Send + Sync + 'static,
{
    Box::new(move |cx: &mut KernelCx<'_>| {
        let output = compute(cx)?;
        cx.set(0, output);
        Ok(())
    })
}

/// A kernel of one input and one output.
pub(crate) fn map_kernel<F>(compute: F) -> Box<dyn Kernel>
where
    F: Fn(&Memory, &Value) -> Result<Value, NumericError> + Send + Sync + 'static,
{
    kernel(move |cx| Ok(compute(cx.memory, cx.input(0)?)?))
}
