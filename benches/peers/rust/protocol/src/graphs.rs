//! The protocol between models.py and the process of a peer that runs case folders, line by line:
//!
//! | request | reply |
//! | --- | --- |
//! | `version` | the name and version of the peer |
//! | `open FOLDER` | `opened`, when the values to feed are in memory |
//! | `prepare` | `prepared` and the nanoseconds from the graph to the first result; or `cannot` and why |
//! | `check` | the largest error of the results, divided by the largest magnitude |
//! | `run N` | the nanoseconds of an iteration |
//!
//! `prepare` runs the case a second time, since a peer may need more memory then; memory is measured
//! from outside, before `check`. A training is checked by the losses of these two steps.
//!
//! case_folder.py says what is in a folder.

use std::fs;
use std::io::{BufRead, stdin};
use std::path::{Path, PathBuf};
use std::time::Instant;

use tidemill_formats::npy::read_npy_file;
use tidemill_value::{DType, Value};

use crate::{Result, say};

pub struct CaseFolder {
    path: PathBuf,
    pub initializers: Vec<String>,
    pub feeds: Vec<String>,
    pub fetch: String,
    pub targets: Vec<String>,
    /// The values for `feeds`.
    pub values: Vec<Value>,
}

impl CaseFolder {
    pub fn open(path: &Path) -> Result<Self> {
        let mut folder = CaseFolder {
            path: path.to_owned(),
            initializers: vec![],
            feeds: vec![],
            fetch: String::new(),
            targets: vec![],
            values: vec![],
        };
        for line in fs::read_to_string(path.join("manifest"))?.lines() {
            let (kind, name) = line.split_once(' ').ok_or("a manifest line of one word")?;
            let name = name.to_owned();
            match kind {
                "init" => folder.initializers.push(name),
                "feed" => folder.feeds.push(name),
                "fetch" => folder.fetch = name,
                "target" => folder.targets.push(name),
                _ => return Err(format!("cannot read the manifest line `{line}`").into()),
            }
        }
        folder.values = folder.arrays("feed", folder.feeds.len())?;
        Ok(folder)
    }

    pub fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// The bytes of the GraphDef.
    pub fn graph(&self) -> Result<Vec<u8>> {
        Ok(fs::read(self.path.join("graph.pb"))?)
    }

    /// None if the case is not written for ONNX.
    pub fn onnx(&self) -> Option<PathBuf> {
        Some(self.path.join("model.onnx")).filter(|path| path.exists())
    }

    /// The first values of the trainable variables.
    pub fn parameters(&self) -> Result<Vec<Value>> {
        let path = |i: &usize| self.path.join(format!("parameter_{i}.npy"));
        let count = (0..).take_while(|i| path(i).exists()).count();
        self.arrays("parameter", count)
    }

    fn arrays(&self, kind: &str, count: usize) -> Result<Vec<Value>> {
        let read = |i| Ok(read_npy_file(self.path.join(format!("{kind}_{i}.npy")))?);
        (0..count).map(read).collect()
    }
}

/// A case made ready to run.
pub trait Model: Sized {
    type Output;

    /// An error tells why the peer has no part in the case.
    fn prepare(folder: &CaseFolder) -> Result<Self>;

    fn run(&mut self) -> Result<Self::Output>;

    fn elements(output: &Self::Output) -> Result<Vec<f64>>;
}

/// The nanoseconds of an iteration.
pub fn time_runs<M: Model>(model: &mut M, iterations: u64) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..iterations {
        std::hint::black_box(model.run()?);
    }
    Ok(start.elapsed().as_nanos() as f64 / iterations as f64)
}

/// Answers the driver until it hangs up.
pub fn serve<M: Model>(version: &str) -> Result<()> {
    let mut folder: Option<CaseFolder> = None;
    let mut prepared: Option<Prepared<M>> = None;
    for line in stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match (&words[..], &folder, &mut prepared) {
            (["version"], ..) => say(version),
            (["open", path], ..) => {
                prepared = None;
                folder = Some(CaseFolder::open(Path::new(path))?);
                say("opened");
            }
            (["prepare"], Some(folder), _) => match Prepared::new(folder) {
                Ok(ready) => {
                    say(&format!("prepared {}", ready.first_nanoseconds));
                    prepared = Some(ready);
                }
                Err(error) => say(&format!("cannot {}", error.to_string().replace('\n', " "))),
            },
            (["check"], Some(folder), Some(prepared)) => {
                say(&prepared.error(folder)?.to_string());
            }
            (["run", iterations], _, Some(prepared)) => {
                say(&time_runs(&mut prepared.model, iterations.parse()?)?.to_string());
            }
            _ => return Err(format!("cannot answer the request `{line}`").into()),
        }
    }
    Ok(())
}

/// A model that has run twice, since a peer may need more memory when it runs again.
struct Prepared<M: Model> {
    model: M,
    first_nanoseconds: u128,
    /// The losses that these runs fetched, which depend on the number of steps before.
    losses: Vec<M::Output>,
}

impl<M: Model> Prepared<M> {
    fn new(folder: &CaseFolder) -> Result<Self> {
        let is_training = !folder.targets.is_empty();
        let start = Instant::now();
        let mut model = M::prepare(folder)?;
        let mut losses = vec![];
        losses.extend(Some(model.run()?).filter(|_| is_training));
        let first_nanoseconds = start.elapsed().as_nanos();
        losses.extend(Some(model.run()?).filter(|_| is_training));
        Ok(Prepared { model, first_nanoseconds, losses })
    }

    /// The largest error, of two losses or of the elements of one more result.
    fn error(&mut self, folder: &CaseFolder) -> Result<f64> {
        let results = match &self.losses[..] {
            [] => &[self.model.run()?],
            losses => losses,
        };
        let expected = folder.arrays("expected", results.len())?;
        let error =
            |(result, expected)| Ok(relative_error(&M::elements(result)?, &elements(expected)?));
        let errors = results.iter().zip(&expected).map(error).collect::<Result<Vec<_>>>()?;
        Ok(errors.into_iter().fold(0.0, f64::max))
    }
}

fn relative_error(actual: &[f64], expected: &[f64]) -> f64 {
    if actual.len() != expected.len() || actual.iter().any(|x| x.is_nan()) {
        return f64::INFINITY;
    }
    let magnitude = expected.iter().fold(1e-30, |most: f64, x| most.max(x.abs()));
    let errors = actual.iter().zip(expected).map(|(x, y)| (x - y).abs());
    errors.fold(0.0, f64::max) / magnitude
}

/// The elements of a value of a floating-point type.
pub fn elements(value: &Value) -> Result<Vec<f64>> {
    Ok(match value.dtype() {
        DType::F64 => value.as_slice::<f64>()?.to_vec(),
        _ => value.as_slice::<f32>()?.iter().map(|&x| x.into()).collect(),
    })
}
