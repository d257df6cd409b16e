//! Every public error type: its `Debug` is its message, and the facade has it and what stands in it.

use std::any::type_name_of_val;
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tidemill::error::*;
use tidemill::proto::{GraphDef, Message};
use tidemill::{TextMessage, event, npy, prelude::*};

/// An error of every type.
fn examples() -> Vec<Box<dyn Error>> {
    let missing = || io::Error::new(io::ErrorKind::NotFound, "no such file");
    let op = || OpError::DuplicateAxis { axis: 1 };
    let text = GraphDef::from_text("nodes { }").unwrap_err();
    let (build, build_errors) = failed_build();
    vec![
        Box::new(BroadcastError::between(&[2], &[3])),
        Box::new(build),
        Box::new(BuildErrorKind::from(op())),
        Box::new(build_errors),
        Box::new(BytesError::NotPlain { dtype: DType::String }),
        Box::new(CheckpointError { path: "a".into(), kind: missing().into() }),
        Box::new(CheckpointErrorKind::from(missing())),
        Box::new(DataTypeError::Unsupported { name: "complex64" }),
        Box::new(EventError::from(missing())),
        Box::new(ExportError::HostFunction { node: "a".into(), op: "HostCall" }),
        Box::new(FeedError { tensor: site(), kind: FeedErrorKind::Twice }),
        Box::new(FeedErrorKind::Twice),
        Box::new(npy::read_npy_file("/nowhere").unwrap_err()),
        Box::new(FreezeError::NoNode { name: "a".into() }),
        Box::new(FreezeSessionError::from(RunError::Closed)),
        Box::new(GradientError::from(op())),
        Box::new(ImportError::Encoding),
        Box::new(ImportErrorKind::Duplicate),
        Box::new(KernelError::File { source: missing().into_shared() }),
        Box::new(Graph::new().operation("a").unwrap_err()),
        Box::new(tidemill::NameTaken { name: "Add" }),
        Box::new(NpyError::Magic),
        Box::new(NpzError::from(missing())),
        Box::new(NumericError::DivisionByZero),
        Box::new(op()),
        Box::new(RunError::Kernel(Box::new(failed_node()))),
        Box::new(SafetensorsError::from(missing())),
        Box::new(SavedModelError::Io { path: "a".into(), source: missing() }),
        Box::new(SaverError::Thread(missing())),
        Box::new(ShapeError::TooLarge),
        Box::new(TableError::Truncated),
        Box::new(TensorError::from(ShapeError::TooLarge)),
        Box::new(TensorErrorKind::Io { path: "a".into(), source: missing() }),
        Box::new(TensorFileError::from(CheckpointError {
            path: "a".into(),
            kind: missing().into(),
        })),
        Box::new(Graph::from_text("a", &|_| None).unwrap_err()),
        Box::new(*Graph::from_text("a", &|_| None).unwrap_err().kind),
        Box::new(text.kind.clone()),
        Box::new(text),
        Box::new(TfRecordError { number: 0, offset: 0, kind: TfRecordErrorKind::Truncated }),
        Box::new(TfRecordErrorKind::from(missing())),
        Box::new(TrainError::NoVariables),
        Box::new(ValueError::NotScalar { shape: Shape::from([2]) }),
        Box::new(ZipError::Damaged),
    ]
}
