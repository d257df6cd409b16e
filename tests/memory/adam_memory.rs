//! The memory that a step of Adam takes.

use crate::{MEMORY, Outcome};
use tidemill::prelude::*;

pub(crate) fn a_step_takes_a_tenth_more_than_variables_slots_and_gradients_at_most() -> Outcome {
    const COUNT: usize = 1_000_000;
    for resource in [false, true] {
        let graph = Graph::new();
        let _default = graph.as_default();
        let w = variable("w", [COUNT]).initializer(ones()).resource(resource).get();
        let train = Adam::new(0.1).minimize(l2_loss(w));
        let before = MEMORY.in_use();
        let session = Session::new();
        session.run(w.initializer())?;
        // The variable, two slots, the gradient.
        let needed = 4 * COUNT * size_of::<f32>();
        for step in 0..3 {
            let (peak, result) = MEMORY.peak_in(|| session.run(train));
            result?;
            let taken = peak - before;
            let ratio = taken as f64 / needed as f64;
            assert!((1.0..1.1).contains(&ratio), "step {step} takes {ratio:.3} of what it needs");
        }
        let w = session.run(w)?;
        assert!(w.as_slice::<f32>()?.iter().all(|x| (x - 0.7016).abs() < 1e-4));
    }
    Ok(())
}
