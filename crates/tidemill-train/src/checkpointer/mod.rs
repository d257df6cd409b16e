//! Checkpoints written while training continues.

mod kept;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tidemill_formats::checkpoint::{CheckpointState, check_prefix};
use tidemill_formats::{TensorFileError, remove_unfinished};
use tidemill_runtime::Session;
use tidemill_value::Value;

use crate::saver::{Snapshot, at_step};
use crate::{RestoreReport, Saver, SaverError};

pub use kept::Goal;
use kept::{Entry, METRIC, Policy, STEP, stem};

/// Saves a training run every N steps or seconds without making it wait, and restores it. Training
/// resumed from a checkpoint gives the same bits as uninterrupted training.
///
/// A checkpoint has the values of the variables, including optimizer slots and the global step, the
/// session's seed, and how often random operations have run. It has the format of a [`Saver`]'s
/// checkpoint, which TensorFlow reads, and is written atomically. Training continues while a
/// background thread writes: the thread shares the memory of the values, and a step copies the
/// values that it changes. The checkpointer keeps the last checkpoints, and the best ones by a
/// metric.
///
/// Two processes must not save to the same prefix at the same time. A new checkpointer removes the
/// unfinished files of killed processes.
///
/// ```
/// use tidemill_ops::{assign_add, get_variable, zeros};
/// use tidemill_runtime::Session;
/// use tidemill_train::Checkpointer;
/// let x = get_variable("x", [], zeros());
/// let train = assign_add(x, 1.0);
/// # let folder = std::env::temp_dir().join(format!("tidemill-checkpointer-{}", std::process::id()));
/// let run = |steps: u64| -> Result<String, Box<dyn std::error::Error>> {
///     let session = Session::new();
///     session.init_missing()?;
///     let mut checkpointer = Checkpointer::new(folder.join("model.ckpt"))?.every_steps(10);
///     let restored = checkpointer.restore(&session)?;
///     for step in restored.map_or(0, |restored| restored.step) + 1..=steps {
///         session.run(train)?;
///         checkpointer.after_step(&session, step)?;
///     }
///     checkpointer.finish(&session, steps)?;
///     Ok(session.run(x)?.to_string())
/// };
/// assert_eq!(run(25)?, "25.0");
/// assert_eq!(run(100)?, "100.0"); // It has gone on from step 25.
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Checkpointer {
    saver: Arc<Saver>,
    prefix: PathBuf,
    every_steps: Option<u64>,
    every: Option<Duration>,
    policy: Policy,
    /// The checkpoints that are not removed yet, in the order in which they were written.
    kept: Arc<Mutex<Vec<Entry>>>,
    saving: Option<JoinHandle<Result<(), SaverError>>>,
    /// The time at which the last save began, and its step.
    last: (Instant, u64),
}

/// The state that training resumes from.
#[derive(Debug)]
#[non_exhaustive]
pub struct Restored {
    /// The step after which it was saved.
    pub step: u64,
    /// The metric that it was saved with.
    pub metric: Option<f64>,
    /// The checkpoint, and which of its tensors were restored.
    pub report: RestoreReport,
    /// The newer checkpoints that could not be read, the newest first, each with its error.
    pub skipped: Vec<(PathBuf, TensorFileError)>,
}

impl Checkpointer {
    /// A checkpointer for the current variables of the default graph, which writes checkpoints
    /// `prefix-step` without the graph. By default it saves every 10 minutes and keeps the last 5.
    ///
    /// # Errors
    /// As for [`Saver::new`], and if the folder cannot be read.
    #[track_caller]
    pub fn new(prefix: impl AsRef<Path>) -> Result<Self, SaverError> {
        Checkpointer::with_saver(Saver::new()?.meta_graph(false), prefix)
    }

    /// [`Checkpointer::new`] for the variables of a saver, with the graph if the saver writes it.
    /// It ignores the saver's limit on checkpoints.
    ///
    /// # Errors
    /// [`SaverError`], if the folder cannot be read.
    pub fn with_saver(saver: Saver, prefix: impl AsRef<Path>) -> Result<Self, SaverError> {
        let prefix = prefix.as_ref();
        check_prefix(prefix)?;
        remove_unfinished(stem(prefix))?;
        remove_unfinished(CheckpointState::folder(prefix).join("checkpoint"))?;
        let kept = Arc::new(Mutex::new(kept::find(prefix)?));
        Ok(Checkpointer {
            saver: Arc::new(saver.random_state(true)),
            prefix: prefix.to_owned(),
            every_steps: None,
            every: None,
            policy: Policy::default(),
            kept,
            saving: None,
            last: (Instant::now(), 0),
        })
    }

    /// Saves when `steps` steps have passed since the last save, instead of every ten minutes.
    /// If [`every`](Checkpointer::every) is set too, whichever comes first counts.
    pub fn every_steps(mut self, steps: u64) -> Self {
        self.every_steps = Some(steps.max(1));
        self
    }

    /// Saves when `time` has passed since the last save, instead of every ten minutes.
    pub fn every(mut self, time: Duration) -> Self {
        self.every = Some(time);
        self
    }

    /// Sets how many of the last checkpoints are kept; 0 keeps all.
    pub fn keep_last(mut self, count: usize) -> Self {
        self.policy.last = count;
        self
    }

    /// Sets how many of the checkpoints with the best metrics are kept in addition to the last
    /// ones.
    pub fn keep_best(mut self, count: usize, goal: Goal) -> Self {
        (self.policy.best, self.policy.goal) = (count, goal);
        self
    }

    /// Restores a session from the newest readable checkpoint, and continues counting steps from
    /// there; `None` if there are no checkpoints.
    ///
    /// # Errors
    /// [`SaverError`], if there are checkpoints but none is readable, or if the newest readable one
    /// lacks a variable or has it with another type or shape; nothing changes then.
    pub fn restore(&mut self, session: &Session) -> Result<Option<Restored>, SaverError> {
        self.wait()?;
        let entries = self.entries();
        let mut skipped = Vec::new();
        for entry in entries.iter().rev() {
            match self.saver.restore(session, &entry.prefix) {
                Ok(report) => {
                    // They must not count as kept checkpoints.
                    lock(&self.kept).truncate(entries.len() - skipped.len());
                    self.last = (Instant::now(), entry.step);
                    let Entry { step, metric, .. } = *entry;
                    return Ok(Some(Restored { step, metric, report, skipped }));
                }
                Err(SaverError::Checkpoint(error)) => skipped.push((entry.prefix.clone(), error)),
                Err(error) => return Err(error),
            }
        }
        match skipped.into_iter().next() {
            Some((_, newest)) => Err(SaverError::NoneReadable { newest }),
            None => Ok(None),
        }
    }

    /// The existing checkpoints, in the order in which they were written.
    pub fn checkpoints(&self) -> Vec<PathBuf> {
        self.entries().into_iter().map(|entry| entry.prefix).collect()
    }

    /// The checkpoint with the best metric, if any has one.
    pub fn best(&self) -> Option<PathBuf> {
        let entries = self.entries();
        let best = self.policy.ranked(&entries).first().copied();
        best.and_then(|i| entries.get(i)).map(|entry| entry.prefix.clone())
    }

    fn entries(&self) -> Vec<Entry> {
        lock(&self.kept).clone()
    }

    /// Whether a save is due after this step. It is not while a save is in progress.
    pub fn is_due(&self, step: u64) -> bool {
        const USUAL: Duration = Duration::from_secs(600);
        let (began, last) = self.last;
        let time = self.every.or_else(|| self.every_steps.is_none().then_some(USUAL));
        let is_saving = self.saving.as_ref().is_some_and(|thread| !thread.is_finished());
        !is_saving
            && (self.every_steps.is_some_and(|steps| step >= last.saturating_add(steps))
                || time.is_some_and(|time| began.elapsed() >= time))
    }

    /// Starts a save if it [is due](Checkpointer::is_due). Call it after each step with the step's
    /// number, counted from 1.
    ///
    /// # Errors
    /// [`SaverError`], if a save has failed since the last call or the variables cannot be read.
    pub fn after_step(&mut self, session: &Session, step: u64) -> Result<(), SaverError> {
        if self.saving.as_ref().is_some_and(JoinHandle::is_finished) {
            self.wait()?;
        }
        if self.is_due(step) { self.save(session, step, None) } else { Ok(()) }
    }

    /// Starts saving the checkpoint `prefix-step`, with a metric if there is one. It waits for the
    /// previous save to end.
    ///
    /// # Errors
    /// [`SaverError`], if the previous save failed or the variables cannot be read.
    pub fn save(
        &mut self,
        session: &Session,
        step: u64,
        metric: Option<f64>,
    ) -> Result<(), SaverError> {
        self.wait()?;
        let mut snapshot = self.saver.snapshot(session)?;
        self.last = (Instant::now(), step);
        let metric = metric.filter(|metric| !metric.is_nan());
        snapshot.tensors.push((STEP.to_owned(), Value::from(step.cast_signed())));
        snapshot.tensors.extend(metric.map(|metric| (METRIC.to_owned(), Value::from(metric))));
        let entry = Entry { prefix: at_step(&self.prefix, step), step, metric };
        let (saver, kept, policy) = (self.saver.clone(), self.kept.clone(), self.policy);
        let thread = thread::Builder::new().name("tidemill-checkpointer".to_owned());
        let write = move || write(&saver, &snapshot, entry, policy, &kept);
        self.saving = Some(thread.spawn(write).map_err(SaverError::Thread)?);
        Ok(())
    }

    /// Saves after the last step `step`, unless that was done, and waits for the save to end.
    ///
    /// # Errors
    /// As for [`Checkpointer::save`], and if this save fails.
    pub fn finish(&mut self, session: &Session, step: u64) -> Result<(), SaverError> {
        self.wait()?;
        if step != self.last.1 {
            self.save(session, step, None)?;
        }
        self.wait()
    }

    /// Waits for the save in progress, if there is one.
    ///
    /// # Errors
    /// [`SaverError`], if it failed.
    pub fn wait(&mut self) -> Result<(), SaverError> {
        match self.saving.take() {
            Some(thread) => thread.join().unwrap_or(Err(SaverError::Panicked)),
            None => Ok(()),
        }
    }
}

impl Drop for Checkpointer {
    /// Waits for the save in progress and ignores its errors; to see them, call
    /// [`Checkpointer::wait`] first.
    fn drop(&mut self) {
        let _ = self.wait();
    }
}

/// Writes a checkpoint, records it, and removes those that are not kept.
fn write(
    saver: &Saver,
    snapshot: &Snapshot,
    entry: Entry,
    policy: Policy,
    kept: &Mutex<Vec<Entry>>,
) -> Result<(), SaverError> {
    saver.write(snapshot, &entry.prefix)?;
    let mut kept = lock(kept);
    kept::add(&mut kept, entry, policy)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
