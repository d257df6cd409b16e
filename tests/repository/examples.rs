//! The examples end as their documentation says.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// The lines that an example prints to standard output.
fn run(example: &str) -> Vec<String> {
    run_with(example, &[])
}

/// The lines that an example prints, given arguments.
fn run_with(example: &str, arguments: &[&str]) -> Vec<String> {
    let output = command(example).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{example} failed:\n{errors}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// An example, built with the features of the whole workspace: `cargo run --example` would build the
/// libraries again with fewer, and a kill of it would not reach the example.
fn command(example: &str) -> Command {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--workspace", "--example", example])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success(), "{example} does not build");
    let tests: PathBuf = env::current_exe().unwrap();
    let program = tests.parent().unwrap().with_file_name("examples").join(example);
    let mut command = Command::new(program.with_extension(env::consts::EXE_EXTENSION));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// The numbers of a line, in order.
fn numbers(line: &str) -> Vec<f64> {
    line.split([' ', '=', ',']).filter_map(|word| word.parse().ok()).collect()
}

/// The numbers of the first line with this prefix.
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

#[test]
fn the_digits_are_told_by_units_and_by_convolutions() {
    let accuracy = |lines: Vec<String>| numbers_after(&lines, "Held-out accuracy:")[0];
    assert!(accuracy(run("digits_mlp")) > 0.96);
    assert!(accuracy(run_with("digits_lenet", &["5"])) > 0.95);
}

#[test]
#[ignore = "it takes a quarter of a minute"]
fn lenet_tells_98_of_100_digits() {
    let lines = run("digits_lenet");
    assert!(numbers_after(&lines, "Held-out accuracy:")[0] > 0.98, "{lines:#?}");
}

#[test]
fn the_tumours_and_the_irises_are_told() {
    assert!(numbers_after(&run("breast_cancer"), "Held-out AUC:")[0] > 0.99);
    assert!(numbers_after(&run("iris"), "Held-out accuracy:")[0] > 0.9);
}

#[test]
fn near_words_are_told_from_random_ones() {
    let told = numbers_after(&run("embeddings"), "Near words told from random ones:")[0];
    assert!(told > 0.7, "{told}");
}

#[test]
fn a_training_that_is_killed_and_started_again_ends_with_the_same_weights() {
    let [broken, unbroken] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let lines = run_with("resume", &[unbroken.path().to_str().unwrap()]);
    let expected = lines.last().unwrap().clone();
    assert!(expected.starts_with("Weights after step 1000: "), "{lines:#?}");
    for life in [700, 400, 900] {
        let mut process = start_resume(broken.path());
        thread::sleep(Duration::from_millis(life));
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let lines = run_with("resume", &[broken.path().to_str().unwrap()]);
    assert_eq!(lines.last(), Some(&expected));
    let first = numbers_after(&lines, "It goes on after step");
    assert!(first[0] > 0.0, "{lines:#?}");
}

fn start_resume(folder: &Path) -> Child {
    let mut command = command("resume");
    command.arg(folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn newtons_method_ends_when_it_has_converged() {
    let lines = run("newton");
    for (line, start) in lines.iter().zip(["From 2", "From 10", "From 1000000"]) {
        assert!(line.starts_with(&format!("{start}: 2.094551481542 after ")), "{lines:#?}");
    }
    assert_eq!(lines.len(), 3);
}

#[test]
fn the_character_model_learns_and_writes() {
    let lines = run_with("char_lstm", &["12"]);
    let last = lines.last().unwrap();
    let [_, loss] = numbers(last)[..] else { panic!("{last}") };
    // A model that treats all characters alike has a loss of 4.1 nats.
    assert!(loss < 3.9, "{last}");
    let written: usize = lines[..lines.len() - 1].iter().map(|line| line.len() + 1).sum();
    assert!((400..=402).contains(&written), "{lines:#?}");
}
