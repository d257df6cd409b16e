//! The protocol between a driver and the process of a peer, line by line:
//!
//! | request | reply |
//! | --- | --- |
//! | `version` | the name and version of the peer |
//! | `cases` | the names of its cases |
//! | `run CASE N` | the last value, and the nanoseconds of an iteration, by parts |
//! | `tutorial N` | a line after the first of N training steps, a line with m and b after the last |

pub mod graphs;

use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};
use std::time::Instant;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A timed number of iterations.
pub struct Block {
    /// The result of the last iteration.
    pub value: f32,
    /// The nanoseconds of an iteration; more than one number if a case has parts.
    pub nanoseconds: Vec<f64>,
}

/// A prepared case: it runs a number of iterations.
pub type Runner = Box<dyn FnMut(u64) -> Result<Block>>;

/// The name of a case, and the function that prepares it.
pub type Case = (&'static str, fn() -> Result<Runner>);

/// Trains for a number of steps, reports the first loss, returns m and b.
pub type Tutorial = fn(u64, &mut dyn FnMut(f32)) -> Result<(f32, f32)>;

/// Times `iterations` of `once`; `read` takes the value out of the last one.
pub fn timed<T>(
    iterations: u64,
    mut once: impl FnMut() -> Result<T>,
    read: impl FnOnce(T) -> Result<f32>,
) -> Result<Block> {
    let start = Instant::now();
    for _ in 1..iterations {
        std::hint::black_box(once()?);
    }
    let last = once()?;
    let nanoseconds = vec![start.elapsed().as_nanos() as f64 / iterations as f64];
    Ok(Block { value: read(last)?, nanoseconds })
}

/// The mean of each part over `iterations` of `once`, which times its parts itself.
pub fn timed_parts(
    iterations: u64,
    mut once: impl FnMut() -> Result<(f32, Vec<f64>)>,
) -> Result<Block> {
    let (mut value, mut sums) = once()?;
    for _ in 1..iterations {
        let (last, parts) = once()?;
        value = last;
        sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
    }
    sums.iter_mut().for_each(|sum| *sum /= iterations as f64);
    Ok(Block { value, nanoseconds: sums })
}

/// The points of the tutorial's line, without end.
pub fn points() -> impl Iterator<Item = (f32, f32)> {
    (0_u32..).map(|i| {
        let x = (i % 10) as f32 / 10.0;
        (x, 0.3519 * x + 0.3242)
    })
}

/// Answers the driver until it hangs up.
pub fn serve(version: &str, cases: &[Case], tutorial: Tutorial) -> Result<()> {
    let mut ready: Option<(String, Runner)> = None;
    for line in stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["version"] => say(version),
            ["cases"] => say(&cases.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ")),
            ["run", case, iterations] => {
                if ready.as_ref().is_none_or(|(name, _)| name != case) {
                    let (_, make) =
                        cases.iter().find(|(name, _)| *name == case).ok_or("no such case")?;
                    ready = Some((case.to_owned(), make()?));
                }
                let (_, run) = ready.as_mut().ok_or("no case")?;
                let block = run(iterations.parse()?)?;
                let parts = block.nanoseconds.iter().map(f64::to_string).collect::<Vec<_>>();
                say(&format!("{} {}", block.value, parts.join(" ")));
            }
            ["tutorial", steps] => {
                let (m, b) = tutorial(steps.parse()?, &mut |loss| say(&loss.to_string()))?;
                say(&format!("{m} {b}"));
            }
            _ => return Err(format!("cannot read the request `{line}`").into()),
        }
    }
    Ok(())
}

/// After a driver has hung up, the next request ends the process, so a failure here needs no
/// report.
fn say(reply: &str) {
    let mut out = stdout().lock();
    let _ = writeln!(out, "{reply}").and_then(|()| out.flush());
}
