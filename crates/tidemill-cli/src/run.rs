//! `tidemill run`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::ProgressBar;
use tidemill_formats::write_file;
use tidemill_graphdef::Signature;
use tidemill_ops::{Inspect, Operation, Tensor};
use tidemill_runtime::{Feeds, RunOptions, RunTrace, SessionOptions};
use tidemill_value::{DType, Value};

use crate::failure::Failure;
use crate::formats::write_all;
use crate::graph::{Model, ModelArgs, hint};
use crate::latency::Latencies;
use crate::tensors::{Pair, parse_file_pair, parse_pair, read_feed};

/// Runs a graph, and prints its results.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub(crate) struct Args {
    /// The graph: a GraphDef, binary or as text, a MetaGraphDef, or the folder of a SavedModel.
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
    /// Runs an operation, without fetching anything from it.
    #[arg(long = "target", value_name = "NAME", group = "what")]
    targets: Vec<String>,
    /// Names feeds and fetches as a signature does; without --fetch, fetches all its outputs.
    #[arg(long, value_name = "NAME", group = "what")]
    signature: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
    /// Runs this many times, and prints how long it took.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    repeat: Option<u32>,
    /// Computes on at most this many threads.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    threads: Option<u32>,
    /// The seed of random operations that have none.
    #[arg(long)]
    seed: Option<u64>,
    /// Writes a trace of the steps of one more run, for Perfetto or chrome://tracing.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, output: &mut dyn Write) -> Result<(), Failure> {
    let options = SessionOptions {
        threads: args.threads.map(|threads| threads as usize),
        seed: args.seed,
        ..SessionOptions::default()
    };
    let model = Model::open(&args.file, &args.model, options)?;
    let request = Request::new(&model, args)?;
    let (values, latencies) = request.repeat(args.repeat.unwrap_or(1))?;
    request.show(&values, output)?;
    if args.repeat.is_some() {
        writeln!(output, "{latencies}")?;
    }
    if args.repeat.is_some() || args.trace.is_some() {
        let trace = request.trace()?;
        if let Some(path) = &args.trace {
            write_file(path, |file| file.write_all(trace.to_chrome_json().as_bytes()))?;
        }
        writeln!(output, "{trace}")?;
    }
    Ok(())
}

/// The tensors to feed, fetch and run.
struct Request<'a> {
    model: &'a Model,
    feeds: Feeds,
    fetches: Vec<Fetched<'a>>,
    tensors: Vec<Tensor>,
    targets: Vec<Operation>,
}

/// The destination of a fetched tensor.
struct Fetched<'a> {
    name: &'a str,
    /// The file to write it to, unless it is printed.
    file: Option<&'a Path>,
}

impl<'a> Request<'a> {
    fn new(model: &'a Model, args: &'a Args) -> Result<Self, Failure> {
        let signature = args.signature.as_ref().map(|name| model.signature(name)).transpose()?;
        let names = Names { model, signature };
        let mut feeds = Feeds::new();
        for Pair { name, rest } in &args.feeds {
            let of_feed = |error: Failure| format!("--feed {name}: {error}");
            let tensor = names.find(name, |signature| &signature.inputs).map_err(of_feed)?;
            let dtype = tensor.dtype().unwrap_or(DType::F32);
            feeds = feeds.feed(tensor, read_feed(rest, dtype).map_err(of_feed)?);
        }
        let printed = args.fetches.iter().map(|name| Fetched { name, file: None });
        let saved = args.saves.iter().map(|(name, file)| Fetched { name, file: Some(file) });
        let mut fetches: Vec<Fetched<'_>> = printed.chain(saved).collect();
        if let (Some(signature), true) = (signature, fetches.is_empty() && args.targets.is_empty())
        {
            let printed = signature.outputs.keys().map(|name| Fetched { name, file: None });
            fetches.extend(printed);
        }
        let tensor = |fetched: &Fetched<'_>| {
            names
                .find(fetched.name, |signature| &signature.outputs)
                .map_err(|error| format!("cannot fetch {}: {error}", fetched.name))
        };
        let tensors = fetches.iter().map(tensor).collect::<Result<_, _>>()?;
        let target = |name: &String| {
            model.graph().operation(name).map_err(|error| format!("--target {name}: {error}"))
        };
        let targets = args.targets.iter().map(target).collect::<Result<_, _>>()?;
        Ok(Request { model, feeds, fetches, tensors, targets })
    }

    /// Runs several times. The values are those of the last run.
    fn repeat(&self, times: u32) -> Result<(Vec<Value>, Latencies), Failure> {
        let once = || -> Result<_, Failure> {
            let start = Instant::now();
            let fetches = (self.tensors.as_slice(), self.targets.as_slice());
            let run = self.model.session.run_with(fetches, self.feeds.clone());
            let (values, _) = run.map_err(|error| self.model.explain(&error))?;
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

    /// Prints the fetched values, or writes them to files.
    fn show(&self, values: &[Value], output: &mut dyn Write) -> Result<(), Failure> {
        let mut files: BTreeMap<&Path, Vec<(&str, &Value)>> = BTreeMap::new();
        for (&Fetched { name, file }, value) in self.fetches.iter().zip(values) {
            match file {
                Some(file) => files.entry(file).or_default().push((name, value)),
                None => writeln!(output, "{name}: {}{}\n  {value}", value.dtype(), value.shape())?,
            }
        }
        files.into_iter().try_for_each(|(path, tensors)| write_all(path, tensors))
    }

    /// Runs once more, and traces the steps.
    fn trace(&self) -> Result<RunTrace, Failure> {
        let fetches = (self.tensors.as_slice(), self.targets.as_slice());
        let options = RunOptions { trace: true, ..RunOptions::default() };
        let session = &self.model.session;
        let run = session.run_with_options(fetches, self.feeds.clone(), &options);
        let run = run.map_err(|error| self.model.explain(&error))?;
        Ok(run.trace.unwrap_or_default())
    }
}

/// The meaning of names: arguments and results of a signature, or tensors of the graph.
struct Names<'a> {
    model: &'a Model,
    signature: Option<&'a Signature>,
}

impl<'a> Names<'a> {
    fn find(
        &self,
        name: &str,
        list: impl Fn(&'a Signature) -> &'a BTreeMap<String, Tensor>,
    ) -> Result<Tensor, Failure> {
        let Some(signature) = self.signature else { return Ok(self.model.graph().tensor(name)?) };
        let named = list(signature);
        named
            .get(name)
            .copied()
            .ok_or_else(|| format!("the signature has no `{name}`{}", hint(name, named)).into())
    }
}
