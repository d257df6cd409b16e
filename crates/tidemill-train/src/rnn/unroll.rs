use tidemill_graph::{Location, OpError, at_location, variable_scope};
use tidemill_ops::{
    Operand, Tensor, cast, expand_dims, less, map_accumulate, range, s, select, shape, transpose,
    zeros_like, zip_with,
};
use tidemill_value::{DType, Dim};

use super::RnnCell;
use super::cells::dtype_of;
use crate::broadcast::invalid_input;

/// Runs a cell along sequences in a loop. Returns the outputs of each step and the state after the
/// last step.
///
/// `inputs` has shape `[batch, time, inputs]`, and the outputs have shape `[batch, time, outputs]`.
/// The initial state is zeros, and the variables are in the scope `rnn`. For sequences of different
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
#[must_use = "nothing is built before `run`"]
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
        let inputs = inputs.into().to_tensor();
        at_location(Location::caller(), || variable_scope("rnn", || self.build(inputs)))
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
        let (state, outputs) = match self.sequence_length {
            None => map_accumulate(inputs, state, |state, input| {
                let (output, state) = cell.call(input, state);
                (state, output)
            }),
            Some(lengths) => {
                let lengths = cast(lengths.to_tensor(), DType::I32);
                let steps = range(0, extent(inputs, 0), 1);
                map_accumulate((inputs, steps), state, |before, (input, step)| {
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

/// Runs a cell on each of `inputs`, of shape `[batch, inputs]`, unrolled: it adds nodes for each
/// step instead of a loop. Returns the outputs and the state after the last step. The initial state
/// is zeros by default. The variables are in the scope `rnn`.
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

/// The extent of a tensor along an axis, an `int32`.
#[track_caller]
fn extent(tensor: Tensor, axis: usize) -> Operand {
    let known = tensor.shape().dims().and_then(|dims| dims.get(axis)?.known());
    match known.and_then(|extent| i32::try_from(extent).ok()) {
        Some(extent) => extent.into(),
        None => shape(tensor).slice(s![axis]).into(),
    }
}

/// The last extent of a tensor, if it is known.
pub(super) fn last_extent(tensor: Tensor) -> Option<usize> {
    tensor.shape().dims().and_then(|dims| dims.last().copied()).and_then(Dim::known)
}
