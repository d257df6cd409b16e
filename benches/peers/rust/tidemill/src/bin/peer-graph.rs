//! A run of a GraphDef file, timed by kernels.py.
//!
//! ```text
//! peer-graph GRAPH FEEDS FETCH THREADS
//! ```
//!
//! FEEDS is a safetensors file with a value for each tensor to feed. The first output line has the
//! sums of the fetched values and of their magnitudes; then each request for a number of runs is
//! answered with the nanoseconds that each takes.

use std::fs;
use std::io::{BufRead, stdin};
use std::time::Instant;

use peer_protocol::Result;
use tidemill::import_graph_def;
use tidemill::prelude::*;
use tidemill_formats::read_safetensors;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [graph, feeds, fetch, threads] = &arguments[..] else {
        return Err("peer-graph GRAPH FEEDS FETCH THREADS".into());
    };
    import_graph_def(&fs::read(graph)?)?;
    let graph = default_graph();
    let options = SessionOptions { threads: Some(threads.parse()?), ..SessionOptions::default() };
    let session = Session::with_options(&graph, options);
    let (names, values): (Vec<_>, Vec<_>) =
        read_safetensors(&fs::read(feeds)?)?.into_iter().unzip();
    let fed =
        names.iter().map(|name| graph.tensor(name)).collect::<std::result::Result<Vec<_>, _>>()?;
    let run = session.callable(&fed, graph.tensor(fetch)?)?;
    let values: Vec<&Value> = values.iter().collect();

    let numbers = run.call(values.clone())?;
    let numbers = numbers.as_slice::<f32>()?;
    let sum = |f: fn(f64) -> f64| numbers.iter().map(|&x| f(x.into())).sum::<f64>();
    println!("{} {}", sum(|x| x), sum(f64::abs));
    for line in stdin().lock().lines() {
        let runs: u32 = line?.trim().parse()?;
        let start = Instant::now();
        for _ in 0..runs {
            drop(run.call(values.clone())?);
        }
        println!("{}", start.elapsed().as_nanos() / u128::from(runs));
    }
    Ok(())
}
