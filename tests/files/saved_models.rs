//! SavedModels load as they were saved, with their asset files and signatures.

use std::fs;

use crate::common::{Outcome, number};
use tidemill::prelude::*;
use tidemill::proto::{Message, SavedModel as Message_};
use tidemill::{SavedModel, SavedModelBuilder, SavedModelError, Signature, TextMessage};

/// A session of a graph with `y = x * weight`, where the weight is 3.
fn session(resource: bool) -> Result<(Session, Signature), RunError> {
    let x = placeholder::<f32>(shape![?]).named("x");
    let three = constant_initializer(3.0);
    let weight = variable("weight", []).initializer(three).resource(resource).get();
    let y = (x * weight).named("y");
    let session = Session::new();
    session.init_missing()?;
    let signature = Signature {
        inputs: [("features".to_owned(), x)].into(),
        outputs: [("scores".to_owned(), y)].into(),
        ..Signature::default()
    };
    Ok((session, signature))
}

#[test]
fn a_model_that_is_saved_loads_with_its_variables_and_signatures() -> Outcome {
    for resource in [false, true] {
        let folder = tempfile::tempdir()?;
        let graph = Graph::new();
        let _default = graph.as_default();
        let (session, signature) = session(resource)?;
        let builder = SavedModelBuilder::new(&session).signature("serving_default", signature);
        builder.save(folder.path())?;
        let model = SavedModel::load(folder.path(), &["serve"])?;
        let results = model.run("serving_default", [("features", [1.0_f32, 2.0])])?;
        assert_eq!(results["scores"], Value::from([3.0_f32, 6.0]));
        let method = &model.signature("serving_default")?.method_name;
        assert_eq!(method, "tensorflow/serving/predict");
        assert_eq!(number(model.session(), model.graph().variables()[0]), 3.0);
    }
    Ok(())
}

#[test]
fn a_model_loads_from_text() -> Outcome {
    let folder = tempfile::tempdir()?;
    let graph = Graph::new();
    let _default = graph.as_default();
    let (session, signature) = session(true)?;
    SavedModelBuilder::new(&session).signature("s", signature).save(folder.path())?;
    let binary = folder.path().join("saved_model.pb");
    let model = Message_::decode(fs::read(&binary)?.as_slice())?;
    fs::write(folder.path().join("saved_model.pbtxt"), model.to_text())?;
    fs::remove_file(binary)?;
    let model = SavedModel::load(folder.path(), &["serve"])?;
    let results = model.run("s", [("features", [2.0_f32])])?;
    assert_eq!(results["scores"], Value::from([6.0_f32]));
    Ok(())
}

#[test]
fn files_are_copied_and_their_paths_fed_to_the_main_operation() -> Outcome {
    let folder = tempfile::tempdir()?;
    let words = folder.path().join("words.txt");
    fs::write(&words, "one two")?;
    let graph = Graph::new();
    let _default = graph.as_default();
    let path = constant("words.txt").named("path");
    let seen = variable("seen", []).dtype(DType::String).initializer(constant("")).get();
    let main_op = assign(seen, path).op();
    let session = Session::new();
    session.init_missing()?;
    let saved = folder.path().join("model");
    let builder = SavedModelBuilder::new(&session).tags(["a", "b"]).asset(path, &words);
    builder.main_op(main_op).save(&saved)?;
    let model = SavedModel::load(&saved, &["b", "a"])?;
    let seen = model.session().run(model.graph().variable("seen")?)?;
    let copied: tidemill::ByteString = seen.to_scalar()?;
    assert_eq!(fs::read(copied.to_string())?, b"one two");
    Ok(())
}

#[test]
fn what_is_wrong_is_said() -> Outcome {
    let folder = tempfile::tempdir()?;
    let missing = SavedModel::load(folder.path(), &["serve"]).unwrap_err();
    assert!(matches!(missing, SavedModelError::Io { .. }), "{missing}");
    let graph = Graph::new();
    let _default = graph.as_default();
    let (session, signature) = session(false)?;
    SavedModelBuilder::new(&session).signature("s", signature).save(folder.path())?;
    let again = SavedModelBuilder::new(&session).save(folder.path()).unwrap_err();
    assert!(matches!(again, SavedModelError::Exists { .. }), "{again}");
    let tags = SavedModel::load(folder.path(), &["train"]).unwrap_err().to_string();
    assert_eq!(tags, r#"no graph has the tags ["train"]; the graphs have [["serve"]]"#);
    let model = SavedModel::load(folder.path(), &["serve"])?;
    let nothing = Vec::<(&str, f32)>::new();
    let signature = model.run("t", nothing).unwrap_err().to_string();
    assert_eq!(signature, r#"there is no signature `t`; the model has ["s"]"#);
    let argument = model.run("s", [("z", 1.0_f32)]).unwrap_err().to_string();
    assert_eq!(argument, r#"the signature `s` has no argument `z`; it has ["features"]"#);
    fs::write(folder.path().join("saved_model.pb"), b"\xff\xff")?;
    let damaged = SavedModel::load(folder.path(), &["serve"]).unwrap_err();
    assert!(matches!(damaged, SavedModelError::Decode(_)), "{damaged}");
    Ok(())
}
