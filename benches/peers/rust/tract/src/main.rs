//! tract on the ONNX models of case folders, asked by models.py:
//!
//! ```text
//! peer-tract THREADS
//! ```

use std::sync::Arc;

use peer_protocol::Result;
use peer_protocol::graphs::{CaseFolder, Model, serve};
use tidemill_value::{DType, Value};
use tract_linalg::multithread::{Executor, set_default_executor};
use tract_onnx::prelude::*;

fn main() -> Result<()> {
    let threads = std::env::args().nth(1).ok_or("peer-tract THREADS")?.parse()?;
    if threads > 1 {
        set_default_executor(Executor::multithread(threads));
    }
    serve::<Network>("tract 0.23.9")
}

struct Network {
    plan: Arc<TypedRunnableModel>,
    inputs: TVec<TValue>,
}

impl Model for Network {
    type Output = TValue;

    fn prepare(folder: &CaseFolder) -> Result<Self> {
        if !folder.targets.is_empty() {
            return Err("tract does not train".into());
        }
        let path = folder.onnx().ok_or("not written for ONNX")?;
        let plan = onnx().model_for_path(path)?.into_optimized()?.into_runnable()?;
        let inputs = folder.values.iter().map(input).collect::<Result<_>>()?;
        Ok(Network { plan, inputs })
    }

    fn run(&mut self) -> Result<TValue> {
        self.plan.run(self.inputs.clone())?.into_iter().next().ok_or("no output".into())
    }

    fn elements(output: &TValue) -> Result<Vec<f64>> {
        let output = output.cast_to::<f64>()?;
        Ok(output.to_plain_array_view::<f64>()?.iter().copied().collect())
    }
}

fn input(value: &Value) -> Result<TValue> {
    let shape = value.shape();
    let tensor = match value.dtype() {
        DType::F32 => Tensor::from_shape(shape, value.as_slice::<f32>()?)?,
        DType::F64 => Tensor::from_shape(shape, value.as_slice::<f64>()?)?,
        _ => Tensor::from_shape(shape, value.as_slice::<i32>()?)?,
    };
    Ok(tensor.into_tvalue())
}
