//! Tidemill on case folders, asked by models.py, or by whoever looks for where the time goes:
//!
//! ```text
//! peer-model THREADS                  answers models.py
//! peer-model THREADS run FOLDER N     N runs, for a profiler; prints the nanoseconds of one
//! peer-model THREADS trace FOLDER     the steps of the fastest of several runs, longest first
//! peer-model THREADS explain FOLDER   the plan, and why rules did not apply
//! ```

use std::cmp::Reverse;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use peer_protocol::Result;
use peer_protocol::graphs::{CaseFolder, Model, elements, serve, time_runs};
use tidemill::prelude::*;
use tidemill::{Callable, RunTrace, import_graph_def};

static THREADS: OnceLock<usize> = OnceLock::new();

const TRACED_RUNS: usize = 15;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (threads, request) = arguments.split_first().ok_or("peer-model THREADS [REQUEST]")?;
    THREADS.get_or_init(|| threads.parse().unwrap_or(1));
    let request: Vec<&str> = request.iter().map(String::as_str).collect();
    match request[..] {
        [] => serve::<Network>(&format!("Tidemill {}", env!("CARGO_PKG_VERSION"))),
        ["run", folder, runs] => {
            let mut network = open(folder)?;
            network.run()?;
            network.run()?;
            println!("{}", time_runs(&mut network, runs.parse()?)?);
            Ok(())
        }
        ["trace", folder] => open(folder)?.print_trace(),
        ["explain", folder] => open(folder)?.explain(),
        _ => Err("a request is `run FOLDER N`, `trace FOLDER` or `explain FOLDER`".into()),
    }
}

fn open(folder: &str) -> Result<Network> {
    Network::prepare(&CaseFolder::open(Path::new(folder))?)
}

type Fetches = (Tensor, Vec<Operation>);

struct Network {
    session: Session,
    feeds: Vec<Tensor>,
    fetches: Fetches,
    run: Callable<Fetches>,
    values: Vec<Value>,
}

impl Model for Network {
    type Output = Value;

    fn prepare(folder: &CaseFolder) -> Result<Self> {
        reset_default_graph();
        import_graph_def(&folder.graph()?)?;
        let graph = default_graph();
        let options =
            SessionOptions { threads: THREADS.get().copied(), ..SessionOptions::default() };
        let session = Session::with_options(&graph, options);
        for name in &folder.initializers {
            session.run(graph.operation(name)?)?;
        }
        let tensor = |name: &String| graph.tensor(name);
        let feeds = folder.feeds.iter().map(tensor).collect::<std::result::Result<Vec<_>, _>>()?;
        let targets = folder.targets.iter().map(|name| graph.operation(name));
        let fetches = (tensor(&folder.fetch)?, targets.collect::<std::result::Result<_, _>>()?);
        let run = session.callable(&feeds, fetches.clone())?;
        Ok(Network { session, feeds, fetches, run, values: folder.values.clone() })
    }

    fn run(&mut self) -> Result<Value> {
        let values: Vec<&Value> = self.values.iter().collect();
        Ok(self.run.call(values)?.0)
    }

    fn elements(output: &Value) -> Result<Vec<f64>> {
        elements(output)
    }
}

impl Network {
    fn trace(&self) -> Result<RunTrace> {
        let options = RunOptions { trace: true, ..RunOptions::default() };
        let values: Vec<&Value> = self.values.iter().collect();
        Ok(self.run.call_with_options(values, &options)?.trace.ok_or("a run without a trace")?)
    }

    fn print_trace(&self) -> Result<()> {
        let traces = (0..TRACED_RUNS).map(|_| self.trace()).collect::<Result<Vec<_>>>()?;
        let total = |trace: &RunTrace| trace.steps.iter().map(|step| step.duration).sum();
        let fastest = traces.into_iter().min_by_key(total).ok_or("no run")?;
        println!("{fastest}");
        let sum: Duration = total(&fastest);
        let mut steps = fastest.steps;
        steps.sort_by_key(|step| Reverse(step.duration));
        for step in steps {
            let share = 100.0 * step.duration.as_secs_f64() / sum.as_secs_f64();
            println!(
                "{:>10.2} µs {share:>5.1} % {:>12} B  {:<24} {}",
                step.duration.as_secs_f64() * 1e6,
                step.bytes,
                step.op,
                step.name
            );
        }
        Ok(())
    }

    fn explain(&self) -> Result<()> {
        let explanation = self.session.explain(&self.fetches, &self.feeds)?;
        println!("{explanation}");
        for report in &explanation.rules {
            for (why_not, times) in &report.refusals {
                println!("{} refused {times} times: {why_not}", report.rule);
            }
        }
        Ok(())
    }
}
