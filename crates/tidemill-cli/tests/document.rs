//! The transcripts in `docs/cli.md` match the output of the command.
//!
//! `TIDEMILL_WRITE_DOCUMENTS=1 cargo test -p tidemill-cli --test document` rewrites them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Calls the command in a folder that has the corpus.
fn call(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(arguments.split(' ')).current_dir(folder).output().unwrap()
}

/// The output of a call, and its exit status unless that is 0.
fn transcript(folder: &Path, arguments: &str) -> String {
    let Output { status, stdout, stderr } = call(folder, arguments);
    let mut text = String::from_utf8([stdout, stderr].concat()).unwrap();
    if !status.success() {
        text.push_str(&format!("(exit status {})\n", status.code().unwrap()));
    }
    text
}

/// The document with current transcripts.
fn rewritten(document: &str, folder: &Path) -> String {
    let mut text = String::new();
    let mut is_in_transcript = false;
    for line in document.lines() {
        let call = line.strip_prefix("$ tidemill ");
        if call.is_some() || !is_in_transcript || line == "```" {
            text.push_str(line);
            text.push('\n');
        }
        if let Some(arguments) = call.filter(|_| is_in_transcript) {
            text.push_str(&transcript(folder, arguments));
        }
        is_in_transcript = match line {
            "```console" => true,
            "```" => false,
            _ => is_in_transcript,
        };
    }
    text
}

/// The text without the parts that differ from run to run: times, and the order of a table by time.
fn without_times(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut table = None;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if line.starts_with("op ") && line.contains("µs") {
            table = Some(lines.len() + 1);
        }
        let is_row = table.is_some() && words.len() >= 3 && words[1].parse::<usize>().is_ok();
        if is_row {
            lines.push(format!("{} {} {}", words[0], words[1], words.get(4).unwrap_or(&"")));
            continue;
        }
        if let Some(start) = table.filter(|start| *start < lines.len()) {
            lines[start..].sort();
            table = None;
        }
        let is_time =
            |pair: &[&str]| pair.get(1).is_some_and(|unit| unit.trim_matches(';') == "ms");
        let shown = (0..words.len()).map(|i| if is_time(&words[i..]) { "?" } else { words[i] });
        let masked = shown.collect::<Vec<_>>().join(" ");
        lines.push(if line.contains(" ms") { masked } else { line.to_owned() });
    }
    lines
}

/// True if lines are equal, except for the last digits of floats, which depend on the processor.
fn are_alike(old: &str, new: &str) -> bool {
    let words = |line: &str| -> Vec<String> {
        line.split([' ', ',', '[', ']']).map(str::to_owned).collect()
    };
    let (old, new) = (words(old), words(new));
    let float = |word: &str| word.parse::<f64>().ok().filter(|_| word.contains('.'));
    old.len() == new.len()
        && old.iter().zip(&new).all(|(old, new)| match (float(old), float(new)) {
            (Some(old), Some(new)) => (old - new).abs() <= 1e-4 * old.abs(),
            _ => old == new,
        })
}

#[test]
fn the_document_has_what_the_command_prints() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = root().join("tests/conformance/corpus").canonicalize().unwrap();
    std::os::unix::fs::symlink(corpus, folder.path().join("corpus")).unwrap();
    let path = root().join("docs/cli.md");
    let document = fs::read_to_string(&path).unwrap();
    let now = rewritten(&document, folder.path());
    if env::var_os("TIDEMILL_WRITE_DOCUMENTS").is_some() {
        fs::write(&path, now).unwrap();
        return;
    }
    let (old, new) = (without_times(&document), without_times(&now));
    let differing = old.iter().zip(&new).find(|(old, new)| !are_alike(old, new));
    assert!(differing.is_none(), "docs/cli.md is old: {differing:?}");
    assert_eq!(old.len(), new.len(), "docs/cli.md is old");
    let trace = fs::read_to_string(folder.path().join("t.json")).unwrap();
    assert!(trace.contains("traceEvents"));
}

#[test]
fn every_option_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["inspect", "run", "convert"] {
        let Output { status, stdout, .. } = call(folder.path(), &format!("help {command}"));
        let help = String::from_utf8(stdout).unwrap();
        assert!(status.success() && help.starts_with(char::is_uppercase), "{help}");
    }
}
