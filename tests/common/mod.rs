//! Shared by the tests of several topics.

// Each test binary uses a part of it.
#![allow(dead_code)]

use std::error::Error;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidemill::prelude::*;

/// The return type of tests that run sessions.
pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// A report with the lines of `file` counted from `base`, so that it does not change when the
/// test moves: `tests/errors.rs:120:13` becomes `+3:13`. The names of graphs become `graph #`.
pub(crate) fn relative(report: impl Display, file: &str, base: u32) -> String {
    let text = report.to_string();
    let place = format!("{file}:");
    let mut parts = text.split(&place);
    let mut relative = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let line: u32 = part[..digits].parse().unwrap();
        relative.push_str(&format!("+{}{}", line - base, &part[digits..]));
    }
    without_numbers_of_graphs(&relative)
}

fn without_numbers_of_graphs(text: &str) -> String {
    let mut parts = text.split("graph ");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let number = part.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(part.len());
        plain.push_str("graph ");
        plain.push_str(if number > 0 { "#" } else { "" });
        plain.push_str(&part[number..]);
    }
    plain
}

/// Names of operations, in order.
pub(crate) fn names(operations: impl IntoIterator<Item = Operation>) -> Vec<String> {
    operations.into_iter().map(Operation::name).collect()
}

/// Names of all operations of a graph.
pub(crate) fn all_names(graph: &Graph) -> Vec<String> {
    names(graph.operations())
}

/// The number of runs of something.
#[derive(Clone, Default)]
pub(crate) struct Count(Arc<AtomicUsize>);

impl Count {
    pub(crate) fn increase(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The count so far, which is reset to zero.
    pub(crate) fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// A tensor of `float32` and shape `[]` with the value of `x`, and the number of times it is
/// computed.
pub(crate) fn counted(x: impl Into<tidemill::Operand>) -> (Tensor, Count) {
    let count = Count::default();
    let counter = count.clone();
    let output = host_call([x], [HostOutput::new::<f32>([])], move |inputs| {
        counter.increase();
        Ok(inputs.to_vec())
    });
    (output[0], count)
}

/// A tensor of shape `[]` whose computation fails.
pub(crate) fn failing() -> Tensor {
    let nothing = Vec::<Tensor>::new();
    host_call(nothing, [HostOutput::new::<f32>([])], |_| Err("it always fails".into()))[0]
}

/// A session of the default graph that prints to lines.
pub(crate) fn printing_session() -> (Session, tidemill::Lines) {
    let (sink, lines) = Sink::lines();
    let options = SessionOptions { print_to: sink, ..SessionOptions::default() };
    (Session::with_options(&default_graph(), options), lines)
}

/// The number that a tensor, variable or name has in a session.
pub(crate) fn number<F: Fetch<Output = Value>>(session: &Session, fetch: F) -> f32 {
    session.run(fetch).unwrap().to_scalar().unwrap()
}

/// The error of a failing run.
pub(crate) fn error_of<F: Fetch>(session: &Session, fetches: F) -> RunError {
    match session.run(fetches) {
        Ok(_) => unreachable!("the run does not fail"),
        Err(error) => error,
    }
}

/// Two sessions of the default graph: one rewrites its graphs, one does not.
pub(crate) fn in_both_modes() -> [Session; 2] {
    [Rewriting::On, Rewriting::Off].map(|rewriting| {
        let options = SessionOptions { rewriting, seed: Some(1), ..SessionOptions::default() };
        Session::with_options(&default_graph(), options)
    })
}
