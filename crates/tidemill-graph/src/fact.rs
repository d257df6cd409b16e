use std::fmt;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};
use tidemill_value::{DType, Dim, PartialShape, TensorList, Value};

use crate::OpError;

/// The facts known about a tensor before a run: dtype, shape, role, elements.
#[derive(Clone, PartialEq)]
pub struct Fact {
    /// The type of its elements.
    pub dtype: DType,
    /// Its shape; dimensions may be unknown.
    pub shape: PartialShape,
    /// Whether it is a value or names a variable.
    pub role: Role,
    /// Its elements; some may be unknown.
    pub elements: Option<Elements>,
    /// For a list: the facts known about all tensors in it.
    pub list: Option<Arc<Fact>>,
}

/// The role of a tensor. The type and shape of a tensor that names a variable are the variable's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Role {
    /// A value.
    #[default]
    Value,
    /// The storage of a variable, which can be used as a value (TensorFlow's `Ref` types).
    Ref,
    /// The handle of a variable, which is not a value (TensorFlow's `resource` type).
    Handle,
    /// Unknown, like the type and shape of the tensor: it is made by a node that is not understood,
    /// and only such nodes take it.
    Unknown,
}

impl Role {
    /// The suffix of the data type in the text form.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Role::Value => "",
            Role::Ref => "_ref",
            Role::Handle => "_handle",
            Role::Unknown => "_unknown",
        }
    }
}

impl Fact {
    /// The fact of a value with this data type and shape.
    pub fn new(dtype: DType, shape: impl Into<PartialShape>) -> Self {
        Inferred::from(shape.into()).into_fact(dtype, Role::Value)
    }

    /// Whether gradients pass through: they pass through floats and lists of floats.
    pub fn is_differentiable(&self) -> bool {
        match &self.list {
            Some(elements) => elements.is_differentiable(),
            None => self.dtype.is_differentiable(),
        }
    }

    /// The facts that hold for a value if this fact or the other holds.
    pub fn either(&self, other: &Fact) -> Fact {
        let list = match (&self.list, &other.list) {
            (Some(l), Some(r)) if l.dtype == r.dtype => Some(Arc::new(l.either(r))),
            _ => None,
        };
        let elements = self.elements.clone().filter(|known| other.elements.as_ref() == Some(known));
        Fact { shape: self.shape.relax(&other.shape), elements, list, ..self.clone() }
    }

    /// The facts of a concrete value.
    pub fn of(value: &Value) -> Self {
        let list = match value.as_slice::<TensorList>() {
            Ok([list]) => Some(Arc::new(Fact::new(list.dtype(), list.shape().clone()))),
            _ => None,
        };
        Fact { elements: Elements::of(value), list, ..Fact::new(value.dtype(), value.shape()) }
    }
}

impl fmt::Display for Fact {
    /// In the notation of the text form: `float32_ref[3]` for the storage of a variable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dtype, self.role.suffix())?;
        match self.shape.dims() {
            Some(_) => write!(f, "{}", self.shape),
            None => f.write_str("[..]"),
        }
    }
}

/// A tensor by its name, for a message: `` `x`, float32[3] ``, or `` the variable `v`, float32[3] ``.
pub struct ShownTensor<'a> {
    /// Its name.
    pub name: &'a str,
    /// The facts known about it.
    pub fact: &'a Fact,
}

impl fmt::Display for ShownTensor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ShownTensor { name, fact } = self;
        f.write_str(match fact.role {
            Role::Value => "",
            Role::Ref => "the variable ",
            Role::Handle => "the handle of the variable ",
            Role::Unknown => "of unknown type, ",
        })?;
        let value = Fact { role: Role::Value, elements: None, list: None, ..(*fact).clone() };
        write!(f, "`{name}`, {value}")
    }
}

impl fmt::Debug for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The elements of a small integer tensor in row-major order, each known or not. Shapes, axes and
/// permutations are such tensors, and shape inference uses their elements.
#[derive(Clone, PartialEq, Debug)]
pub struct Elements(Arc<[Option<i64>]>);

impl Elements {
    /// The elements of larger tensors are not tracked.
    pub const LIMIT: usize = 64;

    /// The elements of a concrete value, if it is a small `int32` or `int64` one.
    pub fn of(value: &Value) -> Option<Self> {
        if value.elements() > Elements::LIMIT {
            return None;
        }
        match value.dtype() {
            DType::I32 => {
                Some(value.as_slice::<i32>().ok()?.iter().map(|&x| Some(x.into())).collect())
            }
            DType::I64 => Some(value.as_slice::<i64>().ok()?.iter().map(|&x| Some(x)).collect()),
            _ => None,
        }
    }

    /// The extents of a shape as the elements of a tensor.
    pub fn of_shape(shape: &PartialShape) -> Option<Self> {
        let dims = shape.dims().filter(|dims| dims.len() <= Elements::LIMIT)?;
        dims.iter().map(|dim| Some(dim.known().and_then(|d| i64::try_from(d).ok()))).collect()
    }

    /// The elements, if all are known.
    pub fn known(&self) -> Option<Vec<i64>> {
        self.0.iter().copied().collect()
    }

    /// The elements as the dimensions of a shape; `-1` is an unknown dimension, as in TensorFlow.
    /// `None` if one is less than -1.
    pub fn as_shape(&self) -> Option<PartialShape> {
        let dim = |element: &Option<i64>| match element {
            None | Some(-1) => Some(Dim::UNKNOWN),
            Some(extent) => usize::try_from(*extent).ok().map(Dim::from),
        };
        self.0.iter().map(dim).collect()
    }
}

impl std::ops::Deref for Elements {
    type Target = [Option<i64>];

    fn deref(&self) -> &[Option<i64>] {
        &self.0
    }
}

impl FromIterator<Option<i64>> for Elements {
    fn from_iter<I: IntoIterator<Item = Option<i64>>>(elements: I) -> Self {
        collected(&mut elements.into_iter())
    }
}

/// Compiled once, not once for each iterator.
fn collected(elements: &mut dyn Iterator<Item = Option<i64>>) -> Elements {
    Elements(elements.collect())
}

/// The result of shape inference for one output.
#[derive(Clone, Debug)]
pub struct Inferred {
    /// The shape; dimensions may be unknown.
    pub shape: PartialShape,
    /// The elements of a small integer tensor; some may be unknown.
    pub elements: Option<Elements>,
    /// For a list: the facts known about all tensors in it.
    pub list: Option<Arc<Fact>>,
}

impl From<PartialShape> for Inferred {
    fn from(shape: PartialShape) -> Self {
        Inferred { shape, elements: None, list: None }
    }
}

impl Inferred {
    /// A shape, with the elements as far as they are known.
    pub fn with_elements(shape: PartialShape, elements: Option<Elements>) -> Self {
        Inferred { shape, elements, list: None }
    }

    /// All known facts of a tensor except its type.
    pub fn same_as(fact: &Fact) -> Self {
        Inferred {
            shape: fact.shape.clone(),
            elements: fact.elements.clone(),
            list: fact.list.clone(),
        }
    }

    /// The fact of an output with this type.
    pub fn into_fact(self, dtype: DType, role: Role) -> Fact {
        let Inferred { shape, elements, list } = self;
        // Of a tensor without elements, all are known.
        let is_empty = || DType::INDICES.contains(&dtype) && shape.elements() == Some(0);
        let elements = elements.or_else(|| is_empty().then(|| Elements::from_iter([])));
        Fact { dtype, role, shape, elements, list }
    }

    /// A list of tensors with this fact.
    pub fn list_of(elements: Fact) -> Self {
        Inferred { list: Some(Arc::new(elements)), ..Inferred::from(PartialShape::scalar()) }
    }

    /// The result of inference for an operation with one output.
    pub fn one(shape: impl Into<PartialShape>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
        Ok(smallvec![Inferred::from(shape.into())])
    }
}
