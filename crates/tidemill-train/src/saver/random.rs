//! The random state of a session as tensors of a checkpoint.

use std::collections::BTreeMap;

use tidemill_formats::{TensorFileError, TensorReader};
use tidemill_runtime::{RandomState, RunError, Session};
use tidemill_value::Value;

/// The name of the seed: its bits as an `int64`.
const SEED: &str = "_tidemill/random/seed";
/// The prefix of the names of operations' counts: `int64`.
const DRAWS: &str = "_tidemill/random/draws/";

/// The result of `read`, and the random state at that moment, as tensors.
pub(super) fn with_state<T>(
    session: &Session,
    read: impl Fn() -> Result<T, RunError>,
) -> Result<(T, Vec<(String, Value)>), RunError> {
    loop {
        let before = session.random_state();
        let values = read()?;
        // Counts only grow. If they are unchanged, they were the same when the values were read.
        if session.random_state() == before {
            return Ok((values, to_tensors(before)));
        }
    }
}

fn to_tensors(state: RandomState) -> Vec<(String, Value)> {
    let number = |number: u64| Value::from(number.cast_signed());
    let draws = state.draws.into_iter();
    let draws = draws.map(|(name, count)| (format!("{DRAWS}{name}"), number(count)));
    draws.chain([(SEED.to_owned(), number(state.seed))]).collect()
}

/// The random state in a checkpoint, if it has one.
pub(super) fn read_state(reader: &TensorReader) -> Result<Option<RandomState>, TensorFileError> {
    let names: Vec<String> = reader.tensors()?.into_iter().map(|info| info.name).collect();
    if !names.iter().any(|name| name == SEED) {
        return Ok(None);
    }
    let number = |name: &str| -> Result<u64, TensorFileError> {
        Ok(reader.read(name)?.to_scalar::<i64>().unwrap_or_default().cast_unsigned())
    };
    let mut draws = BTreeMap::new();
    for name in &names {
        if let Some(operation) = name.strip_prefix(DRAWS) {
            draws.insert(operation.to_owned(), number(name)?);
        }
    }
    Ok(Some(RandomState { seed: number(SEED)?, draws }))
}
