//! Recurrent networks: cells, and what runs them along a sequence.
//!
//! Variables are named and laid out as TensorFlow's are, so that its checkpoints can be restored.

mod cells;
mod unroll;
mod wrappers;

use tidemill_ops::{Operand, Structure, Tensor};
use tidemill_value::DType;

pub use cells::{BasicRnnCell, GruCell, LstmCell};
pub use unroll::{DynamicRnn, bidirectional_dynamic_rnn, dynamic_rnn, rnn_decoder, static_rnn};
pub use wrappers::{DropoutWrapper, MultiRnnCell, OutputProjectionWrapper};

/// What computes one step of a sequence.
///
/// A cell has variables, which it makes when it is built and shares from then on: a cell that is
/// called twice is one cell.
pub trait RnnCell {
    /// What a step hands on to the next.
    type State: Structure + Clone;

    /// The number of outputs.
    fn output_size(&self) -> usize;

    /// Makes the variables, in the variable scope that is open, for that many inputs, unless they
    /// are there.
    #[track_caller]
    fn build(&self, inputs: usize, dtype: DType);

    /// Zeros to begin with, for `batch` sequences at once.
    #[track_caller]
    fn zero_state(&self, batch: impl Into<Operand>, dtype: DType) -> Self::State;

    /// The outputs of a step, of shape `[batch, output_size]`, and the next state. `input` is of
    /// shape `[batch, inputs]`.
    #[track_caller]
    fn call(&self, input: Tensor, state: Self::State) -> (Tensor, Self::State);
}
