//! Steps that run ahead of their turn, in parallel with another step.
//!
//! A kernel with much work cuts it into tiles and has all threads for itself. One with little
//! computes on one thread, and where a graph is wide, several of them can compute at once: when the
//! turn of one comes, later ones whose inputs are there run beside it. Each keeps its turn, in which
//! its failure is reported, so that nothing but the time tells that it ran before.

use std::mem;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use tidemill_graph::{
    Draw, Effect, Execution, Fact, KernelCx, KernelError, NoHost, Node, Operand, Subgraph,
};
use tidemill_kernels::pool;
use tidemill_value::{DType, Recycler, Value, recycle};

use crate::plan::{Plan, Step};
use crate::schedule::{Lazy, Task as Scheduled};

/// A step with less bytes of inputs and outputs is over before another thread has heard of it.
const LEAST_BYTES: usize = 1 << 14;
/// One with more bytes of inputs is cut into tiles.
const MOST_BYTES: usize = 1 << 18;
/// How far to look for steps that can run beside one.
const WINDOW: usize = 128;
/// How many strands run at once at most.
const MOST_STRANDS: usize = 16;

/// What a step has to do with others that run at once.
pub(crate) struct Turn {
    /// Its number among the steps of all strands.
    number: u32,
    /// What can run in its turn, and begins with the step itself. None, if the step is to run in
    /// the turn of another.
    strands: Vec<Strand>,
}

/// Steps that run one after another on one thread. Their values have places of their own there.
pub(crate) struct Strand {
    /// The slots of what they take of the run, and the places that it goes to.
    inputs: Vec<(u32, u32)>,
    /// The numbers of steps in other strands whose outputs they take.
    needs: Vec<u32>,
    members: Vec<Member>,
    places: u32,
}

struct Member {
    number: u32,
    inputs: SmallVec<[Operand; 3]>,
    outputs: SmallVec<[u32; 1]>,
}

/// Which nodes of an order can run ahead, and beside which.
#[derive(Default)]
pub(crate) struct Lookahead {
    /// What can run at once, in the turn of the first.
    strands: Vec<Vec<Candidates>>,
    followers: FxHashSet<usize>,
}

/// The nodes of a strand, by their positions.
struct Candidates {
    members: Vec<usize>,
    /// Those of other strands whose outputs they take.
    needs: Vec<usize>,
}

impl Lookahead {
    pub(crate) fn new(subgraph: &Subgraph, order: &[Scheduled], lazy: &Lazy) -> Self {
        let mut positions = vec![None; subgraph.len()];
        for (position, &task) in order.iter().enumerate() {
            if let Scheduled::Run(id) = task {
                positions[id.index()] = Some(position);
            }
        }
        let mut search = Search { subgraph, order, lazy, positions, found: Lookahead::default() };
        for leader in 0..order.len() {
            if search.is_heavy(leader) && !search.found.follows(leader) {
                search.look_ahead(leader);
            }
        }
        search.found
    }

    /// Whether the node at a position can run ahead. Then no other value may have had the slots of
    /// its outputs before.
    pub(crate) fn follows(&self, position: usize) -> bool {
        self.followers.contains(&position)
    }

    /// Tells the steps of the nodes their turns, and returns how many there are in strands.
    pub(crate) fn assign(&self, steps: &mut [Step]) -> usize {
        let members = self.strands.iter().flatten().flat_map(|strand| &strand.members);
        let numbers: FxHashMap<usize, u32> = members.copied().zip(0..).collect();
        for (&position, &number) in &numbers {
            steps[position].turn = Some(Box::new(Turn { number, strands: Vec::new() }));
        }
        for strands in &self.strands {
            let leader = strands[0].members[0];
            let strands = strands.iter().map(|strand| Strand::new(strand, steps, &numbers));
            let (number, strands) = (numbers[&leader], strands.collect());
            steps[leader].turn = Some(Box::new(Turn { number, strands }));
        }
        numbers.len()
    }
}

struct Search<'a> {
    subgraph: &'a Subgraph,
    order: &'a [Scheduled],
    lazy: &'a Lazy,
    /// By node.
    positions: Vec<Option<usize>>,
    found: Lookahead,
}

impl Search<'_> {
    fn node(&self, position: usize) -> &Node {
        self.subgraph.node(self.order[position].node())
    }

    /// Whether nothing but its outputs tells that a node ran.
    fn is_pure(&self, position: usize) -> bool {
        let op = self.node(position).op;
        op.execution == Execution::Kernel
            && matches!(op.effect, Effect::None | Effect::Random)
            && !self.lazy.contains_key(&self.order[position].node())
    }

    fn is_heavy(&self, position: usize) -> bool {
        let node = self.node(position);
        let inputs = node.inputs.iter().map(|&input| self.subgraph.fact(input));
        let bytes = inputs.chain(&node.outputs).map(known_bytes);
        self.is_pure(position) && bytes.fold(0, usize::saturating_add) >= LEAST_BYTES
    }

    /// Finds strands that can run beside the node at a position.
    fn look_ahead(&mut self, leader: usize) {
        let mut strands = vec![Candidates { members: vec![leader], needs: Vec::new() }];
        // Light nodes that could run as well, if a heavy one asked for them.
        let mut ready = FxHashSet::default();
        for position in (leader + 1..self.order.len()).take(WINDOW) {
            if self.found.follows(position)
                || !self.is_pure(position)
                || !self.can_run(position, leader, &ready)
            {
                continue;
            }
            if !self.is_heavy(position) {
                ready.insert(position);
                continue;
            }
            let strand = self.strand(position, leader, &ready);
            ready.retain(|position| !strand.members.contains(position));
            strands.push(strand);
            if strands.len() == MOST_STRANDS {
                break;
            }
        }
        if strands.len() > 1 {
            let followers = strands[1..].iter().flat_map(|strand| &strand.members);
            self.found.followers.extend(followers);
            self.found.strands.push(strands);
        }
    }

    /// Whether all inputs of a node are there in the turn of `leader`, or can be.
    fn can_run(&self, position: usize, leader: usize, ready: &FxHashSet<usize>) -> bool {
        self.producers(position).all(|producer| {
            producer < leader || self.found.follows(producer) || ready.contains(&producer)
        })
    }

    fn producers(&self, position: usize) -> impl Iterator<Item = usize> {
        let inputs = self.node(position).inputs.iter();
        inputs.filter_map(|input| self.positions[input.node.index()])
    }

    /// A node with what it needs of `ready`.
    fn strand(&self, position: usize, leader: usize, ready: &FxHashSet<usize>) -> Candidates {
        let mut members = vec![position];
        let mut needs = Vec::new();
        let mut next = 0;
        while let Some(&member) = members.get(next) {
            for producer in self.producers(member) {
                if members.contains(&producer) || producer < leader {
                    continue;
                }
                if ready.contains(&producer) { &mut members } else { &mut needs }.push(producer);
            }
            next += 1;
        }
        members.sort_unstable();
        Candidates { members, needs }
    }
}

/// The bytes of a tensor, where unknown extents are taken to be 1.
fn known_bytes(fact: &Fact) -> usize {
    let extents = fact.shape.dims().into_iter().flatten().map(|dim| dim.known().unwrap_or(1));
    extents.fold(fact.dtype.size(), usize::saturating_mul)
}

impl Turn {
    pub(crate) fn number(&self) -> usize {
        self.number as usize
    }
}

impl Strand {
    fn new(candidates: &Candidates, steps: &[Step], numbers: &FxHashMap<usize, u32>) -> Self {
        let mut inputs = Vec::new();
        let mut places = FxHashMap::default();
        let mut count = 0..;
        let mut place = || count.next().unwrap_or_default();
        let members = candidates.members.iter().map(|position| {
            let step = &steps[*position];
            let operands = step.inputs.iter().map(|operand| {
                if operand.is_constant() {
                    return *operand;
                }
                let slot = operand.index() as u32;
                Operand::slot(*places.entry(slot).or_insert_with(|| {
                    let place = place();
                    inputs.push((slot, place));
                    place
                }))
            });
            let operands = operands.collect();
            let outputs = step.outputs.iter().map(|&slot| {
                let place = place();
                places.insert(slot, place);
                place
            });
            Member { number: numbers[position], inputs: operands, outputs: outputs.collect() }
        });
        let members = members.collect();
        let needs = candidates.needs.iter().map(|position| numbers[position]).collect();
        Strand { inputs, needs, members, places: place() }
    }

    /// Whether what it takes of the run is there, and little enough.
    fn can_run(&self, slots: &[Option<Value>], outcomes: &[Outcome]) -> bool {
        let bytes = |&(slot, _): &(u32, u32)| slots[slot as usize].as_ref().map_or(0, Value::bytes);
        self.needs.iter().all(|&number| matches!(outcomes[number as usize], Outcome::Done))
            && self.inputs.iter().map(bytes).sum::<usize>() <= MOST_BYTES
    }
}

/// What has become of a step.
#[derive(Default)]
enum Outcome {
    #[default]
    Waits,
    Done,
    Failed(KernelError),
}

/// What one run knows of its strands.
#[derive(Default)]
pub(crate) struct Ahead {
    outcomes: Vec<Outcome>,
    tasks: Vec<Task>,
}

/// A strand as it runs.
#[derive(Default)]
struct Task {
    values: Vec<Option<Value>>,
    memory: Recycler,
    /// What its outputs were, in the run before.
    outputs: Vec<(DType, usize)>,
    /// How many of its members are done.
    done: usize,
    failure: Option<KernelError>,
}

impl Ahead {
    /// Prepares for a run of a plan.
    #[inline]
    pub(crate) fn reset(&mut self, plan: &Plan) {
        if !plan.ahead.is_empty() {
            self.outcomes.clear();
            self.outcomes.resize_with(plan.ahead.len(), Outcome::default);
        }
    }

    /// The bytes that it keeps for runs to come.
    pub(crate) fn idle_bytes(&self) -> usize {
        let values = |task: &Task| task.values.capacity() * size_of::<Option<Value>>();
        self.tasks.iter().map(|task| values(task) + task.memory.idle_bytes()).sum()
    }

    /// Runs at once what can run in a step's turn, if it is much enough and not too much.
    pub(crate) fn run(
        &mut self,
        plan: &Plan,
        turn: &Turn,
        slots: &mut [Option<Value>],
        draw: &(dyn Fn(&Step) -> Draw + Sync),
    ) {
        let Ahead { outcomes, tasks } = self;
        let Some(leader) = turn.strands.first() else { return };
        if !leader.can_run(slots, outcomes) {
            return;
        }
        let ready = |strand: &&Strand| strand.can_run(slots, outcomes);
        let strands: SmallVec<[&Strand; MOST_STRANDS]> =
            turn.strands.iter().filter(ready).collect();
        if tasks.len() < strands.len() {
            tasks.resize_with(strands.len(), Task::default);
        }
        let tasks = &mut tasks[..strands.len()];
        for (task, strand) in tasks.iter_mut().zip(&strands) {
            task.take_inputs(strand, slots);
        }
        pool::for_each_chunk_mut(tasks, 1, |i, task| {
            task.iter_mut().for_each(|task| task.run(plan, strands[i], draw));
        });
        for (task, strand) in tasks.iter_mut().zip(strands) {
            task.give_outputs(plan, strand, slots, outcomes);
        }
    }

    /// What came of a step, if it ran.
    pub(crate) fn take(&mut self, turn: &Turn) -> Option<Result<(), KernelError>> {
        match mem::take(&mut self.outcomes[turn.number()]) {
            Outcome::Waits => None,
            Outcome::Done => Some(Ok(())),
            Outcome::Failed(error) => Some(Err(error)),
        }
    }
}

impl Task {
    fn take_inputs(&mut self, strand: &Strand, slots: &[Option<Value>]) {
        self.values.resize(strand.places as usize, None);
        for &(slot, place) in &strand.inputs {
            self.values[place as usize].clone_from(&slots[slot as usize]);
        }
        for (dtype, elements) in self.outputs.drain(..) {
            self.memory.take_over(dtype, elements);
        }
    }

    fn run(&mut self, plan: &Plan, strand: &Strand, draw: &dyn Fn(&Step) -> Draw) {
        let _memory = self.memory.install();
        self.done = 0;
        for member in &strand.members {
            let step = &plan.steps[plan.ahead[member.number as usize]];
            let result = step.kernel.run(&mut KernelCx {
                slots: &mut self.values,
                constants: &plan.constants,
                inputs: &member.inputs,
                outputs: &member.outputs,
                draw: draw(step),
                host: &NoHost,
            });
            if let Err(error) = result {
                self.failure = Some(error);
                return;
            }
            self.done += 1;
        }
    }

    fn give_outputs(
        &mut self,
        plan: &Plan,
        strand: &Strand,
        slots: &mut [Option<Value>],
        outcomes: &mut [Outcome],
    ) {
        for member in &strand.members[..self.done] {
            let step = &plan.steps[plan.ahead[member.number as usize]];
            for (&slot, &place) in step.outputs.iter().zip(&member.outputs) {
                let value = self.values[place as usize].take();
                self.outputs.extend(value.iter().map(|value| (value.dtype(), value.elements())));
                slots[slot as usize] = value;
            }
            outcomes[member.number as usize] = Outcome::Done;
        }
        if let (Some(error), Some(member)) = (self.failure.take(), strand.members.get(self.done)) {
            outcomes[member.number as usize] = Outcome::Failed(error);
        }
        self.values.drain(..).flatten().for_each(recycle);
    }
}
