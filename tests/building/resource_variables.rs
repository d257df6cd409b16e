//! Resource variables keep the promises that other variables keep.

use crate::common::{Outcome, failing, in_both_modes, number};
use tidemill::prelude::*;
use tidemill::proto::GraphDef;
use tidemill::{
    GraphDefSource, ImportOptions, IndexedSlices, IntoValue, TextMessage, import_graph_def,
    import_graph_def_with, to_graph_def,
};

/// A resource variable of shape `[]` that starts with `x`.
fn scalar(name: &str, x: f64) -> Variable {
    variable(name, []).initializer(constant_initializer(x)).resource(true).get()
}

/// A resource variable of three rows.
fn rows(name: &str) -> Variable {
    let rows = constant([[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    variable(name, [3, 2]).initializer(rows).resource(true).get()
}

fn own_graph() -> tidemill::DefaultGraph {
    Graph::new().as_default()
}

#[test]
fn a_resource_variable_is_made_of_the_nodes_that_tensorflow_makes() {
    let _graph = own_graph();
    let w = scalar("w", 1.0);
    let names = crate::common::all_names(&default_graph());
    let expected = [
        "w/Initializer/ones",
        "w",
        "w/IsInitialized/VarIsInitializedOp",
        "w/Assign",
        "w/Read/ReadVariableOp",
    ];
    assert_eq!(names, expected);
    assert!(w.is_resource());
    assert_eq!(w.to_string(), r#"Variable("w:0", shape=(), dtype=float32)"#);
    assert_eq!(w.op().output(0).to_string(), r#"Tensor("w:0", shape=(), dtype=resource)"#);
}

#[test]
fn reads_and_writes_have_the_order_that_is_promised() -> Outcome {
    let _graph = own_graph();
    let w = scalar("w", 1.0);
    let before = w.read();
    let added = assign_add(w, 2.0);
    let after = control_dependencies([added], || w.read());
    let doubled = assign(w, after * 2.0);
    for session in in_both_modes() {
        session.init_missing()?;
        let (before, added, doubled) = session.run((before, added, doubled))?.into_scalars()?;
        assert_eq!((before, added, doubled), (1.0_f32, 3.0_f32, 6.0_f32));
        assert_eq!(number(&session, w), 6.0);
    }
    Ok(())
}

#[test]
fn a_run_that_fails_changes_no_resource_variable() -> Outcome {
    let _graph = own_graph();
    let w = scalar("w", 1.0);
    let (added, fails) = (assign_add(w, 2.0), failing());
    for session in in_both_modes() {
        session.init_missing()?;
        assert!(session.run((added, fails)).is_err());
        assert_eq!(number(&session, w), 1.0);
    }
    Ok(())
}

#[test]
fn a_resource_variable_without_a_value_is_an_error_that_names_it() {
    let _graph = own_graph();
    let w = scalar("w", 1.0);
    let error = Session::new().run(w * 2.0).unwrap_err().to_string();
    assert!(error.contains("`w`"), "{error}");
}

#[test]
fn a_handle_is_no_value() {
    let _graph = own_graph();
    let w = scalar("w", 1.0);
    let handle = w.op().output(0);
    let error = Session::new().run(handle).unwrap_err();
    assert!(matches!(&error, RunError::Handle { .. }), "{error}");
    let _ = neg(handle);
    let error = default_graph().check().unwrap_err().to_string();
    assert!(error.contains("`x` must be a value, but is the handle"), "{error}");
}

#[test]
fn handles_of_one_name_name_one_variable() -> Outcome {
    let _graph = own_graph();
    scalar("w", 1.0);
    let mut message = to_graph_def(&default_graph())?;
    let mut twin = message.node[1].clone();
    twin.name = "twin".to_owned();
    let mut read = message.node[4].clone();
    (read.name, read.input) = ("read".to_owned(), vec!["twin".to_owned()]);
    message.node.extend([twin, read]);
    let graph = Graph::new();
    let _again = graph.as_default();
    let imported = import_graph_def(message)?;
    assert_eq!(graph.variables().len(), 1);
    let session = Session::new();
    session.run(imported.operation("w/Assign")?)?;
    assert_eq!(number(&session, imported.tensor("read")?), 1.0);
    Ok(())
}

#[test]
fn handles_of_one_name_and_two_types_are_refused() -> Outcome {
    let _graph = own_graph();
    scalar("w", 1.0);
    let mut message = to_graph_def(&default_graph())?;
    let mut twin = message.node[1].clone();
    twin.name = "twin".to_owned();
    let double = tidemill::proto::AnyValue::Type(2);
    twin.attr.insert("dtype".to_owned(), tidemill::proto::AttrValue { value: Some(double) });
    message.node.push(twin);
    let graph = Graph::new();
    let _again = graph.as_default();
    let error = import_graph_def(GraphDefSource::from(message)).unwrap_err().to_string();
    assert!(error.contains("the variable `w` is float32"), "{error}");
    Ok(())
}

#[test]
fn rows_are_written_and_gathered() -> Outcome {
    let _graph = own_graph();
    let w = rows("w");
    let updates = [[10.0_f32, 20.0], [30.0, 40.0]];
    let written = [
        (scatter_update(w, [2, 0], updates), [[30.0, 40.0], [3.0, 4.0], [10.0, 20.0]]),
        (scatter_add(w, [0, 0], updates), [[41.0, 62.0], [3.0, 4.0], [5.0, 6.0]]),
        (scatter_sub(w, [1, 2], updates), [[1.0, 2.0], [-7.0, -16.0], [-25.0, -34.0]]),
        (scatter_mul(w, [1, 2], updates), [[1.0, 2.0], [30.0, 80.0], [150.0, 240.0]]),
        (scatter_max(w, [1, 2], updates), [[1.0, 2.0], [10.0, 20.0], [30.0, 40.0]]),
        (scatter_min(w, [1, 2], updates), [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
    ];
    for (write, expected) in written {
        for session in in_both_modes() {
            session.init_missing()?;
            let expected: [[f32; 2]; 3] = expected;
            let expected = expected.into_value()?;
            assert_eq!(session.run(write)?, expected);
            assert_eq!(session.run(w)?, expected);
        }
    }
    Ok(())
}

#[test]
fn the_gradient_of_gathered_rows_is_sparse() -> Outcome {
    let _graph = own_graph();
    let w = rows("w");
    let ids = constant([[2, 0], [2, 2]]).named("ids");
    let text = "node { name: 'rows' op: 'ResourceGather' input: 'w' input: 'ids' \
                attr { key: 'dtype' value { type: DT_FLOAT } } \
                attr { key: 'Tindices' value { type: DT_INT32 } } }";
    let input_map = vec![("w".to_owned(), w.op().output(0)), ("ids".to_owned(), ids)];
    let options = ImportOptions { input_map, ..ImportOptions::default() };
    let imported = import_graph_def_with(GraphDef::from_text(text)?, &options)?;
    let gathered = imported.tensor("rows")?;
    let gradient = gradients([square(gathered)], [w])[0].ok_or("none")?;
    let slices = IndexedSlices::of(gradient).ok_or("no slices")?;
    for session in in_both_modes() {
        session.init_missing()?;
        assert_eq!(session.run(slices.indices)?, Value::from([2, 0, 2, 2]));
        let dense = "[[2.0, 4.0], [0.0, 0.0], [30.0, 36.0]]";
        assert_eq!(session.run(gradient)?.to_string(), dense);
    }
    Ok(())
}

#[test]
fn the_gradient_by_a_resource_variable_sums_those_of_its_reads() -> Outcome {
    let _graph = own_graph();
    let w = scalar("w", 3.0);
    let first = w.read();
    let second = control_dependencies([no_op()], || w.read());
    let gradient = gradients([first * second], [w])[0].ok_or("none")?;
    for session in in_both_modes() {
        session.init_missing()?;
        assert_eq!(number(&session, gradient), 6.0);
    }
    Ok(())
}

#[test]
fn minimizing_trains_resource_variables() -> Outcome {
    let _graph = own_graph();
    let w = scalar("w", 3.0);
    let loss = square(w - 1.0);
    let train = GradientDescent::new(0.25).minimize(loss);
    for session in in_both_modes() {
        session.init_missing()?;
        let (loss, ()) = session.run((loss, train))?;
        assert_eq!(loss.to_scalar::<f32>()?, 4.0);
        assert_eq!(number(&session, w), 2.0);
    }
    Ok(())
}

#[test]
fn a_resource_variable_that_starts_with_another_is_initialized_after_it() -> Outcome {
    let _graph = own_graph();
    let a = scalar("a", 2.0);
    let b = variable("b", []).initializer(a * 3.0).resource(true).get();
    let init = global_variables_initializer();
    for session in in_both_modes() {
        session.run(init)?;
        assert_eq!(number(&session, b), 6.0);
    }
    let session = Session::new();
    session.init_missing()?;
    assert_eq!(number(&session, b), 6.0);
    Ok(())
}

#[test]
fn resource_variables_are_saved_and_restored() -> Outcome {
    let folder = tempfile::tempdir()?;
    let _graph = own_graph();
    let w = rows("w");
    let saver = Saver::new()?;
    let session = Session::new();
    session.init_missing()?;
    session.run(assign_add(w, constant([[1.0_f32; 2]; 3])))?;
    let prefix = saver.save(&session, folder.path().join("model"))?;
    let other = Session::new();
    saver.restore(&other, prefix)?;
    assert_eq!(other.run(w)?, [[2.0_f32, 3.0], [4.0, 5.0], [6.0, 7.0]].into_value()?);
    Ok(())
}

#[test]
fn an_imported_graph_knows_its_variables_again() -> Outcome {
    let _graph = own_graph();
    scalar("resource", 1.0);
    get_variable("storage", [], constant_initializer(2.0));
    let counter = variable("count", []).dtype(DType::I64).initializer(zeros()).get();
    assert!(counter.is_trainable());
    let message = to_graph_def(&default_graph())?;
    let graph = Graph::new();
    let _again = graph.as_default();
    import_graph_def(message)?;
    let names: Vec<String> = graph.variables().iter().map(|v| v.op().name()).collect();
    assert_eq!(names, ["resource", "storage", "count"]);
    let trainable: Vec<String> =
        graph.trainable_variables().iter().map(|v| v.op().name()).collect();
    assert_eq!(trainable, ["resource", "storage"]);
    let [resource, storage] = [graph.variables()[0], graph.variables()[1]];
    assert_eq!(resource.read().name(), "resource/Read/ReadVariableOp:0");
    assert_eq!(storage.read().name(), "storage/read:0");
    let session = Session::new();
    session.init_missing()?;
    assert_eq!((number(&session, resource), number(&session, storage)), (1.0, 2.0));
    Ok(())
}
