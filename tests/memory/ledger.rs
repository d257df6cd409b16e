//! The ledger of a process's memory.

use std::error::Error;

use crate::Outcome;
use tidemill::prelude::*;
use tidemill::{MemoryReport, memory_report};

/// The names of the kinds that have grown.
fn grown(report: &MemoryReport, before: &MemoryReport) -> Vec<&'static str> {
    let kinds = report.kinds().into_iter().zip(before.kinds());
    let grown = kinds.filter(|((_, held), (_, before))| held.count > before.count);
    grown.map(|((kind, _), _)| kind).filter(|kind| *kind != "threads").collect()
}

pub(crate) fn everything_is_counted_by_kind_as_long_as_something_holds_it() -> Outcome {
    let before = memory_report();
    assert_eq!(before.graphs.count, 0, "{before}");
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
        // A value that the program keeps: the run needs memory of its own.
        let input = Value::from(vec![1.0_f32; 1000]);
        session.run_with(step.op(), feeds![x => &input])?;
        x
    };
    let report = memory_report();
    assert_eq!(grown(&report, &before).len(), 9, "{report}");
    // The graph and both branches.
    assert_eq!(report.graphs.count, 3);
    assert_eq!(report.diagnoses.count, before.diagnoses.count + 1);
    assert_eq!(report.sessions.count, 1);
    // The branches share the array of the constant outside, which plans share with the graph.
    assert_eq!((report.variables.count, report.variables.bytes), (1, 4000));
    assert!((4000..8000).contains(&report.constants.bytes), "{report}");
    // They have the folded zeros that initialize the variable.
    assert!(report.plans.count >= 4, "{report}");
    assert!((4000..12_000).contains(&report.plans.bytes), "{report}");
    assert!(report.idle_runs.count >= 2 && report.idle_runs.bytes >= 4000, "{report}");
    assert_eq!(report.bytes(), report.kinds().iter().map(|(_, held)| held.bytes).sum::<usize>());

    drop(graph);
    assert_eq!(memory_report().graphs.count, 3, "the session keeps its graph");
    session.close();
    assert_eq!(memory_report().variables.count, 0, "a closed session has no values");
    drop(session);
    // A failed call on a handle whose graph is gone is counted for the process.
    let lost: Vec<Tensor> = (0..10).map(|_| -x).collect();
    assert_eq!(lost.len(), 10);
    let report = memory_report();
    assert_eq!(report.diagnoses.count, before.diagnoses.count + 1);
    assert_eq!(grown(&report, &before), ["diagnoses"]);
    Ok(())
}

pub(crate) fn plans_for_shapes_share_the_operands_that_were_packed_for_them() -> Outcome {
    const SIDE: usize = 256;
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>(shape![?, SIDE]);
    let weights: Vec<f32> = (0..SIDE * SIDE).map(|i| i as f32).collect();
    let y = matmul(x, constant(Value::from_vec([SIDE, SIDE], weights)?));
    let session = Session::new();
    let bytes_with = |rows: usize| {
        // Shapes that are fed for the second time get a plan.
        for _ in 0..2 {
            session.run_with(y, feeds![x => Value::zeros(DType::F32, [rows, SIDE])?])?;
        }
        Ok::<_, Box<dyn Error>>(memory_report().plans.bytes)
    };
    let one = bytes_with(100)?;
    bytes_with(50)?;
    bytes_with(33)?;
    let four = bytes_with(25)?;
    assert!(four < one + SIDE * SIDE, "{one}, then {four} bytes");
    Ok(())
}
