//! The nodes with which TensorFlow saves and restores variables.

use rustc_hash::FxHashSet;
use tidemill_formats::proto::{
    AnyValue, AttrValue, CheckpointFormat, DataType, GraphDef, ListValue, NodeDef, SaverDef,
};
use tidemill_value::{ByteString, DType, PartialShape, Value};

use crate::freeze::constant_node;

/// A variable that is saved.
#[derive(Clone, PartialEq, Debug)]
pub struct SavedVariable {
    /// Its name in checkpoints.
    pub name: String,
    /// The name of its node.
    pub node: String,
    /// Its data type.
    pub dtype: DType,
    /// Whether it is a resource variable.
    pub is_resource: bool,
}

/// Adds to a message the nodes with which TensorFlow saves and restores variables, as TensorFlow's
/// own savers do, and returns their names.
pub fn add_saver_nodes(graph_def: &mut GraphDef, variables: &[SavedVariable]) -> SaverDef {
    let scope = free_scope(graph_def);
    let named = |name: &str| format!("{scope}/{name}");
    let mut nodes = Vec::new();
    let texts =
        |texts: Vec<&str>| Value::from(texts.into_iter().map(ByteString::from).collect::<Vec<_>>());
    let mut constant = |name: &str, value: Value| {
        nodes.push(constant_node(named(name), String::new(), &value));
        named(name)
    };
    let model = constant("filename/input", Value::from("model"));
    let names = || variables.iter().map(|variable| variable.name.as_str()).collect();
    let whole = || vec![""; variables.len()];
    let saved = [
        constant("SaveV2/tensor_names", texts(names())),
        constant("SaveV2/shape_and_slices", texts(whole())),
    ];
    let restored = [
        constant("RestoreV2/tensor_names", texts(names())),
        constant("RestoreV2/shape_and_slices", texts(whole())),
    ];
    let string = || AnyValue::Type(DataType::String.into());
    let prefix_attrs = || {
        let shape = AnyValue::Shape((&PartialShape::scalar()).into());
        vec![("dtype", string()), ("shape", shape)]
    };
    let dtype = |variable: &SavedVariable| AnyValue::Type(DataType::from(variable.dtype).into());
    let dtypes = || {
        let dtypes = variables.iter().map(|variable| DataType::from(variable.dtype).into());
        let list = ListValue { r#type: dtypes.collect(), ..ListValue::default() };
        vec![("dtypes", AnyValue::List(list))]
    };
    let mut add = |name: &str, op: &str, input: Vec<String>, attrs: Vec<(&str, AnyValue)>| {
        nodes.push(node(named(name), op, input, attrs));
        named(name)
    };
    let filename = add("filename", "PlaceholderWithDefault", vec![model], prefix_attrs());
    let prefix = add("Const", "PlaceholderWithDefault", vec![filename], prefix_attrs());
    let mut inputs = vec![prefix.clone()];
    inputs.extend(saved);
    for (i, variable) in variables.iter().enumerate() {
        inputs.push(match variable.is_resource {
            true => {
                let attrs = vec![("dtype", dtype(variable))];
                add(&format!("Read_{i}"), "ReadVariableOp", vec![variable.node.clone()], attrs)
            }
            false => variable.node.clone(),
        });
    }
    let save = add("SaveV2", "SaveV2", inputs, dtypes());
    let done = vec![prefix.clone(), format!("^{save}")];
    let save = add("control_dependency", "Identity", done, vec![("T", string())]);
    let mut inputs = vec![prefix.clone()];
    inputs.extend(restored);
    let restore = add("RestoreV2", "RestoreV2", inputs, dtypes());
    let mut assigned = Vec::with_capacity(variables.len());
    for (i, variable) in variables.iter().enumerate() {
        let value = if i == 0 { restore.clone() } else { format!("{restore}:{i}") };
        let (op, attr) = match variable.is_resource {
            true => ("AssignVariableOp", "dtype"),
            false => ("Assign", "T"),
        };
        let inputs = vec![variable.node.clone(), value];
        let assign = add(&format!("Assign_{i}"), op, inputs, vec![(attr, dtype(variable))]);
        assigned.push(format!("^{assign}"));
    }
    let restore = add("restore_all", "NoOp", assigned, Vec::new());
    graph_def.node.extend(nodes);
    SaverDef {
        filename_tensor_name: format!("{prefix}:0"),
        save_tensor_name: format!("{save}:0"),
        restore_op_name: restore,
        max_to_keep: 5,
        sharded: false,
        keep_checkpoint_every_n_hours: 10_000.0,
        version: CheckpointFormat::V2.into(),
    }
}

/// An unused scope: `save`, or with a number.
fn free_scope(graph_def: &GraphDef) -> String {
    let first = |node: &NodeDef| node.name.split('/').next().unwrap_or_default().to_owned();
    let taken: FxHashSet<String> = graph_def.node.iter().map(first).collect();
    let numbered = (1..).map(|number| format!("save_{number}"));
    let mut scopes = std::iter::once("save".to_owned()).chain(numbered);
    scopes.find(|scope| !taken.contains(scope)).unwrap_or_default()
}

fn node(name: String, op: &str, input: Vec<String>, attrs: Vec<(&str, AnyValue)>) -> NodeDef {
    let attr =
        |(name, value): (&str, AnyValue)| (name.to_owned(), AttrValue { value: Some(value) });
    NodeDef {
        name,
        op: op.to_owned(),
        input,
        device: String::new(),
        attr: attrs.into_iter().map(attr).collect(),
    }
}
