//! Writes to rows of variables: `ScatterUpdate`, `ScatterAdd` and so on.

use smallvec::SmallVec;
use tidemill_graph::{
    Access, Arg, AttrDef, Execution, Fallible, Inferred, Kernel, KernelCx, NodeView, OpDef,
    OpError, Sample, TensorRef,
};
use tidemill_kernels::layout::{self, Combine};
use tidemill_value::{DType, PartialShape, Value};

use super::resource;
use crate::sample::array;
use crate::{Operand, Tensor};

/// A write to the rows of a variable that indices number.
const fn scatter(name: &'static str, summary: &'static str) -> OpDef {
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
        .fallible(Fallible::Values)
        .infer(infer)
        .not_differentiable()
}

/// The attributes, where the variable holds one of these types.
macro_rules! attrs {
    ($types:expr, $locks:literal) => {
        &[
            AttrDef::types("T", $types),
            AttrDef::types("Tindices", DType::INDICES),
            AttrDef::bool("use_locking", $locks),
        ]
    };
}

pub(super) fn infer(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let (variable, indices, updates) = (node.shape(0), node.shape(1), node.shape(2));
    if variable.rank() == Some(0) {
        let (input, actual) = ("ref", variable.clone());
        return Err(OpError::Rank { input, expected: "at least 1 axis", actual });
    }
    if let (Some(variable), Some(indices)) = (variable.dims(), indices.dims())
        && updates.rank() != Some(0)
    {
        let numbered: PartialShape = indices.iter().chain(&variable[1..]).copied().collect();
        numbered.merge(updates)?;
    }
    Inferred::one(variable)
}

pub(super) fn kernel(combine: Combine) -> Box<dyn Kernel> {
    Box::new(move |cx: &mut KernelCx<'_>| {
        let variable = cx.take(0)?;
        let written = layout::scatter_rows(variable, cx.input(1)?, cx.input(2)?, combine)?;
        cx.set(0, written);
        Ok(())
    })
}

/// Samples of `[8, 6, 4]` with 2 and 3 for the last and the first.
fn samples(expected: [f32; 3]) -> Vec<Sample> {
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

/// Declares scatters and their builder functions, a row for each.
macro_rules! scatters {
    ($(
        $(#[doc = $doc:literal])*
        $op:ident $function:ident = $name:literal, $summary:literal,
            $types:expr, $locks:literal, $combine:ident => $expected:expr;
    )*) => {$(
        #[doc = $summary]
        pub static $op: OpDef = scatter($name, $summary)
            .attrs(attrs!($types, $locks))
            .kernel(|_| Ok(kernel(Combine::$combine)))
            .samples(|| samples($expected));

        $(#[doc = $doc])*
        ///
        /// `updates` have the shape of `indices`, followed by that of a row, or are a single number
        /// for all. The result is what the variable holds then.
        ///
        /// # Errors
        /// Updates of another type or shape; in a run, an index that is not the number of a row. The
        /// variable then stays as it is.
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
    /// Puts `updates` in place of the rows of `variable` that `indices` number. Of several for
    /// one row, the last stays.
    SCATTER_UPDATE scatter_update = "ScatterUpdate",
        "Puts updates in place of rows of a variable.",
        DType::ALL, true, Update => [3.0, 6.0, 2.0];

    /// Adds `updates` to the rows of `variable` that `indices` number; several for one row are all
    /// added to it.
    SCATTER_ADD scatter_add = "ScatterAdd", "Adds updates to rows of a variable.",
        DType::NUMBERS, false, Add => [11.0, 6.0, 6.0];

    /// Subtracts `updates` from the rows of `variable` that `indices` number; several for one row
    /// are all subtracted from it.
    SCATTER_SUB scatter_sub = "ScatterSub", "Subtracts updates from rows of a variable.",
        DType::NUMBERS, false, Sub => [5.0, 6.0, 2.0];

    /// Multiplies the rows of `variable` that `indices` number by `updates`.
    SCATTER_MUL scatter_mul = "ScatterMul", "Multiplies rows of a variable by updates.",
        DType::NUMBERS, false, Mul => [24.0, 6.0, 8.0];

    /// Divides the rows of `variable` that `indices` number by `updates`. To divide an integer by
    /// zero is an error.
    SCATTER_DIV scatter_div = "ScatterDiv", "Divides rows of a variable by updates.",
        DType::NUMBERS, false, Div => [8.0 / 3.0, 6.0, 2.0];

    /// Leaves in the rows of `variable` that `indices` number the smaller of what they hold and of
    /// `updates`.
    SCATTER_MIN scatter_min = "ScatterMin",
        "Leaves the smaller of updates and rows of a variable in those.",
        DType::NUMBERS, false, Min => [3.0, 6.0, 2.0];

    /// Leaves in the rows of `variable` that `indices` number the larger of what they hold and of
    /// `updates`.
    SCATTER_MAX scatter_max = "ScatterMax",
        "Leaves the larger of updates and rows of a variable in those.",
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
