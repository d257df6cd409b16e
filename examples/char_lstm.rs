//! A recurrent network learns to write like a play, character by character, and then writes.
//! `cargo run --release --example char_lstm -- 200` takes 200 steps.

mod common;

use std::collections::{BTreeSet, VecDeque};
use std::error::Error;
use std::{env, fs};

use ndarray::{Array2, s as range};
use rnn::{DynamicRnn, LstmCell, RnnCell};
use tidemill::prelude::*;

const BATCH: usize = 32;
const STEPS: usize = 50;
const FEATURES: usize = 32;
const UNITS: usize = 128;
const WRITTEN: i32 = 400;

fn main() -> Result<(), Box<dyn Error>> {
    let budget: usize = env::args().nth(1).map_or(Ok(800), |argument| argument.parse())?;
    let text = fs::read_to_string("examples/data/coriolanus.txt")?;
    let alphabet: Vec<char> = text.chars().collect::<BTreeSet<_>>().into_iter().collect();
    // Each sequence of a batch goes through its own part of the text.
    let number = |c| alphabet.binary_search(&c).map_or(0, |i| i as i64);
    let numbers: Vec<i64> = text.chars().map(number).collect();
    let length = numbers.len() / BATCH;
    let text = Array2::from_shape_vec((BATCH, length), numbers[..BATCH * length].to_vec())?;
    default_graph().set_random_seed(1);

    // Define.
    let characters = placeholder::<i64>([BATCH, STEPS]).named("characters");
    let next = placeholder::<i64>([BATCH, STEPS]).named("next");
    let before = ["memory", "outputs"].map(|name| placeholder::<f32>([BATCH, UNITS]).named(name));
    let features = get_variable("features", [alphabet.len(), FEATURES], normal(0.0, 0.1));
    let weights = get_variable("weights", [UNITS, alphabet.len()], glorot_uniform());
    let bias = get_variable("bias", [alphabet.len()], zeros());
    let logits = |outputs: Tensor| matmul(outputs, weights) + bias;
    let cell = LstmCell::new(UNITS);
    let network = DynamicRnn::new(&cell).initial_state((before[0], before[1]));
    let (outputs, (memory, last)) = network.run(embedding_lookup(features, characters));
    let logits_of_all = logits(reshape(outputs, [-1, UNITS as i32]));
    let loss = losses::sparse_softmax_cross_entropy(reshape(next, [-1]), logits_of_all, 1.0);
    let train = Adam::new(5e-3).minimize(loss);
    let written = write(&cell, features, logits, number('\n'));

    // Run.
    let session = Session::new();
    session.run(global_variables_initializer())?;
    let nothing = Value::zeros(DType::F32, [BATCH, UNITS])?;
    let mut state = (nothing.clone(), nothing.clone());
    let mut recent = VecDeque::new();
    let bar = common::progress(budget as u64)?;
    for step in 0..budget {
        // Gradients go back to the beginning of a part; its state comes from the part before.
        let begin = step % ((length - 1) / STEPS) * STEPS;
        if begin == 0 {
            state = (nothing.clone(), nothing.clone());
        }
        let part = |begin: usize| text.slice(range![.., begin..begin + STEPS]);
        let feeds = feeds![
            characters => part(begin), next => part(begin + 1),
            before[0] => state.0, before[1] => state.1
        ];
        let (loss, memory, last, ()) = session.run_with((loss, memory, last, train), feeds)?;
        state = (memory, last);
        recent.push_back(f32::try_from(loss)?);
        if recent.len() > 60 {
            recent.pop_front();
        }
        bar.set_message(format!("loss {:.3}", recent.iter().sum::<f32>() / recent.len() as f32));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let written = session.run(written)?;
    let written = written.as_slice::<i64>()?.iter();
    println!("{}\n", written.map(|&i| alphabet[i as usize]).collect::<String>());
    let loss = recent.iter().sum::<f32>() / recent.len().max(1) as f32;
    println!("Loss of the last {} steps: {loss:.3} nats a character", recent.len());
    Ok(())
}

/// The text that the network writes when each character is drawn from its predictions after those
/// before.
fn write(
    cell: &LstmCell,
    features: Variable,
    logits: impl Fn(Tensor) -> Tensor,
    first: i64,
) -> Tensor {
    let begin = (constant(0), constant([first]), cell.zero_state(1, DType::F32));
    let (.., text) = while_loop(
        (begin, TensorArray::of_shape(DType::I64, [], WRITTEN)),
        |((i, ..), _)| less(i, WRITTEN),
        |((i, character, state), text)| {
            let (output, state) = cell.call(embedding_lookup(features, character), state);
            let next = reshape(multinomial(logits(output) * 1.3, 1, None), [1]);
            ((i + 1, next, state), text.write(i, reshape(next, Vec::<i32>::new())))
        },
    );
    text.stack()
}
