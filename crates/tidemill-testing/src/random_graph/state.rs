use rand::RngExt;
use tidemill_autodiff::gradients;
use tidemill_graph::{Role, default_graph};
use tidemill_ops::ops::debug::PrintOptions;
use tidemill_ops::{
    Distribution, Initializer, Inspect, Operation, Tensor, apply_gradient_descent, assert, assign,
    assign_add, assign_sub, check_numerics, constant, equal, group, identity,
    is_variable_initialized, no_op, print_with, random, random_integers, reduce_sum, size,
    variable, zeros,
};
use tidemill_train::{GradientDescent, Optimizer};
use tidemill_value::DType;

use super::grow::Grower;
use super::random_values::{pick, random_shape, random_value};
use super::runs::is_valid;

/// Steps that add effects and use variables.
impl Grower {
    pub(super) fn variable(&mut self) {
        let dtype =
            pick(&[DType::F32, DType::F32, DType::F64, DType::I32, DType::Bool], &mut self.rng);
        let shape = random_shape(&mut self.rng);
        let fitting =
            self.find(|fact| fact.dtype == dtype && fact.shape.known() == Some(shape.clone()));
        let initializer = match (self.rng.random_range(0..4), fitting) {
            (0, Some(tensor)) => Initializer::from(tensor),
            (1, _) if dtype.is_float() => Initializer::default(),
            (2, _) if dtype != DType::Bool => zeros(),
            _ => Initializer::from(random_value(dtype, &shape, &mut self.rng)),
        };
        let name = format!("v{}", self.variables.len());
        let is_resource = self.rng.random_bool(0.3);
        let builder = variable(&name, shape).dtype(dtype).initializer(initializer);
        let made = builder.resource(is_resource).get();
        if is_valid(made) {
            self.variables.push(made);
            self.keep(made.read());
        }
    }

    /// Reads a variable in one of several ways.
    pub(super) fn read(&mut self) {
        if self.variables.is_empty() {
            return;
        }
        let chosen = pick(&self.variables, &mut self.rng);
        let tensor = match self.rng.random_range(0..5) {
            // A handle is no value.
            0 | 1 if chosen.is_resource() => chosen.read(),
            0 => chosen.op().output(0),
            1 => identity(chosen.op().output(0)),
            2 => is_variable_initialized(chosen),
            3 => chosen.initial_value(),
            _ => chosen.read(),
        };
        self.keep(tensor);
    }

    pub(super) fn write(&mut self) {
        if self.variables.is_empty() {
            return;
        }
        let chosen = pick(&self.variables, &mut self.rng);
        let (Some(dtype), shape) = (chosen.dtype(), chosen.shape()) else { return };
        // The output of an earlier write names the variable as well.
        let earlier = self.find(|fact| {
            fact.role == Role::Ref && fact.dtype == dtype && fact.shape.merge(&shape).is_ok()
        });
        let target = match earlier {
            Some(earlier) if self.rng.random_bool(0.2) => earlier,
            _ => chosen.op().output(0),
        };
        let fitting = self.find(|fact| fact.dtype == dtype && fact.shape.merge(&shape).is_ok());
        let value = match fitting {
            Some(tensor) if self.rng.random_bool(0.8) => tensor,
            _ => {
                let known = shape.known().unwrap_or_default();
                constant(random_value(dtype, &known, &mut self.rng))
            }
        };
        let written = match self.rng.random_range(0..6) {
            0 | 1 if dtype != DType::Bool => assign_add(target, value),
            2 if dtype != DType::Bool => assign_sub(target, value),
            3 if dtype.is_float() => apply_gradient_descent(target, 0.5, value),
            _ => assign(target, value),
        };
        self.keep(written);
    }

    pub(super) fn print(&mut self) {
        let Some((x, _)) = self.find_typed(|_| true) else { return };
        let data: Vec<Tensor> = (0..2).filter_map(|_| self.find(|_| true)).collect();
        let first_n = self.rng.random_bool(0.3).then_some(2);
        let message = format!("{}: ", data.len());
        let options = PrintOptions { message: &message, first_n, ..PrintOptions::default() };
        self.keep(print_with(x, data, options));
    }

    /// Adds an assertion that holds, or one that may not.
    pub(super) fn assert(&mut self) {
        let Some((x, fact)) = self.find_typed(|_| true) else { return };
        if fact.dtype.is_float() && self.rng.random_bool(0.3) {
            return self.keep(check_numerics(x, "checked"));
        }
        let is_truth = |dtype: DType| dtype == DType::Bool;
        let doubtful = self.find(|fact| is_truth(fact.dtype) && fact.shape.rank() == Some(0));
        let condition = match doubtful {
            Some(condition) if self.rng.random_bool(0.3) => condition,
            _ => equal(size(x), size(x)),
        };
        assert(condition, [x]);
    }

    pub(super) fn random(&mut self) {
        let shape = random_shape(&mut self.rng);
        let seed = self.rng.random_bool(0.5).then(|| self.rng.random_range(0..3));
        let drawn = match self.rng.random_range(0..4) {
            0 => random_integers(shape, -2_i32, 3, seed),
            1 => {
                let uniform = Distribution::Uniform { min: -1.0, max: 1.0 };
                random(uniform, shape, DType::F64, seed)
            }
            2 => {
                let truncated = Distribution::TruncatedNormal { mean: 0.0, stddev: 1.0 };
                random(truncated, shape, DType::F32, seed)
            }
            _ => {
                let normal = Distribution::Normal { mean: 0.5, stddev: 2.0 };
                random(normal, shape, DType::F32, seed)
            }
        };
        self.keep(drawn);
    }

    pub(super) fn group(&mut self) {
        let operations = default_graph().operations();
        if operations.is_empty() || self.rng.random_bool(0.2) {
            no_op();
            return;
        }
        let chosen: Vec<Operation> =
            (0..self.rng.random_range(1..=3)).map(|_| pick(&operations, &mut self.rng)).collect();
        group(chosen);
    }

    pub(super) fn gradients(&mut self) {
        let Some((y, _)) = self.find_typed(DType::is_float) else { return };
        let xs: Vec<Tensor> =
            (0..2).filter_map(|_| self.find(|fact| fact.dtype.is_float())).collect();
        gradients([y], xs).into_iter().flatten().for_each(|gradient| self.keep(gradient));
    }

    pub(super) fn train(&mut self) {
        let Some((y, _)) = self.find_typed(DType::is_float) else { return };
        GradientDescent::new(0.1).minimize(reduce_sum(y, ..));
    }
}
