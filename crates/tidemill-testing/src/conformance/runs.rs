use std::path::Path;

use tidemill_graph::Graph;
use tidemill_runtime::Session;
use tidemill_value::Value;

use super::Case;
use super::graph::{
    Mode, Tensors, compare_all, expected, import_file, in_all_modes, operations, session,
    show_error,
};
use super::manifest::Run;

/// Makes the runs of a case in one session, one after the other, in each mode.
pub(super) fn check(corpus: &Path, case: &Case) -> Result<(), String> {
    let tensors = Tensors::load(corpus, case)?;
    let graph = import_file(corpus, case)?;
    in_all_modes(|mode| {
        let session = session(&graph, mode);
        let mut values = Vec::new();
        for (number, run) in case.runs.iter().enumerate() {
            let of_run = check_run(&graph, case, &tensors, &session, number, run, mode);
            values.extend(of_run.map_err(|error| format!("run {number}: {error}"))?);
        }
        Ok(values)
    })
}

fn check_run(
    graph: &Graph,
    case: &Case,
    tensors: &Tensors,
    session: &Session,
    number: usize,
    run: &Run,
    mode: Mode,
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
        .map_err(|error| show_error(mode, &error))?;
    compare_all(case, &expected, &values)?;
    Ok(values)
}
