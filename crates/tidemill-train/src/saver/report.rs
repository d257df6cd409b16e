use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use tidemill_formats::{TensorFileError, TensorReader, nearest};
use tidemill_ops::Variable;
use tidemill_value::{PartialShape, Shape};

/// Names with this prefix do not belong to variables.
const RESERVED: &str = "_tidemill/";

/// The match between a checkpoint and the variables of a [`Saver`](crate::Saver).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RestoreReport {
    /// The checkpoint.
    pub prefix: PathBuf,
    /// The names of the variables that the checkpoint has with their types and shapes.
    pub restored: Vec<String>,
    /// The variables that it lacks.
    pub missing: Vec<Missing>,
    /// Its other tensors.
    pub unexpected: Vec<String>,
    /// The variables that it has with another type or shape.
    pub mismatched: Vec<Mismatch>,
}

/// A variable that a checkpoint lacks.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Missing {
    /// Its expected name in the checkpoint.
    pub name: String,
    /// The most similar name in the checkpoint, if one is similar enough.
    pub near: Option<String>,
}

/// A variable that a checkpoint has with another type or shape.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Mismatch {
    /// The name.
    pub name: String,
    /// The type and shape in the checkpoint.
    pub stored: String,
    /// The type and shape of the variable.
    pub variable: String,
}

impl RestoreReport {
    pub(super) fn new<'a>(
        reader: &TensorReader,
        variables: impl Iterator<Item = (&'a str, Variable)>,
        reshapes: bool,
    ) -> Result<RestoreReport, TensorFileError> {
        let stored = reader.tensors()?;
        let is_variable = |name: &&str| !name.starts_with(RESERVED);
        let names = || stored.iter().map(|info| info.name.as_str()).filter(is_variable);
        let mut unexpected: BTreeSet<&str> = names().collect();
        let (mut restored, mut missing, mut mismatched) = (Vec::new(), Vec::new(), Vec::new());
        for (name, variable) in variables {
            unexpected.remove(name);
            let name = name.to_owned();
            let info = stored.binary_search_by(|info| info.name.cmp(&name));
            let Some(info) = info.ok().and_then(|i| stored.get(i)) else {
                let near = nearest(&name, names()).map(str::to_owned);
                missing.push(Missing { name, near });
                continue;
            };
            let dtype = variable.dtype();
            let fits = variable.shape().admits(&info.shape)
                || (reshapes && has_as_many_elements(&variable.shape(), &info.shape));
            if dtype == info.dtype.ok() && fits {
                restored.push(name);
            } else {
                let dtype = dtype.map(|dtype| dtype.to_string()).unwrap_or_default();
                let variable = format!("{dtype}{}", variable.shape());
                let stored = info.type_and_shape();
                mismatched.push(Mismatch { name, stored, variable });
            }
        }
        let prefix = reader.path().to_owned();
        let unexpected = unexpected.into_iter().map(str::to_owned).collect();
        Ok(RestoreReport { prefix, restored, missing, unexpected, mismatched })
    }

    /// Whether the checkpoint has every variable with its type and shape.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.mismatched.is_empty()
    }
}

fn has_as_many_elements(variable: &PartialShape, stored: &Shape) -> bool {
    variable.elements().is_some_and(|elements| stored.elements() == Some(elements))
}

impl fmt::Display for RestoreReport {
    /// Writes the differences, one line for each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.prefix.display();
        let count = |names: usize, total: usize| format!("{names} of {total} variables");
        let total = self.restored.len() + self.missing.len() + self.mismatched.len();
        write!(f, "{prefix} has {}", count(self.restored.len(), total))?;
        for Missing { name, near } in &self.missing {
            write!(f, "\n  key {name} not found in checkpoint")?;
            if let Some(near) = near {
                write!(f, "; it has `{near}`")?;
            }
        }
        for Mismatch { name, stored, variable } in &self.mismatched {
            write!(
                f,
                "\n  `{name}` is {stored} in the checkpoint, but the variable is {variable}"
            )?;
        }
        for name in &self.unexpected {
            write!(f, "\n  `{name}` of the checkpoint is not a variable of the saver")?;
        }
        Ok(())
    }
}
