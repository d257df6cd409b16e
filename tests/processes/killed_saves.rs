//! A process that is killed while it saves leaves its finished checkpoints intact.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::Outcome;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tidemill::checkpoint::CheckpointState;
use tidemill::prelude::*;

/// The prefix under which the process that will be killed saves.
const PREFIX: &str = "TIDEMILL_KILLED_PREFIX";
const VARIABLES: usize = 6;
/// The text that the process prints before the number of a finished checkpoint.
const FINISHED: &str = "finished ";
/// A process that prints nothing for this long is killed before it saves.
const LONGEST_LIFE: Duration = Duration::from_millis(80);

fn variables() -> Vec<Variable> {
    let variable = |i| get_variable(&format!("v{i}"), [64, 64], zeros());
    (0..VARIABLES).map(variable).collect()
}

/// Not a test, but the process that is killed: checkpoint i has the number i in all variables.
#[test]
#[ignore = "it saves until it is killed"]
fn save_forever() -> Outcome {
    let Some(prefix) = env::var_os(PREFIX) else { return Ok(()) };
    let graph = Graph::new();
    let _default = graph.as_default();
    let variables = variables();
    let number = placeholder::<f32>([]);
    let set = variables.iter().map(|&v| assign(v, fill([64, 64], number)).op());
    let set = group(set.collect::<Vec<_>>());
    let saver = Saver::new()?.max_to_keep(3);
    let session = Session::new();
    let folder = CheckpointState::folder(Path::new(&prefix)).to_owned();
    let latest = latest_checkpoint(folder)?.map(|latest| step_of(&latest));
    for step in latest.map_or(0, |step| step + 1).. {
        session.run_with(set, feeds![number => step as f32])?;
        saver.save_step(&session, &prefix, step as u64)?;
        println!("{FINISHED}{step}");
    }
    Ok(())
}

fn step_of(prefix: &Path) -> i64 {
    let name =
        prefix.file_stem().filter(|_| prefix.extension().is_some_and(|e| e == "safetensors"));
    let name = name.or(prefix.file_name()).unwrap().to_str().unwrap();
    name.rsplit('-').next().unwrap().parse().unwrap()
}

fn start(prefix: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["killed_saves::save_forever", "--exact", "--ignored", "--nocapture"])
        .env(PREFIX, prefix);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Kills a process some time after it has finished its first checkpoint, and returns the last
/// one that it finished.
fn kill_while_saving(mut process: Child, after: Duration) -> i64 {
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let last = AtomicI64::new(-1);
    thread::scope(|scope| {
        let (first, is_there) = std::sync::mpsc::channel();
        let last = &last;
        scope.spawn(move || {
            for line in lines.map_while(Result::ok) {
                // The test runner prints before the first number, on the same line.
                if let Some((_, step)) = line.split_once(FINISHED) {
                    last.store(step.parse().unwrap(), Ordering::Release);
                    let _ = first.send(());
                }
            }
        });
        is_there.recv().unwrap();
        thread::sleep(after);
        process.kill().unwrap();
        process.wait().unwrap();
    });
    last.into_inner()
}

/// Kills this many processes that save, and restores what each has left.
fn check(kills: usize, name: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let prefix = folder.path().join(name);
    let mut random = StdRng::seed_from_u64(7);
    let graph = Graph::new();
    let _default = graph.as_default();
    let variables = variables();
    let saver = Saver::new()?;
    for kill in 0..kills {
        let after = LONGEST_LIFE.mul_f64(random.random());
        let finished = kill_while_saving(start(&prefix), after);
        let latest = latest_checkpoint(folder.path())?.ok_or("there is no checkpoint")?;
        let step = step_of(&latest);
        assert!(step >= finished, "kill {kill}: checkpoint {finished} is lost, {step} is there");
        let listed = CheckpointState::read(folder.path())?.ok_or("there is no list")?.all;
        assert_eq!(listed.last(), Some(&latest));
        for prefix in listed {
            let session = Session::new();
            saver.restore(&session, &prefix)?;
            let expected = Value::full((step_of(&prefix) as f32).into(), [64, 64])?;
            for value in session.run(variables.clone())? {
                assert!(value.bits_eq(&expected), "kill {kill}: {}", prefix.display());
            }
        }
    }
    Ok(())
}

#[test]
fn a_killed_process_leaves_the_checkpoints_it_had_finished() -> Outcome {
    check(5, "model.ckpt")?;
    check(5, "model.safetensors")
}

#[test]
#[ignore = "it takes a minute"]
fn two_hundred_killed_processes_leave_the_checkpoints_they_had_finished() -> Outcome {
    check(100, "model.ckpt")?;
    check(100, "model.safetensors")
}
