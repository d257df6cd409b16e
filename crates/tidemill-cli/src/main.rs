//! The `tidemill` command: looks into files of graphs and tensors, runs graphs, converts files.
//!
//! It parses and prints; the work is done in the libraries. The exit status is 0, or 1 if the
//! command failed, or 2 if it was called wrongly.

mod convert;
mod graph;
mod inspect;
mod latency;
mod report;
mod run;
mod tensors;

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The error of a command, as it is printed.
type Failure = Box<dyn Error>;

/// A longer error is cut to this many lines.
const MOST_LINES: usize = 20;

/// Looks into files of graphs and tensors, runs graphs, and converts files.
#[derive(Parser)]
#[command(name = "tidemill", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Inspect(inspect::Args),
    Run(run::Args),
    Convert(convert::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut output = BufWriter::new(io::stdout().lock());
    let result = match cli.command {
        Command::Inspect(args) => inspect::inspect(&args, &mut output),
        Command::Run(args) => run::run(&args, &mut output),
        Command::Convert(args) => convert::convert(&args),
    };
    let result = result.and_then(|()| Ok(output.flush()?));
    match result {
        Err(error) if !is_broken_pipe(&*error) => {
            // If standard error is closed, nobody can be told.
            let _ = writeln!(io::stderr(), "error: {}", cut(&error.to_string()));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// True if the reader of the output has closed it.
fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn cut(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let more = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    let end = if more > 0 { format!("\n({more} more lines)") } else { String::new() };
    lines.join("\n") + &end
}
