use std::fmt;

use smallvec::SmallVec;
use tidemill_value::ScalarOp;

use crate::{
    Arg, AttrDef, Effect, Execution, Fallible, Gradient, GradientFn, InferFn, KernelFn, OpDef,
    OpError, Role, SamplesFn,
};

impl OpDef {
    /// The description of an operation without inputs, outputs and effects, which later calls
    /// complete.
    pub const fn new(name: &'static str, summary: &'static str) -> Self {
        OpDef {
            name,
            summary,
            inputs: &[],
            outputs: &[],
            attrs: &[],
            execution: Execution::Kernel,
            effect: Effect::None,
            fallible: Fallible::Shapes,
            broadcasts: false,
            scalar: None,
            shares_unnamed: false,
            infer: |_| Ok(SmallVec::new()),
            gradient: Gradient::Undefined,
            kernel: |node| Err(OpError::NoKernel { op: node.op().name }),
            #[cfg(feature = "samples")]
            samples: Vec::new,
        }
    }

    /// Sets the inputs.
    pub const fn inputs(mut self, inputs: &'static [Arg]) -> Self {
        self.inputs = inputs;
        self
    }

    /// Sets the outputs.
    pub const fn outputs(mut self, outputs: &'static [Arg]) -> Self {
        self.outputs = outputs;
        self
    }

    /// Sets the attributes.
    pub const fn attrs(mut self, attrs: &'static [AttrDef]) -> Self {
        self.attrs = attrs;
        self
    }

    /// Sets how the runtime executes a node.
    pub const fn execution(mut self, execution: Execution) -> Self {
        self.execution = execution;
        self
    }

    /// Sets the side effect of a node.
    pub const fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Sets when a run can fail.
    pub const fn fallible(mut self, fallible: Fallible) -> Self {
        self.fallible = fallible;
        self
    }

    /// Declares that inputs broadcast to a common shape.
    pub const fn broadcasts(mut self) -> Self {
        self.broadcasts = true;
        self
    }

    /// Declares that the operation applies a function to each element and does nothing else.
    pub const fn scalar(mut self, function: ScalarOp) -> Self {
        self.scalar = Some(function);
        self
    }

    /// Declares that nodes without a shared name refer to one variable.
    pub const fn shares_unnamed(mut self) -> Self {
        self.shares_unnamed = true;
        self
    }

    /// Sets the shape inference.
    pub const fn infer(mut self, infer: InferFn) -> Self {
        self.infer = infer;
        self
    }

    /// Sets the gradient rule.
    pub const fn gradient(mut self, rule: GradientFn) -> Self {
        self.gradient = Gradient::Rule(rule);
        self
    }

    /// Declares that no gradient passes through: the outputs have no derivative with respect to the
    /// inputs, or only a zero one.
    pub const fn not_differentiable(mut self) -> Self {
        self.gradient = Gradient::NotDifferentiable;
        self
    }

    /// Sets the function that makes kernels.
    pub const fn kernel(mut self, kernel: KernelFn) -> Self {
        self.kernel = kernel;
        self
    }

    /// Sets the samples the operation is tested with.
    #[cfg(feature = "samples")]
    pub const fn samples(mut self, samples: SamplesFn) -> Self {
        self.samples = samples;
        self
    }

    /// Sets the samples the operation is tested with; without the feature `samples`, drops them.
    #[cfg(not(feature = "samples"))]
    pub const fn samples(self, _: SamplesFn) -> Self {
        self
    }

    /// The description of an attribute.
    pub fn attr(&self, name: &str) -> Option<&'static AttrDef> {
        self.attrs.iter().find(|attr| attr.name == name)
    }

    /// The number of variables that a node of [`Execution::Write`] writes: those that its first
    /// inputs name.
    pub fn written(&self) -> usize {
        self.inputs.iter().take_while(|arg| arg.access.writes()).count()
    }

    /// The kernel output with the next value of the variable named by input `i` of a node of
    /// [`Execution::Write`], if the node has that many outputs.
    pub fn state_slot(&self, outputs: usize, i: usize) -> u32 {
        let names_variable = self.outputs.first().is_some_and(|arg| arg.output_role() == Role::Ref);
        let slot = match (names_variable, i) {
            (true, 0) => 0,
            (true, i) => outputs + i - 1,
            (false, i) => outputs + i,
        };
        slot as u32
    }

    /// Whether nodes with equal inputs and attributes give equal outputs and have no effect, so
    /// that one can replace the other and a constant can replace either.
    pub fn is_pure(&self) -> bool {
        matches!(self.execution, Execution::Kernel) && matches!(self.effect, Effect::None)
    }
}

impl fmt::Debug for OpDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for OpDef {
    fn eq(&self, other: &OpDef) -> bool {
        // An opaque description may have the name of an operation whose attributes are unknown.
        self.name == other.name && self.execution == other.execution
    }
}
