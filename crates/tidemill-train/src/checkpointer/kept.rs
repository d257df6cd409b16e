//! Keeps track of the existing checkpoints, and decides which to keep.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tidemill_formats::checkpoint::{CheckpointState, exists, remove_checkpoint};
use tidemill_formats::{TensorReader, single_file_extension};

use crate::SaverError;
use crate::saver::at_step;

/// The name of the step number in its checkpoint: `int64`.
pub(super) const STEP: &str = "_tidemill/step";
/// The name of the metric of a checkpoint: `float64`.
pub(super) const METRIC: &str = "_tidemill/metric";

/// A checkpoint of a training run.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Entry {
    pub(super) prefix: PathBuf,
    pub(super) step: u64,
    pub(super) metric: Option<f64>,
}

/// The direction in which a metric is better.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Goal {
    /// Lower is better, as for losses.
    #[default]
    Lowest,
    /// Higher is better, as for accuracies.
    Highest,
}

/// The rules that decide which checkpoints are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Policy {
    pub(super) last: usize,
    pub(super) best: usize,
    pub(super) goal: Goal,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { last: 5, best: 0, goal: Goal::Lowest }
    }
}

impl Policy {
    /// The places of the checkpoints that have metrics, the best first; of equal ones, the newest
    /// first.
    pub(super) fn ranked(self, entries: &[Entry]) -> Vec<usize> {
        let scored = entries.iter().enumerate().rev();
        let mut scored: Vec<(usize, f64)> =
            scored.filter_map(|(i, entry)| Some((i, entry.metric?))).collect();
        scored.sort_by(|(_, left), (_, right)| match self.goal {
            Goal::Lowest => left.total_cmp(right),
            Goal::Highest => right.total_cmp(left),
        });
        scored.into_iter().map(|(i, _)| i).collect()
    }

    /// Takes the checkpoints that are not kept out of `entries`.
    fn take_surplus(self, entries: &mut Vec<Entry>) -> Vec<Entry> {
        if self.last == 0 {
            return Vec::new();
        }
        let first = entries.len().saturating_sub(self.last);
        let best: Vec<usize> = self.ranked(entries).into_iter().take(self.best).collect();
        let (mut kept, mut surplus) = (Vec::new(), Vec::new());
        for (i, entry) in entries.drain(..).enumerate() {
            if i >= first || best.contains(&i) { kept.push(entry) } else { surplus.push(entry) }
        }
        *entries = kept;
        surplus
    }
}

/// Adds a new checkpoint, and removes those that are not kept.
pub(super) fn add(
    entries: &mut Vec<Entry>,
    entry: Entry,
    policy: Policy,
) -> Result<(), SaverError> {
    entries.retain(|other| other.prefix != entry.prefix);
    let latest = entry.prefix.clone();
    entries.push(entry);
    let surplus = policy.take_surplus(entries);
    // A checkpoint must be unlisted before it is removed.
    let all = entries.iter().map(|entry| entry.prefix.clone()).collect();
    CheckpointState { latest: latest.clone(), all }.write(CheckpointState::folder(&latest))?;
    Ok(surplus.iter().try_for_each(|entry| remove_checkpoint(&entry.prefix))?)
}

/// The checkpoints `prefix-step` of a folder, in the order in which they were written.
pub(super) fn find(prefix: &Path) -> Result<Vec<Entry>, SaverError> {
    let folder = CheckpointState::folder(prefix);
    let mut steps = steps_in(folder, prefix)?;
    steps.sort_unstable();
    let listed = CheckpointState::read(folder)?.unwrap_or_default().all;
    let number = |path: &Path| step_of(prefix, path);
    let listed: Vec<u64> = listed.iter().filter_map(|path| number(path)).collect();
    let newest = listed.iter().max().copied();
    // A killed process may have left its last checkpoint unlisted, or unlisted ones not removed.
    let is_newer = |step: &u64| newest.is_none_or(|newest| *step > newest);
    let unlisted = || steps.iter().copied().filter(|step| !listed.contains(step));
    let older = unlisted().filter(|step| !is_newer(step));
    let ordered = older.chain(listed.iter().copied()).chain(unlisted().filter(is_newer));
    let entry = |step| {
        let prefix = at_step(prefix, step);
        let metric = TensorReader::open(&prefix).and_then(|reader| reader.read(METRIC));
        let metric = metric.ok().and_then(|metric| metric.to_scalar().ok());
        Entry { prefix, step, metric }
    };
    let entries = ordered.filter(|&step| steps.contains(&step)).map(entry);
    Ok(entries.collect())
}

/// The step numbers of the checkpoints in a folder.
fn steps_in(folder: &Path, prefix: &Path) -> Result<Vec<u64>, SaverError> {
    let at = |error| SaverError::Folder { path: folder.to_owned(), source: error };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(at)?,
    };
    let mut steps = Vec::new();
    for entry in entries {
        let path = entry.map_err(at)?.path();
        let path = if path.extension().is_some_and(|end| end == "index") {
            path.with_extension("")
        } else {
            path
        };
        steps.extend(step_of(prefix, &path).filter(|_| exists(&path)));
    }
    steps.sort_unstable();
    steps.dedup();
    Ok(steps)
}

/// The step number of a checkpoint's path, if it is one.
fn step_of(prefix: &Path, path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let own = stem(prefix);
    let rest = name.strip_prefix(own.file_name()?.to_str()?)?.strip_prefix('-')?;
    let step = stem(Path::new(rest)).to_str()?.parse().ok()?;
    (at_step(prefix, step).file_name()? == path.file_name()?).then_some(step)
}

/// A prefix without the extension of its format.
pub(super) fn stem(prefix: &Path) -> PathBuf {
    match single_file_extension(prefix) {
        Some(_) => prefix.with_extension(""),
        None => prefix.to_owned(),
    }
}
