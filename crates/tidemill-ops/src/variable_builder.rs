//! The options of a variable to make.

use std::fmt;
use std::sync::Arc;

use tidemill_graph::Constraint;
use tidemill_value::{DType, PartialShape};

use crate::{Initializer, Tensor};

/// Starts the builder of a variable; [`VariableBuilder::get`] creates or reuses the variable.
pub fn variable(name: &str, shape: impl Into<PartialShape>) -> VariableBuilder {
    VariableBuilder {
        name: name.to_owned(),
        shape: shape.into(),
        dtype: None,
        initializer: Initializer::default(),
        trainable: true,
        resource: false,
        local: false,
        absolute: false,
        self_starting: false,
        constraint: None,
        regularizer: None,
        collections: Vec::new(),
    }
}

/// The builder of a variable.
#[derive(Clone, Debug)]
#[must_use = "nothing is created until `get`"]
pub struct VariableBuilder {
    pub(crate) name: String,
    pub(crate) shape: PartialShape,
    pub(crate) dtype: Option<DType>,
    pub(crate) initializer: Initializer,
    pub(crate) trainable: bool,
    pub(crate) resource: bool,
    pub(crate) local: bool,
    pub(crate) absolute: bool,
    pub(crate) self_starting: bool,
    pub(crate) constraint: Option<Constraint>,
    pub(crate) regularizer: Option<Regularize>,
    pub(crate) collections: Vec<String>,
}

impl VariableBuilder {
    /// Sets the data type. The default is that of an initial tensor or value, or `float32`.
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// The name, without the prefix of the variable scope.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets the initializer of the variable. The default is that of the
    /// [`VariableScope`](crate::VariableScope), or else Glorot's uniform distribution for floats,
    /// and zero for integers.
    pub fn initializer(mut self, initializer: impl Into<Initializer>) -> Self {
        self.initializer = initializer.into();
        self
    }

    /// Sets whether optimizers update the variable. The default is true.
    pub fn trainable(mut self, trainable: bool) -> Self {
        self.trainable = trainable;
        self
    }

    /// Sets whether it is one of TensorFlow's resource variables, which nodes read and write
    /// through a handle. The guarantees of a run are the same.
    pub fn resource(mut self, resource: bool) -> Self {
        self.resource = resource;
        self
    }

    /// Makes it a local variable, which savers, optimizers and
    /// [`global_variables_initializer`](crate::global_variables_initializer) ignore.
    /// [`local_variables_initializer`](crate::local_variables_initializer) initializes it.
    pub fn local(mut self) -> Self {
        (self.local, self.trainable) = (true, false);
        self
    }

    /// Uses the name as it is, regardless of the current scopes; if it is taken, a number is added.
    pub fn absolute(mut self, absolute: bool) -> Self {
        self.absolute = absolute;
        self
    }

    /// Sets whether the variable initializes itself: if it has no value in a session, a run that
    /// needs it uses the initial value. The default is false, and then such a run fails. Optimizer
    /// slots initialize themselves.
    pub fn self_starting(mut self, self_starting: bool) -> Self {
        self.self_starting = self_starting;
        self
    }

    /// Sets a constraint: after an update, optimizers replace the variable's value with
    /// `constraint` of it.
    pub fn constraint(
        mut self,
        constraint: impl Fn(Tensor) -> Tensor + Send + Sync + 'static,
    ) -> Self {
        self.constraint = Some(Constraint::new(move |value| constraint(value.into()).into()));
        self
    }

    /// Sets a regularizer for the variable, if it is created here and trainable: a function from
    /// its value to a loss of shape `[]`, which is added to the collection
    /// [`REGULARIZATION_LOSSES`](crate::REGULARIZATION_LOSSES). The default is that of the
    /// [`VariableScope`](crate::VariableScope).
    pub fn regularizer(mut self, loss: impl Fn(Tensor) -> Tensor + Send + Sync + 'static) -> Self {
        self.regularizer = Some(Regularize::new(loss));
        self
    }

    /// Adds the variable to a collection of this name as well.
    pub fn collection(mut self, name: &str) -> Self {
        self.collections.push(name.to_owned());
        self
    }
}

/// A function from the value of a variable to a loss.
#[derive(Clone)]
pub(crate) struct Regularize(Arc<dyn Fn(Tensor) -> Tensor + Send + Sync>);

impl Regularize {
    pub(crate) fn new(loss: impl Fn(Tensor) -> Tensor + Send + Sync + 'static) -> Self {
        Regularize(Arc::new(loss))
    }

    /// Adds the loss of a value to the graph.
    pub(crate) fn apply(&self, value: Tensor) -> Tensor {
        (self.0)(value)
    }
}

impl fmt::Debug for Regularize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Regularize(..)")
    }
}
