//! Threads that run, cancel, time out, grow the graph and finalize it at random, and the memory
//! that the process holds after that.

use std::thread;
use std::time::{Duration, Instant};

use crate::{MEMORY, Outcome};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tidemill::prelude::*;
use tidemill::{Cancellation, MemoryReport, memory_report};

const THREADS: usize = 8;
/// The most plans that a session keeps.
const PLANS: usize = 1024;
/// The plans of a round that run more than once, on several threads at once.
const LASTING_PLANS: usize = 4;
/// The memory that printing may take meanwhile.
const SLACK: usize = 4096;

/// The state that all threads share in a round.
struct Round {
    graph: Graph,
    session: Session,
    x: Tensor,
    variables: Vec<Variable>,
    total: Tensor,
    step: Operation,
}

impl Round {
    fn new() -> Round {
        let graph = Graph::new();
        let options =
            SessionOptions { warn_to: Sink::function(|_| {}), ..SessionOptions::default() };
        let session = Session::with_options(&graph, options);
        let _default = graph.as_default();
        let x = placeholder::<f32>([64]);
        let variables: Vec<Variable> =
            (0..8).map(|i| get_variable(&format!("v{i}"), [64], zeros())).collect();
        let total = add_n(variables.iter().map(|&v| v * x).collect::<Vec<_>>());
        let step = group(variables.iter().map(|&v| assign_add(v, x).op()).collect::<Vec<_>>());
        session.init_missing().unwrap();
        Round { graph, session, x, variables, total, step }
    }

    /// Does random things until a moment; returns their number.
    fn work(&self, seed: u64, until: Instant) -> u64 {
        let _default = self.graph.as_default();
        let mut rng = StdRng::seed_from_u64(seed);
        let mut done = 0;
        while Instant::now() < until {
            done += 1;
            self.act(&mut rng);
        }
        done
    }

    fn act(&self, rng: &mut StdRng) {
        let Round { graph, session, x, variables, total, step } = self;
        let input = [rng.random::<f32>(); 64];
        match rng.random_range(0..100) {
            0..40 => drop(session.run_with(*total, feeds![*x => input]).unwrap()),
            40..70 => session.run_with(*step, feeds![*x => input]).unwrap(),
            70..85 => {
                let state = session.run(variables).unwrap();
                assert!(state.iter().all(|value| *value == state[0]));
            }
            85..95 => {
                let cancellation = Cancellation::new();
                if rng.random() {
                    cancellation.cancel();
                }
                let timeout = Some(Duration::from_micros(rng.random_range(0..50)));
                let cancellation = Some(cancellation);
                let options = RunOptions { timeout, cancellation, ..RunOptions::default() };
                let result = session.run_with_options(*step, feeds![*x => input], &options);
                let expected =
                    matches!(result, Ok(_) | Err(RunError::Cancelled | RunError::Timeout { .. }));
                assert!(expected);
            }
            95..99 => {
                let doubled = *total * 2.0;
                let result = session.run_with(doubled, feeds![*x => input]);
                assert!(matches!(result, Ok(_) | Err(RunError::Invalid { .. })));
            }
            _ if rng.random_range(0..1000) == 0 => graph.finalize(),
            _ => {}
        }
    }
}

/// The memory that the process holds.
#[derive(Clone, Copy)]
struct Held {
    report: MemoryReport,
    /// The bytes that are allocated and not freed.
    live: usize,
}

impl Held {
    fn now() -> Held {
        Held { report: memory_report(), live: MEMORY.in_use() }
    }
}

/// The memory that the process holds, in KiB, if the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Rounds of chaos, and the memory that they hold.
struct Chaos {
    before: Held,
    /// The memory that the first round left behind.
    first: Option<Held>,
    /// The most memory that a round held at its end.
    fullest: Held,
    /// The most bytes that were in use at once.
    peak: usize,
    runs: u64,
}

impl Chaos {
    fn new() -> Chaos {
        let before = Held::now();
        Chaos { before, first: None, fullest: before, peak: 0, runs: 0 }
    }

    fn run(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            self.round(end.min(Instant::now() + Duration::from_secs(2)));
        }
    }

    fn round(&mut self, until: Instant) {
        let round = Round::new();
        let work = || {
            thread::scope(|scope| {
                let round = &round;
                let start = |seed| scope.spawn(move || round.work(seed, until));
                let workers: Vec<_> = (0..THREADS as u64).map(start).collect();
                workers.into_iter().map(|worker| worker.join().unwrap()).sum::<u64>()
            })
        };
        let (peak, runs) = MEMORY.peak_in(work);
        self.peak = self.peak.max(peak);
        self.runs += runs;
        let kept = Held::now();
        self.check_kept(&kept);
        if kept.live > self.fullest.live {
            self.fullest = kept;
        }
        drop(round);
        self.check_left(&Held::now());
    }

    /// Everything that a round keeps while its graph and session live has a name, and a bound.
    fn check_kept(&self, kept: &Held) {
        let Held { report, live } = kept;
        let (named, grown) = (report.bytes(), live - self.before.live);
        assert!(named >= grown / 10 * 8, "{named} of {grown} bytes have a name:\n{report}");
        assert!(report.plans.count <= PLANS, "{report}");
        assert!(report.idle_runs.count <= PLANS + THREADS * LASTING_PLANS, "{report}");
    }

    /// A round leaves nothing behind when its graph and session are gone.
    fn check_left(&mut self, left: &Held) {
        let Held { report, live } = left;
        for ((kind, held), (_, before)) in report.kinds().iter().zip(self.before.report.kinds()) {
            assert_eq!(held.count, before.count, "{kind} are left behind:\n{report}");
        }
        // The process keeps what the first round sets up.
        let first = self.first.get_or_insert(*left).live;
        assert!(*live <= first + SLACK, "{live} bytes are in use, {first} after the first round");
    }

    fn print(&self) {
        let [left, peak] = [MEMORY.in_use(), self.peak].map(|bytes| bytes / 1024);
        let resident = resident().unwrap_or_default();
        println!(
            "{} runs; KiB in use between rounds: {left}, at most: {peak}; resident: {resident}",
            self.runs
        );
    }
}

pub(crate) fn a_few_seconds_of_it_leave_nothing_behind() -> Outcome {
    let mut chaos = Chaos::new();
    chaos.run(Duration::from_secs(3));
    assert!(chaos.runs > 100);
    Ok(())
}

/// The command is in docs/reliability.md.
pub(crate) fn ten_minutes_of_it_hold_no_more_memory_at_the_end_than_after_the_first() -> Outcome {
    let mut chaos = Chaos::new();
    let mut first = None;
    for minutes in [1, 1, 3, 5] {
        chaos.run(Duration::from_secs(60 * minutes));
        chaos.print();
        first = first.or_else(resident);
    }
    println!("The fullest round held\n{}", chaos.fullest.report);
    if let (Some(first), Some(last)) = (first, resident()) {
        assert!(last <= first + first / 4 + 4 * 1024, "{first} KiB grew to {last}");
    }
    Ok(())
}
