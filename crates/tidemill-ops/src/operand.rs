use std::borrow::Cow;

use tidemill_graph::{
    BuildErrorKind, CompositeScope, Graph, GraphKey, Location, NodeBuilder, OpDef, TensorRef,
    default_graph, fail,
};
use tidemill_value::{
    ByteString, DType, Element, IntoValue, PartialShape, Scalar, Value, ValueError,
};

pub(crate) use crate::handle::tensor;
use crate::index::shape_tensor;
use crate::ops::constant::constant_node;
use crate::{Tensor, Variable};

/// An argument of a builder function: a tensor, a variable, a value, or a Rust number, which takes
/// the data type of the other operand.
#[derive(Clone, Debug)]
pub enum Operand {
    /// A tensor.
    Tensor(Tensor),
    /// A variable, to be read.
    Variable(Variable),
    /// A number, which takes the required type.
    Number(Scalar),
    /// An array, which keeps its type.
    Value(Result<Value, ValueError>),
}

impl From<Tensor> for Operand {
    fn from(tensor: Tensor) -> Self {
        Operand::Tensor(tensor)
    }
}

impl From<&Tensor> for Operand {
    fn from(tensor: &Tensor) -> Self {
        Operand::Tensor(*tensor)
    }
}

impl From<Variable> for Operand {
    fn from(variable: Variable) -> Self {
        Operand::Variable(variable)
    }
}

impl From<&Variable> for Operand {
    fn from(variable: &Variable) -> Self {
        Operand::Variable(*variable)
    }
}

impl From<Value> for Operand {
    fn from(value: Value) -> Self {
        Operand::Value(Ok(value))
    }
}

impl From<PartialShape> for Operand {
    /// The extents, as operations on lists take them (see [`PartialShape::to_value`]).
    fn from(shape: PartialShape) -> Self {
        Operand::Value(Ok(shape.to_value()))
    }
}

impl From<&str> for Operand {
    fn from(text: &str) -> Self {
        Operand::Value(Ok(text.into()))
    }
}

impl From<usize> for Operand {
    /// A number, which takes the required type; by itself, it is an `int64`.
    fn from(number: usize) -> Self {
        Operand::Number(i64::try_from(number).unwrap_or(i64::MAX).into())
    }
}

impl<const N: usize> From<[usize; N]> for Operand {
    /// Extents or axes: a list of `int32`, or of `int64` if one is larger.
    fn from(extents: [usize; N]) -> Self {
        Operand::Value(Ok(shape_tensor(&extents)))
    }
}

impl<T: Element> From<Vec<T>> for Operand {
    fn from(elements: Vec<T>) -> Self {
        Operand::Value(Ok(elements.into()))
    }
}

impl<const N: usize> From<[&str; N]> for Operand {
    fn from(texts: [&str; N]) -> Self {
        Operand::Value(Ok(texts.map(ByteString::from).into()))
    }
}

macro_rules! operand_from_number {
    ($($rust:ty),*) => {$(
        impl From<$rust> for Operand {
            fn from(number: $rust) -> Self {
                Operand::Number(number.into())
            }
        }

        impl<const N: usize> From<[$rust; N]> for Operand {
            fn from(elements: [$rust; N]) -> Self {
                Operand::Value(Ok(elements.into()))
            }
        }

        impl<const N: usize, const M: usize> From<[[$rust; N]; M]> for Operand {
            fn from(rows: [[$rust; N]; M]) -> Self {
                Operand::Value(rows.into_value())
            }
        }
    )*};
}

operand_from_number!(f32, f64, i8, i16, i32, i64, u8, u16, u32, u64, bool);

impl Operand {
    /// The tensor, if the operand is one or reads one. A variable under `control_dependencies` gets
    /// a new read, created here.
    #[track_caller]
    pub(crate) fn as_tensor(&self) -> Option<Tensor> {
        match self {
            Operand::Tensor(tensor) => Some(*tensor),
            Operand::Variable(variable) => Some(variable.read()),
            Operand::Number(_) | Operand::Value(_) => None,
        }
    }

    /// The operand as a tensor of its own type. A number or value becomes a constant.
    #[track_caller]
    pub fn to_tensor(&self) -> Tensor {
        self.to_tensor_named("Const")
    }

    /// The operand as a tensor of its own type; a number or value becomes a constant with this
    /// name.
    #[track_caller]
    pub(crate) fn to_tensor_named(&self, name: &'static str) -> Tensor {
        self.tensor_or_constant(None, name, None)
    }

    /// The operand as a tensor; a number or value as a constant.
    ///
    /// This is not a closure of `unwrap_or_else`, because a closure would lose the line of the
    /// caller.
    #[track_caller]
    fn tensor_or_constant(
        &self,
        graph: Option<GraphKey>,
        name: &'static str,
        dtype: Option<DType>,
    ) -> Tensor {
        match self.as_tensor() {
            Some(tensor) => tensor,
            None => self.to_constant(graph, Cow::Borrowed(name), dtype),
        }
    }

    /// The operand as a tensor; a number or value becomes a constant of this graph, with this name.
    #[track_caller]
    pub(crate) fn to_tensor_in(&self, graph: GraphKey, name: &'static str) -> Tensor {
        self.as_tensor().unwrap_or_else(|| self.to_constant(Some(graph), Cow::Borrowed(name), None))
    }

    /// The operand as a tensor next to `other`: a number takes the type of `other`. A number or
    /// value becomes a constant called `name` in the graph of `other`.
    #[track_caller]
    pub fn to_tensor_like(&self, other: Tensor, name: &'static str) -> Tensor {
        match self.as_tensor() {
            Some(tensor) => tensor,
            // Next to an invalid tensor, a constant would only add noise.
            None if takes_no_constant(other) => other,
            None => {
                let graph = TensorRef::from(other).graph();
                self.to_constant(Some(graph), Cow::Borrowed(name), other.dtype())
            }
        }
    }

    /// The operand as a tensor of its own type next to another one. A number or value becomes a
    /// constant of its graph, with this name.
    #[track_caller]
    pub(crate) fn to_tensor_beside(&self, other: Tensor, name: &'static str) -> Tensor {
        match self.as_tensor() {
            Some(tensor) => tensor,
            None if takes_no_constant(other) => other,
            None => {
                let graph = TensorRef::from(other).graph();
                self.to_constant(Some(graph), Cow::Borrowed(name), None)
            }
        }
    }

    /// The operand as a tensor of this type, if it is a number; as [`Operand::to_tensor`]
    /// otherwise.
    #[track_caller]
    pub fn to_tensor_of(
        &self,
        graph: Option<GraphKey>,
        dtype: DType,
        name: &'static str,
    ) -> Tensor {
        self.tensor_or_constant(graph, name, Some(dtype))
    }

    #[track_caller]
    fn to_constant(
        &self,
        graph: Option<GraphKey>,
        name: Cow<'static, str>,
        dtype: Option<DType>,
    ) -> Tensor {
        let value = match self {
            Operand::Number(number) => match dtype {
                Some(dtype) => number.adopt(dtype).map(Value::from),
                None => Ok(Value::from(*number)),
            },
            Operand::Value(value) => value.clone(),
            // `as_tensor` has covered both.
            Operand::Tensor(tensor) => return *tensor,
            Operand::Variable(variable) => return variable.read(),
        };
        match value {
            Ok(value) => constant_node(graph, name, value),
            Err(error) => {
                let kind = BuildErrorKind::Op(error.into());
                fail(graph, name, kind, Vec::new()).output(0).into()
            }
        }
    }
}

/// Converts an argument of a builder function to a tensor: a tensor stays as it is, a variable is
/// read, and a number or a value becomes a constant.
///
/// ```
/// use tidemill_ops::{convert_to_tensor, get_variable, zeros};
/// let bias = convert_to_tensor(get_variable("bias", [3], zeros()));
/// assert_eq!(bias.name(), "bias/read:0");
/// ```
#[track_caller]
pub fn convert_to_tensor(value: impl Into<Operand>) -> Tensor {
    value.into().to_tensor()
}

/// Adds an operation of one input and one output.
#[track_caller]
pub(crate) fn unary(op: &'static OpDef, x: impl Into<Operand>) -> Tensor {
    tensor(NodeBuilder::new(op).input(x.into().to_tensor()))
}

/// Adds an operation of two inputs and one output. A number on one side takes the type of the
/// other, and is named below the operation: `add/y`.
#[track_caller]
pub(crate) fn binary(
    op: &'static OpDef,
    name: &'static str,
    x: impl Into<Operand>,
    y: impl Into<Operand>,
) -> Tensor {
    let (x, y) = (x.into(), y.into());
    let (left, right) = (x.as_tensor(), y.as_tensor());
    if let (Some(x), Some(y)) = (left, right) {
        return tensor(NodeBuilder::new(op).name(name).input(x).input(y));
    }
    composite(left.or(right).and_then(Tensor::graph), name, |full| {
        let (x, y) = match (left, right) {
            (None, Some(y)) => (x.to_tensor_like(y, "x"), y),
            _ => {
                let x = left.unwrap_or_else(|| x.to_constant(None, Cow::Borrowed("x"), None));
                (x, y.to_tensor_like(x, "y"))
            }
        };
        tensor(NodeBuilder::new(op).exact_name(full).input(x).input(y))
    })
}

/// Adds an operation of a tensor and a small integer tensor of positions or axes: if that is given
/// as numbers, it becomes a constant named below the operation, `Sum/reduction_indices`.
#[track_caller]
pub(crate) fn indexed(
    op: &'static OpDef,
    name: &'static str,
    x: Tensor,
    (index_name, index): (&'static str, Operand),
    finish: impl FnOnce(NodeBuilder) -> NodeBuilder,
) -> Tensor {
    let given = index.as_tensor().or(x.is_invalid().then_some(x));
    if let Some(index) = given {
        return tensor(finish(NodeBuilder::new(op).name(name).input(x).input(index)));
    }
    let graph = TensorRef::from(x).graph();
    composite(x.graph(), name, |full| {
        let index = index.to_constant(Some(graph), Cow::Borrowed(index_name), None);
        tensor(finish(NodeBuilder::new(op).exact_name(full).input(x).input(index)))
    })
}

/// Builds a composite function: the nodes that `build` adds are named below `name`, which is made
/// unique and passed to `build`, and carry the line of the caller.
#[track_caller]
pub fn composite<R>(graph: Option<Graph>, name: &str, build: impl FnOnce(&str) -> R) -> R {
    let scope = enter_composite(graph, name, Location::caller());
    build(scope.name())
}

fn enter_composite(graph: Option<Graph>, name: &str, location: Location) -> CompositeScope {
    CompositeScope::enter(&graph.unwrap_or_else(default_graph), name, location)
}

/// True if a constant next to this tensor would only add noise to an existing error.
fn takes_no_constant(tensor: Tensor) -> bool {
    tensor.is_invalid() || tensor.graph().is_none_or(|graph| graph.is_complete_body())
}
