use std::path::Path;

use tidemill_autodiff::{GradientOptions, gradients, gradients_with};
use tidemill_graph::Graph;
use tidemill_ops::{Inspect, Tensor};

use super::Case;
use super::graph::{Expected, Tensors, check_values, expected, import_file};

/// Builds gradients of imported nodes, and gradients of those gradients, and compares them.
pub(super) fn check(corpus: &Path, case: &Case) -> Result<(), String> {
    let tensors = Tensors::load(corpus, case)?;
    let graph = import_file(corpus, case)?;
    let mut compared = expected(&graph, &tensors, "", &case.fetches)?;
    let named = |names: &[String]| -> Result<Vec<Tensor>, String> {
        let tensor = |name: &String| graph.tensor(name).map_err(|error| error.to_string());
        names.iter().map(tensor).collect()
    };
    let xs = named(&case.xs)?;
    let grad_ys = named(&case.grad_ys)?.into_iter().map(Some).collect();
    let options = GradientOptions { grad_ys, ..GradientOptions::default() };
    let first = gradients_with(named(&case.ys)?, xs.clone(), options);
    compared.extend(check_none(&tensors, "grad:", &case.xs, &case.none_grads, &first)?);
    if case.order > 1 {
        let second = gradients(first.into_iter().flatten(), xs);
        compared.extend(check_none(&tensors, "grad2:", &case.xs, &case.none_grads2, &second)?);
    }
    check_valid(&graph)?;
    check_values(&graph, case, &compared, &[], &tensors.feeds("", &case.feeds)?)
}

/// Checks that exactly the gradients of `none` are missing, and returns the others with their
/// expected values.
fn check_none(
    tensors: &Tensors,
    prefix: &str,
    xs: &[String],
    none: &[String],
    gradients: &[Option<Tensor>],
) -> Result<Vec<Expected>, String> {
    let mut expected = Vec::new();
    for (x, gradient) in xs.iter().zip(gradients) {
        let key = format!("{prefix}{x}");
        match (gradient, none.contains(x)) {
            (None, true) => {}
            (None, false) => return Err(format!("{key}: there is none")),
            (Some(_), true) => return Err(format!("{key}: there is one, but must not be")),
            (Some(tensor), false) => {
                let value = tensors.get(&key)?.clone();
                expected.push(Expected { key, tensor: *tensor, value });
            }
        }
    }
    Ok(expected)
}

fn check_valid(graph: &Graph) -> Result<(), String> {
    graph.check().map_err(|errors| format!("gradients: {errors}"))
}
