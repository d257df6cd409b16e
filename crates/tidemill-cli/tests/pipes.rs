//! The command among other programs.

use std::path::Path;
use std::process::{Command, Stdio};

fn tidemill(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance/corpus");
    command.args(arguments).current_dir(corpus);
    command
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    let mut command = tidemill(&["inspect", "--json", "models/tiny_resnet.pb"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn no_colors_and_bars_go_where_no_terminal_is() {
    let feed = "image=@models/lenet.safetensors#feed:image:0";
    for arguments in [
        &[
            "run",
            "models/lenet.pb",
            "--feed",
            feed,
            "--fetch",
            "log_probabilities",
            "--repeat",
            "3",
        ][..],
        &["run", "models/lenet.pb"],
        &["inspect", "nothing"],
        &["help"],
    ] {
        let output = tidemill(arguments).output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        assert!(!printed.contains(&0x1b) && !printed.contains(&b'\r'), "{arguments:?}");
    }
}

#[test]
fn an_error_fits_a_screen() {
    for arguments in [
        &["run", "models/tiny_resnet.pb", "--target", "nothing"][..],
        &["inspect", "malformed/long_cycle.pb"],
        &["run", "malformed/long_cycle.pb", "--fetch", "x"],
        &["run", "malformed/deeply_nested_attribute.pb", "--fetch", "x"],
    ] {
        let output = tidemill(arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.lines().count() <= 24 && text.len() < 4000, "{text}");
    }
}
