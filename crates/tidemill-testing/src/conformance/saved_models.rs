use std::path::Path;

use tidemill_runtime::Feeds;
use tidemill_train::SavedModel;

use super::Case;
use super::compare::{Tolerance, compare};
use super::graph::Tensors;

/// Loads a model and runs a signature.
pub(super) fn check(corpus: &Path, case: &Case) -> Result<(), String> {
    let folder = corpus.join(case.saved_model.as_deref().unwrap_or_default());
    let tensors = Tensors::load(corpus, case)?;
    let model = SavedModel::load(folder, &case.tags).map_err(|error| error.to_string())?;
    let name = case.signature.as_deref().unwrap_or_default();
    let signature = model.signature(name).map_err(|error| error.to_string())?;
    let mut feeds = Feeds::new();
    for (name, tensor) in &signature.inputs {
        feeds = feeds.feed(*tensor, tensors.get(&format!("feed:{name}"))?);
    }
    for (name, tensor) in &signature.outputs {
        let value = model.session().run_with(*tensor, feeds.clone());
        let value = value.map_err(|error| error.to_string())?;
        let tolerance = Tolerance { relative: case.rtol, absolute: case.atol };
        let expected = tensors.get(&format!("fetch:{name}"))?;
        compare(&value, expected, tolerance).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}
