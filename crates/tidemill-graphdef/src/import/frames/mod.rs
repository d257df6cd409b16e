//! Conditionals and loops of TensorFlow 1, converted to `If` and `While`.
//!
//! TensorFlow 1 writes control flow as edges: `Switch` sends a tensor to one of two places, `Merge`
//! takes the one that arrives, and `Enter`, `NextIteration` and `Exit` lead into, around and out of
//! the frame of a loop. This module recognises the patterns that `tf.cond`, `tf.case` and
//! `tf.while_loop` produce, and replaces them with nodes that run functions. Any other control flow
//! is an error.

mod arrays;
mod cond;
mod flow;
mod function;
mod net;
#[cfg(test)]
mod tests;
mod while_loop;

use std::borrow::Cow;

use tidemill_formats::proto::{GraphDef, NodeDef};

use super::error::ImportError;
use flow::Flow;
use net::Net;

/// The graph with conditionals and loops as nodes that run functions, and arrays of tensors as
/// lists.
///
/// Fetchable names are kept: a `Merge` and an `Exit` become the `Identity` of a result.
///
/// # Errors
/// The node that does not have the form written by `tf.cond` and `tf.while_loop`.
pub(super) fn raise(graph: Cow<'_, GraphDef>) -> Result<Cow<'_, GraphDef>, ImportError> {
    let is_raised =
        |node: &NodeDef| Flow::of(&node.op) != Flow::None || arrays::is_of_array(&node.op);
    if !graph.node.iter().any(is_raised) {
        return Ok(graph);
    }
    let GraphDef { node, library, versions } = graph.into_owned();
    let mut net = Net::new(node, library.unwrap_or_default())?;
    arrays::to_lists(&mut net)?;
    net.find_frames()?;
    // A loop is converted before the one around it.
    for frame in (0..net.frames.len()).rev() {
        cond::raise_conds(&mut net, frame)?;
        if frame > 0 {
            while_loop::raise_loop(&mut net, frame)?;
        }
    }
    let (node, library) = net.into_parts();
    Ok(Cow::Owned(GraphDef { node, library: Some(library), versions }))
}
