use tidemill_graph::{Location, at_location, unique_variable_scope, variable_scope};
use tidemill_ops::{Operand, Tensor, Variable, bias_add, dropout, matmul, zeros};
use tidemill_value::{DType, PartialShape};

use super::RnnCell;
use super::cells::last_extent;
use super::cells::{Layer, dtype_of, kernel_and_bias};

/// Stacked cells: the inputs of each are the outputs of the one below.
///
/// ```
/// use tidemill_ops::placeholder;
/// use tidemill_train::rnn::{LstmCell, MultiRnnCell, dynamic_rnn};
/// let cells = MultiRnnCell::new([LstmCell::new(5), LstmCell::new(4)]);
/// let (outputs, states) = dynamic_rnn(&cells, placeholder::<f32>([2, 7, 3]));
/// assert_eq!(outputs.shape().to_string(), "[2, 7, 4]");
/// assert_eq!(states.len(), 2);
/// ```
#[derive(Debug)]
pub struct MultiRnnCell<C> {
    cells: Vec<C>,
}

impl<C: RnnCell> MultiRnnCell<C> {
    /// The cells, from the lowest to the highest.
    pub fn new(cells: impl IntoIterator<Item = C>) -> Self {
        MultiRnnCell { cells: cells.into_iter().collect() }
    }
}

impl<C: RnnCell> RnnCell for MultiRnnCell<C> {
    type State = Vec<C::State>;

    fn output_size(&self) -> usize {
        self.cells.last().map_or(0, RnnCell::output_size)
    }

    #[track_caller]
    fn build(&self, mut inputs: usize, dtype: DType) {
        at_location(Location::caller(), || {
            unique_variable_scope("multi_rnn_cell", || {
                for (i, cell) in self.cells.iter().enumerate() {
                    variable_scope(&format!("cell_{i}"), || cell.build(inputs, dtype));
                    inputs = cell.output_size();
                }
            });
        });
    }

    #[track_caller]
    fn zero_state(&self, batch: impl Into<Operand>, dtype: DType) -> Self::State {
        let batch = batch.into();
        self.cells.iter().map(|cell| cell.zero_state(batch.clone(), dtype)).collect()
    }

    #[track_caller]
    fn call(&self, input: Tensor, states: Self::State) -> (Tensor, Self::State) {
        at_location(Location::caller(), || {
            if let Some(inputs) = last_extent(input) {
                self.build(inputs, dtype_of(input));
            }
            let mut output = input;
            let mut next = Vec::with_capacity(states.len());
            for (cell, state) in self.cells.iter().zip(states) {
                let (above, state) = cell.call(output, state);
                output = above;
                next.push(state);
            }
            (output, next)
        })
    }
}

/// A cell with dropout on its inputs and outputs in each step (Zaremba et al., 2014).
///
/// ```
/// use tidemill_ops::placeholder;
/// use tidemill_train::rnn::{DropoutWrapper, GruCell, dynamic_rnn};
/// let cell = DropoutWrapper { output_rate: 0.5, ..DropoutWrapper::new(GruCell::new(5)) };
/// let (outputs, _) = dynamic_rnn(&cell, placeholder::<f32>([2, 7, 3]));
/// assert_eq!(outputs.shape().to_string(), "[2, 7, 5]");
/// ```
#[derive(Debug)]
pub struct DropoutWrapper<C> {
    /// The cell.
    pub cell: C,
    /// The fraction of the inputs to drop (see [`dropout`]).
    pub input_rate: f64,
    /// The fraction of the outputs to drop.
    pub output_rate: f64,
    /// The random seed.
    pub seed: Option<i64>,
}

impl<C: RnnCell> DropoutWrapper<C> {
    /// A wrapper that drops nothing.
    pub fn new(cell: C) -> Self {
        DropoutWrapper { cell, input_rate: 0.0, output_rate: 0.0, seed: None }
    }
}

impl<C: RnnCell> RnnCell for DropoutWrapper<C> {
    type State = C::State;

    fn output_size(&self) -> usize {
        self.cell.output_size()
    }

    #[track_caller]
    fn build(&self, inputs: usize, dtype: DType) {
        self.cell.build(inputs, dtype);
    }

    #[track_caller]
    fn zero_state(&self, batch: impl Into<Operand>, dtype: DType) -> Self::State {
        self.cell.zero_state(batch, dtype)
    }

    #[track_caller]
    fn call(&self, input: Tensor, state: Self::State) -> (Tensor, Self::State) {
        let input = dropout(input, self.input_rate, PartialShape::unknown(), self.seed);
        let (output, state) = self.cell.call(input, state);
        (dropout(output, self.output_rate, PartialShape::unknown(), self.seed), state)
    }
}

/// A cell whose outputs are a linear function of the outputs of another, without an activation.
///
/// Its variables are `kernel` and `bias` in the scope `output_projection_wrapper`, which also holds
/// the variables of the cell.
///
/// ```
/// use tidemill_ops::placeholder;
/// use tidemill_train::rnn::{GruCell, OutputProjectionWrapper, dynamic_rnn};
/// let cell = OutputProjectionWrapper::new(GruCell::new(5), 2);
/// let (outputs, state) = dynamic_rnn(&cell, placeholder::<f32>([2, 7, 3]));
/// assert_eq!(outputs.shape().to_string(), "[2, 7, 2]");
/// assert_eq!(state.shape().to_string(), "[2, 5]");
/// ```
#[derive(Debug)]
pub struct OutputProjectionWrapper<C> {
    cell: C,
    size: usize,
    layer: Layer,
}

impl<C: RnnCell> OutputProjectionWrapper<C> {
    /// A cell that projects the outputs of `cell` to `size` outputs.
    pub fn new(cell: C, size: usize) -> Self {
        OutputProjectionWrapper { cell, size, layer: Layer::new("output_projection_wrapper") }
    }

    #[track_caller]
    fn variables(&self, inputs: usize, dtype: DType) -> (Variable, Variable) {
        *self.layer.variables(|| {
            self.cell.build(inputs, dtype);
            kernel_and_bias(self.cell.output_size(), self.size, dtype, zeros())
        })
    }
}

impl<C: RnnCell> RnnCell for OutputProjectionWrapper<C> {
    type State = C::State;

    fn output_size(&self) -> usize {
        self.size
    }

    #[track_caller]
    fn build(&self, inputs: usize, dtype: DType) {
        self.variables(inputs, dtype);
    }

    #[track_caller]
    fn zero_state(&self, batch: impl Into<Operand>, dtype: DType) -> Self::State {
        self.cell.zero_state(batch, dtype)
    }

    #[track_caller]
    fn call(&self, input: Tensor, state: Self::State) -> (Tensor, Self::State) {
        at_location(Location::caller(), || {
            let inputs = last_extent(input);
            let variables = inputs.map(|inputs| self.variables(inputs, dtype_of(input)));
            let (output, state) = self.cell.call(input, state);
            match variables {
                Some((kernel, bias)) => (bias_add(matmul(output, kernel), bias), state),
                None => (output, state),
            }
        })
    }
}
