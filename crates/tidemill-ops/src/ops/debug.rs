//! `Print`, `Assert` and `CheckNumerics`.

use tidemill_graph::{
    Arg, AttrDef, Effect, Fallible, Inferred, Kernel, KernelCx, KernelError, NodeBuilder, NodeView,
    OpDef, OpError, Sample,
};
use tidemill_kernels::elementwise::find_non_finite;
use tidemill_value::{DType, Value};

use super::identity::same_fact;
use crate::operand::tensor;
use crate::operations::operations;
use crate::summarize::{Limit, summarize};
use crate::{Operand, Operation, Tensor};

operations! {
    ops: ASSERT, CHECK_NUMERICS, PRINT;
    exports: PrintOptions, assert, check_numerics, print, print_on, print_on_with, print_with;
}

/// The default number of elements of a tensor to print.
const SUMMARIZE: i64 = 3;

/// The input itself; prints other tensors.
pub static PRINT: OpDef = OpDef::new("Print", "The input itself; prints a list of tensors.")
    .inputs(&[Arg::of("input", "T"), Arg::mixed("data", "U")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(&[
        AttrDef::types("T", DType::ALL),
        AttrDef::str("message", ""),
        AttrDef::int("first_n", -1),
        AttrDef::int("summarize", SUMMARIZE),
    ])
    .effect(Effect::Print)
    .fallible(Fallible::Never)
    .infer(same_fact)
    .gradient(|cx| {
        let mut grads = smallvec::smallvec![None; cx.input_count()];
        grads[0] = Some(cx.grad());
        Ok(grads)
    })
    .kernel(print_kernel)
    .samples(|| {
        let inputs = vec![vec![Value::from(1.0_f32)], vec![Value::from(2), Value::from("x")]];
        vec![Sample { inputs, ..Sample::new([], Value::from(1.0_f32)) }.attr("message", "m: ")]
    });

struct Print {
    message: String,
    /// The number of runs that print, if it is limited.
    first_n: Option<u64>,
    limit: Limit,
}

fn print_kernel(node: &NodeView<'_>) -> Result<Box<dyn Kernel>, OpError> {
    Ok(Box::new(Print {
        message: node.str_attr("message")?.to_string(),
        first_n: u64::try_from(node.int_attr("first_n")?).ok(),
        limit: Limit(node.int_attr("summarize")?),
    }))
}

impl Kernel for Print {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let done = self.first_n.is_some_and(|limit| cx.host.count(cx.draw.key) >= limit);
        if !done {
            let mut line = self.message.clone();
            for value in cx.all_inputs()?.iter().skip(1) {
                line.push_str(&format!("[{}]", summarize(value, self.limit)));
            }
            cx.host.print(&line);
        }
        let input = cx.take(0)?;
        cx.set(0, input);
        Ok(())
    }
}

/// Fails the run if a condition does not hold.
pub static ASSERT: OpDef = OpDef::new("Assert", "Fails the run if a condition does not hold.")
    .inputs(&[Arg::is("condition", DType::Bool), Arg::mixed("data", "T")])
    .attrs(&[AttrDef::int("summarize", SUMMARIZE)])
    .effect(Effect::Assert)
    .fallible(Fallible::Values)
    .infer(|node| match node.shape(0).rank() {
        None | Some(0) => Ok(smallvec::SmallVec::new()),
        Some(_) => Err(OpError::Rank {
            input: "condition",
            expected: "no axes",
            actual: node.shape(0).clone(),
        }),
    })
    .kernel(|node| Ok(Box::new(Assert { limit: Limit(node.int_attr("summarize")?) })))
    .not_differentiable()
    .samples(|| {
        let inputs =
            |holds: bool| vec![vec![Value::from(holds)], vec![Value::from("x is"), 3.into()]];
        vec![
            Sample { inputs: inputs(true), ..Sample::shapes([]) },
            Sample { inputs: inputs(false), ..Sample::error([], "assertion failed: [x is] [3]") },
        ]
    });

struct Assert {
    limit: Limit,
}

impl Kernel for Assert {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        if cx.input(0)?.to_scalar::<bool>()? {
            return Ok(());
        }
        let inputs = cx.all_inputs()?;
        let data: Vec<String> = inputs
            .iter()
            .skip(1)
            .map(|value| format!("[{}]", summarize(value, self.limit)))
            .collect();
        Err(KernelError::Assertion { message: data.join(" ") })
    }
}

/// The input itself; fails if it has NaN or infinities.
pub static CHECK_NUMERICS: OpDef =
    OpDef::new("CheckNumerics", "The input itself; fails if it has NaN or infinities.")
        .inputs(&[Arg::of("tensor", "T")])
        .outputs(&[Arg::of("output", "T")])
        .attrs(&[AttrDef::widened("T", DType::FLOATS), AttrDef::str("message", "")])
        .effect(Effect::Assert)
        .fallible(Fallible::Values)
        .infer(|node| Inferred::one(node.shape(0)))
        .gradient(|cx| {
            let message = "Not a number (NaN) or infinity (Inf) values detected in gradient.";
            let grad = check_numerics(cx.grad::<Tensor>(), message);
            Ok([Some(grad.into())].into_iter().collect())
        })
        .kernel(|node| {
            Ok(Box::new(CheckNumerics { message: node.str_attr("message")?.to_string() }))
        })
        .samples(|| {
            let finite = Value::from([1.0_f32, -2.0]);
            let nan = Value::from([1.0_f32, f32::NAN]);
            let both = Value::from([f64::INFINITY, f64::NAN]);
            vec![
                Sample::new([finite.clone()], finite),
                Sample::error([nan], "here : Tensor had NaN values").attr("message", "here"),
                Sample::error([both], "Tensor had Inf and NaN values"),
            ]
        });

struct CheckNumerics {
    message: String,
}

impl Kernel for CheckNumerics {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let Some(found) = find_non_finite(cx.input(0)?) else {
            let value = cx.take(0)?;
            cx.set(0, value);
            return Ok(());
        };
        let infinite = found.positive_infinity || found.negative_infinity;
        let found = match (infinite, found.nan) {
            (true, false) => "Inf",
            (true, true) => "Inf and NaN",
            (false, _) => "NaN",
        };
        Err(KernelError::NonFinite { message: self.message.clone(), found })
    }
}

/// Options of [`print_with`].
#[derive(Clone, Debug)]
pub struct PrintOptions<'a> {
    /// The text before the tensors.
    pub message: &'a str,
    /// The number of elements of each tensor to print; all if negative.
    pub summarize: i64,
    /// The number of runs of a session that print; all if `None`.
    pub first_n: Option<u32>,
}

impl Default for PrintOptions<'_> {
    fn default() -> Self {
        PrintOptions { message: "", summarize: SUMMARIZE, first_n: None }
    }
}

/// The value of `x`; a run that needs it prints `data`, one tensor after the other, in brackets:
/// `[2][3]`.
///
/// It prints to standard error, unless the session has another sink. A run that does not need
/// the tensor returned here prints nothing, even if it needs `x`; see [`print_on`].
///
/// ```
/// use tidemill_ops::{constant, print};
/// let x = constant([1.0_f32, 2.0]);
/// assert_eq!(print(x * 2.0, [x]).shape().to_string(), "[2]");
/// ```
#[doc(alias = "Print")]
#[track_caller]
pub fn print<T: Into<Operand>>(x: impl Into<Operand>, data: impl IntoIterator<Item = T>) -> Tensor {
    print_with(x, data, PrintOptions::default())
}

/// [`print()`] with a message and limits.
///
/// ```
/// use tidemill_ops::{PrintOptions, constant, print_with};
/// let x = constant([1.0_f32, 2.0]);
/// let options = PrintOptions { message: "x: ", first_n: Some(3), ..PrintOptions::default() };
/// assert_eq!(print_with(x, [x], options).shape().to_string(), "[2]");
/// ```
#[track_caller]
pub fn print_with<T: Into<Operand>>(
    x: impl Into<Operand>,
    data: impl IntoIterator<Item = T>,
    options: PrintOptions<'_>,
) -> Tensor {
    let x = x.into().to_tensor();
    let mut inputs = Vec::new();
    for item in data {
        inputs.push(item.into().to_tensor());
    }
    let node = NodeBuilder::new(&PRINT).input(x).inputs(inputs);
    let first_n = options.first_n.map_or(-1, i64::from);
    tensor(
        node.attr("message", options.message)
            .attr("summarize", options.summarize)
            .attr("first_n", first_n),
    )
}

/// Inserts a [`print()`] that later nodes take in place of `x`: a run that needs a node built from
/// `x` after this call prints.
///
/// Nodes built before and their gradients do not print. Fetching or feeding `x` itself is not
/// affected. With several calls on the same `x`, later nodes pass through all of them.
///
/// ```
/// use tidemill_ops::functions::{constant, print_on, square};
///
/// let x = constant(3.0_f32);
/// print_on(x, [x]);
/// let y = square(x); // A run of `y` prints `[3]`.
/// assert_eq!(y.op().inputs()[0].op().op_type(), "Print");
/// ```
#[track_caller]
pub fn print_on<T: Into<Operand>>(
    x: impl Into<Operand>,
    data: impl IntoIterator<Item = T>,
) -> Tensor {
    print_on_with(x, data, PrintOptions::default())
}

/// [`print_on`] with a message and limits.
///
/// ```
/// use tidemill_ops::{PrintOptions, constant, print_on_with};
/// let x = constant([1.0_f32, 2.0]);
/// let options = PrintOptions { message: "x: ", ..PrintOptions::default() };
/// print_on_with(x, [x], options);
/// ```
#[track_caller]
pub fn print_on_with<T: Into<Operand>>(
    x: impl Into<Operand>,
    data: impl IntoIterator<Item = T>,
    options: PrintOptions<'_>,
) -> Tensor {
    let x = x.into().to_tensor();
    let printing = print_with(x, data, options);
    if let Some(graph) = printing.graph() {
        graph.replace_from_now_on(x.into(), printing.into());
    }
    printing
}

/// An operation that fails the run if `condition`, a `bool` of shape `[]`, is false; the error
/// shows `data`.
///
/// It has no output: to run it, fetch it or make other nodes depend on it with
/// `control_dependencies`.
///
/// ```
/// use tidemill_ops::{assert, constant, greater, reduce_all};
/// let x = constant([1.0_f32, 2.0]);
/// let check = assert(reduce_all(greater(x, 0.0), ..), [x]);
/// assert!(check.outputs().is_empty());
/// ```
#[doc(alias = "Assert")]
#[track_caller]
pub fn assert<T: Into<Operand>>(
    condition: impl Into<Operand>,
    data: impl IntoIterator<Item = T>,
) -> Operation {
    let condition = condition.into().to_tensor();
    let mut inputs = Vec::new();
    for item in data {
        inputs.push(item.into().to_tensor());
    }
    NodeBuilder::new(&ASSERT).input(condition).inputs(inputs).build().into()
}

/// The value of `x`; a run that needs it fails, with `message`, if it holds NaN or infinities.
///
/// ```
/// use tidemill_ops::{check_numerics, constant};
/// let x = check_numerics(constant([1.0_f32, 2.0]), "the loss");
/// assert_eq!(x.shape().to_string(), "[2]");
/// ```
#[doc(alias = "CheckNumerics")]
#[track_caller]
pub fn check_numerics(x: impl Into<Operand>, message: &str) -> Tensor {
    let x = x.into().to_tensor();
    tensor(NodeBuilder::new(&CHECK_NUMERICS).input(x).attr("message", message))
}
