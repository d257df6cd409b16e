//! candle, timed by the driver. It has no graph to build once: each iteration records anew.

use std::hint::black_box;

use candle_core::{DType, Device::Cpu, Tensor, Var};
use peer_protocol::{Case, Result, Runner, points, serve, timed};

const CASES: &[Case] = &[
    ("fed_add", || fed(|x| Ok((x + 1.0)?))),
    ("chain_100", || fed(|x| Ok((0..100).try_fold(x, |y, _| (y * 0.99)? + 0.01)?))),
    ("step_1", || step(&[])),
    ("step_1024", || step(&[1024])),
];

const RATE: f64 = 1e-3;

fn main() -> Result<()> {
    serve("candle 0.11.1", CASES, tutorial)
}

fn fed(compute: fn(Tensor) -> Result<Tensor>) -> Result<Runner> {
    let once = move || compute(Tensor::new(black_box(2.0_f32), &Cpu)?);
    Ok(Box::new(move |n| timed(n, once, |y| Ok(y.to_scalar()?))))
}

struct Line {
    m: Var,
    b: Var,
}

impl Line {
    fn new() -> Result<Line> {
        Ok(Line { m: Var::zeros((), DType::F32, &Cpu)?, b: Var::zeros((), DType::F32, &Cpu)? })
    }

    /// The loss before a step of gradient descent, and the step.
    fn train(&self, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        let guess = x.broadcast_mul(&self.m)?.broadcast_add(&self.b)?;
        let squares = (y - guess)?.sqr()?;
        let loss = if squares.rank() == 0 { squares } else { squares.mean_all()? };
        let gradients = loss.backward()?;
        for parameter in [&self.m, &self.b] {
            let gradient = gradients.get(parameter).ok_or("no gradient")?;
            parameter.set(&(parameter.as_tensor() - (gradient * RATE)?)?)?;
        }
        Ok(loss)
    }
}

fn step(shape: &'static [usize]) -> Result<Runner> {
    let line = Line::new()?;
    let values = vec![0.5_f32; shape.iter().product()];
    let once = move || {
        let input = || Tensor::from_slice(black_box(&values), shape, &Cpu);
        line.train(&input()?, &input()?)
    };
    Ok(Box::new(move |n| timed(n, &once, |loss| Ok(loss.to_scalar()?))))
}

fn tutorial(steps: u64, first: &mut dyn FnMut(f32)) -> Result<(f32, f32)> {
    let line = Line::new()?;
    for (step, (x, y)) in (0..steps).zip(points()) {
        let loss = line.train(&Tensor::new(x, &Cpu)?, &Tensor::new(y, &Cpu)?)?.to_scalar()?;
        if step == 0 {
            first(loss);
        }
    }
    Ok((line.m.to_scalar()?, line.b.to_scalar()?))
}
