use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fmt, fs, io};

use super::{Case, Pending};

/// The outcome of a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The name of the case.
    pub name: String,
    /// Its category.
    pub category: String,
    /// The verdict.
    pub verdict: Verdict,
}

/// The verdict on a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Passed,
    /// It fails.
    Failed(String),
    /// It fails, as is known.
    Pending {
        /// The reason given by the list.
        reason: String,
        /// The failure.
        found: String,
    },
    /// It passes, but is listed as one that fails.
    Unexpected {
        /// The reason given by the list.
        reason: String,
    },
}

impl Outcome {
    pub(super) fn new(pending: &Pending, case: &Case, result: Result<(), String>) -> Self {
        let verdict = match (result, pending.reason(case), pending.category(case)) {
            (Ok(()), None, _) => Verdict::Passed,
            (Ok(()), Some(reason), _) => Verdict::Unexpected { reason: reason.to_owned() },
            (Err(found), Some(reason), _) | (Err(found), None, Some(reason)) => {
                Verdict::Pending { reason: reason.to_owned(), found }
            }
            (Err(found), None, None) => Verdict::Failed(found),
        };
        Outcome { name: case.name.clone(), category: case.category.clone(), verdict }
    }
}

/// The outcomes of all cases.
#[derive(Clone, Debug)]
pub struct Report {
    /// The cases by name.
    pub outcomes: Vec<Outcome>,
}

/// Numbers of cases.
#[derive(Clone, Copy, Default)]
struct Counts {
    cases: usize,
    passed: usize,
    failed: usize,
    pending: usize,
}

impl Counts {
    fn add(&mut self, verdict: &Verdict) {
        self.cases += 1;
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed(_) | Verdict::Unexpected { .. } => self.failed += 1,
            Verdict::Pending { .. } => self.pending += 1,
        }
    }
}

impl Report {
    /// True if exactly the listed cases fail.
    pub fn is_good(&self) -> bool {
        let is_good = |outcome: &Outcome| {
            matches!(outcome.verdict, Verdict::Passed | Verdict::Pending { .. })
        };
        self.outcomes.iter().all(is_good)
    }

    /// Removes the cases that pass from the list of those that are known to fail.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn strike(&self, pending: &Path) -> io::Result<()> {
        let is_unexpected =
            |outcome: &&Outcome| matches!(outcome.verdict, Verdict::Unexpected { .. });
        let passing: BTreeSet<&str> =
            self.outcomes.iter().filter(is_unexpected).map(|o| o.name.as_str()).collect();
        let text = fs::read_to_string(pending)?;
        let names_one_that_passes =
            |line: &str| line.split('"').nth(1).is_some_and(|name| passing.contains(name));
        let kept = text.lines().filter(|line| !names_one_that_passes(line));
        fs::write(pending, kept.flat_map(|line| [line, "\n"]).collect::<String>())
    }

    /// The failures, one case after the other.
    pub fn failures(&self) -> String {
        let failure = |outcome: &Outcome| match &outcome.verdict {
            Verdict::Failed(found) => Some(indented(&outcome.name, found)),
            Verdict::Unexpected { reason } => Some(indented(
                &outcome.name,
                &format!("passes, but is listed as pending ({reason}): strike it from the list"),
            )),
            _ => None,
        };
        self.outcomes.iter().filter_map(failure).collect()
    }

    /// The known failures, one case after the other.
    pub fn known_failures(&self) -> String {
        let failure = |outcome: &Outcome| match &outcome.verdict {
            Verdict::Pending { reason, found } => {
                Some(indented(&format!("{} (pending: {reason})", outcome.name), found))
            }
            _ => None,
        };
        self.outcomes.iter().filter_map(failure).collect()
    }
}

fn indented(name: &str, text: &str) -> String {
    format!("{name}\n    {}\n", text.replace('\n', "\n    "))
}

impl fmt::Display for Report {
    /// The numbers of cases by category, as a table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut categories: BTreeMap<&str, Counts> = BTreeMap::new();
        let mut total = Counts::default();
        for outcome in &self.outcomes {
            categories.entry(&outcome.category).or_default().add(&outcome.verdict);
            total.add(&outcome.verdict);
        }
        let row = |f: &mut fmt::Formatter<'_>, name: &str, counts: Counts| {
            let Counts { cases, passed, failed, pending } = counts;
            writeln!(f, "{name:<24}{cases:>8}{passed:>8}{failed:>8}{pending:>8}")
        };
        let head = ["cases", "passed", "failed", "pending"];
        write!(f, "{:<24}", "category")?;
        head.iter().try_for_each(|title| write!(f, "{title:>8}"))?;
        writeln!(f)?;
        categories.into_iter().try_for_each(|(name, counts)| row(f, name, counts))?;
        row(f, "total", total)
    }
}
