//! Conditionals and loops of TensorFlow 1, converted to `If` and `While`.
//!
//! TensorFlow 1 writes control flow as edges: `Switch` sends a tensor to one of two places, `Merge`
//! takes the one that arrives, and `Enter`, `NextIteration` and `Exit` lead into, around and out of
//! the frame of a loop. This module recognizes the patterns that `tf.cond`, `tf.case` and
//! `tf.while_loop` produce, and replaces them with nodes that run functions. Any other control flow
//! is an error.

mod arrays;
mod cond;
mod flow;
mod framed;
mod function;
#[cfg(test)]
mod tests;
mod while_loop;

use super::error::ImportError;
use super::net::{Net, NetNode};
use flow::Flow;
use framed::Framed;

/// The graph with conditionals and loops as nodes that run functions, and arrays of tensors as
/// lists; and these functions, by names that are not among `taken`.
///
/// Fetchable names are kept: a `Merge` and an `Exit` become the `Identity` of a result.
///
/// # Errors
/// The node that does not have the form written by `tf.cond` and `tf.while_loop`.
pub(super) fn raise<'a>(
    net: Net,
    taken: impl Iterator<Item = &'a str>,
) -> Result<(Net, Vec<(String, Net)>), ImportError> {
    let is_raised =
        |node: &NetNode| Flow::of(&node.op) != Flow::None || arrays::is_of_array(&node.op);
    if !net.nodes.iter().any(is_raised) {
        return Ok((net, Vec::new()));
    }
    let mut net = Framed::new(net, taken);
    arrays::to_lists(&mut net)?;
    net.find_frames()?;
    // A loop is converted before the one around it.
    for frame in (0..net.frames.len()).rev() {
        cond::raise_conds(&mut net, frame)?;
        if frame > 0 {
            while_loop::raise_loop(&mut net, frame)?;
        }
    }
    Ok(net.into_parts())
}
