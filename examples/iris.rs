//! Tells three species of iris apart by four measures of their flowers.

mod common;

use std::error::Error;

use common::Table;
use tidemill::prelude::*;

const STEPS: u64 = 400;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut training, mut held_out) = Table::read("examples/data/iris.csv", true)?.split();
    common::standardize(&mut training, &mut held_out);
    default_graph().set_random_seed(1);

    // Define.
    let measures = placeholder::<f32>(shape![?, 4]).named("measures");
    let kinds = placeholder::<i32>(shape![?]).named("kinds");
    let weights = get_variable("weights", [4, 3], glorot_uniform());
    let bias = get_variable("bias", [3], zeros());
    let logits = matmul(measures, weights) + bias;
    let loss = losses::sparse_softmax_cross_entropy(kinds, logits, 1.0);
    let train = Momentum::new(0.1, 0.9).minimize(loss);
    let accuracy = metrics::accuracy(kinds, arg_max(logits, 1), None);

    // Run.
    let session = Session::new();
    session.run(global_variables_initializer())?;
    let all = feeds![measures => training.features, kinds => training.labels];
    let bar = common::progress(STEPS)?;
    for _ in 0..STEPS {
        let (loss, ()) = session.run_with((loss, train), all.clone())?;
        bar.set_message(format!("loss {loss}"));
        bar.inc(1);
    }
    bar.finish_and_clear();

    let all = feeds![measures => held_out.features, kinds => held_out.labels];
    let accuracy: f32 = session.run_with(accuracy.update, all)?.into_scalars()?;
    println!("Held-out accuracy: {accuracy:.3}");
    Ok(())
}
