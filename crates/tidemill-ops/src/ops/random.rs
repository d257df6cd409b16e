//! Random tensors: `RandomUniform`, `RandomStandardNormal`, `TruncatedNormal`,
//! `RandomUniformInt`.

use tidemill_graph::{
    Arg, AttrDef, Draw, Effect, Fallible, Graph, GraphKey, Inferred, Kernel, Location, NodeBuilder,
    NodeView, OpDef, OpError, Sample, at_location, default_graph, scoped,
};
use tidemill_kernels::random::{self as kernels, RandomKey};
use tidemill_value::{DType, Element, Scalar, Value, match_dtype};

use super::arithmetic::ADD;
use super::array::described_shape;
use super::constant::constant_node;
use crate::index::{check_single, known_extents, shape_of};
use crate::kernel::kernel;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::{IntoShape, Operand, Tensor};

operations! {
    ops: RANDOM_STANDARD_NORMAL, RANDOM_UNIFORM, RANDOM_UNIFORM_INT, TRUNCATED_NORMAL;
    exports: Distribution, random, random_integers, random_normal, random_uniform;
}

pub(super) const SEEDS: [AttrDef; 2] = [AttrDef::int("seed", 0), AttrDef::int("seed2", 0)];

/// An operation that draws floats from a fixed distribution.
const fn draw_floats(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .inputs(const { &[Arg::of("shape", "T")] })
        .outputs(const { &[Arg::of("output", "dtype")] })
        .attrs(
            const {
                &[
                    AttrDef::types("T", DType::INDICES),
                    AttrDef::types("dtype", &[DType::F32, DType::F64]),
                    SEEDS[0],
                    SEEDS[1],
                ]
            },
        )
        .effect(Effect::Random)
        .fallible(Fallible::Values)
        .infer(|node| {
            known_extents(node, 0)?;
            Inferred::one(described_shape(node, 0)?)
        })
        .not_differentiable()
        .samples(|| {
            let sample = Sample::shapes([Value::from([2, 3])]).attr("dtype", DType::F32);
            vec![sample, Sample::error([Value::from([-1])], "-1").attr("dtype", DType::F64)]
        })
}

/// Numbers from 0 up to, but not including, 1.
pub static RANDOM_UNIFORM: OpDef =
    draw_floats("RandomUniform", "Numbers from 0 up to, but not including, 1.")
        .kernel(|node| float_kernel(node, kernels::uniform::<f32>, kernels::uniform::<f64>));

/// Normally distributed numbers of mean 0 and standard deviation 1.
pub static RANDOM_STANDARD_NORMAL: OpDef = draw_floats(
    "RandomStandardNormal",
    "Normally distributed numbers of mean 0 and standard deviation 1.",
)
.kernel(|node| {
    float_kernel(node, kernels::standard_normal::<f32>, kernels::standard_normal::<f64>)
});

/// Normally distributed numbers of mean 0 and standard deviation 1, from -2 to 2.
pub static TRUNCATED_NORMAL: OpDef = draw_floats(
    "TruncatedNormal",
    "Normally distributed numbers of mean 0 and standard deviation 1, from -2 to 2.",
)
.kernel(|node| {
    float_kernel(node, kernels::truncated_normal::<f32>, kernels::truncated_normal::<f64>)
});

/// The seeds from which a node draws its numbers.
pub(super) struct Seeds {
    pub(super) seed: i64,
    pub(super) seed2: i64,
}

impl Seeds {
    pub(super) fn of(node: &NodeView<'_>) -> Result<Self, OpError> {
        Ok(Seeds { seed: node.int_attr("seed")?, seed2: node.int_attr("seed2")? })
    }

    /// Seeds of zero mean no seeds: then the numbers depend on the session and the node.
    pub(super) fn key(&self, draw: Draw) -> RandomKey {
        let (seed, stream) = match (self.seed, self.seed2) {
            (0, 0) => (draw.session_seed, draw.key),
            (seed, seed2) => (seed as u64, seed2 as u64),
        };
        RandomKey { seed, stream, count: draw.count }
    }
}

fn float_kernel(
    node: &NodeView<'_>,
    f32s: fn(RandomKey, &mut [f32]),
    f64s: fn(RandomKey, &mut [f64]),
) -> Result<Box<dyn Kernel>, OpError> {
    let (seeds, dtype) = (Seeds::of(node)?, node.type_attr("dtype")?);
    Ok(kernel(move |cx| {
        let key = seeds.key(cx.draw);
        let mut drawn = cx.memory.scratch(dtype, shape_of(cx.input(0)?)?)?;
        match dtype {
            DType::F64 => f64s(key, drawn.as_mut_slice()?),
            _ => f32s(key, drawn.as_mut_slice()?),
        }
        Ok(drawn)
    }))
}

/// Integers from one number up to, but not including, another.
pub static RANDOM_UNIFORM_INT: OpDef =
    OpDef::new("RandomUniformInt", "Integers from one number up to, but not including, another.")
        .inputs(&[Arg::of("shape", "T"), Arg::of("minval", "Tout"), Arg::of("maxval", "Tout")])
        .outputs(&[Arg::of("output", "Tout")])
        .attrs(&[
            AttrDef::types("T", DType::INDICES),
            AttrDef::types("Tout", DType::INDICES),
            SEEDS[0],
            SEEDS[1],
        ])
        .effect(Effect::Random)
        .fallible(Fallible::Values)
        .infer(|node| {
            known_extents(node, 0)?;
            check_single(node, 1)?;
            check_single(node, 2)?;
            Inferred::one(described_shape(node, 0)?)
        })
        .kernel(|node| {
            let (seeds, dtype) = (Seeds::of(node)?, node.dtype(1));
            Ok(kernel(move |cx| {
                let key = seeds.key(cx.draw);
                let mut drawn = cx.memory.scratch(dtype, shape_of(cx.input(0)?)?)?;
                match_dtype!(dtype, indices, T => {
            let (low, high): (T, T) = (cx.input(1)?.to_scalar()?, cx.input(2)?.to_scalar()?);
            kernels::uniform_integer(key, low, high, drawn.as_mut_slice()?)?;
        }, else ());
                Ok(drawn)
            }))
        })
        .not_differentiable()
        .samples(|| {
            let inputs =
                |low: i32, high: i32| [Value::from([4]), Value::from(low), Value::from(high)];
            vec![Sample::shapes(inputs(-3, 3)), Sample::error(inputs(3, 3), "no integer")]
        });

/// The distribution of random numbers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Distribution {
    /// The uniform distribution from `min` up to, but not including, `max`.
    Uniform {
        /// The lowest number.
        min: f64,
        /// The number above the highest.
        max: f64,
    },
    /// The normal distribution.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        stddev: f64,
    },
    /// The normal distribution; numbers more than two standard deviations from the mean are
    /// redrawn.
    TruncatedNormal {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        stddev: f64,
    },
}

/// Random numbers of type `dtype` and a given shape, drawn anew in every run that needs them. The
/// shape may be an integer tensor, such as `shape(x)`.
///
/// They depend only on the seeds of the operation and the graph and on how often the operation has
/// run in the session. Without these seeds, they depend on the session's seed.
///
/// # Errors
/// A `dtype` that is not `float32` or `float64`. A run fails if an extent is negative.
///
/// ```
/// use tidemill_ops::{Distribution, placeholder, random, shape};
/// use tidemill_value::DType;
/// let normal = Distribution::Normal { mean: 0.0, stddev: 0.1 };
/// let noise = random(normal, [3], DType::F32, None);
/// assert_eq!(noise.shape().to_string(), "[3]");
/// let x = placeholder::<f32>(tidemill_value::shape![?, 784]);
/// let noisy = x + random(normal, shape(x), DType::F32, None);
/// assert_eq!(noisy.shape().to_string(), "[?, 784]");
/// ```
#[doc(alias = "truncated_normal")]
#[track_caller]
pub fn random(
    distribution: Distribution,
    shape: impl IntoShape,
    dtype: DType,
    seed: Option<i64>,
) -> Tensor {
    let shape = shape.into_operand();
    let given = shape.as_tensor();
    let graph = given.and_then(Tensor::graph).unwrap_or_else(default_graph);
    random_tensor(&graph, distribution, given.map_or(shape, Operand::from), dtype, seed)
}

/// [`random`] numbers from `min` up to, but not including, `max`, all equally likely.
///
/// # Errors
/// As for [`random`].
///
/// ```
/// use tidemill_ops::random_uniform;
/// use tidemill_value::DType;
/// let angles = random_uniform([7], -3.14, 3.14, DType::F32, None);
/// assert_eq!(angles.shape().to_string(), "[7]");
/// ```
#[track_caller]
pub fn random_uniform(
    shape: impl IntoShape,
    min: f64,
    max: f64,
    dtype: DType,
    seed: Option<i64>,
) -> Tensor {
    random(Distribution::Uniform { min, max }, shape, dtype, seed)
}

/// [`random`] numbers of a normal distribution.
///
/// # Errors
/// As for [`random`].
///
/// ```
/// use tidemill_ops::random_normal;
/// use tidemill_value::DType;
/// let noise = random_normal([7, 3], 0.0, 1.0, DType::F32, None);
/// assert_eq!(noise.shape().to_string(), "[7, 3]");
/// ```
#[track_caller]
pub fn random_normal(
    shape: impl IntoShape,
    mean: f64,
    stddev: f64,
    dtype: DType,
    seed: Option<i64>,
) -> Tensor {
    random(Distribution::Normal { mean, stddev }, shape, dtype, seed)
}

/// Random numbers, in a graph, of a shape that is a value or a tensor.
#[track_caller]
pub(crate) fn random_tensor(
    graph: &Graph,
    distribution: Distribution,
    shape: Operand,
    dtype: DType,
    seed: Option<i64>,
) -> Tensor {
    let (op, name, (first_name, first), (second_name, second)) = match distribution {
        Distribution::Uniform { min, max } => {
            (&RANDOM_UNIFORM, "random_uniform", ("min", min), ("max", max))
        }
        Distribution::Normal { mean, stddev } => {
            (&RANDOM_STANDARD_NORMAL, "random_normal", ("mean", mean), ("stddev", stddev))
        }
        Distribution::TruncatedNormal { mean, stddev } => {
            (&TRUNCATED_NORMAL, "truncated_normal", ("mean", mean), ("stddev", stddev))
        }
    };
    at_location(Location::caller(), || {
        scoped(graph, name, |full| {
            let key = graph.key();
            let shape = shape.to_tensor_in(key, "shape");
            let first = number(key, first_name, first, dtype);
            let second = number(key, second_name, second, dtype);
            let seeds = seeds(graph, seed);
            let drawn = NodeBuilder::new(op).input(shape).attr("dtype", dtype);
            let drawn = tensor(drawn.attr("seed", seeds.seed).attr("seed2", seeds.seed2));
            let scale = match distribution {
                Distribution::Uniform { .. } => second - first,
                _ => second,
            };
            let scaled = drawn * scale;
            let sum = NodeBuilder::new(&ADD).exact_name(full);
            tensor(sum.input(scaled).input(first))
        })
    })
}

fn number(graph: GraphKey, name: &'static str, number: f64, dtype: DType) -> Tensor {
    let scalar = Scalar::F64(number).adopt(dtype).unwrap_or(Scalar::F64(number));
    constant_node(Some(graph), name, Value::from(scalar))
}

/// The seeds of an operation, from its own and that of the graph, as TensorFlow's `get_seed`
/// combines them.
pub(super) fn seeds(graph: &Graph, seed: Option<i64>) -> Seeds {
    /// TensorFlow's default seed for graphs that have none.
    const DEFAULT_GRAPH_SEED: i64 = 87_654_321;
    let reader = graph.read();
    match (reader.seed(), seed) {
        (None, None) => Seeds { seed: 0, seed2: 0 },
        (graph_seed, op_seed) => {
            let seed = graph_seed.unwrap_or(DEFAULT_GRAPH_SEED);
            let seed2 = op_seed.unwrap_or(reader.len() as i64);
            // Seeds of zero would mean no seeds.
            if (seed, seed2) == (0, 0) {
                Seeds { seed: 0, seed2: i64::from(i32::MAX) }
            } else {
                Seeds { seed, seed2 }
            }
        }
    }
}

/// Random integers of type `T` from `min` up to, but not including, `max`, drawn anew in every
/// run that needs them (see [`random`]). The shape may be an integer tensor.
///
/// # Errors
/// A `T` that is not `i32` or `i64`. A run fails if there is no integer in the range.
///
/// ```
/// use tidemill_ops::random_integers;
/// let dice = random_integers([2], 1, 7, Some(42));
/// assert_eq!(dice.shape().to_string(), "[2]");
/// ```
#[doc(alias = "RandomUniformInt")]
#[track_caller]
pub fn random_integers<T: Element>(
    shape: impl IntoShape,
    min: T,
    max: T,
    seed: Option<i64>,
) -> Tensor {
    let shape = shape.into_operand();
    let given = shape.as_tensor();
    let graph = given.and_then(Tensor::graph).unwrap_or_else(default_graph);
    composite(Some(graph.clone()), "random_uniform", |full| {
        let key = graph.key();
        let shape = given.unwrap_or_else(|| shape.to_tensor_in(key, "shape"));
        let min = constant_node(Some(key), "min", Value::scalar(min));
        let max = constant_node(Some(key), "max", Value::scalar(max));
        let seeds = seeds(&graph, seed);
        let node = NodeBuilder::new(&RANDOM_UNIFORM_INT).exact_name(full);
        let node = node.input(shape).input(min).input(max);
        tensor(node.attr("seed", seeds.seed).attr("seed2", seeds.seed2))
    })
}
