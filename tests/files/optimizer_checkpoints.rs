//! Training continues from checkpoints, including TensorFlow's.

use std::error::Error;
use std::fs;
use std::path::Path;

use crate::common::Outcome;
use tidemill::prelude::*;
use tidemill::proto::{Message, MetaGraphDef};
use tidemill::{Feeds, ImportOptions, import_graph_def, import_meta_graph};

/// The training run that TensorFlow recorded (`tests/peers/make_training.py`).
struct Recorded {
    folder: &'static Path,
    feeds: Feeds,
    losses: Vec<f32>,
}

impl Recorded {
    fn load() -> Result<Self, Box<dyn Error>> {
        let folder = Path::new("tests/data/adam_training");
        let record: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join("training.json"))?)?;
        let numbers = |key: &str| -> Result<Vec<f32>, serde_json::Error> {
            serde_json::from_value(record[key].clone())
        };
        let feed = |key: &str, width| {
            Value::from_vec([12, width], numbers(key)?).map_err(Box::<dyn Error>::from)
        };
        let feeds = Feeds::new().feed("inputs:0", feed("inputs", 4)?);
        let feeds = feeds.feed("labels:0", feed("labels", 1)?);
        Ok(Recorded { folder, feeds, losses: numbers("losses")? })
    }

    /// Trains a session from the state that TensorFlow had after `done` steps to the end.
    fn follow(&self, session: &Session, train: Operation, done: usize) -> Outcome {
        for (i, expected) in self.losses.iter().enumerate().skip(done) {
            let (loss, ()) = session.run_with(("loss:0", train), self.feeds.clone())?;
            let loss: f32 = loss.to_scalar()?;
            assert!((loss - expected).abs() <= 2e-6, "step {i}: {loss}, not {expected}");
        }
        Ok(())
    }
}

#[test]
fn a_checkpoint_of_tensorflow_with_its_slots_trains_on_with_an_optimizer_of_ours() -> Outcome {
    let recorded = Recorded::load()?;
    let graph = Graph::new();
    let _default = graph.as_default();
    import_graph_def(&fs::read(recorded.folder.join("forward.pb"))?)?;
    let step = graph.variable("global_step")?;
    let options = MinimizeOptions::default().global_step(step);
    let trained = ["hidden/weights", "hidden/biases", "output/weights"];
    let trained: Vec<Variable> =
        trained.iter().map(|name| graph.variable(name)).collect::<Result<_, _>>()?;
    let train = Adam::new(0.05).minimize_with(graph.tensor("loss:0")?, options.var_list(trained));
    let saver = Saver::new()?;
    let session = Session::new();
    let report = saver.restore(&session, recorded.folder.join("model.ckpt"))?;
    assert_eq!(report.restored.len(), 12, "{report:?}");
    recorded.follow(&session, train, 5)
}

#[test]
fn a_training_of_tensorflow_trains_on_from_its_meta_graph() -> Outcome {
    let recorded = Recorded::load()?;
    let graph = Graph::new();
    let _default = graph.as_default();
    let meta = MetaGraphDef::decode(&*fs::read(recorded.folder.join("model.ckpt.meta"))?)?;
    import_meta_graph(meta, &ImportOptions::default())?;
    let saver = Saver::new()?;
    let session = Session::new();
    saver.restore(&session, recorded.folder.join("model.ckpt"))?;
    recorded.follow(&session, graph.operation("Adam")?, 5)
}
