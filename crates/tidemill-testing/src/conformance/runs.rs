use std::path::Path;

use tidemill_graph::Graph;
use tidemill_runtime::{Rewriting, Session};
use tidemill_value::Value;

use super::Case;
use super::compare::compare_bits;
use super::graph::{Tensors, compare_all, expected, import_file, operations, session, show_error};
use super::manifest::Run;

/// Makes the runs of a case in one session, one after the other, with rewriting off and on.
pub(super) fn check(corpus: &Path, case: &Case) -> Result<(), String> {
    let tensors = Tensors::load(corpus, case)?;
    let graph = import_file(corpus, case)?;
    let mut fetched = Vec::new();
    for rewriting in [Rewriting::Off, Rewriting::On] {
        let session = session(&graph, rewriting);
        let mut values = Vec::new();
        for (number, run) in case.runs.iter().enumerate() {
            let of_run = check_run(&graph, case, &tensors, &session, number, run, rewriting);
            values.extend(of_run.map_err(|error| format!("run {number}: {error}"))?);
        }
        fetched.push(values);
    }
    let [plain, rewritten] = fetched.as_slice() else { return Ok(()) };
    plain.iter().zip(rewritten).try_for_each(|(plain, rewritten)| compare_bits(rewritten, plain))
}

fn check_run(
    graph: &Graph,
    case: &Case,
    tensors: &Tensors,
    session: &Session,
    number: usize,
    run: &Run,
    rewriting: Rewriting,
) -> Result<Vec<Value>, String> {
    let prefix = format!("run{number}/");
    let targets = operations(graph, &run.targets)?;
    let feeds = tensors.feeds(&prefix, &run.feeds)?;
    if run.expect.is_some() {
        let fetches = (run.fetches.as_slice(), targets.as_slice());
        return match session.run_with(fetches, feeds) {
            Ok(_) => Err("succeeds, but must fail".to_owned()),
            Err(_) => Ok(Vec::new()),
        };
    }
    let expected = expected(graph, tensors, &prefix, &run.fetches)?;
    let fetches: Vec<_> = expected.iter().map(|expected| expected.tensor).collect();
    let (values, _) = session
        .run_with((fetches.as_slice(), targets.as_slice()), feeds)
        .map_err(|error| show_error(rewriting, &error))?;
    compare_all(case, &expected, &values)?;
    Ok(values)
}
