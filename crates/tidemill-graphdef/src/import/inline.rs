//! Replaces calls of functions by the bodies of the functions.

use std::ops::Range;

use rustc_hash::FxHashSet;
use tidemill_formats::proto::{AnyValue, AttrValue, ListValue, Message};

use super::error::{ImportError, ImportErrorKind};
use super::function::result_types;
use super::library::Library;
use super::names::{prefixed, unused_name};
use super::net::{Attrs, Net, NetNode, Port};

/// The limit on the nodes, and bytes of messages, that calls put into a graph, so that functions
/// that call one another twice do not fill the memory.
pub(super) const MAX_NODES: usize = 1 << 18;
pub(super) const MAX_BYTES: usize = 1 << 30;

/// The net with calls replaced by the bodies of functions.
///
/// A call `c` becomes the nodes of the body, named `c/node`, and a node `c` that passes on the
/// results.
///
/// # Errors
/// If there is no such function, or it calls itself.
pub(super) fn inline(net: Net, library: &Library<'_>) -> Result<Net, ImportError> {
    if !net.nodes.iter().any(|node| library.call_of(node).is_some()) {
        return Ok(net);
    }
    let limit = net.nodes.len() + MAX_NODES;
    let mut pending: Vec<Pending> =
        (0..net.nodes.len()).rev().map(|node| Pending { node, caller: None }).collect();
    let mut inliner =
        Inliner { library, net, scopes: FxHashSet::default(), calls: Vec::new(), bytes: 0 };
    inliner.add_scopes(0, "");
    let mut order = Vec::with_capacity(pending.len());
    while let Some(Pending { node, caller }) = pending.pop() {
        if library.call_of(&inliner.net.nodes[node]).is_none() {
            order.push(node);
            continue;
        }
        let call = std::mem::take(&mut inliner.net.nodes[node]);
        let members = inliner.expand(&call, node, caller).map_err(|kind| call.error(kind))?;
        let caller = Some(inliner.calls.len() - 1);
        pending.push(Pending { node, caller });
        pending.extend(members.rev().map(|node| Pending { node, caller }));
        if inliner.net.nodes.len() > limit {
            return Err(call.error(ImportErrorKind::TooManyNodes));
        }
    }
    inliner.net.arrange(&order);
    Ok(inliner.net)
}

/// A node to put in its place, and the call whose body it belongs to.
struct Pending {
    node: usize,
    caller: Option<usize>,
}

/// A call under way.
struct InlinedCall {
    function: String,
    /// The call whose body it belongs to.
    caller: Option<usize>,
}

struct Inliner<'a> {
    library: &'a Library<'a>,
    /// The nodes, with those of bodies at the end.
    net: Net,
    /// The scopes that names of nodes are in.
    scopes: FxHashSet<String>,
    calls: Vec<InlinedCall>,
    /// The bytes that the bodies take.
    bytes: usize,
}

impl Inliner<'_> {
    /// Notes the scopes of the names of the nodes from `start` on, below one that is noted.
    fn add_scopes(&mut self, start: usize, below: &str) {
        for node in &self.net.nodes[start..] {
            let ends = node.name.match_indices('/').map(|(end, _)| end);
            let ends = ends.filter(|end| *end > below.len());
            self.scopes.extend(ends.map(|end| node.name[..end].to_owned()));
        }
    }

    fn check_recursion(
        &self,
        name: &str,
        mut caller: Option<usize>,
    ) -> Result<(), ImportErrorKind> {
        while let Some(index) = caller {
            if self.calls[index].function == name {
                return Err(ImportErrorKind::Recursion { function: name.to_owned() });
            }
            caller = self.calls[index].caller;
        }
        Ok(())
    }

    /// Adds the nodes of the body of a call, and puts a node that passes on the results in the
    /// place of the call.
    fn expand(
        &mut self,
        call: &NetNode,
        place: usize,
        caller: Option<usize>,
    ) -> Result<Range<usize>, ImportErrorKind> {
        let Some((name, attrs)) = self.library.call_of(call) else { return Ok(0..0) };
        self.check_recursion(name, caller)?;
        let function = self.library.definition(name)?;
        self.bytes = self.bytes.saturating_add(function.encoded_len());
        if self.bytes > MAX_BYTES {
            return Err(ImportErrorKind::TooManyNodes);
        }
        // The name of the call, unless other nodes are in that scope.
        let scope = unused_name(&mut self.scopes, &call.name);
        let body = self.library.body(name, attrs, call.inputs.len())?;
        let start = self.net.nodes.len();
        // The first node of the body stands for the arguments.
        let moved = |node: usize| start + node - 1;
        let port = |port: &Port| match port.node {
            Net::ARGUMENTS => call.inputs[port.slot as usize],
            node => Port { node: moved(node), ..*port },
        };
        let members = body.nodes.into_iter().skip(1).map(|node| {
            // A node that takes a node of the body runs after it, and so after all of these.
            let follows = !node.controls.is_empty()
                || node.inputs.iter().any(|input| input.node != Net::ARGUMENTS);
            let waits_for = if follows { &[][..] } else { &call.controls };
            let controls = node.controls.iter().map(|&node| moved(node));
            NetNode {
                name: prefixed(&scope, &node.name),
                inputs: node.inputs.iter().map(port).collect(),
                controls: controls.chain(waits_for.iter().copied()).collect(),
                ..node
            }
        });
        self.net.nodes.extend(members);
        self.add_scopes(start, &scope);
        let (op, attrs) = passing_on(&result_types(function, attrs));
        let kept = body.kept.iter().map(|&node| moved(node));
        self.net.nodes[place] = NetNode {
            name: call.name.clone(),
            op: op.to_owned(),
            attrs,
            inputs: body.results.iter().map(port).collect(),
            controls: kept.chain(call.controls.iter().copied()).collect(),
            ..NetNode::default()
        };
        self.calls.push(InlinedCall { function: name.to_owned(), caller });
        Ok(start..self.net.nodes.len())
    }
}

/// The operation that passes on tensors of these types, and its attributes.
fn passing_on(types: &[i32]) -> (&'static str, Attrs) {
    let (op, types) = match types {
        [] => return ("NoOp", Attrs::new()),
        [dtype] => ("Identity", AnyValue::Type(*dtype)),
        _ => {
            let list = ListValue { r#type: types.to_vec(), ..ListValue::default() };
            ("IdentityN", AnyValue::List(list))
        }
    };
    (op, [("T".to_owned(), AttrValue { value: Some(types) })].into())
}
