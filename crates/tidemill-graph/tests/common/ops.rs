//! A few operations, described like TensorFlow's. They have no kernels: nothing runs.

use smallvec::{SmallVec, smallvec};
use tidemill_graph::{
    Access, Arg, AttrDef, AttrDefault, AttrKind, Effect, Elements, Execution, Inferred, NodeView,
    OpDef, OpError,
};
use tidemill_value::{DType, Dim, PartialShape};

type Outputs = Result<SmallVec<[Inferred; 1]>, OpError>;

const T: AttrDef = AttrDef::types("T", DType::ALL);
const NUMBER: AttrDef = AttrDef::types("T", DType::NUMBERS);
const SHAPE: AttrDef = AttrDef::new("shape", AttrKind::Shape);

pub static PLACEHOLDER: OpDef = OpDef::new("Placeholder", "A value that is fed.")
    .outputs(&[Arg::of("output", "dtype")])
    .attrs(&[AttrDef::types("dtype", DType::ALL), SHAPE.default(AttrDefault::UnknownShape)])
    .execution(Execution::Placeholder)
    .infer(|node| Inferred::one(node.shape_attr("shape")?));

pub static CONST: OpDef = OpDef::new("Const", "A constant.")
    .outputs(&[Arg::of("output", "dtype")])
    .attrs(&[AttrDef::types("dtype", DType::ALL), AttrDef::new("value", AttrKind::Tensor)])
    .execution(Execution::Constant)
    .infer(|node| {
        let value = node.tensor_attr("value")?;
        let elements = Elements::of(&value);
        Ok(smallvec![Inferred::with_elements(value.shape().into(), elements)])
    });

pub static VARIABLE: OpDef = OpDef::new("VariableV2", "A variable.")
    .outputs(&[Arg::of("ref", "dtype").access(Access::Update)])
    .attrs(&[
        SHAPE,
        AttrDef::types("dtype", DType::ALL),
        AttrDef::str("container", ""),
        AttrDef::str("shared_name", ""),
    ])
    .execution(Execution::Variable)
    .infer(|node| Inferred::one(node.shape_attr("shape")?));

pub static ASSIGN: OpDef = OpDef::new("Assign", "Overwrites a variable.")
    .inputs(&[Arg::of("ref", "T").access(Access::Write), Arg::of("value", "T")])
    .outputs(&[Arg::of("output_ref", "T").access(Access::Update)])
    .attrs(&[T, AttrDef::bool("validate_shape", true), AttrDef::bool("use_locking", true)])
    .execution(Execution::Write)
    .infer(|node| Inferred::one(node.shape(0).merge(node.shape(1))?));

pub static ASSIGN_ADD: OpDef = OpDef::new("AssignAdd", "Adds to a variable.")
    .inputs(&[Arg::of("ref", "T").access(Access::Update), Arg::of("value", "T")])
    .outputs(&[Arg::of("output_ref", "T").access(Access::Update)])
    .attrs(&[NUMBER, AttrDef::bool("use_locking", false)])
    .execution(Execution::Write)
    .infer(|node| Inferred::one(node.shape(0).merge(node.shape(1))?));

pub static IDENTITY: OpDef = OpDef::new("Identity", "Its input.")
    .inputs(&[Arg::of("input", "T")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(&[T])
    .infer(same_as_input);

pub static NEG: OpDef = OpDef::new("Neg", "The negative.")
    .inputs(&[Arg::of("x", "T")])
    .outputs(&[Arg::of("y", "T")])
    .attrs(&[NUMBER])
    .infer(same_as_input);

pub static ADD: OpDef = OpDef::new("AddV2", "The sum.")
    .inputs(&[Arg::of("x", "T"), Arg::of("y", "T")])
    .outputs(&[Arg::of("z", "T")])
    .attrs(&[NUMBER])
    .broadcasts()
    .infer(|node| Inferred::one(node.shape(0).broadcast(node.shape(1))?));

pub static ADD_N: OpDef = OpDef::new("AddN", "The sum of all inputs.")
    .inputs(&[Arg::list("inputs", "T", "N")])
    .outputs(&[Arg::of("sum", "T")])
    .attrs(&[NUMBER])
    .infer(|node| {
        let mut shapes = node.inputs().iter().map(|fact| &fact.shape);
        let merged = shapes.try_fold(PartialShape::unknown(), |merged, s| merged.merge(s))?;
        Inferred::one(merged)
    });

pub static CONCAT: OpDef = OpDef::new("ConcatV2", "Tensors joined along an axis.")
    .inputs(&[Arg::list("values", "T", "N"), Arg::of("axis", "Tidx")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(&[T, AttrDef::types("Tidx", DType::INDICES)])
    .infer(|node| {
        let rank = node.inputs().first().and_then(|fact| fact.shape.rank());
        Inferred::one(rank.map_or(PartialShape::unknown(), PartialShape::of_rank))
    });

pub static SPLIT: OpDef = OpDef::new("Split", "Equal parts of a tensor along an axis.")
    .inputs(&[Arg::is("split_dim", DType::I32), Arg::of("value", "T")])
    .outputs(&[Arg::list("output", "T", "num_split")])
    .attrs(&[AttrDef::new("num_split", AttrKind::Int), T])
    .infer(infer_split);

pub static MATMUL: OpDef = OpDef::new("MatMul", "The product of two matrices.")
    .inputs(&[Arg::of("a", "T"), Arg::of("b", "T")])
    .outputs(&[Arg::of("product", "T")])
    .attrs(&[
        AttrDef::bool("transpose_a", false),
        AttrDef::bool("transpose_b", false),
        AttrDef::types("T", DType::NUMBERS),
        AttrDef::bool("grad_a", false),
        AttrDef::bool("grad_b", false),
    ])
    .infer(infer_matmul);

pub static CAST: OpDef = OpDef::new("Cast", "The same numbers of another type.")
    .inputs(&[Arg::of("x", "SrcT")])
    .outputs(&[Arg::of("y", "DstT")])
    .attrs(&[AttrDef::types("SrcT", DType::ALL), AttrDef::types("DstT", DType::ALL)])
    .infer(same_as_input);

pub static SQUEEZE: OpDef = OpDef::new("Squeeze", "Its input without axes of extent 1.")
    .inputs(&[Arg::of("input", "T")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(&[T, AttrDef::new("squeeze_dims", AttrKind::Ints).default(AttrDefault::Ints(&[]))])
    .infer(|_| Inferred::one(PartialShape::unknown()));

pub static RANDOM: OpDef = OpDef::new("RandomUniform", "Uniform random numbers.")
    .inputs(&[Arg::of("shape", "T")])
    .outputs(&[Arg::of("output", "dtype")])
    .attrs(&[
        AttrDef::types("T", DType::INDICES),
        AttrDef::types("dtype", DType::FLOATS),
        AttrDef::int("seed", 0),
        AttrDef::int("seed2", 0),
    ])
    .effect(Effect::Random)
    .infer(|node| Inferred::one(node.elements(0).and_then(Elements::as_shape).unwrap_or_default()));

pub static NO_OP: OpDef = OpDef::new("NoOp", "Nothing.");

pub static PRINT: OpDef = OpDef::new("Print", "Its input, after printing the data.")
    .inputs(&[Arg::of("input", "T"), Arg::mixed("data", "U")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(&[
        T,
        AttrDef::str("message", ""),
        AttrDef::int("first_n", -1),
        AttrDef::int("summarize", 3),
    ])
    .effect(Effect::Print)
    .infer(same_as_input);

pub static ASSERT: OpDef = OpDef::new("Assert", "Fails the run unless the condition holds.")
    .inputs(&[Arg::is("condition", DType::Bool), Arg::mixed("data", "T")])
    .attrs(&[AttrDef::int("summarize", 3)])
    .effect(Effect::Assert);

pub static PY_FUNC: OpDef = OpDef::new("PyFunc", "Calls a function of the host program.")
    .inputs(&[Arg::mixed("input", "Tin")])
    .outputs(&[Arg::mixed("output", "Tout")])
    .attrs(&[
        AttrDef::new("function", AttrKind::Function),
        AttrDef::new("Tout", AttrKind::Types),
        AttrDef::new("shapes", AttrKind::Shapes),
    ])
    .effect(Effect::Host)
    .infer(|node| Ok(node.shapes_attr("shapes")?.iter().cloned().map(Inferred::from).collect()));

/// An operation with an attribute of every kind that has a text form, all with a default or without
/// need of one.
pub static ATTRIBUTES: OpDef = OpDef::new("Attributes", "Nothing but attributes.").attrs(&[
    AttrDef::int("int", 0),
    AttrDef::float("float", 0.0),
    AttrDef::bool("bool", false),
    AttrDef::str("str", ""),
    AttrDef::types("type", DType::ALL).default(AttrDefault::Type(DType::F32)),
    AttrDef::new("shape", AttrKind::Shape).default(AttrDefault::UnknownShape),
    AttrDef::new("ints", AttrKind::Ints).default(AttrDefault::Ints(&[])),
]);

/// All of them.
pub static ALL: &[&OpDef] = &[
    &PLACEHOLDER,
    &CONST,
    &VARIABLE,
    &ASSIGN,
    &ASSIGN_ADD,
    &IDENTITY,
    &NEG,
    &ADD,
    &ADD_N,
    &CONCAT,
    &SPLIT,
    &MATMUL,
    &CAST,
    &SQUEEZE,
    &RANDOM,
    &NO_OP,
    &PRINT,
    &ASSERT,
    &PY_FUNC,
    &ATTRIBUTES,
];

fn same_as_input(node: &NodeView<'_>) -> Outputs {
    Inferred::one(node.shape(0).clone())
}

fn infer_split(node: &NodeView<'_>) -> Outputs {
    let count = node.int_attr("num_split")?;
    let parts = usize::try_from(count).ok().filter(|&parts| parts > 0);
    let parts = parts.ok_or_else(|| OpError::invalid(format!("num_split is {count}")))?;
    let axis = node.elements(0).and_then(Elements::known).and_then(|axis| axis.first().copied());
    let part = |(i, dim): (usize, &Dim)| match dim.known() {
        Some(extent) if axis == i64::try_from(i).ok() => Dim::from(extent / parts),
        Some(extent) if axis.is_some() => Dim::from(extent),
        _ => Dim::UNKNOWN,
    };
    let shape: PartialShape = match node.shape(1).dims() {
        Some(dims) => dims.iter().enumerate().map(part).collect(),
        None => PartialShape::unknown(),
    };
    Ok(std::iter::repeat_n(Inferred::from(shape), parts).collect())
}

fn infer_matmul(node: &NodeView<'_>) -> Outputs {
    let left = matrix(node, 0, "a", "transpose_a")?;
    let right = matrix(node, 1, "b", "transpose_b")?;
    if let (Some(left_dim), Some(right_dim)) = (left[1].known(), right[0].known())
        && left_dim != right_dim
    {
        let (left, right) = (left.into_iter().collect(), right.into_iter().collect());
        return Err(OpError::InnerDimensions { left, right, left_dim, right_dim });
    }
    Inferred::one([left[0], right[1]].into_iter().collect::<PartialShape>())
}

fn matrix(
    node: &NodeView<'_>,
    input: usize,
    name: &'static str,
    transpose: &'static str,
) -> Result<[Dim; 2], OpError> {
    let (rows, columns) = match node.shape(input).dims() {
        Some([rows, columns]) => (*rows, *columns),
        None => (Dim::UNKNOWN, Dim::UNKNOWN),
        Some(_) => {
            let actual = node.shape(input).clone();
            return Err(OpError::Rank { input: name, expected: "2 axes", actual });
        }
    };
    Ok(if node.bool_attr(transpose)? { [columns, rows] } else { [rows, columns] })
}
