//! TensorFlow's `MetaGraphDef`: a graph with the data needed to use it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tidemill_formats::proto::{
    AssetFileDef, BytesList, Collection, CollectionDef, DataType, Message, MetaGraphDef,
    MetaInfoDef, NodeList, SaverDef, SignatureDef, TensorEncoding, TensorInfo, VariableDef,
};
use tidemill_graph::{
    Graph, GraphReader, Item, Location, Member, NodeId, Role, TensorId, default_graph,
};
use tidemill_ops::{Operation, Tensor};

use crate::import::{Variables, import};
use crate::{
    ExportError, ImportError, ImportOptions, Imported, SavedVariable, add_saver_nodes, to_graph_def,
};

/// The collections that hold variables.
const OF_VARIABLES: &[&str] = &[
    "variables",
    "trainable_variables",
    "local_variables",
    "model_variables",
    "moving_average_variables",
];
/// The collection of the operation that a loaded graph must run once.
const MAIN_OP: &str = "saved_model_main_op";
/// The older form of that collection.
const LEGACY_INIT_OP: &str = "legacy_init_op";
/// The newer form: a signature whose output is the operation.
const INIT_SIGNATURE: &str = "__saved_model_init_op";
/// Collections that the runtime does not use, kept with a graph.
const COLLECTIONS: &str = "collections";

/// A function of a graph: tensors to feed and to fetch, by argument and result names.
#[derive(Clone, Debug, Default)]
pub struct Signature {
    /// The method, such as `tensorflow/serving/predict`.
    pub method_name: String,
    /// The tensors to feed.
    pub inputs: BTreeMap<String, Tensor>,
    /// The tensors to fetch.
    pub outputs: BTreeMap<String, Tensor>,
}

/// A file that a graph reads.
#[derive(Clone, Debug)]
pub struct Asset {
    /// The tensor to feed its path.
    pub tensor: Tensor,
    /// Its name.
    pub filename: String,
}

/// An imported graph, with the data needed to use it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MetaGraph {
    /// The nodes.
    pub imported: Imported,
    /// The tags that say what it is for.
    pub tags: Vec<String>,
    /// The signatures, by name.
    pub signatures: BTreeMap<String, Signature>,
    /// The nodes that save and restore its variables.
    pub saver: Option<SaverDef>,
    /// The files that it reads.
    pub assets: Vec<Asset>,
    /// The operation to run after its variables are restored.
    pub main_op: Option<Operation>,
}

/// Adds the graph of a `MetaGraphDef` to the default graph, with its variables and collections.
///
/// # Errors
/// As [`import_graph_def_with`](crate::import_graph_def_with), and if the message names nodes that
/// do not exist.
#[track_caller]
pub fn import_meta_graph(
    meta: MetaGraphDef,
    options: &ImportOptions,
) -> Result<MetaGraph, ImportError> {
    let location = Location::caller();
    default_graph().all_or_nothing(|| import_parts(meta, options, location))
}

fn import_parts(
    mut meta: MetaGraphDef,
    options: &ImportOptions,
    location: Location,
) -> Result<MetaGraph, ImportError> {
    let graph_def = Cow::Owned(meta.graph_def.take().unwrap_or_default());
    let listed = listed_variables(&mut meta)?;
    let variables = match listed.is_empty() {
        true => Variables::Recognized,
        false => Variables::Listed(&listed),
    };
    let imported = import(graph_def, options, variables, location)?;
    let main_op = main_op(&imported, &meta)?;
    keep_collections(&imported, meta.collection_def)?;
    let signature = |(name, signature)| Some((name, signature_of(&imported, signature)));
    let signatures = meta.signature_def.into_iter().filter(|(name, _)| name != INIT_SIGNATURE);
    let signatures = signatures
        .filter_map(signature)
        .map(|(name, signature)| Ok((name, signature?)))
        .collect::<Result<_, ImportError>>()?;
    let asset = |asset: AssetFileDef| {
        let info = asset.tensor_info.unwrap_or_default();
        let tensor = tensor_of(&imported, &info)?;
        Ok(Asset { tensor, filename: asset.filename })
    };
    let assets = meta.asset_file_def.into_iter().map(asset).collect::<Result<_, ImportError>>()?;
    let tags = meta.meta_info_def.map(|info| info.tags).unwrap_or_default();
    Ok(MetaGraph { imported, tags, signatures, saver: meta.saver_def, assets, main_op })
}

/// The variables in the collections of a message, by collection, which are removed from it.
fn listed_variables(
    meta: &mut MetaGraphDef,
) -> Result<BTreeMap<String, Vec<VariableDef>>, ImportError> {
    let mut listed = BTreeMap::new();
    for &name in OF_VARIABLES {
        let Some(collection) = meta.collection_def.get(name) else { continue };
        let Some(Collection::BytesList(list)) = &collection.kind else { continue };
        let variables = list.value.iter().map(|bytes| VariableDef::decode(bytes.as_slice()));
        listed.insert(name.to_owned(), variables.collect::<Result<Vec<_>, _>>()?);
        meta.collection_def.remove(name);
    }
    Ok(listed)
}

/// The operation that a loaded graph must run once.
fn main_op(imported: &Imported, meta: &MetaGraphDef) -> Result<Option<Operation>, ImportError> {
    let signature = meta.signature_def.get(INIT_SIGNATURE);
    let output = signature.and_then(|signature| signature.outputs.values().next());
    let of_signature = output.and_then(|info| match &info.encoding {
        Some(TensorEncoding::Name(name)) => Some(name),
        _ => None,
    });
    let of_collection = |name: &str| match &meta.collection_def.get(name)?.kind {
        Some(Collection::NodeList(list)) => list.value.first(),
        _ => None,
    };
    let name =
        of_signature.or_else(|| of_collection(MAIN_OP)).or_else(|| of_collection(LEGACY_INIT_OP));
    let operation = |name: &String| {
        let name = name.split(':').next().unwrap_or_default();
        imported.operation(name).map_err(ImportError::from)
    };
    name.map(operation).transpose()
}

/// Adds collections of tensors and operations to the graph, and keeps the others.
fn keep_collections(
    imported: &Imported,
    collections: BTreeMap<String, CollectionDef>,
) -> Result<(), ImportError> {
    let graph = imported.graph();
    let mut kept = MetaGraphDef::default();
    for (name, collection) in collections {
        match &collection.kind {
            Some(Collection::NodeList(list)) => {
                for node in &list.value {
                    let member = match node.contains(':') {
                        true => Member::Tensor(imported.tensor(node)?.into()),
                        false => Member::Operation(imported.operation(node)?.into()),
                    };
                    graph.add_to_collection(&name, member);
                }
            }
            _ => {
                kept.collection_def.insert(name, collection);
            }
        }
    }
    if !kept.collection_def.is_empty() {
        // Concatenated messages decode as one.
        graph.note(COLLECTIONS, |before| [before, kept.encode_to_vec()].concat());
    }
    Ok(())
}

fn signature_of(imported: &Imported, signature: SignatureDef) -> Result<Signature, ImportError> {
    let tensors = |infos: BTreeMap<String, TensorInfo>| {
        let tensor = |(name, info)| Ok((name, tensor_of(imported, &info)?));
        infos.into_iter().map(tensor).collect::<Result<BTreeMap<_, _>, ImportError>>()
    };
    Ok(Signature {
        method_name: signature.method_name,
        inputs: tensors(signature.inputs)?,
        outputs: tensors(signature.outputs)?,
    })
}

fn tensor_of(imported: &Imported, info: &TensorInfo) -> Result<Tensor, ImportError> {
    match &info.encoding {
        Some(TensorEncoding::Name(name)) => Ok(imported.tensor(name)?),
        _ => Err(ImportError::Encoding),
    }
}

/// The data that [`to_meta_graph`] writes in addition to the graph.
#[derive(Clone, Debug, Default)]
pub struct MetaGraphParts {
    /// The tags that say what the graph is for.
    pub tags: Vec<String>,
    /// The signatures, by name.
    pub signatures: BTreeMap<String, Signature>,
    /// The variables to save; nodes that save and restore them are written too.
    pub saved: Vec<SavedVariable>,
    /// The files that it reads.
    pub assets: Vec<Asset>,
    /// The operation to run after the variables are restored.
    pub main_op: Option<Operation>,
}

/// The `MetaGraphDef` of a graph: its `GraphDef`, its variables and collections, and `parts`.
///
/// # Errors
/// As [`to_graph_def`].
pub fn to_meta_graph(graph: &Graph, parts: &MetaGraphParts) -> Result<MetaGraphDef, ExportError> {
    let mut graph_def = to_graph_def(graph)?;
    let saver_def =
        (!parts.saved.is_empty()).then(|| add_saver_nodes(&mut graph_def, &parts.saved));
    let graph_def = crate::export::check_size(graph_def)?;
    let mut collection_def = collections_of(&graph.read());
    if let Some(main_op) = parts.main_op {
        let list = NodeList { value: vec![main_op.name()] };
        collection_def.insert(MAIN_OP.to_owned(), list_of(Collection::NodeList(list)));
    }
    let infos = |tensors: &BTreeMap<String, Tensor>| {
        tensors.iter().map(|(name, tensor)| (name.clone(), info_of(*tensor))).collect()
    };
    let signature = |(name, signature): (&String, &Signature)| {
        let signature = SignatureDef {
            inputs: infos(&signature.inputs),
            outputs: infos(&signature.outputs),
            method_name: signature.method_name.clone(),
            defaults: BTreeMap::new(),
        };
        (name.clone(), signature)
    };
    let asset = |asset: &Asset| AssetFileDef {
        tensor_info: Some(info_of(asset.tensor)),
        filename: asset.filename.clone(),
    };
    Ok(MetaGraphDef {
        meta_info_def: Some(MetaInfoDef { tags: parts.tags.clone(), ..MetaInfoDef::default() }),
        graph_def: Some(graph_def),
        saver_def,
        collection_def,
        signature_def: parts.signatures.iter().map(signature).collect(),
        asset_file_def: parts.assets.iter().map(asset).collect(),
    })
}

fn list_of(items: Collection) -> CollectionDef {
    CollectionDef { kind: Some(items) }
}

fn info_of(tensor: Tensor) -> TensorInfo {
    let fact = tensor.fact();
    TensorInfo {
        encoding: Some(TensorEncoding::Name(tensor.name())),
        dtype: fact.as_ref().map_or(DataType::Invalid, |fact| fact.dtype.into()).into(),
        tensor_shape: fact.map(|fact| (&fact.shape).into()),
    }
}

fn collections_of(reader: &GraphReader<'_>) -> BTreeMap<String, CollectionDef> {
    let kept = reader.note(COLLECTIONS).and_then(|kept| MetaGraphDef::decode(kept).ok());
    let mut collections = kept.unwrap_or_default().collection_def;
    for (name, items) in reader.collections() {
        let variables: Option<Vec<VariableDef>> =
            items.iter().map(|item| variable_def(reader, item)).collect();
        let items = match variables {
            Some(variables) => {
                let value = variables.iter().map(Message::encode_to_vec).collect();
                Collection::BytesList(BytesList { value })
            }
            None => {
                let name = |item: &Item| match item {
                    Item::Tensor(tensor) => reader.tensor_name(*tensor),
                    Item::Operation(node) => reader.name(*node).to_owned(),
                };
                Collection::NodeList(NodeList { value: items.iter().map(name).collect() })
            }
        };
        collections.insert(name.to_owned(), list_of(items));
    }
    collections
}

/// The message of an item that is a variable.
fn variable_def(reader: &GraphReader<'_>, item: &Item) -> Option<VariableDef> {
    let Item::Operation(node) = *item else { return None };
    let record = reader.variable(node)?;
    let own = TensorId::new(record.node, 0);
    let operation = |node: NodeId| reader.name(node).to_owned();
    Some(VariableDef {
        variable_name: reader.tensor_name(own),
        initializer_name: record.initializer().map(operation).unwrap_or_default(),
        initial_value_name: record
            .start
            .map(|(value, _)| reader.tensor_name(value))
            .unwrap_or_default(),
        snapshot_name: reader.tensor_name(record.read),
        is_resource: reader.fact(own).is_some_and(|fact| fact.role == Role::Handle),
        trainable: record.trainable,
        ..VariableDef::default()
    })
}
