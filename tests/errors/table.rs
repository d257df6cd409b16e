//! docs/errors.md shows the mistakes of `mistakes.rs`, and the error of each.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tidemill::Graph;

use super::mistakes;
use crate::common::{Outcome, relative};

macro_rules! mistakes {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), mistakes::$name)),*] };
}

/// A mistake by the name of its function.
type Mistake = (&'static str, fn() -> Outcome);

/// The mistakes in the order of the document.
const MISTAKES: &[Mistake] = mistakes![
    placeholder_far_away,
    variable_without_a_value,
    fed_by_a_near_name,
    floats_of_64_bits,
    floats_of_64_bits_in_an_operation,
    number_of_a_list,
    unknown_name,
    index_out_of_range,
    empty_graph,
    fetch_of_another_graph,
    session_of_an_empty_graph,
    two_graphs,
    reshape_that_does_not_divide,
    joined_with_other_extents,
    labels_of_another_batch,
    predictions_of_another_shape,
    channels_that_differ,
    sequences_without_inputs,
    unknown_channels,
    variable_to_reuse_is_missing,
    variable_of_another_shape,
    integers_for_floats,
    nothing_to_train,
    no_gradient_to_apply,
    missing_checkpoint,
    missing_folder,
    folder_for_checkpoint,
    file_for_folder,
    trailing_slash,
    name_of_state_file,
    incomplete_checkpoint,
    variable_saved_twice,
    missing_array,
    missing_model,
    empty_file,
    text_for_binary,
    saved_model_for_graph,
    meta_graph_for_graph,
    wrong_node,
];

const SOURCE: &str = "tests/errors/mistakes.rs";
const DOCUMENT: &str = "docs/errors.md";
/// The command that rewrites the document.
const COMMAND: &str = "TIDEMILL_WRITE_DOCUMENTS=1 cargo test --test errors table";

const INTRODUCTION: &str = "\
# Errors

The messages for common mistakes. Each program below ends with an error that its `main` returns; the text
under the program is what the user sees after `Error: `. Line numbers count from the first line shown.
`folder()` is a temporary folder, shown as `runs` in the messages. Graph numbers vary, so they are shown as
`#`.

A test generates this document from `tests/errors/mistakes.rs` and keeps it current.

";

thread_local! {
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// The folder of the current mistake.
pub(crate) fn folder() -> PathBuf {
    FOLDER.with_borrow(|folder| folder.as_ref().unwrap().path().to_owned())
}

/// The output of a `main` that returns the error of a mistake.
fn message(name: &str, mistake: fn() -> Outcome, first_line: u32) -> String {
    let graph = Graph::new();
    let _default = graph.as_default();
    FOLDER.set(Some(TempDir::new().unwrap()));
    let error = mistake().expect_err(name);
    let shown = format!("{error:?}").replace(&folder().display().to_string(), "runs");
    FOLDER.set(None);
    let shown = relative(shown, SOURCE, first_line - 1);
    shown.replace("--> +", "--> main.rs:").replace("(+", "(main.rs:")
}

/// The source code of a mistake.
struct Code {
    title: String,
    first_line: u32,
    body: String,
}

fn code_of(name: &str, source: &str) -> Code {
    let head = format!("pub(crate) fn {name}() -> Outcome {{\n");
    let start = source.find(&head).unwrap();
    let (before, rest) = (&source[..start], &source[start + head.len()..]);
    let title = before.lines().last().unwrap().trim_start_matches("/// ").trim_end_matches('.');
    let body = rest.split("\n}").next().unwrap();
    let body = body.strip_suffix("    Ok(())").unwrap_or(body);
    let body: Vec<&str> =
        body.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
    let first_line = before.lines().count() as u32 + 2;
    Code { title: title.to_owned(), first_line, body: body.join("\n") }
}

fn document() -> String {
    let source = fs::read_to_string(root().join(SOURCE)).unwrap();
    let (mut table, mut sections) = (String::new(), String::new());
    for (name, mistake) in MISTAKES {
        let Code { title, first_line, body } = code_of(name, &source);
        let message = message(name, *mistake, first_line);
        let first = message.lines().next().unwrap_or_default().replace('|', "\\|");
        table.push_str(&format!("| [{title}](#{}) | {first} |\n", anchor(&title)));
        sections.push_str(&format!(
            "\n## {title}\n\n```rust,ignore\n{}\n```\n\n```text\n{message}\n```\n",
            body.trim_end()
        ));
    }
    format!(
        "{INTRODUCTION}| mistake | first line of the message |\n| --- | --- |\n{table}{sections}"
    )
}

/// The anchor of a heading.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_mistake_is_in_the_table() {
    let source = fs::read_to_string(root().join(SOURCE)).unwrap();
    let made = source.matches("() -> Outcome {\n").count();
    assert_eq!(made, MISTAKES.len());
}

#[test]
fn the_table_of_mistakes_is_current() {
    let current = document();
    if std::env::var_os("TIDEMILL_WRITE_DOCUMENTS").is_some() {
        fs::write(root().join(DOCUMENT), &current).unwrap();
    }
    let written = fs::read_to_string(root().join(DOCUMENT)).unwrap_or_default();
    let first = current.lines().zip(written.lines()).find(|(current, written)| current != written);
    assert!(written == current, "{DOCUMENT} is old, from {first:?} on: run `{COMMAND}`");
}
