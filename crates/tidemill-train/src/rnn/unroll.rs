use tidemill_graph::{Location, OpError, at_location, name_scope, variable_scope};
use tidemill_ops::{
    Operand, Tensor, cast, expand_dims, less, map_accumulate_shaped, range, reverse,
    reverse_sequence, s, select, shape, stack, transpose, zeros_like, zip_with,
};
use tidemill_value::DType;

use super::RnnCell;
use super::cells::{dtype_of, last_extent};
use crate::broadcast::invalid_input;

/// Runs a cell along sequences in a loop. Returns the outputs of each step and the state after the
/// last step.
///
/// `inputs` has shape `[batch, time, inputs]`, and the outputs have shape `[batch, time, outputs]`.
/// The cell runs in a loop, starts from zeros and has its variables in the scope `rnn`. With no
/// steps there are no outputs, and the state is the initial one. For sequences of different
/// lengths, and for other layouts, see [`DynamicRnn`].
///
/// # Errors
/// The rank of `inputs` is wrong, or its last dimension is unknown.
#[track_caller]
pub fn dynamic_rnn<C: RnnCell>(cell: &C, inputs: impl Into<Operand>) -> (Tensor, C::State) {
    DynamicRnn::new(cell).run(inputs)
}

/// Options for running a cell along sequences.
///
/// ```
/// use tidemill_ops::placeholder;
/// use tidemill_train::rnn::{DynamicRnn, GruCell};
/// use tidemill_value::shape;
/// let (x, lengths) = (placeholder::<f32>(shape![?, ?, 3]), placeholder::<i32>(shape![?]));
/// let cell = GruCell::new(5);
/// let (outputs, state) = DynamicRnn::new(&cell).sequence_length(lengths).run(x);
/// assert_eq!(outputs.shape().to_string(), "[?, ?, 5]");
/// ```
#[derive(Debug)]
#[must_use = "nothing is built until `run`"]
pub struct DynamicRnn<'a, C: RnnCell> {
    cell: &'a C,
    initial_state: Option<C::State>,
    sequence_length: Option<Operand>,
    time_major: bool,
}

impl<'a, C: RnnCell> DynamicRnn<'a, C> {
    /// Runs full-length sequences, with the batch as first axis, from a state of zeros.
    pub fn new(cell: &'a C) -> Self {
        DynamicRnn { cell, initial_state: None, sequence_length: None, time_major: false }
    }

    /// Sets the initial state.
    pub fn initial_state(self, state: C::State) -> Self {
        DynamicRnn { initial_state: Some(state), ..self }
    }

    /// Sets the lengths of the sequences, a list of integers: after the end of a sequence, outputs
    /// are zeros and its state does not change.
    pub fn sequence_length(self, lengths: impl Into<Operand>) -> Self {
        DynamicRnn { sequence_length: Some(lengths.into()), ..self }
    }

    /// Sets whether inputs and outputs have shape `[time, batch, ..]`, which avoids transposing
    /// them.
    pub fn time_major(self, time_major: bool) -> Self {
        DynamicRnn { time_major, ..self }
    }

    /// Builds the loop (see [`dynamic_rnn`]).
    ///
    /// # Errors
    /// As for [`dynamic_rnn`]; the lengths are not one integer for each sequence.
    #[track_caller]
    pub fn run(self, inputs: impl Into<Operand>) -> (Tensor, C::State) {
        self.run_in("rnn", inputs.into().to_tensor())
    }

    /// [`DynamicRnn::run`], with the variables in a scope of this name.
    #[track_caller]
    fn run_in(self, scope: &str, inputs: Tensor) -> (Tensor, C::State) {
        at_location(Location::caller(), || variable_scope(scope, || self.build(inputs)))
    }

    fn build(self, inputs: Tensor) -> (Tensor, C::State) {
        let inputs = match inputs.shape().rank() {
            None | Some(3) => inputs,
            Some(_) => {
                let (input, actual) = ("inputs", inputs.shape());
                let expected = match self.time_major {
                    true => "3 axes, [time, batch, inputs]",
                    false => "3 axes, [batch, time, inputs]",
                };
                let error = OpError::Rank { input, expected, actual };
                invalid_input("dynamic_rnn", (input, inputs), error)
            }
        };
        let (cell, dtype) = (self.cell, dtype_of(inputs));
        if let Some(inputs) = last_extent(inputs) {
            cell.build(inputs, dtype);
        }
        let inputs = if self.time_major { inputs } else { transpose(inputs, &[1, 0, 2]) };
        let state = self.initial_state.unwrap_or_else(|| cell.zero_state(extent(inputs, 1), dtype));
        // Without a step, nothing else determines the shape of the empty outputs.
        let shape = vec![output_shape(inputs, cell.output_size())];
        let (state, outputs) = match self.sequence_length {
            None => map_accumulate_shaped(inputs, state, shape, |state, input| {
                let (output, state) = cell.call(input, state);
                (state, output)
            }),
            Some(lengths) => {
                let lengths = cast(lengths.to_tensor(), DType::I32);
                let steps = range(0, extent(inputs, 0), 1);
                let elems = (inputs, steps);
                map_accumulate_shaped(elems, state, shape, |before, (input, step)| {
                    let goes_on = expand_dims(less(step, lengths), 1);
                    let (output, after) = cell.call(input, before.clone());
                    let state =
                        zip_with(after, before, |after, before| select(goes_on, after, before));
                    (state, select(goes_on, output, zeros_like(output)))
                })
            }
        };
        (if self.time_major { outputs } else { transpose(outputs, &[1, 0, 2]) }, state)
    }
}

/// Runs two cells along sequences, one from the front and the other from the back (see
/// [`dynamic_rnn`]). Returns a pair of outputs, both in the order of the inputs, and a pair of last
/// states. `sequence_length` has one integer for each sequence; without it, all have full length.
/// The variables are in the scopes `bidirectional_rnn/fw` and `bidirectional_rnn/bw`.
///
/// ```
/// use tidemill_ops::{concat, placeholder};
/// use tidemill_train::rnn::{GruCell, bidirectional_dynamic_rnn};
/// let (forward, backward) = (GruCell::new(5), GruCell::new(5));
/// let x = placeholder::<f32>([2, 7, 3]);
/// let ((outputs, reversed), states) = bidirectional_dynamic_rnn(&forward, &backward, x, None);
/// assert_eq!(concat([outputs, reversed], 2).shape().to_string(), "[2, 7, 10]");
/// assert_eq!(states.1.shape().to_string(), "[2, 5]");
/// ```
///
/// # Errors
/// As for [`DynamicRnn::run`].
#[track_caller]
pub fn bidirectional_dynamic_rnn<F: RnnCell, B: RnnCell>(
    forward: &F,
    backward: &B,
    inputs: impl Into<Operand>,
    sequence_length: Option<Tensor>,
) -> ((Tensor, Tensor), (F::State, B::State)) {
    let inputs = inputs.into().to_tensor();
    let turned = |x: Tensor| match sequence_length {
        Some(lengths) => reverse_sequence(x, lengths, 1, 0),
        None => reverse(x, [1]),
    };
    at_location(Location::caller(), || {
        variable_scope("bidirectional_rnn", || {
            let mut along = DynamicRnn::new(forward);
            let mut against = DynamicRnn::new(backward);
            if let Some(lengths) = sequence_length {
                along = along.sequence_length(lengths);
                against = against.sequence_length(lengths);
            }
            let (outputs, state) = along.run_in("fw", inputs);
            let (reversed, last) = against.run_in("bw", turned(inputs));
            ((outputs, turned(reversed)), (state, last))
        })
    })
}

/// Runs a cell along a list of `inputs`, each of shape `[batch, inputs]`, without a loop: the graph
/// gets nodes for each step. Returns the outputs of each step and the state after the last one. The
/// initial state is zeros unless one is given. The variables are in the scope `rnn`.
///
/// ```
/// use tidemill_ops::placeholder;
/// use tidemill_train::rnn::{GruCell, static_rnn};
/// let steps = [placeholder::<f32>([2, 3]), placeholder::<f32>([2, 3])];
/// let (outputs, state) = static_rnn(&GruCell::new(5), steps, None);
/// assert_eq!((outputs.len(), state.shape().to_string()), (2, "[2, 5]".into()));
/// ```
///
/// # Errors
/// The last dimension of the inputs is unknown.
#[track_caller]
pub fn static_rnn<C: RnnCell>(
    cell: &C,
    inputs: impl IntoIterator<Item = Tensor>,
    initial_state: Option<C::State>,
) -> (Vec<Tensor>, C::State) {
    let inputs: Vec<Tensor> = inputs.into_iter().collect();
    at_location(Location::caller(), || {
        variable_scope("rnn", || {
            let dtype = inputs.first().map_or(DType::F32, |&first| dtype_of(first));
            let mut state = initial_state.unwrap_or_else(|| match inputs.first() {
                Some(&first) => cell.zero_state(extent(first, 0), dtype),
                None => cell.zero_state(0, dtype),
            });
            let mut outputs = Vec::with_capacity(inputs.len());
            for input in inputs {
                let (output, next) = cell.call(input, state);
                outputs.push(output);
                state = next;
            }
            (outputs, state)
        })
    })
}

/// [`static_rnn`] whose inputs may be computed. For every step after the first, `loop_function`
/// computes the input; it receives the previous step's output and index (from 0). Without a
/// function, the inputs are `inputs`. The variables are in the scope `rnn_decoder`.
///
/// ```
/// use tidemill_ops::placeholder;
/// use tidemill_train::rnn::{GruCell, RnnCell, rnn_decoder};
/// let cell = GruCell::new(3);
/// let state = cell.zero_state(2, tidemill_value::DType::F32);
/// let steps = [placeholder::<f32>([2, 3]), placeholder::<f32>([2, 3])];
/// let (outputs, _) = rnn_decoder(&cell, steps, state, Some(&|output, _| output));
/// assert_eq!(outputs[1].shape().to_string(), "[2, 3]");
/// ```
///
/// # Errors
/// The last dimension of the inputs is unknown.
#[track_caller]
pub fn rnn_decoder<C: RnnCell>(
    cell: &C,
    inputs: impl IntoIterator<Item = Tensor>,
    initial_state: C::State,
    loop_function: Option<&dyn Fn(Tensor, usize) -> Tensor>,
) -> (Vec<Tensor>, C::State) {
    let inputs: Vec<Tensor> = inputs.into_iter().collect();
    at_location(Location::caller(), || {
        variable_scope("rnn_decoder", || {
            let mut state = initial_state;
            let mut outputs: Vec<Tensor> = Vec::with_capacity(inputs.len());
            for (i, given) in inputs.into_iter().enumerate() {
                let input = match (loop_function, outputs.last()) {
                    (Some(next), Some(&last)) => name_scope("loop_function", || next(last, i - 1)),
                    _ => given,
                };
                let (output, next) = cell.call(input, state);
                outputs.push(output);
                state = next;
            }
            (outputs, state)
        })
    })
}

/// The shape of the outputs of a step, of inputs of shape `[time, batch, inputs]`.
#[track_caller]
fn output_shape(inputs: Tensor, size: usize) -> Operand {
    match inputs.shape().dims().and_then(|dims| dims.get(1)?.known()) {
        Some(batch) => [batch, size].into(),
        None => stack([extent(inputs, 1), (size as i32).into()], 0).into(),
    }
}

/// The extent of a tensor along an axis, an `int32`.
#[track_caller]
fn extent(tensor: Tensor, axis: usize) -> Operand {
    let known = tensor.shape().dims().and_then(|dims| dims.get(axis)?.known());
    match known.and_then(|extent| i32::try_from(extent).ok()) {
        Some(extent) => extent.into(),
        None => shape(tensor).slice(s![axis]).into(),
    }
}
