//! Diagonals of matrices.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, Fallible, GradCx, Inferred, KernelCx, KernelError, NodeBuilder, NodeView, OpDef,
    OpError, Sample,
};
use tidemill_kernels::layout::{self, Band};
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::zeros_like;
use crate::family::grads;
use crate::index::{
    check_rank, check_shape, integer, integers, known_integer, known_integers, least, most,
};
use crate::kernel::{kernel, map_kernel};
use crate::operand::{composite, tensor, unary};
use crate::operations::operations;
use crate::ops::reduce::reduce_sum;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops:
        DIAG, DIAG_PART, MATRIX_DIAG, MATRIX_DIAG_PART, MATRIX_DIAG_PART_V3,
        MATRIX_DIAG_V3, MATRIX_SET_DIAG, MATRIX_SET_DIAG_V3;
    exports: diag, diag_part, matrix_diag, matrix_diag_part, matrix_set_diag;
}

const T: &[AttrDef] = &[AttrDef::types("T", DType::ALL)];

/// An operation of one input of any type.
const fn simple(name: &'static str, summary: &'static str, inputs: &'static [Arg]) -> OpDef {
    OpDef::new(name, summary).inputs(inputs).outputs(const { &[Arg::of("output", "T")] }).attrs(T)
}

/// A tensor of twice the axes with the elements on its diagonal.
pub static DIAG: OpDef = simple(
    "Diag",
    "A tensor of twice the axes with the elements on its diagonal.",
    &[Arg::of("diagonal", "T")],
)
.infer(|node| {
    Inferred::one(match node.shape(0).dims() {
        Some(dims) => dims.iter().chain(dims).copied().collect(),
        None => PartialShape::unknown(),
    })
})
.gradient(|cx| Ok(grads([Some(diag_part(cx.grad::<Tensor>()))])))
.kernel(|_| Ok(map_kernel(layout::diag)))
.samples(|| {
    let column = array([2, 1], [1.0_f32, 2.0]);
    vec![
        Sample::new([Value::from([1.0_f32, 2.0])], array([2, 2], [1.0_f32, 0.0, 0.0, 2.0])),
        Sample::new([column], array([2, 1, 2, 1], [1.0_f32, 0.0, 0.0, 2.0])),
    ]
});

/// The diagonal of a tensor whose shape has two equal halves.
pub static DIAG_PART: OpDef = simple(
    "DiagPart",
    "The diagonal of a tensor whose shape has two equal halves.",
    &[Arg::of("input", "T")],
)
.infer(|node| {
    let Some(dims) = node.shape(0).dims() else {
        return Inferred::one(PartialShape::unknown());
    };
    let (first, second) = dims.split_at(dims.len() / 2);
    Inferred::one(PartialShape::from(first).merge(&second.into())?)
})
.gradient(|cx| Ok(grads([Some(diag(cx.grad::<Tensor>()))])))
.kernel(|_| Ok(map_kernel(layout::diag_part)))
.samples(|| {
    let square = array([2, 2], [1.0_f32, 2.0, 3.0, 4.0]);
    vec![
        Sample::new([square], Value::from([1.0_f32, 4.0])),
        Sample::error([array([1, 2], [1.0_f32, 2.0])], "contradict"),
    ]
});

/// Matrices with rows on their diagonals.
pub static MATRIX_DIAG: OpDef =
    simple("MatrixDiag", "Matrices with rows on their diagonals.", &[Arg::of("diagonal", "T")])
        .infer(|node| {
            Inferred::one(match node.shape(0).dims() {
                Some(dims) => dims.iter().chain(last(node, dims)?).copied().collect(),
                None => PartialShape::unknown(),
            })
        })
        .gradient(|cx| Ok(grads([Some(unary(&MATRIX_DIAG_PART, cx.grad::<Tensor>()))])))
        .kernel(|_| {
            Ok(map_kernel(|memory, x| {
                let extents = [x.shape().last().copied().unwrap_or_default(); 2];
                let zero = Value::zeros(x.dtype(), [])?;
                layout::matrix_diag(memory, x, Band::MAIN, extents, &zero)
            }))
        })
        .samples(|| {
            let rows = array([1, 2], [1.0_f32, 2.0]);
            vec![
                Sample::new([rows], array([1, 2, 2], [1.0_f32, 0.0, 0.0, 2.0])),
                Sample::error([Value::from(1.0_f32)], "at least 1 axis"),
            ]
        });

fn last<'a>(node: &NodeView<'_>, dims: &'a [Dim]) -> Result<Option<&'a Dim>, OpError> {
    if dims.is_empty() {
        let (input, actual) = (node.op().inputs[0].name, node.shape(0).clone());
        return Err(OpError::Rank { input, expected: "at least 1 axis", actual });
    }
    Ok(dims.last())
}

/// The diagonals of matrices.
pub static MATRIX_DIAG_PART: OpDef =
    simple("MatrixDiagPart", "The diagonals of matrices.", &[Arg::of("input", "T")])
        .infer(|node| Inferred::one(packed_shape(node, Some(Band::MAIN))?))
        .gradient(|cx| {
            let node = NodeBuilder::new(&MATRIX_SET_DIAG).input(zeros_like(cx.input::<Tensor>(0)));
            Ok(grads([Some(tensor(node.input(cx.grad::<Tensor>())))]))
        })
        .kernel(|_| {
            Ok(map_kernel(|memory, x| {
                layout::matrix_diag_part(memory, x, Band::MAIN, &Value::zeros(x.dtype(), [])?)
            }))
        })
        .samples(|| {
            let wide = array([2, 3], [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
            vec![
                Sample::new([wide], Value::from([1.0_f32, 5.0])),
                Sample::error([Value::from([1.0_f32])], "at least 2 axes"),
            ]
        });

/// Matrices with their diagonals replaced.
pub static MATRIX_SET_DIAG: OpDef = simple(
    "MatrixSetDiag",
    "Matrices with their diagonals replaced.",
    &[Arg::of("input", "T"), Arg::of("diagonal", "T")],
)
.infer(|node| infer_set_diag(node, Some(Band::MAIN)))
.gradient(|cx| {
    let (diagonal, grad): (Tensor, Tensor) = (cx.input(1), cx.grad());
    let node = NodeBuilder::new(&MATRIX_SET_DIAG).input(grad).input(zeros_like(diagonal));
    Ok(grads([Some(tensor(node)), Some(unary(&MATRIX_DIAG_PART, grad))]))
})
.kernel(|_| {
    Ok(kernel(|cx| Ok(layout::matrix_set_diag(cx.input(0)?.clone(), cx.input(1)?, Band::MAIN)?)))
})
.samples(|| {
    let x = || array([2, 2], [1.0_f32, 2.0, 3.0, 4.0]);
    vec![
        Sample::new([x(), Value::from([7.0_f32, 8.0])], array([2, 2], [7.0_f32, 2.0, 3.0, 8.0])),
        Sample::error([x(), Value::from([7.0_f32])], "contradict"),
    ]
});

fn infer_set_diag(
    node: &NodeView<'_>,
    band: Option<Band>,
) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    packed_shape(node, band)?.merge(node.shape(1))?;
    let (dims, packed) = (node.shape(0).dims(), node.shape(1).dims());
    if let (Some(band), Some([.., rows, columns]), Some([.., width])) = (band, dims, packed) {
        let longest = band.width(most(rows), most(columns));
        let shortest = band.width(least(rows, -band.lower), least(columns, band.upper));
        if width.known().is_some_and(|width| !(shortest..=longest).contains(&width)) {
            let (x, diagonal) = (("input", node.shape(0)), ("diagonal", node.shape(1)));
            return Err(OpError::disagree(diagonal, x, "agree in the length of diagonals"));
        }
    }
    Inferred::one(node.shape(0))
}

/// The shape of the packed diagonals of input 0; unknown if the band is.
pub(super) fn packed_shape(
    node: &NodeView<'_>,
    band: Option<Band>,
) -> Result<PartialShape, OpError> {
    let Some(dims) = node.shape(0).dims() else { return Ok(PartialShape::unknown()) };
    let [outer @ .., rows, columns] = dims else {
        let (input, actual) = (node.op().inputs[0].name, node.shape(0).clone());
        return Err(OpError::Rank { input, expected: "at least 2 axes", actual });
    };
    let Some(band) = band else { return Ok(PartialShape::unknown()) };
    let extents = rows.known().zip(columns.known());
    if let Err(error) = band.check(most(rows), most(columns)) {
        if extents.is_some() {
            return Err(error.into());
        }
        let (shape, Band { lower, upper, .. }) = (node.shape(0), band);
        let message =
            format!("matrices of shape {shape} have no diagonals from {lower} to {upper}");
        return Err(OpError::elements("k", message));
    }
    let width = extents.map(|(rows, columns)| band.width(rows, columns));
    let packed = (band.count() > 1).then_some(Dim::from(band.count()));
    Ok(outer.iter().copied().chain(packed).chain([Dim::from(width)]).collect())
}

/// The alignment of diagonals in rows that are longer.
const ALIGN: AttrDef = AttrDef::str("align", "RIGHT_LEFT");
const WITH_ALIGN: &[AttrDef] = &[AttrDef::types("T", DType::ALL), ALIGN];

/// The band of the diagonals `k`: one number, or the lowest and the highest.
fn band(align: &[u8], k: &[i64]) -> Result<Band, OpError> {
    let (aligns_upper_left, aligns_lower_left) = match align {
        b"RIGHT_LEFT" => (false, true),
        b"LEFT_RIGHT" => (true, false),
        b"LEFT_LEFT" => (true, true),
        b"RIGHT_RIGHT" => (false, false),
        _ => return Err(OpError::attr("align", "unknown alignment of diagonals")),
    };
    let (lower, upper) = match *k {
        [only] => (only, only),
        [lower, upper] if lower <= upper => (lower, upper),
        _ => {
            return Err(OpError::elements(
                "k",
                format!("{k:?} is not a range of diagonals, lowest first"),
            ));
        }
    };
    Ok(Band { lower, upper, aligns_upper_left, aligns_lower_left })
}

fn known_band(node: &NodeView<'_>, k: usize) -> Result<Option<Band>, OpError> {
    let align = node.str_attr("align")?;
    known_integers(node, k).map(|k| band(&align, &k)).transpose()
}

/// A node over the band of another one.
fn banded(node: NodeBuilder, cx: &GradCx<'_>) -> Result<Tensor, OpError> {
    Ok(tensor(node.attr("align", cx.node().str_attr("align")?)))
}

/// The diagonals `k` of a tensor, with zeros where rows are longer.
fn part_of(x: Tensor, k: Tensor, cx: &GradCx<'_>) -> Result<Tensor, OpError> {
    let zero = Value::zeros(cx.node().dtype(0), [])?;
    let zero = Operand::from(zero).to_tensor_beside(x, "padding_value");
    banded(NodeBuilder::new(&MATRIX_DIAG_PART_V3).input(x).input(k).input(zero), cx)
}

/// Bands of diagonals of matrices, packed as rows.
pub static MATRIX_DIAG_PART_V3: OpDef =
    OpDef::new("MatrixDiagPartV3", "Bands of diagonals of matrices, packed as rows.")
        .inputs(&[Arg::of("input", "T"), Arg::is("k", DType::I32), Arg::of("padding_value", "T")])
        .outputs(&[Arg::of("diagonal", "T")])
        .attrs(WITH_ALIGN)
        .fallible(Fallible::Values)
        .infer(|node| {
            check_rank(node, 2, 0, "no axes")?;
            Inferred::one(packed_shape(node, known_band(node, 1)?)?)
        })
        .gradient(|cx| {
            let (x, k, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
            let node = NodeBuilder::new(&MATRIX_SET_DIAG_V3).input(zeros_like(x)).input(grad);
            let of_x = banded(node.input(k), cx)?;
            let of_padding = reduce_sum(grad, ..) - reduce_sum(of_x, ..);
            Ok(grads([Some(of_x), None, Some(of_padding)]))
        })
        .kernel(|node| {
            let align = node.str_attr("align")?;
            Ok(kernel(move |cx| {
                let band = band(&align, &integers(cx.input(1)?)?)?;
                Ok(layout::matrix_diag_part(cx.memory, cx.input(0)?, band, cx.input(2)?)?)
            }))
        })
        .samples(|| {
            let x = || array([2, 3], [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
            let sample = |k: Value, y| Sample::new([x(), k, Value::from(9.0_f32)], y);
            let pair = || Value::from([-1, 1]);
            vec![
                sample(Value::from(1), Value::from([2.0_f32, 6.0])),
                sample(pair(), array([3, 2], [2.0_f32, 6.0, 1.0, 5.0, 4.0, 9.0])),
                sample(pair(), array([3, 2], [2.0_f32, 6.0, 1.0, 5.0, 9.0, 4.0]))
                    .attr("align", "LEFT_RIGHT"),
                Sample::error([x(), Value::from(3), Value::from(9.0_f32)], "no diagonals from 3"),
                Sample::error([x(), Value::from([1, 0]), Value::from(9.0_f32)], "[1, 0]"),
            ]
        });

/// Matrices with bands of diagonals replaced by packed rows.
pub static MATRIX_SET_DIAG_V3: OpDef =
    OpDef::new("MatrixSetDiagV3", "Matrices with bands of diagonals replaced by packed rows.")
        .inputs(&[Arg::of("input", "T"), Arg::of("diagonal", "T"), Arg::is("k", DType::I32)])
        .outputs(&[Arg::of("output", "T")])
        .attrs(WITH_ALIGN)
        .fallible(Fallible::Values)
        .infer(|node| infer_set_diag(node, known_band(node, 2)?))
        .gradient(|cx| {
            let (diagonal, k, grad): (Tensor, Tensor, Tensor) =
                (cx.input(1), cx.input(2), cx.grad());
            let node = NodeBuilder::new(&MATRIX_SET_DIAG_V3).input(grad);
            let of_x = banded(node.input(zeros_like(diagonal)).input(k), cx)?;
            Ok(grads([Some(of_x), Some(part_of(grad, k, cx)?), None]))
        })
        .kernel(|node| {
            let align = node.str_attr("align")?;
            Ok(kernel(move |cx| {
                let band = band(&align, &integers(cx.input(2)?)?)?;
                Ok(layout::matrix_set_diag(cx.input(0)?.clone(), cx.input(1)?, band)?)
            }))
        })
        .samples(|| {
            let x = array([2, 2], [1.0_f32, 2.0, 3.0, 4.0]);
            let rows = array([2, 2], [7.0_f32, 8.0, 9.0, 0.5]);
            let y = array([2, 2], [7.0_f32, 2.0, 9.0, 8.0]);
            vec![Sample::new([x, rows, Value::from([-1, 0])], y)]
        });

/// Matrices with bands of diagonals, packed as rows, and a number elsewhere.
pub static MATRIX_DIAG_V3: OpDef = OpDef::new(
    "MatrixDiagV3",
    "Matrices with bands of diagonals, packed as rows, and a number elsewhere.",
)
.inputs(&[
    Arg::of("diagonal", "T"),
    Arg::is("k", DType::I32),
    Arg::is("num_rows", DType::I32),
    Arg::is("num_cols", DType::I32),
    Arg::of("padding_value", "T"),
])
.outputs(&[Arg::of("output", "T")])
.attrs(WITH_ALIGN)
.fallible(Fallible::Values)
.infer(infer_matrix_diag)
.gradient(|cx| {
    let (k, grad): (Tensor, Tensor) = (cx.input(1), cx.grad());
    let of_diagonal = part_of(grad, k, cx)?;
    let of_padding = reduce_sum(grad, ..) - reduce_sum(of_diagonal, ..);
    Ok(grads([Some(of_diagonal), None, None, None, Some(of_padding)]))
})
.kernel(|node| {
    let align = node.str_attr("align")?;
    Ok(kernel(move |cx| matrix_diag_v3(cx, &align)))
})
.samples(|| {
    let sample = |diagonal: Value, k: Value, rows: i32, columns: i32| {
        [diagonal, k, Value::from(rows), Value::from(columns), Value::from(9.0_f32)]
    };
    let list = || Value::from([1.0_f32, 2.0]);
    let packed = array([2, 2], [1.0_f32, 2.0, 3.0, 0.5]);
    vec![
        Sample::new(sample(list(), 0.into(), -1, -1), array([2, 2], [1.0_f32, 9.0, 9.0, 2.0])),
        Sample::new(
            sample(list(), 1.into(), -1, -1),
            array([3, 3], [9.0_f32, 1.0, 9.0, 9.0, 9.0, 2.0, 9.0, 9.0, 9.0]),
        ),
        Sample::new(
            sample(packed, Value::from([-1, 0]), 2, 3),
            array([2, 3], [1.0_f32, 9.0, 9.0, 3.0, 2.0, 9.0]),
        ),
        Sample::error(sample(list(), 0.into(), 1, -1), "no matrix of 1 rows"),
    ]
});

/// The numbers of rows and columns of matrices whose longest diagonal has `width` elements; -1
/// means the least possible number.
fn matrix_extents(band: Band, width: usize, wanted: [i64; 2]) -> Result<[usize; 2], OpError> {
    let (least_rows, least_columns) = band.least_matrix(width);
    let [rows, columns] = wanted.map(|extent| usize::try_from(extent).ok());
    let [rows, columns] = match (rows, columns) {
        (None, None) => [least_rows.max(least_columns); 2],
        (rows, columns) => [rows.unwrap_or(least_rows), columns.unwrap_or(least_columns)],
    };
    let fits = rows >= least_rows
        && columns >= least_columns
        && (rows == least_rows || columns == least_columns);
    if fits {
        return Ok([rows, columns]);
    }
    Err(OpError::shape(
        "diagonal",
        format!(
            "no matrix of {rows} rows and {columns} columns has diagonals of at most {width} elements"
        ),
    ))
}

fn infer_matrix_diag(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    (2..5).try_for_each(|i| check_rank(node, i, 0, "no axes"))?;
    let band = known_band(node, 1)?;
    let (Some(dims), Some(band)) = (node.shape(0).dims(), band) else {
        return Inferred::one(PartialShape::unknown());
    };
    let packed = if band.count() > 1 { 2 } else { 1 };
    let Some(outer) = dims.len().checked_sub(packed).map(|rank| &dims[..rank]) else {
        let (input, actual) = ("diagonal", node.shape(0).clone());
        return Err(OpError::Rank { input, expected: "rows of diagonals", actual });
    };
    if packed == 2 {
        let rows = [Dim::from(band.count()), Dim::UNKNOWN];
        check_shape(node, 0, &outer.iter().copied().chain(rows).collect())?;
    }
    let wanted = known_integer(node, 2).zip(known_integer(node, 3));
    let width = dims.last().and_then(|width| width.known());
    let extents = match (width, wanted) {
        (Some(width), Some((rows, columns))) => {
            let [rows, columns] = matrix_extents(band, width, [rows, columns])?;
            band.check(rows, columns)?;
            [rows, columns].map(Dim::from)
        }
        _ => [Dim::UNKNOWN; 2],
    };
    Inferred::one(outer.iter().copied().chain(extents).collect::<PartialShape>())
}

fn matrix_diag_v3(cx: &KernelCx<'_>, align: &[u8]) -> Result<Value, KernelError> {
    let (diagonal, padding) = (cx.input(0)?, cx.input(4)?);
    let band = band(align, &integers(cx.input(1)?)?)?;
    let wanted = [integer(cx.input(2)?, "num_rows")?, integer(cx.input(3)?, "num_cols")?];
    let width = diagonal.shape().last().copied().unwrap_or_default();
    let extents = matrix_extents(band, width, wanted)?;
    Ok(layout::matrix_diag(cx.memory, diagonal, band, extents, padding)?)
}

/// A tensor of shape `S + S`, for `x` of shape `S`, with its elements on the diagonal and zeros
/// elsewhere. Its gradient is the diagonal of the incoming gradient.
///
/// ```
/// use tidemill_ops::{constant, diag};
/// assert_eq!(diag(constant([1.0_f32, 2.0])).shape().to_string(), "[2, 2]");
/// ```
#[doc(alias = "Diag")]
#[track_caller]
pub fn diag(x: impl Into<Operand>) -> Tensor {
    unary(&DIAG, x)
}

/// The diagonal of `x`, whose shape has two equal halves: the opposite of [`diag`].
///
/// # Errors
/// A shape with other halves.
///
/// ```
/// use tidemill_ops::{constant, diag_part};
/// let x = constant([[1.0_f32, 2.0], [3.0, 4.0]]);
/// assert_eq!(diag_part(x).shape().to_string(), "[2]");
/// ```
#[doc(alias = "DiagPart")]
#[track_caller]
pub fn diag_part(x: impl Into<Operand>) -> Tensor {
    unary(&DIAG_PART, x)
}

/// Matrices with the rows of `x` on their diagonals, and zeros elsewhere.
///
/// ```
/// use tidemill_ops::{constant, matrix_diag};
/// assert_eq!(matrix_diag(constant([[1, 2, 3]])).shape().to_string(), "[1, 3, 3]");
/// ```
///
/// # Errors
/// A tensor without axes.
#[doc(alias = "MatrixDiagV3")]
#[track_caller]
pub fn matrix_diag(x: impl Into<Operand>) -> Tensor {
    let x = x.into().to_tensor();
    composite(x.graph(), "MatrixDiagV3", |full| {
        let node = NodeBuilder::new(&MATRIX_DIAG_V3).exact_name(full).input(x);
        let number = |number: i32, name| Operand::from(number).to_tensor_beside(x, name);
        let node = node.input(number(0, "k")).input(number(-1, "num_rows"));
        let node = node.input(number(-1, "num_cols"));
        tensor(node.input(Operand::from(0).to_tensor_like(x, "padding_value")))
    })
}

/// The diagonals of the matrices along the last two axes of `x`: diagonal `k`, or those from `k[0]`
/// to `k[1]`, as rows from the highest down. Diagonal 0 is the main one; those above it have
/// positive numbers. Rows longer than their diagonal are padded with 0, on the left above the main
/// diagonal and on the right below it.
///
/// # Errors
/// Tensors of fewer axes, or diagonals that do not exist.
///
/// ```
/// use tidemill_ops::{matrix_diag_part, placeholder};
/// let x = placeholder::<f32>([5, 3, 4]);
/// assert_eq!(matrix_diag_part(x, 0).shape().to_string(), "[5, 3]");
/// ```
#[doc(alias = "MatrixDiagPartV3")]
#[track_caller]
pub fn matrix_diag_part(x: impl Into<Operand>, k: impl Into<Operand>) -> Tensor {
    let (x, k) = (x.into().to_tensor(), k.into());
    composite(x.graph(), "MatrixDiagPartV3", |full| {
        let node = NodeBuilder::new(&MATRIX_DIAG_PART_V3).exact_name(full).input(x);
        let node = node.input(k.to_tensor_beside(x, "k"));
        tensor(node.input(Operand::from(0).to_tensor_like(x, "padding_value")))
    })
}

/// `x` with other diagonals, named and packed as for [`matrix_diag_part`].
///
/// # Errors
/// Diagonals that do not exist, or that have another shape.
///
/// ```
/// use tidemill_ops::{matrix_set_diag, placeholder};
/// let x = placeholder::<f32>([5, 3, 3]);
/// let y = matrix_set_diag(x, placeholder::<f32>([5, 3]), 0);
/// assert_eq!(y.shape().to_string(), "[5, 3, 3]");
/// ```
#[doc(alias = "MatrixSetDiagV3")]
#[track_caller]
pub fn matrix_set_diag(
    x: impl Into<Operand>,
    diagonals: impl Into<Operand>,
    k: impl Into<Operand>,
) -> Tensor {
    let (x, diagonals, k) = (x.into().to_tensor(), diagonals.into(), k.into());
    composite(x.graph(), "MatrixSetDiagV3", |full| {
        let diagonals = diagonals.to_tensor_like(x, "diagonal");
        let node = NodeBuilder::new(&MATRIX_SET_DIAG_V3).exact_name(full).input(x);
        tensor(node.input(diagonals).input(k.to_tensor_beside(x, "k")))
    })
}
