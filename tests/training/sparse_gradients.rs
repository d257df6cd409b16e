//! Gradients of tables whose rows are gathered, and training the tables with them.

use crate::common::{Outcome, in_both_modes};
use tidemill::prelude::*;
use tidemill::{IndexedSlices, RunOptions};

/// A table of four rows of two elements, each row filled with its number.
fn table() -> Variable {
    let rows = constant([[0.0_f32, 0.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]);
    get_variable("table", [4, 2], rows)
}

fn gradient(loss: Tensor, table: Variable) -> Tensor {
    gradients([loss], [table])[0].unwrap()
}

#[test]
fn the_gradient_of_a_lookup_has_the_rows_that_were_looked_up() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let table = table();
    let ids = constant([[2_i64, 0], [2, 3]]);
    let rows = embedding_lookup(table, ids);
    assert_eq!(rows.shape(), shape![2, 2, 2]);
    let gradient = gradient(reduce_sum(square(rows), ..), table);
    let slices = IndexedSlices::of(gradient).unwrap();
    for session in in_both_modes() {
        session.init_missing()?;
        assert_eq!(session.run(slices.indices)?, Value::from([2_i64, 0, 2, 3]));
        let values = session.run(slices.values)?;
        assert_eq!(values.to_string(), "[[4.0, 4.0], [0.0, 0.0], [4.0, 4.0], [6.0, 6.0]]");
        let dense = session.run(gradient)?;
        assert_eq!(dense.to_string(), "[[0.0, 0.0], [0.0, 0.0], [8.0, 8.0], [6.0, 6.0]]");
    }
    Ok(())
}

#[test]
fn several_lookups_of_one_table_give_the_slices_of_all() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let table = table();
    let (first, second) = (gather(table, [1_i32], 0), gather(table, [3_i64, 1], 0));
    let gradient = gradient(reduce_sum(first, ..) + reduce_sum(second * 2.0, ..), table);
    let slices = IndexedSlices::of(gradient).unwrap();
    let session = Session::new();
    session.init_missing()?;
    assert_eq!(session.run(slices.indices)?, Value::from([3_i64, 1, 1]));
    assert_eq!(session.run(slices.values)?.to_string(), "[[2.0, 2.0], [2.0, 2.0], [1.0, 1.0]]");
    Ok(())
}

#[test]
fn beside_a_use_of_the_whole_table_the_gradient_is_dense() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let table = table();
    let loss = reduce_sum(gather(table, [1, 1], 0), ..) + reduce_sum(square(table), ..);
    let gradient = gradient(loss, table);
    assert_eq!(IndexedSlices::of(gradient), None);
    let session = Session::new();
    session.init_missing()?;
    let dense = session.run(gradient)?;
    assert_eq!(dense.to_string(), "[[0.0, 0.0], [4.0, 4.0], [4.0, 4.0], [6.0, 6.0]]");
    Ok(())
}

#[test]
fn what_is_computed_with_a_sparse_gradient_is_dense() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let table = table();
    let gradient = gradient(reduce_sum(square(gather(table * 1.0, [1], 0)), ..), table);
    assert_eq!(IndexedSlices::of(gradient), None);
    let session = Session::new();
    session.init_missing()?;
    let dense = session.run(gradient)?;
    assert_eq!(dense.to_string(), "[[0.0, 0.0], [2.0, 2.0], [0.0, 0.0], [0.0, 0.0]]");
    Ok(())
}

#[test]
fn gradient_descent_moves_just_the_rows_that_were_looked_up() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let table = table();
    let ids = placeholder::<i32>(shape![?]);
    let loss = reduce_sum(square(embedding_lookup(table, ids)), ..);
    let train = GradientDescent::new(0.25).minimize(loss);
    for session in in_both_modes() {
        session.init_missing()?;
        // Both gradients of row 2 are taken before either moves it.
        session.run_with(train, feeds![ids => [2, 3, 2]])?;
        let moved = session.run(table)?.to_string();
        assert_eq!(moved, "[[0.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.5, 1.5]]");
        let options = RunOptions { trace: true, ..RunOptions::default() };
        let run = session.run_with_options(train, feeds![ids => [1, 1, 1]], &options)?;
        assert_eq!(run.stats.bytes_copied, 0);
        let trace = run.trace.unwrap();
        assert!(trace.steps.iter().all(|step| step.op != "UnsortedSegmentSum"), "{trace}");
        // The update is checked in its turn, and comes last.
        assert!(trace.steps.iter().any(|step| step.op == "Check"), "{trace}");
        assert_eq!(trace.steps.last().map(|step| step.op), Some("ScatterSub"));
    }
    Ok(())
}

#[test]
fn a_table_in_shards_gives_the_rows_and_gradients_of_the_whole() -> Outcome {
    for strategy in [PartitionStrategy::Mod, PartitionStrategy::Div] {
        let graph = Graph::new();
        let _default = graph.as_default();
        let rows: [Vec<f32>; 2] = match strategy {
            PartitionStrategy::Mod => [vec![0.0, 2.0, 4.0], vec![1.0, 3.0]],
            PartitionStrategy::Div => [vec![0.0, 1.0, 2.0], vec![3.0, 4.0]],
        };
        let shards = rows.map(|rows| reshape(constant(rows), [-1, 1]));
        let ids = constant([[4, 1], [0, 3]]);
        let found = embedding_lookup_sharded(shards, ids, strategy);
        assert_eq!(found.shape(), shape![2, 2, 1]);
        let gradients = gradients([reduce_sum(square(found), ..)], shards);
        let slices = gradients.iter().flatten().map(|&gradient| IndexedSlices::of(gradient));
        assert_eq!(slices.flatten().count(), 2);
        let session = Session::new();
        assert_eq!(session.run(found)?.to_string(), "[[[4.0], [1.0]], [[0.0], [3.0]]]");
        let dense = session.run([gradients[0].unwrap(), gradients[1].unwrap()])?;
        let expected = match strategy {
            PartitionStrategy::Mod => ["[[0.0], [0.0], [8.0]]", "[[2.0], [6.0]]"],
            PartitionStrategy::Div => ["[[0.0], [2.0], [0.0]]", "[[6.0], [8.0]]"],
        };
        assert_eq!(dense.map(|value| value.to_string()), expected);
    }
    Ok(())
}

#[test]
fn slices_with_one_number_are_added_to_one() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let values = constant([[1.0_f32], [2.0], [3.0]]);
    let indices = constant([5, 0, 5]);
    let slices = IndexedSlices { values, indices, dense_shape: constant([6, 1]) };
    let unique = slices.deduplicate();
    let session = Session::new();
    assert_eq!(session.run(unique.indices)?, Value::from([5, 0]));
    assert_eq!(session.run(unique.values)?.to_string(), "[[4.0], [2.0]]");
    let (dense, again) = session.run((slices.to_dense(), unique.to_dense()))?;
    assert_eq!(dense, again);
    Ok(())
}

#[test]
fn sparse_gradients_stay_sparse_when_they_are_clipped_together() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let table = table();
    let gradient = gradient(reduce_sum(gather(table, [3, 3], 0) * 2.0, ..), table);
    let (clipped, norm) = clip_by_global_norm([gradient], 2.0);
    let slices = IndexedSlices::of(clipped[0]).unwrap();
    let session = Session::new();
    session.init_missing()?;
    // As in TensorFlow, the norm is that of the slices, before those of the same row are added.
    assert_eq!(session.run(norm)?.to_scalar::<f32>()?, 4.0);
    assert_eq!(session.run(slices.values)?.to_string(), "[[1.0, 1.0], [1.0, 1.0]]");
    Ok(())
}

#[test]
fn a_gradient_that_is_printed_is_whole() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let table = table();
    let gradient = gradient(reduce_sum(gather(table, [3], 0), ..), table);
    print_on(gradient, [gradient]);
    assert_eq!(IndexedSlices::of(gradient), None);
    Ok(())
}

#[test]
fn gradients_of_sparse_gradients_can_be_taken() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let table = table();
    let cubes = gather(table, [1, 2, 1], 0);
    let first = gradient(reduce_sum(cubes * cubes * cubes, ..), table);
    let second = gradient(reduce_sum(first, ..), table);
    let session = Session::new();
    session.init_missing()?;
    let second = session.run(second)?;
    assert_eq!(second.to_string(), "[[0.0, 0.0], [12.0, 12.0], [12.0, 12.0], [0.0, 0.0]]");
    Ok(())
}

#[test]
fn clipping_a_sparse_gradient_clips_its_slices() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let table = table();
    let rows = embedding_lookup(table, constant([3_i64, 0, 3]));
    let gradient =
        gradient(reduce_sum(rows * [[3.0_f32, 4.0], [0.5, -2.0], [0.0, 0.0]], ..), table);
    let by_value = clip_by_value(gradient, -1.0, 1.0);
    let by_norm = clip_by_norm(gradient, 2.5, 1);
    let by_global_norm = clip_by_global_norm([gradient], 1.0).0[0];
    let values = |tensor| IndexedSlices::of(tensor).unwrap().values;
    for session in in_both_modes() {
        session.init_missing()?;
        let clipped = session.run([by_value, by_norm].map(values))?;
        assert_eq!(clipped[0].to_string(), "[[1.0, 1.0], [0.5, -1.0], [0.0, 0.0]]");
        assert_eq!(clipped[1].to_string(), "[[1.5, 2.0], [0.5, -2.0], [0.0, 0.0]]");
        let norm = session.run(global_norm([by_global_norm]))?;
        assert!((f32::try_from(norm)? - 1.0).abs() < 1e-6);
        assert_eq!(session.run(by_value)?.shape(), &[4, 2].into());
    }
    Ok(())
}
