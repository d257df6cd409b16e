//! Converts frames of loops to `While`.

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_formats::proto::AnyValue;

use super::super::error::ImportError;
use super::super::net::Port;
use super::flow::{Flow, refused};
use super::framed::Framed;
use super::function::{Argument, Edge, Part, Step, function_attr, types, unknown_shapes};

/// The suffix of the frame names of `while_loop`.
const CONTEXT: &str = "/while_context";

/// A value that goes around a loop.
struct Variable {
    enter: usize,
    /// The value for the next iteration.
    next: Port,
    next_controls: Vec<usize>,
}

/// The nodes of a loop by their roles.
struct Loop {
    /// The tensor of its condition.
    condition: Port,
    loop_cond: usize,
    variables: Vec<Variable>,
    /// The nodes that are the same in all iterations.
    invariants: FxHashSet<usize>,
    /// For each `Merge`, and each `Switch` after one, the `Enter` of its initial value.
    enters: FxHashMap<usize, usize>,
    exits: Vec<(usize, usize)>,
    members: Vec<usize>,
}

/// Replaces a frame, whose inner loops and conditionals are converted, by the node of its loop.
pub(super) fn raise_loop(net: &mut Framed, frame: usize) -> Result<(), ImportError> {
    let found = Loop::find(net, frame)?;
    let step = |net: &Framed, edge| found.step(net, frame, edge);
    let condition = Part::new(net, vec![found.condition], Vec::new(), step)?;
    let next = found.variables.iter().map(|variable| variable.next).collect();
    let controls = found.variables.iter().flat_map(|variable| variable.next_controls.clone());
    let body = Part::new(net, next, controls.collect(), step)?;

    let enters = found.variables.iter().map(|variable| variable.enter);
    let outside = enters.map(|node| Port { node, slot: 0 });
    let outside = outside.chain(condition.outside.iter().chain(&body.outside).copied());
    let arguments = Argument::all(net, outside)?;
    let is_stateful = condition.is_stateful(net)
        || body.is_stateful(net)
        || arguments.iter().any(Argument::is_variable);
    let mut controls: Vec<usize> = condition.before.iter().chain(&body.before).copied().collect();
    let mut inputs = Vec::with_capacity(arguments.len());
    for &Argument { outside, .. } in &arguments {
        let member = &net.nodes[outside.node];
        match (net.flow(outside.node), member.inputs.first()) {
            (Flow::Enter, given) if net.places[outside.node].frame == frame => {
                controls.extend(&member.controls);
                inputs.push(*given.ok_or_else(|| refused(member, "it has no inputs"))?);
            }
            _ => inputs.push(outside),
        }
    }
    controls.sort_unstable();
    controls.dedup();

    let of_frame = &net.frames[frame].name;
    let name = of_frame.strip_suffix(CONTEXT).unwrap_or(of_frame).to_owned();
    let cond_body = condition.function(net, &arguments)?;
    let mut loop_body = body.function(net, &arguments)?;
    // The body passes on the arguments that are the same in all iterations.
    loop_body.results.extend((found.variables.len()..arguments.len()).map(Port::argument));
    let cond_name = net.add_function(&format!("{name}_cond"), cond_body, found.loop_cond)?;
    let body_name = net.add_function(&format!("{name}_body"), loop_body, found.loop_cond)?;

    let first = found.exits.first().map_or(found.loop_cond, |(exit, _)| *exit);
    let op = if is_stateful { "While" } else { "StatelessWhile" };
    let parallel = found.variables.first().map(|variable| &net.nodes[variable.enter]);
    let parallel = parallel.and_then(|enter| enter.attr("parallel_iterations")).cloned();
    let parent = net.frames[frame].parent;
    let raised = net.add(&name, op, inputs, controls, (first, parent));
    let node = &mut net.nodes[raised];
    node.set("T", types(arguments.iter().map(|argument| argument.dtype)));
    node.set("cond", function_attr(&cond_name));
    node.set("body", function_attr(&body_name));
    node.set("output_shapes", unknown_shapes(arguments.len()));
    if let Some(parallel) = parallel {
        node.set("parallel_iterations", parallel);
    }
    for &node in &found.members {
        net.places[node].is_there = false;
    }
    for (exit, slot) in found.exits {
        let port = Port { node: raised, slot: slot as u32 };
        net.become_identity(exit, port, arguments[slot].dtype);
        net.places[exit].is_there = true;
        net.move_to(exit, parent);
    }
    Ok(())
}

impl Loop {
    fn find(net: &Framed, frame: usize) -> Result<Self, ImportError> {
        let members = net.members(frame)?;
        let of_flow = |flow: Flow| {
            let members = members.iter().copied();
            members.filter(move |&node| net.flow(node) == flow)
        };
        let in_frame = |node: usize, problem: &str| {
            let name = &net.frames[frame].name;
            refused(&net.nodes[node], format!("{problem}, in the loop of the frame `{name}`"))
        };
        let first = members.first().copied().unwrap_or_default();
        let loop_conds: Vec<usize> = of_flow(Flow::LoopCond).collect();
        let &[loop_cond] = loop_conds.as_slice() else {
            let problem = format!("there are {} `LoopCond` nodes instead of 1", loop_conds.len());
            return Err(in_frame(loop_conds.first().copied().unwrap_or(first), &problem));
        };
        let &[condition] = net.nodes[loop_cond].inputs.as_slice() else {
            return Err(in_frame(loop_cond, "it has no condition"));
        };
        let (mut variables, mut enters) = (Vec::new(), FxHashMap::default());
        for merge in of_flow(Flow::Merge) {
            let variable = variable_of(net, merge).ok_or_else(|| {
                in_frame(merge, "it does not join an `Enter` and a `NextIteration`")
            })?;
            enters.insert(merge, variable.enter);
            variables.push(variable);
        }
        variables.sort_by_key(|variable| variable.enter);
        let mut place_of = FxHashMap::default();
        for (place, variable) in variables.iter().enumerate() {
            if place_of.insert(variable.enter, place).is_some() {
                return Err(in_frame(variable.enter, "it starts several values of the loop"));
            }
        }
        for switch in of_flow(Flow::Switch) {
            let member = &net.nodes[switch];
            let enter = match member.inputs.as_slice() {
                [data, pred] if pred.node == loop_cond => enters.get(&data.node).copied(),
                _ => None,
            };
            let unknown = "it does not lead from a `Merge` of the loop, by its condition";
            enters.insert(switch, enter.ok_or_else(|| in_frame(switch, unknown))?);
        }
        let exit = |exit: usize| {
            let switch = match net.nodes[exit].inputs.as_slice() {
                [Port { node, slot: 0 }] => Some(*node),
                _ => None,
            };
            let is_switch = |node: &usize| net.flow(*node) == Flow::Switch;
            let enter = switch.filter(is_switch).and_then(|switch| enters.get(&switch));
            let place = enter.and_then(|enter| place_of.get(enter)).copied();
            let unknown = "it does not lead out of a `Switch` of the loop";
            Ok((exit, place.ok_or_else(|| in_frame(exit, unknown))?))
        };
        let exits = of_flow(Flow::Exit).map(exit).collect::<Result<_, ImportError>>()?;
        let invariants = of_flow(Flow::Enter).filter(|enter| !place_of.contains_key(enter));
        let invariants: FxHashSet<usize> = invariants.collect();
        let is_constant = |enter: &&usize| {
            matches!(net.nodes[**enter].attr("is_constant"), Some(AnyValue::B(true)))
        };
        if let Some(&enter) = invariants.iter().filter(|enter| !is_constant(enter)).min() {
            return Err(in_frame(enter, "no `Merge` takes it, and it is not constant"));
        }
        Ok(Loop { condition, loop_cond, variables, invariants, enters, exits, members })
    }

    /// The role of an edge for the condition or the body.
    fn step(&self, net: &Framed, frame: usize, edge: Edge) -> Result<Step, ImportError> {
        let (node, port) = match edge {
            Edge::Data(port) => (port.node, port),
            Edge::Control(node) => (node, net.origin(Port { node, slot: 0 })),
        };
        let argument = match net.flow(port.node) {
            _ if net.places[port.node].frame != frame => None,
            Flow::Switch if port.slot == 1 => self.enters.get(&port.node).copied(),
            Flow::Merge => self.enters.get(&port.node).copied(),
            Flow::Enter if self.invariants.contains(&port.node) => Some(port.node),
            _ => None,
        };
        match (edge, argument) {
            (Edge::Data(_), Some(node)) => Ok(Step::Argument(Port { node, slot: 0 })),
            (Edge::Control(_), Some(_)) => Ok(Step::Begun),
            (Edge::Data(port), None) if net.places[node].frame != frame => Ok(Step::Argument(port)),
            (Edge::Control(node), None) if net.places[node].frame != frame => {
                Ok(Step::Before(node))
            }
            _ if net.flow(node) != Flow::None => {
                let name = &net.frames[frame].name;
                let problem = format!(
                    "it is needed within the loop of the frame `{name}`, but comes after or around that loop"
                );
                Err(refused(&net.nodes[node], problem))
            }
            _ => Ok(Step::Inside),
        }
    }
}

/// The inputs of a `Merge`, if it belongs to a value that goes around.
fn variable_of(net: &Framed, merge: usize) -> Option<Variable> {
    let &[left, right] = net.nodes[merge].inputs.as_slice() else { return None };
    let flow = |port: Port| net.flow(port.node);
    let (enter, next) = match (flow(left), flow(right)) {
        (Flow::Enter, Flow::NextIteration) => (left.node, right.node),
        (Flow::NextIteration, Flow::Enter) => (right.node, left.node),
        _ => return None,
    };
    let frame = net.places[merge].frame;
    if net.places[enter].frame != frame || net.places[next].frame != frame {
        return None;
    }
    let &[value] = net.nodes[next].inputs.as_slice() else { return None };
    Some(Variable { enter, next: value, next_controls: net.nodes[next].controls.clone() })
}
