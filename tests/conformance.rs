//! Runs the graphs that were recorded from TensorFlow, and compares the results.
//!
//! ```text
//! cargo test --release --test conformance                          all cases
//! cargo test --release --test conformance -- ops/Conv2D            cases whose names contain this
//! cargo test --release --test conformance -- --pending             show known failures too
//! cargo test --release --test conformance -- --strike              unlist those that pass
//! TIDEMILL_CORPUS=folder cargo test --release --test conformance   another corpus
//! ```
//!
//! Cases that are known to fail are listed in `tests/conformance/pending.toml`. The test fails if
//! another case fails, or if one of these passes.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use tidemill_testing::conformance::{Options, keep_panics, run};

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    // Options of the standard library's test runner are not filters.
    let (flags, filters): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    if flags.iter().any(|flag| flag == "--list") {
        return ExitCode::SUCCESS;
    }
    let corpus = std::env::var_os("TIDEMILL_CORPUS");
    let options = Options {
        corpus: corpus.map_or_else(|| folder.join("corpus"), Into::into),
        pending: folder.join("pending.toml"),
        filters,
        threads: 2,
    };
    keep_panics();
    let start = Instant::now();
    let report = match run(&options) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("the corpus cannot be read: {error}");
            return ExitCode::FAILURE;
        }
    };
    if flags.iter().any(|flag| flag == "--pending") {
        print!("{}", report.known_failures());
    }
    if flags.iter().any(|flag| flag == "--strike")
        && let Err(error) = report.strike(&options.pending)
    {
        eprintln!("the list of known failures stays as it is: {error}");
    }
    print!("{}", report.failures());
    println!("\n{report}\n{:.1} s", start.elapsed().as_secs_f64());
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
