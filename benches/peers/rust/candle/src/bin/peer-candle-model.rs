//! candle on products and on the MLP of case folders, asked by models.py.
//!
//! It uses as many threads as RAYON_NUM_THREADS says.

use candle_core::{Device::Cpu, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, SGD, loss::cross_entropy};
use peer_protocol::Result;
use peer_protocol::graphs::{CaseFolder, Model, serve};
use tidemill_value::{DType, Value};

const RATE: f64 = 1e-3;

fn main() -> Result<()> {
    serve::<Case>("candle 0.11.1")
}

type Run = Box<dyn FnMut() -> candle_core::Result<Tensor>>;

struct Case(Run);

impl Model for Case {
    type Output = Tensor;

    fn prepare(folder: &CaseFolder) -> Result<Self> {
        let values = folder.values.iter().map(tensor).collect::<Result<Vec<_>>>()?;
        let name = folder.name();
        let run: Run = match (name.split_once('_'), &values[..]) {
            (Some(("product", _)), [a, b]) => {
                let (a, b) = (a.clone(), b.clone());
                Box::new(move || a.matmul(&b))
            }
            (Some(("mlp", "forward")), [x]) => {
                let (layers, x) = (layers(folder)?, x.clone());
                Box::new(move || perceptron(&layers, &x))
            }
            (Some(("mlp", way)), [x, labels]) => training(way, layers(folder)?, x, labels)?,
            _ => return Err("not written for candle".into()),
        };
        Ok(Case(run))
    }

    fn run(&mut self) -> Result<Tensor> {
        Ok((self.0)()?)
    }

    fn elements(output: &Tensor) -> Result<Vec<f64>> {
        Ok(output.to_dtype(candle_core::DType::F64)?.flatten_all()?.to_vec1()?)
    }
}

fn training(way: &str, layers: Vec<Var>, x: &Tensor, labels: &Tensor) -> Result<Run> {
    match way {
        "sgd" => Ok(step(SGD::new(layers.clone(), RATE)?, layers, x, labels)),
        "adam" => {
            let rates = ParamsAdamW { lr: RATE, weight_decay: 0.0, ..ParamsAdamW::default() };
            Ok(step(AdamW::new(layers.clone(), rates)?, layers, x, labels))
        }
        _ => Err("not written for candle".into()),
    }
}

/// A step of a training, which gives the loss before it.
fn step(
    mut optimizer: impl Optimizer + 'static,
    layers: Vec<Var>,
    x: &Tensor,
    labels: &Tensor,
) -> Run {
    let (x, labels) = (x.clone(), labels.clone());
    Box::new(move || {
        let loss = cross_entropy(&perceptron(&layers, &x)?, &labels)?;
        optimizer.backward_step(&loss)?;
        Ok(loss)
    })
}

/// The weights and the bias of each layer.
fn layers(folder: &CaseFolder) -> Result<Vec<Var>> {
    folder.parameters()?.iter().map(|value| Ok(Var::from_tensor(&tensor(value)?)?)).collect()
}

fn perceptron(layers: &[Var], x: &Tensor) -> candle_core::Result<Tensor> {
    let mut x = x.clone();
    for (i, layer) in layers.chunks_exact(2).enumerate() {
        let input = if i == 0 { x } else { x.relu()? };
        x = input.matmul(&layer[0])?.broadcast_add(&layer[1])?;
    }
    Ok(x)
}

/// Integers are labels, which candle takes without a sign.
fn tensor(value: &Value) -> Result<Tensor> {
    let shape: &[usize] = value.shape();
    Ok(match value.dtype() {
        DType::F32 => Tensor::from_slice(value.as_slice::<f32>()?, shape, &Cpu)?,
        DType::F64 => Tensor::from_slice(value.as_slice::<f64>()?, shape, &Cpu)?,
        _ => {
            let labels = value.as_slice::<i32>()?.iter().map(|&label| u32::try_from(label));
            Tensor::from_vec(labels.collect::<std::result::Result<Vec<_>, _>>()?, shape, &Cpu)?
        }
    })
}
