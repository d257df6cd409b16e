use rand::RngExt;
use tidemill_ops::ops::matmul::MatMul;
use tidemill_ops::{
    Tensor, add_n, bias_add, broadcast_to, constant, matmul_with, reduce_mean, relu, reshape, tanh,
};
use tidemill_value::DType;

use super::grow::Grower;
use super::random_values::random_value;

/// Products with functions after them.
impl Grower {
    /// Adds the layers of a network, one of which may use the weights of the other.
    pub(super) fn layers(&mut self) {
        let Some((x, fact)) = self.find_typed(DType::is_float) else { return };
        if !matches!(fact.dtype, DType::F32 | DType::F64) {
            return;
        }
        let mut extent = |large: std::ops::Range<usize>| match self.rng.random_bool(0.2) {
            true => self.rng.random_range(1..5),
            false => self.rng.random_range(large),
        };
        let [rows, inner, columns] = [extent(30..60), extent(16..30), extent(30..70)];
        let input = broadcast_to(reshape(reduce_mean(x, ..), [1, 1]), [rows, inner]);
        let input = input * constant(random_value(fact.dtype, &[rows, inner], &mut self.rng));
        let transpose_b = self.rng.random_bool(0.3);
        let shape = if transpose_b { [columns, inner] } else { [inner, columns] };
        let weights = constant(random_value(fact.dtype, &shape, &mut self.rng));
        let weights = match self.rng.random_bool(0.5) {
            true => weights,
            // Not a constant.
            false => weights * reduce_mean(x, ..),
        };
        let mut products = Vec::new();
        for _ in 0..self.rng.random_range(1..=3) {
            let options = MatMul { transpose_a: false, transpose_b };
            let mut y = matmul_with(input, weights, options);
            for _ in 0..self.rng.random_range(0..3) {
                y = self.follow(y, fact.dtype, [rows, columns]);
            }
            products.push(y);
        }
        match self.rng.random_bool(0.5) {
            true => self.keep(add_n(products)),
            false => products.into_iter().for_each(|product| self.keep(product)),
        }
    }

    /// A function of a product.
    fn follow(&mut self, y: Tensor, dtype: DType, [rows, columns]: [usize; 2]) -> Tensor {
        let shapes = [vec![], vec![columns], vec![1, columns], vec![rows, 1]];
        let shape = &shapes[self.rng.random_range(0..shapes.len())];
        let other = constant(random_value(dtype, shape, &mut self.rng));
        let like = self.find(|fact| {
            fact.dtype == dtype && fact.shape.known().is_some_and(|s| s[..] == [rows, columns])
        });
        match (self.rng.random_range(0..8), like) {
            (0, _) => relu(y),
            (1, _) => tanh(y),
            (2 | 3, _) => bias_add(y, constant(random_value(dtype, &[columns], &mut self.rng))),
            (4, Some(like)) => y + like,
            (5, Some(like)) => like - y,
            (4, None) => y * y,
            (6, _) => other - y,
            _ => y * other,
        }
    }
}
