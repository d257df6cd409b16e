use std::fmt;

use smallvec::SmallVec;
use tidemill_value::{DType, PartialShape};

use crate::{
    Attr, GradCx, GradientError, Grads, Inferred, Kernel, NodeView, OpError, Role, Sample,
};

/// The static description of an operation type: what a node of it takes, gives and does.
///
/// Its name and attributes are TensorFlow's. It is a record of data and plain functions, so
/// that an operation is described in one place and met as data everywhere else.
pub struct OpDef {
    /// TensorFlow's name of the type, such as `MatMul`.
    pub name: &'static str,
    /// One sentence that says what it computes.
    pub summary: &'static str,
    /// The inputs, in order.
    pub inputs: &'static [Arg],
    /// The outputs, in order.
    pub outputs: &'static [Arg],
    /// The attributes that are not bound by the type or number of an input.
    pub attrs: &'static [AttrDef],
    /// What the runtime does with a node of it.
    pub execution: Execution,
    /// What a run of a node does besides computing its outputs.
    pub effect: Effect,
    /// When a run of a node can fail.
    pub fallible: Fallible,
    /// Whether inputs are stretched to a common shape, which is that of the last output, so that
    /// a gradient has to be summed back.
    pub broadcasts: bool,
    /// Of [`Execution::Variable`], whether nodes without a shared name name one variable.
    pub shares_unnamed: bool,
    /// The shapes of the outputs, as far as those of the inputs tell.
    pub infer: InferFn,
    /// How a gradient passes through.
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

    /// Sets what the runtime does with a node.
    pub const fn execution(mut self, execution: Execution) -> Self {
        self.execution = execution;
        self
    }

    /// Sets what a run does besides computing.
    pub const fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Sets when a run can fail.
    pub const fn fallible(mut self, fallible: Fallible) -> Self {
        self.fallible = fallible;
        self
    }

    /// Says that inputs are stretched to a common shape.
    pub const fn broadcasts(mut self) -> Self {
        self.broadcasts = true;
        self
    }

    /// Says that nodes without a shared name name one variable.
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

    /// Says that no gradient passes through: the outputs do not depend on the inputs in a way
    /// that has a derivative, or not one that is not zero.
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

    /// How many variables a node of [`Execution::Write`] writes: those that its first inputs name.
    pub fn written(&self) -> usize {
        self.inputs.iter().take_while(|arg| arg.access.writes()).count()
    }

    /// Which output of its kernel is the next value of the variable that input `i` of a node of
    /// [`Execution::Write`] names, if a node has so many outputs.
    pub fn state_slot(&self, outputs: usize, i: usize) -> u32 {
        let names_variable = self.outputs.first().is_some_and(|arg| arg.output_role() == Role::Ref);
        let slot = match (names_variable, i) {
            (true, 0) => 0,
            (true, i) => outputs + i - 1,
            (false, i) => outputs + i,
        };
        slot as u32
    }

    /// Whether nodes of equal inputs and attributes give equal outputs and do nothing else, so
    /// that one can stand for the other and a constant for either.
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

/// What the runtime does with a node. It knows no operation by name, only these kinds.
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
    /// Computes by its kernel the next values of the variables that its first inputs name: all
    /// before the first that does not write. That of the first is its first output, if that names
    /// the variable; for every other its kernel has one output more than the operation, behind
    /// those, in the order of the inputs. The kernel's inputs are the variables' present values,
    /// where the access is [`Access::Update`] or [`Access::Amend`].
    Write,
    /// Runs one of its bodies, which take the inputs after the first and give the outputs.
    Branch(Select),
    /// Runs its second body again and again, as long as the first one says so. Both take the
    /// inputs; the second gives those of the next time, and in the end the outputs.
    Loop,
}

/// How the first input of a node says which of its bodies to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Select {
    /// The first where it is true, not zero, or not empty; or else the second.
    Truth,
    /// That of its number; the last where there is none.
    Index,
}

impl Execution {
    /// How many of the inputs a node's bodies do not take; `None` where it has none.
    pub const fn inputs_before_bodies(self) -> Option<usize> {
        match self {
            Execution::Branch(_) => Some(1),
            Execution::Loop => Some(0),
            _ => None,
        }
    }
}

/// What a run of a node does besides computing its outputs. Effects happen in the order in
/// which their nodes were made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Nothing.
    None,
    /// Draws random numbers, keyed by how often this node ran in the session.
    Random,
    /// Prints.
    Print,
    /// Fails the run where a condition does not hold.
    Assert,
    /// Calls code of the host program, which may do anything.
    Host,
}

/// When a run of a node can fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fallible {
    /// Never.
    Never,
    /// Where the shapes of its inputs do not agree, which is known before the run if they are.
    Shapes,
    /// As [`Fallible::Shapes`], and where its inputs are integers, depending on their values.
    Integers,
    /// As [`Fallible::Shapes`], and depending on the elements of these inputs, such as axes, which
    /// inference checks as far as they are known.
    Elements(&'static [usize]),
    /// Depending on the values of its inputs.
    Values,
    /// As [`Fallible::Values`], of a write whose kernel tells it beforehand by
    /// [`Kernel::check`].
    Checked,
}

/// How a gradient passes through an operation.
#[derive(Clone, Copy)]
pub enum Gradient {
    /// Nobody has said. Differentiating through it is an error.
    Undefined,
    /// Not at all.
    NotDifferentiable,
    /// By this rule.
    Rule(GradientFn),
}

/// One input or output of an operation, or a list of them.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// TensorFlow's name of it.
    pub name: &'static str,
    /// The data type.
    pub dtype: ArgType,
    /// How many tensors it stands for.
    pub arity: Arity,
    /// How an input is used. Of an output, anything but [`Access::Read`] says that it names the
    /// storage of a variable.
    pub access: Access,
    /// What it stands for: a value, or a handle. An input that is a value also takes the storage
    /// of a variable.
    pub role: Role,
}

/// The data type of an argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArgType {
    /// Always this one.
    Is(DType),
    /// The one that the type attribute of this name has.
    Attr(&'static str),
    /// Any one. No attribute tells which.
    Any,
}

/// How many tensors an argument stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arity {
    /// One.
    One,
    /// As many as the int attribute of this name says, all of one type.
    Count(&'static str),
    /// As many as the list of types of this name has, each of its own type.
    Types(&'static str),
}

/// How an operation uses an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// As a value.
    Read,
    /// As a variable's value, if it has one.
    Peek,
    /// As the variable to overwrite.
    Write,
    /// As the variable to read and overwrite.
    Update,
    /// As the variable to read, if it has a value, and overwrite.
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

    /// The handle of a variable of the type that the type attribute `attr` has.
    pub const fn handle(name: &'static str, attr: &'static str) -> Self {
        Arg { role: Role::Handle, ..Arg::of(name, attr) }
    }

    /// A tensor of the type that the type attribute `attr` has.
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

    /// A list of tensors, each of its own type; the type list attribute `types` has them.
    pub const fn mixed(name: &'static str, types: &'static str) -> Self {
        Arg { arity: Arity::Types(types), ..Arg::of(name, types) }
    }

    /// What an output of this description stands for.
    pub(crate) fn output_role(&self) -> Role {
        match self.access {
            Access::Read => self.role,
            _ => Role::Ref,
        }
    }

    /// The same argument with another use.
    pub const fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }
}

/// The description of an attribute.
#[derive(Clone, Copy, Debug)]
pub struct AttrDef {
    /// TensorFlow's name of it.
    pub name: &'static str,
    /// What it holds.
    pub kind: AttrKind,
    /// What it is where it is not given; without a default it must be.
    pub default: Option<Default>,
    /// Of a type: whether kernels compute 16-bit floats as `float32`.
    pub widens: bool,
}

/// What an attribute holds.
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
        AttrDef { name, kind, default: None, widens: false }
    }

    /// The type attribute `name`, one of `allowed`.
    pub const fn types(name: &'static str, allowed: &'static [DType]) -> Self {
        AttrDef::new(name, AttrKind::Type(allowed))
    }

    /// The type attribute `name`, one of `allowed`. The operation's kernels know no 16-bit floats:
    /// they are widened to `float32` before, and results rounded afterwards.
    pub const fn widened(name: &'static str, allowed: &'static [DType]) -> Self {
        AttrDef { widens: true, ..AttrDef::types(name, allowed) }
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

    /// The attribute `name`, a list of strings that is empty unless it is given.
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
