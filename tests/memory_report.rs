//! The ledger of what a process holds. It is the whole process's, so that there is one test.

mod common;

use common::Outcome;
use tidemill::prelude::*;
use tidemill::{MemoryReport, memory_report};

/// The names of the kinds of which there is something.
fn present(report: &MemoryReport) -> Vec<&'static str> {
    report.kinds().into_iter().filter(|(_, held)| held.count > 0).map(|(kind, _)| kind).collect()
}

#[test]
fn everything_is_counted_by_kind_as_long_as_something_holds_it() -> Outcome {
    assert_eq!(present(&memory_report()), [""; 0]);
    let graph = Graph::new();
    let session = Session::with_graph(&graph);
    let x = {
        let _default = graph.as_default();
        let table = constant(vec![1.0_f32; 1000]);
        let x = placeholder::<f32>([1000]);
        let weights = get_variable("weights", [1000], zeros());
        let chosen = cond(greater(reduce_sum(x, ..), 0.0), || x * table, || x + table);
        let failed = x + placeholder::<f32>([3]);
        assert!(graph.check().is_err(), "{failed:?}");
        let step = assign_add(weights, chosen);
        session.init_missing()?;
        session.run_with(step.op(), feeds![x => vec![1.0_f32; 1000]])?;
        x
    };
    let report = memory_report();
    let kinds =
        ["graphs", "nodes", "constants", "names", "diagnoses", "sessions", "variables", "plans"];
    assert_eq!(present(&report)[..8], kinds);
    // The graph and both branches.
    assert_eq!(report.graphs.count, 3);
    assert_eq!((report.diagnoses.count, report.sessions.count), (1, 1));
    // The branches have the array of the constant outside, which plans share with the graph.
    assert_eq!((report.variables.count, report.variables.bytes), (1, 4000));
    assert!((4000..8000).contains(&report.constants.bytes), "{report}");
    // They have zeros to start the variable with, which were folded.
    assert!(report.plans.count >= 4, "{report}");
    assert!((4000..12_000).contains(&report.plans.bytes), "{report}");
    assert!(report.idle_runs.count >= 2 && report.idle_runs.bytes >= 4000, "{report}");
    assert_eq!(report.bytes(), report.kinds().iter().map(|(_, held)| held.bytes).sum::<usize>());

    drop(graph);
    assert_eq!(memory_report().graphs.count, 3, "the session keeps its graph");
    session.close();
    assert_eq!(memory_report().variables.count, 0, "a closed session has no values");
    drop(session);
    // A failed call on a handle whose graph is gone is the process's.
    let lost = (0..10).map(|_| -x).last();
    assert!(lost.is_some());
    let report = memory_report();
    assert_eq!(report.diagnoses.count, 1);
    let kinds: Vec<_> = present(&report).into_iter().filter(|kind| *kind != "threads").collect();
    assert_eq!(kinds, ["diagnoses"]);
    Ok(())
}
