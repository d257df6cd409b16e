//! How the runtime runs an operation, and what it has to know of its runs.

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
    /// are the variables' current values, if the access is [`Access::Update`](crate::Access::Update)
    /// or [`Access::Amend`](crate::Access::Amend).
    Write,
    /// Runs one of its bodies, which take the inputs after the first and return the outputs.
    Branch(Select),
    /// Runs its second body as long as the first returns true. Both take the inputs; the second
    /// returns the inputs of the next iteration, and finally the outputs.
    Loop,
    /// Cannot be run: it stands for a node of a file that is not understood.
    Opaque,
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

    /// Whether a node can write variables.
    pub const fn may_write(self) -> bool {
        matches!(self, Execution::Write | Execution::Branch(_) | Execution::Loop)
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
    /// As [`Fallible::Values`], for a write whose [`Kernel::check`](crate::Kernel::check) detects the
    /// failure beforehand.
    Checked,
}
