//! Newton's method, on the equation that he used to demonstrate it: a loop that ends once it has
//! converged.

use std::error::Error;

use tidemill::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    // Define.
    let start = placeholder::<f64>([]).named("start");
    let (root, _, steps) = WhileLoop::new().maximum_iterations(100).run(
        (start, constant(f64::INFINITY), constant(0)),
        |(_, change, _)| greater(abs(change), 1e-12),
        |(x, _, steps)| {
            let y = x * x * x - x * 2.0 - 5.0;
            let slope = gradients([y], [x])[0].unwrap_or(x);
            let change = y / slope;
            (x - change, change, steps + 1)
        },
    );

    // Run.
    let session = Session::new();
    for guess in [2.0, 10.0, 1e6] {
        let found = session.run_with((root, steps), feeds![start => guess])?;
        let (root, steps): (f64, i32) = found.into_scalars()?;
        println!("From {guess}: {root:.12} after {steps} steps");
    }
    Ok(())
}
