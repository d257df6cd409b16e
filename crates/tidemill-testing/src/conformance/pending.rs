use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::Case;

/// The cases that are known to fail, each with the reason.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pending {
    /// Categories that are skipped.
    pub categories: BTreeMap<String, String>,
    /// Cases that fail.
    pub cases: BTreeMap<String, String>,
}

impl Pending {
    pub(super) fn load(file: &Path) -> Result<Pending, String> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
    }

    /// The reason that a case is known to fail.
    pub fn reason(&self, case: &Case) -> Option<&str> {
        self.cases.get(&case.name).map(String::as_str)
    }

    /// The reason that a category is skipped.
    pub fn category(&self, case: &Case) -> Option<&str> {
        self.categories.get(&case.category).map(String::as_str)
    }
}
