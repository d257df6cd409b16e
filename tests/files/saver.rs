//! Savers: what they write, restore, and reject.

use std::fs;
use std::path::Path;

use crate::common::{Outcome, number};
use tidemill::checkpoint::CheckpointState;
use tidemill::prelude::*;
use tidemill::{GLOBAL_VARIABLES, Mismatch, RestoreReport, SaverError};

/// The names of the files in a folder, in order.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A variable of shape `[]` that starts with `x`.
fn scalar(name: &str, x: f64) -> Variable {
    get_variable(name, [], constant_initializer(x))
}

/// Saves variables `names` with the values 1, 2, 3, ..., from a new graph and session.
fn saved(prefix: &Path, names: &[&str]) -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    for (name, x) in names.iter().zip(1_u8..) {
        scalar(name, f64::from(x));
    }
    let session = Session::new();
    session.run(global_variables_initializer())?;
    Saver::new()?.save(&session, prefix)?;
    Ok(())
}

fn names(saver: &Saver) -> Vec<&str> {
    saver.variables().map(|(name, _)| name).collect()
}

fn missing(error: SaverError) -> RestoreReport {
    match error {
        SaverError::Incomplete(report) => *report,
        other => unreachable!("{other}"),
    }
}

#[test]
fn saving_writes_four_files() -> Outcome {
    let folder = tempfile::tempdir()?;
    let graph = Graph::new();
    let _default = graph.as_default();
    scalar("a", 1.0);
    get_variable("b", [2, 3], glorot_uniform());
    let init = global_variables_initializer();
    let saver = Saver::new()?;
    let session = Session::new();
    session.run(init)?;
    let path = saver.save(&session, folder.path().join("tftcp.model"))?;
    assert_eq!(path, folder.path().join("tftcp.model"));
    assert_eq!(
        files(folder.path()),
        ["checkpoint", "tftcp.model.data-00000-of-00001", "tftcp.model.index", "tftcp.model.meta"]
    );
    Ok(())
}

#[test]
fn saving_a_null_variable_is_an_error() -> Outcome {
    let folder = tempfile::tempdir()?;
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = scalar("a", 1.0);
    scalar("b", 2.0);
    let saver = Saver::new()?;
    let session = Session::new();
    session.run(a.initializer())?;
    let error = saver.save(&session, folder.path().join("m")).unwrap_err();
    assert!(matches!(&error, SaverError::Run(RunError::Uninitialized(null)) if null.len() == 1));
    assert!(error.to_string().contains("`b`"), "{error}");
    assert_eq!(files(folder.path()), [""; 0]);
    Ok(())
}

#[test]
fn restored_variables_need_no_initializer() -> Outcome {
    let folder = tempfile::tempdir()?;
    let prefix = folder.path().join("m");
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = get_variable("a", [], normal(0.0, 1.0));
    let b = get_variable("b", [2, 3], normal(0.0, 1.0));
    let saver = Saver::new()?;
    let session = Session::new();
    session.run(global_variables_initializer())?;
    saver.save(&session, &prefix)?;
    let before = graph.len();
    let other = Session::new();
    let report = saver.restore(&other, &prefix)?;
    assert_eq!(report.restored, ["a", "b"]);
    assert_eq!(graph.len(), before);
    for (old, new) in session.run([a, b])?.iter().zip(other.run([a, b])?) {
        assert!(new.bits_eq(old));
    }
    Ok(())
}

#[test]
fn a_saver_knows_the_variables_there_are_when_it_is_made() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (a, b) = (scalar("a", 1.0), scalar("b", 2.0));
    let early = Saver::new()?;
    scalar("c", 3.0);
    assert_eq!(names(&early), ["a", "b"]);
    assert_eq!(names(&Saver::new()?), ["a", "b", "c"]);
    assert_eq!(names(&Saver::of([a, b])?), ["a", "b"]);
    assert_eq!(graph.collection(GLOBAL_VARIABLES).len(), 3);
    Ok(())
}

#[test]
fn a_checkpoint_may_hold_more_than_the_graph() -> Outcome {
    let folder = tempfile::tempdir()?;
    let prefix = folder.path().join("m");
    saved(&prefix, &["a", "b"])?;
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = scalar("a", 0.0);
    let session = Session::new();
    let report = Saver::new()?.restore(&session, &prefix)?;
    assert_eq!((report.restored, report.unexpected), (vec!["a".to_owned()], vec!["b".to_owned()]));
    assert_eq!(number(&session, a), 1.0);
    Ok(())
}

#[test]
fn a_variable_that_the_checkpoint_lacks_is_an_error_and_nothing_changes() -> Outcome {
    let folder = tempfile::tempdir()?;
    let prefix = folder.path().join("m");
    saved(&prefix, &["a", "weights_1"])?;
    let graph = Graph::new();
    let _default = graph.as_default();
    let (a, _d, weights) = (scalar("a", 7.0), scalar("d", 8.0), scalar("weights", 9.0));
    let saver = Saver::new()?;
    let session = Session::new();
    session.init_missing()?;
    let error = saver.restore(&session, &prefix).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("key d not found in checkpoint"), "{text}");
    assert!(text.contains("key weights not found in checkpoint; it has `weights_1`"), "{text}");
    assert_eq!(number(&session, a), 7.0);
    let report = missing(error);
    assert_eq!(report.missing[0].near, None);
    // On request, it restores the rest.
    assert_eq!(saver.restore_matching(&session, &prefix)?, report);
    assert_eq!((number(&session, a), number(&session, weights)), (1.0, 9.0));
    Ok(())
}

#[test]
fn a_variable_of_another_shape_or_type_is_an_error() -> Outcome {
    let folder = tempfile::tempdir()?;
    let prefix = folder.path().join("m");
    saved(&prefix, &["a", "b"])?;
    let graph = Graph::new();
    let _default = graph.as_default();
    get_variable("a", [2], zeros());
    variable("b", []).dtype(DType::F64).initializer(zeros()).get();
    let error = Saver::new()?.restore(&Session::new(), &prefix).unwrap_err();
    let report = missing(error);
    let shown = |m: &Mismatch| [m.name.clone(), m.stored.clone(), m.variable.clone()];
    let shown: Vec<_> = report.mismatched.iter().map(shown).collect();
    assert_eq!(shown, [["a", "float32[]", "float32[2]"], ["b", "float32[]", "float64[]"]]);
    Ok(())
}

#[test]
fn a_variable_may_have_another_name_in_the_checkpoint() -> Outcome {
    let folder = tempfile::tempdir()?;
    let prefix = folder.path().join("m");
    saved(&prefix, &["a"])?;
    let graph = Graph::new();
    let _default = graph.as_default();
    let d = scalar("d", 0.0);
    let session = Session::new();
    Saver::named([("a", d)])?.restore(&session, &prefix)?;
    assert_eq!(number(&session, d), 1.0);
    Ok(())
}

#[test]
fn the_variables_of_a_checkpoint_are_listed() -> Outcome {
    let folder = tempfile::tempdir()?;
    let graph = Graph::new();
    let _default = graph.as_default();
    scalar("a", 1.0);
    get_variable("b", [10, 20], zeros());
    scalar("c", 3.0);
    let session = Session::new();
    session.init_missing()?;
    let path = Saver::new()?.save(&session, folder.path().join("m"))?;
    let listed: Vec<_> =
        list_variables(path)?.into_iter().map(|info| (info.name, info.shape.to_vec())).collect();
    let expected = [("a", vec![]), ("b", vec![10, 20]), ("c", vec![])];
    assert_eq!(listed, expected.map(|(name, shape)| (name.to_owned(), shape)));
    Ok(())
}

#[test]
fn old_checkpoints_are_removed() -> Outcome {
    let folder = tempfile::tempdir()?;
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = scalar("a", 0.0);
    let count = assign_add(a, 1.0);
    let saver = Saver::new()?.max_to_keep(2).meta_graph(false);
    let session = Session::new();
    session.init_missing()?;
    for step in 1..=4 {
        session.run(count)?;
        saver.save_step(&session, folder.path().join("m"), step)?;
    }
    assert_eq!(
        files(folder.path()),
        [
            "checkpoint",
            "m-3.data-00000-of-00001",
            "m-3.index",
            "m-4.data-00000-of-00001",
            "m-4.index"
        ]
    );
    let state = CheckpointState::read(folder.path())?.unwrap();
    assert_eq!(state.all, ["m-3", "m-4"].map(|name| folder.path().join(name)));
    let latest = latest_checkpoint(folder.path())?.unwrap();
    let other = Session::new();
    saver.restore(&other, latest)?;
    assert_eq!(number(&other, a), 4.0);
    saver.restore(&other, &state.all[0])?;
    assert_eq!(number(&other, a), 3.0);
    Ok(())
}

#[test]
fn restoring_does_not_warn_of_values_that_are_lost() -> Outcome {
    let folder = tempfile::tempdir()?;
    let graph = Graph::new();
    let _default = graph.as_default();
    scalar("a", 0.0);
    let saver = Saver::new()?;
    let (sink, lines) = Sink::lines();
    let options = SessionOptions { warn_to: sink, ..SessionOptions::default() };
    let session = Session::with_options(&graph, options);
    session.init_missing()?;
    for _ in 0..40 {
        let path = saver.save(&session, folder.path().join("m"))?;
        saver.restore(&session, path)?;
    }
    assert_eq!(lines.take(), [""; 0]);
    Ok(())
}

#[test]
fn what_cannot_be_saved_is_refused() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    assert!(matches!(Saver::new(), Err(SaverError::NoVariables)));
    let (a, b) = (scalar("a", 0.0), scalar("b", 0.0));
    assert!(matches!(
        Saver::named([("x", a), ("x", b)]),
        Err(SaverError::DuplicateName { name }) if name == "x"
    ));
    graph.finalize();
    let error = Saver::new().unwrap_err();
    assert!(error.to_string().contains("finalized"), "{error}");
    Ok(())
}

#[test]
fn a_saver_serves_sessions_of_its_graph_alone() -> Outcome {
    let folder = tempfile::tempdir()?;
    let graph = Graph::new();
    let default = graph.as_default();
    scalar("a", 0.0);
    let saver = Saver::new()?;
    drop(default);
    let other = Graph::new();
    let other_default = other.as_default();
    constant(0.0);
    drop(other_default);
    let other = Session::with_graph(&other);
    let error = saver.save(&other, folder.path().join("m")).unwrap_err();
    assert!(matches!(error, SaverError::Run(RunError::ForeignGraph { .. })), "{error}");
    Ok(())
}

#[test]
fn variables_are_saved_as_safetensors() -> Outcome {
    let folder = tempfile::tempdir()?;
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = get_variable("a", [], constant_initializer(1.5));
    let b = get_variable("scope/b", [40, 40], normal(0.0, 1.0));
    let saver = Saver::new()?.max_to_keep(1);
    let session = Session::new();
    session.run(global_variables_initializer())?;
    let prefix = folder.path().join("new/model.safetensors");
    saver.save_step(&session, &prefix, 1)?;
    let path = saver.save_step(&session, &prefix, 2)?;
    let new = folder.path().join("new");
    assert_eq!(files(&new), ["checkpoint", "model-2.safetensors", "model-2.safetensors.meta"]);
    assert_eq!(latest_checkpoint(&new)?, Some(path.clone()));
    let other = Session::new();
    let report = saver.restore(&other, &path)?;
    assert_eq!(report.restored, ["a", "scope/b"]);
    for (old, new) in session.run([a, b])?.iter().zip(other.run([a, b])?) {
        assert!(new.bits_eq(old));
    }
    // A restored value can be written to like any other, and the file stays unchanged.
    let written = other.run(tidemill::ops::assign_add(b, b))?;
    assert!(!written.bits_eq(&session.run(b)?));
    saver.restore(&other, &path)?;
    assert!(other.run(b)?.bits_eq(&session.run(b)?));
    Ok(())
}

#[test]
fn a_safetensors_file_that_does_not_fit_is_reported_as_a_checkpoint_is() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.safetensors");
    saved(&path, &["first", "kernal", "more"])?;
    let graph = Graph::new();
    let _default = graph.as_default();
    get_variable("first", [2], zeros());
    scalar("kernel", 0.0);
    let report = missing(Saver::new()?.restore(&Session::new(), &path).unwrap_err());
    let text = report.to_string().replace(&path.display().to_string(), "model.safetensors");
    insta::assert_snapshot!(text, @"
    model.safetensors has 0 of 2 variables
      key kernel not found in checkpoint; it has `kernal`
      `first` is float32[] in the checkpoint, but the variable is float32[2]
      `kernal` of the checkpoint is not a variable of the saver
      `more` of the checkpoint is not a variable of the saver
    ");
    Ok(())
}

#[test]
fn a_saver_that_reshapes_takes_variables_of_as_many_elements() -> Outcome {
    let folder = tempfile::tempdir()?;
    let prefix = folder.path().join("model.ckpt");
    {
        let _graph = Graph::new().as_default();
        variable("w", [2, 3]).initializer(constant([[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]])).get();
        scalar("b", 7.0);
        let session = Session::new();
        session.init_missing()?;
        Saver::new()?.save(&session, &prefix)?;
    }
    let _graph = Graph::new().as_default();
    let (w, b) = (get_variable("w", [6], zeros()), get_variable("b", [1, 1], zeros()));
    let session = Session::new();
    let report = missing(Saver::new()?.restore(&session, &prefix).unwrap_err());
    assert_eq!(report.mismatched.len(), 2);
    let report = Saver::new()?.reshape(true).restore(&session, &prefix)?;
    assert_eq!(report.restored, ["b", "w"]);
    assert_eq!(session.run(w)?, Value::from([1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]));
    assert_eq!(session.run(b)?, [[7.0_f32]].into_value()?);
    let _other = Graph::new().as_default();
    get_variable("w", [5], zeros());
    get_variable("b", [1], zeros());
    let session = Session::new();
    let report = missing(Saver::new()?.reshape(true).restore(&session, &prefix).unwrap_err());
    assert_eq!(report.mismatched.len(), 1);
    Ok(())
}
