use tidemill_graph::{
    Location, OpError, at_location, default_graph, unique_variable_scope, variable_scope,
};
use tidemill_ops::{Initializer, Operand, Tensor, bias_add, matmul, tensordot, variable, zeros};
use tidemill_value::DType;

use crate::broadcast::invalid;

/// Options of [`dense`].
#[derive(Clone, Debug)]
pub struct Dense {
    /// The function applied to the outputs, such as `relu`; `None` applies none.
    pub activation: Option<fn(Tensor) -> Tensor>,
    /// Whether to add a learned bias.
    pub use_bias: bool,
    /// The initializer of the kernel; by default that of the variable scope, or else Glorot's
    /// uniform distribution.
    pub kernel_initializer: Initializer,
    /// The initializer of the bias.
    pub bias_initializer: Initializer,
    /// The variable scope, which can share variables. The default is `dense`, made unique.
    pub name: Option<&'static str>,
}

impl Default for Dense {
    /// No activation, and a bias that starts at 0.
    fn default() -> Self {
        Dense {
            activation: None,
            use_bias: true,
            kernel_initializer: Initializer::default(),
            bias_initializer: zeros(),
            name: None,
        }
    }
}

/// A layer of `units` outputs, each a linear function of all inputs: `x · kernel + bias` along the
/// last axis of `x`. The result has the shape of `x`, with `units` as its last extent.
///
/// Its variables are `kernel` and `bias`, of the type of `x`, as in TensorFlow's `tf.layers.dense`.
///
/// # Errors
/// The last extent of `x` is unknown, or `x` has no axis.
///
/// ```
/// use tidemill_ops::{placeholder, relu};
/// use tidemill_train::layers::{Dense, dense};
/// let x = placeholder::<f32>([8, 3]);
/// let hidden = dense(x, 5, Dense { activation: Some(relu), ..Dense::default() });
/// assert_eq!(hidden.shape().to_string(), "[8, 5]");
/// ```
#[track_caller]
pub fn dense(x: impl Into<Operand>, units: usize, options: Dense) -> Tensor {
    build(x.into().to_tensor(), units, options, ["dense", "kernel", "bias"])
}

/// A [`dense`] layer like TensorFlow's `tf.contrib.layers.fully_connected`: its variables are
/// `weights` and `biases` in the scope `fully_connected`, made unique. TensorFlow's default
/// activation is `relu`; here, it must be given.
///
/// # Errors
/// As for [`dense`].
///
/// ```
/// use tidemill_ops::{placeholder, relu};
/// use tidemill_train::layers::fully_connected;
/// let hidden = fully_connected(placeholder::<f32>([8, 3]), 5, Some(relu));
/// assert_eq!(hidden.shape().to_string(), "[8, 5]");
/// ```
#[track_caller]
pub fn fully_connected(
    x: impl Into<Operand>,
    num_outputs: usize,
    activation: Option<fn(Tensor) -> Tensor>,
) -> Tensor {
    let names = ["fully_connected", "weights", "biases"];
    build(x.into().to_tensor(), num_outputs, Dense { activation, ..Dense::default() }, names)
}

#[track_caller]
fn build(x: Tensor, units: usize, options: Dense, names: [&'static str; 3]) -> Tensor {
    let [scope, kernel, bias] = names;
    let shape = x.shape();
    let inputs = shape.dims().and_then(|dims| dims.last().copied()?.known());
    let (Some(inputs), Some(rank)) = (inputs, shape.rank()) else {
        if x.is_invalid() {
            return x;
        }
        let message = format!(
            "the last axis of the input must have a known extent, but its shape is {shape}"
        );
        return invalid(x, scope, OpError::invalid(message));
    };
    let graph = x.graph().unwrap_or_else(default_graph);
    let _default = graph.as_default();
    let layer = || {
        let dtype = x.dtype().unwrap_or(DType::F32);
        let kernel = variable(kernel, [inputs, units]).dtype(dtype);
        let kernel = kernel.initializer(options.kernel_initializer.clone()).get();
        let product = match rank {
            2 => matmul(x, kernel),
            _ => tensordot(x, kernel, &[rank as i64 - 1], &[0]),
        };
        let outputs = match options.use_bias {
            true => {
                let bias = variable(bias, [units]).dtype(dtype);
                bias_add(product, bias.initializer(options.bias_initializer.clone()).get())
            }
            false => product,
        };
        options.activation.map_or(outputs, |activation| activation(outputs))
    };
    at_location(Location::caller(), || match options.name {
        Some(name) => variable_scope(name, layer),
        None => unique_variable_scope(scope, layer),
    })
}
