use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidemill_graph::{
    Graph, GraphKey, absolute_scope, current_name_scope, current_variable_scope,
    without_control_dependencies,
};
use tidemill_ops::functions::zeros_like;
use tidemill_ops::{
    Initializer, Operand, Variable, constant_initializer, ones, variable as variable_named, zeros,
};
use tidemill_value::{DType, PartialShape};

/// The common part of all optimizers: a name and the slots. Clones share the slots.
#[derive(Clone, Debug)]
pub struct OptimizerBase {
    pub(crate) name: String,
    pub(crate) use_locking: bool,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The slots of each variable, by their names.
    slots: HashMap<Variable, Vec<(&'static str, Variable)>>,
    /// The slots shared by all variables of a graph.
    shared: HashMap<(GraphKey, &'static str), Variable>,
}

impl OptimizerBase {
    /// The base of an optimizer with this default name.
    pub fn new(name: &str) -> Self {
        OptimizerBase { name: name.to_owned(), use_locking: false, kept: Arc::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A variable's slot with this name, if it exists.
    pub fn slot(&self, variable: Variable, name: &str) -> Option<Variable> {
        let kept = self.kept();
        let mut slots = kept.slots.get(&variable)?.iter();
        slots.find(|(slot, _)| *slot == name).map(|(_, slot)| *slot)
    }

    /// The slot with this name that all variables of a graph share, if it exists.
    pub fn shared(&self, graph: GraphKey, name: &'static str) -> Option<Variable> {
        self.kept().shared.get(&(graph, name)).copied()
    }

    /// All that were created in a graph, by name.
    pub(crate) fn variables(&self, graph: &Graph) -> Vec<Variable> {
        let kept = self.kept();
        let slots = kept.slots.values().flatten().map(|(_, slot)| *slot);
        let all = slots.chain(kept.shared.values().copied());
        let mut all: Vec<Variable> =
            all.filter(|variable| variable.graph().as_ref() == Some(graph)).collect();
        all.sort_by_key(|variable| variable.name());
        all
    }

    /// Creates the slots shared by all variables of a graph, named in the current scope, unless
    /// they exist. They are of the kind of `like`.
    pub(crate) fn make_shared(
        &self,
        graph: &Graph,
        starts: Vec<(&'static str, Operand)>,
        like: Variable,
    ) {
        let key = graph.key();
        for (name, start) in starts {
            if self.shared(key, name).is_some() {
                continue;
            }
            let full = format!("{}{name}", current_name_scope(key));
            let start = without_control_dependencies(key, || {
                absolute_scope(key, &format!("{full}/"), || {
                    start.to_tensor_of(Some(key), DType::F32, "initial_value")
                })
            });
            let made =
                kept_variable(&full, (start.shape(), start.dtype()), start, like.is_resource());
            self.kept().shared.insert((key, name), made);
        }
    }

    /// Creates the slots of a variable, each filled with a number, unless they exist.
    pub(crate) fn make_slots(
        &self,
        graph: &Graph,
        variable: Variable,
        starts: &[(&'static str, f64)],
    ) {
        let prefix = current_variable_scope(graph.key()).prefix;
        let full = format!("{prefix}{}/{}", variable.op().name(), self.name);
        for &(name, start) in starts {
            if self.slot(variable, name).is_none() {
                let start = full_of(graph, variable, start);
                let of = (variable.shape(), variable.dtype());
                let made = kept_variable(&full, of, start, variable.is_resource());
                self.kept().slots.entry(variable).or_default().push((name, made));
            }
        }
    }
}

/// A variable of an optimizer's own, which is not trained.
#[track_caller]
fn kept_variable(
    name: &str,
    (shape, dtype): (PartialShape, Option<DType>),
    start: impl Into<Initializer>,
    is_resource: bool,
) -> Variable {
    let variable = variable_named(name, shape).dtype(dtype.unwrap_or(DType::F32));
    let variable = variable.initializer(start).resource(is_resource);
    variable.absolute(true).self_starting(true).trainable(false).get()
}

/// The initializer of a slot of a variable.
fn full_of(graph: &Graph, variable: Variable, number: f64) -> Initializer {
    if variable.shape().is_known() {
        return match number {
            0.0 => zeros(),
            1.0 => ones(),
            _ => constant_initializer(number),
        };
    }
    // As many elements as the variable then has.
    without_control_dependencies(graph.key(), || {
        (zeros_like(variable.read()) + Operand::from(number)).into()
    })
}
