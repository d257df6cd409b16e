//! `tidemill run`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use indicatif::ProgressBar;
use tidemill_formats::{FileKind, write_file};
use tidemill_graph::Graph;
use tidemill_graphdef::import_graph_def;
use tidemill_ops::{Inspect, Operation, Tensor};
use tidemill_runtime::{Feeds, RunOptions, RunTrace, Session, SessionOptions};
use tidemill_train::Saver;
use tidemill_value::{DType, Value};

use crate::latency::Latencies;
use crate::tensors::{Pair, parse_file_pair, parse_pair, read_feed, write_all};
use crate::{Failure, graph};

/// Runs a graph, and prints what is fetched.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub(crate) struct Args {
    /// The graph: a GraphDef, binary or as text.
    file: PathBuf,
    /// Feeds a tensor: x=3, x=[[1,2],[3,4]], x=@x.npy, x=@all.npz#x.
    #[arg(long = "feed", value_name = "NAME=VALUE", value_parser = parse_pair)]
    feeds: Vec<Pair>,
    /// Fetches a tensor and prints it.
    #[arg(long = "fetch", value_name = "NAME", group = "what")]
    fetches: Vec<String>,
    /// Fetches a tensor and writes it to a file: y=@y.npy, or several to one npz or safetensors.
    #[arg(long = "save", value_name = "NAME=@FILE", group = "what", value_parser = parse_file_pair)]
    saves: Vec<(String, PathBuf)>,
    /// Runs an operation, without fetching anything of it.
    #[arg(long = "target", value_name = "NAME", group = "what")]
    targets: Vec<String>,
    /// Runs an operation before all, such as one that initializes variables.
    #[arg(long, value_name = "NAME")]
    init: Vec<String>,
    /// Restores the variables: the prefix of a checkpoint, or a safetensors file.
    #[arg(long, value_name = "PREFIX")]
    checkpoint: Option<PathBuf>,
    /// Runs so many times, and tells how long it took.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    repeat: Option<u32>,
    /// Computes on so many threads at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    threads: Option<u32>,
    /// The seed of random operations that have none.
    #[arg(long)]
    seed: Option<u64>,
    /// Writes what the steps of one more run took, for Perfetto or chrome://tracing.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, output: &mut dyn Write) -> Result<(), Failure> {
    let graph_def = graph::load(&args.file, FileKind::of(&args.file)?)?;
    let graph = Graph::new();
    let _default = graph.as_default();
    import_graph_def(&graph_def).map_err(|error| format!("{}: {error}", args.file.display()))?;
    let request = Request::new(&graph, args)?;
    // The saver adds nodes: it is made before the session, and only if it is needed.
    let saver = args.checkpoint.as_ref().map(|prefix| Ok((Saver::of(graph.variables())?, prefix)));
    let options = SessionOptions {
        threads: args.threads.map(|threads| threads as usize),
        seed: args.seed,
        ..SessionOptions::default()
    };
    let session = Session::with_options(&graph, options);
    for name in &args.init {
        session.run(graph.operation(name)?)?;
    }
    if let Some((saver, prefix)) = saver.transpose().map_err(|error: Failure| error)? {
        saver.restore(&session, prefix)?;
    }
    let (values, latencies) = request.repeat(&session, args.repeat.unwrap_or(1))?;
    request.show(args, &values, output)?;
    if args.repeat.is_some() {
        writeln!(output, "{latencies}")?;
    }
    if args.repeat.is_some() || args.trace.is_some() {
        let trace = request.trace(&session)?;
        if let Some(path) = &args.trace {
            write_file(path, |file| file.write_all(trace.to_chrome_json().as_bytes()))?;
        }
        writeln!(output, "{trace}")?;
    }
    Ok(())
}

/// What is run, by the tensors of a graph.
struct Request {
    feeds: Feeds,
    fetches: Vec<Tensor>,
    targets: Vec<Operation>,
}

impl Request {
    fn new(graph: &Graph, args: &Args) -> Result<Request, Failure> {
        let mut feeds = Feeds::new();
        for Pair { name, rest } in &args.feeds {
            let tensor = graph.tensor(name).map_err(|error| format!("--feed {name}: {error}"))?;
            let dtype = tensor.dtype().unwrap_or(DType::F32);
            let value =
                read_feed(rest, dtype).map_err(|error| format!("--feed {name}: {error}"))?;
            feeds = feeds.feed(tensor, value);
        }
        let names = args.fetches.iter().chain(args.saves.iter().map(|(name, _)| name));
        let fetch = |name: &String| {
            graph.tensor(name).map_err(|error| format!("cannot fetch {name}: {error}"))
        };
        let fetches = names.map(fetch).collect::<Result<_, _>>()?;
        let target = |name: &String| {
            graph.operation(name).map_err(|error| format!("--target {name}: {error}"))
        };
        let targets = args.targets.iter().map(target).collect::<Result<_, _>>()?;
        Ok(Request { feeds, fetches, targets })
    }

    /// Runs several times. The values are those of the last run.
    fn repeat(&self, session: &Session, times: u32) -> Result<(Vec<Value>, Latencies), Failure> {
        let once = || -> Result<_, Failure> {
            let start = Instant::now();
            let fetches = (self.fetches.as_slice(), self.targets.as_slice());
            let (values, _) = session.run_with(fetches, self.feeds.clone())?;
            Ok((values, start.elapsed()))
        };
        let bar = if times > 1 { ProgressBar::new(times.into()) } else { ProgressBar::hidden() };
        let (mut values, first) = once()?;
        let mut rest = Vec::new();
        for _ in 1..times {
            let (next, duration) = once()?;
            values = next;
            rest.push(duration);
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok((values, Latencies { first, rest }))
    }

    /// Prints what was fetched, or writes it to files.
    fn show(&self, args: &Args, values: &[Value], output: &mut dyn Write) -> Result<(), Failure> {
        let (printed, saved) = values.split_at(args.fetches.len());
        for (name, value) in args.fetches.iter().zip(printed) {
            writeln!(output, "{name}: {}{}\n  {value}", value.dtype(), value.shape())?;
        }
        let mut files: BTreeMap<&PathBuf, Vec<(&str, &Value)>> = BTreeMap::new();
        for ((name, path), value) in args.saves.iter().zip(saved) {
            files.entry(path).or_default().push((name, value));
        }
        files.into_iter().try_for_each(|(path, tensors)| write_all(path, tensors))
    }

    /// Runs once more, and tells what the steps took.
    fn trace(&self, session: &Session) -> Result<RunTrace, Failure> {
        let fetches = (self.fetches.as_slice(), self.targets.as_slice());
        let options = RunOptions { trace: true, ..RunOptions::default() };
        let run = session.run_with_options(fetches, self.feeds.clone(), &options)?;
        Ok(run.trace.unwrap_or_default())
    }
}
