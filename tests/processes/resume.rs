//! Training that is stopped or killed, and restored in a new process, ends with the same bits as
//! without the interruption.

use std::env;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::common::Outcome;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tidemill::RandomState;
use tidemill::layers::{BatchNormalization, batch_normalization};
use tidemill::prelude::*;

/// The prefix of the checkpoints of a training process, and the step after which it stops.
const PREFIX: &str = "TIDEMILL_RESUME_PREFIX";
const LAST: &str = "TIDEMILL_RESUME_LAST";
const STEPS: u64 = 50;
/// The duration of a step in a process that will be killed.
const PAUSE: &str = "TIDEMILL_RESUME_PAUSE_MS";

/// Adam, shuffled batches, batch normalization, dropout, a changing rate, averaged weights:
/// everything that must not lose its state.
fn training() -> Operation {
    let rows: Vec<f32> = (0..64 * 8).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
    let features = constant(Value::from_vec([64, 8], rows).unwrap());
    let labels = constant((0..64).map(|i| i * i % 5 % 3).collect::<Vec<i32>>());
    let batch = random_shuffle(range(0, 64, 1), None).slice(s![..16]);
    let (x, y) = (gather(features, batch, 0), gather(labels, batch, 0));

    let weights = |name, shape: [usize; 2]| get_variable(name, shape, glorot_uniform());
    let hidden = matmul(x, weights("hidden", [8, 32]));
    let hidden = relu(batch_normalization(hidden, true, BatchNormalization::default()));
    let hidden = dropout(hidden, 0.5, PartialShape::unknown(), None);
    let logits = matmul(hidden, weights("logits", [32, 3])) + get_variable("bias", [3], zeros());
    losses::sparse_softmax_cross_entropy(y, logits, 1.0);

    let global_step = get_or_create_global_step();
    let rate = schedules::cosine_decay(0.05, global_step, STEPS as f64, 0.1);
    let options = MinimizeOptions::default().global_step(global_step);
    let train = Adam::new(rate).minimize_with(losses::get_total_loss(), options);
    let mut averages = ExponentialMovingAverage::new(0.9);
    control_dependencies([train], || averages.apply(default_graph().trainable_variables()))
}

/// The session of a new training run. Its seed is not that of a graph or operation.
fn first_session() -> Session {
    let options = SessionOptions { seed: Some(42), ..SessionOptions::default() };
    Session::with_options(&default_graph(), options)
}

/// Not a test, but a process that continues training.
#[test]
#[ignore = "it is a part of other tests"]
fn train() -> Outcome {
    let (Some(prefix), Ok(last)) = (env::var_os(PREFIX), env::var(LAST)) else { return Ok(()) };
    let pause = Duration::from_millis(env::var(PAUSE).map_or(Ok(0), |pause| pause.parse())?);
    let graph = Graph::new();
    let _default = graph.as_default();
    let train = training();
    let mut checkpointer = Checkpointer::new(prefix)?.every_steps(1).keep_last(2);
    let is_new = checkpointer.checkpoints().is_empty();
    // A process that continues has another seed until it is restored.
    let session = if is_new { first_session() } else { Session::new() };
    let first = match checkpointer.restore(&session)? {
        Some(restored) => restored.step,
        None => {
            session.init_missing()?;
            0
        }
    };
    for step in first + 1..=last.parse()? {
        session.run(train)?;
        checkpointer.after_step(&session, step)?;
        thread::sleep(pause);
    }
    Ok(checkpointer.finish(&session, last.parse()?)?)
}

fn start(prefix: &Path, last: u64, pause_ms: u64) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["resume::train", "--exact", "--ignored", "--nocapture"]);
    command.env(PREFIX, prefix).env(LAST, last.to_string()).env(PAUSE, pause_ms.to_string());
    command.stdout(Stdio::null()).spawn().unwrap()
}

/// The final state of training: variables, and the random numbers it would draw next.
#[derive(PartialEq, Debug)]
struct Ended {
    values: Vec<Value>,
    random: RandomState,
}

impl Ended {
    fn of(session: &Session) -> Result<Self, RunError> {
        let values = session.run(session.graph().variables())?;
        Ok(Ended { values, random: session.random_state() })
    }

    /// The state after uninterrupted training.
    fn unbroken() -> Result<Self, RunError> {
        let graph = Graph::new();
        let _default = graph.as_default();
        let (train, session) = (training(), first_session());
        session.init_missing()?;
        (0..STEPS).try_for_each(|_| session.run(train))?;
        Ended::of(&session)
    }

    #[track_caller]
    fn check(&self, prefix: &Path, what: &str) -> Outcome {
        let graph = Graph::new();
        let _default = graph.as_default();
        training();
        let session = Session::new();
        let restored = Checkpointer::new(prefix)?.restore(&session)?.ok_or("nothing was saved")?;
        assert_eq!(restored.step, STEPS, "{what}");
        let ended = Ended::of(&session)?;
        assert_eq!(ended.random, self.random, "{what}");
        for ((value, expected), variable) in
            ended.values.iter().zip(&self.values).zip(graph.variables())
        {
            assert!(value.bits_eq(expected), "{what}: {variable}");
        }
        Ok(())
    }
}

/// Stops after each of these steps.
fn check_stops(stops: impl IntoIterator<Item = u64>) -> Outcome {
    let unbroken = Ended::unbroken()?;
    let folder = tempfile::tempdir()?;
    let prefix = folder.path().join("model.ckpt");
    for stop in stops.into_iter().chain([STEPS]) {
        assert!(start(&prefix, stop, 0).wait()?.success(), "stop {stop}");
    }
    unbroken.check(&prefix, "stopped")
}

#[test]
fn a_training_that_was_stopped_ends_with_the_bits_of_one_that_was_not() -> Outcome {
    check_stops([1, 2, 17, 49])
}

#[test]
#[ignore = "it starts 50 processes"]
fn a_training_that_was_stopped_after_each_step_ends_with_the_same_bits() -> Outcome {
    check_stops(1..STEPS)
}

/// Kills this many processes at random moments, and lets training finish in between.
fn check_kills(kills: usize) -> Outcome {
    /// The life of a process without pauses that has loaded a checkpoint and takes its steps.
    const LIFE: Duration = Duration::from_millis(250);
    let unbroken = Ended::unbroken()?;
    let mut random = StdRng::seed_from_u64(11);
    let (mut killed, mut trainings) = (0, 0);
    while killed < kills {
        let folder = tempfile::tempdir()?;
        let prefix = folder.path().join("model.ckpt");
        let ended = loop {
            let mut process = start(&prefix, STEPS, 5);
            if killed == kills {
                break process.wait()?;
            }
            thread::sleep(LIFE.mul_f64(random.random()));
            if let Some(status) = process.try_wait()? {
                break status;
            }
            process.kill()?;
            process.wait()?;
            killed += 1;
        };
        trainings += 1;
        assert!(ended.success(), "after {killed} kills");
        unbroken.check(&prefix, &format!("training {trainings}, after {killed} kills"))?;
    }
    println!("{killed} kills in {trainings} trainings");
    Ok(())
}

#[test]
fn a_training_that_was_killed_ends_with_the_bits_of_one_that_was_not() -> Outcome {
    check_kills(5)
}

#[test]
#[ignore = "it takes a minute"]
fn a_hundred_kills_change_no_bit() -> Outcome {
    check_kills(100)
}
