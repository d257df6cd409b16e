use smallvec::SmallVec;
use tidemill_graph::{KernelError, NodeId};

use crate::report::error::RunError;
use crate::report::numerics::NonFinite;

/// Variables without a value, by their numbers in a plan.
pub(crate) type Missing = SmallVec<[usize; 4]>;

/// The reason that a run took no effect.
pub(crate) enum Failure {
    /// A value does not fit its feed, or a self-starting variable has no initial value.
    Error(Box<RunError>),
    /// The run would read variables without a value: their numbers in the plan.
    Uninitialized(Missing),
    /// A kernel failed.
    Kernel { node: NodeId, source: KernelError },
    /// A body needs a variable that has no value.
    Unset { parameter: usize },
    /// In body number `body` of the node `call`.
    Inside { call: NodeId, body: usize, failure: Box<Failure> },
    /// The run was asked to end.
    Interrupted,
    /// A step produced numbers that are not finite.
    NonFinite(Box<NonFinite<NodeId>>),
}

impl Failure {
    /// The failure, seen as one in a body of a node.
    pub(crate) fn inside(self, call: NodeId, body: usize) -> Failure {
        match self {
            Failure::Interrupted => self,
            failure => Failure::Inside { call, body, failure: Box::new(failure) },
        }
    }
}
