//! rust-autograd, timed by the driver. A graph lives as long as a closure runs, so each block
//! builds its graph and runs it once before the clock starts. A graph holds 500,000 nodes at most.

use std::hint::black_box;
use std::time::Instant;

use autograd::ndarray::{Array, ArrayD, IxDyn, arr0};
use autograd::optimizers::SGD;
use autograd::prelude::*;
use autograd::{Context, EvalError, Tensor, VariableEnvironment, tensor_ops as ops};
use peer_protocol::{Case, Result, Runner, points, serve, timed, timed_parts};

const CASES: &[Case] = &[
    ("fed_add", || fed(|x| x + 1.0)),
    ("chain_100", || fed(|x| (0..100).fold(x, |y, _| y * 0.99 + 0.01))),
    ("three_of_10k", || fed(three_nodes_of_10k)),
    ("step_1", || step(&[])),
    ("step_1024", || step(&[1024])),
    ("chain_10k", chain_10k),
];

fn main() -> Result<()> {
    serve("rust-autograd 2.0.0-rc3", CASES, tutorial)
}

type Build = for<'g> fn(Tensor<'g, f32>) -> Tensor<'g, f32>;

/// The first of the values of an evaluation.
fn first(values: Vec<std::result::Result<ArrayD<f32>, EvalError>>) -> Result<ArrayD<f32>> {
    Ok(values.into_iter().next().ok_or("no value")??)
}

fn scalar(value: ArrayD<f32>) -> Result<f32> {
    Ok(*value.first().ok_or("no element")?)
}

fn evaluate(ctx: &Context<f32>, x: Tensor<f32>, y: Tensor<f32>, fed: f32) -> Result<ArrayD<f32>> {
    first(ctx.evaluator().push(y).feed(x, arr0(fed).view()).run())
}

fn fed(build: Build) -> Result<Runner> {
    Ok(Box::new(move |n| {
        autograd::run(|ctx: &mut Context<f32>| {
            let x = ctx.placeholder("x", &[]);
            let y = build(x);
            evaluate(ctx, x, y, 2.0)?;
            timed(n, || evaluate(ctx, x, y, black_box(2.0)), scalar)
        })
    }))
}

fn three_nodes_of_10k<'g>(x: Tensor<'g, f32>) -> Tensor<'g, f32> {
    let y = x * 2.0 + 1.0;
    (0..10_000).fold(y, |z, _| z + y);
    y
}

/// m, b and their gradient descent.
struct Line {
    variables: VariableEnvironment<'static, f32>,
}

impl Line {
    fn new() -> Line {
        let mut variables = VariableEnvironment::new();
        for name in ["m", "b"] {
            variables.name(name).set(arr0(0.0_f32));
        }
        Line { variables }
    }

    /// Trains `steps` times on samples of `shape`; `run` evaluates a single step.
    fn train<T>(
        &self,
        shape: &[usize],
        run: impl FnOnce(&mut dyn FnMut(&ArrayD<f32>, &ArrayD<f32>) -> Result<ArrayD<f32>>) -> T,
    ) -> T {
        self.variables.run(|ctx| {
            let shape: Vec<isize> = shape.iter().map(|&n| n as isize).collect();
            let (x, y) = (ctx.placeholder("x", &shape), ctx.placeholder("y", &shape));
            let [m, b] = ["m", "b"].map(|name| ctx.variable(name));
            let squares = ops::square(y - (m * x + b));
            let loss =
                if shape.is_empty() { squares } else { ops::reduce_mean(squares, &[0], false) };
            let gradients = ops::grad(&[loss], &[m, b]);
            let updates = SGD::new(1e-3).compute_updates(&[m, b], &gradients, ctx);
            run(&mut |input, target| {
                let mut evaluator = ctx.evaluator();
                evaluator.push(loss).extend(&updates);
                first(evaluator.feed(x, input.view()).feed(y, target.view()).run())
            })
        })
    }

    fn parameters(&self) -> Result<(f32, f32)> {
        self.variables.run(|ctx| {
            let [m, b] = ["m", "b"].map(|name| ctx.variable(name));
            Ok((scalar(m.eval(ctx)?)?, scalar(b.eval(ctx)?)?))
        })
    }
}

fn step(shape: &'static [usize]) -> Result<Runner> {
    let line = Line::new();
    let input = Array::from_elem(IxDyn(shape), 0.5_f32);
    Ok(Box::new(move |n| {
        line.train(shape, |step| timed(n, || step(black_box(&input), &input), scalar))
    }))
}

fn chain_10k() -> Result<Runner> {
    Ok(Box::new(|n| timed_parts(n, build_and_run_chain_10k)))
}

fn build_and_run_chain_10k() -> Result<(f32, Vec<f64>)> {
    autograd::run(|ctx: &mut Context<f32>| {
        let start = Instant::now();
        let x = ctx.placeholder("x", &[]);
        let y = (0..10_000).fold(x, |y, _| y + x);
        let built = start.elapsed();
        let value = evaluate(ctx, x, y, 1.0)?;
        let ran = start.elapsed() - built;
        Ok((scalar(value)?, vec![built.as_nanos() as f64, ran.as_nanos() as f64]))
    })
}

fn tutorial(steps: u64, report: &mut dyn FnMut(f32)) -> Result<(f32, f32)> {
    let line = Line::new();
    line.train(&[], |train| {
        for (step, (x, y)) in (0..steps).zip(points()) {
            let loss = train(&arr0(x).into_dyn(), &arr0(y).into_dyn())?;
            if step == 0 {
                report(scalar(loss)?);
            }
        }
        Result::Ok(())
    })?;
    line.parameters()
}
