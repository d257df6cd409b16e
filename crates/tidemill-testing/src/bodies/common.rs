use tidemill_autodiff::{GradientOptions, gradients_with};
use tidemill_graph::TensorRef;
use tidemill_ops::{
    Tensor, add, add_n, cast, constant, equal, floor_mod, gather, greater, identity, less, matmul,
    mul, neg, reduce_sum, select, sigmoid, sin, softplus, square, stack, stop_gradient, sub, tanh,
};
use tidemill_value::{DType, Shape, Value};

use super::program::{Binary, Id, Operation, Program, Unary};

/// The result of an operation without bodies that has one result.
///
/// # Panics
/// If the operation has bodies or several results.
pub(super) fn compute(operation: &Operation, operands: &[Tensor]) -> Tensor {
    let x = |i: usize| operands[i];
    match operation {
        Operation::Literal(value) => constant(value),
        Operation::Unary(function) => unary(*function, x(0)),
        Operation::Binary(function) => binary(*function, x(0), x(1)),
        Operation::Matmul => matmul(x(0), x(1)),
        Operation::SumAll => reduce_sum(x(0), ..),
        Operation::SumRows => reduce_sum(x(0), 0),
        Operation::Stack => stack([x(0), x(1)], 0),
        Operation::Row { rows } => gather(x(0), floor_mod(x(1), *rows), 0),
        Operation::Select => select(x(0), x(1), x(2)),
        Operation::Cast => cast(x(0), DType::F64),
        Operation::Affine { factor, term, modulus } => floor_mod(x(0) * *factor + *term, *modulus),
        Operation::SumInts { modulus } => floor_mod(x(0) + x(1), *modulus),
        Operation::Less(limit) => less(x(0), *limit),
        Operation::Even => equal(floor_mod(x(0), 2), 0),
        Operation::Positive => greater(reduce_sum(x(0), ..), 0.0),
        other => panic!("{other:?} is no operation of one result"),
    }
}

fn unary(function: Unary, x: Tensor) -> Tensor {
    match function {
        Unary::Tanh => tanh(x),
        Unary::Sin => sin(x),
        Unary::Sigmoid => sigmoid(x),
        Unary::Softplus => softplus(x),
        Unary::Square => square(x),
        Unary::Neg => neg(x),
        Unary::Identity => identity(x),
        Unary::Stop => stop_gradient(x),
    }
}

fn binary(function: Binary, x: Tensor, y: Tensor) -> Tensor {
    match function {
        Binary::Add => add(x, y),
        Binary::Sub => sub(x, y),
        Binary::Mul => mul(x, y),
        Binary::Quotient => x / (square(y) + 1.0),
    }
}

/// The loss of a program and its gradients with respect to `Program::by`.
#[derive(Clone, Debug)]
pub(super) struct Derivatives {
    pub(super) loss: Tensor,
    pub(super) first: Vec<Option<Tensor>>,
    /// A weighted sum of the first gradients, with its gradients.
    pub(super) second: Option<(Tensor, Vec<Option<Tensor>>)>,
}

/// Differentiates the loss of a program. `tensor` returns the tensor of an id, `x` the handle to
/// differentiate by. `counts` selects the gradients that second-order gradients are taken of.
pub(super) fn differentiate(
    program: &Program,
    tensor: impl Fn(Id) -> Tensor,
    x: impl Fn(Id) -> TensorRef,
    counts: impl Fn(usize, &Option<Tensor>) -> bool,
) -> Derivatives {
    let slots = program.slots();
    let shape = |id: &Id| slots[id].shape().cloned().unwrap_or_else(Shape::scalar);
    let results = program.main.results.iter().map(|id| (tensor(*id), shape(id)));
    let loss = weighted_sum(results.collect());
    let xs: Vec<TensorRef> = program.by.iter().map(|id| x(*id)).collect();
    let stops: Vec<Tensor> = program.stops.iter().map(|id| tensor(*id)).collect();
    let gradients = |y: Tensor| {
        let options =
            GradientOptions { stop_gradients: stops.clone(), ..GradientOptions::default() };
        gradients_with([y], xs.iter().copied(), options)
    };
    let first = gradients(loss);
    let again: Vec<(Tensor, Shape)> = (0..first.len())
        .filter(|&i| counts(i, &first[i]))
        .filter_map(|i| Some((first[i]?, shape(&program.by[i]))))
        .collect();
    let second = (program.twice && !again.is_empty()).then(|| {
        let sum = weighted_sum(again);
        (sum, gradients(sum))
    });
    Derivatives { loss, first, second }
}

fn weighted_sum(tensors: Vec<(Tensor, Shape)>) -> Tensor {
    let weighted = |(i, (tensor, shape)): (usize, &(Tensor, Shape))| {
        reduce_sum(*tensor * constant(weights(shape, i as f64)), ..)
    };
    add_n(tensors.iter().enumerate().map(weighted))
}

/// Distinct numbers between -1 and 1.
pub(super) fn weights(shape: &Shape, seed: f64) -> Value {
    let count = shape.iter().product::<usize>();
    let numbers = (0..count).map(|i| (1.0 + 1.7 * i as f64 + 2.3 * seed).cos()).collect();
    Value::from_vec(shape.clone(), numbers).expect("there are as many numbers as elements")
}
