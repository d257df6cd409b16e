use tidemill_graph::{
    Graph, Location, OpError, at_location, default_graph, unique_variable_scope, variable_scope,
};
use tidemill_ops::{
    Axes, BatchStatistics, FusedBatchNorm, Operand, Tensor, Variable, assign_sub, fill,
    fused_batch_norm, get_variable, moments, ones, reshape, select, variable, zeros, zeros_like,
};
use tidemill_value::{PartialShape, Scalar};

use crate::broadcast::invalid_input;
use crate::{UPDATE_OPS, assign_moving_average};

/// Options of [`batch_normalization`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BatchNormalization {
    /// The axis of the channels; a negative axis counts from the end.
    pub axis: i64,
    /// The fraction of a moving average that a step keeps.
    pub momentum: f64,
    /// A small number that is added to variances.
    pub epsilon: f32,
    /// Whether to add a learned offset, `beta`.
    pub center: bool,
    /// Whether to multiply by a learned factor, `gamma`.
    pub scale: bool,
    /// The variable scope, which can share variables. The default is `batch_normalization`, made
    /// unique.
    pub name: Option<&'static str>,
}

impl Default for BatchNormalization {
    /// Channels last, momentum 0.99, epsilon 0.001, with offset and factor.
    fn default() -> Self {
        BatchNormalization {
            axis: -1,
            momentum: 0.99,
            epsilon: 1e-3,
            center: true,
            scale: true,
            name: None,
        }
    }
}

/// Batch normalization of a layer (Ioffe and Szegedy, 2015). In training, it normalizes each
/// channel of `x` to mean 0 and variance 1 within the batch; otherwise it uses moving averages of
/// both. Then it applies a learned factor and offset. `training` is `true`, `false`, or a tensor of
/// type `bool` and shape `[]`; with a tensor, both variants are computed.
///
/// The updates of the moving averages are in the collection [`UPDATE_OPS`]: the training operation
/// that [`minimize`](crate::Optimizer::minimize) builds for a loss that depends on the layer runs
/// them.
///
/// # Errors
/// The rank or the number of channels of `x` is unknown, or the axis does not exist.
///
/// ```
/// use tidemill_ops::placeholder;
/// use tidemill_train::layers::{BatchNormalization, batch_normalization};
/// let x = placeholder::<f32>([8, 3]);
/// let y = batch_normalization(x, true, BatchNormalization::default());
/// assert_eq!(y.shape(), x.shape());
/// ```
#[track_caller]
pub fn batch_normalization(
    x: impl Into<Operand>,
    training: impl Into<Operand>,
    options: BatchNormalization,
) -> Tensor {
    let (x, training) = (x.into().to_tensor(), training.into());
    let shape = x.shape();
    let dims = shape.dims().unwrap_or_default();
    let axis = if options.axis < 0 { options.axis + dims.len() as i64 } else { options.axis };
    let axis = usize::try_from(axis).unwrap_or(usize::MAX);
    let Some(channels) = dims.get(axis).and_then(|dim| dim.known()) else {
        let error = unknown_channels(shape, options.axis);
        return invalid_input("batch_normalization", ("x", x), error);
    };
    let graph = x.graph().unwrap_or_else(default_graph);
    let _default = graph.as_default();
    let layer = Layer { graph: &graph, x, axis, rank: dims.len(), channels, options };
    at_location(Location::caller(), || match options.name {
        Some(name) => variable_scope(name, || layer.build(&training)),
        None => unique_variable_scope("batch_normalization", || layer.build(&training)),
    })
}

/// The error of an unknown number of channels.
fn unknown_channels(actual: PartialShape, axis: i64) -> OpError {
    match actual.rank() {
        Some(rank) if axis < -(rank as i64) || axis >= rank as i64 => OpError::Axis { axis, rank },
        _ => OpError::UnknownExtent { input: "x", axis, actual },
    }
}

struct Layer<'a> {
    graph: &'a Graph,
    x: Tensor,
    axis: usize,
    rank: usize,
    channels: usize,
    options: BatchNormalization,
}

/// The variables of a layer.
struct Parameters {
    gamma: Option<Variable>,
    beta: Option<Variable>,
    mean: Variable,
    variance: Variable,
}

impl Layer<'_> {
    fn build(&self, training: &Operand) -> Tensor {
        let BatchNormalization { center, scale, .. } = self.options;
        let list = [self.channels];
        let moving = |name, start| variable(name, list).initializer(start).trainable(false).get();
        let parameters = Parameters {
            gamma: scale.then(|| get_variable("gamma", list, ones())),
            beta: center.then(|| get_variable("beta", list, zeros())),
            mean: moving("moving_mean", zeros()),
            variance: moving("moving_variance", ones()),
        };
        let is_training = match training {
            Operand::Number(Scalar::Bool(true)) => None,
            Operand::Number(Scalar::Bool(false)) => return self.inferred(&parameters),
            tensor => Some(tensor.to_tensor()),
        };
        let (normalized, mean, variance) = self.trained(&parameters);
        for (moving, value) in [(parameters.mean, mean), (parameters.variance, variance)] {
            let update = match is_training {
                None => assign_moving_average(moving, value, self.options.momentum, false),
                Some(is_training) => {
                    let step = (moving - value) * (1.0 - self.options.momentum);
                    assign_sub(moving, select(is_training, step, zeros_like(step)))
                }
            };
            self.graph.add_to_collection(UPDATE_OPS, update.op());
        }
        match is_training {
            None => normalized,
            Some(is_training) => select(is_training, normalized, self.inferred(&parameters)),
        }
    }

    /// The format of the images, if one fused operation can normalize them.
    fn fused_format(&self) -> Option<&'static str> {
        match (self.rank, self.axis) {
            (4, 3) => Some("NHWC"),
            (4, 1) => Some("NCHW"),
            _ => None,
        }
    }

    /// The input normalized by the statistics of the batch, and the batch's mean and variance.
    fn trained(&self, parameters: &Parameters) -> (Tensor, Tensor, Tensor) {
        if let Some(data_format) = self.fused_format() {
            return self.fused(parameters, data_format, BatchStatistics::OfBatch);
        }
        let axes: Vec<i64> = (0..self.rank).filter(|&i| i != self.axis).map(|i| i as i64).collect();
        let (mean, variance) = moments(self.x, Axes::from(&axes[..]));
        (self.normalized(parameters, mean, variance), mean, variance)
    }

    /// The input normalized by the moving averages.
    fn inferred(&self, parameters: &Parameters) -> Tensor {
        let (mean, variance) = (parameters.mean.read(), parameters.variance.read());
        match self.fused_format() {
            Some(format) => {
                self.fused(parameters, format, BatchStatistics::Given { mean, variance }).0
            }
            None => self.normalized(parameters, mean, variance),
        }
    }

    fn fused(
        &self,
        parameters: &Parameters,
        data_format: &'static str,
        statistics: BatchStatistics,
    ) -> (Tensor, Tensor, Tensor) {
        let epsilon = self.options.epsilon;
        let list = |given: Option<Variable>, number: f32| {
            given.map_or_else(|| fill([self.channels], number), Variable::read)
        };
        let (scale, offset) = (list(parameters.gamma, 1.0), list(parameters.beta, 0.0));
        let options = FusedBatchNorm { statistics, epsilon, data_format };
        fused_batch_norm(self.x, scale, offset, options)
    }

    fn normalized(&self, parameters: &Parameters, mean: Tensor, variance: Tensor) -> Tensor {
        let spread = |list: Tensor| match self.rank - 1 - self.axis {
            0 => list,
            _ => {
                let extent = |i| if i == self.axis { self.channels as i32 } else { 1 };
                reshape(list, (0..self.rank).map(extent).collect::<Vec<i32>>())
            }
        };
        let read = |variable: Option<Variable>| variable.map(|variable| spread(variable.read()));
        tidemill_ops::batch_normalization(
            self.x,
            spread(mean),
            spread(variance),
            read(parameters.beta),
            read(parameters.gamma),
            self.options.epsilon,
        )
    }
}
