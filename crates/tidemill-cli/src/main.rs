//! The `tidemill` command: looks into files of graphs and tensors, runs graphs, converts files.
//!
//! It parses and prints; the work is done in the libraries. The exit status is 0, or 1 if the
//! command failed, or 2 if it was called wrongly.

mod convert;
mod failure;
mod formats;
mod graph;
mod inspect;
mod latency;
mod report;
mod run;
mod tensors;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::{cut, is_broken_pipe};

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
