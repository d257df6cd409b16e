use tidemill_value::{DType, ValueError};

use crate::{BuildErrorKind, Fact};

/// Why a text is not that of a graph.
#[derive(Clone, thiserror::Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct TextError {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub kind: Box<TextErrorKind>,
}

tidemill_value::debug_as_report!(TextError);

/// What is wrong with a line of a graph's text.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TextErrorKind {
    /// The line goes on with something else than it must.
    #[error("expected {expected}, but found {found}")]
    Unexpected {
        /// What must stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A number is not one of the type that must stand there.
    #[error("`{number}` is not a number of type {dtype}")]
    Number {
        /// The number.
        number: String,
        /// The type.
        dtype: DType,
    },
    /// A string holds a backslash that begins no escape sequence.
    #[error(
        "`{escape}` is no escape sequence: write `\\n`, `\\t`, `\\r`, `\\\\`, `\\\"` or `\\xff`"
    )]
    Escape {
        /// The backslash and what follows.
        escape: String,
    },
    /// A shape has more axes than TensorFlow allows.
    #[error("a shape has at most {limit} axes")]
    Rank {
        /// The most axes it may have.
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
    /// Two lines define one name.
    #[error("`{name}` is defined above already")]
    Redefined {
        /// The name.
        name: String,
    },
    /// A node has no such output.
    #[error("there is no `{name}:{slot}`: `{name}` has {outputs} outputs")]
    NoOutput {
        /// The name of the node.
        name: String,
        /// The output asked for.
        slot: u32,
        /// The number of outputs it has.
        outputs: usize,
    },
    /// An argument that is a list stands without brackets.
    #[error("`{argument}` is a list: write it in brackets, as in `[a, b]`")]
    NotAList {
        /// The name of the argument.
        argument: &'static str,
    },
    /// An argument that is one tensor stands in brackets.
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
    /// Another number of output types is stated than the node has outputs.
    #[error("{stated} outputs are stated, but the node has {actual}")]
    OutputCount {
        /// The number of types stated.
        stated: usize,
        /// The number of outputs.
        actual: usize,
    },
    /// What is stated of an output is not what its inputs make it.
    #[error("the output is stated to be {stated}, but it is {inferred}")]
    Contradiction {
        /// What is stated.
        stated: Fact,
        /// What follows from the inputs.
        inferred: Fact,
    },
    /// A directive that the text of a graph, or that of a subgraph, does not have.
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
