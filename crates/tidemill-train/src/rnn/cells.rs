use std::sync::OnceLock;

use tidemill_graph::{Location, OpError, at_location, unique_variable_scope, variable_scope};
use tidemill_ops::{
    Initializer, Operand, Tensor, Variable, bias_add, broadcast_to, cast, concat, constant, fill,
    matmul, ones, sigmoid, split, stack, tanh, variable, zeros,
};
use tidemill_value::{DType, Dim, Scalar};

use super::RnnCell;
use crate::broadcast::invalid_input;

/// A cell with `size` outputs, computed from the inputs and the previous outputs: `tanh(kernel ·
/// [input, state] + bias)` (Elman, 1990).
///
/// ```
/// use tidemill_ops::placeholder;
/// use tidemill_train::rnn::{BasicRnnCell, dynamic_rnn};
/// let (outputs, state) = dynamic_rnn(&BasicRnnCell::new(5), placeholder::<f32>([2, 7, 3]));
/// assert_eq!(outputs.shape().to_string(), "[2, 7, 5]");
/// assert_eq!(state.shape().to_string(), "[2, 5]");
/// ```
#[derive(Debug)]
pub struct BasicRnnCell {
    size: usize,
    layer: Layer,
}

/// A cell with gated memory (Hochreiter and Schmidhuber, 1997). It has `size` outputs; its state is
/// the memory and the outputs.
///
/// Its kernel has, in this order, the parts for the input gate, the new memory, the forget gate (to
/// which `forget_bias` is added) and the output gate, like TensorFlow's `BasicLSTMCell`, and its
/// `LSTMCell` without projection or peepholes.
///
/// ```
/// use tidemill_ops::placeholder;
/// use tidemill_train::rnn::{LstmCell, dynamic_rnn};
/// let (outputs, (memory, last)) = dynamic_rnn(&LstmCell::new(5), placeholder::<f32>([2, 7, 3]));
/// assert_eq!(outputs.shape().to_string(), "[2, 7, 5]");
/// assert_eq!((memory.shape(), last.shape()), ([2, 5].into(), [2, 5].into()));
/// ```
#[derive(Debug)]
pub struct LstmCell {
    size: usize,
    forget_bias: f64,
    layer: Layer,
}

/// A cell with reset and update gates (Cho et al., 2014). It has `size` outputs, which are its
/// state.
///
/// ```
/// use tidemill_ops::placeholder;
/// use tidemill_train::rnn::{GruCell, dynamic_rnn};
/// let (outputs, state) = dynamic_rnn(&GruCell::new(5), placeholder::<f32>([2, 7, 3]));
/// assert_eq!(outputs.shape().to_string(), "[2, 7, 5]");
/// ```
#[derive(Debug)]
pub struct GruCell {
    size: usize,
    layer: Layer<[(Variable, Variable); 2]>,
}

impl BasicRnnCell {
    /// A cell with `size` outputs.
    pub fn new(size: usize) -> Self {
        BasicRnnCell { size, layer: Layer::new("basic_rnn_cell") }
    }
}

impl LstmCell {
    /// A cell with `size` outputs and a forget bias of 1.
    pub fn new(size: usize) -> Self {
        LstmCell { size, forget_bias: 1.0, layer: Layer::new("lstm_cell") }
    }

    /// Sets the number added to the forget gate, which makes a new cell keep its memory.
    pub fn forget_bias(self, forget_bias: f64) -> Self {
        LstmCell { forget_bias, ..self }
    }
}

impl GruCell {
    /// A cell with `size` outputs.
    pub fn new(size: usize) -> Self {
        GruCell { size, layer: Layer::new("gru_cell") }
    }
}

macro_rules! named {
    ($($cell:ident),*) => {$(
        impl $cell {
            /// Sets the variable scope of the cell. The default is that of TensorFlow's cell; a
            /// number is added if the name is taken.
            pub fn named(mut self, name: &'static str) -> Self {
                self.layer.name = name;
                self
            }
        }
    )*};
}

named!(BasicRnnCell, LstmCell, GruCell);

impl RnnCell for BasicRnnCell {
    type State = Tensor;

    fn output_size(&self) -> usize {
        self.size
    }

    #[track_caller]
    fn build(&self, inputs: usize, dtype: DType) {
        self.layer.variables(|| kernel_and_bias(inputs + self.size, self.size, dtype, zeros()));
    }

    #[track_caller]
    fn zero_state(&self, batch: impl Into<Operand>, dtype: DType) -> Tensor {
        zero_state(batch.into(), self.size, dtype)
    }

    #[track_caller]
    fn call(&self, input: Tensor, state: Tensor) -> (Tensor, Tensor) {
        at_location(Location::caller(), || {
            let Some(inputs) = last_extent(input) else { return (not_known(input), state) };
            let (kernel, bias) = *self.layer.variables(|| {
                kernel_and_bias(inputs + self.size, self.size, dtype_of(input), zeros())
            });
            let output = tanh(linear(input, state, kernel, bias));
            (output, output)
        })
    }
}

impl RnnCell for LstmCell {
    type State = (Tensor, Tensor);

    fn output_size(&self) -> usize {
        self.size
    }

    #[track_caller]
    fn build(&self, inputs: usize, dtype: DType) {
        self.layer.variables(|| kernel_and_bias(inputs + self.size, 4 * self.size, dtype, zeros()));
    }

    #[track_caller]
    fn zero_state(&self, batch: impl Into<Operand>, dtype: DType) -> (Tensor, Tensor) {
        let batch = batch.into();
        (zero_state(batch.clone(), self.size, dtype), zero_state(batch, self.size, dtype))
    }

    #[track_caller]
    fn call(&self, input: Tensor, (memory, last): Self::State) -> (Tensor, Self::State) {
        at_location(Location::caller(), || {
            let Some(inputs) = last_extent(input) else {
                return (not_known(input), (memory, last));
            };
            let (kernel, bias) = *self.layer.variables(|| {
                kernel_and_bias(inputs + self.size, 4 * self.size, dtype_of(input), zeros())
            });
            let gates = split(linear(input, last, kernel, bias), 4, 1);
            let [enter, new, keep, leave] = gates[..] else {
                return (not_known(input), (memory, last));
            };
            let kept = memory * sigmoid(keep + self.forget_bias);
            let memory = kept + sigmoid(enter) * tanh(new);
            let output = tanh(memory) * sigmoid(leave);
            (output, (memory, output))
        })
    }
}

impl RnnCell for GruCell {
    type State = Tensor;

    fn output_size(&self) -> usize {
        self.size
    }

    #[track_caller]
    fn build(&self, inputs: usize, dtype: DType) {
        self.variables(inputs, dtype);
    }

    #[track_caller]
    fn zero_state(&self, batch: impl Into<Operand>, dtype: DType) -> Tensor {
        zero_state(batch.into(), self.size, dtype)
    }

    #[track_caller]
    fn call(&self, input: Tensor, state: Tensor) -> (Tensor, Tensor) {
        at_location(Location::caller(), || {
            let Some(inputs) = last_extent(input) else { return (not_known(input), state) };
            let [gates, candidate] = *self.variables(inputs, dtype_of(input));
            let gates = split(sigmoid(linear(input, state, gates.0, gates.1)), 2, 1);
            let [reset, update] = gates[..] else { return (not_known(input), state) };
            let candidate = tanh(linear(input, reset * state, candidate.0, candidate.1));
            let output = update * state + (1.0 - update) * candidate;
            (output, output)
        })
    }
}

impl GruCell {
    #[track_caller]
    fn variables(&self, inputs: usize, dtype: DType) -> &[(Variable, Variable); 2] {
        let (rows, size) = (inputs + self.size, self.size);
        self.layer.variables(|| {
            [
                variable_scope("gates", || kernel_and_bias(rows, 2 * size, dtype, ones())),
                variable_scope("candidate", || kernel_and_bias(rows, size, dtype, zeros())),
            ]
        })
    }
}

/// The variables of a cell, created when first needed.
#[derive(Debug)]
pub(super) struct Layer<V = (Variable, Variable)> {
    name: &'static str,
    variables: OnceLock<V>,
}

impl<V> Layer<V> {
    pub(super) fn new(name: &'static str) -> Self {
        Layer { name, variables: OnceLock::new() }
    }

    #[track_caller]
    pub(super) fn variables(&self, make: impl FnOnce() -> V) -> &V {
        let location = Location::caller();
        self.variables
            .get_or_init(|| at_location(location, || unique_variable_scope(self.name, make)))
    }
}

#[track_caller]
pub(super) fn kernel_and_bias(
    rows: usize,
    columns: usize,
    dtype: DType,
    bias: Initializer,
) -> (Variable, Variable) {
    let kernel = variable("kernel", [rows, columns]).dtype(dtype).get();
    (kernel, variable("bias", [columns]).dtype(dtype).initializer(bias).get())
}

#[track_caller]
fn linear(input: Tensor, state: Tensor, kernel: Variable, bias: Variable) -> Tensor {
    bias_add(matmul(concat([input, state], 1), kernel), bias)
}

#[track_caller]
fn not_known(input: Tensor) -> Tensor {
    let error = OpError::UnknownExtent { input: "inputs", axis: -1, actual: input.shape() };
    invalid_input("cell", ("inputs", input), error)
}

pub(super) fn dtype_of(tensor: Tensor) -> DType {
    tensor.dtype().unwrap_or(DType::F32)
}

/// The last extent of a tensor, if it is known.
pub(super) fn last_extent(tensor: Tensor) -> Option<usize> {
    tensor.shape().dims().and_then(|dims| dims.last().copied()).and_then(Dim::known)
}

/// Zeros of shape `[batch, size]`.
#[track_caller]
pub(super) fn zero_state(batch: Operand, size: usize, dtype: DType) -> Tensor {
    at_location(Location::caller(), || {
        let zero = cast(constant(0.0_f32), dtype);
        if let Operand::Number(number) = &batch
            && let Ok(Scalar::I64(count)) = number.adopt(DType::I64)
            && let Ok(count) = usize::try_from(count)
        {
            return fill([count, size], zero);
        }
        let batch = cast(batch.to_tensor(), DType::I32);
        broadcast_to(zero, stack([batch, constant(size as i32)], 0))
    })
}
