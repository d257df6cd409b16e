//! Tells malignant from benign tumours by 30 measures of their cells, by logistic regression.

mod common;

use std::error::Error;

use common::Table;
use tidemill::metrics::AucOptions;
use tidemill::prelude::*;

const STEPS: u64 = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let table = Table::read("examples/data/breast_cancer.csv", true)?;
    let (mut training, mut held_out) = table.split();
    common::standardize(&mut training, &mut held_out);

    // Define.
    let measures = placeholder::<f32>(shape![?, 30]).named("measures");
    let is_benign = placeholder::<i32>(shape![?]).named("is_benign");
    let weights = get_variable("weights", [30, 1], zeros());
    let bias = get_variable("bias", [], zeros());
    let logits = squeeze(matmul(measures, weights) + bias, &[1]);
    losses::sigmoid_cross_entropy(is_benign, logits, 0.0, 1.0);
    losses::l2_regularizer(0.01).apply(weights);
    let loss = losses::get_total_loss();
    let train = Momentum::new(0.1, 0.9).minimize(loss);

    let probabilities = sigmoid(logits);
    let area = metrics::auc(is_benign, probabilities, None, AucOptions::default());
    let accuracy = metrics::accuracy(is_benign, greater(logits, 0.0), None);

    // Run.
    let session = Session::new();
    session.run(global_variables_initializer())?;
    let all = feeds![measures => training.features, is_benign => training.labels];
    let bar = common::progress(STEPS)?;
    for _ in 0..STEPS {
        let (loss, ()) = session.run_with((loss, train), all.clone())?;
        bar.set_message(format!("loss {loss}"));
        bar.inc(1);
    }
    bar.finish_and_clear();

    let all = feeds![measures => held_out.features, is_benign => held_out.labels];
    let (area, accuracy) = session.run_with((area.update, accuracy.update), all)?;
    println!("Held-out accuracy: {:.3}", f32::try_from(accuracy)?);
    println!("Held-out AUC:      {:.4}", f32::try_from(area)?);
    Ok(())
}
