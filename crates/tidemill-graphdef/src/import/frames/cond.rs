//! Converts `Switch` and `Merge` to `If`.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_formats::proto::{AnyValue, DataType};

use super::super::error::ImportError;
use super::super::net::Port;
use super::flow::{Flow, refused};
use super::framed::Framed;
use super::function::{Argument, Edge, Part, Step, function_attr, types, unknown_shapes};

/// The limit on the nesting of conditionals.
const MAX_DEPTH: usize = 1000;

/// The conditions under which a node runs, in its frame. The first branch has none.
struct Branch {
    parent: usize,
    depth: usize,
    /// The condition, and whether it holds.
    tag: Option<(Port, bool)>,
}

/// The branches that the nodes of a frame are in.
struct Branches {
    all: Vec<Branch>,
    known: FxHashMap<(usize, Port, bool), usize>,
    /// By node. The branch of a `Switch` is the one that it is in itself.
    of: FxHashMap<usize, usize>,
    /// The condition of each `Switch`, as it was before conditionals were converted.
    conditions: FxHashMap<usize, Port>,
    frame: usize,
}

/// The results of one conditional: `Merge` nodes with the input of each if the condition holds, and
/// if not.
struct Conditional {
    /// The branch that the conditional is in.
    outer: usize,
    condition: Port,
    merges: Vec<(usize, [Port; 2])>,
}

/// Converts the conditionals of a frame, the inner ones first.
pub(super) fn raise_conds(net: &mut Framed, frame: usize) -> Result<(), ImportError> {
    let members = net.members(frame)?;
    if !members.iter().any(|&node| is_conditional(net, node)) {
        return Ok(());
    }
    let mut branches = Branches::new(frame);
    let mut found: BTreeMap<(usize, Port, String), Conditional> = BTreeMap::new();
    for &node in &members {
        if let Some((outer, condition, sides)) = branches.place(net, node)? {
            let name = &net.nodes[node].name;
            let scope = name.rsplit_once('/').map_or("", |(scope, _)| scope).to_owned();
            let merges = Vec::new();
            let conditional = Conditional { outer, condition, merges };
            let conditional = found.entry((outer, condition, scope)).or_insert(conditional);
            conditional.merges.push((node, sides));
        }
    }
    let mut ordered: Vec<((usize, Port, String), Conditional)> = found.into_iter().collect();
    // Conditionals of the same depth stay in the order of their first results.
    ordered.sort_by_key(|(_, conditional)| {
        let first = conditional.merges.first().map(|(node, _)| *node);
        (std::cmp::Reverse(branches.all[conditional.outer].depth), first)
    });
    let mut merged = FxHashSet::default();
    for ((_, _, scope), conditional) in &ordered {
        raise(net, &mut branches, scope, conditional)?;
        merged.insert((conditional.outer, conditional.condition));
    }
    let mut parts: Vec<usize> = branches.of.keys().copied().collect();
    parts.sort_unstable();
    parts.into_iter().try_for_each(|node| branches.drop_part(net, node, &merged))
}

/// True if a node is part of a conditional, and not of the loop around it.
fn is_conditional(net: &Framed, node: usize) -> bool {
    let member = &net.nodes[node];
    match net.flow(node) {
        Flow::Switch => {
            member.inputs.get(1).is_none_or(|condition| net.flow(condition.node) != Flow::LoopCond)
        }
        Flow::Merge => {
            !member.inputs.iter().any(|input| net.flow(input.node) == Flow::NextIteration)
        }
        _ => false,
    }
}

impl Branches {
    fn new(frame: usize) -> Self {
        let all = vec![Branch { parent: 0, depth: 0, tag: None }];
        let (known, of, conditions) = Default::default();
        Branches { all, known, of, conditions, frame }
    }

    /// The branch inside another one in which a condition holds or does not.
    fn within(&mut self, parent: usize, condition: Port, holds: bool) -> usize {
        let next = self.all.len();
        let branch = *self.known.entry((parent, condition, holds)).or_insert(next);
        if branch == next {
            let depth = self.all[parent].depth + 1;
            self.all.push(Branch { parent, depth, tag: Some((condition, holds)) });
        }
        branch
    }

    /// The branch of a tensor.
    fn of_port(&mut self, port: Port) -> usize {
        let of_node = self.of.get(&port.node).copied().unwrap_or(0);
        match self.conditions.get(&port.node) {
            Some(&condition) => self.within(of_node, condition, port.slot == 1),
            None => of_node,
        }
    }

    fn is_in(&self, mut branch: usize, outer: usize) -> bool {
        while self.all[branch].depth > self.all[outer].depth {
            branch = self.all[branch].parent;
        }
        branch == outer
    }

    /// The inner one of two branches, if one is inside the other.
    fn inner(&self, left: usize, right: usize) -> Option<usize> {
        match () {
            () if self.is_in(right, left) => Some(right),
            () if self.is_in(left, right) => Some(left),
            () => None,
        }
    }

    /// Finds the branch of a node whose inputs have theirs. For the `Merge` of a conditional,
    /// returns its branch, the condition, and the inputs for when that holds and when it does not.
    fn place(
        &mut self,
        net: &Framed,
        node: usize,
    ) -> Result<Option<(usize, Port, [Port; 2])>, ImportError> {
        let member = &net.nodes[node];
        let is_merge = net.flow(node) == Flow::Merge && is_conditional(net, node);
        if is_merge {
            let found = self.merge(net, node)?;
            self.of.insert(node, found.0);
            return Ok(Some(found));
        }
        let ports = member.inputs.iter().copied().filter(|port| !net.goes_back(node, port.node));
        let controls = member.controls.iter().map(|&node| Port { node, slot: u32::MAX });
        let mut branch = 0;
        for port in ports.chain(controls) {
            let other = match port.slot {
                u32::MAX => self.of.get(&port.node).copied().unwrap_or(0),
                _ => self.of_port(port),
            };
            branch = self.inner(branch, other).ok_or_else(|| {
                refused(member, "it takes tensors of two branches, of which only one runs")
            })?;
        }
        if self.all[branch].depth > MAX_DEPTH {
            return Err(refused(member, "it is in too many conditionals"));
        }
        self.of.insert(node, branch);
        if let (true, Some(&condition)) = (is_conditional(net, node), member.inputs.get(1)) {
            self.conditions.insert(node, net.origin(condition));
        }
        Ok(None)
    }

    fn merge(
        &mut self,
        net: &Framed,
        node: usize,
    ) -> Result<(usize, Port, [Port; 2]), ImportError> {
        let member = &net.nodes[node];
        let unpaired = || {
            refused(member, "its inputs are not of the two branches of one condition, as in `cond`")
        };
        let &[left, right] = member.inputs.as_slice() else { return Err(unpaired()) };
        let [left_branch, right_branch] = [left, right].map(|port| self.of_port(port));
        let [l, r] = [left_branch, right_branch].map(|branch| &self.all[branch]);
        match (l.tag, r.tag) {
            (Some((condition, true)), Some((other, false)))
                if (l.parent, condition) == (r.parent, other) =>
            {
                Ok((l.parent, condition, [left, right]))
            }
            (Some((condition, false)), Some((other, true)))
                if (l.parent, condition) == (r.parent, other) =>
            {
                Ok((l.parent, condition, [right, left]))
            }
            _ => Err(unpaired()),
        }
    }

    /// Removes a node that was part of a branch, and is now part of bodies, from the net.
    fn drop_part(
        &self,
        net: &mut Framed,
        node: usize,
        merged: &FxHashSet<(usize, Port)>,
    ) -> Result<(), ImportError> {
        let mut branch = self.of.get(&node).copied().unwrap_or(0);
        let is_switch = net.flow(node) == Flow::Switch && is_conditional(net, node);
        if branch == 0 && !is_switch {
            return Ok(());
        }
        let is_merged = |outer, condition| merged.contains(&(outer, condition));
        let alone = "no `Merge` joins the branches that it leads to, as in `cond`";
        let condition = self.conditions.get(&node);
        if is_switch && !condition.is_some_and(|condition| is_merged(branch, *condition)) {
            return Err(refused(&net.nodes[node], alone));
        }
        while let Some((condition, _)) = self.all[branch].tag {
            branch = self.all[branch].parent;
            if !is_merged(branch, condition) {
                return Err(refused(&net.nodes[node], alone));
            }
        }
        net.places[node].is_there = false;
        Ok(())
    }
}

/// Replaces the nodes that lead to the results of a conditional by its node.
fn raise(
    net: &mut Framed,
    branches: &mut Branches,
    scope: &str,
    conditional: &Conditional,
) -> Result<(), ImportError> {
    let Conditional { outer, condition, merges } = conditional;
    let mut parts = Vec::with_capacity(2);
    for (side, holds) in [true, false].into_iter().enumerate() {
        let branch = branches.within(*outer, *condition, holds);
        let results = merges.iter().map(|(_, sides)| sides[side]).collect();
        let step = |net: &Framed, edge| step(net, branches, branch, edge);
        parts.push(Part::new(net, results, Vec::new(), step)?);
    }
    let outside = parts.iter().flat_map(|part| part.outside.iter().copied());
    let arguments = Argument::all(net, outside)?;
    let merge = |&(node, _): &(usize, [Port; 2])| {
        let member = &net.nodes[node];
        let dtype = member.type_attr("T");
        dtype.ok_or_else(|| refused(member, "it does not name its data type"))
    };
    let results: Vec<i32> = merges.iter().map(merge).collect::<Result<_, _>>()?;
    let is_stateful = parts.iter().any(|part| part.is_stateful(net))
        || arguments.iter().any(Argument::is_variable);
    let mut controls: Vec<usize> = parts.iter().flat_map(|part| part.before.clone()).collect();
    controls.extend(merges.iter().flat_map(|(node, _)| net.nodes[*node].controls.clone()));
    controls.sort_unstable();
    controls.dedup();
    let name = if scope.is_empty() { "cond" } else { scope };
    let Some(&(first, _)) = merges.first() else { return Ok(()) };
    let mut names = Vec::with_capacity(2);
    for (part, suffix) in parts.iter().zip(["true", "false"]) {
        let body = part.function(net, &arguments)?;
        names.push(net.add_function(&format!("{name}_{suffix}"), body, first)?);
    }
    let op = if is_stateful { "If" } else { "StatelessIf" };
    let inputs = arguments.iter().map(|argument| argument.outside);
    let inputs = std::iter::once(*condition).chain(inputs).collect();
    let raised = net.add(name, op, inputs, controls, (first, branches.frame));
    let node = &mut net.nodes[raised];
    node.set("Tcond", AnyValue::Type(DataType::Bool.into()));
    node.set("Tin", types(arguments.iter().map(|argument| argument.dtype)));
    node.set("Tout", types(results.iter().copied()));
    node.set("then_branch", function_attr(&names[0]));
    node.set("else_branch", function_attr(&names[1]));
    node.set("output_shapes", unknown_shapes(results.len()));
    branches.of.insert(raised, *outer);
    for (slot, (&(merge, _), &dtype)) in merges.iter().zip(&results).enumerate() {
        let port = Port { node: raised, slot: slot as u32 };
        net.become_identity(merge, port, dtype);
    }
    Ok(())
}

/// The role of an edge for a branch.
fn step(
    net: &Framed,
    branches: &mut Branches,
    branch: usize,
    edge: Edge,
) -> Result<Step, ImportError> {
    let (node, port) = match edge {
        Edge::Data(port) => (port.node, port),
        Edge::Control(node) => (node, net.origin(Port { node, slot: 0 })),
    };
    let of_node = branches.of.get(&node).copied().unwrap_or(0);
    // A `Switch` leads into the branch from outside.
    let leads_in = branches.conditions.contains_key(&port.node)
        && branches.of.get(&port.node).copied().unwrap_or(0) == branches.all[branch].parent
        && branches.of_port(port) == branch;
    match edge {
        Edge::Data(port) if leads_in => {
            let data = net.nodes[port.node].inputs.first().copied();
            let missing = || refused(&net.nodes[port.node], "it has no inputs");
            Ok(Step::Argument(data.ok_or_else(missing)?))
        }
        Edge::Control(_) if leads_in => Ok(Step::Begun),
        _ if branches.is_in(of_node, branch) => Ok(Step::Inside),
        Edge::Data(port) => Ok(Step::Argument(port)),
        Edge::Control(node) => Ok(Step::Before(node)),
    }
}
