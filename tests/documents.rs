//! What the documents say of the tests is so.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The tests named in a document, by file.
fn named_tests(document: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut tests = BTreeMap::<_, Vec<_>>::new();
    for (file, test) in document.split('`').skip(1).step_by(2).filter_map(|s| s.split_once("::")) {
        tests.entry(file).or_default().push(test);
    }
    tests
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_rule_names_tests_and_they_exist() {
    let document = read("docs/semantics.md");
    for (file, tests) in named_tests(&document) {
        let source = read(&format!("tests/{file}.rs"));
        for test in tests {
            assert!(source.contains(&format!("#[test]\nfn {test}()")), "{file}::{test}");
        }
    }
    for rule in document.split("\n- ").skip(1) {
        assert!(rule.starts_with("**") && !named_tests(rule).is_empty(), "without a test: {rule}");
    }
}

#[test]
fn the_rules_of_each_section_are_numbered_in_order() {
    let document = read("docs/semantics.md");
    for section in document.split("\n## ").skip(1) {
        for (i, rule) in section.split("\n- **").skip(1).enumerate() {
            let number: String = rule[1..].chars().take_while(char::is_ascii_digit).collect();
            assert_eq!(number, (i + 1).to_string(), "{rule}");
        }
    }
}
