use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use tidemill_formats::read_safetensors;
use tidemill_graph::Graph;
use tidemill_graphdef::{ExportError, GraphDefSource, import_graph_def, to_graph_def};
use tidemill_ops::{Inspect, Operation, Tensor};
use tidemill_runtime::{Feeds, Rewriting, RunError, Session, SessionOptions, Sink};
use tidemill_value::Value;

use super::compare::{Tolerance, compare, compare_bits};
use super::manifest::{Case, read};

/// The seed of the random operations of all sessions.
const SEED: u64 = 17;

/// The tensors of a case's file, by key.
pub(super) struct Tensors(BTreeMap<String, Value>);

impl Tensors {
    pub(super) fn load(corpus: &Path, case: &Case) -> Result<Tensors, String> {
        let Some(file) = &case.tensors else { return Ok(Tensors(BTreeMap::new())) };
        let bytes = read(corpus, file)?;
        read_safetensors(&bytes).map(Tensors).map_err(|error| format!("{file}: {error}"))
    }

    pub(super) fn get(&self, key: &str) -> Result<&Value, String> {
        self.0.get(key).ok_or_else(|| format!("the corpus has no `{key}`"))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The feeds, by keys that begin with `prefix`.
    pub(super) fn feeds(&self, prefix: &str, names: &[String]) -> Result<Feeds, String> {
        names.iter().try_fold(Feeds::new(), |feeds, name| {
            let value = self.get(&format!("{prefix}feed:{name}"))?;
            Ok(feeds.feed(name.as_str(), value))
        })
    }
}

/// Imports a case's graph into a new graph.
pub(super) fn import<'a>(graph_def: impl Into<GraphDefSource<'a>>) -> Result<Graph, String> {
    let graph = Graph::new();
    let _default = graph.as_default();
    import_graph_def(graph_def).map_err(|error| format!("import: {error}"))?;
    Ok(graph)
}

/// Imports the graph of a case. After an export and another import, it must be the same.
pub(super) fn import_file(corpus: &Path, case: &Case) -> Result<Graph, String> {
    let file = case.graph.as_ref().ok_or("the case has no graph")?;
    let graph = import(&read(corpus, file)?)?;
    let exported = match to_graph_def(&graph) {
        // TensorFlow has no form for it.
        Err(ExportError::RefVariable { .. }) => return Ok(graph),
        exported => exported.map_err(|error| format!("export: {error}"))?,
    };
    let again = import(&exported).map_err(|error| format!("export, then {error}"))?;
    let exported_again = to_graph_def(&again).map_err(|error| format!("export again: {error}"))?;
    // The text has no bodies; the message has them as functions.
    match again.to_text() == graph.to_text() && exported_again == exported {
        true => Ok(graph),
        false => Err("the graph differs after export and import".to_owned()),
    }
}

/// The mode in which a case runs. All modes must give the same bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode {
    rewriting: Rewriting,
    threads: usize,
}

impl Mode {
    pub(super) const ALL: [Mode; 4] = [
        Mode { rewriting: Rewriting::Off, threads: 1 },
        Mode { rewriting: Rewriting::On, threads: 1 },
        Mode { rewriting: Rewriting::Off, threads: 2 },
        Mode { rewriting: Rewriting::On, threads: 2 },
    ];
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rewriting = if self.rewriting == Rewriting::On { "on" } else { "off" };
        write!(f, "rewriting {rewriting}, threads: {}", self.threads)
    }
}

pub(super) fn session(graph: &Graph, mode: Mode) -> Session {
    let options = SessionOptions {
        rewriting: mode.rewriting,
        threads: Some(mode.threads),
        seed: Some(SEED),
        print_to: Sink::function(|_| {}),
        warn_to: Sink::function(|_| {}),
    };
    Session::with_options(graph, options)
}

/// A tensor to compare, and its expected value.
pub(super) struct Expected {
    pub(super) key: String,
    pub(super) tensor: Tensor,
    pub(super) value: Value,
}

/// The tensors that a case fetches, with their expected values, by keys that begin with `prefix`.
pub(super) fn expected(
    graph: &Graph,
    tensors: &Tensors,
    prefix: &str,
    names: &[String],
) -> Result<Vec<Expected>, String> {
    let expected = |name: &String| {
        let key = format!("{prefix}fetch:{name}");
        let value = tensors.get(&key)?.clone();
        let tensor = graph.tensor(name).map_err(|error| error.to_string())?;
        Ok(Expected { key, tensor, value })
    };
    names.iter().map(expected).collect()
}

pub(super) fn operations(graph: &Graph, names: &[String]) -> Result<Vec<Operation>, String> {
    let operation = |name: &String| graph.operation(name).map_err(|error| error.to_string());
    names.iter().map(operation).collect()
}

/// Runs a graph in each mode, compares the fetched values with the expected ones, and the runs with
/// each other, to the bit.
pub(super) fn check_values(
    graph: &Graph,
    case: &Case,
    expected: &[Expected],
    targets: &[Operation],
    feeds: &Feeds,
) -> Result<(), String> {
    let tensors: Vec<Tensor> = expected.iter().map(|expected| expected.tensor).collect();
    in_all_modes(|mode| {
        let fetched = session(graph, mode).run_with((tensors.as_slice(), targets), feeds.clone());
        let (values, _) = fetched.map_err(|error| show_error(mode, &error))?;
        compare_all(case, expected, &values)?;
        Ok(values)
    })
}

/// Calls `run` in each mode, and compares the results, to the bit.
pub(super) fn in_all_modes(
    mut run: impl FnMut(Mode) -> Result<Vec<Value>, String>,
) -> Result<(), String> {
    let mut first = None;
    for mode in Mode::ALL {
        let values = run(mode)?;
        let first = first.get_or_insert_with(|| values.clone());
        for (number, (value, first)) in values.iter().zip(&*first).enumerate() {
            compare_bits(value, first)
                .map_err(|error| format!("value {number}, {mode}: {error}"))?;
        }
    }
    Ok(())
}

/// Compares values with the expected ones.
pub(super) fn compare_all(
    case: &Case,
    expected: &[Expected],
    values: &[Value],
) -> Result<(), String> {
    let tolerance = Tolerance { relative: case.rtol, absolute: case.atol };
    let compared = expected.iter().zip(values).filter_map(|(expected, value)| {
        let difference = compare(value, &expected.value, tolerance).err()?;
        Some(format!("{}: {difference}", expected.key))
    });
    let differences: Vec<String> = compared.collect();
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

pub(super) fn show_error(mode: Mode, error: &RunError) -> String {
    format!("run, {mode}: {error}")
}
