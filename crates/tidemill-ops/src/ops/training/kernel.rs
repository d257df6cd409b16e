//! The common parts of all updates: shapes, checks, kernels and samples.

use smallvec::SmallVec;
use tidemill_graph::{Inferred, Kernel, KernelCx, KernelError, NodeView, OpDef, OpError, Sample};
use tidemill_kernels::training::{Rule, apply, apply_rows, apply_to_number, check_rows};
use tidemill_value::{DType, Dim, PartialShape, Shape, Value, ValueError};

/// The positions of an update's inputs after the variable and its slots.
struct Layout {
    states: usize,
    gradient: usize,
    indices: Option<usize>,
    /// All others.
    numbers: SmallVec<[usize; 6]>,
}

impl Layout {
    fn of(op: &OpDef) -> Self {
        let states = op.written();
        let mut layout = Layout { states, gradient: 0, indices: None, numbers: SmallVec::new() };
        for (i, arg) in op.inputs.iter().enumerate().skip(states) {
            match arg.name {
                "grad" | "delta" => layout.gradient = i,
                "indices" => layout.indices = Some(i),
                _ => layout.numbers.push(i),
            }
        }
        layout
    }
}

/// The variable and its slots have one shape, and so does a dense gradient; a sparse one has rows
/// of it.
pub(super) fn infer(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let (op, layout) = (node.op(), Layout::of(node.op()));
    for &i in &layout.numbers {
        if node.shape(i).rank().is_some_and(|rank| rank != 0) {
            let (input, actual) = (op.inputs[i].name, node.shape(i).clone());
            return Err(OpError::Rank { input, expected: "no axes", actual });
        }
    }
    let mut shape = node.shape(0).clone();
    for i in 1..layout.states {
        shape = shape.merge(node.shape(i))?;
    }
    let gradient = node.shape(layout.gradient);
    match layout.indices {
        None => shape = shape.merge(gradient)?,
        Some(indices) => {
            let indices = node.shape(indices);
            if indices.rank().is_some_and(|rank| rank != 1) {
                let (input, actual) = ("indices", indices.clone());
                return Err(OpError::Rank { input, expected: "1 axis", actual });
            }
            if shape.rank() == Some(0) {
                let (input, actual) = ("var", shape);
                return Err(OpError::Rank { input, expected: "at least 1 axis", actual });
            }
            if let Some([_, row @ ..]) = shape.dims() {
                let count = indices.dims().map_or(Dim::UNKNOWN, |dims| dims[0]);
                let rows: PartialShape =
                    std::iter::once(count).chain(row.iter().copied()).collect();
                rows.merge(gradient)?;
            }
        }
    }
    Ok((0..layout.states).map(|_| shape.clone().into()).collect())
}

/// The requirement on a number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    Positive,
    NotNegative,
    NotPositive,
}

/// Numbers, by the names of their inputs, with their requirements.
pub(super) type Limits = &'static [(&'static str, Limit)];

struct Update {
    rule: Rule,
    layout: Layout,
    limits: SmallVec<[(usize, &'static str, Limit); 4]>,
    /// The shape of the variable and its slots, if it is known.
    shape: Option<Shape>,
    /// True for a single number, without slots and limits.
    is_of_numbers: bool,
}

pub(super) fn kernel(
    node: &NodeView<'_>,
    rule: Rule,
    limits: Limits,
) -> Result<Box<dyn Kernel>, OpError> {
    let input = |(i, name)| {
        let limit = limits.iter().find(|(limited, _)| *limited == name);
        limit.map(|&(name, limit)| (i, name, limit))
    };
    let names = node.op().inputs.iter().map(|arg| arg.name);
    let limits: SmallVec<_> = names.enumerate().filter_map(input).collect();
    let layout = Layout::of(node.op());
    let mut shape = node.shape(0).clone();
    for i in 1..layout.states {
        shape = shape.merge(node.shape(i))?;
    }
    let is_of_numbers = shape.rank() == Some(0)
        && layout.states == 1
        && layout.indices.is_none()
        && limits.is_empty();
    Ok(Box::new(Update { rule, layout, limits, shape: shape.known(), is_of_numbers }))
}

impl Kernel for Update {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        if self.is_of_numbers && self.update_number(cx).is_some() {
            return Ok(());
        }
        let shape = cx.input(0)?.shape().clone();
        self.check_inputs(cx, &shape)?;
        // A buffer that a reader still holds is copied before it is written to.
        let states = (0..self.layout.states).map(|i| cx.take_unique(i));
        let mut states: SmallVec<[Value; 4]> = states.collect::<Result<_, _>>()?;
        self.update(cx, &mut states)?;
        states.into_iter().enumerate().for_each(|(i, state)| cx.set(i, state));
        Ok(())
    }

    fn check(&self, cx: &KernelCx<'_>) -> Result<(), KernelError> {
        let shape = self.shape.as_ref().ok_or(KernelError::Internal("an unknown shape"))?;
        self.check_inputs(cx, shape)
    }
}

impl Update {
    /// Updates a single number without slots.
    fn update_number(&self, cx: &mut KernelCx<'_>) -> Option<()> {
        let numbers = self.layout.numbers.iter().map(|&i| cx.peek(i));
        let numbers: SmallVec<[&Value; 6]> = numbers.collect::<Option<_>>()?;
        let (variable, gradient) = (cx.peek(0)?, cx.peek(self.layout.gradient)?);
        let updated = apply_to_number(self.rule, variable, &numbers, gradient)?;
        drop(numbers);
        cx.set_scalar(0, updated);
        Some(())
    }

    fn update(&self, cx: &KernelCx<'_>, states: &mut [Value]) -> Result<(), KernelError> {
        let numbers = self.layout.numbers.iter().map(|&i| cx.input(i));
        let numbers: SmallVec<[&Value; 6]> = numbers.collect::<Result<_, _>>()?;
        let gradient = cx.input(self.layout.gradient)?;
        match self.layout.indices {
            None => apply(self.rule, states, &numbers, gradient)?,
            Some(indices) => {
                apply_rows(self.rule, states, &numbers, gradient, cx.input(indices)?)?;
            }
        }
        Ok(())
    }

    /// Checks that a variable of `shape` can be updated.
    fn check_inputs(&self, cx: &KernelCx<'_>, shape: &Shape) -> Result<(), KernelError> {
        for &(i, name, limit) in &self.limits {
            let value = cx.input(i)?;
            let number = match value.dtype() {
                DType::F64 => value.to_scalar::<f64>()?,
                _ => value.to_scalar::<f32>()?.into(),
            };
            let (is_within, wanted) = match limit {
                Limit::Positive => (number > 0.0, "above 0"),
                Limit::NotNegative => (number >= 0.0, "at least 0"),
                Limit::NotPositive => (number <= 0.0, "at most 0"),
            };
            if !is_within {
                return Err(
                    OpError::elements(name, format!("`{name}` is {number}, not {wanted}")).into()
                );
            }
        }
        let gradient = cx.input(self.layout.gradient)?;
        match self.layout.indices {
            Some(indices) => check_rows(shape, gradient, cx.input(indices)?)?,
            None if gradient.shape() != shape => {
                let (left, right) = (shape.into(), gradient.shape().into());
                return Err(ValueError::Incompatible { left, right }.into());
            }
            None => {}
        }
        Ok(())
    }
}

/// The inputs of a sample: two elements, or for an update of rows, two of three.
fn sample_inputs(op: &OpDef, last_row: i32) -> Vec<Value> {
    let is_sparse = op.inputs.iter().any(|arg| arg.name == "indices");
    let count = if is_sparse { 3 } else { 2 };
    let list = |elements: [f32; 3]| Value::list(elements[..count].to_vec());
    let input = |(i, name): (usize, &str)| match name {
        "grad" | "delta" => Value::from([0.5_f32, -1.0]),
        "indices" => Value::from([last_row, 0]),
        "global_step" => Value::from(3_i64),
        "mg" => list([0.1, 0.2, 0.3]),
        _ if i == 0 => list([1.0, -2.0, 3.0]),
        _ if i < op.written() => list([0.5, 0.25, 0.75]),
        "lr" | "alpha" | "l2_shrinkage" => Value::from(0.1_f32),
        "epsilon" | "l1" => Value::from(0.01_f32),
        "l2" => Value::from(0.02_f32),
        "beta2" | "beta2_power" => Value::from(0.99_f32),
        "lr_power" => Value::from(-0.5_f32),
        "sign_decay" => Value::from(0.5_f32),
        "logbase" => Value::from(1.0_f32),
        _ => Value::from(0.9_f32),
    };
    op.inputs.iter().map(|arg| arg.name).enumerate().map(input).collect()
}

/// Samples of an update that leaves `expected` in the variable, as TensorFlow's does, with a choice
/// and the result for that choice.
pub(super) fn samples(
    op: &OpDef,
    expected: &[f32],
    choice: Option<(&'static str, bool, &[f32])>,
    limits: Limits,
) -> Vec<Sample> {
    let (inputs, layout) = (|| sample_inputs(op, 2), Layout::of(op));
    let with = |i: usize, value: Value| {
        let mut inputs = inputs();
        inputs[i] = value;
        inputs
    };
    let output = |values: &[f32]| match op.outputs {
        [] => Sample::shapes(inputs()),
        _ => Sample::new(inputs(), Value::list(values.to_vec())),
    };
    let mut samples = vec![output(expected)];
    samples.extend(choice.map(|(name, choice, values)| output(values).attr(name, choice)));
    samples.push(Sample::error(with(layout.gradient, Value::from([1.0_f32; 5])), "contradict"));
    samples.push(Sample::error(with(layout.numbers[0], Value::from([0.1_f32; 1])), "no axes"));
    if layout.indices.is_some() {
        samples.push(Sample::error(sample_inputs(op, 3), "index 3"));
        samples.push(Sample::error(sample_inputs(op, -1), "index -1"));
    }
    for (i, arg) in op.inputs.iter().enumerate() {
        if let Some((_, limit)) = limits.iter().find(|(name, _)| *name == arg.name) {
            let (outside, wanted) = match limit {
                Limit::Positive => (0.0_f32, "above 0"),
                Limit::NotNegative => (-1.0, "at least 0"),
                Limit::NotPositive => (1.0, "at most 0"),
            };
            samples.push(Sample::error(with(i, Value::from(outside)), wanted));
        }
    }
    samples
}
