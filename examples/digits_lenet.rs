//! Recognizes handwritten digits with a convolutional network like LeNet, with batch normalization
//! and dropout. `cargo run --release --example digits_lenet -- 5` trains on the images 5 times.

mod common;

use std::env;
use std::error::Error;

use common::Table;
use rand::{SeedableRng, rngs::StdRng};
use tidemill::layers::{BatchNormalization, batch_normalization};
use tidemill::prelude::*;

const BATCH: usize = 32;

fn main() -> Result<(), Box<dyn Error>> {
    let epochs: u64 = env::args().nth(1).map_or(Ok(20), |epochs| epochs.parse())?;
    let (training, held_out) = Table::read("examples/data/digits.csv", false)?.split();
    default_graph().set_random_seed(1);

    // Define.
    let pixels = placeholder::<f32>(shape![?, 64]).named("pixels");
    let labels = placeholder::<i32>(shape![?]).named("labels");
    let is_training = placeholder::<bool>([]).named("is_training");
    let images = reshape(pixels / 16.0, [-1, 8, 8, 1]);
    let maps = convolution("first", images, [1, 16], is_training);
    let maps = convolution("second", maps, [16, 32], is_training);
    let features = reshape(maps, [-1, 2 * 2 * 32]);
    let hidden = relu(dense("hidden", features, [2 * 2 * 32, 64]));
    let kept = select(is_training, dropout(hidden, 0.4, PartialShape::unknown(), None), hidden);
    let logits = dense("logits", kept, [64, 10]);
    let loss = losses::sparse_softmax_cross_entropy(labels, logits, 1.0);

    let step = get_or_create_global_step();
    let steps = epochs * (training.labels.len() / BATCH) as u64;
    let rate = schedules::cosine_decay(4e-3, step, steps as f64, 0.01);
    // The moving averages of batch normalization are updated, too.
    let train = Adam::new(rate).minimize_with(loss, MinimizeOptions::default().global_step(step));
    let accuracy = metrics::accuracy(labels, arg_max(logits, 1), None);

    // Run.
    let session = Session::new();
    session.run(global_variables_initializer())?;
    let mut random = StdRng::seed_from_u64(1);
    let bar = common::progress(steps)?;
    for _ in 0..epochs {
        for batch in training.batches(BATCH, &mut random) {
            let fed = feeds![
                pixels => batch.features, labels => batch.labels, is_training => true
            ];
            let (loss, ()) = session.run_with((loss, train), fed)?;
            bar.set_message(format!("loss {loss}"));
            bar.inc(1);
        }
    }
    bar.finish_and_clear();

    let all = feeds![pixels => held_out.features, labels => held_out.labels, is_training => false];
    let accuracy: f32 = session.run_with(accuracy.update, all)?.into_scalars()?;
    println!("Held-out accuracy: {accuracy:.3}");
    Ok(())
}

/// A 3 by 3 convolution, normalized, followed by 2 by 2 max pooling.
fn convolution(name: &str, x: Tensor, channels: [usize; 2], is_training: Tensor) -> Tensor {
    variable_scope(name, || {
        let filter = get_variable("filter", [3, 3, channels[0], channels[1]], he_normal());
        let maps = conv2d(x, filter, Conv::SAME);
        let maps = batch_normalization(
            maps,
            is_training,
            BatchNormalization { momentum: 0.9, ..BatchNormalization::default() },
        );
        max_pool(relu(maps), [2, 2], Conv::VALID.strides([2, 2]))
    })
}

/// A fully connected layer.
fn dense(name: &str, x: Tensor, shape: [usize; 2]) -> Tensor {
    variable_scope(name, || {
        let weights = get_variable("weights", shape, he_normal());
        matmul(x, weights) + get_variable("bias", [shape[1]], zeros())
    })
}
