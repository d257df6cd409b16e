//! The data of a plan: a flat program over numbered slots.

use smallvec::{SmallVec, smallvec};
use tidemill_graph::{Fact, GraphReader, Kernel, NodeId, Operand, Select};
use tidemill_rewrite::RewriteLog;
use tidemill_value::{Shape, Value};

use crate::lower::guard::OfBranch;
use crate::lower::prune::VariableUse;
use crate::sync::{Mutex, MutexGuard};

/// The program of one signature. It never changes, and any number of runs can use it at once.
pub(crate) struct Plan {
    /// The tensors that are fed, in the order of the signature.
    pub(crate) feeds: Vec<Feed>,
    pub(crate) constants: Vec<Value>,
    pub(crate) steps: Vec<Step>,
    /// In the body of a loop, the number of steps that run only the first time.
    pub(crate) prologue: usize,
    /// From this step on, nothing can fail, and variables may be overwritten in place.
    pub(crate) commit_start: usize,
    /// True if the steps from there on overwrite initial values of variables.
    pub(crate) overwrites: bool,
    /// True if it initializes variables.
    pub(crate) initializes: bool,
    /// The places of the values to return, in the order of the signature.
    pub(crate) fetches: Vec<Operand>,
    pub(crate) variables: Vec<PlannedVariable>,
    /// The nodes that draw random numbers, ascending.
    pub(crate) random: Vec<NodeId>,
    /// The number of values that a run holds at once.
    pub(crate) slots: usize,
    /// The positions of the steps that can run alongside others, by their numbers.
    pub(crate) ahead: Vec<usize>,
    /// The number of variables of the graph that may differ from their declared shapes, as the plan
    /// allows for.
    pub(crate) reshaped: usize,
    /// The log of rewrites of the path; it has details only for `explain`.
    pub(crate) rewrites: RewriteLog,
}

/// Constants of at least so many bytes are worth sharing.
const LARGE: usize = 1 << 16;

impl Plan {
    /// Takes over large constants that another plan has, too, such as operands packed before the run.
    pub(crate) fn share_constants(&mut self, other: &Plan) {
        for constant in self.constants.iter_mut().filter(|constant| constant.bytes() >= LARGE) {
            if let Some(same) = other.constants.iter().find(|other| other.bits_eq(constant)) {
                *constant = same.clone();
            }
        }
    }
}

/// A tensor that is fed.
pub(crate) struct Feed {
    pub(crate) fact: Fact,
    /// The slot of its value, if anything needs it.
    pub(crate) slot: Option<u32>,
}

/// A variable that a run reads or writes.
pub(crate) struct PlannedVariable {
    pub(crate) usage: VariableUse,
    /// The slot of the value at the start of the run, if anything needs it.
    pub(crate) start: Option<u32>,
    /// The value after the run, if the variable is written.
    pub(crate) end: Option<Operand>,
    /// The declared shape, if it is known.
    pub(crate) shape: Option<Shape>,
}

/// One action of a run.
pub(crate) struct Step {
    pub(crate) action: Action,
    pub(crate) inputs: SmallVec<[Operand; 3]>,
    pub(crate) outputs: SmallVec<[u32; 1]>,
    /// The slots that nothing needs after the step.
    pub(crate) clear: SmallVec<[u32; 2]>,
    /// The node of the graph that it computes; of several, the first if it leads, or else the last.
    pub(crate) node: NodeId,
    /// The number of the node among those that draw random numbers.
    pub(crate) random: Option<u32>,
    /// The only branch that needs it, which runs it.
    pub(crate) lazy: Option<OfBranch>,
    /// Its part among the steps that can run at once, if it has one.
    pub(crate) turn: Option<Box<Turn>>,
}

/// The action of a step.
pub(crate) enum Action {
    /// It runs the kernel of a node.
    Kernel(Box<dyn Kernel>),
    /// It checks whether a later write will fail.
    Check(Box<dyn Kernel>),
    /// It runs several nodes.
    Fused(Fused),
    /// It runs bodies.
    Call(Box<Call>),
}

/// Several nodes in one.
pub(crate) struct Fused {
    pub(crate) kernel: Box<dyn Kernel>,
    pub(crate) nodes: Vec<NodeId>,
    /// True if the first node takes the time, and the others are functions of its output. The step is
    /// then of this node.
    pub(crate) is_led: bool,
}

impl Step {
    /// The type of the operation that it computes; `Fused` for several, and `Check` for a check.
    pub(crate) fn op(&self, graph: &GraphReader<'_>) -> &'static str {
        match self.action {
            Action::Kernel(_) | Action::Call(_) => graph.node(self.node).op.name,
            Action::Fused(Fused { is_led: true, .. }) => graph.node(self.node).op.name,
            Action::Check(_) => "Check",
            Action::Fused(_) => "Fused",
        }
    }

    /// All nodes that it computes.
    pub(crate) fn nodes(&self) -> &[NodeId] {
        match &self.action {
            Action::Fused(fused) => &fused.nodes,
            _ => std::slice::from_ref(&self.node),
        }
    }

    /// The bodies that it runs, if any.
    pub(crate) fn call(&self) -> Option<&Call> {
        match &self.action {
            Action::Call(call) => Some(call),
            _ => None,
        }
    }
}

/// The bodies that a step runs.
pub(crate) enum Call {
    Branch {
        select: Select,
        branches: Vec<Routine>,
        /// The node, in its subgraph.
        id: NodeId,
        /// The steps around it that only one branch needs: their positions, and the branch.
        lazy: Vec<(usize, usize)>,
    },
    Loop {
        condition: Box<Routine>,
        body: Box<Routine>,
    },
}

impl Call {
    pub(crate) fn routines(&self) -> SmallVec<[&Routine; 2]> {
        match self {
            Call::Branch { branches, .. } => branches.iter().collect(),
            Call::Loop { condition, body } => smallvec![&**condition, &**body],
        }
    }
}

/// The plan of a body.
pub(crate) struct Routine {
    pub(crate) plan: Plan,
    pub(crate) results: Vec<Source>,
    /// The parameters that are variables whose values are needed from the start.
    pub(crate) needed: Vec<usize>,
    /// Buffers that finished runs leave for later ones.
    pub(crate) frames: Mutex<Vec<Frame>>,
}

impl Routine {
    pub(crate) fn frames(&self) -> MutexGuard<'_, Vec<Frame>> {
        self.frames.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The place of a result of a routine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// In a slot that nothing else needs.
    Move(Operand),
    Copy(Operand),
    /// In the parameter itself, which never changes.
    Parameter,
}

/// The values of one run of a routine.
#[derive(Default)]
pub(crate) struct Frame {
    pub(crate) slots: Vec<Option<Value>>,
    /// In a loop, the state that the next iteration takes.
    pub(crate) state: Vec<Option<Value>>,
}

/// The part of a step among others that run at once.
pub(crate) struct Turn {
    /// Its number among the steps of all strands.
    pub(crate) number: u32,
    /// The strands that can run in its turn, the first of which begins with the step itself. There
    /// are none if the step runs in the turn of another.
    pub(crate) strands: Vec<Strand>,
}

/// Steps that run one after another on one thread. Their values have their own places there.
pub(crate) struct Strand {
    /// The slots of the run that they take, and the places to move them to.
    pub(crate) inputs: Vec<(u32, u32)>,
    /// The numbers of steps in other strands whose outputs they take.
    pub(crate) needs: Vec<u32>,
    pub(crate) members: Vec<Member>,
    pub(crate) places: u32,
}

/// A step of a strand.
pub(crate) struct Member {
    pub(crate) number: u32,
    pub(crate) inputs: SmallVec<[Operand; 3]>,
    pub(crate) outputs: SmallVec<[u32; 1]>,
}
