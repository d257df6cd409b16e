//! TensorFlow's graph files read back as they were written, as bytes and as text.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{Outcome, number};
use tidemill::prelude::*;
use tidemill::proto::{AnyValue, AttrValue, GraphDef, Message, NodeDef, SavedModel as Model};
use tidemill::{
    ExportError, FreezeError, FreezeSessionError, TextMessage, extract_sub_graph, freeze_session,
    import_graph_def, to_graph_def,
};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/corpus")
}

/// The graphs of the corpus, by file, except malformed ones.
pub(crate) fn graphs() -> BTreeMap<PathBuf, GraphDef> {
    let mut graphs = BTreeMap::new();
    for category in fs::read_dir(corpus()).unwrap() {
        let category = category.unwrap().path();
        if !category.is_dir() || category.ends_with("malformed") {
            continue;
        }
        for file in fs::read_dir(category).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_some_and(|extension| extension == "pb") {
                let graph = GraphDef::decode(fs::read(&file).unwrap().as_slice()).unwrap();
                graphs.insert(file, graph);
            }
        }
    }
    assert!(graphs.len() > 1000, "{}", graphs.len());
    graphs
}

fn imported(graph_def: &GraphDef) -> Result<Graph, tidemill::ImportError> {
    let graph = Graph::new();
    let _default = graph.as_default();
    import_graph_def(graph_def)?;
    Ok(graph)
}

/// The inputs of a node; the first output of another node is named without a number.
pub(crate) fn inputs(node: &NodeDef) -> Vec<&str> {
    node.input.iter().map(|input| input.strip_suffix(":0").unwrap_or(input)).collect()
}

/// A value of an attribute, in one of several equivalent forms.
fn meaning(attr: &AttrValue) -> Option<AnyValue> {
    match attr.value.clone()? {
        AnyValue::Tensor(tensor) => {
            let value = tensor.value(&mut Default::default()).unwrap();
            Some(AnyValue::Tensor((&value).into()))
        }
        // An empty list is a list of any kind, or of none.
        AnyValue::List(list) if list.is_empty() => None,
        other => Some(other),
    }
}

#[test]
fn every_graph_of_the_corpus_is_written_as_it_was_read() {
    let mut compared = 0;
    for (file, graph_def) in graphs() {
        // The conformance test reports what the runtime does not support yet.
        let Ok(graph) = imported(&graph_def) else { continue };
        let written = match to_graph_def(&graph) {
            // TensorFlow has no form for a function that takes a variable.
            Err(ExportError::RefVariable { .. }) => continue,
            written => written.unwrap(),
        };
        let by_name: BTreeMap<&str, &NodeDef> =
            written.node.iter().map(|node| (node.name.as_str(), node)).collect();
        let bodies = ["If", "StatelessIf", "StatelessCase", "While", "StatelessWhile"];
        if !written.node.iter().any(|node| bodies.contains(&node.op.as_str())) {
            assert_eq!(written.library, graph_def.library, "{}", file.display());
        }
        assert_eq!(written.versions, graph_def.versions, "{}", file.display());
        if written.node.len() != graph_def.node.len() {
            continue; // Functions became their bodies.
        }
        compared += 1;
        for node in &graph_def.node {
            let other = by_name[node.name.as_str()];
            if !matches!(other.op.as_str(), "Identity" | "IdentityN") {
                assert_eq!((&other.op, inputs(other)), (&node.op, inputs(node)));
            }
            assert_eq!(other.device, node.device, "{}: {}", file.display(), node.name);
            if other.op == node.op {
                for (name, attr) in &node.attr {
                    let again = other.attr.get(name).and_then(meaning);
                    let place = format!("{}: {} of {}", file.display(), name, node.name);
                    assert!(same(&again, &meaning(attr)), "{place}: {again:?}, not {attr:?}");
                }
            }
        }
    }
    assert!(compared > 1000, "{compared}");
}

/// True if both have the same bytes, NaN included.
fn same(left: &Option<AnyValue>, right: &Option<AnyValue>) -> bool {
    let bytes = |value: &Option<AnyValue>| AttrValue { value: value.clone() }.encode_to_vec();
    bytes(left) == bytes(right)
}

#[test]
fn every_graph_of_the_corpus_reads_back_from_its_text() {
    for (file, graph) in graphs() {
        let again = GraphDef::from_text(&graph.to_text());
        let again = again.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        // NaN is not equal to itself.
        assert!(again.encode_to_vec() == graph.encode_to_vec(), "{}", file.display());
    }
}

#[test]
fn every_model_of_the_corpus_reads_back_from_its_text() -> Outcome {
    for name in ["classifier_ref", "classifier_resource"] {
        let file = corpus().join("saved_models").join(name).join("saved_model.pb");
        let model = Model::decode(fs::read(file)?.as_slice())?;
        assert_eq!(Model::from_text(&model.to_text())?, model);
    }
    Ok(())
}

#[test]
fn a_part_of_a_graph_has_what_its_outputs_need_in_order() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([]).named("x");
    let y = neg(x).named("y");
    let _ = exp(y).named("z");
    control_dependencies([y], || constant(1.0_f32).named("w"));
    let graph_def = to_graph_def(&graph)?;
    let names = |outputs: &[&str]| -> Result<Vec<String>, FreezeError> {
        let part = extract_sub_graph(&graph_def, outputs)?;
        Ok(part.node.into_iter().map(|node| node.name).collect())
    };
    assert_eq!(names(&["y:0"])?, ["x", "y"]);
    assert_eq!(names(&["w"])?, ["x", "y", "w"]);
    assert!(matches!(names(&["v"]), Err(FreezeError::NoNode { .. })));
    Ok(())
}

#[test]
fn a_frozen_graph_has_no_variables_and_the_same_values() -> Outcome {
    for resource in [false, true] {
        let graph = Graph::new();
        let _default = graph.as_default();
        let rows = constant([[1.0_f32, 2.0], [3.0, 4.0]]);
        let w = variable("w", [2, 2]).initializer(rows).resource(resource).get();
        let x = placeholder::<f32>([]).named("x");
        let y = (reduce_sum(w, ..) * x).named("y");
        assign_add(w, constant([[1.0_f32; 2]; 2]));
        let session = Session::new();
        session.init_missing()?;
        let frozen = freeze_session(&session, &["y"])?;
        let ops: Vec<&str> = frozen.node.iter().map(|node| node.op.as_str()).collect();
        assert!(!ops.contains(&"VariableV2") && !ops.contains(&"VarHandleOp"), "{ops:?}");
        let expected = session.run_with(y, feeds![x => 2.0])?;

        let again = Graph::new();
        let _again = again.as_default();
        let imported = import_graph_def(frozen)?;
        let [x, y] = [imported.tensor("x")?, imported.tensor("y")?];
        assert_eq!(Session::new().run_with(y, feeds![x => 2.0])?, expected);
    }
    Ok(())
}

#[test]
fn gathers_of_resource_variables_are_frozen() -> Outcome {
    let file = corpus().join("state_resource/scatter_updates.pb");
    let graph_def = GraphDef::decode(fs::read(file)?.as_slice())?;
    let graph = imported(&graph_def)?;
    let _default = graph.as_default();
    let gather = graph_def.node.iter().find(|node| node.op == "ResourceGather").ok_or("none")?;
    let session = Session::new();
    session.init_missing()?;
    let frozen = freeze_session(&session, &[&gather.name])?;
    assert!(frozen.node.iter().any(|node| node.op == "GatherV2"));
    imported(&frozen)?;
    Ok(())
}

#[test]
fn a_part_that_writes_a_variable_is_not_frozen() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let w = get_variable("w", [], zeros());
    assign_add(w, 1.0).named("count");
    let session = Session::new();
    session.init_missing()?;
    let error = freeze_session(&session, &["count"]).unwrap_err();
    assert!(matches!(&error, FreezeSessionError::Freeze(FreezeError::Use { .. })), "{error}");
    Ok(())
}

#[test]
fn a_checkpoint_has_a_meta_graph_that_loads() -> Outcome {
    let folder = tempfile::tempdir()?;
    let graph = Graph::new();
    let _default = graph.as_default();
    let w = get_variable("w", [], constant_initializer(3.0));
    variable("fixed", []).initializer(ones()).trainable(false).resource(true).get();
    graph.add_to_collection("inputs", placeholder::<f32>([]).named("x"));
    graph.add_to_collection("inputs", w.read());
    let session = Session::new();
    session.init_missing()?;
    let prefix = Saver::new()?.save(&session, folder.path().join("model"))?;
    let bytes = fs::read(prefix.with_extension("meta"))?;
    let meta = tidemill::proto::MetaGraphDef::decode(bytes.as_slice())?;
    assert_eq!(tidemill::proto::MetaGraphDef::from_text(&meta.to_text())?, meta);

    let again = Graph::new();
    let _again = again.as_default();
    let meta = tidemill::import_meta_graph(meta, &Default::default())?;
    let names = |variables: Vec<Variable>| -> Vec<String> {
        variables.into_iter().map(|variable| variable.op().name()).collect()
    };
    assert_eq!(names(again.variables()), ["w", "fixed"]);
    assert_eq!(names(again.trainable_variables()), ["w"]);
    let inputs: Vec<String> = again.tensors_in("inputs").iter().map(|x| x.name()).collect();
    assert_eq!(inputs, ["x:0", "w/read:0"]);
    let saver = meta.saver.ok_or("no saver")?;
    let restore = meta.imported.operation(&saver.restore_op_name)?;
    let filename = meta.imported.tensor(&saver.filename_tensor_name)?;
    let other = Session::new();
    other.run_with(restore, feeds![filename => prefix.to_str().ok_or("no text")?])?;
    assert_eq!(number(&other, again.variable("w")?), 3.0);

    // The run by which TensorFlow would save.
    let save = meta.imported.tensor(&saver.save_tensor_name)?;
    let copy = folder.path().join("copy");
    other.run_with(save, feeds![filename => copy.to_str().ok_or("no text")?])?;
    assert_eq!(list_variables(copy)?, list_variables(prefix)?);
    Ok(())
}

#[test]
fn parts_of_a_tensor_are_restored() -> Outcome {
    let restore = |part: &str| -> Result<Value, Box<dyn std::error::Error>> {
        let graph = Graph::new();
        let _default = graph.as_default();
        let strings = |name: &str, text: &str, shape: &str| {
            format!(
                "node {{ name: '{name}' op: 'Const' attr {{ key: 'dtype' value {{ type: DT_STRING }} }}
                 attr {{ key: 'value' value {{ tensor {{ dtype: DT_STRING tensor_shape {{ {shape} }}
                 string_val: '{text}' }} }} }} }}"
            )
        };
        let prefix = corpus().join("checkpoints/partitioned/model.ckpt");
        let text = strings("prefix", &prefix.to_string_lossy(), "")
            + &strings("names", "w", "dim { size: 1 }")
            + &strings("parts", part, "dim { size: 1 }")
            + "node { name: 'restore' op: 'RestoreV2' input: ['prefix', 'names', 'parts']
               attr { key: 'dtypes' value { list { type: [DT_FLOAT] } } } }";
        let imported = import_graph_def(GraphDef::from_text(&text)?)?;
        Ok(Session::new().run(imported.tensor("restore")?)?)
    };
    let whole = restore("")?;
    assert_eq!(whole.shape()[..], [7, 4]);
    let part = restore("7 4 2,3:-")?;
    assert_eq!(part.as_slice::<f32>()?, &whole.as_slice::<f32>()?[8..20]);
    for wrong in
        ["7 4", "7 3 -:-", "7 4 -", "7 4 5,3:-", "7 4 x,1:-", "7 4 0,18446744073709551615:-"]
    {
        assert!(restore(wrong).is_err(), "{wrong}");
    }
    Ok(())
}

#[test]
fn a_constant_of_more_than_messages_can_hold_is_refused_by_name() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let _ = constant(Value::from(vec![0.5_f32; 4])).named("small");
    // Zeros take no memory until they are touched.
    let mut elements = vec![0_u8; (i32::MAX as usize) + 1];
    elements[0] = 1;
    let _ = constant(Value::from(elements)).named("large");
    let error = to_graph_def(&graph).unwrap_err().to_string();
    assert!(error.contains("`large`"), "{error}");
}
