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

/// A scope of variables, with settings for the variables that are created in it. It can be entered
/// any number of times.
///
/// Inside another scope, a scope takes the settings that it lacks from the outer one.
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
    /// At the place where it was captured, by the prefix of names.
    Captured { prefix: String },
}

/// The settings of a scope for the variables in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Defaults {
    pub(crate) initializer: Option<Initializer>,
    pub(crate) regularizer: Option<Regularize>,
    /// The getters of outer scopes come first.
    getters: Vec<Getter>,
}

/// A function that returns variables in place of [`VariableBuilder::get`].
#[derive(Clone)]
struct Getter(Arc<dyn Fn(VariableBuilder) -> Variable + Send + Sync>);

impl fmt::Debug for Getter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Getter(..)")
    }
}

impl VariableScope {
    /// A scope named `name`, inside the one that is open when it is entered: variables in it have
    /// its prefix, and other nodes are in a name scope of that name. An empty name adds no prefix.
    pub fn new(name: &str) -> Self {
        let place = Place::Inside { name: name.to_owned() };
        VariableScope { place, reuse: Reuse::Never, defaults: Defaults::default() }
    }

    /// The scope that is open for the default graph on this thread, to be entered again from
    /// anywhere: variables created in it then have the same prefix and settings as here.
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

    /// Sets whether variables are shared (see [`Reuse`]). If a scope shares them, so do all inner
    /// ones.
    pub fn reuse(mut self, reuse: Reuse) -> Self {
        self.reuse = reuse;
        self
    }

    /// Sets the initializer of variables that are created with [`Initializer::default`], or without
    /// an initializer.
    pub fn initializer(mut self, initializer: impl Into<Initializer>) -> Self {
        self.defaults.initializer = Some(initializer.into());
        self
    }

    /// Sets a regularizer for each trainable variable that is created: a function from its value to
    /// a loss of shape `[]`, which is added to the collection [`REGULARIZATION_LOSSES`].
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

    /// Sets a function that is called in place of [`VariableBuilder::get`] with the requested
    /// variable. Inside the function, `get` calls the getter of the next outer scope that has one,
    /// and otherwise creates or finds the variable.
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

/// The result of the innermost custom getter of the open scope for a requested variable, or,
/// without one, of `make`. Inside a getter, those of outer scopes apply.
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
