use std::path::Path;

use tidemill_graph::OpError;
use tidemill_runtime::RunError;

use super::graph::{Mode, Tensors, check_values, expected, import_file, operations, session};
use super::manifest::Expect;
use super::{Case, checkpoints, gradients, malformed, runs, saved_models, training};

/// Runs a case.
///
/// # Errors
/// A description of the failure.
pub fn check(corpus: &Path, case: &Case) -> Result<(), String> {
    if case.kind.is_some() {
        malformed::check(corpus, case)
    } else if case.saved_model.is_some() {
        saved_models::check(corpus, case)
    } else if case.optimizer.is_some() {
        training::check(corpus, case)
    } else if case.prefix.is_some() {
        checkpoints::check(corpus, case)
    } else if !case.runs.is_empty() {
        runs::check(corpus, case)
    } else if !case.ys.is_empty() {
        gradients::check(corpus, case)
    } else if case.expect == Some(Expect::Error) {
        check_error(corpus, case)
    } else if case.graph.is_some() && !case.fetches.is_empty() {
        check_fetches(corpus, case)
    } else {
        Err("there is no way to run such a case yet".to_owned())
    }
}

fn check_fetches(corpus: &Path, case: &Case) -> Result<(), String> {
    let tensors = Tensors::load(corpus, case)?;
    let graph = import_file(corpus, case)?;
    let expected = expected(&graph, &tensors, "", &case.fetches)?;
    let targets = operations(&graph, &case.targets)?;
    check_values(&graph, case, &expected, &targets, &tensors.feeds("", &case.feeds)?)
}

/// The import must fail, or the run in every mode.
fn check_error(corpus: &Path, case: &Case) -> Result<(), String> {
    let tensors = Tensors::load(corpus, case)?;
    let graph = match import_file(corpus, case) {
        Ok(graph) => graph,
        Err(_) => return Ok(()),
    };
    let feeds = tensors.feeds("", &case.feeds)?;
    let default_target = ["Assert".to_owned()];
    let targets = match (case.fetches.as_slice(), case.targets.as_slice()) {
        ([], []) => &default_target,
        (_, targets) => targets,
    };
    let targets = operations(&graph, targets)?;
    for mode in Mode::ALL {
        let fetches = (case.fetches.as_slice(), targets.as_slice());
        match session(&graph, mode).run_with(fetches, feeds.clone()) {
            Ok(_) => return Err(format!("the run succeeds, {mode}")),
            // An operation that is not supported yet must not pass as the expected error.
            Err(RunError::NoKernel(failed)) if matches!(failed.source, OpError::Opaque { .. }) => {
                return Err(failed.source.to_string());
            }
            Err(_) => {}
        }
    }
    Ok(())
}
