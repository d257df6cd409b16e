//! The structure of the repository: imports between crates go down, files stay short.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The floor of each crate. One crate may import another only from a floor below.
const FLOORS: &[(&str, u32)] = &[
    ("tidemill-value", 0),
    ("tidemill-kernels", 1),
    ("tidemill-graph", 1),
    ("tidemill-formats", 1),
    ("tidemill-ops", 2),
    ("tidemill-autodiff", 3),
    ("tidemill-rewrite", 3),
    ("tidemill-graphdef", 3),
    ("tidemill-runtime", 4),
    ("tidemill-train", 5),
    ("tidemill-testing", 6),
    ("tidemill-models", 6),
    ("tidemill-cli", 6),
    ("tidemill", 6),
];

/// Longer files should be split.
const LONGEST_FILE: usize = 600;

/// A function of the runtime must be shorter: longer ones need scrolling.
const LONGEST_FUNCTION: usize = 60;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The path to each crate's manifest, by its name.
fn manifests() -> BTreeMap<String, PathBuf> {
    let mut manifests = BTreeMap::from([("tidemill".to_owned(), root().join("Cargo.toml"))]);
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let path = entry.unwrap().path();
        let manifest = path.join("Cargo.toml");
        if manifest.exists() {
            manifests.insert(path.file_name().unwrap().to_string_lossy().into_owned(), manifest);
        }
    }
    manifests
}

/// The crates of this repository that a manifest names under `[dependencies]`.
fn dependencies(manifest: &Path) -> Vec<String> {
    let text = fs::read_to_string(manifest).unwrap();
    let section = text.split("\n[").find(|section| section.starts_with("dependencies]"));
    let names =
        section.unwrap_or_default().lines().filter_map(|line| line.split(['.', ' ']).next());
    names.filter(|name| name.starts_with("tidemill-")).map(str::to_owned).collect()
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().unwrap() != "target" {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_rust_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["crates", "examples", "tests", "benches"] {
        rust_files(&root().join(folder), &mut found);
    }
    found.sort();
    found
}

#[test]
fn every_crate_has_a_floor() {
    let named: Vec<&str> = FLOORS.iter().map(|(name, _)| *name).collect();
    for name in manifests().keys() {
        assert!(named.contains(&name.as_str()), "{name} has no floor");
    }
}

#[test]
fn imports_go_down_a_floor() {
    let floors: BTreeMap<&str, u32> = FLOORS.iter().copied().collect();
    for (name, manifest) in manifests() {
        for dependency in dependencies(&manifest) {
            let (from, to) = (floors[name.as_str()], floors[dependency.as_str()]);
            assert!(to < from, "{name} (floor {from}) imports {dependency} (floor {to})");
        }
    }
}

#[test]
fn no_file_is_too_long() {
    for path in all_rust_files() {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines", path.display());
    }
}

#[test]
fn unsafe_code_is_at_home_in_two_crates() {
    // The models recompile modules of the first two and access their cells. A program beside the
    // benchmarks measures the limits of the machine.
    let homes = [
        "crates/tidemill-kernels",
        "crates/tidemill-value",
        "crates/tidemill-models",
        "benches/peers/rust/limits",
    ]
    .map(|path| root().join(path));
    for path in all_rust_files() {
        let text = fs::read_to_string(&path).unwrap();
        let is_unsafe = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            ["unsafe {", "unsafe fn", "unsafe impl"].iter().any(|word| code.contains(word))
        });
        let at_home = homes.iter().any(|home| path.starts_with(home));
        // This file names what it searches for; the allocator that counts implements an unsafe
        // trait.
        let is_test = ["tests/repository/architecture.rs", "tests/memory/counting.rs"]
            .iter()
            .any(|f| path.ends_with(f));
        assert!(!is_unsafe || at_home || is_test, "{} has unsafe code", path.display());
    }
}

#[test]
fn the_runtime_and_the_graph_name_no_operation() {
    for crate_name in ["tidemill-runtime", "tidemill-graph"] {
        let mut files = Vec::new();
        rust_files(&root().join("crates").join(crate_name).join("src"), &mut files);
        for path in files {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for name in ["\"AddV2\"", "\"Identity\"", "\"Assign\"", "\"Placeholder\"", "\"Const\""]
            {
                assert!(!code.contains(name), "{} names {name}", path.display());
            }
        }
    }
}

#[test]
fn the_documents_name_every_crate() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    for name in manifests().keys() {
        assert!(text.contains(&format!("`{name}`")), "docs/architecture.md does not name {name}");
    }
}

/// The functions of a formatted file, with their numbers of lines: a function ends with the first
/// line that closes a brace at its own depth.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let is_qualifier =
        |word: &str| word.starts_with("pub") || word.ends_with(')') || word == "const";
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let (before, signature) = match code.strip_prefix("fn ") {
            Some(signature) => ("", signature),
            None => code.split_once(" fn ").unwrap_or_default(),
        };
        if signature.is_empty()
            || !before.split(' ').all(|word| word.is_empty() || is_qualifier(word))
        {
            continue;
        }
        let indent = &line[..line.len() - code.len()];
        let is_end =
            |line: &&str| line.strip_prefix(indent).is_some_and(|end| end.starts_with('}'));
        let behind = match line.ends_with(['}', ';']) {
            true => 0,
            false => lines[start + 1..].iter().position(is_end).map_or(0, |end| end + 1),
        };
        found.push((signature.split(['(', '<']).next().unwrap_or_default(), 1 + behind));
    }
    found
}

#[test]
fn no_function_of_the_runtime_is_too_long() {
    let mut files = Vec::new();
    rust_files(&root().join("crates/tidemill-runtime/src"), &mut files);
    let mut counted = 0;
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        for (name, lines) in functions(&text) {
            let place = path.display();
            assert!(lines < LONGEST_FUNCTION, "`{name}` in {place} has {lines} lines");
            counted += 1;
        }
    }
    assert!(counted > 300, "only {counted} functions have been found");
}

#[test]
fn the_lines_of_functions_are_counted() {
    let text = "fn one() {}\n\nimpl X {\n    pub(crate) const fn f<T>(\n        t: T,\n    ) -> T\n    where\n        T: Y,\n    {\n        t\n    }\n}\n";
    assert_eq!(functions(text), [("one", 1), ("f", 8)]);
}

/// A new operation needs no other list than that of the module above its file.
#[test]
fn every_file_of_operations_is_collected() {
    let ops = root().join("crates/tidemill-ops/src/ops");
    let mut files = Vec::new();
    rust_files(&ops, &mut files);
    let declaring = |path: &&PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        text.contains("\noperations! {") || text.contains("\ncollect! {")
    };
    let mut declared: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for path in files.iter().filter(declaring).filter(|path| **path != ops.join("mod.rs")) {
        let place = if path.ends_with("mod.rs") { path.parent().unwrap() } else { path };
        let name = place.file_stem().unwrap().to_string_lossy().into_owned();
        declared.entry(place.with_file_name("mod.rs")).or_default().push(name);
    }
    for (module, mut names) in declared {
        names.sort();
        let text = fs::read_to_string(&module).unwrap();
        let list = text.split("\ncollect! {").nth(1).unwrap_or_default().split('}').next();
        let words = list.unwrap_or_default().split([',', '\n']).map(str::trim);
        let listed: Vec<&str> =
            words.filter(|word| !word.is_empty() && !word.starts_with('#')).collect();
        assert_eq!(listed, names, "the list in {}, sorted", module.display());
    }
}
