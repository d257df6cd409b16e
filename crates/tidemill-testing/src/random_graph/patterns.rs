use tidemill_graph::Fact;
use tidemill_ops::{
    Operand, Tensor, abs, add_n, broadcast_to, cast, ceil, constant, floor, floor_div, identity,
    logical_and, logical_not, logical_or, neg, ones_like, placeholder_with_default,
    prevent_gradient, rank, relu, reshape, rint, select, shape, size, square, stop_gradient,
    transpose, zeros_like,
};
use tidemill_value::DType;

use super::grow::Grower;
use super::random_values::pick;

/// The tensors that a pattern takes, and how it is made of one.
type Pattern = (fn(&Fact) -> bool, fn(Tensor) -> Tensor);

/// The left sides of rewriting rules.
const PATTERNS: &[Pattern] = &[
    (any, |x| identity(x)),
    (any, |x| stop_gradient(x)),
    (any, |x| prevent_gradient(x, "as a pattern")),
    (any, |x| placeholder_with_default(x, x.shape())),
    (any, |x| shape(x)),
    (any, |x| size(x)),
    (any, |x| rank(x)),
    (any, |x| zeros_like(x)),
    (any, |x| ones_like(x)),
    (any, |x| cast(x, x.dtype().unwrap_or(DType::F32))),
    (any, |x| reshape(x, shape(x))),
    (any, |x| reshape(reshape(x, [-1]), [1, -1])),
    (any, |x| broadcast_to(x, shape(x))),
    (is_matrix, |x| transpose(x, &[0, 1])),
    (is_matrix, |x| transpose(transpose(x, &[1, 0]), &[1, 0])),
    (any, |x| select(constant(true), x, zeros_like(x))),
    (any, |x| select(constant(false), zeros_like(x), x)),
    (is_number, |x| x * 1),
    (is_number, |x| 1 * x),
    (is_float, |x| x / 1.0),
    (is_integer, |x| floor_div(x, 1)),
    (is_float, |x| x + -0.0),
    (is_float, |x| -0.0 + x),
    (is_integer, |x| x + 0),
    (is_integer, |x| 0 + x),
    (is_number, |x| x - 0),
    (is_number, |x| neg(neg(x))),
    (is_number, |x| abs(abs(x))),
    (is_number, |x| abs(neg(x))),
    (is_number, |x| square(neg(x))),
    (is_number, |x| square(abs(x))),
    (is_number, |x| relu(relu(x))),
    (is_number, |x| add_n([x])),
    (is_float, |x| floor(floor(x))),
    (is_float, |x| ceil(ceil(x))),
    (is_float, |x| rint(rint(x))),
    (is_truth, |x| logical_not(logical_not(x))),
    (is_truth, |x| logical_and(x, true)),
    (is_truth, |x| Operand::from(true).to_tensor() & x),
    (is_truth, |x| logical_or(x, false)),
    (is_truth, |x| Operand::from(false).to_tensor() | x),
];

fn any(_: &Fact) -> bool {
    true
}

fn is_number(fact: &Fact) -> bool {
    fact.dtype != DType::Bool
}

fn is_float(fact: &Fact) -> bool {
    fact.dtype.is_float()
}

fn is_integer(fact: &Fact) -> bool {
    fact.dtype.is_integer()
}

fn is_truth(fact: &Fact) -> bool {
    fact.dtype == DType::Bool
}

fn is_matrix(fact: &Fact) -> bool {
    fact.shape.rank() == Some(2)
}

impl Grower {
    /// Adds something that a rewriting rule simplifies, at least for some shapes.
    pub(super) fn pattern(&mut self) {
        let (admits, pattern) = pick(PATTERNS, &mut self.rng);
        if let Some(x) = self.find(admits) {
            self.keep(pattern(x));
        }
    }
}
