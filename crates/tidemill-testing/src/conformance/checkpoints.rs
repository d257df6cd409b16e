use std::path::Path;

use tidemill_formats::checkpoint::CheckpointReader;
use tidemill_formats::proto::DataTypeError;
use tidemill_graph::Graph;
use tidemill_ops::{Inspect, Tensor, assign, placeholder_of};
use tidemill_runtime::Feeds;
use tidemill_value::{ByteString, DType, Value};

use super::Case;
use super::compare::{Tolerance, compare};
use super::graph::{
    Tensors, compare_all, expected, import_file, in_all_modes, session, show_error,
};
use super::manifest::{StoredTensor, VariableOfCase};
use crate::values::converted;

/// Reads every tensor of a checkpoint, or restores some of them into a graph and runs it.
pub(super) fn check(corpus: &Path, case: &Case) -> Result<(), String> {
    let reader = open(corpus, case)?;
    if !case.restore.is_empty() {
        return check_restored(corpus, case, &reader);
    }
    let tensors = Tensors::load(corpus, case)?;
    let stored = case.variables.iter().filter_map(|variable| match variable {
        VariableOfCase::Stored(stored) => Some(stored),
        VariableOfCase::Node(_) => None,
    });
    let wrong: Vec<String> = stored
        .clone()
        .filter_map(|stored| {
            let difference = check_tensor(case, &reader, &tensors, stored).err()?;
            Some(format!("{}: {difference}", stored.name))
        })
        .collect();
    let names = stored.map(|stored| stored.name.as_str());
    if !reader.names().eq(names) {
        return Err("other tensors are listed".to_owned());
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Reads the tensors that a malformed checkpoint should have.
pub(super) fn read_all(corpus: &Path, case: &Case) -> Result<(), String> {
    let reader = open(corpus, case)?;
    let read = |name: &String| reader.read(name).map(drop).map_err(|error| error.to_string());
    case.read.iter().try_for_each(read)
}

fn open(corpus: &Path, case: &Case) -> Result<CheckpointReader, String> {
    let prefix = case.prefix.as_deref().ok_or("the case has no prefix")?;
    CheckpointReader::open(corpus.join(prefix)).map_err(|error| error.to_string())
}

fn check_tensor(
    case: &Case,
    reader: &CheckpointReader,
    tensors: &Tensors,
    stored: &StoredTensor,
) -> Result<(), String> {
    let value = reader.read(&stored.name).map_err(|error| error.to_string())?;
    let listed = reader.tensors().map_err(|error| error.to_string())?;
    let listed = listed.iter().find(|info| info.name == stored.name).ok_or("it is not listed")?;
    let dtype: Result<_, DataTypeError> = Ok(value.dtype());
    if value.dtype().name() != stored.dtype || listed.dtype != dtype {
        return Err(format!("it is of type {}, not {}", value.dtype(), stored.dtype));
    }
    if value.shape()[..] != stored.shape[..] || listed.shape != *value.shape() {
        return Err(format!("it is of shape {}, not {:?}", value.shape(), stored.shape));
    }
    let expected = match case.string_tensors.get(&stored.name) {
        Some(strings) => {
            let strings: Vec<ByteString> =
                strings.iter().map(|string| string.as_str().into()).collect();
            Value::from(strings)
        }
        None => tensors.get(&format!("tensor:{}", stored.name))?.clone(),
    };
    // The corpus stores `bfloat16` numbers widened.
    let value = if value.dtype() == DType::BF16 { converted(&value, DType::F32) } else { value };
    compare(&value, &expected, Tolerance { relative: 0.0, absolute: 0.0 })
}

fn check_restored(corpus: &Path, case: &Case, reader: &CheckpointReader) -> Result<(), String> {
    let tensors = Tensors::load(corpus, case)?;
    let graph = import_file(corpus, case)?;
    let expected = expected(&graph, &tensors, "", &case.fetches)?;
    let fetches: Vec<Tensor> = expected.iter().map(|expected| expected.tensor).collect();
    let (assigned, values) = restoring(&graph, case, reader)?;
    in_all_modes(|mode| {
        let session = session(&graph, mode);
        let show = |error| show_error(mode, &error);
        session.run_with(assigned.as_slice(), values.clone()).map_err(show)?;
        let feeds = tensors.feeds("", &case.feeds)?;
        let fetched = session.run_with(fetches.as_slice(), feeds).map_err(show)?;
        compare_all(case, &expected, &fetched)?;
        Ok(fetched)
    })
}

/// Tensors that assign their feeds, and the feeds.
fn restoring(
    graph: &Graph,
    case: &Case,
    reader: &CheckpointReader,
) -> Result<(Vec<Tensor>, Feeds), String> {
    let _default = graph.as_default();
    let (mut assigned, mut feeds) = (Vec::new(), Feeds::new());
    for name in &case.restore {
        let value = reader.read(name).map_err(|error| error.to_string())?;
        let variable = graph.tensor(&format!("{name}:0")).map_err(|error| error.to_string())?;
        let fed = placeholder_of(value.dtype(), value.shape());
        assigned.push(assign(variable, fed));
        feeds = feeds.feed(fed, value);
    }
    Ok((assigned, feeds))
}
