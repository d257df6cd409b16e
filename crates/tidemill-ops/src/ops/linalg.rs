//! Factorisations, solutions, inverses and determinants of matrices.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, Fallible, GradCx, GradientError, Grads, Inferred, NodeBuilder, NodeView, OpDef,
    OpError, Sample,
};
use tidemill_kernels::linalg as kernels;
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::array::{expand_dims, gather, range, rank, shape, zeros_like};
use super::batch::{matrices, matrix_transpose, sum_stretched, with_matrix};
use super::batch_matmul::{BatchMatMul, batch_matmul, batch_matmul_with};
use super::cast::cast;
use super::compare::{equal, greater_equal, less_equal};
use super::math::neg;
use super::select::select;
use crate::family::{FLOATS, grads};
use crate::kernel::{kernel, map_kernel};
use crate::operand::{tensor, unary};
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    ops:
        CHOLESKY, CROSS, LOG_MATRIX_DETERMINANT, MATRIX_DETERMINANT, MATRIX_INVERSE, MATRIX_SOLVE,
        MATRIX_TRIANGULAR_SOLVE;
    exports:
        TriangularSolve, cholesky, cross, log_matrix_determinant, matrix_determinant,
        matrix_inverse, matrix_solve, triangular_solve;
}

/// The axes before square matrices, and their extent; `None` if the rank is unknown.
fn square<'a>(node: &'a NodeView<'_>) -> Result<Option<(&'a [Dim], Dim)>, OpError> {
    let Some((batch, [rows, columns])) = matrices(node, 0)? else { return Ok(None) };
    match rows.merge(columns) {
        Ok(extent) => Ok(Some((batch, extent))),
        Err(_) => Err(OpError::shape(
            node.op().inputs[0].name,
            format!(
                "`{}` must hold square matrices, but its shape is {}",
                node.op().inputs[0].name,
                node.shape(0)
            ),
        )),
    }
}

fn infer_square(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    Inferred::one(match square(node)? {
        Some((batch, extent)) => with_matrix(&batch.into(), [extent, extent]),
        None => PartialShape::unknown(),
    })
}

/// The shape of one number for each matrix.
fn infer_batch(node: &NodeView<'_>) -> Result<PartialShape, OpError> {
    Ok(square(node)?.map_or(PartialShape::unknown(), |(batch, _)| batch.into()))
}

/// Matrices of two rows.
fn pairs(elements: impl Into<Vec<f32>>) -> Vec<Value> {
    let elements = elements.into();
    let shape: &[usize] = if elements.len() == 4 { &[2, 2] } else { &[elements.len() / 4, 2, 2] };
    Value::from_vec(shape, elements).into_iter().collect()
}

/// The sample of a function of square matrices, from two of them and the results of both.
fn square_samples(x: [f32; 8], y: [f32; 8], wrong: Sample) -> Vec<Sample> {
    let (x, y) = (pairs(x), pairs(y));
    let wide = Value::zeros(DType::F32, [2, 3]);
    let empty = Value::zeros(DType::F32, [3, 0, 0]);
    let samples = x.into_iter().zip(y).map(|(x, y)| Sample::new([x], y));
    let wide = wide.into_iter().map(|wide| Sample::error([wide], "square matrices"));
    let empty = empty.into_iter().map(|empty| Sample::new([empty.clone()], empty));
    samples.chain(wide).chain(empty).chain([wrong]).collect()
}

/// The lower triangular factors of positive definite matrices.
pub static CHOLESKY: OpDef =
    OpDef::new("Cholesky", "The lower triangular factors of positive definite matrices.")
        .inputs(&[Arg::of("input", "T")])
        .outputs(&[Arg::of("output", "T")])
        .attrs(FLOATS)
        .fallible(Fallible::Values)
        .infer(infer_square)
        .gradient(cholesky_gradient)
        .kernel(|_| Ok(map_kernel(kernels::cholesky)))
        .samples(|| {
            let indefinite = pairs([1.0, 2.0, 2.0, 1.0]).into_iter();
            let wrong = indefinite.map(|x| Sample::error([x], "matrix 0 is not positive definite"));
            let x = [4.0, 2.0, 2.0, 5.0, 1.0, 0.5, 0.5, 2.5];
            let y = [2.0, 0.0, 1.0, 2.0, 1.0, 0.0, 0.5, 1.5];
            let samples = wrong.flat_map(|wrong| square_samples(x, y, wrong));
            // The gradient is symmetric, but finite differences in the upper triangle are 0.
            samples.map(Sample::at_kink).collect()
        });

/// The gradient of a factorisation, by way of the inverse of the factor (Murray, 2016).
fn cholesky_gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let (factor, grad): (Tensor, Tensor) = (cx.output(0), cx.grad());
    let (row, column) = positions(factor);
    let identity = cast(equal(row, column), cx.node().dtype(0));
    let inverse = triangular_solve(factor, identity, TriangularSolve::default());
    let first_transposed = BatchMatMul { adj_x: true, adj_y: false };
    let middle = batch_matmul_with(factor, grad, first_transposed);
    let middle = select(greater_equal(row, column), middle, zeros_like(middle));
    let middle = middle * (1.0 - identity * 0.5);
    let of_lower = batch_matmul(batch_matmul_with(inverse, middle, first_transposed), inverse);
    Ok(grads([Some((of_lower + matrix_transpose(of_lower)) * 0.5)]))
}

/// The positions in square matrices: row numbers as a column, column numbers as a row.
fn positions(matrices: Tensor) -> (Tensor, Tensor) {
    let numbers = range(0, gather(shape(matrices), rank(matrices) - 1, 0), 1);
    (expand_dims(numbers, 1), expand_dims(numbers, 0))
}

const ADJOINT: &[AttrDef] =
    &[AttrDef::bool("adjoint", false), AttrDef::widened("T", DType::FLOATS)];

/// The inverses of matrices.
pub static MATRIX_INVERSE: OpDef = OpDef::new("MatrixInverse", "The inverses of matrices.")
    .inputs(&[Arg::of("input", "T")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(ADJOINT)
    .fallible(Fallible::Values)
    .infer(infer_square)
    .gradient(|cx| {
        let (inverse, grad): (Tensor, Tensor) = (cx.output(0), cx.grad());
        let adjoint = cx.node().bool_attr("adjoint")?;
        let product = |x, adj_x, y, adj_y| batch_matmul_with(x, y, BatchMatMul { adj_x, adj_y });
        let of_input = if adjoint {
            product(product(inverse, false, grad, true), false, inverse, false)
        } else {
            product(inverse, true, product(grad, false, inverse, true), false)
        };
        Ok(grads([Some(neg(of_input))]))
    })
    .kernel(|node| {
        let adjoint = node.bool_attr("adjoint")?;
        Ok(map_kernel(move |memory, x| kernels::inverse(memory, x, adjoint)))
    })
    .samples(|| {
        let x = [1.0, 2.0, 3.0, 4.0, 0.0, 2.0, 1.0, 3.0];
        let y = [-2.0, 1.0, 1.5, -0.5, -1.5, 1.0, 0.5, 0.0];
        let transposed = [-2.0, 1.5, 1.0, -0.5, -1.5, 0.5, 1.0, 0.0];
        let adjoint = pairs(x).into_iter().zip(pairs(transposed));
        let adjoint = adjoint.map(|(x, y)| Sample::new([x], y).attr("adjoint", true));
        let singular = pairs([1.0, 2.0, 2.0, 4.0]).into_iter();
        let wrong = singular.map(|x| Sample::error([x], "matrix 0 is not invertible"));
        wrong.flat_map(|wrong| square_samples(x, y, wrong)).chain(adjoint).collect()
    });

/// The determinants of matrices.
pub static MATRIX_DETERMINANT: OpDef =
    OpDef::new("MatrixDeterminant", "The determinants of matrices.")
        .inputs(&[Arg::of("input", "T")])
        .outputs(&[Arg::of("output", "T")])
        .attrs(FLOATS)
        .fallible(Fallible::Shapes)
        .infer(|node| Inferred::one(infer_batch(node)?))
        .gradient(|cx| {
            let (x, y, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.output(0), cx.grad());
            Ok(grads([Some(by_matrix(grad * y) * inverse_transposed(x))]))
        })
        .kernel(|_| Ok(map_kernel(kernels::determinant)))
        .samples(|| {
            let x = pairs([1.0, 2.0, 3.0, 4.0, 0.0, 2.0, 1.0, 3.0]).into_iter();
            let singular = pairs([1.0, 2.0, 2.0, 4.0]).into_iter();
            let empty = Value::zeros(DType::F32, [2, 0, 0]).into_iter();
            x.map(|x| Sample::new([x], Value::from([-2.0_f32, -2.0])))
                .chain(empty.map(|x| Sample::new([x], Value::from([1.0_f32, 1.0]))))
                .chain(singular.map(|x| Sample::new([x], Value::from(0.0_f32)).at_kink()))
                .collect()
        });

/// The signs of the determinants of matrices, and the logarithms of their absolute values.
pub static LOG_MATRIX_DETERMINANT: OpDef = OpDef::new(
    "LogMatrixDeterminant",
    "The signs of the determinants of matrices, and the logarithms of their absolute values.",
)
.inputs(&[Arg::of("input", "T")])
.outputs(&[Arg::of("sign", "T"), Arg::of("log_abs_determinant", "T")])
.attrs(FLOATS)
.fallible(Fallible::Shapes)
.infer(|node| {
    let shape = infer_batch(node)?;
    Ok([shape.clone().into(), shape.into()].into_iter().collect())
})
.gradient(|cx| {
    let of_logarithm: Option<Tensor> = cx.grad_of(1);
    let x: Tensor = cx.input(0);
    Ok(grads([of_logarithm.map(|grad| by_matrix(grad) * inverse_transposed(x))]))
})
.kernel(|_| {
    Ok(Box::new(|cx: &mut tidemill_graph::KernelCx<'_>| {
        let (signs, logarithms) = kernels::log_determinant(cx.memory, cx.input(0)?)?;
        cx.set(0, signs);
        cx.set(1, logarithms);
        Ok::<_, tidemill_graph::KernelError>(())
    }))
})
.samples(|| {
    let x = pairs([1.0, 2.0, 3.0, 4.0, 3.0, 1.0, 1.0, 2.0]).into_iter();
    let outputs = || [Value::from([-1.0_f32, 1.0]), Value::from([2.0_f32.ln(), 5.0_f32.ln()])];
    x.map(|x| Sample::shapes([x]).outputs(outputs())).collect()
});

/// A number for each matrix, to multiply its elements by.
fn by_matrix(numbers: Tensor) -> Tensor {
    expand_dims(expand_dims(numbers, -1), -1)
}

fn inverse_transposed(x: Tensor) -> Tensor {
    tensor(NodeBuilder::new(&MATRIX_INVERSE).input(x).attr("adjoint", true))
}

const SYSTEM: &[Arg] = &[Arg::of("matrix", "T"), Arg::of("rhs", "T")];

/// The number of rows that a right side must have for square matrices.
fn infer_system(
    node: &NodeView<'_>,
    combine: impl Fn(&PartialShape, &PartialShape) -> Result<PartialShape, OpError>,
) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let (Some((left, extent)), Some((right, [rows, columns]))) =
        (square(node)?, matrices(node, 1)?)
    else {
        return Inferred::one(PartialShape::unknown());
    };
    let rows = extent.merge(rows).map_err(|_| {
        OpError::shape(
            "rhs",
            format!("matrices of {extent} rows do not match right sides of {rows}"),
        )
    })?;
    let batch = combine(&left.into(), &right.into())?;
    Inferred::one(with_matrix(&batch, [rows, columns]))
}

/// The gradients of a system from that of its solution.
fn system_gradients(solution: Tensor, of_right: Tensor, adjoint: bool) -> (Tensor, Tensor) {
    let second_transposed = BatchMatMul { adj_x: false, adj_y: true };
    let outer = match adjoint {
        true => batch_matmul_with(solution, of_right, second_transposed),
        false => batch_matmul_with(of_right, solution, second_transposed),
    };
    (neg(outer), of_right)
}

/// The solutions of systems of linear equations.
pub static MATRIX_SOLVE: OpDef =
    OpDef::new("MatrixSolve", "The solutions of systems of linear equations.")
        .inputs(SYSTEM)
        .outputs(&[Arg::of("output", "T")])
        .attrs(ADJOINT)
        .fallible(Fallible::Values)
        .infer(|node| infer_system(node, |left, right| Ok(left.merge(right)?)))
        .gradient(|cx| {
            let adjoint = cx.node().bool_attr("adjoint")?;
            let of_right = solve(cx.input(0), cx.grad(), !adjoint);
            let (of_matrix, of_right) = system_gradients(cx.output(0), of_right, adjoint);
            Ok(grads([Some(of_matrix), Some(of_right)]))
        })
        .kernel(|node| {
            let adjoint = node.bool_attr("adjoint")?;
            Ok(kernel(move |cx| {
                Ok(kernels::solve(cx.memory, cx.input(0)?, cx.input(1)?, adjoint)?)
            }))
        })
        .samples(|| {
            let matrix = pairs([0.0, 2.0, 4.0, 1.0]).into_iter();
            let samples = matrix.zip(pairs([2.0, 4.0, 6.0, 8.0])).flat_map(|(matrix, rhs)| {
                let solution = pairs([1.25, 1.5, 1.0, 2.0]);
                let transposed = pairs([2.75, 3.5, 0.5, 1.0]);
                let singular = pairs([1.0, 2.0, 2.0, 4.0]);
                let sample = |y| Sample::new([matrix.clone(), rhs.clone()], y);
                let straight = solution.into_iter().map(sample);
                let adjoint = transposed.into_iter().map(|y| sample(y).attr("adjoint", true));
                let wrong = |x| Sample::error([x, rhs.clone()], "not invertible");
                let short = Value::zeros(DType::F32, [3, 1]).into_iter();
                let unfit = |x| Sample::error([matrix.clone(), x], "right sides of 3");
                straight
                    .chain(adjoint)
                    .chain(singular.into_iter().map(wrong))
                    .chain(short.map(unfit))
                    .collect::<Vec<_>>()
            });
            samples.collect()
        });

/// The solutions of systems whose matrices are triangular.
pub static MATRIX_TRIANGULAR_SOLVE: OpDef =
    OpDef::new("MatrixTriangularSolve", "The solutions of systems whose matrices are triangular.")
        .inputs(SYSTEM)
        .outputs(&[Arg::of("output", "T")])
        .attrs(&[
            AttrDef::bool("lower", true),
            AttrDef::bool("adjoint", false),
            AttrDef::widened("T", DType::FLOATS),
        ])
        .fallible(Fallible::Values)
        .infer(|node| infer_system(node, |left, right| Ok(left.broadcast(right)?)))
        .gradient(|cx| {
            let (matrix, rhs): (Tensor, Tensor) = (cx.input(0), cx.input(1));
            let (lower, adjoint) = (cx.node().bool_attr("lower")?, cx.node().bool_attr("adjoint")?);
            let flipped = TriangularSolve { lower, adjoint: !adjoint };
            let of_right = triangular_solve(matrix, cx.grad::<Tensor>(), flipped);
            let (of_matrix, of_right) = system_gradients(cx.output(0), of_right, adjoint);
            let (row, column) = positions(matrix);
            let is_used = if lower { greater_equal(row, column) } else { less_equal(row, column) };
            let of_matrix = select(is_used, of_matrix, zeros_like(of_matrix));
            let of_matrix = sum_stretched(of_matrix, matrix, 0, 2);
            Ok(grads([Some(of_matrix), Some(sum_stretched(of_right, rhs, 0, 2))]))
        })
        .kernel(|node| {
            let (lower, adjoint) = (node.bool_attr("lower")?, node.bool_attr("adjoint")?);
            Ok(kernel(move |cx| {
                Ok(kernels::triangular_solve(
                    cx.memory,
                    cx.input(0)?,
                    cx.input(1)?,
                    lower,
                    adjoint,
                )?)
            }))
        })
        .samples(triangular_samples);

fn triangular_samples() -> Vec<Sample> {
    let matrix = pairs([2.0, 4.0, 1.0, 4.0]);
    let both = pairs([2.0, 4.0, 1.0, 4.0, 1.0, 3.0, -1.0, 2.0]);
    let (Some(matrix), Some(both)) = (matrix.first(), both.first()) else { return Vec::new() };
    let Ok(rhs) = Value::from_vec([2, 1], vec![2.0_f32, 8.0]) else { return Vec::new() };
    let solution = |y: [f32; 2]| Value::from_vec([2, 1], y.to_vec());
    let ways = [
        (true, false, [1.0, 1.75]),
        (true, true, [0.0, 2.0]),
        (false, false, [-3.0, 2.0]),
        (false, true, [1.0, 1.0]),
    ];
    let samples = ways.into_iter().flat_map(|(lower, adjoint, y)| {
        let sample = |y| Sample::new([matrix.clone(), rhs.clone()], y);
        solution(y).map(|y| sample(y).attr("lower", lower).attr("adjoint", adjoint))
    });
    let singular = pairs([1.0, 2.0, 2.0, 0.0]).into_iter();
    let wrong = singular.map(|x| Sample::error([x, rhs.clone()], "matrix 0 is not invertible"));
    let broadcast = Value::from_vec([2, 2, 1], vec![1.0_f32, 1.75, 2.0, 5.0]);
    let broadcast = broadcast.map(|y| Sample::new([both.clone(), rhs.clone()], y));
    samples.chain(wrong).chain(broadcast).collect()
}

/// The Cholesky factors of the matrices in the last two axes of `x`: the lower triangular matrices
/// whose product with their own transposes is `x`. Only the lower triangles of `x` are read.
///
/// # Errors
/// Matrices that are not square. A run fails if one is not positive definite.
///
/// ```
/// use tidemill_ops::{cholesky, placeholder};
/// assert_eq!(cholesky(placeholder::<f32>([7, 3, 3])).shape().to_string(), "[7, 3, 3]");
/// ```
#[doc(alias = "Cholesky")]
#[track_caller]
pub fn cholesky(x: impl Into<Operand>) -> Tensor {
    unary(&CHOLESKY, x)
}

/// The inverses of the square matrices in the last two axes of `x`.
///
/// # Errors
/// Matrices that are not square. A run fails if one has no inverse.
///
/// ```
/// use tidemill_ops::{constant, matrix_inverse};
/// let inverse = matrix_inverse(constant([[1.0_f32, 2.0], [3.0, 4.0]]));
/// assert_eq!(inverse.shape().to_string(), "[2, 2]");
/// ```
#[doc(alias = "MatrixInverse")]
#[track_caller]
pub fn matrix_inverse(x: impl Into<Operand>) -> Tensor {
    unary(&MATRIX_INVERSE, x)
}

/// The determinants of the square matrices in the last two axes of `x`: one number for each.
/// Its gradient needs their inverses.
///
/// # Errors
/// Matrices that are not square.
///
/// ```
/// use tidemill_ops::{matrix_determinant, placeholder};
/// let x = placeholder::<f32>([5, 3, 3]);
/// assert_eq!(matrix_determinant(x).shape().to_string(), "[5]");
/// ```
#[doc(alias = "MatrixDeterminant")]
#[track_caller]
pub fn matrix_determinant(x: impl Into<Operand>) -> Tensor {
    unary(&MATRIX_DETERMINANT, x)
}

/// The signs of [`matrix_determinant`], and the logarithms of its absolute values, which do not
/// overflow when the determinants do.
///
/// # Errors
/// Matrices that are not square.
///
/// ```
/// use tidemill_ops::{log_matrix_determinant, placeholder};
/// let (signs, logs) = log_matrix_determinant(placeholder::<f32>([5, 3, 3]));
/// assert_eq!((signs.shape().to_string(), logs.shape().to_string()), ("[5]".into(), "[5]".into()));
/// ```
#[doc(alias = "LogMatrixDeterminant")]
#[doc(alias = "slogdet")]
#[track_caller]
pub fn log_matrix_determinant(x: impl Into<Operand>) -> (Tensor, Tensor) {
    let node = NodeBuilder::new(&LOG_MATRIX_DETERMINANT).input(x.into().to_tensor()).build();
    (node.output(0).into(), node.output(1).into())
}

/// Solves `matrix * result = rhs` for the matrices in the last two axes: `matrix` has shape `[..,
/// n, n]`, `rhs` and the result `[.., n, k]`.
///
/// # Errors
/// Matrices that are not square, and shapes that do not fit. A run fails if a matrix has no
/// inverse.
///
/// ```
/// use tidemill_ops::{matrix_solve, placeholder};
/// let (a, b) = (placeholder::<f32>([7, 3, 3]), placeholder::<f32>([7, 3, 1]));
/// assert_eq!(matrix_solve(a, b).shape().to_string(), "[7, 3, 1]");
/// ```
#[doc(alias = "MatrixSolve")]
#[track_caller]
pub fn matrix_solve(matrix: impl Into<Operand>, rhs: impl Into<Operand>) -> Tensor {
    solve(matrix.into().to_tensor(), rhs.into().to_tensor(), false)
}

#[track_caller]
fn solve(matrix: Tensor, rhs: Tensor, adjoint: bool) -> Tensor {
    let node = NodeBuilder::new(&MATRIX_SOLVE).input(matrix).input(rhs);
    tensor(node.attr("adjoint", adjoint))
}

/// Options of [`triangular_solve`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TriangularSolve {
    /// Whether to use the lower triangle.
    pub lower: bool,
    /// Whether to transpose it.
    pub adjoint: bool,
}

impl Default for TriangularSolve {
    fn default() -> Self {
        TriangularSolve { lower: true, adjoint: false }
    }
}

/// [`matrix_solve`] for triangular matrices: the other triangle of `matrix` is not read. Leading
/// axes broadcast.
///
/// # Errors
/// Matrices that are not square, and shapes that do not fit. A run fails if an element of a
/// diagonal is 0.
///
/// ```
/// use tidemill_ops::{TriangularSolve, placeholder, triangular_solve};
/// let (a, b) = (placeholder::<f32>([3, 3]), placeholder::<f32>([7, 3, 1]));
/// let x = triangular_solve(a, b, TriangularSolve::default());
/// assert_eq!(x.shape().to_string(), "[7, 3, 1]");
/// ```
#[doc(alias = "MatrixTriangularSolve")]
#[track_caller]
pub fn triangular_solve(
    matrix: impl Into<Operand>,
    rhs: impl Into<Operand>,
    options: TriangularSolve,
) -> Tensor {
    let (matrix, rhs) = (matrix.into().to_tensor(), rhs.into().to_tensor());
    let node = NodeBuilder::new(&MATRIX_TRIANGULAR_SOLVE).input(matrix).input(rhs);
    tensor(node.attr("lower", options.lower).attr("adjoint", options.adjoint))
}

/// The cross products of vectors of three numbers.
pub static CROSS: OpDef = OpDef::new("Cross", "The cross products of vectors of three numbers.")
    .inputs(&[Arg::of("a", "T"), Arg::of("b", "T")])
    .outputs(&[Arg::of("product", "T")])
    .attrs(&[AttrDef::widened("T", DType::NUMBERS)])
    .infer(|node| {
        let shape = node.shape(0).merge(node.shape(1))?;
        let last = shape.dims().map(|dims| dims.last().copied());
        match last {
            Some(None) => Err(vectors_error(&shape)),
            Some(Some(dim)) if dim.known().is_some_and(|extent| extent != 3) => {
                Err(vectors_error(&shape))
            }
            _ => Inferred::one(shape),
        }
    })
    .gradient(|cx| {
        let (a, b, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
        Ok(grads([Some(cross(b, grad)), Some(cross(grad, a))]))
    })
    .kernel(|_| Ok(kernel(|cx| Ok(kernels::cross(cx.memory, cx.input(0)?, cx.input(1)?)?))))
    .samples(|| {
        let (a, b) = (Value::from([1.0_f32, 2.0, 3.0]), Value::from([4.0_f32, 0.5, -1.0]));
        let short = Value::from([1.0_f32, 2.0]);
        vec![
            Sample::new([a, b], Value::from([-3.5_f32, 13.0, -7.5])),
            Sample::error([short.clone(), short], "vectors of 3 numbers"),
        ]
    });

fn vectors_error(shape: &PartialShape) -> OpError {
    OpError::shape("a", format!("the last axis must hold vectors of 3 numbers, not {shape}"))
}

/// The cross products of the vectors in the last axes of `a` and `b`, which are of one shape.
///
/// # Errors
/// Tensors that differ in type or shape, and a last axis of another extent than 3.
///
/// ```
/// use tidemill_ops::{constant, cross};
/// let normal = cross(constant([1.0_f32, 0.0, 0.0]), constant([0.0_f32, 1.0, 0.0]));
/// assert_eq!(normal.shape().to_string(), "[3]");
/// ```
#[doc(alias = "Cross")]
#[track_caller]
pub fn cross(a: impl Into<Operand>, b: impl Into<Operand>) -> Tensor {
    let (a, b) = (a.into().to_tensor(), b.into().to_tensor());
    tensor(NodeBuilder::new(&CROSS).input(a).input(b))
}
