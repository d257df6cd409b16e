//! Reads the graphs, checkpoints and SavedModels of a corpus, and writes them again for TensorFlow
//! to read (`tests/peers/run.sh`).
//!
//! `cargo run --release -p tidemill-testing --example rewrite_corpus -- CORPUS FOLDER`

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use tidemill_formats::TextMessage;
use tidemill_formats::checkpoint::{CheckpointReader, write_checkpoint};
use tidemill_formats::proto::Message;
use tidemill_graph::Graph;
use tidemill_graphdef::{import_graph_def, to_graph_def};
use tidemill_testing::conformance::{Case, Manifest, Training};
use tidemill_train::{SavedModel, SavedModelBuilder};
use tidemill_value::Value;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(corpus), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: rewrite_corpus CORPUS FOLDER".into());
    };
    let manifest = Manifest::load(&corpus)?;
    let (mut written, mut refused) = (0, 0);
    for case in manifest.cases.iter().filter(|case| case.kind.is_none()) {
        match rewrite(&corpus, &folder, case) {
            Ok(()) => written += 1,
            Err(error) => {
                refused += 1;
                eprintln!("{}: {error}", case.name);
            }
        }
    }
    eprintln!("{written} written, {refused} not read");
    Ok(())
}

fn rewrite(corpus: &Path, folder: &Path, case: &Case) -> Outcome {
    let target = folder.join(&case.name);
    fs::create_dir_all(target.parent().unwrap_or(folder))?;
    if let Some(model) = &case.saved_model {
        let model = SavedModel::load(corpus.join(model), &case.tags)?;
        let builder = SavedModelBuilder::new(model.session()).tags(case.tags.clone());
        let signatures = model.meta().signatures.clone();
        let builder = signatures.into_iter().fold(builder, |b, (name, s)| b.signature(&name, s));
        return Ok(builder.save(target)?);
    }
    if let Some(graph) = &case.graph {
        let bytes = fs::read(corpus.join(graph))?;
        let graph = Graph::new();
        let _default = graph.as_default();
        import_graph_def(&bytes)?;
        let written = to_graph_def(&graph)?;
        if case.optimizer.is_some() {
            write_training(folder, &graph, case)?;
        }
        fs::write(folder.join(format!("{}.pbtxt", case.name)), written.to_text())?;
        fs::write(folder.join(format!("{}.pb", case.name)), written.encode_to_vec())?;
        return Ok(());
    }
    if let Some(prefix) = &case.prefix {
        let reader = CheckpointReader::open(corpus.join(prefix))?;
        let value = |name: &str| Ok((name.to_owned(), reader.read(name)?));
        let values: Vec<(String, Value)> =
            reader.names().map(value).collect::<Result<_, Box<dyn Error>>>()?;
        write_checkpoint(target, values.iter().map(|(name, value)| (name.as_str(), value)))?;
    }
    Ok(())
}

/// Writes a graph with the optimizer of its case, and the operations to run to train it.
fn write_training(folder: &Path, graph: &Graph, case: &Case) -> Outcome {
    let training = Training::new(graph, case)?;
    let names: Vec<String> = training.initializers.iter().map(|op| op.name()).collect();
    let runs = serde_json::json!({ "initializers": names, "train": training.train.name() });
    let trained = to_graph_def(graph)?.encode_to_vec();
    fs::write(folder.join(format!("{}.train.pb", case.name)), trained)?;
    fs::write(folder.join(format!("{}.train.json", case.name)), runs.to_string())?;
    Ok(())
}
