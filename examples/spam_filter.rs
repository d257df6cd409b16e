//! Logistic regression: tells spam from mail by its sender, the length of its title, its number of
//! recipients, and its time of arrival.

use std::error::Error;

use ndarray::{Array1, Array2, Axis, s};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tidemill::prelude::*;

const MAILS: usize = 20_000;
const TRAINING: usize = 16_000;
const FEATURES: [&str; 4] = ["sender known", "title length", "recipients", "hour"];

fn main() -> Result<(), Box<dyn Error>> {
    let (mails, is_spam, log_odds) = generate(&mut StdRng::seed_from_u64(1));

    // Define.
    let x = placeholder::<f32>(shape![?, FEATURES.len()]).named("mails");
    let labels = placeholder::<f32>(shape![?]).named("is_spam");
    let weights = get_variable("weights", [FEATURES.len(), 1], zeros());
    let bias = get_variable("bias", [], zeros());
    let init = global_variables_initializer();

    let logits = squeeze(matmul(x, weights) + bias, &[1]);
    let loss = reduce_mean(sigmoid_cross_entropy_with_logits(labels, logits), ..);
    let train = GradientDescent::new(1.0).minimize(loss);
    let is_right = equal(greater(logits, 0.0), greater(labels, 0.5));
    let accuracy = reduce_mean(cast(is_right, DType::F32), ..);

    // Run.
    let session = Session::new();
    session.run(init)?;
    let part = |from, to| feeds![x => mails.slice(s![from..to, ..]), labels => is_spam.slice(s![from..to])];
    let (training, held_out) = (part(0, TRAINING), part(TRAINING, MAILS));
    for step in 0..500 {
        let (loss, ()) = session.run_with((loss, train), training.clone())?;
        if step % 100 == 0 {
            println!("step {step:>3}  loss {loss}");
        }
    }

    let (weights, accuracy) = session.run_with((weights, accuracy), held_out)?;
    for (feature, weight) in FEATURES.iter().zip(weights.as_slice::<f32>()?) {
        println!("weight of {feature:<12} {weight:>7.3}");
    }
    let held_out = log_odds.iter().zip(&is_spam).skip(TRAINING);
    let right = held_out.filter(|(odds, is_spam)| (**odds > 0.0) == (**is_spam > 0.5)).count();
    let optimum = right as f32 / (MAILS - TRAINING) as f32;
    println!("Held-out accuracy: {:.3}", f32::try_from(accuracy)?);
    println!("Best possible:     {optimum:.3}");
    Ok(())
}

/// Mails with standardised features; whether each is spam; and the log odds that it is, which the
/// filter should find.
fn generate(rng: &mut StdRng) -> (Array2<f32>, Array1<f32>, Array1<f32>) {
    let mut mails = Array2::zeros((MAILS, FEATURES.len()));
    for mut mail in mails.rows_mut() {
        let known = rng.random_bool(0.6);
        let recipients = 1.0 + (1.0 - rng.random::<f32>()).ln() * -8.0;
        mail[0] = f32::from(u8::from(known));
        mail[1] = rng.random_range(5.0..80.0);
        mail[2] = recipients.round();
        mail[3] = rng.random_range(0.0..24.0);
    }
    let log_odds = mails.map_axis(Axis(1), |mail| {
        -2.5 * mail[0] + 0.03 * (mail[1] - 40.0) + 0.25 * (mail[2] - 6.0) - 0.05 * (mail[3] - 12.0)
    });
    let is_spam = log_odds
        .mapv(|odds: f32| f32::from(u8::from(rng.random::<f32>() < 1.0 / (1.0 + (-odds).exp()))));
    for mut feature in mails.columns_mut() {
        let (mean, deviation) = (feature.mean().unwrap_or_default(), feature.std(0.0));
        feature.mapv_inplace(|value| (value - mean) / deviation);
    }
    (mails, is_spam, log_odds)
}
