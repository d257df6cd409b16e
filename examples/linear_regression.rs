//! Learns a line from random points on it, as TensorFlow 1's tutorials begin.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tidemill::prelude::*;

const TRUE_M: f32 = 0.3519;
const TRUE_B: f32 = 0.3242;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Define.
    let m = get_variable("m", [], zeros());
    let b = get_variable("b", [], zeros());
    let init = global_variables_initializer();

    let input = placeholder::<f32>([]).named("input");
    let target = placeholder::<f32>([]).named("target");
    let guess = m * input + b;
    let loss = square(target - guess);
    let train = GradientDescent::new(1e-3).minimize(loss);

    // Run.
    let session = Session::new();
    session.run(init)?;
    let mut rng = StdRng::seed_from_u64(7);
    for step in 0..100_000 {
        let x: f32 = rng.random();
        let y = TRUE_M * x + TRUE_B;
        let (loss, ()) = session.run_with((loss, train), feeds![input => x, target => y])?;
        if step % 10_000 == 0 || step == 99_999 {
            println!("step {step:>6}  loss {loss}");
        }
    }

    let (m, b): (f32, f32) = session.run((m, b))?.into_scalars()?;
    println!("True parameters:     m={TRUE_M:.4}, b={TRUE_B:.4}");
    println!("Learned parameters:  m={m:.4}, b={b:.4}");
    Ok(())
}
