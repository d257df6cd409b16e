//! The documents are right about the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The tests named in a document, by file.
fn named_tests(document: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut tests = BTreeMap::<_, Vec<_>>::new();
    for (file, test) in document.split('`').skip(1).step_by(2).filter_map(|s| s.split_once("::")) {
        tests.entry(file).or_default().push(test);
    }
    tests
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The file of a name of tests: a program, or a module of one.
fn file_of_tests(name: &str) -> PathBuf {
    let tests = root().join("tests");
    let folders = fs::read_dir(&tests).unwrap().map(|entry| entry.unwrap().path());
    let paths = [tests].into_iter().chain(folders).map(|folder| folder.join(name));
    let mut files = paths.map(|path| path.with_extension("rs")).filter(|path| path.exists());
    let file = files.next().unwrap_or_else(|| panic!("no file of tests is named {name}"));
    assert_eq!(files.next(), None, "two files of tests are named {name}");
    file
}

#[test]
fn every_rule_names_tests_and_they_exist() {
    let document = read("docs/semantics.md");
    let measurements = read("tests/memory/main.rs");
    for (file, tests) in named_tests(&document) {
        let source = read(file_of_tests(file));
        for test in tests {
            let name = format!("{file}::{test}");
            let is_test = source.contains(&format!("#[test]\nfn {test}()"));
            assert!(is_test || measurements.contains(&name), "{name}");
        }
    }
    for rule in document.split("\n- ").skip(1) {
        assert!(rule.starts_with("**") && !named_tests(rule).is_empty(), "without a test: {rule}");
    }
}

#[test]
fn the_files_of_tests_that_documents_name_exist() {
    for document in fs::read_dir(root().join("docs")).unwrap() {
        let path = document.unwrap().path();
        let text = read(&path);
        let code = text.split('`').filter(|code| code.starts_with("tests/"));
        for file in code.filter_map(|code| code.split([' ', '\n']).next()) {
            assert!(root().join(file).exists(), "{} names {file}", path.display());
        }
    }
}

#[test]
fn the_rules_of_each_section_are_numbered_in_order_and_each_has_a_number_of_its_own() {
    let document = read("docs/semantics.md");
    let mut letters = BTreeSet::new();
    for section in document.split("\n## ").skip(1) {
        for (i, rule) in section.split("\n- **").skip(1).enumerate() {
            let number: String = rule[1..].chars().take_while(char::is_ascii_digit).collect();
            assert_eq!(number, (i + 1).to_string(), "{rule}");
            assert!(i > 0 || letters.insert(&rule[..1]), "another section has {}1", &rule[..1]);
        }
    }
}
