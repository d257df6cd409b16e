//! Training that can be killed at any time: started again, it continues from its last checkpoint,
//! and ends with the same bits. Run `cargo run --example resume -- folder` again and again.

mod common;

use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;
use std::{env, thread};

use common::Table;
use tidemill::Inspect;
use tidemill::prelude::*;

const STEPS: u64 = 1000;
const BATCH: i64 = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).map_or("target/resume".into(), PathBuf::from);
    let Table { features, labels } = Table::read("examples/data/digits.csv", false)?;
    let images = labels.len() as i64;
    default_graph().set_random_seed(1);

    // Define. Batches are drawn in the graph, so checkpoints know which come next.
    let batch = random_shuffle(range(0_i64, images, 1_i64), None).slice(s![..BATCH]);
    let pixels = gather(constant(features) / 16.0, batch, 0);
    let labels = gather(constant(labels), batch, 0);
    let hidden = relu(matmul(pixels, get_variable("hidden", [64, 64], he_normal())));
    let hidden = dropout(hidden, 0.3, PartialShape::unknown(), None);
    let logits = matmul(hidden, get_variable("logits", [64, 10], glorot_uniform()));
    let loss = losses::sparse_softmax_cross_entropy(labels, logits, 1.0);
    let step = get_or_create_global_step();
    let train = Adam::new(2e-3).minimize_with(loss, MinimizeOptions::default().global_step(step));

    // Run.
    let session = Session::new();
    let mut checkpointer = Checkpointer::new(folder.join("model.ckpt"))?.every_steps(20);
    let first = match checkpointer.restore(&session)? {
        Some(restored) => restored.step,
        None => {
            session.run(global_variables_initializer())?;
            0
        }
    };
    println!("It goes on after step {first} of {STEPS}");
    let bar = common::progress(STEPS)?.with_position(first);
    for step in first + 1..=STEPS {
        let (loss, ()) = session.run_with((loss, train), feeds![])?;
        checkpointer.after_step(&session, step)?;
        // Time to kill it.
        thread::sleep(Duration::from_millis(2));
        bar.set_message(format!("loss {loss}"));
        bar.inc(1);
    }
    checkpointer.finish(&session, STEPS)?;
    bar.finish_and_clear();

    let mut hash = DefaultHasher::new();
    for value in session.run(default_graph().trainable_variables())? {
        value.as_slice::<f32>()?.iter().for_each(|weight| weight.to_bits().hash(&mut hash));
    }
    println!("Weights after step {STEPS}: {:016x}", hash.finish());
    Ok(())
}
