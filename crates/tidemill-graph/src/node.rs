use std::ops::Range;
use std::sync::Arc;

use tidemill_value::{ByteString, DType, PartialShape, Value};

use crate::{
    Access, Arg, ArgType, Arity, Attr, Attrs, Body, Effect, Elements, Fact, HostFunction, Node,
    NodeView, OpDef, OpError, body,
};

impl Node {
    /// The node's use of input `position`.
    pub fn access(&self, position: usize) -> Access {
        if let Some(before) = self.op.execution.inputs_before_bodies() {
            let parameter =
                |body: &Body| body.parameters().get(position.checked_sub(before)?).copied();
            return body::parameter_access(self.bodies().filter_map(parameter));
        }
        let ranges = argument_ranges(self.op.inputs, &self.attrs);
        let mut arguments = self.op.inputs.iter().zip(ranges);
        let argument = arguments.find(|(_, range)| range.contains(&position));
        argument.map_or(Access::Read, |(arg, _)| arg.access)
    }

    /// The argument that output `slot` belongs to, and its position among the argument's tensors.
    pub fn output_argument(&self, slot: u32) -> Option<(&'static str, usize)> {
        let ranges = argument_ranges(self.op.outputs, &self.attrs);
        let mut arguments = self.op.outputs.iter().zip(ranges);
        let (arg, range) = arguments.find(|(_, range)| range.contains(&(slot as usize)))?;
        Some((arg.name, slot as usize - range.start))
    }

    /// The graphs that the node runs, in the order in which its operation names them.
    pub fn bodies(&self) -> impl Iterator<Item = &Body> {
        bodies(self.op, &self.attrs).map(AsRef::as_ref)
    }

    /// Whether a run of it draws random numbers.
    pub fn draws(&self) -> bool {
        self.op.effect == Effect::Random || self.bodies().any(Body::draws)
    }
}

fn bodies<'a>(op: &'static OpDef, attrs: &'a Attrs) -> impl Iterator<Item = &'a Arc<Body>> {
    let has_bodies = op.execution.inputs_before_bodies().is_some();
    let attrs = op.attrs.iter().filter(move |_| has_bodies).filter_map(|def| attrs.get(def.name));
    attrs.flat_map(|attr| match attr {
        Attr::Body(body) => std::slice::from_ref(body),
        Attr::Bodies(bodies) => bodies,
        _ => &[],
    })
}

impl<'a> NodeView<'a> {
    /// The view of a node from its parts. During inference there are no outputs yet.
    pub fn new(
        op: &'static OpDef,
        attrs: &'a Attrs,
        inputs: &'a [Fact],
        outputs: &'a [Fact],
    ) -> Self {
        NodeView { op, attrs, inputs, outputs }
    }

    /// The operation of the node.
    pub fn op(&self) -> &'static OpDef {
        self.op
    }

    /// The attributes that are stored with it.
    pub(crate) fn attrs(&self) -> &'a Attrs {
        self.attrs
    }

    /// The facts known about the inputs.
    pub fn inputs(&self) -> &'a [Fact] {
        self.inputs
    }

    /// The facts known about the outputs.
    pub fn outputs(&self) -> &'a [Fact] {
        self.outputs
    }

    /// The graphs that the node runs, in the order in which its operation names them.
    pub fn bodies(&self) -> impl Iterator<Item = &'a Arc<Body>> {
        bodies(self.op, self.attrs)
    }

    /// The shape of input `i`; dimensions may be unknown.
    pub fn shape(&self, i: usize) -> &'a PartialShape {
        &self.inputs[i].shape
    }

    /// The data type of input `i`.
    pub fn dtype(&self, i: usize) -> DType {
        self.inputs[i].dtype
    }

    /// The known elements of input `i`, if it is a small integer tensor.
    pub fn elements(&self, i: usize) -> Option<&'a Elements> {
        self.inputs[i].elements.as_ref()
    }

    /// The inputs of argument number `argument`.
    pub fn arguments(&self, argument: usize) -> Range<usize> {
        argument_ranges(self.op.inputs, self.attrs)
            .nth(argument)
            .unwrap_or(self.inputs.len()..self.inputs.len())
    }

    /// The attribute `name`: as stored, or else its default.
    fn attr(&self, name: &'static str) -> Result<Attr, OpError> {
        if let Some(attr) = self.attrs.get(name) {
            return Ok(attr.clone());
        }
        let default = self.op.attr(name).and_then(|def| def.default);
        default.map(|default| default.to_attr()).ok_or(OpError::MissingAttr { name })
    }

    /// The type attribute `name`: from the input whose type it is, or as stored.
    ///
    /// # Errors
    /// [`OpError::MissingAttr`] if the node has no attribute of that name, [`OpError::AttrKind`] if
    /// it is of another kind.
    pub fn type_attr(&self, name: &'static str) -> Result<DType, OpError> {
        let bound = bound_input(self.op, self.attrs, name).and_then(|i| self.inputs.get(i));
        if let Some(fact) = bound {
            return Ok(fact.dtype);
        }
        expect_kind(name, "type", self.attr(name)?, |attr| match attr {
            Attr::Type(dtype) => Ok(dtype),
            other => Err(other),
        })
    }
}

/// The first input whose type is given by the type attribute `name`.
pub(crate) fn bound_input(op: &OpDef, attrs: &Attrs, name: &str) -> Option<usize> {
    op.inputs
        .iter()
        .zip(argument_ranges(op.inputs, attrs))
        .find(|(arg, range)| {
            arg.dtype == ArgType::Attr(name_of(name, arg))
                && !matches!(arg.arity, Arity::Types(_))
                && !range.is_empty()
        })
        .map(|(_, range)| range.start)
}

/// The argument's own copy of the attribute name, if it is that name.
fn name_of(name: &str, arg: &Arg) -> &'static str {
    match arg.dtype {
        ArgType::Attr(attr) if attr == name => attr,
        _ => "",
    }
}

/// The range of the flat inputs (or outputs) of each argument.
pub(crate) fn argument_ranges<'a>(
    args: &'a [Arg],
    attrs: &'a Attrs,
) -> impl Iterator<Item = Range<usize>> + 'a {
    args.iter().scan(0usize, move |start, arg| {
        let count = match arg.arity {
            Arity::One => 1,
            Arity::Count(name) => match attrs.get(name) {
                Some(Attr::Int(count)) => usize::try_from(*count).unwrap_or(0),
                _ => 0,
            },
            Arity::Types(name) => match attrs.get(name) {
                Some(Attr::Types(types)) => types.len(),
                _ => 0,
            },
        };
        let range = *start..start.saturating_add(count);
        *start = range.end;
        Some(range)
    })
}

fn expect_kind<T>(
    name: &'static str,
    expected: &'static str,
    attr: Attr,
    take: impl FnOnce(Attr) -> Result<T, Attr>,
) -> Result<T, OpError> {
    take(attr).map_err(|other| OpError::AttrKind { name, expected, actual: other.kind() })
}

macro_rules! attr_getters {
    ($($(#[$doc:meta])* $function:ident, $kind:literal, $variant:ident => $rust:ty;)*) => {
        impl NodeView<'_> {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// [`OpError::MissingAttr`] if the node has no attribute of that name,
            /// [`OpError::AttrKind`] if it is of another kind.
            pub fn $function(&self, name: &'static str) -> Result<$rust, OpError> {
                expect_kind(name, $kind, self.attr(name)?, |attr| match attr {
                    Attr::$variant(x) => Ok(x),
                    other => Err(other),
                })
            }
        )*}
    };
}

attr_getters! {
    /// The int attribute `name`.
    int_attr, "int", Int => i64;
    /// The float attribute `name`.
    float_attr, "float", Float => f32;
    /// The bool attribute `name`.
    bool_attr, "bool", Bool => bool;
    /// The string attribute `name`.
    str_attr, "string", Str => ByteString;
    /// The shape attribute `name`.
    shape_attr, "shape", Shape => PartialShape;
    /// The tensor attribute `name`.
    tensor_attr, "tensor", Tensor => Value;
    /// The attribute `name`, a list of ints.
    ints_attr, "list(int)", Ints => Arc<[i64]>;
    /// The attribute `name`, a list of strings.
    strs_attr, "list(string)", Strs => Arc<[ByteString]>;
    /// The attribute `name`, a list of types.
    types_attr, "list(type)", Types => Arc<[DType]>;
    /// The attribute `name`, a list of shapes.
    shapes_attr, "list(shape)", Shapes => Arc<[PartialShape]>;
    /// The attribute `name`, a function of the host program.
    function_attr, "function", Function => Arc<HostFunction>;
}
