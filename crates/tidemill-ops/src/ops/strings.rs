//! Strings: `StringJoin`, `StringFormat`, `StaticRegexFullMatch`, `ShardedFilename`, and `PrintV2`.

use regex_lite::Regex;
use smallvec::SmallVec;
use tidemill_graph::{
    Arg, Arity, AttrDef, AttrKind, Effect, Fallible, Inferred, KernelCx, KernelError, NodeBuilder,
    NodeView, OpDef, OpError, Sample,
};
use tidemill_value::{ByteString, DType, PartialShape, Shape, Value, ValueError};

use crate::index::check_rank;
use crate::kernel::kernel;
use crate::operand::tensor;
use crate::operations::operations;
use crate::summarize::{Limit, summarize_nested};
use crate::{Operand, Tensor};

operations! {
    ops: PRINT_V2, SHARDED_FILENAME, STATIC_REGEX_FULL_MATCH, STRING_FORMAT, STRING_JOIN;
    exports: string_format, string_join;
}

/// The strings of several tensors, joined.
pub static STRING_JOIN: OpDef =
    OpDef::new("StringJoin", "The strings of several tensors, joined element by element.")
        .inputs(&[Arg { arity: Arity::Count("N"), ..Arg::is("inputs", DType::String) }])
        .outputs(&[Arg::is("output", DType::String)])
        .attrs(&[AttrDef::new("N", AttrKind::Int), AttrDef::str("separator", "")])
        .infer(|node| Inferred::one(joined_shape(node.inputs().iter().map(|fact| &fact.shape))?))
        .kernel(|node| {
            let separator = node.str_attr("separator")?;
            Ok(kernel(move |cx| join(cx, &separator)))
        })
        .not_differentiable()
        .samples(|| {
            let inputs =
                vec![vec![Value::from("a"), vec![ByteString::from("b"), "c".into()].into()]];
            let joined = Value::from(vec![ByteString::from("a-b"), "a-c".into()]);
            let pair = |count| Value::from(vec![ByteString::from("x"); count]);
            vec![
                Sample::new([], joined).arguments(inputs).attr("separator", "-"),
                Sample::error([], "contradict").arguments(vec![vec![pair(2), pair(3)]]),
            ]
        });

/// The common shape of all inputs that are not scalars.
fn joined_shape<'a>(
    shapes: impl Iterator<Item = &'a PartialShape>,
) -> Result<PartialShape, ValueError> {
    let (mut joined, mut may_be_more) = (PartialShape::scalar(), false);
    for shape in shapes {
        match (shape.rank(), joined.rank()) {
            (Some(0), _) => {}
            (None, _) => may_be_more = true,
            (_, Some(0)) => joined = shape.clone(),
            _ => joined = joined.merge(shape)?,
        }
    }
    Ok(if may_be_more { PartialShape::unknown() } else { joined })
}

fn join(cx: &KernelCx<'_>, separator: &ByteString) -> Result<Value, KernelError> {
    let inputs = cx.all_inputs()?;
    let shapes: Vec<PartialShape> = inputs.iter().map(|x| x.shape().into()).collect();
    let shape = joined_shape(shapes.iter())?.known().unwrap_or_else(Shape::scalar);
    let inputs = inputs.iter().map(|x| x.as_slice::<ByteString>());
    let inputs: Vec<&[ByteString]> = inputs.collect::<Result<_, _>>()?;
    let count = shape.elements().unwrap_or_default();
    let element = |i: usize| {
        let parts = inputs.iter().filter_map(|x| if x.len() == 1 { x.first() } else { x.get(i) });
        let parts: Vec<&[u8]> = parts.map(|part| part.as_slice()).collect();
        ByteString::from(parts.join(separator.as_slice()))
    };
    Ok(Value::from_vec(shape, (0..count).map(element).collect::<Vec<_>>())?)
}

/// A string with tensors in place of placeholders.
pub static STRING_FORMAT: OpDef =
    OpDef::new("StringFormat", "A string with tensors in place of placeholders.")
        .inputs(&[Arg::mixed("inputs", "T")])
        .outputs(&[Arg::is("output", DType::String)])
        .attrs(&[
            AttrDef::new("T", AttrKind::Types),
            AttrDef::str("template", "%s"),
            AttrDef::str("placeholder", "%s"),
            AttrDef::int("summarize", 3),
        ])
        .fallible(Fallible::Never)
        .infer(|node| {
            let (template, placeholder) =
                (node.str_attr("template")?, node.str_attr("placeholder")?);
            let (gaps, inputs) = (gaps(&template, &placeholder).len(), node.inputs().len());
            match gaps == inputs {
                true => Inferred::one(PartialShape::scalar()),
                false => Err(OpError::attr(
                    "template",
                    format!("the template has {gaps} placeholders for {inputs} tensors"),
                )),
            }
        })
        .kernel(|node| {
            let (template, placeholder) =
                (node.str_attr("template")?, node.str_attr("placeholder")?);
            let limit = Limit(node.int_attr("summarize")?);
            Ok(kernel(move |cx| {
                let mut text = Vec::new();
                let mut start = 0;
                for (gap, value) in gaps(&template, &placeholder).into_iter().zip(cx.all_inputs()?)
                {
                    text.extend_from_slice(&template[start..gap]);
                    text.extend_from_slice(summarize_nested(value, limit).as_bytes());
                    start = gap + placeholder.len();
                }
                text.extend_from_slice(&template[start..]);
                Ok(Value::from_vec(Shape::scalar(), vec![ByteString::from(text)])?)
            }))
        })
        .not_differentiable()
        .samples(|| {
            let inputs = vec![vec![Value::from([1.5_f32, 2.0]), Value::from("t")]];
            let sample = Sample::new([], Value::from("x = [1.5 2], \"t\"!")).arguments(inputs);
            let none = Sample::error([], "1 placeholders for 0 tensors").arguments(vec![vec![]]);
            vec![sample.attr("template", "x = {}, {}!").attr("placeholder", "{}"), none]
        });

/// The positions of the placeholders in a template.
fn gaps(template: &[u8], placeholder: &[u8]) -> Vec<usize> {
    let (mut gaps, mut start) = (Vec::new(), 0);
    while !placeholder.is_empty()
        && let Some(gap) =
            template[start..].windows(placeholder.len()).position(|x| x == placeholder)
    {
        gaps.push(start + gap);
        start += gap + placeholder.len();
    }
    gaps
}

/// Prints a string.
pub static PRINT_V2: OpDef = OpDef::new("PrintV2", "Prints a string.")
    .inputs(&[Arg::is("input", DType::String)])
    .attrs(&[AttrDef::str("output_stream", "stderr"), AttrDef::str("end", "\n")])
    .effect(Effect::Print)
    .fallible(Fallible::Never)
    .infer(|node| {
        check_rank(node, 0, 0, "no axes")?;
        Ok(SmallVec::new())
    })
    .kernel(|node| {
        let end = node.str_attr("end")?;
        // A sink ends each line itself.
        let end = end.strip_suffix(b"\n").unwrap_or(&end).to_vec();
        Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
            let text = [cx.input(0)?.as_slice::<ByteString>()?.concat(), end.clone()].concat();
            cx.host.print(&String::from_utf8_lossy(&text));
            Ok(())
        }))
    })
    .not_differentiable()
    .samples(|| vec![Sample::shapes([Value::from("text")])]);

/// Whether a regular expression matches each whole string.
pub static STATIC_REGEX_FULL_MATCH: OpDef =
    OpDef::new("StaticRegexFullMatch", "Whether a regular expression matches each whole string.")
        .inputs(&[Arg::is("input", DType::String)])
        .outputs(&[Arg::is("output", DType::Bool)])
        .attrs(&[AttrDef::new("pattern", AttrKind::Str)])
        .infer(|node| {
            pattern(node)?;
            Inferred::one(node.shape(0))
        })
        .kernel(|node| {
            let regex = pattern(node)?;
            Ok(kernel(move |cx| {
                let input = cx.input(0)?;
                // A regular expression does not match bytes that are not UTF-8.
                let matches =
                    |x: &ByteString| std::str::from_utf8(x).is_ok_and(|x| regex.is_match(x));
                let matched: Vec<bool> =
                    input.as_slice::<ByteString>()?.iter().map(matches).collect();
                Ok(Value::from_vec(input.shape().clone(), matched)?)
            }))
        })
        .not_differentiable()
        .samples(|| {
            let inputs = || [Value::from(vec![ByteString::from("s3://x"), "as3://".into()])];
            let sample = Sample::new(inputs(), Value::from([true, false]));
            vec![
                sample.attr("pattern", "s3://.*"),
                Sample::error(inputs(), "`(`").attr("pattern", "("),
            ]
        });

/// The name of one of several files.
pub static SHARDED_FILENAME: OpDef =
    OpDef::new("ShardedFilename", "The name of one of several files.")
        .inputs(&[
            Arg::is("basename", DType::String),
            Arg::is("shard", DType::I32),
            Arg::is("num_shards", DType::I32),
        ])
        .outputs(&[Arg::is("filename", DType::String)])
        .infer(|node| {
            (0..3).try_for_each(|i| check_rank(node, i, 0, "no axes"))?;
            Inferred::one(PartialShape::scalar())
        })
        .kernel(|_| {
            Ok(kernel(|cx| {
                let base: ByteString = cx.input(0)?.to_scalar()?;
                let (shard, shards): (i32, i32) =
                    (cx.input(1)?.to_scalar()?, cx.input(2)?.to_scalar()?);
                let behind = format!("-{shard:05}-of-{shards:05}");
                let name = ByteString::from([base.as_slice(), behind.as_bytes()].concat());
                Ok(Value::from_vec(Shape::scalar(), vec![name])?)
            }))
        })
        .not_differentiable()
        .samples(|| {
            let inputs = [Value::from("x"), Value::from(1), Value::from(12)];
            vec![Sample::new(inputs, Value::from("x-00001-of-00012"))]
        });

/// The pattern that whole strings must match.
fn pattern(node: &NodeView<'_>) -> Result<Regex, OpError> {
    let pattern = node.str_attr("pattern")?.to_string();
    let regex = Regex::new(&format!("^(?:{pattern})$"));
    regex.map_err(|error| OpError::attr("pattern", format!("`{pattern}`: {error}")))
}

/// Operands as tensors, with the line of the caller, which a closure would lose.
#[track_caller]
fn to_tensors<T: Into<Operand>>(operands: impl IntoIterator<Item = T>) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    for operand in operands {
        tensors.push(operand.into().to_tensor());
    }
    tensors
}

/// The strings of several tensors, joined element by element, with `separator` between them.
/// Scalar strings are joined to all others.
///
/// # Errors
/// Shapes that differ.
#[doc(alias = "StringJoin")]
#[track_caller]
pub fn string_join<T: Into<Operand>>(
    inputs: impl IntoIterator<Item = T>,
    separator: &str,
) -> Tensor {
    let inputs = to_tensors(inputs);
    tensor(NodeBuilder::new(&STRING_JOIN).inputs(inputs).attr("separator", separator))
}

/// A string: `template` with each `{}` replaced by one of `inputs`.
///
/// # Errors
/// The number of `{}` differs from the number of inputs.
#[doc(alias = "StringFormat")]
#[track_caller]
pub fn string_format<T: Into<Operand>>(
    template: &str,
    inputs: impl IntoIterator<Item = T>,
) -> Tensor {
    let inputs = to_tensors(inputs);
    let node = NodeBuilder::new(&STRING_FORMAT).inputs(inputs).attr("template", template);
    tensor(node.attr("placeholder", "{}"))
}
