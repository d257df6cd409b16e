//! `Einsum`: sums of products in Einstein's notation.

mod equation;

use tidemill_graph::{
    Arg, AttrDef, AttrKind, BuildErrorKind, GradCx, GradientError, Grads, Inferred, NodeBuilder,
    NodeView, OpDef, OpError, Sample, fail,
};
use tidemill_kernels::einsum as kernels;
use tidemill_kernels::einsum::Label;
use tidemill_value::{DType, PartialShape, Value};

use super::array::{broadcast_to, concat, expand_dims, gather, range, rank, shape};
use super::batch::sum_stretched;
use crate::kernel::kernel;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::{Operand, Tensor};
use equation::{Equation, Term};

operations! {
    ops: EINSUM;
    exports: einsum, tensordot;
}

/// The sum of products that an equation describes.
pub static EINSUM: OpDef = OpDef::new("Einsum", "The sum of products that an equation describes.")
    .inputs(&[Arg::list("inputs", "T", "N")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(&[AttrDef::new("equation", AttrKind::Str), AttrDef::widened("T", DType::NUMBERS)])
    .infer(|node| {
        let shapes: Vec<&PartialShape> = node.inputs().iter().map(|fact| &fact.shape).collect();
        Inferred::one(equation_of(node)?.infer(&shapes)?)
    })
    .gradient(gradient)
    .kernel(|node| {
        let equation = equation_of(node)?;
        Ok(kernel(move |cx| {
            let inputs = cx.all_inputs()?;
            let shapes: Vec<PartialShape> = inputs.iter().map(|x| x.shape().into()).collect();
            equation.infer(&shapes.iter().collect::<Vec<_>>())?;
            let ranks: Vec<usize> = inputs.iter().map(|x| x.shape().rank()).collect();
            let (labels, output) = equation.labels(&ranks)?;
            let labels = labels.iter().map(|labels| &labels[..]);
            let operands: Vec<(&Value, &[Label])> = inputs.into_iter().zip(labels).collect();
            Ok(kernels::einsum(cx.memory, &operands, &output)?)
        }))
    })
    .samples(samples);

fn samples() -> Vec<Sample> {
    let value = |shape: &[usize]| {
        let count = shape.iter().product();
        let element = |i: usize| (i * 5 % 7) as f32 - 2.5;
        Value::from_vec(shape, (0..count).map(element).collect())
    };
    let equations: [(&str, &[&[usize]]); 18] = [
        ("ij,jk->ik", &[&[2, 3], &[3, 4]]),
        ("bij,bjk->bik", &[&[2, 2, 3], &[2, 3, 2]]),
        ("bhqd,bhkd->bhqk", &[&[1, 2, 2, 3], &[1, 2, 4, 3]]),
        ("i,j->ij", &[&[2], &[3]]),
        ("ij,ij->", &[&[2, 3], &[2, 3]]),
        ("ijb,ij->b", &[&[2, 3, 2], &[2, 3]]),
        ("ijk->kij", &[&[2, 1, 3]]),
        ("ii->i", &[&[3, 3]]),
        ("ii->", &[&[3, 3]]),
        ("i->ii", &[&[3]]),
        ("ijk->j", &[&[2, 3, 2]]),
        ("ijl,jkk->ki", &[&[2, 3, 2], &[3, 2, 2]]),
        ("...ij,...jk->...ik", &[&[2, 1, 2, 3], &[3, 3, 1]]),
        ("i...,...->i...", &[&[2, 2, 1], &[3]]),
        ("...i->...", &[&[2, 3]]),
        ("...ij,jk->ik", &[&[2, 2, 3], &[3, 2]]),
        ("ij,...jk->...ik", &[&[2, 3], &[2, 3, 1]]),
        ("ij,jk->ik", &[&[0, 3], &[3, 2]]),
    ];
    let sample = |(equation, shapes): (&str, &[&[usize]])| -> Option<Sample> {
        let inputs = shapes.iter().map(|&shape| value(shape).ok()).collect::<Option<Vec<_>>>()?;
        Some(Sample::shapes([]).arguments(vec![inputs]).attr("equation", equation))
    };
    let given = |equation: &'static str, inputs: &[Value]| {
        let sample = Sample::shapes([]).arguments(vec![inputs.to_vec()]);
        sample.attr("equation", equation)
    };
    let x = Value::from([1.0_f32, 2.0, 3.0]);
    let y = Value::from([0.5_f32, -1.0, 2.0]);
    let wrong = |sample: Sample, message| Sample {
        expect: tidemill_graph::Expect::Error(message),
        ..sample
    };
    let short = [x.clone(), Value::from([1.0_f32])];
    let both = [x, y];
    let checked = [
        given("i,i->", &both).outputs([Value::from(4.5_f32)]),
        given("i,i->i", &both).outputs([Value::from([0.5_f32, -2.0, 6.0])]),
        wrong(given("ij->i", &both[..1]), "does not label a tensor of 1 axes"),
        wrong(given("i,i->", &both[..1]), "2 terms for 1 inputs"),
        wrong(given("i,i->", &short), "`i` stands for both 3 and 1"),
    ];
    equations.into_iter().filter_map(sample).chain(checked).collect()
}

fn equation_of(node: &NodeView<'_>) -> Result<Equation, OpError> {
    let text = node.str_attr("equation")?;
    let text = std::str::from_utf8(&text);
    text.map_err(|_| OpError::attr("equation", "the equation is not UTF-8"))?.parse()
}

#[track_caller]
fn node(equation: String, inputs: impl IntoIterator<Item = Tensor>) -> Tensor {
    let node = NodeBuilder::new(&EINSUM).inputs(inputs);
    tensor(node.attr("equation", equation.as_str()))
}

fn gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let equation = equation_of(cx.node())?;
    let grad: Tensor = cx.grad();
    let of_input = |i: usize| -> Tensor {
        let others = equation.inputs.iter().enumerate().filter(|(other, _)| *other != i);
        let other = others.map(|(other, term)| (term, cx.input(other))).next();
        of_operand((&equation.inputs[i], cx.input(i)), other, (&equation.output, grad))
    };
    (0..cx.input_count()).map(|i| Ok(Some(of_input(i).into()))).collect()
}

/// The gradient of an operand: the gradient of the output times the other operand, summed over the
/// labels that the operand does not have, and repeated along those that nothing else has.
fn of_operand(
    (term, x): (&Term, Tensor),
    other: Option<(&Term, Tensor)>,
    (output, grad): (&Term, Tensor),
) -> Tensor {
    let others: Vec<&Term> = other.iter().map(|(term, _)| *term).chain([output]).collect();
    let is_alone = |letter: char| !others.iter().any(|other| other.has(letter));
    let ellipsis = term.ellipsis && others.iter().any(|other| other.ellipsis);
    let target = Term { ellipsis, ..term.without(is_alone) };
    let product = match other {
        Some((of_other, other)) => node(format!("{output},{of_other}->{target}"), [grad, other]),
        None if *output == target => grad,
        None => node(format!("{output}->{target}"), [grad]),
    };
    let whole = if target == *term { product } else { repeated(product, &target, term, x) };
    if !term.ellipsis {
        return whole;
    }
    let summed = sum_stretched(whole, x, term.before.len(), term.after.len());
    // Along an ellipsis that was summed, the other operand may have an extent of 1.
    if output.ellipsis { summed } else { broadcast_to(summed, shape(x)) }
}

/// `product`, whose labels are those of `target`, repeated along the other labels of `term`, the
/// labels of `x`.
fn repeated(product: Tensor, target: &Term, term: &Term, x: Tensor) -> Tensor {
    let (before, after) = (term.before.len(), term.after.len());
    let mut labels = String::new();
    let mut extents = Vec::new();
    if term.ellipsis && !target.ellipsis {
        labels.push_str("...");
        extents.push(gather(shape(x), range(before as i32, rank(x) - after as i32, 1), 0));
    }
    for (i, letter) in term.letters().enumerate() {
        if target.has(letter) || labels.contains(letter) {
            continue;
        }
        labels.push(letter);
        let axis = match i < before {
            true => Operand::from([i as i32]).to_tensor_like(x, "indices"),
            false => expand_dims(rank(x) - (before + after - i) as i32, 0),
        };
        extents.push(gather(shape(x), axis, 0));
    }
    extents.push(shape(product));
    let stretched = broadcast_to(product, concat(extents, 0));
    let labels = format!("{labels}{target}");
    if labels == term.to_string() {
        stretched
    } else {
        node(format!("{labels}->{term}"), [stretched])
    }
}

/// The sum of products of the elements of `operands` that `equation` describes in Einstein's
/// notation.
///
/// The equation has a term for each operand, separated by commas, and after `->` one for the
/// result. A term has a letter for each axis. Axes with the same letter are matched; letters that
/// are not in the result are summed over. A letter that occurs twice in a term takes the diagonal;
/// in the result it makes one. `...` stands for any number of axes, which broadcast. Without `->`,
/// the result has the letters that occur once, in alphabetical order.
///
/// Several operands are multiplied from the first to the last.
///
/// # Errors
/// Tensors that differ in type or that the terms do not fit.
///
/// ```
/// use tidemill_ops::{einsum, placeholder};
/// let (x, y) = (placeholder::<f32>([7, 2, 3]), placeholder::<f32>([3, 4]));
/// assert_eq!(einsum("bij,jk->bik", [x, y]).shape().to_string(), "[7, 2, 4]");
/// ```
#[doc(alias = "Einsum")]
#[track_caller]
pub fn einsum<T: Into<Operand>>(equation: &str, operands: impl IntoIterator<Item = T>) -> Tensor {
    let mut tensors = Vec::new();
    for operand in operands {
        tensors.push(operand.into().to_tensor());
    }
    let parsed = equation.parse::<Equation>();
    let checked = parsed.and_then(|equation| match equation.inputs.len() == tensors.len() {
        true => Ok(equation),
        false => Err(OpError::attr(
            "equation",
            format!(
                "the equation has {} terms for {} operands",
                equation.inputs.len(),
                tensors.len()
            ),
        )),
    });
    match checked {
        Ok(equation) => composite(tensors[0].graph(), "einsum", |_| pairwise(equation, tensors)),
        Err(error) => {
            let kind = BuildErrorKind::Op(error);
            fail(None, "Einsum", kind, Vec::new()).output(0).into()
        }
    }
}

/// Multiplies operands two at a time, and sums as early as it can.
#[track_caller]
fn pairwise(equation: Equation, mut tensors: Vec<Tensor>) -> Tensor {
    let Equation { inputs, output } = equation;
    let mut terms = inputs;
    while terms.len() > 2 {
        let (left, right) = (terms.remove(0), terms.remove(0));
        let is_needed =
            |letter: char| output.has(letter) || terms.iter().any(|term| term.has(letter));
        let mut after = String::new();
        for letter in left.letters().chain(right.letters()) {
            if is_needed(letter) && !after.contains(letter) {
                after.push(letter);
            }
        }
        let ellipsis = left.ellipsis || right.ellipsis;
        let product = if ellipsis {
            Term { before: String::new(), ellipsis, after }
        } else {
            Term { before: after, ..Term::default() }
        };
        let pair: Vec<Tensor> = tensors.drain(..2).collect();
        tensors.insert(0, node(format!("{left},{right}->{product}"), pair));
        terms.insert(0, product);
    }
    let terms: Vec<String> = terms.iter().map(Term::to_string).collect();
    node(format!("{}->{output}", terms.join(",")), tensors)
}

/// The products of the elements of `a` and `b`, summed over axes `of_a` of `a` and `of_b` of
/// `b`, in pairs. The result has the other axes of `a`, and then those of `b`.
///
/// # Errors
/// Tensors of two types or of unknown rank, axes that do not exist or that differ in extent, and
/// more than 52 axes.
///
/// ```
/// use tidemill_ops::{placeholder, tensordot};
/// let (a, b) = (placeholder::<f32>([2, 3, 4]), placeholder::<f32>([4, 3, 5]));
/// assert_eq!(tensordot(a, b, &[1, 2], &[1, 0]).shape().to_string(), "[2, 5]");
/// ```
#[track_caller]
pub fn tensordot(
    a: impl Into<Operand>,
    b: impl Into<Operand>,
    of_a: &[i64],
    of_b: &[i64],
) -> Tensor {
    let (a, b) = (a.into().to_tensor(), b.into().to_tensor());
    match contraction([a, b], [of_a, of_b]) {
        Ok(equation) => composite(a.graph(), "Tensordot", |_| node(equation, [a, b])),
        Err(_) if a.is_invalid() => a,
        Err(_) if b.is_invalid() => b,
        Err(error) => {
            let kind = BuildErrorKind::Op(error);
            let graph = tidemill_graph::TensorRef::from(a).graph();
            fail(Some(graph), "Tensordot", kind, Vec::new()).output(0).into()
        }
    }
}

/// The equation of a [`tensordot`].
fn contraction(tensors: [Tensor; 2], axes: [&[i64]; 2]) -> Result<String, OpError> {
    if axes[0].len() != axes[1].len() {
        return Err(OpError::attr(
            "axes",
            "there must be as many axes of the left as of the right",
        ));
    }
    let mut unused = ('a'..='z').chain('A'..='Z');
    let mut letter =
        || unused.next().ok_or_else(|| OpError::invalid("there are more than 52 axes"));
    let summed: Vec<char> = axes[0].iter().map(|_| letter()).collect::<Result<_, _>>()?;
    let (mut terms, mut output) = ([String::new(), String::new()], String::new());
    for ((tensor, axes), term) in tensors.iter().zip(axes).zip(&mut terms) {
        let unknown = || OpError::shape("a", "the number of axes must be known");
        let rank = tensor.shape().rank().ok_or_else(unknown)?;
        let mut labels: Vec<Option<char>> = vec![None; rank];
        for (&axis, &letter) in axes.iter().zip(&summed) {
            if labels[crate::index::axis_of(axis, rank)?].replace(letter).is_some() {
                return Err(OpError::DuplicateAxis { axis });
            }
        }
        for label in labels {
            match label {
                Some(letter) => term.push(letter),
                None => {
                    let free = letter()?;
                    term.push(free);
                    output.push(free);
                }
            }
        }
    }
    Ok(format!("{},{}->{output}", terms[0], terms[1]))
}
