//! Writes to parts of variables: `ScatterUpdate`, `ScatterNdAdd` and so on.

use tidemill_graph::{
    Access, Arg, AttrDef, Execution, Fallible, InferFn, OpDef, Sample, TensorRef,
};
use tidemill_kernels::layout::Combine;
use tidemill_value::{DType, Value};

use super::resource;
use super::writes::{Scatter, element_type, infer_parts, infer_rows};
use crate::operations::operations;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops:
        SCATTER_ADD, SCATTER_DIV, SCATTER_MAX, SCATTER_MIN, SCATTER_MUL, SCATTER_ND_ADD,
        SCATTER_ND_MAX, SCATTER_ND_MIN, SCATTER_ND_SUB, SCATTER_ND_UPDATE, SCATTER_SUB,
        SCATTER_UPDATE;
    exports:
        scatter_add, scatter_div, scatter_max, scatter_min, scatter_mul, scatter_nd_add,
        scatter_nd_max, scatter_nd_min, scatter_nd_sub, scatter_nd_update, scatter_sub,
        scatter_update;
}

/// A write to the parts of a variable at indices.
const fn scatter(name: &'static str, summary: &'static str, infer: InferFn) -> OpDef {
    OpDef::new(name, summary)
        .inputs(
            const {
                &[
                    Arg::of("ref", "T").access(Access::Update),
                    Arg::of("indices", "Tindices"),
                    Arg::of("updates", "T"),
                ]
            },
        )
        .outputs(const { &[Arg::of("output_ref", "T").access(Access::Update)] })
        .execution(Execution::Write)
        .fallible(Fallible::Checked)
        .infer(infer)
        .not_differentiable()
}

/// The attributes of a write to a variable of one of these types.
macro_rules! attrs {
    ($types:expr, $locks:literal, $combine:ident $(, $more:expr)?) => {
        &[
            element_type("T", $types, Combine::$combine),
            AttrDef::types("Tindices", DType::INDICES),
            AttrDef::bool("use_locking", $locks),
            $($more)?
        ]
    };
}

/// Samples of `[8, 6, 4]` with 2 and 3 for the last and the first.
fn row_samples(expected: [f32; 3]) -> Vec<Sample> {
    let variable = || Value::from([8.0_f32, 6.0, 4.0]);
    let updates = || Value::from([2.0_f32, 3.0]);
    vec![
        Sample::new([variable(), Value::from([2, 0]), updates()], Value::from(expected)),
        Sample::shapes([variable(), array([1, 2], [2, 0]), Value::from(2.0_f32)]),
        Sample::new([variable(), Value::from([0_i32; 0]), Value::from([0.0_f32; 0])], variable()),
        Sample::error([variable(), Value::from([3, 0]), updates()], "index 3"),
        Sample::error([variable(), Value::from([-1, 0]), updates()], "index -1"),
        Sample::error([variable(), Value::from([2, 0, 1]), updates()], "contradict"),
        Sample::error([Value::from(1.0_f32), Value::from([0]), updates()], "at least 1 axis"),
    ]
}

/// As [`row_samples`].
fn part_samples(expected: [f32; 3]) -> Vec<Sample> {
    let variable = || Value::from([8.0_f32, 6.0, 4.0]);
    let inputs = |last: i32| [variable(), array([2, 1], [last, 0]), Value::from([2.0_f32, 3.0])];
    vec![
        Sample::new(inputs(2), Value::from(expected)),
        Sample::error(inputs(3), "index 3"),
        Sample::error([variable(), array([1, 2], [0, 0]), Value::from([1.0_f32])], "2 axes"),
        Sample::error([variable(), array([1, 1], [0]), Value::from(1.0_f32)], "contradict"),
    ]
}

/// Declares writes to rows and their builder functions, a row for each.
macro_rules! scatters {
    ($(
        $(#[doc = $doc:literal])*
        $op:ident $function:ident = $name:literal, $summary:literal,
            $types:expr, $locks:literal, $combine:ident => $expected:expr;
    )*) => {$(
        #[doc = $summary]
        pub static $op: OpDef = scatter($name, $summary, infer_rows)
            .attrs(attrs!($types, $locks, $combine))
            .kernel(|node| Ok(Box::new(Scatter::rows(node, Combine::$combine))))
            .samples(|| row_samples($expected));

        $(#[doc = $doc])*
        ///
        /// `updates` has the shape of `indices`, followed by that of a row, or is a single number
        /// for all rows. The result is the variable's new value.
        ///
        /// # Errors
        /// Updates of another type or shape. A run fails if an index is out of range; then the
        /// variable does not change.
        #[doc(alias = $name)]
        #[track_caller]
        pub fn $function(
            variable: impl Into<TensorRef>,
            indices: impl Into<Operand>,
            updates: impl Into<Operand>,
        ) -> Tensor {
            let ops = [&$op, &resource::$op];
            write(ops, variable.into(), &indices.into(), &updates.into())
        }
    )*};
}

scatters! {
    /// Replaces the rows of `variable` at `indices` with `updates`. If a row has several updates,
    /// the last one wins.
    SCATTER_UPDATE scatter_update = "ScatterUpdate",
        "Puts updates in place of rows of a variable.",
        DType::ALL, true, Update => [3.0, 6.0, 2.0];

    /// Adds `updates` to the rows of `variable` at `indices`; several updates of one row are all
    /// added.
    SCATTER_ADD scatter_add = "ScatterAdd", "Adds updates to rows of a variable.",
        DType::NUMBERS, false, Add => [11.0, 6.0, 6.0];

    /// Subtracts `updates` from the rows of `variable` at `indices`; several updates of one row are
    /// all subtracted.
    SCATTER_SUB scatter_sub = "ScatterSub", "Subtracts updates from rows of a variable.",
        DType::NUMBERS, false, Sub => [5.0, 6.0, 2.0];

    /// Multiplies the rows of `variable` at `indices` by `updates`.
    SCATTER_MUL scatter_mul = "ScatterMul", "Multiplies rows of a variable by updates.",
        DType::NUMBERS, false, Mul => [24.0, 6.0, 8.0];

    /// Divides the rows of `variable` at `indices` by `updates`. Dividing an integer by zero is an
    /// error.
    SCATTER_DIV scatter_div = "ScatterDiv", "Divides rows of a variable by updates.",
        DType::NUMBERS, false, Div => [8.0 / 3.0, 6.0, 2.0];

    /// Replaces each element of the rows of `variable` at `indices` with the smaller of it and the
    /// update.
    SCATTER_MIN scatter_min = "ScatterMin",
        "Replaces rows of a variable with the element-wise minimum of them and the updates.",
        DType::NUMBERS, false, Min => [3.0, 6.0, 2.0];

    /// Replaces each element of the rows of `variable` at `indices` with the larger of it and the
    /// update.
    SCATTER_MAX scatter_max = "ScatterMax",
        "Replaces rows of a variable with the element-wise maximum of them and the updates.",
        DType::NUMBERS, false, Max => [8.0, 6.0, 4.0];
}

/// Declares writes to parts and their builder functions, a row for each.
macro_rules! nd_scatters {
    ($(
        $(#[doc = $doc:literal])*
        $op:ident $function:ident = $name:literal, $summary:literal,
            $types:expr, $locks:literal, $combine:ident => $expected:expr;
    )*) => {$(
        #[doc = $summary]
        pub static $op: OpDef = scatter($name, $summary, infer_parts)
            .attrs(attrs!($types, $locks, $combine, AttrDef::str("bad_indices_policy", "")))
            .kernel(|node| Ok(Box::new(Scatter::parts(node, Combine::$combine))))
            .samples(|| part_samples($expected));

        $(#[doc = $doc])*
        /// The result is the variable's new value.
        ///
        /// # Errors
        /// Updates of another type or shape. A run fails if a position does not exist; then the
        /// variable does not change.
        #[doc(alias = $name)]
        #[track_caller]
        pub fn $function(
            variable: impl Into<TensorRef>,
            indices: impl Into<Operand>,
            updates: impl Into<Operand>,
        ) -> Tensor {
            let ops = [&$op, &resource::$op];
            write(ops, variable.into(), &indices.into(), &updates.into())
        }
    )*};
}

nd_scatters! {
    /// Replaces the slices of `variable` at the positions in `indices` (see
    /// [`gather_nd`](crate::gather_nd)) with `updates`. If a position has several updates, the last
    /// one wins.
    SCATTER_ND_UPDATE scatter_nd_update = "ScatterNdUpdate",
        "Puts updates in place of parts of a variable.",
        DType::ALL, true, Update => [3.0, 6.0, 2.0];

    /// Adds `updates` to the parts of `variable` at the positions in `indices` (see
    /// [`gather_nd`](crate::gather_nd)).
    SCATTER_ND_ADD scatter_nd_add = "ScatterNdAdd", "Adds updates to parts of a variable.",
        DType::NUMBERS, false, Add => [11.0, 6.0, 6.0];

    /// Subtracts `updates` from the parts of `variable` at the positions in `indices` (see
    /// [`gather_nd`](crate::gather_nd)).
    SCATTER_ND_SUB scatter_nd_sub = "ScatterNdSub",
        "Subtracts updates from parts of a variable.",
        DType::NUMBERS, false, Sub => [5.0, 6.0, 2.0];

    /// Replaces each element of the slices of `variable` at the positions in `indices` (see
    /// [`gather_nd`](crate::gather_nd)) with the smaller of it and the update.
    SCATTER_ND_MIN scatter_nd_min = "ScatterNdMin",
        "Replaces slices of a variable with the element-wise minimum of them and the updates.",
        DType::NUMBERS, false, Min => [3.0, 6.0, 2.0];

    /// Replaces each element of the slices of `variable` at the positions in `indices` (see
    /// [`gather_nd`](crate::gather_nd)) with the larger of it and the update.
    SCATTER_ND_MAX scatter_nd_max = "ScatterNdMax",
        "Replaces slices of a variable with the element-wise maximum of them and the updates.",
        DType::NUMBERS, false, Max => [8.0, 6.0, 4.0];
}

/// A write by the first of two operations, or for a resource variable by the second.
#[track_caller]
fn write(
    ops: [&'static OpDef; 2],
    variable: TensorRef,
    indices: &Operand,
    updates: &Operand,
) -> Tensor {
    let like = variable.into();
    let indices = indices.to_tensor_beside(like, "indices");
    let updates = updates.to_tensor_like(like, "updates");
    resource::written(ops, variable, |node| node.input(indices).input(updates))
}
