//! Shared by the examples that learn from tables.

// Each example uses a part of it.
#![allow(dead_code)]

use std::error::Error;

use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array1, Array2, Axis};
use rand::{rngs::StdRng, seq::SliceRandom};

/// Rows of numbers, and the class of each.
pub(crate) struct Table {
    pub(crate) features: Array2<f32>,
    pub(crate) labels: Array1<i32>,
}

impl Table {
    /// Reads comma-separated values; the last one in a line is the class. The first line of some
    /// files describes the columns.
    pub(crate) fn read(path: &str, is_described: bool) -> Result<Table, Box<dyn Error>> {
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.has_headers(is_described).flexible(true).from_path(path)?;
        let rows: Vec<Vec<f32>> = reader.deserialize().collect::<Result<_, _>>()?;
        let width = rows.first().map_or(0, Vec::len);
        let table = Array2::from_shape_vec((rows.len(), width), rows.concat())?;
        let (features, labels) = table.view().split_at(Axis(1), width.saturating_sub(1));
        Ok(Table { features: features.to_owned(), labels: labels.flatten().mapv(|x| x as i32) })
    }

    /// The table without every fifth row, and the table of those rows.
    pub(crate) fn split(&self) -> (Table, Table) {
        let (held_out, training): (Vec<usize>, Vec<usize>) =
            (0..self.labels.len()).partition(|row| row % 5 == 4);
        (self.rows(&training), self.rows(&held_out))
    }

    /// Some of the rows.
    pub(crate) fn rows(&self, rows: &[usize]) -> Table {
        let (features, labels) = (&self.features, &self.labels);
        Table { features: features.select(Axis(0), rows), labels: labels.select(Axis(0), rows) }
    }

    /// All rows in a new order, in batches of `size` rows. Left-over rows are dropped.
    pub(crate) fn batches(&self, size: usize, random: &mut StdRng) -> Vec<Table> {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        order.shuffle(random);
        order.chunks_exact(size).map(|rows| self.rows(rows)).collect()
    }
}

/// Normalizes each column of two tables by its mean and deviation in the first.
pub(crate) fn standardize(training: &mut Table, held_out: &mut Table) {
    let mean = training.features.mean_axis(Axis(0)).unwrap_or_default();
    let deviation = training.features.std_axis(Axis(0), 0.0);
    for table in [training, held_out] {
        table.features = (&table.features - &mean) / &deviation;
    }
}

/// A progress bar with room for a message.
pub(crate) fn progress(steps: u64) -> Result<ProgressBar, Box<dyn Error>> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}")?;
    Ok(ProgressBar::new(steps).with_style(style))
}
