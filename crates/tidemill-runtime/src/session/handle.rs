use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustc_hash::FxHashSet;
use smallvec::{SmallVec, smallvec};
use tidemill_graph::{
    EdgeKind, Graph, GraphReader, NodeId, OperationRef, Referent, TensorId, VariableRecord,
    default_graph,
};
use tidemill_ops::{Operation, Tensor};

use crate::report::error::RunError;
use crate::report::explain::Explanation;
use crate::session::callable::Callable;
use crate::session::feeds::Feeds;
use crate::session::fetch::Fetch;
use crate::session::inner::Inner;
use crate::session::options::{Run, RunOptions, SessionOptions};
use crate::session::request::Request;

/// Runs a graph, and holds the values of its variables.
///
/// A session can be made before or after the nodes it runs. Several sessions of one graph have
/// their own values. A session can be shared by threads. It keeps its graph alive.
///
/// A run computes what its fetches need and nothing else: each node at most once, with the same
/// result as running the nodes one by one in creation order. A tensor that reads a variable has the
/// variable's value from before the run, unless it depends on a node that writes the variable. A run
/// that fails changes no variable.
pub struct Session {
    pub(crate) inner: Arc<Inner>,
}

thread_local! {
    static DEFAULTS: RefCell<Vec<Arc<Inner>>> = const { RefCell::new(Vec::new()) };
}

impl Default for Session {
    fn default() -> Self {
        Session::new()
    }
}

impl Session {
    /// A session of the default graph.
    pub fn new() -> Self {
        Session::with_graph(&default_graph())
    }

    /// A session of a graph.
    pub fn with_graph(graph: &Graph) -> Self {
        Session::with_options(graph, SessionOptions::default())
    }

    /// A session of a graph, with options.
    pub fn with_options(graph: &Graph, options: SessionOptions) -> Self {
        Session { inner: Inner::new(graph, options) }
    }

    /// The graph it runs.
    pub fn graph(&self) -> &Graph {
        self.inner.graph()
    }

    /// The seed of random operations that have neither a seed of their own nor one from the graph.
    pub fn seed(&self) -> u64 {
        self.inner.seed.load(Ordering::Acquire)
    }

    /// Computes `fetches` and what they need.
    ///
    /// ```
    /// use tidemill_ops::constant;
    /// use tidemill_runtime::Session;
    /// let (two, three) = (constant(2), constant(3));
    /// let sum = two + three;
    /// let (values, total) = Session::new().run(([two, three], sum))?;
    /// assert_eq!(total.to_string(), "5");
    /// assert_eq!(values[0].to_string(), "2");
    /// # Ok::<(), tidemill_runtime::RunError>(())
    /// ```
    ///
    /// # Errors
    /// [`RunError`], after which every variable is as it was.
    pub fn run<F: Fetch>(&self, fetches: F) -> Result<F::Output, RunError> {
        self.run_with(fetches, Feeds::new())
    }

    /// Computes `fetches` and what they need, with the values in `feeds` for the fed tensors.
    ///
    /// ```
    /// use tidemill_ops::placeholder;
    /// use tidemill_runtime::{Session, feeds};
    /// let x = placeholder::<f32>([]);
    /// let doubled = x * 2.0;
    /// let value = Session::new().run_with(doubled, feeds![x => 1.5])?;
    /// assert_eq!(value.to_string(), "3.0");
    /// # Ok::<(), tidemill_runtime::RunError>(())
    /// ```
    ///
    /// # Errors
    /// [`RunError`], after which every variable is as it was.
    pub fn run_with<F: Fetch>(&self, fetches: F, feeds: Feeds) -> Result<F::Output, RunError> {
        self.inner.run_with(fetches, feeds)
    }

    /// Computes `fetches` as [`run_with`](Session::run_with) does, with options: a time limit,
    /// cancellation by other threads, a check for NaN, or a trace.
    ///
    /// ```
    /// use tidemill_ops::{constant, log};
    /// use tidemill_runtime::{Feeds, RunError, RunOptions, Session};
    /// let y = log(constant(-1.0_f32));
    /// let options = RunOptions { check_numerics: true, ..RunOptions::default() };
    /// let result = Session::new().run_with_options(y, Feeds::new(), &options);
    /// assert!(matches!(result, Err(RunError::NonFinite(_))));
    /// ```
    ///
    /// # Errors
    /// [`RunError`], after which every variable is as it was.
    pub fn run_with_options<F: Fetch>(
        &self,
        fetches: F,
        feeds: Feeds,
        options: &RunOptions,
    ) -> Result<Run<F::Output>, RunError> {
        self.inner.run_with_options(fetches, feeds, options)
    }

    /// Prepares a run of `fetches` in which `feeds` are fed.
    ///
    /// # Errors
    /// [`RunError`], if the run would fail whatever values were fed.
    pub fn callable<F: Fetch>(
        &self,
        feeds: &[Tensor],
        fetches: F,
    ) -> Result<Callable<F>, RunError> {
        let Request { signature, order } = self.inner.request_for_tensors(&fetches, feeds)?;
        let bound = self.inner.plan(&signature)?;
        let mut places: SmallVec<[u32; 4]> = smallvec![0; order.len()];
        for (&given, place) in order.iter().zip(0..) {
            places[given as usize] = place;
        }
        Ok(Callable { session: Arc::clone(&self.inner), signature, bound, places, fetches })
    }

    /// Initializes the variables that have no value, and no others.
    ///
    /// It takes one run; variables whose initial values depend on other variables take a further
    /// run for each level of dependency. It adds nothing to the graph.
    ///
    /// # Errors
    /// [`RunError`]: variables initialized by the runs before the one that failed keep their
    /// values.
    pub fn init_missing(&self) -> Result<(), RunError> {
        if self.inner.runs_on_this_thread() {
            return Err(RunError::Nested);
        }
        let key = self.graph().key();
        let is_missing = |record: &VariableRecord| !self.inner.state.is_initialized(record.node);
        let records = self.graph().read().variables().to_vec();
        let missing = records.into_iter().filter(is_missing);
        let mut missing: Vec<Initialized> =
            missing.filter_map(|record| Some((record.node, record.initializer()?))).collect();
        while !missing.is_empty() {
            let (ready, waiting) = split_ready(&self.graph().read(), missing);
            let initializer = |&(_, initializer): &Initialized| {
                Operation::from(OperationRef::new(key, Referent::Node(initializer)))
            };
            self.run(ready.iter().map(initializer).collect::<Vec<_>>())?;
            missing = waiting;
        }
        Ok(())
    }

    /// Explains what a run of `fetches`, fed `feeds`, would do.
    ///
    /// # Errors
    /// [`RunError`], if the run would fail whatever values were fed.
    pub fn explain<F: Fetch>(&self, fetches: F, feeds: &[Tensor]) -> Result<Explanation, RunError> {
        self.inner.explain(fetches, feeds)
    }

    /// Makes this the session of [`Tensor::eval`](crate::Evaluate::eval) and
    /// [`Operation::run`](crate::RunOperation::run) on this thread, until the guard is dropped.
    pub fn as_default(&self) -> DefaultSession {
        DEFAULTS.with_borrow_mut(|sessions| sessions.push(Arc::clone(&self.inner)));
        DefaultSession { inner: Arc::clone(&self.inner), _of_this_thread: PhantomData }
    }

    /// Closes the session: its values are dropped, and running it is an error.
    ///
    /// A run that closes its own session still finishes normally.
    pub fn close(&self) {
        self.inner.close();
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?})", self.graph())
    }
}

/// A guard, returned by [`Session::as_default`]: while it lives, tensors and operations on this
/// thread run in that session.
#[must_use = "the session is the default only as long as the guard lives"]
pub struct DefaultSession {
    inner: Arc<Inner>,
    _of_this_thread: PhantomData<*const ()>,
}

impl Drop for DefaultSession {
    fn drop(&mut self) {
        DEFAULTS.with_borrow_mut(|sessions| {
            if let Some(last) = sessions.iter().rposition(|s| Arc::ptr_eq(s, &self.inner)) {
                sessions.remove(last);
            }
        });
    }
}

/// Computes something in the session that is the default of this thread.
pub(crate) fn run_in_default<F: Fetch>(fetches: F, feeds: Feeds) -> Result<F::Output, RunError> {
    let session = DEFAULTS.with_borrow(|sessions| sessions.last().cloned());
    session.ok_or(RunError::NoSession)?.run_with(fetches, feeds)
}

/// A variable and its initializer.
type Initialized = (NodeId, NodeId);

/// The variables whose initial values depend on none of `missing`, and the others. If all depend on
/// others, returns all: the run reports the error.
fn split_ready(
    graph: &GraphReader<'_>,
    missing: Vec<Initialized>,
) -> (Vec<Initialized>, Vec<Initialized>) {
    let nodes: FxHashSet<NodeId> = missing.iter().map(|(variable, _)| *variable).collect();
    let (ready, waiting): (Vec<_>, Vec<_>) = missing.into_iter().partition(|(_, initializer)| {
        let flows = |kind: EdgeKind, _: TensorId| kind != EdgeKind::Target;
        let ancestors = graph.ancestors([*initializer], flows);
        !ancestors.iter().any(|id| nodes.contains(id))
    });
    if ready.is_empty() { (waiting, ready) } else { (ready, waiting) }
}
