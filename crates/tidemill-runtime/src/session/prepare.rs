//! From a signature to a plan: prune, rewrite, schedule, compile.

use tidemill_graph::{Execution, Graph, GraphReader, TensorId};
use tidemill_ops::LookupError;
use tidemill_rewrite::{Pipeline, RewriteLog};
use tidemill_value::Shape;

use crate::lower::prune::{Path, prune};
use crate::lower::signature::Signature;
use crate::plan::compile::{Mode, NoKernel, compile};
use crate::plan::step::Plan;
use crate::report::describe;
use crate::report::error::{FeedErrorKind, RunError};
use crate::session::options::Rewriting;

/// Makes the plan of a signature, which keeps the log of its rewrites; for the shapes `fed` alone, if
/// they are given.
///
/// # Errors
/// [`RunError`] if a placeholder is missing or a kernel cannot be made.
pub(crate) fn prepare(
    graph: &Graph,
    signature: &Signature,
    fed: Option<&[Shape]>,
    rewriting: Rewriting,
    mode: Mode,
    mut rewrites: RewriteLog,
) -> Result<Plan, RunError> {
    // The graph is locked only while the path is taken out of it: the user's kernels run
    // afterwards.
    let (pruned, reshaped) = {
        let reshaped = graph.reshaped_variables();
        let graph = graph.read();
        check_tensors(&graph, signature)?;
        check_feeds(&graph, signature)?;
        let pruned = prune(&graph, signature, fed);
        let pruned = pruned.map_err(|unfed| describe::unfed(&graph, signature, &unfed.0));
        (pruned, reshaped)
    };
    let Path { subgraph, variables, random } = pruned?;
    let subgraph = match rewriting {
        Rewriting::On => Pipeline::standard().run(subgraph, &mut rewrites),
        Rewriting::Off => subgraph,
    };
    let plan =
        compile(&subgraph, variables, random, mode).map_err(|NoKernel { node, source }| {
            RunError::NoKernel(describe::failed_node(&graph.read(), node, *source))
        })?;
    Ok(Plan { reshaped, rewrites, ..plan })
}

/// Checks that the fed and fetched tensors are outputs that their nodes have.
fn check_tensors(graph: &GraphReader<'_>, signature: &Signature) -> Result<(), RunError> {
    let mut tensors = signature.feeds.iter().chain(&signature.fetches);
    let Some(&TensorId { node, slot }) = tensors.find(|tensor| graph.fact(**tensor).is_none())
    else {
        return Ok(());
    };
    let (name, outputs) = (graph.name(node).to_owned(), graph.node(node).outputs.len());
    Err(LookupError::NoOutput { name, index: slot, outputs }.into())
}

/// Checks that no variable's storage is fed.
fn check_feeds(graph: &GraphReader<'_>, signature: &Signature) -> Result<(), RunError> {
    let is_storage =
        |tensor: &&TensorId| graph.node(tensor.node).op.execution == Execution::Variable;
    match signature.feeds.iter().find(is_storage) {
        Some(&tensor) => Err(describe::feed(graph, tensor, FeedErrorKind::NotFeedable)),
        None => Ok(()),
    }
}
