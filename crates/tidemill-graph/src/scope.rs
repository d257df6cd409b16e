use std::any::Any;
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::location::{Restore, enter_location};
use crate::{Graph, GraphKey, Location, OperationRef, body, default_graph};

/// The choice of `get_variable` between creating a variable and reusing an existing one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reuse {
    /// It creates a variable; a name that is already used is an error.
    #[default]
    Never,
    /// It reuses the variable with that name, which must exist.
    Always,
    /// It reuses the variable with that name, or creates it.
    Auto,
}

/// The current settings for the variables that a thread creates in a graph.
#[derive(Clone, Default)]
pub struct VariableSettings {
    /// The prefix of their names, with its closing slash, or empty.
    pub prefix: String,
    /// Whether they are shared.
    pub reuse: Reuse,
    /// Further settings, of a type that only the creator of variables knows.
    pub defaults: Option<Arc<dyn Any + Send + Sync>>,
}

impl fmt::Debug for VariableSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VariableSettings({:?}, {:?})", self.prefix, self.reuse)
    }
}

/// The current settings for the nodes that a thread adds to a graph.
#[derive(Clone, Default, Debug)]
pub(crate) struct Scope {
    /// The prefix of node names, with its closing slash, or empty.
    pub(crate) names: String,
    pub(crate) variables: VariableSettings,
    /// The nodes that must run before.
    pub(crate) controls: SmallVec<[OperationRef; 2]>,
}

thread_local! {
    static SCOPES: RefCell<Vec<(GraphKey, Scope)>> = const { RefCell::new(Vec::new()) };
}

/// Calls `read` with the settings for `graph` on this thread.
pub(crate) fn with_current<R>(graph: GraphKey, read: impl FnOnce(&Scope) -> R) -> R {
    SCOPES.with_borrow(|scopes| match scopes.iter().rev().find(|(of, _)| *of == graph) {
        Some((_, scope)) => read(scope),
        None => read(&Scope::default()),
    })
}

/// Calls `build` while `scope` applies to `graph` on this thread.
fn enter<R>(graph: GraphKey, scope: Scope, build: impl FnOnce() -> R) -> R {
    let _entered = Entered::new(graph, scope);
    build()
}

/// A scope that holds until it is dropped. All calls of [`enter`] share its code.
struct Entered;

impl Entered {
    fn new(graph: GraphKey, scope: Scope) -> Entered {
        SCOPES.with_borrow_mut(|scopes| scopes.push((graph, scope)));
        Entered
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        SCOPES.with_borrow_mut(Vec::pop);
    }
}

/// A guard: until it is dropped, nodes are added as if inside [`scoped`] and
/// [`at_location`](crate::at_location). It is not generic, so its code is compiled only once.
pub struct CompositeScope {
    name: String,
    _entered: Entered,
    _located: Restore,
}

impl CompositeScope {
    /// Enters a name scope of `graph`; nodes carry `location`.
    pub fn enter(graph: &Graph, name: &str, location: Location) -> Self {
        let _located = enter_location(location);
        let (name, _entered) = enter_scoped(graph, name);
        CompositeScope { name, _entered, _located }
    }

    /// The full name of the scope.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Enters a name scope of `graph`, and gives its full name.
fn enter_scoped(graph: &Graph, name: &str) -> (String, Entered) {
    let key = body::redirect(graph.key());
    let inner = if key == graph.key() { None } else { Graph::find(key).ok() };
    let graph = inner.as_ref().unwrap_or(graph);
    let full = graph.reserve_name(name);
    let scope = Scope { names: format!("{full}/"), ..current(graph.key()) };
    (full, Entered::new(graph.key(), scope))
}

fn current(graph: GraphKey) -> Scope {
    with_current(graph, Scope::clone)
}

/// The name prefix of a graph's current name scope on this thread: empty, or with a trailing slash.
pub fn current_name_scope(graph: GraphKey) -> String {
    with_current(graph, |scope| scope.names.clone())
}

/// The name with the prefix of the current name scope.
pub(crate) fn prefixed(graph: GraphKey, name: Cow<'_, str>) -> Cow<'_, str> {
    with_current(graph, |scope| match scope.names.as_str() {
        "" => name,
        prefix => Cow::Owned(format!("{prefix}{name}")),
    })
}

/// Calls `build` in a name scope of `graph`: the names of the nodes it adds begin with the name of
/// the scope, which is made unique and passed to `build`, and a slash.
///
/// If `graph` encloses the body that is being built, the scope is opened in the body's graph
/// instead, because that is where the nodes are added.
pub fn scoped<R>(graph: &Graph, name: &str, build: impl FnOnce(&str) -> R) -> R {
    let (full, _entered) = enter_scoped(graph, name);
    build(&full)
}

/// Calls `build` in a name scope of the default graph: the names of the nodes it adds begin with
/// `name` and a slash. A second scope with the same name is called `name_1`.
///
/// A `name` that ends with a slash reopens exactly that scope; an empty name leaves all scopes.
pub fn name_scope<R>(name: &str, build: impl FnOnce() -> R) -> R {
    let graph = default_graph();
    if name.is_empty() || name.ends_with('/') {
        let scope = Scope { names: name.to_owned(), ..current(graph.key()) };
        return enter(graph.key(), scope, build);
    }
    scoped(&graph, name, |_| build())
}

/// Calls `build` in a variable scope of the default graph: the names of its variables begin with
/// `name` and a slash, and so do the names of other nodes, as in a [`name_scope`].
///
/// Unlike a name scope, a second variable scope with the same name has the same prefix for
/// variables, so a variable's name does not depend on what was built before.
pub fn variable_scope<R>(name: &str, build: impl FnOnce() -> R) -> R {
    variable_scope_with(name, Reuse::Never, build)
}

/// Calls `build` in a [`variable_scope`] that sets whether variables are reused. Inner scopes
/// inherit reuse. A scope without a name changes only this setting.
pub fn variable_scope_with<R>(name: &str, reuse: Reuse, build: impl FnOnce() -> R) -> R {
    let graph = default_graph();
    let mut settings = current(graph.key()).variables;
    if reuse != Reuse::Never {
        settings.reuse = reuse;
    }
    if !name.is_empty() {
        settings.prefix.push_str(name);
        settings.prefix.push('/');
    }
    within_variable_scope(&graph, name, settings, build)
}

/// Calls `build` while `settings` apply to the variables of `graph`, in a name scope named `name`,
/// unless that is empty.
pub fn within_variable_scope<R>(
    graph: &Graph,
    name: &str,
    settings: VariableSettings,
    build: impl FnOnce() -> R,
) -> R {
    let outer = current(graph.key());
    let names = match name {
        "" => outer.names,
        name => format!("{}/", graph.reserve_name(name)),
    };
    enter(graph.key(), Scope { names, variables: settings, controls: outer.controls }, build)
}

/// Calls `build` in a [`variable_scope`] whose name is made unique, so that the variables of a
/// second scope get different names.
pub fn unique_variable_scope<R>(name: &str, build: impl FnOnce() -> R) -> R {
    let graph = default_graph();
    let outer = current(graph.key());
    let names = format!("{}/", graph.reserve_name(name));
    let own = names.strip_prefix(&outer.names).unwrap_or(&names);
    let mut variables = outer.variables;
    variables.prefix.push_str(own);
    enter(graph.key(), Scope { names, variables, controls: outer.controls }, build)
}

/// The settings of the current variable scope of a graph on this thread.
pub fn current_variable_scope(graph: GraphKey) -> VariableSettings {
    with_current(graph, |scope| scope.variables.clone())
}

/// Calls `build`; the nodes it adds run after `operations`, in every run that needs them.
///
/// Inside a body, the operations may be outside of it: then the whole conditional or loop runs
/// after them. If only one branch of a conditional depends on them, they run only if that branch is
/// taken. They must have no effect, or be assertions.
pub fn control_dependencies<T, R>(
    operations: impl IntoIterator<Item = T>,
    build: impl FnOnce() -> R,
) -> R
where
    T: Into<OperationRef>,
{
    let operations: SmallVec<[OperationRef; 2]> = operations.into_iter().map(Into::into).collect();
    let default = default_graph().key();
    let graph = operations.first().map_or(default, |operation| operation.graph());
    let with_controls = |graph| {
        let mut scope = current(graph);
        scope.controls.extend(operations.iter().copied());
        scope
    };
    if graph == default {
        return enter(graph, with_controls(graph), build);
    }
    enter(default, with_controls(default), || enter(graph, with_controls(graph), build))
}

/// Calls `build` outside all current control dependencies of the default graph, like TensorFlow's
/// `control_dependencies(None)`.
pub fn clear_control_dependencies<R>(build: impl FnOnce() -> R) -> R {
    without_control_dependencies(default_graph().key(), build)
}

/// Calls `build` outside all current control dependencies of a graph.
pub fn without_control_dependencies<R>(graph: GraphKey, build: impl FnOnce() -> R) -> R {
    let scope = Scope { controls: SmallVec::new(), ..current(graph) };
    enter(graph, scope, build)
}

/// Calls `build` with exactly this name prefix, empty or with a trailing slash, for the nodes it
/// adds to a graph.
pub fn absolute_scope<R>(graph: GraphKey, prefix: &str, build: impl FnOnce() -> R) -> R {
    enter(graph, Scope { names: prefix.to_owned(), ..current(graph) }, build)
}

/// Calls `build` while the variable scope of `outer` applies to `body`, a graph inside it.
pub(crate) fn within_body<R>(outer: GraphKey, body: GraphKey, build: impl FnOnce() -> R) -> R {
    let Scope { variables, .. } = current(outer);
    enter(body, Scope { variables, ..Scope::default() }, build)
}

/// Calls `build` while the variable scope of `body` applies to `root`, the graph around it, without
/// control dependencies.
pub(crate) fn beside_body<R>(root: GraphKey, body: GraphKey, build: impl FnOnce() -> R) -> R {
    let Scope { variables, .. } = current(body);
    let names = current(root).names;
    enter(root, Scope { names, variables, ..Scope::default() }, build)
}

/// Whether nodes added to a graph on this thread run after others because of
/// [`control_dependencies`].
pub fn has_control_dependencies(graph: GraphKey) -> bool {
    with_current(body::redirect(graph), |scope| !scope.controls.is_empty())
}
