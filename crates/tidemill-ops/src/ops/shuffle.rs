//! Random rows and random classes: `RandomShuffle` and `Multinomial`.

use tidemill_graph::{
    Arg, AttrDef, AttrDefault, Effect, Fallible, Inferred, KernelError, NodeBuilder, OpDef,
    OpError, Sample, default_graph,
};
use tidemill_kernels::{layout, random as kernels};
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::random::{SEEDS, Seeds, seeds};
use crate::elementwise::same_shape;
use crate::index::{check_not_empty, check_single, count_of, integer, known_integer};
use crate::kernel::kernel;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    ops: MULTINOMIAL, RANDOM_SHUFFLE;
    exports: multinomial, random_shuffle;
}

/// The rows of a tensor in random order.
pub static RANDOM_SHUFFLE: OpDef =
    OpDef::new("RandomShuffle", "The rows of a tensor in random order.")
        .inputs(&[Arg::of("value", "T")])
        .outputs(&[Arg::of("output", "T")])
        .attrs(&[SEEDS[0], SEEDS[1], AttrDef::types("T", DType::ALL)])
        .effect(Effect::Random)
        .fallible(Fallible::Never)
        .infer(same_shape)
        .not_differentiable()
        .kernel(|node| {
            let seeds = Seeds::of(node)?;
            Ok(kernel(move |cx| {
                let value = cx.input(0)?;
                let Some(&rows) = value.shape().first().filter(|&&rows| rows > 1) else {
                    return Ok(value.clone());
                };
                let order = kernels::shuffle_permutation(seeds.key(cx.draw), rows);
                let order = order.into_iter().map(|row| row as i64).collect();
                Ok::<_, KernelError>(layout::gather(cx.memory, value, &Value::list(order), 0)?)
            }))
        })
        .samples(|| {
            let rows = Value::from([1.0_f32, 1.0, 1.0, 1.0, 1.0, 1.0]);
            let matrix = rows.clone().reshape([3, 2]);
            let matrix = matrix.map(|matrix| Sample::new([matrix.clone()], matrix));
            let single = Sample::new([Value::from(2.0_f32)], Value::from(2.0_f32));
            let empty = Value::from(Vec::<f32>::new());
            let plain =
                [Sample::new([rows.clone()], rows), single, Sample::new([empty.clone()], empty)];
            plain.into_iter().chain(matrix).collect()
        });

/// Classes drawn by their unnormalized log-probabilities.
pub static MULTINOMIAL: OpDef =
    OpDef::new("Multinomial", "Classes drawn by their unnormalized log-probabilities.")
        .inputs(&[Arg::of("logits", "T"), Arg::is("num_samples", DType::I32)])
        .outputs(&[Arg::of("output", "output_dtype")])
        .attrs(&[
            SEEDS[0],
            SEEDS[1],
            AttrDef::widened("T", DType::NUMBERS),
            AttrDef::types("output_dtype", DType::INDICES).default(AttrDefault::Type(DType::I64)),
        ])
        .effect(Effect::Random)
        .fallible(Fallible::Values)
        .infer(|node| {
            let logits = node.shape(0).merge(&PartialShape::of_rank(2));
            let logits = logits.map_err(|_| {
                let (input, actual) = ("logits", node.shape(0).clone());
                OpError::Rank { input, expected: "2 axes", actual }
            })?;
            let rows = logits.dims().and_then(|dims| dims.first().copied());
            check_single(node, 1)?;
            check_not_empty(node, 0, [1])?;
            let count = known_integer(node, 1);
            let count = count.map(|count| count_of(count, "num_samples")).transpose()?;
            let dims = [rows.unwrap_or(Dim::UNKNOWN), Dim::from(count)];
            Inferred::one(dims.into_iter().collect::<PartialShape>())
        })
        .not_differentiable()
        .kernel(|node| {
            let (seeds, dtype) = (Seeds::of(node)?, node.type_attr("output_dtype")?);
            Ok(kernel(move |cx| {
                let count = count_of(integer(cx.input(1)?, "num_samples")?, "num_samples")?;
                Ok(kernels::classes(cx.memory, seeds.key(cx.draw), cx.input(0)?, count, dtype)?)
            }))
        })
        .samples(|| {
            let only_second = Value::from_vec([2, 3], vec![-1e9_f32, 0.0, -1e9, -1e9, 0.0, -1e9]);
            let ones = Value::from_vec([2, 4], vec![1_i64; 8]);
            let (Ok(logits), Ok(ones)) = (only_second, ones) else { return Vec::new() };
            let empty = Value::zeros(DType::F32, [2, 0]).into_iter();
            let wrong = Sample::error([logits.clone(), Value::from(-1)], "must not be negative");
            let empty = empty.map(|x| Sample::error([x, Value::from(1)], "empty"));
            [Sample::new([logits, Value::from(4)], ones), wrong].into_iter().chain(empty).collect()
        });

/// The rows of `x`, along its first axis, in random order, drawn again in every run that needs them
/// (see [`random`](super::random::random)).
///
/// ```
/// use tidemill_ops::{placeholder, random_shuffle};
/// assert_eq!(random_shuffle(placeholder::<f32>([7, 3]), None).shape().to_string(), "[7, 3]");
/// ```
#[doc(alias = "RandomShuffle")]
#[track_caller]
pub fn random_shuffle(x: impl Into<Operand>, seed: Option<i64>) -> Tensor {
    let x = x.into().to_tensor();
    let seeds = seeds(&x.graph().unwrap_or_else(default_graph), seed);
    let node = NodeBuilder::new(&RANDOM_SHUFFLE).input(x);
    tensor(node.attr("seed", seeds.seed).attr("seed2", seeds.seed2))
}

/// Draws `count` classes for each row of `logits`, which has an unnormalized log-probability for
/// each class: of shape `[rows, count]`, as `int64`, drawn again in every run that needs them.
///
/// # Errors
/// Logits that are not a matrix. A run fails if there are rows, but no classes.
///
/// ```
/// use tidemill_ops::{multinomial, placeholder};
/// assert_eq!(multinomial(placeholder::<f32>([7, 3]), 5, None).shape().to_string(), "[7, 5]");
/// ```
#[doc(alias = "Multinomial")]
#[doc(alias = "categorical")]
#[track_caller]
pub fn multinomial(logits: impl Into<Operand>, count: i32, seed: Option<i64>) -> Tensor {
    let logits = logits.into().to_tensor();
    composite(logits.graph(), "multinomial", |full| {
        let count = Operand::from(Value::from(count)).to_tensor_like(logits, "num_samples");
        let seeds = seeds(&logits.graph().unwrap_or_else(default_graph), seed);
        let node = NodeBuilder::new(&MULTINOMIAL).exact_name(full).input(logits).input(count);
        tensor(node.attr("seed", seeds.seed).attr("seed2", seeds.seed2))
    })
}
