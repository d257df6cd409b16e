use tidemill_graph::{BuildErrorKind, Graph, OpError, fail};
use tidemill_value::{DType, PartialShape, Scalar, Shape, Value};

use crate::ops::array::{fill, filled};
use crate::ops::random::{Distribution, random_tensor};
use crate::{IntoShape, Operand, Tensor};

/// The initial value of a variable.
///
/// Random initializers draw different numbers for each variable, the same in every session with the
/// same seed; [`Initializer::seed`] sets an initializer's own seed.
#[derive(Clone, Debug)]
pub struct Initializer {
    kind: Kind,
    seed: Option<i64>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Glorot's uniform distribution for floats, zero for other types.
    Default,
    Constant(f64),
    Random(Distribution),
    /// A random distribution whose variance is `scale` divided by the number of inputs or outputs.
    Scaled {
        scale: f64,
        fan: Fan,
        shape: ScaledShape,
    },
    Operand(Operand),
}

#[derive(Clone, Copy, Debug)]
enum Fan {
    In,
    Average,
}

#[derive(Clone, Copy, Debug)]
enum ScaledShape {
    Uniform,
    TruncatedNormal,
}

impl Default for Initializer {
    /// The initializer of the [`VariableScope`](crate::VariableScope); if it has none, Glorot's
    /// uniform distribution for floats, and zero for other types.
    fn default() -> Self {
        Kind::Default.into()
    }
}

impl From<Kind> for Initializer {
    fn from(kind: Kind) -> Self {
        Initializer { kind, seed: None }
    }
}

macro_rules! initializer_from_operand {
    ($($rust:ty),*) => {$(
        impl From<$rust> for Initializer {
            /// An initializer with this value.
            fn from(value: $rust) -> Self {
                Kind::Operand(value.into()).into()
            }
        }
    )*};
}

initializer_from_operand!(Tensor, Value, f32, f64, i32, i64, bool, &str);

/// All zeros.
pub fn zeros() -> Initializer {
    Kind::Constant(0.0).into()
}

/// All ones.
pub fn ones() -> Initializer {
    Kind::Constant(1.0).into()
}

/// A tensor filled with one value.
pub fn constant_initializer(value: f64) -> Initializer {
    Kind::Constant(value).into()
}

/// Uniformly distributed numbers from `min` up to, but not including, `max`.
pub fn uniform(min: f64, max: f64) -> Initializer {
    Kind::Random(Distribution::Uniform { min, max }).into()
}

/// Normally distributed numbers.
pub fn normal(mean: f64, stddev: f64) -> Initializer {
    Kind::Random(Distribution::Normal { mean, stddev }).into()
}

/// Normally distributed numbers; those more than two standard deviations from the mean are redrawn.
pub fn truncated_normal(mean: f64, stddev: f64) -> Initializer {
    Kind::Random(Distribution::TruncatedNormal { mean, stddev }).into()
}

/// Uniform within ±√(6 / (inputs + outputs)) (Glorot and Bengio, 2010).
pub fn glorot_uniform() -> Initializer {
    scaled(1.0, Fan::Average, ScaledShape::Uniform)
}

/// Truncated normal of variance 2 / (inputs + outputs) (Glorot and Bengio, 2010).
pub fn glorot_normal() -> Initializer {
    scaled(1.0, Fan::Average, ScaledShape::TruncatedNormal)
}

/// Uniform within ±√(6 / inputs) (He et al., 2015).
pub fn he_uniform() -> Initializer {
    scaled(2.0, Fan::In, ScaledShape::Uniform)
}

/// Truncated normal of variance 2 / inputs (He et al., 2015).
pub fn he_normal() -> Initializer {
    scaled(2.0, Fan::In, ScaledShape::TruncatedNormal)
}

fn scaled(scale: f64, fan: Fan, shape: ScaledShape) -> Initializer {
    Kind::Scaled { scale, fan, shape }.into()
}

impl Initializer {
    /// The same initializer with its own seed, if it is random.
    pub fn seed(mut self, seed: i64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// True if the variable scope decides the initial value.
    pub(crate) fn is_default(&self) -> bool {
        matches!(self.kind, Kind::Default) && self.seed.is_none()
    }

    /// The data type of the initial value, if it is a tensor, value or truth value.
    pub(crate) fn dtype(&self) -> Option<DType> {
        match &self.kind {
            Kind::Operand(Operand::Tensor(tensor)) => tensor.dtype(),
            Kind::Operand(Operand::Value(Ok(value))) => Some(value.dtype()),
            Kind::Operand(Operand::Number(Scalar::Bool(_))) => Some(DType::Bool),
            _ => None,
        }
    }

    /// Adds the nodes that compute the initial value.
    #[track_caller]
    pub(crate) fn build(&self, graph: &Graph, shape: &PartialShape, dtype: DType) -> Tensor {
        if let Kind::Operand(operand) = &self.kind {
            return build_operand(graph, operand, shape, dtype);
        }
        let Some(known) = shape.known() else {
            let message = format!("the shape {shape} of a variable must be known to initialize it");
            return invalid(graph, message);
        };
        let random = |distribution| {
            let shape = IntoShape::into_operand(&known);
            random_tensor(graph, distribution, shape, dtype, self.seed)
        };
        match &self.kind {
            Kind::Default if dtype.is_float() => {
                random(scaled_distribution(1.0, Fan::Average, ScaledShape::Uniform, &known))
            }
            Kind::Default => filled(graph, "zeros", 0.0, dtype, known),
            Kind::Constant(number) => filled(graph, constant_name(*number), *number, dtype, known),
            Kind::Random(distribution) => random(*distribution),
            Kind::Scaled { scale, fan, shape } => {
                random(scaled_distribution(*scale, *fan, *shape, &known))
            }
            Kind::Operand(_) => invalid(graph, "an operand has its own value".to_owned()),
        }
    }
}

/// The initial value's name, as given by TensorFlow's initializers of the same kind.
fn constant_name(number: f64) -> &'static str {
    match number {
        0.0 => "zeros",
        1.0 => "ones",
        _ => "Const",
    }
}

#[track_caller]
fn build_operand(graph: &Graph, operand: &Operand, shape: &PartialShape, dtype: DType) -> Tensor {
    let value = operand.to_tensor_of(Some(graph.key()), dtype, "initial_value");
    let is_number = matches!(operand, Operand::Number(_));
    match shape.known() {
        Some(known) if is_number && known.rank() > 0 => fill(known, value),
        _ if value.shape().merge(shape).is_err() => {
            let message = format!("the initial value has shape {}, not {shape}", value.shape());
            invalid(graph, message)
        }
        _ => value,
    }
}

#[track_caller]
fn invalid(graph: &Graph, message: String) -> Tensor {
    let kind = BuildErrorKind::Op(OpError::Invalid(message));
    fail(Some(graph.key()), "get_variable", kind, Vec::new()).output(0).into()
}

/// The number of inputs and outputs of a unit of a layer with weights of `shape`, as
/// TensorFlow's `variance_scaling_initializer` counts them.
fn fans(shape: &Shape) -> (f64, f64) {
    match &shape[..] {
        [] => (1.0, 1.0),
        [units] => (*units as f64, *units as f64),
        [receptive @ .., inputs, outputs] => {
            let receptive: f64 = receptive.iter().map(|&dim| dim as f64).product();
            (receptive * *inputs as f64, receptive * *outputs as f64)
        }
    }
}

fn scaled_distribution(scale: f64, fan: Fan, form: ScaledShape, shape: &Shape) -> Distribution {
    /// The standard deviation of a normal distribution of variance 1 truncated at ±2.
    const TRUNCATED_STDDEV: f64 = 0.879_625_661_034_239_8;
    let (inputs, outputs) = fans(shape);
    let count = match fan {
        Fan::In => inputs,
        Fan::Average => (inputs + outputs) / 2.0,
    };
    let variance = scale / count.max(1.0);
    match form {
        ScaledShape::Uniform => {
            let limit = (3.0 * variance).sqrt();
            Distribution::Uniform { min: -limit, max: limit }
        }
        ScaledShape::TruncatedNormal => {
            let stddev = variance.sqrt() / TRUNCATED_STDDEV;
            Distribution::TruncatedNormal { mean: 0.0, stddev }
        }
    }
}
