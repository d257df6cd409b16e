//! Element-wise arithmetic on two inputs, and sums of many.

use tidemill_graph::{
    Arg, AttrDef, BuildErrorKind, Inferred, Kernel, KernelCx, KernelError, NodeBuilder, NodeView,
    OpDef, OpError, Sample, TensorRef, fail,
};
use tidemill_kernels::elementwise::{self as kernels, AnyBinary, Binary, Plain, Side};
use tidemill_kernels::with_binary;
use tidemill_value::{BinaryOp, DType, ScalarOp, Value, ValueError};

use super::array::{ones_like, zeros_like};
use super::compare::{equal, greater_equal, less, less_equal};
use super::division::mul_no_nan;
use super::math::neg;
use super::select::select;
use super::special::xlogy;
use super::tensor_list;
use crate::elementwise::scalar_kernel;
use crate::family::{NUMBERS, binary_family, binary_op, sample, with_gradient};
use crate::operand::tensor;
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    tables: binary;
    ops: ADD_N, ADD_V1;
    exports: add_n;
}

binary_family! {
    /// The sum, `x + y`. Integers wrap.
    ADD add = "AddV2"["Add"], NUMBERS, Add,
        (|cx| cx.grad(), cx.grad()),
        [1.0, -2.0, 0.5], [0.5, 4.0, -0.5] => [1.5, 2.0, 0.0];

    /// The difference, `x - y`. Integers wrap.
    SUB sub = "Sub"["Sub"], NUMBERS, Sub,
        (|cx| cx.grad(), neg(cx.grad::<Tensor>())),
        [1.0, -2.0, 0.5], [0.5, 4.0, -0.5] => [0.5, -6.0, 1.0];

    /// The product, `x * y`. Integers wrap.
    MUL mul = "Mul"["Mul"], NUMBERS, Mul,
        (|cx|
            cx.grad::<Tensor>() * cx.input::<Tensor>(1),
            cx.input::<Tensor>(0) * cx.grad::<Tensor>()),
        [1.0, -2.0, 0.5], [0.5, 4.0, -0.5] => [0.5, -8.0, -0.25];

    /// The quotient of floats, `x / y`.
    DIV div = "RealDiv"["truediv"], FLOATS, Div,
        (|cx|
            cx.grad::<Tensor>() / cx.input::<Tensor>(1),
            cx.grad::<Tensor>()
                * (-cx.input::<Tensor>(0) / cx.input::<Tensor>(1) / cx.input::<Tensor>(1))),
        [1.0, -2.0, 0.5], [0.5, 4.0, -0.5] => [2.0, -0.5, -1.0];

    /// The quotient rounded down to a whole number. Dividing an integer by zero is an error.
    FLOOR_DIV floor_div = "FloorDiv"["floordiv"], NUMBERS(Integers), FloorDiv,
        none,
        [7.0, -7.0, 7.5], [2.0, 2.0, -2.0] => [3.0, -4.0, -4.0];

    /// The remainder of [`floor_div`], which has the sign of `y`. Dividing an integer by zero is
    /// an error.
    FLOOR_MOD floor_mod = "FloorMod"["FloorMod"], NUMBERS(Integers), FloorMod,
        (|cx|
            cx.grad(),
            cx.grad::<Tensor>() * neg(floor_div(cx.input::<Tensor>(0), cx.input::<Tensor>(1)))),
        [7.0, -7.0, 7.5], [2.0, 2.0, -2.0] => [1.0, 1.0, -0.5];

    /// The power, `x` raised to `y`. Raising an integer to a negative power is an error.
    ///
    /// The gradient of an exponent is 0 where the base is negative, and where both are 0.
    POW pow = "Pow"["Pow"], NUMBERS(Integers), Pow,
        (|cx|
            by_base(cx.input(0), cx.input(1), cx.grad()),
            by_exponent([cx.input(0), cx.input(1)], cx.output(0), cx.grad())),
        [2.0, 0.5, 3.0], [3.0, 2.0, 1.0] => [8.0, 0.25, 3.0];

    /// The larger of two numbers; NaN if either is. The gradient goes to `x` where both are equal.
    MAXIMUM maximum = "Maximum"["Maximum"], NUMBERS, Maximum,
        (|cx|
            where_true(greater_equal(cx.input::<Tensor>(0), cx.input::<Tensor>(1)), cx.grad()),
            where_false(greater_equal(cx.input::<Tensor>(0), cx.input::<Tensor>(1)), cx.grad())),
        [1.0, -2.0, 0.5], [0.5, 4.0, -0.5] => [1.0, 4.0, 0.5];

    /// The smaller of two numbers; NaN if either is. The gradient goes to `x` where both are equal.
    MINIMUM minimum = "Minimum"["Minimum"], NUMBERS, Minimum,
        (|cx|
            where_true(less_equal(cx.input::<Tensor>(0), cx.input::<Tensor>(1)), cx.grad()),
            where_false(less_equal(cx.input::<Tensor>(0), cx.input::<Tensor>(1)), cx.grad())),
        [1.0, -2.0, 0.5], [0.5, 4.0, -0.5] => [0.5, -2.0, -0.5];

    /// The square of the difference, `(x - y) * (x - y)`.
    SQUARED_DIFFERENCE squared_difference = "SquaredDifference"["SquaredDifference"], NUMBERS,
        SquaredDifference,
        (|cx|
            cx.grad::<Tensor>() * 2.0 * (cx.input::<Tensor>(0) - cx.input::<Tensor>(1)),
            cx.grad::<Tensor>() * -2.0 * (cx.input::<Tensor>(0) - cx.input::<Tensor>(1))),
        [1.0, -2.0, 0.5], [0.5, 4.0, -0.5] => [0.25, 36.0, 1.0];
}

/// The sum, `x + y`, as older graphs name it. Integers wrap.
pub static ADD_V1: OpDef = with_gradient!(
    binary_op("Add", "The sum, `x + y`, as older graphs name it. Integers wrap.", NUMBERS)
        .scalar(ScalarOp::Binary(BinaryOp::Add))
        .kernel(scalar_kernel)
        .samples(|| sample([[1.0, -2.0, 0.5], [0.5, 4.0, -0.5]], [1.5, 2.0, 0.0])),
    (|cx| cx.grad(), cx.grad())
);

/// The gradient with respect to a base. If the exponent is 0, so is the gradient, whatever the base
/// is; the same holds for the powers in higher derivatives.
fn by_base(x: Tensor, y: Tensor, grad: Tensor) -> Tensor {
    mul_no_nan(mul_no_nan(pow(x, y - 1.0), y), grad)
}

/// The gradient of an exponent, the power times the logarithm of its base, by way of [`xlogy`],
/// which is 0 where the power is.
fn by_exponent([x, y]: [Tensor; 2], power: Tensor, grad: Tensor) -> Tensor {
    // The powers of 0 jump at 0; those of negative numbers exist only for whole exponents.
    let is_none = less(x, 0.0) | (equal(x, 0.0) & greater_equal(y, 0.0));
    mul_no_nan(xlogy(power, select(is_none, ones_like(power), x)), grad)
}

fn where_true(condition: Tensor, grad: Tensor) -> Tensor {
    select(condition, grad, zeros_like(grad))
}

fn where_false(condition: Tensor, grad: Tensor) -> Tensor {
    select(condition, zeros_like(grad), grad)
}

/// The types that can be summed: numbers, and lists of them.
const SUMMABLE: &[DType] = &[
    DType::F32,
    DType::F64,
    DType::F16,
    DType::BF16,
    DType::I8,
    DType::I16,
    DType::I32,
    DType::I64,
    DType::U8,
    DType::U16,
    DType::U32,
    DType::U64,
    DType::Variant,
];

/// The sum of several tensors of one shape; of lists, element by element.
pub static ADD_N: OpDef = OpDef::new("AddN", "The sum of several tensors of one shape.")
    .inputs(&[Arg::list("inputs", "T", "N")])
    .outputs(&[Arg::of("sum", "T")])
    .attrs(&[AttrDef::widened("T", SUMMABLE)])
    .infer(|node| {
        if node.dtype(0) == DType::Variant {
            return tensor_list::infer_sum(node);
        }
        let mut shapes = node.inputs().iter().map(|fact| &fact.shape);
        let first = shapes.next().cloned().unwrap_or_default();
        let shape = shapes.try_fold(first, |shape, other| shape.merge(other));
        Inferred::one(shape.map_err(OpError::from)?)
    })
    .gradient(|cx| {
        let grad: TensorRef = cx.grad();
        Ok(std::iter::repeat_n(Some(grad), cx.input_count()).collect())
    })
    .kernel(add_n_kernel)
    .samples(|| {
        let inputs = [[1.0_f32, 2.0], [0.5, -1.0], [2.0, 2.0]].map(Value::from);
        let sample = Sample::new([], Value::from([3.5_f32, 3.0]));
        vec![Sample { inputs: vec![inputs.into()], ..sample }]
    });

struct AddN<T>(Binary<T>);

fn add_n_kernel(node: &NodeView<'_>) -> Result<Box<dyn Kernel>, OpError> {
    let dtype = node.type_attr("T")?;
    if dtype == DType::Variant {
        return Ok(tensor_list::add_lists_kernel());
    }
    let add: AnyBinary = kernels::binary_loops(BinaryOp::Add, dtype)
        .ok_or(OpError::UnsupportedDType { op: node.op().name, dtype })?;
    Ok(with_binary!(add, f => Box::new(AddN(f))))
}

impl<T: Plain> Kernel for AddN<T> {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let mut sum = cx.take_unique(0)?;
        for i in 1..cx.input_count() {
            let other = cx.input(i)?;
            if other.shape() != sum.shape() {
                let (left, right) = (sum.shape().into(), other.shape().into());
                return Err(ValueError::Incompatible { left, right }.into());
            }
            self.0.in_place(Side::Left, sum.as_mut_slice()?, other.as_slice()?)?;
        }
        cx.set(0, sum);
        Ok(())
    }
}

/// The sum of several tensors of one type and shape, added from the first to the last. Lists are
/// added element by element; an absent element counts as zeros.
///
/// # Errors
/// No tensors, or tensors that differ in type or shape: they do not broadcast.
///
/// ```
/// use tidemill_ops::{add_n, constant};
/// let sum = add_n([constant([1.0_f32, 2.0]), constant([3.0_f32, 4.0])]);
/// assert_eq!(sum.shape().to_string(), "[2]");
/// ```
#[doc(alias = "AddN")]
#[track_caller]
pub fn add_n<T: Into<Operand>>(inputs: impl IntoIterator<Item = T>) -> Tensor {
    let mut tensors = Vec::new();
    for input in inputs {
        tensors.push(input.into().to_tensor());
    }
    if tensors.is_empty() {
        let kind = BuildErrorKind::Op(OpError::invalid("there is nothing to add"));
        return fail(None, "AddN", kind, Vec::new()).output(0).into();
    }
    tensor(NodeBuilder::new(&ADD_N).inputs(tensors))
}
