//! Recognizes handwritten digits with a network of one hidden layer.

mod common;

use std::error::Error;

use common::Table;
use rand::{SeedableRng, rngs::StdRng};
use tidemill::prelude::*;

const EPOCHS: u64 = 30;
const BATCH: usize = 32;

fn main() -> Result<(), Box<dyn Error>> {
    let (training, held_out) = Table::read("examples/data/digits.csv", false)?.split();
    default_graph().set_random_seed(1);

    // Define.
    let pixels = placeholder::<f32>(shape![?, 64]).named("pixels");
    let labels = placeholder::<i32>(shape![?]).named("labels");
    let hidden = relu(dense("hidden", pixels / 16.0, 64, 64));
    let logits = dense("logits", hidden, 64, 10);
    let loss = losses::sparse_softmax_cross_entropy(labels, logits, 1.0);
    let train = Adam::new(3e-3).minimize(loss);
    let accuracy = metrics::accuracy(labels, arg_max(logits, 1), None);

    // Run.
    let session = Session::new();
    session.run(global_variables_initializer())?;
    let mut random = StdRng::seed_from_u64(1);
    let bar = common::progress(EPOCHS)?;
    for _ in 0..EPOCHS {
        for batch in training.batches(BATCH, &mut random) {
            session.run_with(train, feeds![pixels => batch.features, labels => batch.labels])?;
        }
        let all = feeds![pixels => training.features.view(), labels => training.labels.view()];
        bar.set_message(format!("loss {}", session.run_with(loss, all)?));
        bar.inc(1);
    }
    bar.finish_and_clear();

    let all = feeds![pixels => held_out.features, labels => held_out.labels];
    let accuracy: f32 = session.run_with(accuracy.update, all)?.into_scalars()?;
    println!("Held-out accuracy: {accuracy:.3}");
    Ok(())
}

/// A fully connected layer of `outputs` outputs.
fn dense(name: &str, x: Tensor, inputs: usize, outputs: usize) -> Tensor {
    variable_scope(name, || {
        let weights = get_variable("weights", [inputs, outputs], he_normal());
        matmul(x, weights) + get_variable("bias", [outputs], zeros())
    })
}
