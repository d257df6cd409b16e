use tidemill_graph::default_graph;
pub use tidemill_ops::REGULARIZATION_LOSSES;
use tidemill_ops::{
    Inspect, Operand, Tensor, abs, add_n, composite, constant, l2_loss, reduce_sum,
};

/// The collection of the losses that this module computes.
pub const LOSSES: &str = "losses";

/// Adds a loss that this module did not compute to the collection [`LOSSES`] of its graph.
pub fn add_loss(loss: Tensor) {
    add_to(LOSSES, loss);
}

fn add_to(collection: &str, loss: Tensor) {
    if let Some(graph) = loss.graph() {
        graph.add_to_collection(collection, loss);
    }
}

/// The losses in the default graph, in creation order.
pub fn get_losses() -> Vec<Tensor> {
    default_graph().tensors_in(LOSSES)
}

/// The regularization losses in the default graph, in creation order.
pub fn get_regularization_losses() -> Vec<Tensor> {
    default_graph().tensors_in(REGULARIZATION_LOSSES)
}

/// The sum of the regularization losses; 0 if there are none.
#[track_caller]
pub fn get_regularization_loss() -> Tensor {
    match get_regularization_losses() {
        losses if losses.is_empty() => constant(0.0_f32),
        losses => add_n(losses).named("total_regularization_loss"),
    }
}

/// The sum of all losses and regularization losses in the default graph, which training minimizes.
///
/// # Errors
/// The handle is invalid if there are none, or if they differ in type or shape.
///
/// ```
/// use tidemill_ops::{constant, get_variable, ones};
/// use tidemill_train::losses;
/// let weights = get_variable("weights", [2], ones());
/// losses::mean_squared_error(constant([1.0_f32, 1.0]), weights * 3.0, 1.0);
/// losses::l2_regularizer(0.5).apply(weights);
/// let session = tidemill_runtime::Session::new();
/// session.init_missing()?;
/// assert_eq!(session.run(losses::get_total_loss())?.to_string(), "4.5");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn get_total_loss() -> Tensor {
    let losses = get_losses().into_iter().chain(get_regularization_losses());
    add_n(losses.collect::<Vec<Tensor>>()).named("total_loss")
}

/// A loss that depends only on weights and keeps them small.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Regularizer {
    l1: f64,
    l2: f64,
}

/// `scale` times the sum of the absolute values of weights, which drives some weights to 0.
pub const fn l1_regularizer(scale: f64) -> Regularizer {
    Regularizer { l1: scale, l2: 0.0 }
}

/// `scale` times half the sum of the squares of weights, as in weight decay.
pub const fn l2_regularizer(scale: f64) -> Regularizer {
    Regularizer { l1: 0.0, l2: scale }
}

/// The sum of an [`l1_regularizer`] and an [`l2_regularizer`].
pub const fn l1_l2_regularizer(l1: f64, l2: f64) -> Regularizer {
    Regularizer { l1, l2 }
}

impl Regularizer {
    /// The loss for `weights`, of their type and of shape `[]`. It is added to the collection
    /// [`REGULARIZATION_LOSSES`].
    #[track_caller]
    pub fn apply(self, weights: impl Into<Operand>) -> Tensor {
        let weights = weights.into().to_tensor();
        let name = match (self.l1 != 0.0, self.l2 != 0.0) {
            (true, true) => "l1_l2_regularizer",
            (true, false) => "l1_regularizer",
            _ => "l2_regularizer",
        };
        composite(weights.graph(), name, |_| {
            let l1 = || reduce_sum(abs(weights), ..) * self.l1;
            let l2 = || l2_loss(weights) * self.l2;
            let loss = match name {
                "l1_l2_regularizer" => l1() + l2(),
                "l1_regularizer" => l1(),
                _ => l2(),
            };
            add_to(REGULARIZATION_LOSSES, loss);
            loss
        })
    }
}
