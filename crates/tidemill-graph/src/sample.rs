use tidemill_value::Value;

use crate::{Attr, Expect, ExpectGradient, Sample};

impl Sample {
    /// A sample with single tensors as arguments and one output.
    pub fn new(inputs: impl IntoIterator<Item = Value>, output: Value) -> Self {
        Sample {
            inputs: inputs.into_iter().map(|input| vec![input]).collect(),
            attrs: Vec::new(),
            expect: Expect::Outputs(vec![output]),
            gradient: ExpectGradient::Differences,
        }
    }

    /// A sample with single tensors as arguments, which fails with an error that contains
    /// `message`.
    pub fn error(inputs: impl IntoIterator<Item = Value>, message: &'static str) -> Self {
        Sample { expect: Expect::Error(message), ..Sample::shapes(inputs) }
    }

    /// A sample with single tensors as arguments; only the data types and shapes of its outputs are
    /// checked.
    pub fn shapes(inputs: impl IntoIterator<Item = Value>) -> Self {
        Sample {
            inputs: inputs.into_iter().map(|input| vec![input]).collect(),
            attrs: Vec::new(),
            expect: Expect::Shapes,
            gradient: ExpectGradient::Differences,
        }
    }

    /// The sample with an attribute.
    pub fn attr(mut self, name: &'static str, attr: impl Into<Attr>) -> Self {
        self.attrs.push((name, attr.into()));
        self
    }

    /// The sample with these inputs, one list for each argument.
    pub fn arguments(mut self, inputs: Vec<Vec<Value>>) -> Self {
        self.inputs = inputs;
        self
    }

    /// The sample with these expected outputs.
    pub fn outputs(mut self, outputs: impl IntoIterator<Item = Value>) -> Self {
        self.expect = Expect::Outputs(outputs.into_iter().collect());
        self
    }

    /// The sample, marked as having no derivative at its inputs, or only a one-sided one: its
    /// gradient is not compared with finite differences.
    pub fn at_kink(mut self) -> Self {
        self.gradient = ExpectGradient::AtKink;
        self
    }

    /// The sample, marked as not differentiable: differentiating it fails with an error that
    /// contains `message`.
    pub fn gradient_error(mut self, message: &'static str) -> Self {
        self.gradient = ExpectGradient::Error(message);
        self
    }
}
