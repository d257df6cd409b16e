//! What `inspect` has to tell, as text or as JSON.

use std::fmt;

use serde_json::{Map, Value as Json};

/// What there is to tell of a file.
pub(crate) struct Report {
    pub(crate) path: String,
    pub(crate) kind: String,
    pub(crate) fields: Vec<(&'static str, Json)>,
    pub(crate) tables: Vec<Table>,
}

/// A list of things with the same properties.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [&'static str],
    pub(crate) rows: Vec<Vec<Json>>,
}

impl Report {
    pub(crate) fn to_json(&self) -> Json {
        let mut object = Map::new();
        object.insert("path".to_owned(), self.path.clone().into());
        object.insert("kind".to_owned(), self.kind.clone().into());
        for (name, value) in &self.fields {
            object.insert((*name).to_owned(), value.clone());
        }
        for table in &self.tables {
            let row = |row: &Vec<Json>| {
                let names = table.columns.iter().map(|column| (*column).to_owned());
                Json::Object(names.zip(row.iter().cloned()).collect())
            };
            object.insert(table.name.to_owned(), table.rows.iter().map(row).collect());
        }
        Json::Object(object)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.path, self.kind)?;
        for (name, value) in self.fields.iter().filter(|(_, value)| !value.is_null()) {
            writeln!(f, "  {name}: {}", text(value))?;
        }
        self.tables.iter().filter(|table| !table.rows.is_empty()).try_for_each(|table| table.fmt(f))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.name)?;
        let rows: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(text).collect()).collect();
        let width = |column: usize| {
            rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for row in &rows {
            let cells = row.iter().zip(&self.rows[0]).zip(&widths).map(|((cell, first), width)| {
                if first.is_number() {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            writeln!(f, "  {}", line.trim_end())?;
        }
        Ok(())
    }
}

fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => "?".to_owned(),
        other => other.to_string(),
    }
}
