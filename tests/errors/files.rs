//! Errors of files and their names, and the state that they leave unchanged.

use std::fs;
use std::path::Path;

use tempfile::tempdir;
use tidemill::checkpoint::CheckpointState;
use tidemill::error::{CheckpointErrorKind, SaverError, TensorFileError};
use tidemill::prelude::*;
use tidemill::proto::{GraphDef, Message, NodeDef};
use tidemill::{Code, to_graph_def};
use tidemill::{ImportError, ImportOptions, TextMessage, import_graph_def, import_graph_def_with};

use crate::common::{Outcome, all_names};

/// A session with one initialized variable.
fn session_of_a_variable() -> Result<Session, RunError> {
    get_variable("v", [2], ones());
    let session = Session::new();
    session.init_missing()?;
    Ok(session)
}

/// The names of the files in a folder, sorted.
fn files_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn kind_of(error: SaverError) -> CheckpointErrorKind {
    match error {
        SaverError::Checkpoint(TensorFileError::Checkpoint(error)) => error.kind,
        other => panic!("{other}"),
    }
}

#[test]
fn a_prefix_that_is_a_folder_saves_nothing() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (folder, session) = (tempdir()?, session_of_a_variable()?);
    fs::create_dir(folder.path().join("model"))?;
    let prefix = format!("{}/model/", folder.path().display());
    for saved in
        [Saver::new()?.save(&session, &prefix), Saver::new()?.save_step(&session, &prefix, 3)]
    {
        assert!(matches!(kind_of(saved.unwrap_err()), CheckpointErrorKind::Prefix));
    }
    assert!(Checkpointer::new(&prefix).is_err());
    assert_eq!(latest_checkpoint(folder.path())?, None);
    assert_eq!(latest_checkpoint(folder.path().join("model"))?, None);
    assert_eq!(files_in(folder.path()), ["model"]);
    assert!(files_in(&folder.path().join("model")).is_empty());
    Ok(())
}

#[test]
fn two_variables_are_not_saved_under_one_name() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (a, b) = (get_variable("a", [], ones()), get_variable("b", [], ones()));
    let error = Saver::named([("x", a), ("x", b)]).unwrap_err();
    assert!(matches!(error, SaverError::DuplicateName { name } if name == "x"));
    let error = Saver::named([("x", a), ("y", a)]).unwrap_err();
    let is_twice = matches!(&error, SaverError::SavedTwice { variable, names } if variable == "a" && names == &["x", "y"]);
    assert!(is_twice, "{error}");
    Ok(())
}

#[test]
fn a_saver_takes_over_the_checkpoints_of_the_process_before() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (folder, session) = (tempdir()?, session_of_a_variable()?);
    let folder = folder.path();
    let save = |steps: [u64; 3]| -> Outcome {
        let saver = Saver::new()?.max_to_keep(3).meta_graph(false);
        for step in steps {
            saver.save_step(&session, folder.join("model"), step)?;
        }
        Ok(())
    };
    save([1, 2, 3])?;
    Saver::new()?.meta_graph(false).save(&session, folder.join("best-7"))?;
    fs::copy(folder.join("checkpoint"), folder.join("of-best"))?;
    let listed = |steps: [u64; 3]| CheckpointState {
        latest: folder.join(format!("model-{}", steps[2])),
        all: steps.map(|step| folder.join(format!("model-{step}"))).into(),
    };
    listed([1, 2, 3]).write(folder)?;
    save([4, 5, 6])?;
    assert_eq!(CheckpointState::read(folder)?, Some(listed([4, 5, 6])));
    let indices = files_in(folder).into_iter().filter(|name| name.ends_with(".index"));
    let expected = ["best-7.index", "model-4.index", "model-5.index", "model-6.index"];
    assert_eq!(indices.collect::<Vec<_>>(), expected);
    Ok(())
}

#[test]
fn a_saver_leaves_checkpoints_of_other_names() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (folder, session) = (tempdir()?, session_of_a_variable()?);
    let saver = || Ok::<_, SaverError>(Saver::new()?.max_to_keep(1).meta_graph(false));
    saver()?.save(&session, folder.path().join("best-1"))?;
    saver()?.save(&session, folder.path().join("model-1"))?;
    saver()?.save(&session, folder.path().join("model-2.safetensors"))?;
    saver()?.save(&session, folder.path().join("model"))?;
    let data = |name: &&String| name.ends_with(".index") || name.ends_with(".safetensors");
    let files = files_in(folder.path());
    let found: Vec<&String> = files.iter().filter(data).collect();
    assert_eq!(found, ["best-1.index", "model-1.index", "model-2.safetensors", "model.index"]);
    Ok(())
}

/// A node that adds an integer and a float.
fn wrong(name: &str) -> NodeDef {
    let text = format!(
        "node {{ name: '{name}' op: 'AddV2' input: 'i' input: 'f' attr {{ key: 'T' value {{ type: DT_INT32 }} }} }}"
    );
    GraphDef::from_text(&text).unwrap().node.remove(0)
}

/// A graph with a variable and a constant of each type, and an invalid node.
fn message_with_an_error() -> Result<GraphDef, Box<dyn std::error::Error>> {
    let graph = Graph::new();
    let _default = graph.as_default();
    get_variable("v", [2], ones());
    constant(1).named("i");
    constant(1.0_f32).named("f");
    let mut message = to_graph_def(&graph)?;
    message.node.push(wrong("sum"));
    Ok(message)
}

#[test]
fn an_import_that_fails_leaves_the_graph_as_it_was() -> Outcome {
    let message = message_with_an_error()?;
    let graph = Graph::new();
    let _default = graph.as_default();
    let kept = get_variable("kept", [], zeros());
    let before = (graph.to_text(), to_graph_def(&graph)?.encode_to_vec());
    for prefix in ["", "imported"] {
        let options = ImportOptions { prefix: prefix.to_owned(), ..ImportOptions::default() };
        let error = import_graph_def_with(&message, &options).unwrap_err();
        assert!(matches!(error, ImportError::Node { .. }), "{error}");
        assert_eq!((graph.to_text(), to_graph_def(&graph)?.encode_to_vec()), before);
        assert_eq!(graph.variables().len(), 1);
        assert!(graph.variable("v").is_err() && graph.operation("v").is_err());
    }
    // All names are still free.
    let mut right = message.clone();
    right.node.pop();
    let options = ImportOptions { prefix: "imported".to_owned(), ..ImportOptions::default() };
    import_graph_def(&right)?;
    import_graph_def_with(&right, &options)?;
    assert!(all_names(&graph).contains(&"v/Assign".to_owned()));
    assert!(all_names(&graph).contains(&"imported/v/Assign".to_owned()));
    let session = Session::new();
    session.init_missing()?;
    assert_eq!(session.run(kept + 1.0)?.to_string(), "1.0");
    assert_eq!(session.run("v")?.to_string(), "[1.0, 1.0]");
    Ok(())
}

#[test]
fn nodes_that_another_thread_adds_during_an_import_stay() -> Outcome {
    let message = message_with_an_error()?;
    let graph = Graph::new();
    let imports = |graph: &Graph| {
        let _default = graph.as_default();
        (0..50).all(|_| import_graph_def(&message).is_err())
    };
    let handles = std::thread::scope(|threads| {
        let importing = threads.spawn(|| imports(&graph));
        let adding = threads.spawn(|| {
            let _default = graph.as_default();
            (0..200).map(|i| constant(i).named("own")).collect::<Vec<Tensor>>()
        });
        assert!(importing.join().unwrap());
        adding.join().unwrap()
    });
    let session = Session::with_graph(&graph);
    for (i, handle) in handles.into_iter().enumerate() {
        assert_eq!(session.run(handle)?.to_string(), i.to_string());
    }
    Ok(())
}

#[test]
fn text_that_is_no_graph_is_called_text() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let error = import_graph_def("# Notes\n\nBuy milk.\n".as_bytes()).unwrap_err();
    assert!(error.to_string().starts_with("not a binary GraphDef, but text"), "{error}");
}

#[test]
fn an_error_at_the_end_of_a_long_way_is_short() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([]).named("x");
    let y = (0..4000).fold(x, |y, _| y * 2.0);
    let error = Session::new().run(y).unwrap_err().to_string();
    assert!(error.len() < 1000 && error.contains("← … 3993 more … ←"), "{error}");
}

#[test]
fn running_nothing_of_an_empty_graph_is_an_error() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let session = Session::new();
    let nothing: [Operation; 0] = [];
    let error = session.run(nothing).unwrap_err();
    assert!(matches!(error, RunError::EmptyGraph), "{error}");
    assert_eq!(error.code(), Code::FailedPrecondition);
    constant(1);
    session.run(nothing)?;
    Ok(())
}

#[test]
fn the_exported_gradient_of_a_loop_imports_again() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([]).named("x");
    let (_, y) =
        while_loop((constant(0), constant(1.0_f32)), |(i, _)| less(i, 3), |(i, y)| (i + 1, y * x));
    let gradient = gradients([y], [x])[0].unwrap();
    let expected = Session::new().run_with(gradient, feeds![x => 2.0])?;
    let message = to_graph_def(&graph)?;
    let again = Graph::new();
    let _default = again.as_default();
    import_graph_def(&message)?;
    let found = Session::new().run_with(gradient.name(), feeds!["x" => 2.0])?;
    assert_eq!((found.to_string(), expected.to_string()), ("12.0".to_owned(), "12.0".to_owned()));
    Ok(())
}
