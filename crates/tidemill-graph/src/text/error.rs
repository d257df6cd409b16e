use tidemill_value::{DType, ValueError};

use crate::{BuildErrorKind, Fact};

/// An error in the text form of a graph.
#[derive(Clone, thiserror::Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct TextError {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// The kind of error.
    pub kind: Box<TextErrorKind>,
}

tidemill_value::debug_as_report!(TextError);

/// The kind of error in a line of a graph's text.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TextErrorKind {
    /// Something else was expected here.
    #[error("expected {expected}, but found {found}")]
    Unexpected {
        /// The expected text.
        expected: &'static str,
        /// The text found.
        found: String,
    },
    /// A number does not have the required type.
    #[error("`{number}` is not a number of type {dtype}")]
    Number {
        /// The number.
        number: String,
        /// The type.
        dtype: DType,
    },
    /// A backslash in a string does not begin an escape sequence.
    #[error(
        "`{escape}` is not an escape sequence: write `\\n`, `\\t`, `\\r`, `\\\\`, `\\\"` or `\\xff`"
    )]
    Escape {
        /// The backslash and the text after it.
        escape: String,
    },
    /// A shape has more axes than TensorFlow allows.
    #[error("a shape has at most {limit} axes")]
    Rank {
        /// The maximum number of axes.
        limit: usize,
    },
    /// The elements of a tensor do not fill its shape.
    #[error(transparent)]
    Value(ValueError),
    /// A function of the host program has no text form.
    #[error("a host function has no text form, so a graph that calls one cannot be read back")]
    HostFunction,
    /// Constants cannot be of this type.
    #[error("a constant cannot be of type {dtype}")]
    Constant {
        /// The type.
        dtype: DType,
    },
    /// No operation type has that name.
    #[error("there is no operation `{op}`")]
    UnknownOp {
        /// The name.
        op: String,
    },
    /// A name is used before the line that defines it, or without one.
    #[error("`{name}` is not defined above")]
    Undefined {
        /// The name.
        name: String,
    },
    /// Two lines define the same name.
    #[error("`{name}` is already defined above")]
    Redefined {
        /// The name.
        name: String,
    },
    /// A node has no such output.
    #[error("there is no `{name}:{slot}`: `{name}` has {outputs} outputs")]
    NoOutput {
        /// The name of the node.
        name: String,
        /// The requested output.
        slot: u32,
        /// The number of outputs it has.
        outputs: usize,
    },
    /// An argument that is a list has no brackets.
    #[error("`{argument}` is a list: write it in brackets, as in `[a, b]`")]
    NotAList {
        /// The name of the argument.
        argument: &'static str,
    },
    /// An argument that is one tensor has brackets.
    #[error("`{argument}` is one tensor, not a list")]
    List {
        /// The name of the argument.
        argument: &'static str,
    },
    /// An attribute, or a part of a directive, is given twice.
    #[error("`{name}` is given twice")]
    Twice {
        /// The attribute or part.
        name: String,
    },
    /// The number of stated output types differs from the number of outputs.
    #[error("{stated} outputs are stated, but the node has {actual}")]
    OutputCount {
        /// The number of types stated.
        stated: usize,
        /// The number of outputs.
        actual: usize,
    },
    /// The stated type or shape of an output contradicts its inputs.
    #[error("the output is stated to be {stated}, but it is {inferred}")]
    Contradiction {
        /// The stated type and shape.
        stated: Fact,
        /// The type and shape inferred from the inputs.
        inferred: Fact,
    },
    /// A directive that is not allowed in the text of a graph or a subgraph.
    #[error("`@{directive}` has no meaning here")]
    Directive {
        /// The directive.
        directive: String,
    },
    /// A part of a directive is missing.
    #[error("`@{directive}` needs `{part}`")]
    MissingPart {
        /// The directive.
        directive: &'static str,
        /// The part.
        part: &'static str,
    },
    /// A node that must name a variable does not.
    #[error("`{name}` is not a variable")]
    NotAVariable {
        /// The name of the node.
        name: String,
    },
    /// A node of a subgraph has a control input.
    #[error("a subgraph has no control edges: its nodes run in the order of their lines")]
    ControlInSubgraph,
    /// The inputs or attributes break a rule of the operation.
    #[error(transparent)]
    Build(BuildErrorKind),
}

tidemill_value::debug_as_report!(TextErrorKind);
