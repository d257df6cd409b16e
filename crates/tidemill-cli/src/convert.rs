//! `tidemill convert`.

use std::path::PathBuf;

use tidemill_formats::FileKind;

use crate::Failure;
use crate::tensors::{read_all, write_all};

/// Writes a file in another format.
///
/// Tensors become tensors: checkpoint, safetensors, npy and npz. The end of the second path says
/// which format it is to have; without a known end, it is the prefix of a checkpoint.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What there is.
    from: PathBuf,
    /// What it is to become.
    to: PathBuf,
}

pub(crate) fn convert(args: &Args) -> Result<(), Failure> {
    let kind = FileKind::of(&args.from)?;
    match kind {
        FileKind::Checkpoint
        | FileKind::CheckpointIndex
        | FileKind::Safetensors
        | FileKind::Npy
        | FileKind::Npz => {
            let tensors = read_all(&args.from, kind)?;
            write_all(&args.to, tensors.iter().map(|(name, value)| (name.as_str(), value)))
        }
        _ => {
            let (from, to) = (args.from.display(), args.to.display());
            Err(format!("{from}: a {kind} cannot be converted to {to}").into())
        }
    }
}
