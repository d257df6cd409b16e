use std::path::Path;

use tidemill_formats::read_safetensors;

use super::checkpoints;
use super::graph::{Mode, import, session};
use super::manifest::{Case, Expect, Kind, read};

/// Reads a malformed file, up to running its graph. Something must reject it.
pub(super) fn check(corpus: &Path, case: &Case) -> Result<(), String> {
    let file = case.file.as_deref().unwrap_or_default();
    let result = match case.kind {
        Some(Kind::Graphdef) => run_graph(&read(corpus, file)?, &case.fetches),
        Some(Kind::Safetensors) => {
            read_safetensors(&read(corpus, file)?).map(drop).map_err(|error| error.to_string())
        }
        Some(Kind::Checkpoint) => checkpoints::read_all(corpus, case),
        None => Err("the case does not say what the file is".to_owned()),
    };
    match (result, case.expect) {
        (Ok(()), Some(Expect::Reject)) => Err("it is not refused".to_owned()),
        _ => Ok(()),
    }
}

fn run_graph(bytes: &[u8], fetches: &[String]) -> Result<(), String> {
    let graph = import(bytes)?;
    for mode in Mode::ALL {
        session(&graph, mode).run(fetches).map_err(|error| error.to_string())?;
    }
    Ok(())
}
