//! Descriptions of attributes.

use tidemill_value::DType;

/// The description of an attribute.
#[derive(Clone, Copy, Debug)]
pub struct AttrDef {
    /// TensorFlow's name for it.
    pub name: &'static str,
    /// Its kind.
    pub kind: AttrKind,
    /// Its default; without one, it must be given.
    pub default: Option<AttrDefault>,
    /// For a type: the types that kernels get in its place.
    pub widening: Widening,
}

/// The wider types that an operation's kernels get in place of short ones (see [`DType::wide`]).
/// Results are converted back: floats are rounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Widening {
    /// Kernels get every type as it is.
    Never,
    /// 16-bit floats are widened; short integers are not. For integer functions whose intermediate
    /// results must wrap in the short type.
    Floats,
    /// Kernels get neither 16-bit floats nor short integers; results wrap.
    Wrapping,
    /// Kernels get neither 16-bit floats nor short integers; results are limited to the range of
    /// the short type. For functions that return the type's minimum or maximum when there are no
    /// elements, such as `reduce_max`.
    Saturating,
}

/// The kind of an attribute's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum AttrKind {
    Int,
    Float,
    Bool,
    Str,
    /// One of these data types.
    Type(&'static [DType]),
    Shape,
    Tensor,
    Ints,
    Strs,
    Types,
    Shapes,
    Function,
    Body,
    Bodies,
}

/// The default of an attribute.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum AttrDefault {
    Int(i64),
    Float(f32),
    Bool(bool),
    Str(&'static str),
    Type(DType),
    UnknownShape,
    Ints(&'static [i64]),
    NoStrs,
    NoShapes,
}

impl AttrDef {
    /// An attribute that must be given.
    pub const fn new(name: &'static str, kind: AttrKind) -> Self {
        AttrDef { name, kind, default: None, widening: Widening::Never }
    }

    /// The type attribute `name`, one of `allowed`.
    pub const fn types(name: &'static str, allowed: &'static [DType]) -> Self {
        AttrDef::new(name, AttrKind::Type(allowed))
    }

    /// The type attribute `name`, one of `allowed`. The operation's kernels get wider types in
    /// place of short ones, by [`Widening::Wrapping`].
    pub const fn widened(name: &'static str, allowed: &'static [DType]) -> Self {
        AttrDef::types(name, allowed).widening(Widening::Wrapping)
    }

    /// Sets the types that the operation's kernels get in place of this one.
    pub const fn widening(mut self, widening: Widening) -> Self {
        self.widening = widening;
        self
    }

    /// The int attribute `name`.
    pub const fn int(name: &'static str, default: i64) -> Self {
        AttrDef::new(name, AttrKind::Int).default(AttrDefault::Int(default))
    }

    /// The float attribute `name`.
    pub const fn float(name: &'static str, default: f32) -> Self {
        AttrDef::new(name, AttrKind::Float).default(AttrDefault::Float(default))
    }

    /// The bool attribute `name`.
    pub const fn bool(name: &'static str, default: bool) -> Self {
        AttrDef::new(name, AttrKind::Bool).default(AttrDefault::Bool(default))
    }

    /// The string attribute `name`.
    pub const fn str(name: &'static str, default: &'static str) -> Self {
        AttrDef::new(name, AttrKind::Str).default(AttrDefault::Str(default))
    }

    /// The attribute `name`, a list of strings that is empty by default.
    pub const fn strs(name: &'static str) -> Self {
        AttrDef::new(name, AttrKind::Strs).default(AttrDefault::NoStrs)
    }

    /// The same attribute with a default.
    pub const fn default(mut self, default: AttrDefault) -> Self {
        self.default = Some(default);
        self
    }
}
