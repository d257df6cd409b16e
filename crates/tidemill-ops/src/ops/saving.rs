//! Values of variables in files: `SaveV2`, `RestoreV2`, `MergeV2Checkpoints`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use smallvec::SmallVec;
use tidemill_formats::checkpoint::{CheckpointReader, remove_checkpoint, write_checkpoint};
use tidemill_graph::{
    Arg, AttrDef, AttrKind, Effect, Fallible, Inferred, KernelCx, KernelError, NodeView, OpDef,
    OpError, Sample,
};
use tidemill_kernels::layout;
use tidemill_value::{ByteString, DType, Memory, PartialShape, Value};

use crate::index::check_rank;
use crate::operations::operations;

operations! {
    ops: MERGE, RESTORE, SAVE;
}

/// Writes tensors to a checkpoint.
pub static SAVE: OpDef = OpDef::new("SaveV2", "Writes tensors to a checkpoint.")
    .inputs(&[
        Arg::is("prefix", DType::String),
        Arg::is("tensor_names", DType::String),
        Arg::is("shape_and_slices", DType::String),
        Arg::mixed("tensors", "dtypes"),
    ])
    .attrs(&[AttrDef::new("dtypes", AttrKind::Types)])
    .effect(Effect::Host)
    .fallible(Fallible::Values)
    .infer(|node| {
        check_names(node, node.inputs().len().saturating_sub(3))?;
        Ok(SmallVec::new())
    })
    .kernel(|_| {
        Ok(Box::new(|cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
            let (prefix, names) = (path(cx.input(0)?)?, texts(cx, 1)?);
            if texts(cx, 2)?.iter().any(|part| !part.is_empty()) {
                return Err(OpError::invalid("parts of variables cannot be saved yet").into());
            }
            let inputs = cx.all_inputs()?;
            let tensors = names.iter().map(String::as_str).zip(inputs.into_iter().skip(3));
            write_checkpoint(prefix, tensors).map_err(file_error)
        }))
    })
    .not_differentiable()
    .samples(|| {
        let inputs = vec![
            vec![Value::from("/")],
            vec![Value::from([ByteString::from("x")])],
            vec![Value::from([ByteString::from("")])],
            vec![Value::from(1.0_f32)],
        ];
        vec![Sample::error([], "must end with a name").arguments(inputs)]
    });

/// Reads tensors from a checkpoint.
pub static RESTORE: OpDef = OpDef::new("RestoreV2", "Reads tensors from a checkpoint.")
    .inputs(&[
        Arg::is("prefix", DType::String),
        Arg::is("tensor_names", DType::String),
        Arg::is("shape_and_slices", DType::String),
    ])
    .outputs(&[Arg::mixed("tensors", "dtypes")])
    .attrs(&[AttrDef::new("dtypes", AttrKind::Types)])
    .effect(Effect::Host)
    .fallible(Fallible::Values)
    .infer(|node| {
        let count = node.types_attr("dtypes")?.len();
        check_names(node, count)?;
        Ok((0..count).map(|_| PartialShape::unknown().into()).collect::<SmallVec<[Inferred; 1]>>())
    })
    .kernel(|node| {
        let dtypes = node.types_attr("dtypes")?;
        Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
            let reader = CheckpointReader::open(path(cx.input(0)?)?).map_err(file_error)?;
            let (names, parts) = (texts(cx, 1)?, texts(cx, 2)?);
            let named = names.iter().zip(&parts).zip(dtypes.iter());
            for (i, ((name, part), &dtype)) in named.enumerate() {
                let value = part_of(reader.read(name).map_err(file_error)?, part)?;
                if value.dtype() != dtype {
                    let actual = value.dtype();
                    let message = format!("`{name}` is {actual} in the checkpoint, not {dtype}");
                    return Err(OpError::Invalid(message).into());
                }
                cx.set(i, value);
            }
            Ok(())
        }))
    })
    .not_differentiable()
    .samples(|| {
        let names = |name: &str| Value::from([ByteString::from(name)]);
        let nowhere = [Value::from("no/such/checkpoint"), names("x"), names("")];
        vec![Sample::error(nowhere, "no/such/checkpoint").attr("dtypes", vec![DType::F32])]
    });

/// The part of a value that a text such as `7 4 0,3:-` describes: the extents of the whole, and for
/// each axis the start and extent of the part, or `-` for all of the axis.
fn part_of(value: Value, text: &str) -> Result<Value, KernelError> {
    if text.is_empty() {
        return Ok(value);
    }
    let part = text.rsplit_once(' ').and_then(|(extents, intervals)| {
        let extents = extents.split(' ').map(|extent| extent.parse::<usize>().ok());
        let extents: Vec<usize> = extents.collect::<Option<_>>()?;
        let intervals: Vec<&str> = intervals.split(':').collect();
        let fits = extents[..] == value.shape()[..] && intervals.len() == extents.len();
        let interval = |(interval, extent): (&str, usize)| match interval {
            "-" => Some((0, extent)),
            _ => {
                let (begin, extent) = interval.split_once(',')?;
                Some((begin.parse().ok()?, extent.parse().ok()?))
            }
        };
        let part = intervals.into_iter().zip(extents).map(interval);
        part.collect::<Option<(Vec<usize>, Vec<usize>)>>().filter(|_| fits)
    });
    let (begin, size) = part.ok_or_else(|| {
        OpError::Invalid(format!("`{text}` is not a part of a tensor of shape {}", value.shape()))
    })?;
    Ok(layout::slice(&Memory::new(), &value, &begin, &size)?)
}

/// Merges several checkpoints into one.
pub static MERGE: OpDef = OpDef::new("MergeV2Checkpoints", "Merges several checkpoints into one.")
    .inputs(&[
        Arg::is("checkpoint_prefixes", DType::String),
        Arg::is("destination_prefix", DType::String),
    ])
    .attrs(&[AttrDef::bool("delete_old_dirs", true), AttrDef::bool("allow_missing_files", false)])
    .effect(Effect::Host)
    .fallible(Fallible::Values)
    .infer(|node| {
        check_rank(node, 0, 1, "1 axis")?;
        check_rank(node, 1, 0, "no axes")?;
        Ok(SmallVec::new())
    })
    .kernel(|node| {
        let removes = node.bool_attr("delete_old_dirs")?;
        let may_be_missing = node.bool_attr("allow_missing_files")?;
        Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
            let parts = cx.slice::<ByteString>(0)?.iter().map(path_of);
            let parts: Vec<PathBuf> = parts.collect::<Result<_, _>>()?;
            merge(&parts, &path(cx.input(1)?)?, removes, may_be_missing)
        }))
    })
    .not_differentiable()
    .samples(|| {
        let inputs = [Value::from([ByteString::from("no/such/part")]), Value::from("no/whole")];
        vec![Sample::error(inputs, "no/such/part")]
    });

fn merge(
    parts: &[PathBuf],
    whole: &Path,
    removes: bool,
    may_be_missing: bool,
) -> Result<(), KernelError> {
    let mut values: Vec<(String, Value)> = Vec::new();
    for part in parts {
        let reader = match CheckpointReader::open(part) {
            Err(_) if may_be_missing => continue,
            opened => opened.map_err(file_error)?,
        };
        for name in reader.names() {
            values.push((name.to_owned(), reader.read(name).map_err(file_error)?));
        }
    }
    let tensors = values.iter().map(|(name, value)| (name.as_str(), value));
    write_checkpoint(whole, tensors).map_err(file_error)?;
    let old = parts.iter().filter(|part| removes && *part != whole);
    for part in old {
        remove_checkpoint(part).map_err(file_error)?;
        if let Some(folder) = part.parent() {
            // The folder stays if it contains anything else.
            let _ = std::fs::remove_dir(folder);
        }
    }
    Ok(())
}

/// Checks that there is a name for each tensor.
fn check_names(node: &NodeView<'_>, count: usize) -> Result<(), OpError> {
    check_rank(node, 0, 0, "no axes")?;
    let expected = PartialShape::from([count]);
    node.shape(1).merge(&expected)?;
    node.shape(2).merge(&expected)?;
    Ok(())
}

fn texts(cx: &KernelCx<'_>, input: usize) -> Result<Vec<String>, KernelError> {
    cx.slice::<ByteString>(input)?.iter().map(text_of).collect()
}

fn text_of(text: &ByteString) -> Result<String, KernelError> {
    let invalid = |_| OpError::Invalid(format!("the name `{text}` is not UTF-8"));
    Ok(String::from_utf8(text.to_vec()).map_err(invalid)?)
}

fn path_of(text: &ByteString) -> Result<PathBuf, KernelError> {
    text_of(text).map(PathBuf::from)
}

fn path(value: &Value) -> Result<PathBuf, KernelError> {
    path_of(&value.to_scalar()?)
}

fn file_error(error: impl Error + Send + Sync + 'static) -> KernelError {
    KernelError::File { source: Arc::new(error) }
}
