//! Recurrent networks: cells, and functions that run them along sequences.
//!
//! Variables have TensorFlow's names and layouts, so that its checkpoints can be restored.

mod cells;
mod unroll;
mod wrappers;

use tidemill_ops::{Operand, Structure, Tensor};
use tidemill_value::DType;

pub use cells::{BasicRnnCell, GruCell, LstmCell};
pub use unroll::{DynamicRnn, bidirectional_dynamic_rnn, dynamic_rnn, rnn_decoder, static_rnn};
pub use wrappers::{DropoutWrapper, MultiRnnCell, OutputProjectionWrapper};

/// A cell, which computes one step of a sequence.
///
/// A cell creates its variables when it is built and shares them from then on: calling a cell twice
/// uses the same variables.
pub trait RnnCell {
    /// The state passed from one step to the next.
    type State: Structure + Clone;

    /// The number of outputs.
    fn output_size(&self) -> usize;

    /// Creates the variables for `inputs` inputs in the current variable scope, unless they exist.
    #[track_caller]
    fn build(&self, inputs: usize, dtype: DType);

    /// The initial state of zeros for `batch` sequences.
    #[track_caller]
    fn zero_state(&self, batch: impl Into<Operand>, dtype: DType) -> Self::State;

    /// The outputs of a step, of shape `[batch, output_size]`, and the next state. `input` is of
    /// shape `[batch, inputs]`.
    #[track_caller]
    fn call(&self, input: Tensor, state: Self::State) -> (Tensor, Self::State);
}
