//! Loops over the first axis of tensors.

use std::sync::Arc;

use tidemill_graph::{
    Fact, Graph, Location, OpError, OperationRef, TensorRef, Trace, add_argument, at_location,
    default_graph, scoped, trace,
};
use tidemill_value::{DType, Dim, PartialShape};

use super::repetition::repeat;
use super::{Structure, collect, fact_of, failed, poison, replace};
use crate::functions::{
    empty_tensor_list, greater, reverse, tensor_list_from_tensor, tensor_list_length,
    tensor_list_pop_back, tensor_list_push_back,
};
use crate::ops::tensor_list::stack_of;
use crate::{Operand, Tensor};

/// Applies `function` to each slice of `elems` along the first axis, and stacks the results along a
/// new first axis.
///
/// `elems` may be several tensors with the same length along that axis; there may also be several
/// results. The function is called once, to build the body of a [`while_loop`](crate::while_loop).
///
/// ```
/// use tidemill_ops::{map_fn, placeholder, reduce_sum};
/// let (x, y) = (placeholder::<f32>([5, 2, 3]), placeholder::<f32>([5, 3]));
/// let (sums, products) = map_fn((x, y), |(x, y)| (reduce_sum(x, ..), x * y));
/// assert_eq!(sums.shape().to_string(), "[5]");
/// assert_eq!(products.shape().to_string(), "[5, 2, 3]");
/// ```
///
/// # Errors
/// The results are invalid if one of `elems` has no axis or another length than the others, and as
/// for a loop. A run fails if results differ in shape, or if there are none and their shape is
/// unknown.
#[track_caller]
pub fn map_fn<E: Structure + Clone, R: Structure>(elems: E, function: impl FnOnce(E) -> R) -> R {
    let location = Location::caller();
    sequence(location, "map", false, elems, (), |(), elems| ((), function(elems))).1
}

/// Calls `function` with its previous result, at first `initial`, and the next slice of `elems`
/// along the first axis, and stacks all results along a new first axis.
///
/// ```
/// use tidemill_ops::{constant, scan};
/// let factorials = scan(constant([1, 2, 3, 4]), constant(1), |product, x| product * x);
/// assert_eq!(factorials.shape().to_string(), "[4]");
/// ```
///
/// # Errors
/// As for [`map_fn`]; and if the function returns other types or shapes than it takes.
#[track_caller]
pub fn scan<E: Structure + Clone, S: Structure + Clone>(
    elems: E,
    initial: S,
    function: impl FnOnce(S, E) -> S,
) -> S {
    sequence(Location::caller(), "scan", false, elems, initial, twice(function)).1
}

/// A [`scan`] from the last slice of `elems` to the first. Each result is at the position of its
/// slice.
///
/// ```
/// use tidemill_ops::{constant, scan_reverse};
/// let sums_to_the_end = scan_reverse(constant([1, 2, 3]), constant(0), |sum, x| sum + x);
/// assert_eq!(sums_to_the_end.shape().to_string(), "[3]");
/// ```
///
/// # Errors
/// As for [`scan`].
#[track_caller]
pub fn scan_reverse<E: Structure + Clone, S: Structure + Clone>(
    elems: E,
    initial: S,
    function: impl FnOnce(S, E) -> S,
) -> S {
    sequence(Location::caller(), "scan", true, elems, initial, twice(function)).1
}

/// Calls `function` with its previous result, at first `initial`, and the next slice of `elems`
/// along the first axis. Returns the last result.
///
/// ```
/// use tidemill_ops::{constant, foldl};
/// let digits = foldl(constant([1, 2, 3]), constant(0), |number, digit| number * 10 + digit);
/// assert_eq!(digits.shape().to_string(), "[]");
/// ```
///
/// # Errors
/// As for [`scan`].
#[track_caller]
pub fn foldl<E: Structure + Clone, S: Structure + Clone>(
    elems: E,
    initial: S,
    function: impl FnOnce(S, E) -> S,
) -> S {
    let location = Location::caller();
    sequence(location, "foldl", false, elems, initial, |s, e| (function(s, e), ())).0
}

/// A [`foldl`] from the last slice of `elems` to the first.
///
/// ```
/// use tidemill_ops::{constant, foldr};
/// let digits = foldr(constant([1, 2, 3]), constant(0), |number, digit| number * 10 + digit);
/// assert_eq!(digits.shape().to_string(), "[]");
/// ```
///
/// # Errors
/// As for [`scan`].
#[track_caller]
pub fn foldr<E: Structure + Clone, S: Structure + Clone>(
    elems: E,
    initial: S,
    function: impl FnOnce(S, E) -> S,
) -> S {
    let location = Location::caller();
    sequence(location, "foldr", true, elems, initial, |s, e| (function(s, e), ())).0
}

/// A [`foldl`] and a [`map_fn`] in one: `function` returns the state for the next call, and
/// results. Returns the last state, and the results stacked along a new first axis.
///
/// ```
/// use tidemill_ops::{constant, map_accumulate};
/// let (sum, means) = map_accumulate(
///     (constant([3.0, 5.0, 1.0]), constant([1.0, 2.0, 3.0])),
///     constant(0.0),
///     |sum, (x, count)| (sum + x, (sum + x) / count),
/// );
/// assert_eq!((sum.shape().to_string(), means.shape().to_string()), ("[]".into(), "[3]".into()));
/// ```
///
/// # Errors
/// As for [`scan`].
#[track_caller]
pub fn map_accumulate<E: Structure + Clone, S: Structure + Clone, R: Structure>(
    elems: E,
    initial: S,
    function: impl FnOnce(S, E) -> (S, R),
) -> (S, R) {
    sequence(Location::caller(), "map_accumulate", false, elems, initial, function)
}

/// [`map_accumulate`] with given shapes of the results of `function`, each a list of extents or a
/// tensor of integers. So there may be no elements even if a shape is unknown before a run.
///
/// ```
/// use tidemill_ops::{map_accumulate_shaped, placeholder, shape};
/// let (x, start) = (placeholder::<f32>([0, 3]), placeholder::<f32>(tidemill_value::shape![?, 3]));
/// let rows = shape(start);
/// let step = |sum, x| (sum + x, sum);
/// let (_, sums) = map_accumulate_shaped(x, start, vec![rows.into()], step);
/// assert_eq!(sums.shape().to_string(), "[0, ?, 3]");
/// ```
///
/// # Errors
/// As for [`map_accumulate`]; a run fails if a result has another shape.
#[track_caller]
pub fn map_accumulate_shaped<E: Structure + Clone, S: Structure + Clone, R: Structure>(
    elems: E,
    initial: S,
    result_shapes: Vec<Operand>,
    function: impl FnOnce(S, E) -> (S, R),
) -> (S, R) {
    let location = Location::caller();
    let parts = (elems, initial);
    sequence_of_shapes(location, "map_accumulate", false, parts, &result_shapes, function)
}

/// The function of a scan, whose results are its states.
fn twice<E, S: Clone>(function: impl FnOnce(S, E) -> S) -> impl FnOnce(S, E) -> (S, S) {
    |state, elems| {
        let state = function(state, elems);
        (state.clone(), state)
    }
}

/// A loop over lists: each iteration takes the last element off the lists of the parts, so that the
/// gradient appends one, and appends one to the lists of the results.
fn sequence<E: Structure + Clone, S: Structure + Clone, R: Structure>(
    location: Location,
    name: &'static str,
    from_the_end: bool,
    elems: E,
    initial: S,
    function: impl FnOnce(S, E) -> (S, R),
) -> (S, R) {
    sequence_of_shapes(location, name, from_the_end, (elems, initial), &[], function)
}

/// A [`sequence`] whose first results have elements of these shapes.
fn sequence_of_shapes<E: Structure + Clone, S: Structure + Clone, R: Structure>(
    location: Location,
    name: &'static str,
    from_the_end: bool,
    (elems, initial): (E, S),
    shapes: &[Operand],
    function: impl FnOnce(S, E) -> (S, R),
) -> (S, R) {
    let graph = default_graph();
    let (elems, parts) = collect(elems);
    let (state, initial) = collect(initial);
    let begun = at_location(location, || {
        scoped(&graph, name, |_| Sequence::new(&graph, &parts, initial, from_the_end))
    });
    let sequence = match begun {
        Ok(sequence) => sequence,
        Err(failure) => {
            let (state, results) = function(poison(state, failure), poison(elems, failure));
            return (poison(state, failure), poison(results, failure));
        }
    };
    let mut results = None;
    let mut lists = Vec::new();
    let step = trace(&graph, location, &sequence.facts, |arguments| {
        let (values, own) = arguments.split_at(sequence.states);
        let operation = own[0].operation();
        let (rests, items) = at_location(location, || sequence.next(own));
        let state = replace(state.clone(), operation, values.iter().copied());
        let (state, given) = function(state, replace(elems.clone(), operation, items));
        let (given, tensors) = collect(given);
        results = Some(given);
        let (_, mut outcome) = collect(state);
        outcome.extend(rests);
        at_location(location, || {
            for tensor in tensors {
                let element = fact_of(tensor).unwrap_or_else(nothing_known);
                let list = list_of(Fact { elements: None, ..element });
                let pushed = add_argument(&list)
                    .map_or_else(|failed| failed.output(0), |list| push(list, tensor));
                outcome.push(pushed);
                lists.push(list);
            }
        });
        outcome
    });
    // `trace` has called the function: the facts are those of parameters.
    let results = results.unwrap_or_else(|| unreachable!());
    at_location(location, || {
        scoped(&graph, name, |_| {
            let node = step.and_then(|step| sequence.node(&graph, step, &lists));
            let node = node.unwrap_or_else(|failure| failure);
            let output = |slot: usize| node.output(slot as u32);
            let states = (0..sequence.states).map(output);
            let stacked = lists.iter().enumerate().map(|(i, list)| {
                let list_of_results = output(sequence.facts.len() + i).into();
                sequence.stack(list_of_results, list, shapes.get(i)).into()
            });
            let stacked: Vec<TensorRef> = stacked.collect();
            (replace(state, node, states), replace(results, node, stacked))
        })
    })
}

/// The initial values of a loop over lists.
struct Sequence {
    /// The values that iterations pass on, followed by the lists of the parts.
    initial: Vec<TensorRef>,
    facts: Vec<Fact>,
    /// The number of values that iterations pass on.
    states: usize,
    length: Dim,
    from_the_end: bool,
}

impl Sequence {
    #[track_caller]
    fn new(
        graph: &Graph,
        parts: &[TensorRef],
        mut initial: Vec<TensorRef>,
        from_the_end: bool,
    ) -> Result<Self, OperationRef> {
        let fail = |kind| failed(graph, "elems", kind);
        let states = initial.len();
        let mut length = Dim::UNKNOWN;
        for &part in parts {
            let shape = fact_of(part).ok_or(part.operation())?.shape;
            let (first, inner) = match shape.dims() {
                Some([first, inner @ ..]) => (*first, inner.iter().copied().collect()),
                Some([]) => {
                    let kind = OpError::invalid(
                        "an element is a single number, with no first axis to iterate over"
                            .to_owned(),
                    );
                    return Err(fail(kind.into()));
                }
                None => (Dim::UNKNOWN, PartialShape::unknown()),
            };
            length = length.merge(first).map_err(|error| fail(OpError::from(error).into()))?;
            // Elements are taken off from the end.
            let part = Tensor::from(part);
            let ordered = if from_the_end { part } else { reverse(part, [0]) };
            initial.push(tensor_list_from_tensor(ordered, inner).into());
        }
        if parts.is_empty() {
            return Err(fail(OpError::invalid("there are no elements".to_owned()).into()));
        }
        let fact = |&tensor: &TensorRef| -> Result<Fact, OperationRef> {
            let fact = fact_of(tensor).ok_or(tensor.operation())?;
            Ok(Fact { elements: None, ..fact })
        };
        let facts = initial.iter().map(fact).collect::<Result<_, _>>()?;
        Ok(Sequence { initial, facts, states, length, from_the_end })
    }

    /// The lists without their next elements, and those elements.
    #[track_caller]
    fn next(&self, lists: &[TensorRef]) -> (Vec<TensorRef>, Vec<TensorRef>) {
        let facts = &self.facts[self.states..];
        let next = lists.iter().zip(facts).map(|(&list, fact)| {
            let (shape, dtype) = element_of(fact);
            let (rest, item) = tensor_list_pop_back(Tensor::from(list), shape, dtype);
            (TensorRef::from(rest), TensorRef::from(item))
        });
        next.unzip()
    }

    /// The node of the loop, which appends its results to lists with the facts in `lists`.
    #[track_caller]
    fn node(
        &self,
        graph: &Graph,
        step: Trace,
        lists: &[Fact],
    ) -> Result<OperationRef, OperationRef> {
        let empty = lists.iter().map(|list| {
            let (shape, dtype) = element_of(list);
            empty_tensor_list(shape, dtype).into()
        });
        let initial: Vec<TensorRef> = self.initial.iter().copied().chain(empty).collect();
        let facts: Vec<Fact> = self.facts.iter().chain(lists).cloned().collect();
        let test = trace(graph, Location::caller(), &facts, |arguments| {
            let first = Tensor::from(arguments[self.states]);
            vec![greater(tensor_list_length(first), 0).into()]
        });
        Ok(repeat("while", graph, &initial, test?, step))
    }

    /// The elements of a list of results along a new first axis. Their shape must be given if it is
    /// unknown and there may be none.
    #[track_caller]
    fn stack(&self, list: Tensor, fact: &Fact, given: Option<&Operand>) -> Tensor {
        let (shape, dtype) = element_of(fact);
        let shape = match given {
            Some(given) if !shape.is_known() => given.clone(),
            _ => shape.into(),
        };
        let stacked = stack_of(list, shape, dtype, self.length.known());
        if self.from_the_end { reverse(stacked, [0]) } else { stacked }
    }
}

#[track_caller]
fn push(list: TensorRef, item: TensorRef) -> TensorRef {
    tensor_list_push_back(Tensor::from(list), Tensor::from(item)).into()
}

fn nothing_known() -> Fact {
    Fact::new(DType::F32, PartialShape::unknown())
}

fn list_of(element: Fact) -> Fact {
    Fact { list: Some(Arc::new(element)), ..Fact::new(DType::Variant, PartialShape::scalar()) }
}

/// The shape and type of the elements of a list.
fn element_of(list: &Fact) -> (PartialShape, DType) {
    let element = list.list.as_deref().cloned().unwrap_or_else(nothing_known);
    (element.shape, element.dtype)
}
