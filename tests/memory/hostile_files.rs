//! The cost of malformed files: an error, little memory, little time, a short stack.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::{MEMORY, Outcome};
use tidemill_testing::conformance::{Manifest, check_case};
use tidemill_testing::hostile::READERS;

const MOST_MEMORY: usize = 64 << 20;
const MOST_TIME: Duration = Duration::from_secs(1);
/// An eighth of a program's usual stack.
const STACK: usize = 1 << 20;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The cost of a call beyond its limits, in words.
fn excess(name: &str, call: impl FnOnce() + Send) -> Option<String> {
    let measured = || {
        let (before, start) = (MEMORY.in_use(), Instant::now());
        let (peak, ()) = MEMORY.peak_in(call);
        (peak.saturating_sub(before), start.elapsed())
    };
    let (memory, time) = thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK);
        builder.spawn_scoped(scope, measured).unwrap().join().unwrap()
    });
    let is_too_much = memory > MOST_MEMORY || time > MOST_TIME;
    is_too_much.then(|| format!("{name}: {memory} bytes, {time:?}"))
}

/// The files that were once handled wrongly, with the names of their readers.
fn regressions() -> Vec<(String, PathBuf)> {
    let entries =
        |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let folders = entries(root().join("tests/regressions")).filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| {
        let reader = folder.file_name().unwrap().to_string_lossy().into_owned();
        entries(folder).map(move |file| (reader.clone(), file))
    });
    files.collect()
}

pub(crate) fn malformed_files_cost_little_memory_and_time_and_no_deep_stack() -> Outcome {
    let corpus = root().join("tests/conformance/corpus");
    let cases = Manifest::load(&corpus).unwrap().cases;
    let malformed: Vec<_> = cases.iter().filter(|case| case.kind.is_some()).collect();
    assert!(malformed.len() > 50);
    let mut found: Vec<String> = malformed
        .iter()
        .filter_map(|case| excess(&case.name, || check_case(&corpus, case).unwrap()))
        .collect();
    for (reader, path) in regressions() {
        let (_, read) = READERS.iter().find(|(name, _)| *name == reader).unwrap();
        let bytes = fs::read(&path).unwrap();
        found.extend(excess(&path.display().to_string(), || read(&bytes)));
    }
    // No file of one kind is valid as another kind.
    for case in malformed {
        let path = corpus.join(case.file.as_deref().unwrap_or_default());
        let Ok(bytes) = fs::read(&path) else { continue };
        for (reader, read) in READERS {
            found.extend(excess(&format!("{} as {reader}", case.name), || read(&bytes)));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}
