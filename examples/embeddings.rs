//! Word vectors, learned from a licence by telling neighboring words from words drawn at random
//! (Mikolov et al., 2013). A step changes only the rows of its words.

mod common;

use std::collections::BTreeMap;
use std::error::Error;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tidemill::prelude::*;

const WIDTH: usize = 32;
const WINDOW: usize = 3;
const BATCH: usize = 256;
const STEPS: u64 = 3000;

fn main() -> Result<(), Box<dyn Error>> {
    let text = std::fs::read_to_string("LICENSE-APACHE")?.to_lowercase();
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 2).collect();
    let mut numbers = BTreeMap::new();
    words.iter().for_each(|word| *numbers.entry(*word).or_default() += 1);
    let vocabulary: Vec<&str> = numbers.keys().copied().collect();
    numbers.values_mut().zip(0_i64..).for_each(|(number, i)| *number = i);
    let sequence: Vec<i64> = words.iter().map(|word| numbers[word]).collect();
    default_graph().set_random_seed(1);

    // Define.
    let word = placeholder::<i64>([BATCH]).named("word");
    let other = placeholder::<i64>([BATCH]).named("other");
    let is_near = placeholder::<f32>([BATCH]).named("is_near");
    let shape = [vocabulary.len(), WIDTH];
    let vectors = get_variable("vectors", shape, uniform(-0.5, 0.5));
    let contexts = get_variable("contexts", shape, zeros());
    let products = embedding_lookup(vectors, word) * embedding_lookup(contexts, other);
    let logits = reduce_sum(products, 1);
    let loss = losses::sigmoid_cross_entropy(is_near, logits, 0.0, 1.0);
    let train = Adagrad::new(1.0).minimize(loss);
    let accuracy = metrics::accuracy(is_near, greater(logits, 0.0), None);

    let query = placeholder::<i64>([]).named("query");
    let directions = vectors / sqrt(reduce_sum(square(vectors), 1)).slice(s![.., NewAxis]);
    let similarities = matmul(directions, gather(directions, query, 0).slice(s![.., NewAxis]));
    let nearest = top_k(squeeze(similarities, &[1]), 5).1;

    // Run.
    let session = Session::new();
    session.run(global_variables_initializer())?;
    let mut random = StdRng::seed_from_u64(1);
    let bar = common::progress(STEPS)?;
    for step in 0..STEPS {
        let (mut first, mut second, mut near) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..BATCH {
            let place = random.random_range(WINDOW..sequence.len() - WINDOW);
            let distance = random.random_range(1..=WINDOW);
            let place_of_other = match i % 4 {
                0 => place - distance,
                1 => place + distance,
                _ => random.random_range(0..sequence.len()),
            };
            first.push(sequence[place]);
            second.push(sequence[place_of_other]);
            near.push(f32::from(u8::from(i % 4 < 2)));
        }
        let fed = feeds![word => first, other => second, is_near => near];
        let counted = (step >= STEPS - 100).then_some(accuracy.update);
        let (loss, _, ()) = session.run_with((loss, counted, train), fed)?;
        bar.set_message(format!("loss {loss}"));
        bar.inc(1);
    }
    bar.finish_and_clear();

    for name in ["copyright", "contributions", "license"] {
        let nearest = session.run_with(nearest, feeds![query => numbers[name]])?;
        let nearest = nearest.as_slice::<i32>()?.iter().map(|&i| vocabulary[i as usize]);
        println!("{}", nearest.collect::<Vec<_>>().join(", "));
    }
    let accuracy: f32 = session.run(accuracy.value)?.into_scalars()?;
    println!("Near words told from random ones: {accuracy:.3}");
    Ok(())
}
