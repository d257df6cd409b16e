//! The documentation's table of all operations.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tidemill_graph::{ArgType, AttrKind, Gradient, OpDef};
use tidemill_value::DType;

use crate::tensorflow_names::tensorflow_names;

/// The command that writes the table.
pub const COMMAND: &str = "cargo run -p tidemill-testing --example ops_table";

const HEAD: &str = "\
The operations have TensorFlow's names, attributes and data types. The second column is the function in
`tidemill::ops` that adds the operation to a graph. Operations without such a function are added by
operators, gradients, rewriting or imports.

Numbers are floats and integers of all sizes. 16-bit floats, float16 and bfloat16, are computed as
float32 and rounded.

A gradient is *yes* if there is one, *zero* if the output does not depend on the inputs in a
differentiable way, and *no* if asking for it is an error.
";

/// The file of the table.
pub fn path() -> PathBuf {
    repository().join("docs/ops.md")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The table of operations, in Markdown.
///
/// If the sources of the operations, from which the names of functions are taken, cannot be read.
pub fn ops_table(ops: &[&OpDef]) -> io::Result<String> {
    let functions = functions(&repository().join("crates/tidemill-ops/src"))?;
    let mut table = format!("# Operations\n\n{HEAD}\nThis file is written by `{COMMAND}`.\n\n");
    table.push_str("| operation | function | data types | gradient | what it is |\n");
    table.push_str("| --- | --- | --- | --- | --- |\n");
    for op in ops {
        let function = functions.get(op.name).map_or("–".to_owned(), |name| format!("`{name}`"));
        let (types, gradient, summary) = (data_types(op), gradient(op), summary(op));
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {} | {function} | {types} | {gradient} | {summary} |", op.name);
    }
    table.push('\n');
    table.push_str(&tensorflow_names());
    Ok(table)
}

/// The first sentence of an operation's description.
fn summary(op: &OpDef) -> String {
    let text = op.summary.trim().replace("[`", "`").replace("`]", "`").replace('|', "\\|");
    match text.split_once(". ") {
        Some((sentence, _)) => format!("{sentence}."),
        None if text.ends_with('.') => text,
        None => format!("{text} …"),
    }
}

fn gradient(op: &OpDef) -> &'static str {
    match op.gradient {
        Gradient::Rule(_) => "yes",
        // It is made of the gradients of the bodies.
        _ if op.execution.inputs_before_bodies().is_some() => "yes",
        Gradient::NotDifferentiable => "zero",
        Gradient::Undefined => "no",
    }
}

/// The types that the type attributes allow, and those of the other inputs.
fn data_types(op: &OpDef) -> String {
    let allowed = op.attrs.iter().filter_map(|attr| match attr.kind {
        AttrKind::Type(dtypes) => Some(format!("{}: {}", attr.name, set(dtypes))),
        _ => None,
    });
    let fixed = op.inputs.iter().filter_map(|arg| match arg.dtype {
        ArgType::Is(dtype) => Some(format!("{}: {dtype}", arg.name)),
        ArgType::Attr(_) | ArgType::Any => None,
    });
    let parts: Vec<String> = allowed.chain(fixed).collect();
    if parts.is_empty() { "–".to_owned() } else { parts.join("; ") }
}

fn set(dtypes: &[DType]) -> String {
    let named = [
        (DType::ALL, "all"),
        (DType::PLAIN, "all but string"),
        (DType::NUMBERS, "numbers"),
        (DType::FLOATS, "floats"),
        (DType::INTEGERS, "integers"),
    ];
    let of = |dtypes: &[DType]| dtypes.iter().copied().collect::<BTreeSet<_>>();
    let name = named.iter().find(|(set, _)| of(set) == of(dtypes)).map(|(_, name)| *name);
    name.map_or_else(
        || dtypes.iter().map(|dtype| dtype.name()).collect::<Vec<_>>().join(", "),
        str::to_owned,
    )
}

/// The builder function of each operation: the exported one that has its name as an alias, or
/// stands in a row with it.
fn functions(sources: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut files = Vec::new();
    for folder in ["ops", "control_flow"] {
        rust_files(&sources.join(folder), &mut files)?;
    }
    files.sort();
    let texts = files.iter().map(fs::read_to_string).collect::<io::Result<Vec<String>>>()?;
    let root = fs::read_to_string(sources.join("lib.rs"))?;
    let exported: BTreeSet<&str> =
        root.split(|c| !is_word(c)).chain(texts.iter().flat_map(|text| exports(text))).collect();
    let mut functions = BTreeMap::new();
    for text in &texts {
        let mut alias = None;
        for line in text.lines() {
            if let Some(name) = between(line, "#[doc(alias = \"", "\")]") {
                alias.get_or_insert(name);
            }
            let named = match declared(line) {
                Some(function) => alias.take().map(|name| (name, function)),
                None => in_row(line),
            };
            if let Some((name, function)) = named.filter(|(_, f)| exported.contains(f)) {
                functions.entry(name.to_owned()).or_insert_with(|| function.to_owned());
            }
        }
    }
    Ok(functions)
}

/// The words in a file's list of what it declares, and the functions in the rows of its tables.
fn exports(text: &str) -> Vec<&str> {
    let Some((_, declared)) = text.split_once("\noperations! {") else { return Vec::new() };
    let (list, rest) = declared.split_once("\n}").unwrap_or((declared, ""));
    let rows = if list.contains("tables:") { rest } else { "" };
    let of_rows = rows.lines().filter_map(in_row).map(|(_, function)| function);
    let exports = list.split("exports:").nth(1).unwrap_or_default();
    exports.split(|c| !is_word(c)).chain(of_rows).collect()
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn between<'t>(line: &'t str, start: &str, end: &str) -> Option<&'t str> {
    let (_, rest) = line.split_once(start)?;
    rest.split_once(end).map(|(text, _)| text)
}

/// The function that a line declares.
fn declared(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("pub fn ")?;
    rest.split(|c| !is_word(c)).next()
}

/// The operation and the function of a row of a table: `ABS abs = "Abs"`, or
/// `reduce_sum = SUM, "Sum"`.
fn in_row(line: &str) -> Option<(&str, &str)> {
    let (left, right) = line.split_once(" = ")?;
    let function = left.split_whitespace().last().filter(|word| word.chars().all(is_word))?;
    let operation = between(right, "\"", "\"")?;
    let before = right.split('"').next()?.trim_end_matches([',', ' ']);
    let is_row = before.chars().all(|c| c.is_uppercase() || is_word(c));
    is_row.then_some((operation, function))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_in_rows_and_by_their_alias() {
        assert_eq!(
            in_row("    ABS abs = \"Abs\"(\"x\"), SIGNED, kernels::abs,"),
            Some(("Abs", "abs"))
        );
        assert_eq!(in_row("    reduce_sum = SUM, \"Sum\";"), Some(("Sum", "reduce_sum")));
        assert_eq!(in_row("    let name = format!(\"Sum\");"), None);
        assert_eq!(declared("pub fn abs(x: impl Into<Operand>) -> Tensor {"), Some("abs"));
    }

    #[test]
    fn sets_of_types_have_names() {
        assert_eq!(set(DType::FLOATS), "floats");
        assert_eq!(set(DType::INDICES), "int32, int64");
    }
}
