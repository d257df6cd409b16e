//! Checkpoints that are written while training goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::{Outcome, number};
use tidemill::checkpoint::{CheckpointState, list_variables};
use tidemill::prelude::*;
use tidemill::{Goal, SaverError};

/// A variable, and an operation that adds 1 to it.
fn counter() -> (Variable, Tensor) {
    let x = get_variable("x", [], zeros());
    (x, assign_add(x, 1.0))
}

fn file_names(folder: &Path) -> Vec<String> {
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

fn steps(checkpoints: &[PathBuf]) -> Vec<String> {
    let step = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.trim_end_matches(".safetensors").rsplit('-').next().unwrap().to_owned()
    };
    checkpoints.iter().map(step).collect()
}

/// Trains up to a step, starting from the newest checkpoint, and returns the step of that.
fn train_to(
    last: u64,
    mut checkpointer: Checkpointer,
    session: &Session,
    train: Tensor,
) -> Result<u64, Box<dyn std::error::Error>> {
    let first = checkpointer.restore(session)?.map_or(0, |restored| restored.step);
    for step in first + 1..=last {
        session.run(train)?;
        checkpointer.after_step(session, step)?;
        // So that no save is under way when the next one is due.
        checkpointer.wait()?;
    }
    Ok(first)
}

#[test]
fn it_saves_every_so_many_steps_and_goes_on_from_the_newest() -> Outcome {
    for name in ["model.ckpt", "model.safetensors"] {
        let graph = Graph::new();
        let _default = graph.as_default();
        let (x, train) = counter();
        let folder = tempfile::tempdir()?;
        let prefix = folder.path().join(name);
        for (last, expected) in [(25, 0), (44, 20), (45, 40), (60, 40)] {
            let session = Session::new();
            session.init_missing()?;
            let checkpointer = Checkpointer::new(&prefix)?.every_steps(10).keep_last(2);
            assert_eq!(train_to(last, checkpointer, &session, train)?, expected);
            assert_eq!(number(&session, x), last as f32);
        }
        assert_eq!(steps(&Checkpointer::new(&prefix)?.checkpoints()), ["50", "60"]);
        let listed = CheckpointState::read(folder.path())?.unwrap();
        assert_eq!(steps(&listed.all), ["50", "60"]);
        assert_eq!(steps(&[listed.latest]), ["60"]);
        assert_eq!(file_names(folder.path()).len(), if name == "model.ckpt" { 5 } else { 3 });
    }
    Ok(())
}

#[test]
fn it_saves_when_so_much_time_has_gone_by() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (_, train) = counter();
    let folder = tempfile::tempdir()?;
    let session = Session::new();
    session.init_missing()?;
    let prefix = folder.path().join("model.ckpt");
    let mut checkpointer = Checkpointer::new(&prefix)?.every(Duration::from_millis(20));
    session.run(train)?;
    assert!(!checkpointer.is_due(1));
    thread::sleep(Duration::from_millis(30));
    assert!(checkpointer.is_due(1));
    checkpointer.after_step(&session, 1)?;
    assert!(!checkpointer.is_due(2));
    checkpointer.wait()?;
    assert_eq!(steps(&checkpointer.checkpoints()), ["1"]);
    assert!(!Checkpointer::new(&prefix)?.is_due(1_000_000));
    Ok(())
}

#[test]
fn the_best_by_a_metric_are_kept_beside_the_last() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    counter();
    let session = Session::new();
    session.init_missing()?;
    for (goal, kept, best) in
        [(Goal::Lowest, ["2", "4", "6"], "2"), (Goal::Highest, ["3", "5", "6"], "3")]
    {
        let folder = tempfile::tempdir()?;
        let prefix = folder.path().join("model.ckpt");
        let open =
            || Ok::<_, SaverError>(Checkpointer::new(&prefix)?.keep_last(1).keep_best(2, goal));
        for (step, metric) in (1..).zip([5.0, 1.0, 9.0, 2.0, 8.0, f64::NAN]) {
            // A new checkpointer each time: metrics are in the files.
            open()?.save(&session, step, Some(metric))?;
        }
        let checkpointer = open()?;
        assert_eq!(steps(&checkpointer.checkpoints()), kept);
        assert_eq!(steps(&[checkpointer.best().unwrap()]), [best]);
    }
    Ok(())
}

#[test]
fn a_torn_checkpoint_is_passed_over() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, train) = counter();
    let folder = tempfile::tempdir()?;
    let prefix = folder.path().join("model.ckpt");
    let open = || Ok::<_, SaverError>(Checkpointer::new(&prefix)?.every_steps(1).keep_last(3));
    let session = Session::new();
    session.init_missing()?;
    train_to(3, open()?, &session, train)?;
    let data = |step| folder.path().join(format!("model.ckpt-{step}.data-00000-of-00001"));
    let mut bytes = fs::read(data(3))?;
    bytes.iter_mut().for_each(|byte| *byte ^= 1);
    fs::write(data(3), bytes)?;

    let restored = Session::new();
    let mut checkpointer = open()?;
    let report = checkpointer.restore(&restored)?.unwrap();
    assert_eq!((report.step, report.skipped.len(), number(&restored, x)), (2, 1, 2.0));
    assert!(report.skipped[0].0.ends_with("model.ckpt-3"));
    assert_eq!(steps(&checkpointer.checkpoints()), ["1", "2"]);
    for step in [1, 2] {
        fs::write(data(step), "")?;
    }
    let error = open()?.restore(&restored).unwrap_err();
    assert!(matches!(error, SaverError::NoneReadable { .. }), "{error}");
    assert!(error.to_string().contains("model.ckpt-3"), "{error}");
    Ok(())
}

#[test]
fn a_checkpoint_of_another_model_is_not_passed_over() -> Outcome {
    let folder = tempfile::tempdir()?;
    let prefix = folder.path().join("model.ckpt");
    for extent in [2, 3] {
        let graph = Graph::new();
        let _default = graph.as_default();
        get_variable("x", [extent], zeros());
        let session = Session::new();
        session.init_missing()?;
        let mut checkpointer = Checkpointer::new(&prefix)?;
        match extent {
            2 => checkpointer.save(&session, 1, None)?,
            _ => {
                let error = checkpointer.restore(&session).unwrap_err();
                assert!(matches!(error, SaverError::Incomplete(_)), "{error}");
            }
        }
    }
    Ok(())
}

#[test]
fn what_goes_wrong_in_the_background_is_told_at_the_next_call() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    counter();
    let folder = tempfile::tempdir()?;
    let session = Session::new();
    session.init_missing()?;
    let inner = folder.path().join("inner");
    let mut checkpointer = Checkpointer::new(inner.join("model.ckpt"))?.every_steps(1);
    fs::write(&inner, "no folder")?;
    checkpointer.save(&session, 1, None)?;
    let error = checkpointer.save(&session, 2, None).unwrap_err();
    assert!(error.to_string().contains("inner"), "{error}");
    fs::remove_file(&inner)?;
    checkpointer.after_step(&session, 3)?;
    checkpointer.wait()?;
    assert_eq!(steps(&checkpointer.checkpoints()), ["3"]);
    Ok(())
}

#[test]
fn it_finishes_with_a_checkpoint_of_the_last_step() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    counter();
    let folder = tempfile::tempdir()?;
    let session = Session::new();
    session.init_missing()?;
    let mut checkpointer = Checkpointer::new(folder.path().join("model.ckpt"))?.every_steps(2);
    checkpointer.after_step(&session, 2)?;
    checkpointer.wait()?;
    let index = folder.path().join("model.ckpt-2.index");
    let written = fs::metadata(&index)?.modified()?;
    checkpointer.finish(&session, 2)?;
    assert_eq!(fs::metadata(&index)?.modified()?, written);
    checkpointer.finish(&session, 3)?;
    assert_eq!(steps(&checkpointer.checkpoints()), ["2", "3"]);
    Ok(())
}

#[test]
fn dropping_it_waits_for_the_save_that_is_under_way() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    get_variable("x", [1 << 20], zeros());
    let folder = tempfile::tempdir()?;
    let prefix = folder.path().join("model.ckpt");
    let session = Session::new();
    session.init_missing()?;
    let mut checkpointer = Checkpointer::new(&prefix)?;
    checkpointer.save(&session, 7, None)?;
    drop(checkpointer);
    assert_eq!(Checkpointer::new(&prefix)?.restore(&Session::new())?.unwrap().step, 7);
    Ok(())
}

#[test]
fn what_killed_processes_left_is_removed() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    counter();
    let folder = tempfile::tempdir()?;
    let ours = ["model.ckpt-3.index.tmp-0123456789abcdef-7", "checkpoint.tmp-00000000000000aa-0"];
    let others = ["model.ckpt-3.tmp-notes", "other.ckpt-3.index.tmp-0123456789abcdef-7"];
    for name in ours.iter().chain(&others) {
        fs::write(folder.path().join(name), "torn")?;
    }
    Checkpointer::new(folder.path().join("model.ckpt"))?;
    assert_eq!(file_names(folder.path()), others);
    Ok(())
}

#[test]
fn random_numbers_go_on_where_they_were() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, _) = counter();
    let seeded = random_integers([4], 0, 1 << 30, Some(3));
    let unseeded = random_integers([4], 0, 1 << 30, None);
    let folder = tempfile::tempdir()?;
    let prefix = folder.path().join("model.ckpt");
    let first = Session::new();
    first.init_missing()?;
    first.run([seeded, unseeded])?;
    first.run(unseeded)?;
    let saver = Saver::new()?;
    saver.save(&first, folder.path().join("plain"))?;
    let mut checkpointer = Checkpointer::new(&prefix)?;
    checkpointer.save(&first, 1, None)?;
    checkpointer.wait()?;
    let expected = [first.run([seeded, unseeded])?, first.run([seeded, unseeded])?];

    let second = Session::new();
    for _ in 0..5 {
        second.run([seeded, unseeded])?;
    }
    let report = checkpointer.restore(&second)?.unwrap().report;
    assert!(report.unexpected.is_empty(), "{report}");
    let drawn = [second.run([seeded, unseeded])?, second.run([seeded, unseeded])?];
    assert_eq!(drawn, expected);
    assert_eq!(second.seed(), first.seed());

    // A saver restores only variables, unless told otherwise.
    let third = Session::new();
    saver.restore(&third, &checkpointer.checkpoints()[0])?;
    assert_ne!(third.run(unseeded)?, expected[0][1]);
    assert_eq!(number(&third, x), 0.0);
    let plain: Vec<String> = list_variables(folder.path().join("plain"))?
        .into_iter()
        .map(|info| info.to_string())
        .collect();
    assert_eq!(plain, ["x: float32[]"]);
    let names = list_variables(&checkpointer.checkpoints()[0])?.len();
    assert_eq!(names, 5, "the variable, the step, the seed and two counts");
    Ok(())
}

#[test]
fn random_numbers_in_branches_go_on_where_they_were() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    counter();
    let draws = placeholder::<bool>([]);
    let drawn = || random(Distribution::Uniform { min: 0.0, max: 1.0 }, [4], DType::F32, None);
    let x = cond(draws, drawn, || constant([0.0_f32; 4]));
    let folder = tempfile::tempdir()?;
    let first = Session::new();
    first.init_missing()?;
    let run = |session: &Session, draws_now: bool| session.run_with(x, feeds![draws => draws_now]);
    run(&first, true)?;
    run(&first, false)?;
    let mut checkpointer = Checkpointer::new(folder.path().join("model.ckpt"))?;
    checkpointer.save(&first, 1, None)?;
    let second = Session::new();
    checkpointer.restore(&second)?;
    for draws_now in [false, true, true] {
        assert_eq!(run(&first, draws_now)?, run(&second, draws_now)?);
    }
    Ok(())
}

#[test]
fn a_checkpoint_is_of_one_moment_while_other_threads_train() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = get_variable("x", [], zeros());
    let drawn = random(Distribution::Uniform { min: 0.0, max: 1.0 }, [], DType::F32, None);
    // Each run draws once and counts once.
    let train = control_dependencies([drawn], || assign_add(x, 1.0));
    let folder = tempfile::tempdir()?;
    let session = Session::new();
    session.init_missing()?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| -> Outcome {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    session.run(train).unwrap();
                    thread::sleep(Duration::from_micros(50));
                }
            });
        }
        let mut checkpointer = Checkpointer::new(folder.path().join("model.ckpt"))?;
        let saved = (1..=20).try_for_each(|step| -> Outcome {
            checkpointer.save(&session, step, None)?;
            let restored = Session::new();
            checkpointer.restore(&restored)?;
            let draws = restored.random_state().draws;
            assert_eq!(draws.into_values().sum::<u64>() as f32, number(&restored, x));
            Ok(())
        });
        done.store(true, Ordering::Relaxed);
        saved
    })
}
