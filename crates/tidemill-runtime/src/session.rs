use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustc_hash::FxHashSet;
use smallvec::SmallVec;
use tidemill_graph::{
    EdgeKind, Graph, GraphReader, Host, NodeId, OperationRef, Referent, TensorId, VariableRecord,
    default_graph,
};
use tidemill_ops::{Operation, Tensor};
use tidemill_value::Value;

use crate::cache::PlanCache;
use crate::error::RunError;
use crate::executor::{self, BoundPlan, Failure};
use crate::explain::Explanation;
use crate::feeds::Feeds;
use crate::fetch::{Fetch, FetchList, Fetched};
use crate::options::{SessionOptions, Sink};
use crate::request::{Request, resolve};
use crate::signature::Signature;
use crate::store::Store;
use crate::{prepare, report};

/// Runs a graph, and holds the values of its variables.
///
/// A session can be made before or after the nodes it runs. Several sessions of one graph have
/// their own values. A session can be shared by threads. It keeps its graph alive.
///
/// What a run promises: it computes what its fetches need and nothing else, each node at most
/// once, as if one after the other in the order in which they were made. A tensor that reads a
/// variable has the value from before the run, unless it depends on a node that writes it. A run
/// that fails changes no variable.
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    graph: Graph,
    store: Store,
    plans: PlanCache,
    options: SessionOptions,
    seed: u64,
    closed: AtomicBool,
}

thread_local! {
    static DEFAULTS: RefCell<Vec<Arc<Inner>>> = const { RefCell::new(Vec::new()) };
    static RUNNING: RefCell<SmallVec<[*const Inner; 2]>> = const {
        RefCell::new(SmallVec::new_const())
    };
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
        let seed = options.seed.unwrap_or_else(seed_from_system);
        let inner = Inner {
            graph: graph.clone(),
            store: Store::default(),
            plans: PlanCache::default(),
            options,
            seed,
            closed: AtomicBool::new(false),
        };
        Session { inner: Arc::new(inner) }
    }

    /// The graph it runs.
    pub fn graph(&self) -> &Graph {
        &self.inner.graph
    }

    /// The seed of random operations that have none, of their own or of the graph.
    pub fn seed(&self) -> u64 {
        self.inner.seed
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

    /// Computes `fetches` and what they need, with values from `feeds` in place of tensors.
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

    /// Initializes the variables that have no value, and no others.
    ///
    /// It takes one run, and another one for variables whose initial values depend on those of
    /// the run before. It adds nothing to the graph.
    ///
    /// # Errors
    /// [`RunError`]: what runs before the one that failed have initialized keeps its value.
    pub fn init_missing(&self) -> Result<(), RunError> {
        if self.inner.runs_on_this_thread() {
            return Err(RunError::Nested);
        }
        let key = self.graph().key();
        let is_missing = |record: &VariableRecord| !self.inner.store.is_initialized(record.node);
        let records = self.graph().read().variables().to_vec();
        let mut missing: Vec<VariableRecord> = records.into_iter().filter(is_missing).collect();
        while !missing.is_empty() {
            let (ready, waiting) = split_ready(&self.graph().read(), missing);
            let initializer = |record: &VariableRecord| {
                Operation::from(OperationRef::new(key, Referent::Node(record.initializer)))
            };
            self.run(ready.iter().map(initializer).collect::<Vec<_>>())?;
            missing = waiting;
        }
        Ok(())
    }

    /// What a run of `fetches`, fed `feeds`, would do.
    ///
    /// # Errors
    /// [`RunError`], where it could not run whatever the values.
    pub fn explain<F: Fetch>(&self, fetches: F, feeds: &[Tensor]) -> Result<Explanation, RunError> {
        self.inner.explain(fetches, feeds)
    }

    /// Makes this the session of [`Tensor::eval`](crate::Evaluate::eval) and
    /// [`Operation::run`](crate::RunOperation::run) on this thread, until the guard is dropped.
    pub fn as_default(&self) -> DefaultSession {
        DEFAULTS.with_borrow_mut(|sessions| sessions.push(Arc::clone(&self.inner)));
        DefaultSession { inner: Arc::clone(&self.inner), _of_this_thread: PhantomData }
    }

    /// Closes the session: its values are gone, and running it is an error.
    ///
    /// A run that closes its own session still ends as it would have.
    pub fn close(&self) {
        self.inner.closed.store(true, Ordering::Release);
        if !self.inner.runs_on_this_thread() {
            self.inner.store.clear();
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?})", self.graph())
    }
}

/// While it lives, tensors and operations run in the session that gave it, on this thread.
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

/// The variables whose initial values depend on none of `missing`, and the others. If all depend
/// on others, all of them: the run says what is wrong.
fn split_ready(
    graph: &GraphReader<'_>,
    missing: Vec<VariableRecord>,
) -> (Vec<VariableRecord>, Vec<VariableRecord>) {
    let nodes: FxHashSet<NodeId> = missing.iter().map(|record| record.node).collect();
    let (ready, waiting): (Vec<_>, Vec<_>) = missing.into_iter().partition(|record| {
        let flows = |kind: EdgeKind, _: TensorId| kind != EdgeKind::Target;
        let ancestors = graph.ancestors([record.initializer], flows);
        !ancestors.iter().any(|id| nodes.contains(id))
    });
    if ready.is_empty() { (waiting, ready) } else { (ready, waiting) }
}

/// A seed that differs from one process to the next.
fn seed_from_system() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Marks a session as running on this thread.
struct Running;

impl Running {
    fn enter(inner: &Inner) -> Result<Self, RunError> {
        if inner.runs_on_this_thread() {
            return Err(RunError::Nested);
        }
        RUNNING.with_borrow_mut(|running| running.push(inner));
        Ok(Running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(SmallVec::pop);
    }
}

impl Inner {
    fn runs_on_this_thread(&self) -> bool {
        RUNNING.with_borrow(|running| running.contains(&std::ptr::from_ref(self)))
    }

    fn run_with<F: Fetch>(&self, fetches: F, feeds: Feeds) -> Result<F::Output, RunError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(RunError::Closed);
        }
        let _running = Running::enter(self)?;
        let mut list = FetchList::default();
        fetches.list(&mut list);
        let Request { signature, values } = resolve(&self.graph, list, feeds)?;
        let bound = self.plan(&signature)?;
        let values = self.check_feeds(&signature, &bound, values)?;
        let host = SessionHost { sink: &self.options.print_to, store: &self.store };
        let results = executor::run(&bound, values, &host, self.seed)
            .map_err(|failure| self.report(&signature, &bound, failure))?;
        let output = fetches.assemble(&mut Fetched(results.into_iter()));
        output.ok_or(RunError::Internal("a run returned fewer values than were fetched"))
    }

    /// The plan of a signature: the one there is, or a new one. It stays valid while the graph
    /// grows, because nodes never change.
    fn plan(&self, signature: &Signature) -> Result<Arc<BoundPlan>, RunError> {
        if let Some(plan) = self.plans.get(signature) {
            return Ok(plan);
        }
        let (plan, _) = prepare::prepare(&self.graph, signature, self.options.rewriting)?;
        let cells = plan.variables.iter().map(|v| self.store.cell(v.usage.node)).collect();
        let counters = plan.random.iter().map(|&node| self.store.counter(node)).collect();
        let bound = Arc::new(BoundPlan { plan, cells, counters });
        self.plans.insert(signature.clone(), Arc::clone(&bound));
        Ok(bound)
    }

    fn check_feeds(
        &self,
        signature: &Signature,
        bound: &BoundPlan,
        values: SmallVec<[Value; 4]>,
    ) -> Result<SmallVec<[Value; 4]>, RunError> {
        let feeds = values.into_iter().zip(&bound.plan.feeds).zip(&signature.feeds);
        feeds
            .map(|((value, feed), &tensor)| {
                let fitted = crate::request::fit(value, &feed.fact);
                fitted.map_err(|kind| report::feed(&self.graph.read(), tensor, kind))
            })
            .collect()
    }

    fn report(&self, signature: &Signature, bound: &BoundPlan, failure: Failure) -> RunError {
        let graph = self.graph.read();
        match failure {
            Failure::Uninitialized(missing) => {
                let variables = missing.into_iter().filter_map(|i| {
                    let usage = &bound.plan.variables[i].usage;
                    Some((usage.node, usage.first_reader?))
                });
                report::uninitialized(&graph, signature, &variables.collect::<Vec<_>>())
            }
            Failure::Kernel { node, source } => {
                RunError::Kernel(report::failed_node(&graph, node, source))
            }
        }
    }

    fn explain<F: Fetch>(&self, fetches: F, feeds: &[Tensor]) -> Result<Explanation, RunError> {
        let mut list = FetchList::default();
        fetches.list(&mut list);
        let feeds = feeds.iter().fold(Feeds::new(), |feeds, &tensor| feeds.feed(tensor, 0));
        let Request { signature, .. } = resolve(&self.graph, list, feeds)?;
        let (plan, rewrites) = prepare::prepare(&self.graph, &signature, self.options.rewriting)?;
        Ok(Explanation::new(&self.graph.read(), &plan, rewrites))
    }
}

/// What kernels may ask of a session.
struct SessionHost<'a> {
    sink: &'a Sink,
    store: &'a Store,
}

impl Host for SessionHost<'_> {
    fn print(&self, line: &str) {
        self.sink.print(line);
    }

    fn count(&self, node: NodeId) -> u64 {
        self.store.count_print(node)
    }
}
