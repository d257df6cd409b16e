use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use tidemill_value::{ByteString, DType, PartialShape, Value};

use crate::model::NamedAttr;
use crate::{Attr, AttrDef, AttrDefault, AttrKind, Attrs, Body, HostFunction};

impl Attr {
    /// The kind of the attribute, as error messages name it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Attr::Int(_) => "int",
            Attr::Float(_) => "float",
            Attr::Bool(_) => "bool",
            Attr::Str(_) => "string",
            Attr::Type(_) => "type",
            Attr::Shape(_) => "shape",
            Attr::Tensor(_) => "tensor",
            Attr::Ints(_) => "list(int)",
            Attr::Strs(_) => "list(string)",
            Attr::Types(_) => "list(type)",
            Attr::Shapes(_) => "list(shape)",
            Attr::Function(_) => "function",
            Attr::Body(_) => "body",
            Attr::Bodies(_) => "list(body)",
        }
    }

    /// Whether both are bit-identical. Functions and bodies equal only themselves.
    pub fn same(&self, other: &Attr) -> bool {
        match (self, other) {
            (Attr::Int(l), Attr::Int(r)) => l == r,
            (Attr::Float(l), Attr::Float(r)) => l.to_bits() == r.to_bits(),
            (Attr::Bool(l), Attr::Bool(r)) => l == r,
            (Attr::Str(l), Attr::Str(r)) => l == r,
            (Attr::Type(l), Attr::Type(r)) => l == r,
            (Attr::Shape(l), Attr::Shape(r)) => l == r,
            (Attr::Tensor(l), Attr::Tensor(r)) => l.shares_buffer(r) || l.bits_eq(r),
            (Attr::Ints(l), Attr::Ints(r)) => l == r,
            (Attr::Strs(l), Attr::Strs(r)) => l == r,
            (Attr::Types(l), Attr::Types(r)) => l == r,
            (Attr::Shapes(l), Attr::Shapes(r)) => l == r,
            (Attr::Function(l), Attr::Function(r)) => Arc::ptr_eq(l, r),
            (Attr::Body(l), Attr::Body(r)) => Arc::ptr_eq(l, r),
            (Attr::Bodies(l), Attr::Bodies(r)) => Arc::ptr_eq(l, r),
            _ => false,
        }
    }
}

impl fmt::Debug for Attr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attr::Int(x) => x.fmt(f),
            Attr::Float(x) => x.fmt(f),
            Attr::Bool(x) => x.fmt(f),
            Attr::Str(x) => fmt::Debug::fmt(x, f),
            Attr::Type(x) => fmt::Display::fmt(x, f),
            Attr::Shape(x) => x.fmt(f),
            Attr::Tensor(x) => x.fmt(f),
            Attr::Ints(x) => x.fmt(f),
            Attr::Strs(x) => x.fmt(f),
            Attr::Types(x) => x.fmt(f),
            Attr::Shapes(x) => x.fmt(f),
            Attr::Function(_) => f.write_str("<host function>"),
            Attr::Body(x) => x.fmt(f),
            Attr::Bodies(x) => x.fmt(f),
        }
    }
}

macro_rules! attr_from {
    ($($rust:ty => $variant:ident),*) => {$(
        impl From<$rust> for Attr {
            fn from(x: $rust) -> Self {
                Attr::$variant(x.into())
            }
        }
    )*};
}

attr_from! {
    i64 => Int, f32 => Float, bool => Bool, &str => Str, ByteString => Str, DType => Type,
    PartialShape => Shape, Value => Tensor, Vec<i64> => Ints, &[i64] => Ints,
    Vec<ByteString> => Strs, Vec<DType> => Types, Vec<PartialShape> => Shapes,
    Arc<HostFunction> => Function, Arc<Body> => Body, Vec<Arc<Body>> => Bodies
}

impl Attrs {
    /// No attributes.
    pub const NONE: Attrs = Attrs(None);

    /// The attribute of that name, if it is stored.
    pub fn get(&self, name: &str) -> Option<&Attr> {
        self.iter().find(|(stored, _)| *stored == name).map(|(_, attr)| attr)
    }

    /// The stored attributes by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Attr)> {
        let stored = self.0.as_deref().unwrap_or_default();
        stored.iter().map(|(name, attr)| (name.as_ref(), attr))
    }

    /// Whether both hold the same attributes, to the bit.
    pub fn same(&self, other: &Attrs) -> bool {
        self.iter().len() == other.iter().len()
            && self.iter().zip(other.iter()).all(|((ln, l), (rn, r))| ln == rn && l.same(r))
    }
}

impl Attrs {
    /// The list that they share with their clones.
    pub(crate) fn shared(&self) -> Option<&[NamedAttr]> {
        self.0.as_deref()
    }

    /// These attributes except the bodies.
    pub(crate) fn without_bodies(&self) -> Attrs {
        let is_body = |attr: &Attr| matches!(attr, Attr::Body(_) | Attr::Bodies(_));
        let stored = self.0.iter().flat_map(|stored| stored.iter());
        stored.filter(|(_, attr)| !is_body(attr)).cloned().collect()
    }
}

impl FromIterator<(Cow<'static, str>, Attr)> for Attrs {
    fn from_iter<I: IntoIterator<Item = (Cow<'static, str>, Attr)>>(attrs: I) -> Self {
        let mut attrs: Vec<_> = attrs.into_iter().collect();
        attrs.sort_by(|(l, _), (r, _)| l.cmp(r));
        Attrs((!attrs.is_empty()).then(|| attrs.into()))
    }
}

impl AttrDefault {
    /// The default as an attribute.
    pub fn to_attr(self) -> Attr {
        match self {
            AttrDefault::Int(x) => Attr::Int(x),
            AttrDefault::Float(x) => Attr::Float(x),
            AttrDefault::Bool(x) => Attr::Bool(x),
            AttrDefault::Str(x) => Attr::from(x),
            AttrDefault::Type(x) => Attr::Type(x),
            AttrDefault::UnknownShape => Attr::Shape(PartialShape::unknown()),
            AttrDefault::Ints(x) => Attr::from(x),
            AttrDefault::NoStrs => Attr::Strs([].into()),
            AttrDefault::NoShapes => Attr::Shapes([].into()),
        }
    }
}

impl AttrDef {
    /// Whether an attribute is of this kind.
    pub fn admits(&self, attr: &Attr) -> bool {
        match (self.kind, attr) {
            (AttrKind::Type(allowed), Attr::Type(dtype)) => allowed.contains(dtype),
            (AttrKind::Int, Attr::Int(_))
            | (AttrKind::Float, Attr::Float(_))
            | (AttrKind::Bool, Attr::Bool(_))
            | (AttrKind::Str, Attr::Str(_))
            | (AttrKind::Shape, Attr::Shape(_))
            | (AttrKind::Tensor, Attr::Tensor(_))
            | (AttrKind::Ints, Attr::Ints(_))
            | (AttrKind::Strs, Attr::Strs(_))
            | (AttrKind::Types, Attr::Types(_))
            | (AttrKind::Shapes, Attr::Shapes(_))
            | (AttrKind::Function, Attr::Function(_))
            | (AttrKind::Body, Attr::Body(_))
            | (AttrKind::Bodies, Attr::Bodies(_)) => true,
            _ => false,
        }
    }
}
