//! Reports the memory that graphs and sessions hold, by kind.

use std::fmt;
use std::mem::size_of;

use smallvec::SmallVec;
use tidemill_graph::{GraphMemory, Holding, Operand, Seen};
use tidemill_kernels::pool;
use tidemill_value::Value;

use crate::lower::signature::Signature;
use crate::plan::step::{Action, Feed, Frame, Plan, PlannedVariable, Routine, Step};
use crate::run::execute::BoundPlan;
use crate::session::inner::{Inner, alive};
use crate::session::shaped::FedShapes;

/// The memory of a process's graphs and sessions: the number of items of each kind, and their
/// bytes.
///
/// The report shows which kind makes a program's memory grow. Its bytes are the capacities of lists
/// and arrays. It does not include heap memory owned by kernels or by the program's own functions
/// (only the size of the objects themselves is counted), plans that only a
/// [`Callable`](crate::Callable) still has, values that the program holds, or freed memory that the
/// allocator keeps. The last is most of the difference from the figure of the operating system.
///
/// ```
/// let graph = tidemill_graph::Graph::new();
/// let _default = graph.as_default();
/// let sum = tidemill_ops::constant([1.0_f32; 256]) + 1.0_f32;
/// let session = tidemill_runtime::Session::new();
/// session.run(sum)?;
/// let report = tidemill_runtime::memory_report();
/// assert!(report.nodes.count >= 3 && report.constants.bytes >= 1024);
/// assert!(report.plans.count >= 1);
/// println!("{report}");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MemoryReport {
    /// Graphs, including bodies of branches and loops. A graph lives as long as a handle to it, a
    /// session, or a node that runs it.
    pub graphs: Holding,
    /// Nodes, with their edges, lines and attributes.
    pub nodes: Holding,
    /// The arrays of constants.
    pub constants: Holding,
    /// Names of nodes and scopes, including abandoned ones.
    pub names: Holding,
    /// Diagnoses of failed builder calls. They live as long as their graph, or until the
    /// process ends if the graph no longer existed when the call failed.
    pub diagnoses: Holding,
    /// Sessions. A session lives as long as a callable made from it.
    pub sessions: Holding,
    /// The values of variables.
    pub variables: Holding,
    /// Plans of signatures and of bodies. A session keeps the plans of up to 1024 signatures.
    pub plans: Holding,
    /// Buffers that finished runs leave for later ones: for each plan, at most as many as ran at
    /// once.
    pub idle_runs: Holding,
    /// Compute threads, which live as long as the process. Their stacks are not counted.
    pub threads: Holding,
}

impl MemoryReport {
    /// The kinds by name, in the order of the fields.
    pub fn kinds(&self) -> [(&'static str, Holding); 10] {
        [
            ("graphs", self.graphs),
            ("nodes", self.nodes),
            ("constants", self.constants),
            ("names", self.names),
            ("diagnoses", self.diagnoses),
            ("sessions", self.sessions),
            ("variables", self.variables),
            ("plans", self.plans),
            ("idle runs", self.idle_runs),
            ("threads", self.threads),
        ]
    }

    /// The bytes of all kinds.
    pub fn bytes(&self) -> usize {
        self.kinds().iter().map(|(_, holding)| holding.bytes).sum()
    }
}

impl fmt::Display for MemoryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, Holding { count, bytes }) in self.kinds() {
            writeln!(f, "{kind:>10} {count:>9} {bytes:>12} bytes")?;
        }
        write!(f, "{:>10} {:>9} {:>12} bytes", "total", "", self.bytes())
    }
}

/// The memory that all graphs and sessions of the process hold now.
///
/// It visits every node and plan, and waits for threads that add to a graph: call it every thousand
/// runs, not in each run.
pub fn memory_report() -> MemoryReport {
    // A session may lose its last handle meanwhile, and is then dropped here: not under the lock.
    let sessions = alive();
    let mut tally = Tally::default();
    let graphs = sessions.iter().map(|session| session.graph().clone());
    let graphs = GraphMemory::of_process(graphs, &mut tally.seen);
    sessions.iter().for_each(|session| tally.session(session));
    let GraphMemory { graphs, nodes, constants, names, diagnoses } = graphs;
    let threads = Holding { count: pool::helpers(), bytes: 0 };
    MemoryReport { graphs, nodes, constants, names, diagnoses, threads, ..tally.report }
}

/// Sums the memory of sessions.
#[derive(Default)]
struct Tally {
    report: MemoryReport,
    seen: Seen,
}

impl Tally {
    fn session(&mut self, session: &Inner) {
        self.report.sessions += Holding::one(size_of::<Inner>());
        for (_, cell) in session.state.cells() {
            if let Some(value) = session.state.store.get(cell) {
                self.report.variables += Holding::one(self.seen.value(&value));
            }
        }
        for planned in session.plans() {
            self.report.plans.bytes += size_of::<Signature>() + size_of_val(&*planned);
            self.bound_plan(&planned.bound);
            self.report.idle_runs.bytes += planned.bound.shared_bytes();
            for bound in planned.shaped_plans() {
                self.report.plans.bytes += size_of::<FedShapes>() + size_of_val(&*bound);
                self.bound_plan(&bound);
            }
        }
    }

    fn bound_plan(&mut self, bound: &BoundPlan) {
        self.plan(&bound.plan);
        let idle = bound.idle_bytes();
        self.report.idle_runs += idle.into_iter().map(Holding::one).sum();
    }

    /// Adds a plan, with those of bodies inside it, except for the buffers of their runs.
    fn plan(&mut self, plan: &Plan) {
        let bytes = plan.constants.capacity() * size_of::<Value>()
            + plan.steps.capacity() * size_of::<Step>()
            + plan.feeds.capacity() * size_of::<Feed>()
            + plan.fetches.capacity() * size_of::<Operand>()
            + plan.variables.capacity() * size_of::<PlannedVariable>()
            + plan.steps.iter().map(outside).sum::<usize>();
        let constants = plan.constants.iter().map(|value| self.seen.value(value));
        let constants: usize = constants.sum();
        self.report.plans += Holding::one(bytes + constants);
        for call in plan.steps.iter().filter_map(Step::call) {
            self.report.plans.bytes += size_of_val(call);
            self.report.plans.bytes += call.routines().len() * size_of::<Routine>();
            for routine in call.routines() {
                self.plan(&routine.plan);
                routine.frames().iter().for_each(|frame| self.idle_frame(frame));
            }
        }
    }

    /// Adds the buffers left by the run of a body.
    fn idle_frame(&mut self, frame: &Frame) {
        let places = frame.slots.capacity() + frame.state.capacity();
        let bytes = places * size_of::<Option<Value>>() + size_of::<Frame>();
        self.report.idle_runs += Holding::one(bytes);
    }
}

/// The memory that a step owns outside itself.
fn outside(step: &Step) -> usize {
    let action = match &step.action {
        Action::Kernel(kernel) | Action::Check(kernel) => {
            size_of_val(&**kernel) + kernel.kept_bytes()
        }
        Action::Fused(fused) => size_of_val(&*fused.kernel) + size_of_val(&fused.nodes[..]),
        Action::Call(_) => 0,
    };
    action
        + spilled(&step.inputs)
        + spilled(&step.outputs)
        + spilled(&step.clear)
        + step.turn.as_deref().map_or(0, size_of_val)
}

fn spilled<A: smallvec::Array>(list: &SmallVec<A>) -> usize {
    if list.spilled() { list.capacity() * size_of::<A::Item>() } else { 0 }
}
