//! The examples end as their readers are told they do.

use std::process::Command;

/// The lines that an example prints to standard output.
fn run(example: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--example", example])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{example} failed:\n{errors}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The numbers of a line, in order.
fn numbers(line: &str) -> Vec<f64> {
    line.split([' ', '=', ',']).filter_map(|word| word.parse().ok()).collect()
}

/// The numbers of the first line that starts so.
fn numbers_after(lines: &[String], start: &str) -> Vec<f64> {
    let line = lines.iter().find_map(|line| line.strip_prefix(start));
    numbers(line.unwrap_or_else(|| panic!("no line starts with {start:?}: {lines:#?}")))
}

#[test]
fn the_linear_regression_learns_the_line() {
    let lines = run("linear_regression");
    let [.., last_step, truth, learned] = &lines[..] else { panic!("{lines:#?}") };
    assert!(*numbers(last_step).last().unwrap() < 1e-8, "{last_step}");
    assert_eq!(truth, "True parameters:     m=0.3519, b=0.3242");
    assert_eq!(learned, "Learned parameters:  m=0.3519, b=0.3242");
}

#[test]
fn the_diabetes_regression_finds_the_closed_form() {
    let lines = run("diabetes_regression");
    let r2 = numbers(lines.last().unwrap());
    assert!((r2[0] - 0.518).abs() < 0.001, "{lines:#?}");
}

#[test]
fn the_spam_filter_is_as_good_as_can_be() {
    let lines = run("spam_filter");
    let (learned, best) = (
        numbers_after(&lines, "Held-out accuracy:")[0],
        numbers_after(&lines, "Best possible:")[0],
    );
    assert!(learned > best - 0.01, "{lines:#?}");
    assert!(numbers_after(&lines, "weight of recipients")[0] > 0.0, "{lines:#?}");
}

#[test]
fn the_confusing_parts_print_what_is_said_of_them() {
    let lines = run("confusing_parts");
    for line in ["[2][3]", "the optimizer itself adds 0 nodes", "three does not need x: 3"] {
        assert!(lines.iter().any(|printed| printed == line), "{line:?} is not in {lines:#?}");
    }
}

#[test]
fn an_operation_of_ones_own_works_like_one_that_is_built_in() {
    let lines = run("custom_op");
    for line in ["values:    [-1.5, 0.0, 0.0, 2.5]", "gradients: [-3.0, 0.0, 0.0, 5.0]"] {
        assert!(lines.iter().any(|printed| printed == line), "{line:?} is not in {lines:#?}");
    }
}
