use rand::RngExt;
use tidemill_ops::ops::matmul::MatMul;
use tidemill_ops::{
    Axes, Tensor, arg_max, broadcast_to, concat, expand_dims, fill, gather, matmul_with, ones_like,
    rank, reduce_all, reduce_any, reduce_max, reduce_mean, reduce_min, reduce_sum, reshape, shape,
    size, squeeze, stack, transpose, zeros_like,
};
use tidemill_value::DType;

use super::grow::Grower;
use super::random_values::{pick, random_shape};

/// Steps that depend on the shapes of tensors.
impl Grower {
    pub(super) fn matmul(&mut self) {
        let is_matrix = |dtype: DType, rank: Option<usize>| {
            matches!(dtype, DType::F32 | DType::F64 | DType::I32) && rank == Some(2)
        };
        let Some(a) = self.find(|fact| is_matrix(fact.dtype, fact.shape.rank())) else { return };
        let dtype = a.dtype();
        let options = MatMul {
            transpose_a: self.rng.random_bool(0.3),
            transpose_b: self.rng.random_bool(0.3),
        };
        let a_shape = a.shape();
        let inner = a_shape.dims().map(|dims| dims[usize::from(!options.transpose_a)]);
        let b = self.find(|fact| {
            let dims = fact.shape.dims().filter(|dims| dims.len() == 2);
            let rows = dims.map(|dims| dims[usize::from(options.transpose_b)]);
            Some(fact.dtype) == dtype && rows.zip(inner).is_some_and(|(l, r)| l.merge(r).is_ok())
        });
        if let Some(b) = b {
            self.keep(matmul_with(a, b, options));
        }
    }

    pub(super) fn reduce(&mut self) {
        const REDUCTIONS: &[fn(Tensor, Axes) -> Tensor] = &[
            |x, axes| reduce_sum(x, axes),
            |x, axes| reduce_mean(x, axes),
            |x, axes| reduce_max(x, axes),
            |x, axes| reduce_min(x, axes),
        ];
        let Some((x, fact)) = self.find_typed(|_| true) else { return };
        let rank = fact.shape.rank().unwrap_or(0) as i64;
        if rank > 0 && fact.dtype != DType::Bool && self.rng.random_bool(0.2) {
            let axis = self.rng.random_range(-rank..rank) as i32;
            return self.keep(arg_max(x, axis));
        }
        let axes = match self.rng.random_bool(0.3) {
            true => Axes::from(..),
            false => {
                let chosen: Vec<i64> = (0..rank).filter(|_| self.rng.random_bool(0.5)).collect();
                Axes::from(chosen.as_slice())
            }
        };
        let axes = if self.rng.random_bool(0.3) { axes.keep_dims() } else { axes };
        let reduced = match (fact.dtype, self.rng.random_bool(0.5)) {
            (DType::Bool, true) => reduce_all(x, axes),
            (DType::Bool, false) => reduce_any(x, axes),
            _ => pick(REDUCTIONS, &mut self.rng)(x, axes),
        };
        self.keep(reduced);
    }

    pub(super) fn reshape(&mut self) {
        let Some((x, fact)) = self.find_typed(|_| true) else { return };
        let like = self.find(|other| {
            other.shape.elements().zip(fact.shape.elements()).is_none_or(|(l, r)| l == r)
        });
        let dims: Option<Vec<i32>> =
            fact.shape.known().map(|shape| shape.iter().map(|&dim| dim as i32).collect());
        let y = match (self.rng.random_range(0..5), dims, like) {
            (0, Some(dims), _) => reshape(x, dims),
            (1, Some(dims), _) => reshape(x, dims.into_iter().rev().collect::<Vec<_>>()),
            (2, _, _) => reshape(reshape(x, [-1]), [1, -1]),
            (3, _, Some(like)) => match self.rng.random_range(0..3) {
                0 => reshape(x, shape(like) * 1),
                1 => reshape(x, stack([size(like)], 0)),
                _ => reshape(x, shape(like)),
            },
            _ => reshape(x, [-1]),
        };
        self.keep(y);
    }

    pub(super) fn transpose(&mut self) {
        let Some((x, fact)) = self.find_typed(|_| true) else { return };
        let mut permutation: Vec<i32> = (0..fact.shape.rank().unwrap_or(2) as i32).collect();
        for i in (1..permutation.len()).rev() {
            permutation.swap(i, self.rng.random_range(0..=i));
        }
        let twice = self.rng.random_bool(0.3);
        let y = transpose(x, &permutation);
        self.keep(if twice { transpose(y, &permutation) } else { y });
    }

    pub(super) fn rearrange(&mut self) {
        let Some((x, fact)) = self.find_typed(|_| true) else { return };
        let rank = fact.shape.rank().unwrap_or(1) as i32;
        let like = self.find(|other| {
            other.dtype == fact.dtype
                && other.shape.merge(&fact.shape).is_ok()
                && other.shape.rank().is_some()
        });
        let y = match self.rng.random_range(0..6) {
            0 => expand_dims(x, self.rng.random_range(-rank - 1..=rank)),
            1 => squeeze(expand_dims(x, 0), &[0]),
            2 => squeeze(x, &[]),
            3 => {
                let known = fact.shape.known().unwrap_or_default();
                let wider: Vec<i32> =
                    [2].into_iter().chain(known.iter().map(|&d| d as i32)).collect();
                broadcast_to(x, wider)
            }
            4 => stack([x, like.unwrap_or(x)], 0),
            _ => concat([x, like.unwrap_or(x)], rank - 1),
        };
        self.keep(y);
    }

    pub(super) fn of_shape(&mut self) {
        let Some((x, _)) = self.find_typed(|_| true) else { return };
        let like = self.find(|_| true).unwrap_or(x);
        let y = match self.rng.random_range(0..6) {
            0 => shape(x),
            1 => size(x),
            2 => rank(x),
            3 => zeros_like(x),
            4 => match self.rng.random_bool(0.5) {
                true => broadcast_to(x, shape(like)),
                false => broadcast_to(x, shape(like) + 0),
            },
            _ => ones_like(x),
        };
        self.keep(y);
    }

    /// Adds nodes that can fail because of values: indices out of range.
    pub(super) fn gather(&mut self) {
        let is_list = |dtype: DType| DType::INDICES.contains(&dtype);
        let Some((indices, _)) = self.find_typed(is_list) else { return };
        let Some((x, fact)) = self.find_typed(|_| true) else { return };
        match fact.shape.rank() {
            Some(0) => {
                let shape = random_shape(&mut self.rng);
                self.keep(fill(shape, x));
            }
            _ => self.keep(gather(x, indices, 0)),
        }
    }
}
