//! The commands, beyond the examples in the document.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tidemill_formats::event::EventWriter;
use tidemill_formats::npy::{NpzReader, write_npy_file};
use tidemill_formats::tfrecord::TfRecordWriter;
use tidemill_value::{DType, Value};

fn corpus(path: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance/corpus");
    folder.join(path).display().to_string()
}

/// Returns whether a call succeeds, and its output.
fn call(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tidemill")).args(arguments).output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(printed).unwrap())
}

fn inspect(path: &Path) -> serde_json::Value {
    let (succeeds, printed) = call(&["inspect", "--json", &path.display().to_string()]);
    assert!(succeeds, "{printed}");
    serde_json::from_str(&printed).unwrap()
}

fn join(folder: &Path, name: &str) -> (PathBuf, String) {
    let path = folder.join(name);
    let text = path.display().to_string();
    (path, text)
}

#[test]
fn what_is_saved_in_one_file_is_fed_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let (npz, npz_text) = join(folder.path(), "all.npz");
    let (x, x_text) = join(folder.path(), "x.npy");
    write_npy_file(&x, &Value::full(0.5_f32.into(), [2, 4]).unwrap()).unwrap();
    let model = corpus("saved_models/classifier_ref");
    let feed = format!("features=@{x_text}");
    let [scores, label] = ["scores", "label"].map(|name| format!("{name}=@{npz_text}"));
    let (succeeds, printed) =
        call(&["run", &model, "--feed", &feed, "--save", &scores, "--save", &label]);
    assert_eq!((succeeds, printed.as_str()), (true, ""));
    let reader = NpzReader::open(&npz).unwrap();
    assert!(reader.names().eq(["label", "scores"]));
    let scores = reader.read("scores").unwrap();
    assert_eq!((scores.dtype(), &scores.shape()[..]), (DType::F32, &[2, 3][..]));
    // A tensor inside the graph can be fed, too.
    let feed = format!("scores=@{npz_text}#scores");
    let (succeeds, printed) = call(&["run", &model, "--feed", &feed, "--fetch", "scores"]);
    assert_eq!((succeeds, printed), (true, format!("scores: float32[2, 3]\n  {scores}\n")));
}

#[test]
fn an_operation_is_run_without_fetching_it() {
    let graph = corpus("checkpoints/adam_slots_restore_and_run.pb");
    let (succeeds, printed) = call(&["run", &graph, "--target", "dense/kernel/Assign"]);
    assert_eq!((succeeds, printed.as_str()), (true, ""));
    let (init, fetch) = ("dense/kernel/Assign", "dense/kernel/read");
    let (succeeds, printed) = call(&["run", &graph, "--init", init, "--fetch", fetch]);
    assert!(succeeds && printed.starts_with("dense/kernel/read: float32[4, 3]"), "{printed}");
}

#[test]
fn records_and_events_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(folder.path()).unwrap();
    for step in [3, 5] {
        writer.scalar("loss", 0.5, step).unwrap();
    }
    writer.flush().unwrap();
    let events = inspect(writer.path());
    assert_eq!((&events["kind"], &events["events"]), (&"event file".into(), &3.into()));
    let loss = &events["scalars"][0];
    assert_eq!((&loss["tag"], &loss["points"]), (&"loss".into(), &2.into()));
    assert_eq!((&loss["first_step"], &loss["last_step"]), (&3.into(), &5.into()));
    let path = folder.path().join("records");
    let mut bytes = Vec::new();
    let mut writer = TfRecordWriter::new(&mut bytes);
    for record in [&b"one"[..], b"three"] {
        writer.write(record).unwrap();
    }
    fs::write(&path, bytes).unwrap();
    let records = inspect(&path);
    assert_eq!((&records["kind"], &records["records"]), (&"TFRecord".into(), &2.into()));
    assert_eq!((&records["shortest"], &records["longest"]), (&3.into(), &5.into()));
}

#[test]
fn a_checkpoint_is_found_by_its_prefix_its_index_and_its_folder() {
    let tensors = |name: &str| inspect(Path::new(&corpus(name)))["tensors"].clone();
    let by_prefix = tensors("checkpoints/adam_slots/model.ckpt");
    assert_eq!(by_prefix.as_array().unwrap().len(), 9);
    assert_eq!(tensors("checkpoints/adam_slots/model.ckpt.index"), by_prefix);
    assert_eq!(tensors("checkpoints/adam_slots"), by_prefix);
    let data = corpus("checkpoints/adam_slots/model.ckpt.data-00000-of-00001");
    let (succeeds, printed) = call(&["inspect", &data]);
    assert!(!succeeds && printed.contains("checkpoint's data file"), "{printed}");
}

#[test]
fn every_model_of_the_corpus_is_looked_into() {
    for entry in fs::read_dir(corpus("models")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "pb") {
            let report = inspect(&path);
            assert_eq!(report["kind"], "GraphDef", "{}", path.display());
            assert!(!report["inputs"].as_array().unwrap().is_empty(), "{}", path.display());
        }
    }
}
