//! Finds the steps that can run ahead of their turn, alongside another one.

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_graph::{Effect, Execution, Fact, Instr, Operand, Subgraph};

use crate::plan::schedule::{Lazy, Task};
use crate::plan::step::{Member, Step, Strand, Turn};

/// A step with fewer bytes of inputs and outputs ends before another thread could start it.
const LEAST_BYTES: usize = 1 << 14;
/// A step with more of them is cut into tiles for all threads, and gains nothing from company.
const MOST_BYTES: usize = 1 << 20;
/// The number of positions in which to look for steps that can run alongside one.
const WINDOW: usize = 128;
/// The most strands that run at once.
pub(crate) const MOST_STRANDS: usize = 16;

/// The nodes of an order that can run ahead, and the nodes alongside which they do.
#[derive(Default)]
pub(crate) struct Lookahead {
    /// The strands that can run at once, in the turn of the first.
    strands: Vec<Vec<Candidates>>,
    followers: FxHashSet<usize>,
}

/// The nodes of a strand, by their positions.
struct Candidates {
    members: Vec<usize>,
    /// The nodes of other strands whose outputs they take.
    needs: Vec<usize>,
}

impl Lookahead {
    pub(crate) fn new(subgraph: &Subgraph, order: &[Task], lazy: &Lazy) -> Self {
        let mut positions = vec![None; subgraph.len()];
        for (position, &task) in order.iter().enumerate() {
            if let Task::Run(id) = task {
                positions[id.index()] = Some(position);
            }
        }
        let mut search = Search { subgraph, order, lazy, positions, found: Lookahead::default() };
        for leader in 0..order.len() {
            let is_worthwhile = (LEAST_BYTES..=MOST_BYTES).contains(&search.bytes(leader));
            if is_worthwhile && search.is_pure(leader) && !search.found.follows(leader) {
                search.look_ahead(leader);
            }
        }
        search.found
    }

    /// True if the node at a position can run ahead. Then the slots of its outputs must not have
    /// held another value before.
    pub(crate) fn follows(&self, position: usize) -> bool {
        self.followers.contains(&position)
    }

    /// Assigns the steps of the nodes their turns, and returns the number of steps in strands.
    pub(crate) fn assign<'a>(&self, steps: impl Iterator<Item = &'a mut Step>) -> usize {
        let mut steps: Vec<&mut Step> = steps.collect();
        let members = self.strands.iter().flatten().flat_map(|strand| &strand.members);
        let numbers: FxHashMap<usize, u32> = members.copied().zip(0..).collect();
        for (&position, &number) in &numbers {
            steps[position].turn = Some(Box::new(Turn { number, strands: Vec::new() }));
        }
        for strands in &self.strands {
            let leader = strands[0].members[0];
            let strands = strands.iter().map(|strand| strand_of(strand, &steps, &numbers));
            let (number, strands) = (numbers[&leader], strands.collect());
            steps[leader].turn = Some(Box::new(Turn { number, strands }));
        }
        numbers.len()
    }
}

struct Search<'a> {
    subgraph: &'a Subgraph,
    order: &'a [Task],
    lazy: &'a Lazy,
    /// By node.
    positions: Vec<Option<usize>>,
    found: Lookahead,
}

impl Search<'_> {
    fn instr(&self, position: usize) -> &Instr {
        self.subgraph.instr(self.order[position].node())
    }

    /// True if a node has no observable effect but its outputs.
    fn is_pure(&self, position: usize) -> bool {
        let op = self.instr(position).op;
        op.execution == Execution::Kernel
            && matches!(op.effect, Effect::None | Effect::Random)
            && !self.lazy.contains_key(&self.order[position].node())
    }

    /// The bytes of the inputs and outputs of a node.
    fn bytes(&self, position: usize) -> usize {
        let instr = self.instr(position);
        let inputs = instr.inputs.iter().map(|&input| self.subgraph.fact(input));
        inputs.chain(&instr.outputs).map(known_bytes).fold(0, usize::saturating_add)
    }

    /// Finds strands that can run alongside the node at a position.
    fn look_ahead(&mut self, leader: usize) {
        let mut strands = vec![Candidates { members: vec![leader], needs: Vec::new() }];
        // Light nodes that could run as well, if a heavy one needed them.
        let mut ready = FxHashSet::default();
        for position in (leader + 1..self.order.len()).take(WINDOW) {
            if self.found.follows(position)
                || !self.is_pure(position)
                || self.bytes(position) > MOST_BYTES
                || !self.can_run(position, leader, &ready)
            {
                continue;
            }
            if self.bytes(position) < LEAST_BYTES {
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

    /// True if all inputs of a node are available in the turn of `leader`, or can be.
    fn can_run(&self, position: usize, leader: usize, ready: &FxHashSet<usize>) -> bool {
        self.producers(position).all(|producer| {
            producer < leader || self.found.follows(producer) || ready.contains(&producer)
        })
    }

    fn producers(&self, position: usize) -> impl Iterator<Item = usize> {
        let inputs = self.instr(position).inputs.iter();
        inputs.filter_map(|input| self.positions[input.node.index()])
    }

    /// The strand of a node and the nodes of `ready` that it needs.
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

/// The bytes of a tensor; unknown extents count as 1.
fn known_bytes(fact: &Fact) -> usize {
    let extents = fact.shape.dims().into_iter().flatten().map(|dim| dim.known().unwrap_or(1));
    extents.fold(fact.dtype.size(), usize::saturating_mul)
}

/// A strand of steps.
fn strand_of(
    candidates: &Candidates,
    steps: &[&mut Step],
    numbers: &FxHashMap<usize, u32>,
) -> Strand {
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
