use std::any::Any;
use std::fmt;
use std::sync::Arc;

use tidemill_graph::{
    Graph, Reuse, VariableSettings, current_variable_scope, default_graph, within_variable_scope,
};

use crate::variable_builder::{Regularize, VariableBuilder};
use crate::{Initializer, Tensor, Variable};

/// The collection of the losses of regularizers.
pub const REGULARIZATION_LOSSES: &str = "regularization_losses";

/// A scope of variables, with what holds for those that are made in it. It can be entered any
/// number of times.
///
/// Within another scope, what a scope does not say is as in the outer one.
///
/// ```
/// use tidemill_ops::{VariableScope, ones, variable};
/// let layer = VariableScope::new("layer").initializer(ones());
/// let weights = layer.enter(|| variable("weights", [2, 3]).get());
/// assert_eq!(weights.name(), "layer/weights:0");
/// assert_eq!(weights.initial_value().op().op_type(), "Const");
/// ```
#[derive(Clone, Debug)]
pub struct VariableScope {
    place: Place,
    reuse: Reuse,
    defaults: Defaults,
}

#[derive(Clone, Debug)]
enum Place {
    /// In the scope that is open when it is entered.
    Inside { name: String },
    /// Where it was captured, by the prefix of names.
    Captured { prefix: String },
}

/// What a scope says of the variables in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Defaults {
    pub(crate) initializer: Option<Initializer>,
    pub(crate) regularizer: Option<Regularize>,
    /// Those of outer scopes first.
    getters: Vec<Getter>,
}

/// A function that gives variables in place of [`VariableBuilder::get`].
#[derive(Clone)]
struct Getter(Arc<dyn Fn(VariableBuilder) -> Variable + Send + Sync>);

impl fmt::Debug for Getter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Getter(..)")
    }
}

impl VariableScope {
    /// A scope called `name`, inside the one that is open when it is entered: variables in it have
    /// its prefix, and other nodes are in a name scope of that name. An empty name adds no prefix.
    pub fn new(name: &str) -> Self {
        let place = Place::Inside { name: name.to_owned() };
        VariableScope { place, reuse: Reuse::Never, defaults: Defaults::default() }
    }

    /// The scope that is open for the default graph on this thread, to be entered again from
    /// anywhere: what is made in it then has the same prefix, and all that holds here.
    ///
    /// ```
    /// use tidemill_graph::{Reuse, variable_scope};
    /// use tidemill_ops::{VariableScope, get_variable, ones, zeros};
    /// let (first, scope) = variable_scope("generator", || {
    ///     (get_variable("bias", [], zeros()), VariableScope::current())
    /// });
    /// let again = scope.reuse(Reuse::Always).enter(|| get_variable("bias", [], zeros()));
    /// assert_eq!(first, again);
    /// ```
    pub fn current() -> Self {
        let settings = current_variable_scope(default_graph().key());
        VariableScope {
            defaults: Defaults::of(&settings),
            reuse: settings.reuse,
            place: Place::Captured { prefix: settings.prefix },
        }
    }

    /// Sets whether variables are shared (see [`Reuse`]). Within a scope that shares them, so do all
    /// inner ones.
    pub fn reuse(mut self, reuse: Reuse) -> Self {
        self.reuse = reuse;
        self
    }

    /// Sets what variables start with that are made with [`Initializer::default`], or without an
    /// initializer.
    pub fn initializer(mut self, initializer: impl Into<Initializer>) -> Self {
        self.defaults.initializer = Some(initializer.into());
        self
    }

    /// Sets what is made of the value of each trainable variable that is made: a loss, of shape
    /// `[]`, which is added to the collection [`REGULARIZATION_LOSSES`].
    ///
    /// ```
    /// use tidemill_graph::default_graph;
    /// use tidemill_ops::{Inspect, REGULARIZATION_LOSSES, VariableScope, get_variable, l2_loss, ones};
    /// let decay = VariableScope::new("layer").regularizer(|weights| l2_loss(weights) * 0.01);
    /// decay.enter(|| get_variable("weights", [2, 3], ones()));
    /// assert_eq!(default_graph().tensors_in(REGULARIZATION_LOSSES).len(), 1);
    /// ```
    pub fn regularizer(mut self, loss: impl Fn(Tensor) -> Tensor + Send + Sync + 'static) -> Self {
        self.defaults.regularizer = Some(Regularize::new(loss));
        self
    }

    /// Sets a function that is called in place of [`VariableBuilder::get`] with the variable that is
    /// asked for. Inside the function, `get` calls the one of the outer scope that has one, and
    /// otherwise makes or finds the variable.
    ///
    /// ```
    /// use tidemill_ops::{VariableScope, get_variable, ones};
    /// let frozen = VariableScope::new("frozen").custom_getter(|asked| asked.trainable(false).get());
    /// assert!(!frozen.enter(|| get_variable("weights", [2, 3], ones())).is_trainable());
    /// ```
    pub fn custom_getter(
        mut self,
        getter: impl Fn(VariableBuilder) -> Variable + Send + Sync + 'static,
    ) -> Self {
        self.defaults.getters.push(Getter(Arc::new(getter)));
        self
    }

    /// Calls `build` in the scope, of the default graph.
    pub fn enter<R>(&self, build: impl FnOnce() -> R) -> R {
        let graph = default_graph();
        let outer = current_variable_scope(graph.key());
        let reuse = if self.reuse == Reuse::Never { outer.reuse } else { self.reuse };
        let (name, settings) = match &self.place {
            Place::Inside { name } => {
                let prefix = match name.as_str() {
                    "" => outer.prefix.clone(),
                    name => format!("{}{name}/", outer.prefix),
                };
                let defaults = Defaults::of(&outer).overridden_by(&self.defaults);
                (name.as_str(), VariableSettings { prefix, reuse, defaults: defaults.kept() })
            }
            Place::Captured { prefix } => {
                let name = prefix.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
                let (prefix, defaults) = (prefix.clone(), self.defaults.clone().kept());
                (name, VariableSettings { prefix, reuse: self.reuse, defaults })
            }
        };
        within_variable_scope(&graph, name, settings, build)
    }
}

impl Defaults {
    pub(crate) fn of(settings: &VariableSettings) -> Self {
        let defaults = settings.defaults.as_ref().and_then(|it| it.downcast_ref::<Defaults>());
        defaults.cloned().unwrap_or_default()
    }

    fn overridden_by(mut self, inner: &Defaults) -> Self {
        self.initializer = inner.initializer.clone().or(self.initializer);
        self.regularizer = inner.regularizer.clone().or(self.regularizer);
        self.getters.extend(inner.getters.iter().cloned());
        self
    }

    fn kept(self) -> Option<Arc<dyn Any + Send + Sync>> {
        Some(Arc::new(self))
    }
}

/// What the innermost custom getter of the scope that is open gives for a variable that is asked
/// for, or, without one, what `make` does. Within a getter, those of outer scopes hold.
pub(crate) fn get_through(
    graph: &Graph,
    asked: VariableBuilder,
    make: impl FnOnce(VariableBuilder, &VariableSettings, Defaults) -> Variable,
) -> Variable {
    let settings = current_variable_scope(graph.key());
    let mut defaults = Defaults::of(&settings);
    match defaults.getters.pop() {
        Some(getter) => {
            let settings = VariableSettings { defaults: defaults.kept(), ..settings };
            within_variable_scope(graph, "", settings, || (getter.0)(asked))
        }
        None => make(asked, &settings, defaults),
    }
}
