//! The time that each step of a run took.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tidemill_graph::GraphReader;

use crate::plan::step::Plan;

/// A step that ran, by its place in the plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    position: usize,
    start: Duration,
    duration: Duration,
    bytes: usize,
}

impl Event {
    pub(crate) fn begin(position: usize, start: Duration) -> Self {
        Event { position, start, duration: Duration::ZERO, bytes: 0 }
    }

    pub(crate) fn end(&mut self, now: Duration, bytes: usize) {
        self.duration = now.saturating_sub(self.start);
        self.bytes = bytes;
    }
}

/// The time that a run spent on each step.
///
/// It prints as a table by operation type, the slowest first.
#[derive(Clone, Debug, Default)]
pub struct RunTrace {
    /// The steps, in the order in which they ran.
    pub steps: Vec<TraceStep>,
}

/// A step of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceStep {
    /// The name of the node; for a fused step, the name of its last node.
    pub name: String,
    /// The type of the operation; `Fused` for a fused step, and `Check` for a step that tests
    /// whether a later write will fail.
    pub op: &'static str,
    /// The line that created the node.
    pub location: String,
    /// The time from the start of the run to the start of the step.
    pub start: Duration,
    /// The duration of the step.
    pub duration: Duration,
    /// The bytes of its outputs.
    pub bytes: usize,
}

impl RunTrace {
    pub(crate) fn new(graph: &GraphReader<'_>, plan: &Plan, events: &[Event]) -> Self {
        let step = |event: &Event| {
            let planned = &plan.steps[event.position];
            let node = planned.node;
            TraceStep {
                name: graph.name(node).to_owned(),
                op: planned.op(graph),
                location: graph.location(node).to_string(),
                start: event.start,
                duration: event.duration,
                bytes: event.bytes,
            }
        };
        RunTrace { steps: events.iter().map(step).collect() }
    }

    /// The trace in Chrome's trace event format, which Perfetto and `chrome://tracing` can open.
    pub fn to_chrome_json(&self) -> String {
        let micros = |duration: Duration| duration.as_nanos() as f64 / 1e3;
        let event = |step: &TraceStep| {
            format!(
                r#"{{"name":{},"cat":"op","ph":"X","pid":1,"tid":1,"ts":{},"dur":{},"args":{{"name":{},"at":{},"bytes":{}}}}}"#,
                json_string(step.op),
                micros(step.start),
                micros(step.duration),
                json_string(&step.name),
                json_string(&step.location),
                step.bytes,
            )
        };
        let events: Vec<String> = self.steps.iter().map(event).collect();
        format!(r#"{{"displayTimeUnit":"ns","traceEvents":[{}]}}"#, events.join(","))
    }
}

/// A JSON string.
fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c.is_ascii_control() => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

#[derive(Default)]
struct Row {
    calls: usize,
    duration: Duration,
    bytes: usize,
}

impl fmt::Display for RunTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut by_op: BTreeMap<&str, Row> = BTreeMap::new();
        for step in &self.steps {
            let row = by_op.entry(step.op).or_default();
            row.calls += 1;
            row.duration += step.duration;
            row.bytes += step.bytes;
        }
        let total: Duration = by_op.values().map(|row| row.duration).sum();
        let mut rows: Vec<_> = by_op.into_iter().collect();
        rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.duration));
        writeln!(f, "{:<32} {:>7} {:>12} {:>6} {:>14}", "op", "calls", "µs", "%", "bytes")?;
        for (op, Row { calls, duration, bytes }) in rows {
            let share = 100.0 * duration.as_secs_f64() / total.as_secs_f64().max(f64::MIN_POSITIVE);
            let micros = duration.as_nanos() as f64 / 1e3;
            writeln!(f, "{op:<32} {calls:>7} {micros:>12.2} {share:>6.1} {bytes:>14}")?;
        }
        let micros = total.as_nanos() as f64 / 1e3;
        write!(f, "{:<32} {:>7} {micros:>12.2}", "all", self.steps.len())
    }
}

#[cfg(test)]
mod tests {
    use super::json_string;

    #[test]
    fn quotes_backslashes_and_control_characters_are_escaped_in_json() {
        assert_eq!(json_string("a\"b\\c\n µ"), r#""a\"b\\c\u000a µ""#);
    }
}
