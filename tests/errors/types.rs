//! All public error types: `Debug` is the message, and the facade exports them and the types in
//! them.

use std::any::type_name;
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidemill::error::*;
use tidemill::formats::npy::read_npy_file;
use tidemill::prelude::*;
use tidemill::proto::GraphDef;
use tidemill::{NameTaken, TextMessage};

/// The name of a type, and an error of it.
type Example = (&'static str, Box<dyn Error>);

fn example<E: Error + 'static>(error: E) -> Example {
    let path = type_name::<E>().split('<').next().unwrap();
    (path.rsplit("::").next().unwrap(), Box::new(error))
}

/// An error of every type.
fn examples() -> Vec<Example> {
    let missing = || io::Error::new(io::ErrorKind::NotFound, "no such file");
    let in_checkpoint =
        || CheckpointError { path: "model".into(), kind: CheckpointErrorKind::from(missing()) };
    let op = || OpError::DuplicateAxis { axis: 1 };
    let text = GraphDef::from_text("nodes { }").unwrap_err();
    let graph_text = Graph::from_text("x", &|_| None).unwrap_err();
    let build_errors = graph_with_an_error().check().unwrap_err();
    let build = build_errors.errors().next().unwrap().clone();
    let location = build.location;
    let site = || Site { name: "x:0".to_owned(), location };
    let failed = FailedNode {
        node: site(),
        op: "Add",
        inputs: Vec::new(),
        within: Vec::new(),
        source: KernelError::from(op()),
    };
    let (left, right) = (PartialShape::from([2]), PartialShape::from([3]));
    let broadcast = BroadcastError { left, right, axis: 1, left_dim: 2, right_dim: 3 };
    vec![
        example(broadcast),
        example(build),
        example(BuildErrorKind::Other(Arc::new(missing()))),
        example(build_errors),
        example(BytesError::NotPlain { dtype: DType::String }),
        example(in_checkpoint()),
        example(CheckpointErrorKind::from(missing())),
        example(DataTypeError::Unsupported { name: "complex64" }),
        example(EventError::from(missing())),
        example(ExportError::HostFunction { node: "x".to_owned(), op: "HostCall" }),
        example(FeedError { tensor: site(), kind: FeedErrorKind::Twice }),
        example(FeedErrorKind::Twice),
        example(read_npy_file("/nowhere").unwrap_err()),
        example(FreezeError::NoNode { name: "x".to_owned() }),
        example(FreezeSessionError::from(RunError::Closed)),
        example(GradientError::from(op())),
        example(ImportError::Encoding),
        example(ImportErrorKind::Duplicate),
        example(KernelError::Host { source: Arc::new(in_checkpoint()) }),
        example(Graph::new().operation("x").unwrap_err()),
        example(NameTaken { name: "Add" }),
        example(NpyError::Magic),
        example(NpzError::from(missing())),
        example(NumericError::DivisionByZero),
        example(op()),
        example(RunError::Kernel(Box::new(failed))),
        example(SafetensorsError::from(missing())),
        example(SavedModelError::Io { path: "model".into(), source: missing() }),
        example(SaverError::Thread(missing())),
        example(ShapeError::TooLarge),
        example(TableError::Magic),
        example(TensorError::from(ShapeError::TooLarge)),
        example(TensorErrorKind::Io { path: "model".into(), source: missing() }),
        example(TensorFileError::from(in_checkpoint())),
        example((*graph_text.kind).clone()),
        example(graph_text),
        example(text.kind.clone()),
        example(text),
        example(TfRecordError { number: 0, offset: 0, kind: TfRecordErrorKind::Truncated }),
        example(TfRecordErrorKind::from(missing())),
        example(TrainError::NoVariables { loss: "loss".to_owned() }),
        example(ValueError::NotScalar { shape: [2].into() }),
        example(ZipError::NoEnd),
    ]
}

fn graph_with_an_error() -> Graph {
    let graph = Graph::new();
    let default = graph.as_default();
    let _ = constant([1, 2]) + constant([1, 2, 3]);
    drop(default);
    graph
}

/// Errors that no function of the facade returns.
const INTERNAL: &[&str] = &["VerifyError"];

/// Types in errors that are not of this project.
const FOREIGN: &[&str] = &[
    "Arc", "AsRef", "Box", "Cow", "Duration", "Error", "Option", "PathBuf", "Result", "Send",
    "String", "Sync", "Vec",
];

/// A type as its source defines it.
struct Definition {
    name: String,
    body: String,
}

/// The public error types of all crates.
fn definitions() -> Vec<Definition> {
    let mut files = Vec::new();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    for entry in fs::read_dir(crates).unwrap() {
        let source = entry.unwrap().path().join("src");
        if source.is_dir() {
            add_rust_files(&source, &mut files);
        }
    }
    files.iter().flat_map(|file| definitions_in(&fs::read_to_string(file).unwrap())).collect()
}

fn add_rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn definitions_in(source: &str) -> Vec<Definition> {
    let by_hand = source.split("impl Error for ").skip(1).filter_map(|rest| rest.split(' ').next());
    let by_hand: Vec<&str> = by_hand.collect();
    let items = source.split("\npub enum ").skip(1).chain(source.split("\npub struct ").skip(1));
    let is_error = |name: &str| {
        let derived = source.split("thiserror::Error)]\n").skip(1);
        let mut derived = derived.filter_map(|rest| {
            let item = rest.lines().find(|line| line.starts_with("pub "))?;
            item.split([' ', '<', '(']).nth(2)
        });
        by_hand.contains(&name) || derived.any(|derived| derived == name)
    };
    let definition = |item: &str| {
        let name = item.split([' ', '<', '(', ';']).next()?.to_owned();
        // A tuple struct ends on its line.
        let body = match item.lines().next() {
            Some(line) if line.ends_with(';') => line,
            _ => item.split("\n}").next()?,
        };
        let body = body.to_owned();
        is_error(&name).then_some(Definition { name, body })
    };
    items.filter_map(definition).collect()
}

/// The names of types in the fields of a definition.
fn field_types(definition: &Definition) -> BTreeSet<String> {
    let lines = definition.body.lines().map(str::trim);
    let fields = lines.filter(|line| !line.starts_with(['/', '#', '"']));
    let types = fields.filter_map(|line| {
        let (_, typed) = line.split_once(": ").or_else(|| line.split_once('('))?;
        Some(typed.replace("#[from]", "").replace("#[source]", ""))
    });
    let words = types.flat_map(|typed| {
        let words = typed.split(|c: char| !c.is_alphanumeric()).map(str::to_owned);
        words.collect::<Vec<String>>()
    });
    // A single letter is a parameter of the type.
    words.filter(|word| word.starts_with(char::is_uppercase) && word.len() > 1).collect()
}

#[test]
fn every_error_type_has_an_example() {
    let examples: BTreeSet<&str> = examples().iter().map(|(name, _)| *name).collect();
    let definitions = definitions();
    let defined: BTreeSet<&str> = definitions.iter().map(|d| d.name.as_str()).collect();
    let public: BTreeSet<&str> =
        defined.into_iter().filter(|name| !INTERNAL.contains(name)).collect();
    assert_eq!(examples, public);
}

#[test]
fn main_prints_the_message_of_an_error_and_those_of_its_causes() {
    for (name, error) in examples() {
        let printed = format!("{error:?}");
        assert!(printed.starts_with(&error.to_string()), "{name} prints {printed}");
        let causes = std::iter::successors(error.source(), |&cause| cause.source());
        for cause in causes {
            assert!(printed.contains(&cause.to_string()), "{name} prints {printed}");
        }
    }
}

#[test]
fn the_facade_has_what_stands_in_errors() {
    let facade = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/tidemill/src/lib.rs"),
    );
    let facade = facade.unwrap();
    let exported: BTreeSet<&str> = facade.split(|c: char| !c.is_alphanumeric()).collect();
    let is_there = |name: &str| exported.contains(name) || FOREIGN.contains(&name);
    let public = definitions().into_iter().filter(|d| !INTERNAL.contains(&d.name.as_str()));
    let missing = public.flat_map(|definition| {
        let names = field_types(&definition).into_iter().filter(|name| !is_there(name));
        names.map(|name| format!("{name} of {}", definition.name)).collect::<Vec<_>>()
    });
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<String>::new());
}
