//! The report of `inspect`, as text or as JSON.

use std::fmt;

use serde_json::{Map, Value as Json};

/// The report on a file.
pub(crate) struct Report {
    pub(crate) path: String,
    pub(crate) kind: String,
    /// One for each graph of a SavedModel; one for other files.
    pub(crate) parts: Vec<Part>,
}

/// The report on a graph, or on tensors.
pub(crate) struct Part {
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
        let mut object = match self.parts.as_slice() {
            [part] => part.to_json(),
            parts => {
                let graphs = parts.iter().map(|part| Json::Object(part.to_json())).collect();
                Map::from_iter([("graphs".to_owned(), graphs)])
            }
        };
        object.insert("path".to_owned(), self.path.clone().into());
        object.insert("kind".to_owned(), self.kind.clone().into());
        Json::Object(object)
    }
}

impl Part {
    fn to_json(&self) -> Map<String, Json> {
        let mut object = Map::new();
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
        object
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.path, self.kind)?;
        for (i, Part { fields, tables }) in self.parts.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                writeln!(f, "  {}: {}", name.replace('_', " "), text(value))?;
            }
            let tables = tables.iter().filter(|table| !table.rows.is_empty());
            tables.into_iter().try_for_each(|table| table.fmt(f))?;
        }
        Ok(())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.name.replace('_', " "))?;
        let heading = self.columns.iter().map(|column| column.replace('_', " ")).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(text).collect());
        let lines: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
        let widths: Vec<usize> = (0..self.columns.len()).filter_map(width).collect();
        // Numbers are aligned to the right.
        let is_number = |column: usize| self.rows.iter().all(|row| !row[column].is_string());
        for line in &lines {
            let cell = |(column, (cell, width)): (usize, (&String, &usize))| {
                if is_number(column) {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            };
            let cells: Vec<String> = line.iter().zip(&widths).enumerate().map(cell).collect();
            writeln!(f, "  {}", cells.join("  ").trim_end())?;
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
