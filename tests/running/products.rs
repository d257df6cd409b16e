//! Products apply the functions that follow them, and pack operands that they use again.

use crate::common::{Outcome, in_both_modes};
use tidemill::prelude::*;
use tidemill::{Initializer, RunError};

/// Numbers that are rounded in every product.
fn numbers(shape: [usize; 2], seed: u32) -> Value {
    let number = |i| ((i * 7919 + seed) % 1013) as f32 / 97.0 - 5.0;
    let count = (shape[0] * shape[1]) as u32;
    Value::from_vec(shape, (0..count).map(number).collect()).unwrap()
}

/// The types of the steps of a run.
fn steps<F: Fetch>(session: &Session, fetch: &F, feeds: &[Tensor]) -> Vec<&'static str> {
    let explanation = session.explain(fetch, feeds).unwrap();
    explanation.steps.into_iter().map(|(_, op)| op).collect()
}

#[test]
fn a_layer_is_one_step() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([30, 200]);
    let w = placeholder::<f32>([200, 100]);
    let b = get_variable("b", [100], Initializer::from(numbers([1, 100], 2).reshape([100])?));
    let residual = placeholder::<f32>([30, 100]);
    let y = relu(bias_add(matmul(x, w), b)) * 0.5 - residual;
    let [rewritten, plain] = in_both_modes();
    assert_eq!(steps(&rewritten, &y, &[x, w, residual]), ["MatMul"]);
    assert_eq!(steps(&plain, &y, &[x, w, residual]).len(), 6);
    let run = |session: &Session| {
        session.init_missing()?;
        let feeds = feeds![
            x => numbers([30, 200], 3),
            w => numbers([200, 100], 1),
            residual => numbers([30, 100], 4)
        ];
        session.run_with(y, feeds)
    };
    assert!(run(&rewritten)?.bits_eq(&run(&plain)?));
    Ok(())
}

#[test]
fn a_product_that_is_needed_itself_stays_as_it_is() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, w) = (placeholder::<f32>([3, 4]), placeholder::<f32>([4, 5]));
    let product = matmul(x, w);
    let (y, z) = (relu(product), product + product);
    for fetches in [vec![product, y], vec![y, z]] {
        let [rewritten, plain] = in_both_modes();
        assert!(steps(&rewritten, &fetches, &[x, w]).contains(&"Relu"));
        let run = |session: &Session| {
            let feeds = feeds![x => numbers([3, 4], 1), w => numbers([4, 5], 2)];
            session.run_with(&fetches, feeds)
        };
        let (actual, expected) = (run(&rewritten)?, run(&plain)?);
        assert!(actual.iter().zip(&expected).all(|(actual, expected)| actual.bits_eq(expected)));
    }
    Ok(())
}

#[test]
fn functions_follow_products_only_where_shapes_are_known_to_fit() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, w, b) = (
        placeholder::<f32>(shape![?, 4]),
        placeholder::<f32>([4, 5]),
        placeholder::<f32>(shape![?]),
    );
    let session = Session::new();
    assert_eq!(steps(&session, &relu(matmul(x, w) + b), &[x, w, b]), ["MatMul", "AddV2", "Relu"]);
    let row = placeholder::<f32>([3, 1]);
    let x = placeholder::<f32>([3, 4]);
    assert_eq!(steps(&session, &(matmul(x, w) + row), &[x, w, row]), ["MatMul", "AddV2"]);
}

#[test]
fn a_run_that_checks_numbers_names_the_function_that_gave_nan() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, w) = (placeholder::<f32>([3, 4]), placeholder::<f32>([4, 5]));
    let y = sqrt(matmul(x, w) - 1e9).named("root");
    let options = RunOptions { check_numerics: true, ..RunOptions::default() };
    let feeds = feeds![x => numbers([3, 4], 1), w => numbers([4, 5], 2)];
    let error = Session::new().run_with_options(y, feeds, &options).unwrap_err();
    assert!(matches!(error, RunError::NonFinite(_)), "{error}");
    assert!(error.to_string().contains("root"), "{error}");
}

#[test]
fn a_trace_has_a_product_and_its_functions_as_the_product() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, w) = (placeholder::<f32>([3, 4]), placeholder::<f32>([4, 5]));
    let y = relu(matmul(x, w));
    let options = RunOptions { trace: true, ..RunOptions::default() };
    let feeds = feeds![x => numbers([3, 4], 1), w => numbers([4, 5], 2)];
    let trace = Session::new().run_with_options(y, feeds, &options)?.trace.unwrap();
    let steps: Vec<(&str, &str)> =
        trace.steps.iter().map(|step| (step.op, step.name.as_str())).collect();
    assert_eq!(steps, [("MatMul", "MatMul")]);
    Ok(())
}

/// A recurrent network, as a loop, and what it gives.
fn recurrent(weights: Tensor) -> Tensor {
    let begin = constant(numbers([8, 128], 5));
    let step = |(i, state): (Tensor, Tensor)| (i + 1, tanh(matmul(state, weights) * 0.01));
    while_loop((constant(0), begin), |(i, _)| less(i, 5), step).1
}

#[test]
fn weights_are_packed_once_for_all_iterations_of_a_loop() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let weights =
        get_variable("weights", [128, 128], Initializer::from(numbers([128, 128], 6))).read();
    let last = recurrent(weights);
    let gradient = gradients([last], [weights])[0];
    let fetches = [last, gradient.unwrap()];
    let [rewritten, plain] = in_both_modes();
    let explanation = rewritten.explain(fetches, &[])?;
    let packed = explanation.rules.iter().filter(|report| report.rule == "packed operand");
    let packed: usize = packed.map(|report| report.count()).sum();
    // There are none on machines whose products do not pack their operands.
    assert!(packed == 2 || !cfg!(target_arch = "x86_64"), "{packed} products are packed");
    let run = |session: &Session| {
        session.init_missing()?;
        session.run(&fetches[..])
    };
    let (actual, expected) = (run(&rewritten)?, run(&plain)?);
    assert!(actual.iter().zip(&expected).all(|(actual, expected)| actual.bits_eq(expected)));
    Ok(())
}

#[test]
fn weights_that_a_run_only_reads_are_packed_again_once_they_have_changed() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let weights = get_variable("weights", [64, 64], Initializer::from(numbers([64, 64], 7)));
    let x = placeholder::<f32>([16, 64]);
    let y = matmul(x, weights);
    // One writes in place, the other puts a value there that the caller keeps.
    let (changed, new) = (assign_add(weights, ones_like(weights)), placeholder::<f32>([64, 64]));
    let replaced = assign(weights, new);
    let [rewritten, plain] = in_both_modes();
    let run = |session: &Session| {
        session.init_missing()?;
        let product = || session.run_with(y, feeds![x => numbers([16, 64], 8)]);
        let mut products = vec![product()?, product()?];
        session.run(changed.op())?;
        products.extend([product()?, product()?]);
        let kept = numbers([64, 64], 9);
        session.run_with(replaced.op(), feeds![new => kept.clone()])?;
        products.push(product()?);
        session.run(changed.op())?;
        products.push(product()?);
        session.run_with(replaced.op(), feeds![new => kept])?;
        products.push(product()?);
        Ok::<_, RunError>(products)
    };
    let (actual, expected) = (run(&rewritten)?, run(&plain)?);
    assert!(actual.iter().zip(&expected).all(|(actual, expected)| actual.bits_eq(expected)));
    assert!(actual[0].bits_eq(&actual[1]) && !actual[1].bits_eq(&actual[2]));
    assert!(actual[4].bits_eq(&actual[6]) && !actual[4].bits_eq(&actual[5]));
    Ok(())
}

#[test]
fn weights_that_a_run_changes_are_packed_as_they_were_before() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let weights = get_variable("weights", [64, 64], Initializer::from(numbers([64, 64], 7)));
    let x = placeholder::<f32>([16, 64]);
    let before = [matmul(x, weights), matmul(x + 1.0, weights)];
    let change = control_dependencies(before, || assign(weights, weights.read() * 2.0));
    let after = control_dependencies([change], || {
        [matmul(x, weights.read()), matmul(x + 1.0, weights.read())]
    });
    let fetches = [before, after].concat();
    let [rewritten, plain] = in_both_modes();
    let run = |session: &Session| {
        session.init_missing()?;
        let run = || session.run_with(&fetches, feeds![x => numbers([16, 64], 8)]);
        Ok::<_, RunError>([run()?, run()?].concat())
    };
    let (actual, expected) = (run(&rewritten)?, run(&plain)?);
    assert!(actual.iter().zip(&expected).all(|(actual, expected)| actual.bits_eq(expected)));
    Ok(())
}

#[test]
fn a_product_in_a_loop_that_turns_out_not_to_fit_says_so() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let weights = placeholder::<f32>([128, 256]);
    let begin = placeholder::<f32>(shape![?, ?]);
    let body = |(i, state): (Tensor, Tensor)| (i + 1, matmul(state, weights));
    let last = while_loop((constant(0), begin), |(i, _)| less(i, 2), body).1;
    let messages = in_both_modes().map(|session| {
        let feeds = feeds![weights => numbers([128, 256], 1), begin => numbers([4, 128], 2)];
        session.run_with(last, feeds).unwrap_err().to_string()
    });
    assert!(
        messages[0].contains("a matrix of 256 columns cannot be multiplied by one of 128 rows"),
        "{}",
        messages[0]
    );
    assert_eq!(messages[0], messages[1]);
}
