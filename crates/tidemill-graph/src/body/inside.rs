//! Describes the bodies around a node, for errors about its use outside.

use std::fmt;

use crate::{Execution, Graph, GraphKey, Location, NodeId, OperationRef, Referent, TensorId};

/// A node inside a body that is used outside of it.
#[derive(Clone, Debug, PartialEq)]
pub struct InsideBody {
    /// The name of the node.
    pub name: String,
    /// The bodies that it is in, the innermost first; empty if the body is still being built.
    pub within: Vec<Enclosing>,
    /// The outputs of the node that runs the outermost body.
    pub outputs: Vec<String>,
}

/// A body around a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Enclosing {
    /// The name of the body.
    pub body: String,
    /// The name of the node that runs it.
    pub call: String,
    /// Whether that node is a loop.
    pub is_loop: bool,
    /// The line that created that node.
    pub location: Location,
}

impl InsideBody {
    /// The place of a node, if it is inside a body of a graph or of an enclosing graph.
    pub fn of(operation: OperationRef, outside: GraphKey) -> Option<InsideBody> {
        let Referent::Node(id) = operation.referent() else { return None };
        let graph = Graph::find(operation.graph()).ok()?;
        let around: Vec<GraphKey> =
            std::iter::successors(Some(outside), |&key| Some(around(key)?.0)).collect();
        let mut inside = InsideBody {
            name: graph.read().name(id).to_owned(),
            within: Vec::new(),
            outputs: Vec::new(),
        };
        let mut key = operation.graph();
        while let Some((outer, call)) = self::around(key) {
            match call {
                Some(call) => inside.enter(key, outer, call)?,
                // This body is still being built, so nothing inside it is available yet.
                None => inside.within.clear(),
            }
            if around.contains(&outer) {
                return Some(inside);
            }
            key = outer;
        }
        None
    }

    fn enter(&mut self, body: GraphKey, outer: GraphKey, call: NodeId) -> Option<()> {
        let graph = Graph::find(outer).ok()?;
        let reader = graph.read();
        let node = reader.node(call);
        let body = node.bodies().find(|candidate| candidate.graph().key() == body)?;
        self.within.push(Enclosing {
            body: body.name().to_owned(),
            call: reader.name(call).to_owned(),
            is_loop: node.op.execution == Execution::Loop,
            location: reader.location(call),
        });
        let slots = 0..node.outputs.len() as u32;
        self.outputs = slots.map(|slot| reader.tensor_name(TensorId::new(call, slot))).collect();
        Some(())
    }
}

/// For the graph of a body, the graph around it, and the node that runs it.
fn around(key: GraphKey) -> Option<(GraphKey, Option<NodeId>)> {
    Graph::find(key).ok()?.read().state().within
}

impl fmt::Display for InsideBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is inside ", self.name)?;
        if self.within.is_empty() {
            return f.write_str("a body that is still being built, and has a value only there");
        }
        for (i, Enclosing { body, call, is_loop, location }) in self.within.iter().enumerate() {
            let separator = if i > 0 { ", inside " } else { "" };
            let what = if *is_loop { "loop" } else { "conditional" };
            write!(f, "{separator}the `{body}` of the {what} `{call}` ({location})")?;
        }
        f.write_str(", and has a value only there")?;
        match self.outputs.as_slice() {
            [] => Ok(()),
            [output] => write!(f, ": take what comes out of it, `{output}`"),
            [first, last] => write!(f, ": take what comes out of it, `{first}` or `{last}`"),
            [first, .., last] => write!(f, ": take what comes out of it, `{first}` to `{last}`"),
        }
    }
}
