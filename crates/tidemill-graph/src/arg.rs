//! Descriptions of inputs and outputs.

use tidemill_value::DType;

use crate::Role;

/// One input or output of an operation, or a list of them.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// TensorFlow's name for it.
    pub name: &'static str,
    /// The data type.
    pub dtype: ArgType,
    /// The number of tensors that it stands for.
    pub arity: Arity,
    /// The use of an input. For an output, anything but [`Access::Read`] means that it names the
    /// storage of a variable.
    pub access: Access,
    /// Its role: a value or a handle. An input with the role of a value also accepts the storage of
    /// a variable.
    pub role: Role,
}

/// The data type of an argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArgType {
    /// Always this type.
    Is(DType),
    /// The type in the attribute of this name.
    Attr(&'static str),
    /// Any type, without an attribute for it.
    Any,
}

/// The number of tensors that an argument stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arity {
    /// One.
    One,
    /// The number in the int attribute of this name, all of one type.
    Count(&'static str),
    /// One for each type in the type list attribute of this name.
    Types(&'static str),
}

/// How an operation uses an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reads it as a value.
    Read,
    /// Reads a variable's value, if it has one.
    Peek,
    /// Overwrites the variable.
    Write,
    /// Reads and overwrites the variable.
    Update,
    /// Reads the variable, if it has a value, and overwrites it.
    Amend,
}

impl Access {
    /// Whether the input names the variable that the node writes.
    pub const fn writes(self) -> bool {
        matches!(self, Access::Write | Access::Update | Access::Amend)
    }
}

impl Arg {
    const fn new(name: &'static str, dtype: ArgType) -> Self {
        Arg { name, dtype, arity: Arity::One, access: Access::Read, role: Role::Value }
    }

    /// The handle of a variable of any type.
    pub const fn any_handle(name: &'static str) -> Self {
        Arg { role: Role::Handle, ..Arg::new(name, ArgType::Any) }
    }

    /// The handle of a variable with the type in the attribute `attr`.
    pub const fn handle(name: &'static str, attr: &'static str) -> Self {
        Arg { role: Role::Handle, ..Arg::of(name, attr) }
    }

    /// A tensor with the type in the attribute `attr`.
    pub const fn of(name: &'static str, attr: &'static str) -> Self {
        Arg::new(name, ArgType::Attr(attr))
    }

    /// A tensor of a fixed type.
    pub const fn is(name: &'static str, dtype: DType) -> Self {
        Arg::new(name, ArgType::Is(dtype))
    }

    /// A list of tensors of one type, counted by the int attribute `count`.
    pub const fn list(name: &'static str, attr: &'static str, count: &'static str) -> Self {
        Arg { arity: Arity::Count(count), ..Arg::of(name, attr) }
    }

    /// A list of tensors with the types in the type list attribute `types`.
    pub const fn mixed(name: &'static str, types: &'static str) -> Self {
        Arg { arity: Arity::Types(types), ..Arg::of(name, types) }
    }

    /// The role of an output of this description.
    pub(crate) fn output_role(&self) -> Role {
        match self.access {
            Access::Read => self.role,
            _ => Role::Ref,
        }
    }

    /// The same argument with another access.
    pub const fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }
}
