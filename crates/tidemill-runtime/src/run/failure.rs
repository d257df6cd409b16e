use smallvec::SmallVec;
use tidemill_graph::{KernelError, NodeId};

use crate::report::error::RunError;
use crate::report::numerics::NonFinite;

/// Variables without a value, by their numbers in a plan.
pub(crate) type Missing = SmallVec<[usize; 4]>;

/// Why a run took no effect.
pub(crate) enum Failure {
    /// A value does not fit its feed, or there is none that a variable can start with.
    Error(Box<RunError>),
    /// Variables have no value that the run would read: their numbers in the plan.
    Uninitialized(Missing),
    /// A kernel failed.
    Kernel { node: NodeId, source: KernelError },
    /// A variable that a body takes has no value, which it needs.
    Unset { parameter: usize },
    /// In body number `body` of the node `call`.
    Inside { call: NodeId, body: usize, failure: Box<Failure> },
    /// It was asked to end.
    Interrupted,
    /// A step gave numbers that are not finite.
    NonFinite(Box<NonFinite<NodeId>>),
}

impl Failure {
    /// This failure, which happened in a body of a node.
    pub(crate) fn inside(self, call: NodeId, body: usize) -> Failure {
        match self {
            Failure::Interrupted => self,
            failure => Failure::Inside { call, body, failure: Box::new(failure) },
        }
    }
}
