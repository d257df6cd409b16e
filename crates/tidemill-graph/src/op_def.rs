use std::fmt;

use smallvec::SmallVec;
use tidemill_value::{DType, PartialShape};

use crate::{
    Attr, GradCx, GradientError, Grads, Inferred, Kernel, NodeView, OpError, Role, Sample,
};

/// The static description of an operation type: its inputs, outputs and behaviour.
///
/// Its name and attributes are TensorFlow's. It is a record of data and plain functions: one place
/// describes an operation, and all other code treats it as data.
pub struct OpDef {
    /// TensorFlow's name of the type, such as `MatMul`.
    pub name: &'static str,
    /// A summary, in one sentence.
    pub summary: &'static str,
    /// The inputs, in order.
    pub inputs: &'static [Arg],
    /// The outputs, in order.
    pub outputs: &'static [Arg],
    /// The attributes, except those that only count inputs.
    pub attrs: &'static [AttrDef],
    /// How the runtime executes a node.
    pub execution: Execution,
    /// The side effect of a node.
    pub effect: Effect,
    /// When a run of a node can fail.
    pub fallible: Fallible,
    /// True if inputs broadcast to a common shape, that of the last output, so that gradients must
    /// be summed back.
    pub broadcasts: bool,
    /// For [`Execution::Variable`]: whether nodes without a shared name refer to one variable.
    pub shares_unnamed: bool,
    /// Infers the shapes of the outputs from those of the inputs.
    pub infer: InferFn,
    /// The gradient of the operation.
    pub gradient: Gradient,
    /// Makes the kernel of a node.
    pub kernel: KernelFn,
    /// Inputs and attributes to test the operation with.
    #[cfg(feature = "samples")]
    pub samples: SamplesFn,
}

/// Infers the shapes of a node's outputs.
pub type InferFn = fn(&NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError>;
/// Builds the gradients of a node's inputs, as nodes, from those of its outputs.
pub type GradientFn = fn(&GradCx<'_>) -> Result<Grads, GradientError>;
/// Makes the kernel of a node: reads its attributes and chooses an algorithm.
pub type KernelFn = fn(&NodeView<'_>) -> Result<Box<dyn Kernel>, OpError>;
/// Lists the samples an operation is tested with.
pub type SamplesFn = fn() -> Vec<Sample>;

impl OpDef {
    /// The description of an operation without inputs, outputs and effects, which later calls
    /// complete.
    pub const fn new(name: &'static str, summary: &'static str) -> Self {
        OpDef {
            name,
            summary,
            inputs: &[],
            outputs: &[],
            attrs: &[],
            execution: Execution::Kernel,
            effect: Effect::None,
            fallible: Fallible::Shapes,
            broadcasts: false,
            shares_unnamed: false,
            infer: |_| Ok(SmallVec::new()),
            gradient: Gradient::Undefined,
            kernel: |node| Err(OpError::NoKernel { op: node.op().name }),
            #[cfg(feature = "samples")]
            samples: Vec::new,
        }
    }

    /// Sets the inputs.
    pub const fn inputs(mut self, inputs: &'static [Arg]) -> Self {
        self.inputs = inputs;
        self
    }

    /// Sets the outputs.
    pub const fn outputs(mut self, outputs: &'static [Arg]) -> Self {
        self.outputs = outputs;
        self
    }

    /// Sets the attributes.
    pub const fn attrs(mut self, attrs: &'static [AttrDef]) -> Self {
        self.attrs = attrs;
        self
    }

    /// Sets how the runtime executes a node.
    pub const fn execution(mut self, execution: Execution) -> Self {
        self.execution = execution;
        self
    }

    /// Sets the side effect of a node.
    pub const fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Sets when a run can fail.
    pub const fn fallible(mut self, fallible: Fallible) -> Self {
        self.fallible = fallible;
        self
    }

    /// Declares that inputs broadcast to a common shape.
    pub const fn broadcasts(mut self) -> Self {
        self.broadcasts = true;
        self
    }

    /// Declares that nodes without a shared name refer to one variable.
    pub const fn shares_unnamed(mut self) -> Self {
        self.shares_unnamed = true;
        self
    }

    /// Sets the shape inference.
    pub const fn infer(mut self, infer: InferFn) -> Self {
        self.infer = infer;
        self
    }

    /// Sets the gradient rule.
    pub const fn gradient(mut self, rule: GradientFn) -> Self {
        self.gradient = Gradient::Rule(rule);
        self
    }

    /// Declares that no gradient passes through: the outputs have no derivative with respect to the
    /// inputs, or only a zero one.
    pub const fn not_differentiable(mut self) -> Self {
        self.gradient = Gradient::NotDifferentiable;
        self
    }

    /// Sets the function that makes kernels.
    pub const fn kernel(mut self, kernel: KernelFn) -> Self {
        self.kernel = kernel;
        self
    }

    /// Sets the samples the operation is tested with.
    #[cfg(feature = "samples")]
    pub const fn samples(mut self, samples: SamplesFn) -> Self {
        self.samples = samples;
        self
    }

    /// Sets the samples the operation is tested with; without the feature `samples`, drops them.
    #[cfg(not(feature = "samples"))]
    pub const fn samples(self, _: SamplesFn) -> Self {
        self
    }

    /// The description of an attribute.
    pub fn attr(&self, name: &str) -> Option<&'static AttrDef> {
        self.attrs.iter().find(|attr| attr.name == name)
    }

    /// The number of variables that a node of [`Execution::Write`] writes: those that its first
    /// inputs name.
    pub fn written(&self) -> usize {
        self.inputs.iter().take_while(|arg| arg.access.writes()).count()
    }

    /// The kernel output with the next value of the variable named by input `i` of a node of
    /// [`Execution::Write`], if the node has that many outputs.
    pub fn state_slot(&self, outputs: usize, i: usize) -> u32 {
        let names_variable = self.outputs.first().is_some_and(|arg| arg.output_role() == Role::Ref);
        let slot = match (names_variable, i) {
            (true, 0) => 0,
            (true, i) => outputs + i - 1,
            (false, i) => outputs + i,
        };
        slot as u32
    }

    /// Whether nodes with equal inputs and attributes give equal outputs and have no effect, so
    /// that one can replace the other and a constant can replace either.
    pub fn is_pure(&self) -> bool {
        matches!(self.execution, Execution::Kernel) && matches!(self.effect, Effect::None)
    }
}

impl fmt::Debug for OpDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for OpDef {
    fn eq(&self, other: &OpDef) -> bool {
        self.name == other.name
    }
}

/// How the runtime executes a node. It knows no operation by name, only these kinds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Execution {
    /// Computes the outputs from the inputs by its kernel.
    Kernel,
    /// Has the value of its attribute `value`.
    Constant,
    /// Has no value unless it is fed.
    Placeholder,
    /// Names a variable, whose value lives in a session.
    Variable,
    /// Computes the next values of variables with its kernel. Its leading inputs, up to the first
    /// one that is not written, name the variables. The next value of the first variable is the
    /// first output, if that output names the variable. For every other variable the kernel has an
    /// extra output after the operation's outputs, in the order of the inputs. The kernel's inputs
    /// are the variables' current values, if the access is [`Access::Update`] or [`Access::Amend`].
    Write,
    /// Runs one of its bodies, which take the inputs after the first and return the outputs.
    Branch(Select),
    /// Runs its second body as long as the first returns true. Both take the inputs; the second
    /// returns the inputs of the next iteration, and finally the outputs.
    Loop,
}

/// How the first input of a node selects the body to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Select {
    /// The first body if it is true, not zero, or not empty; otherwise the second.
    Truth,
    /// The body with this number; the last body if there is none.
    Index,
}

impl Execution {
    /// The number of inputs that a node's bodies do not take; `None` if it has no bodies.
    pub const fn inputs_before_bodies(self) -> Option<usize> {
        match self {
            Execution::Branch(_) => Some(1),
            Execution::Loop => Some(0),
            _ => None,
        }
    }
}

/// The side effect of a node. Effects happen in the order in which their nodes were created.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Nothing.
    None,
    /// Draws random numbers, which depend on how often this node has run in the session.
    Random,
    /// Prints.
    Print,
    /// Fails the run if a condition does not hold.
    Assert,
    /// Calls code of the host program, which may do anything.
    Host,
}

/// When a run of a node can fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fallible {
    /// Never.
    Never,
    /// If the shapes of its inputs do not agree; this is known before the run if the shapes are.
    Shapes,
    /// As [`Fallible::Shapes`], and for integer inputs also depending on their values.
    Integers,
    /// As [`Fallible::Shapes`], and depending on the elements of these inputs, such as axes, which
    /// inference checks as far as they are known.
    Elements(&'static [usize]),
    /// Depending on the values of its inputs.
    Values,
    /// As [`Fallible::Values`], for a write whose [`Kernel::check`] detects the failure beforehand.
    Checked,
}

/// How a gradient passes through an operation.
#[derive(Clone, Copy)]
pub enum Gradient {
    /// Not declared. Differentiating through it is an error.
    Undefined,
    /// Not at all.
    NotDifferentiable,
    /// By this rule.
    Rule(GradientFn),
}

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

/// The description of an attribute.
#[derive(Clone, Copy, Debug)]
pub struct AttrDef {
    /// TensorFlow's name for it.
    pub name: &'static str,
    /// Its kind.
    pub kind: AttrKind,
    /// Its default; without one, it must be given.
    pub default: Option<Default>,
    /// For a type: the types that kernels get in its place.
    pub widening: Widening,
}

/// The wider types that an operation's kernels get in place of short ones (see [`DType::wide`]).
/// Results are converted back: floats are rounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Widening {
    /// Kernels get every type as it is.
    Never,
    /// Kernels get no 16-bit floats. For functions of integers whose intermediate results wrap.
    Floats,
    /// Kernels get neither 16-bit floats nor short integers; results wrap.
    Wrapping,
    /// Kernels get neither 16-bit floats nor short integers; results are limited to the range of
    /// the short type. For functions that return an end of the range where there are no elements.
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
pub enum Default {
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

impl Default {
    /// The default as an attribute.
    pub fn to_attr(self) -> Attr {
        match self {
            Default::Int(x) => Attr::Int(x),
            Default::Float(x) => Attr::Float(x),
            Default::Bool(x) => Attr::Bool(x),
            Default::Str(x) => Attr::from(x),
            Default::Type(x) => Attr::Type(x),
            Default::UnknownShape => Attr::Shape(PartialShape::unknown()),
            Default::Ints(x) => Attr::from(x),
            Default::NoStrs => Attr::Strs([].into()),
            Default::NoShapes => Attr::Shapes([].into()),
        }
    }
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
        AttrDef::new(name, AttrKind::Int).default(Default::Int(default))
    }

    /// The float attribute `name`.
    pub const fn float(name: &'static str, default: f32) -> Self {
        AttrDef::new(name, AttrKind::Float).default(Default::Float(default))
    }

    /// The bool attribute `name`.
    pub const fn bool(name: &'static str, default: bool) -> Self {
        AttrDef::new(name, AttrKind::Bool).default(Default::Bool(default))
    }

    /// The string attribute `name`.
    pub const fn str(name: &'static str, default: &'static str) -> Self {
        AttrDef::new(name, AttrKind::Str).default(Default::Str(default))
    }

    /// The attribute `name`, a list of strings that is empty by default.
    pub const fn strs(name: &'static str) -> Self {
        AttrDef::new(name, AttrKind::Strs).default(Default::NoStrs)
    }

    /// The same attribute with a default.
    pub const fn default(mut self, default: Default) -> Self {
        self.default = Some(default);
        self
    }

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
