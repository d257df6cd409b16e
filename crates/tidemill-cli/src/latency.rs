//! The time that runs take.

use std::fmt;
use std::time::Duration;

/// The times of runs: the first one, which also plans, and those after it.
pub(crate) struct Latencies {
    pub(crate) first: Duration,
    pub(crate) rest: Vec<Duration>,
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "first run {}", millis(self.first))?;
        if self.rest.is_empty() {
            return Ok(());
        }
        let mut sorted = self.rest.clone();
        sorted.sort_unstable();
        write!(f, "; {} more:", sorted.len())?;
        for percent in [50, 90, 99] {
            // The smallest time that this percentage of runs does not exceed.
            let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            write!(f, " p{percent} {}", millis(sorted[rank]))?;
        }
        Ok(())
    }
}

fn millis(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_runs_after_the_first() {
        let rest = (1..=200).rev().map(Duration::from_millis).collect();
        let shown = Latencies { first: Duration::from_secs(1), rest }.to_string();
        let expected =
            "first run 1000.000 ms; 200 more: p50 100.000 ms p90 180.000 ms p99 198.000 ms";
        assert_eq!(shown, expected);
        let once = Latencies { first: Duration::from_millis(2), rest: Vec::new() };
        assert_eq!(once.to_string(), "first run 2.000 ms");
    }
}
