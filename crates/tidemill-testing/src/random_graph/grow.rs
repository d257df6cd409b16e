use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use tidemill_graph::{Fact, Graph, NodeBuilder, Role, control_dependencies, default_graph};
use tidemill_ops::{
    Inspect, Operation, Tensor, Variable, abs, add, cast, ceil, constant, cos, equal, exp, floor,
    floor_div, floor_mod, global_variables_initializer, greater, greater_equal, identity, is_nan,
    less, less_equal, log, logical_and, logical_not, logical_or, maximum, minimum, mul, neg,
    not_equal, placeholder_of, placeholder_with_default, pow, reciprocal, relu, rint, select,
    sigmoid, sign, softplus, sqrt, square, squared_difference, stop_gradient, sub, tanh,
};
use tidemill_value::DType;

use super::random_values::{forget, pick, random_dtype, random_shape, random_value};
use super::runs::is_valid;

/// Adds random nodes to the default graph.
pub(super) struct Grower {
    pub(super) rng: Xoshiro256PlusPlus,
    graph: Graph,
    /// The tensors to build others from.
    tensors: Vec<(Tensor, Fact)>,
    pub(super) variables: Vec<Variable>,
}

type Step = fn(&mut Grower);

/// The kinds of steps, and their weights.
const STEPS: &[(u32, Step)] = &[
    (6, Grower::constant),
    (5, Grower::placeholder),
    (8, Grower::unary),
    (10, Grower::binary),
    (4, Grower::with_number),
    (4, Grower::comparison),
    (3, Grower::logic),
    (3, Grower::twice),
    (8, Grower::pattern),
    (3, Grower::select),
    (3, Grower::cast),
    (4, Grower::pass_on),
    (4, Grower::again),
    (2, Grower::matmul),
    (2, Grower::layers),
    (5, Grower::reduce),
    (4, Grower::reshape),
    (3, Grower::transpose),
    (3, Grower::rearrange),
    (3, Grower::of_shape),
    (2, Grower::gather),
    (5, Grower::variable),
    (7, Grower::write),
    (3, Grower::read),
    (3, Grower::print),
    (3, Grower::assert),
    (3, Grower::random),
    (2, Grower::group),
    (1, Grower::gradients),
    (1, Grower::train),
];

impl Grower {
    pub(super) fn new(rng: Xoshiro256PlusPlus) -> Self {
        Grower { rng, graph: default_graph(), tensors: Vec::new(), variables: Vec::new() }
    }

    /// Adds something, perhaps with control dependencies.
    pub(super) fn step(&mut self) {
        let total = STEPS.iter().map(|(weight, _)| weight).sum();
        let mut left = self.rng.random_range(0..total);
        let chosen = STEPS.iter().find(|(weight, _)| match left.checked_sub(*weight) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        });
        let Some((_, step)) = chosen else { return };
        let controls = self.controls();
        match controls.is_empty() {
            true => step(self),
            false => control_dependencies(controls, || step(self)),
        }
    }

    /// Adds the initialization of the variables.
    pub(super) fn finish(self) {
        if !self.variables.is_empty() {
            global_variables_initializer();
        }
    }

    /// The nodes that the next ones run after: mostly none.
    fn controls(&mut self) -> Vec<Operation> {
        let operations = self.graph.operations();
        if operations.is_empty() || self.rng.random_bool(0.7) {
            return Vec::new();
        }
        (0..self.rng.random_range(1..=3)).map(|_| pick(&operations, &mut self.rng)).collect()
    }

    /// Keeps a tensor as a possible input of others.
    pub(super) fn keep(&mut self, tensor: Tensor) {
        if let (true, Some(fact)) = (is_valid(tensor), tensor.fact()) {
            self.tensors.push((tensor, fact));
        }
    }

    /// A tensor that `admits`, with a preference for late ones.
    pub(super) fn find(&mut self, admits: impl Fn(&Fact) -> bool) -> Option<Tensor> {
        let fitting = self.tensors.iter().filter(|(_, fact)| admits(fact));
        let fitting: Vec<Tensor> = fitting.map(|(tensor, _)| *tensor).collect();
        if fitting.is_empty() {
            return None;
        }
        let last = fitting.len();
        let index = self.rng.random_range(0..last).max(self.rng.random_range(0..last));
        Some(fitting[index])
    }

    pub(super) fn find_typed(&mut self, is_right: fn(DType) -> bool) -> Option<(Tensor, Fact)> {
        let tensor = self.find(|fact| is_right(fact.dtype))?;
        Some((tensor, tensor.fact()?))
    }

    /// A tensor of the type of `fact` whose shape broadcasts with that of `fact`.
    fn find_beside(&mut self, fact: &Fact) -> Option<Tensor> {
        self.find(|other| other.dtype == fact.dtype && other.shape.broadcast(&fact.shape).is_ok())
    }

    fn constant(&mut self) {
        let (dtype, shape) = (random_dtype(&mut self.rng), random_shape(&mut self.rng));
        let value = random_value(dtype, &shape, &mut self.rng);
        self.keep(constant(value));
    }

    fn placeholder(&mut self) {
        let (dtype, shape) = (random_dtype(&mut self.rng), random_shape(&mut self.rng));
        let shape = forget(&shape, &mut self.rng);
        self.keep(placeholder_of(dtype, shape));
    }

    fn unary(&mut self) {
        const OF_FLOATS: &[fn(Tensor) -> Tensor] = &[
            |x| exp(x),
            |x| log(x),
            |x| sqrt(x),
            |x| cos(x),
            |x| tanh(x),
            |x| sigmoid(x),
            |x| softplus(x),
            |x| reciprocal(x),
            |x| floor(x),
            |x| ceil(x),
            |x| rint(x),
            |x| is_nan(x),
        ];
        let Some((x, fact)) = self.find_typed(|_| true) else { return };
        let y = match fact.dtype {
            DType::Bool => logical_not(x),
            DType::F32 | DType::F64 if self.rng.random_bool(0.5) => {
                pick(OF_FLOATS, &mut self.rng)(x)
            }
            _ => self.exact_unary()(x),
        };
        self.keep(y);
    }

    /// A numeric function that has rewriting rules.
    fn exact_unary(&mut self) -> fn(Tensor) -> Tensor {
        pick(&[|x| neg(x), |x| abs(x), |x| square(x), |x| relu(x), |x| sign(x)], &mut self.rng)
    }

    fn twice(&mut self) {
        let Some((x, fact)) = self.find_typed(|_| true) else { return };
        let rounding: &[fn(Tensor) -> Tensor] =
            &[|x| floor(floor(x)), |x| ceil(ceil(x)), |x| rint(rint(x))];
        let y = match fact.dtype {
            DType::Bool => logical_not(logical_not(x)),
            DType::F32 | DType::F64 if self.rng.random_bool(0.3) => {
                pick(rounding, &mut self.rng)(x)
            }
            _ => {
                let (inner, outer) = (self.exact_unary(), self.exact_unary());
                outer(inner(x))
            }
        };
        self.keep(y);
    }

    fn binary(&mut self) {
        const OF_NUMBERS: &[fn(Tensor, Tensor) -> Tensor] = &[
            |x, y| add(x, y),
            |x, y| sub(x, y),
            |x, y| mul(x, y),
            |x, y| maximum(x, y),
            |x, y| minimum(x, y),
            |x, y| squared_difference(x, y),
            |x, y| floor_div(x, y),
            |x, y| floor_mod(x, y),
            |x, y| pow(x, y),
        ];
        let Some((x, fact)) = self.find_typed(|dtype| dtype != DType::Bool) else { return };
        let Some(y) = self.find_beside(&fact) else { return };
        let function = pick(OF_NUMBERS, &mut self.rng);
        let is_quotient = fact.dtype.is_float() && self.rng.random_bool(0.2);
        self.keep(if is_quotient { x / y } else { function(x, y) });
    }

    /// Combines a tensor with a number, often a neutral one.
    fn with_number(&mut self) {
        let Some((x, fact)) = self.find_typed(|_| true) else { return };
        let number = pick(&[0, 1, 1, 0, 2], &mut self.rng);
        let y = match fact.dtype {
            DType::Bool => match self.rng.random_range(0..4) {
                0 => logical_and(x, number == 1),
                1 => logical_or(x, number == 1),
                2 => tidemill_ops::Operand::from(number == 1).to_tensor() & x,
                _ => tidemill_ops::Operand::from(number == 1).to_tensor() | x,
            },
            DType::F32 | DType::F64 => match self.rng.random_range(0..6) {
                0 => x / f64::from(number),
                1 => x + -0.0,
                2 => -0.0 + x,
                3 => x - f64::from(number),
                4 => f64::from(number) * x,
                _ => x + f64::from(number),
            },
            _ => match self.rng.random_range(0..6) {
                0 => floor_div(x, number),
                1 => x + number,
                2 => i64::from(number) + x,
                3 => x - number,
                4 => i64::from(number) * x,
                _ => floor_mod(x, number),
            },
        };
        self.keep(y);
    }

    fn comparison(&mut self) {
        const COMPARISONS: &[fn(Tensor, Tensor) -> Tensor] = &[
            |x, y| equal(x, y),
            |x, y| not_equal(x, y),
            |x, y| less(x, y),
            |x, y| less_equal(x, y),
            |x, y| greater(x, y),
            |x, y| greater_equal(x, y),
        ];
        let Some((x, fact)) = self.find_typed(|dtype| dtype != DType::Bool) else { return };
        let Some(y) = self.find_beside(&fact) else { return };
        let compare = pick(COMPARISONS, &mut self.rng);
        self.keep(compare(x, y));
    }

    fn logic(&mut self) {
        let Some((x, fact)) = self.find_typed(|dtype| dtype == DType::Bool) else { return };
        let Some(y) = self.find_beside(&fact) else { return };
        let is_and = self.rng.random_bool(0.5);
        self.keep(if is_and { logical_and(x, y) } else { logical_or(x, y) });
    }

    fn select(&mut self) {
        let Some((x, fact)) = self.find_typed(|_| true) else { return };
        let Some(y) = self.find_beside(&fact) else { return };
        let condition = self.find(|condition| {
            condition.dtype == DType::Bool && condition.shape.broadcast(&fact.shape).is_ok()
        });
        if let Some(condition) = condition {
            self.keep(select(condition, x, y));
        }
    }

    fn cast(&mut self) {
        let Some((x, _)) = self.find_typed(|_| true) else { return };
        let dtype = random_dtype(&mut self.rng);
        self.keep(cast(x, dtype));
    }

    /// Adds a node whose value is that of another one.
    fn pass_on(&mut self) {
        let Some((x, fact)) = self.find_typed(|_| true) else { return };
        let y = match self.rng.random_range(0..4) {
            0 => stop_gradient(x),
            1 => placeholder_with_default(x, fact.shape),
            2 => match fact.shape.known() {
                Some(shape) => placeholder_with_default(x, forget(&shape, &mut self.rng)),
                None => placeholder_with_default(x, random_shape(&mut self.rng)),
            },
            _ => identity(x),
        };
        self.keep(y);
    }

    /// Adds a node of the same type, attributes and inputs as another one.
    fn again(&mut self) {
        let operations = self.graph.operations();
        if operations.is_empty() {
            return;
        }
        let original = pick(&operations, &mut self.rng);
        let node = match tidemill_graph::OperationRef::from(original).referent() {
            tidemill_graph::Referent::Node(id) => self.graph.read().node(id).clone(),
            tidemill_graph::Referent::Poison(_) => return,
        };
        // The handle would be one of the same variable.
        if node.outputs.iter().any(|fact| fact.role == Role::Handle) {
            return;
        }
        let inputs: Vec<_> = original.inputs().into_iter().map(Into::into).collect();
        let copy = Operation::from(NodeBuilder::like(&node, &inputs).build());
        copy.outputs().into_iter().for_each(|output| self.keep(output));
    }
}
