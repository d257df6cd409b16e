use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustc_hash::FxHashSet;
use smallvec::{SmallVec, smallvec};
use tidemill_graph::{
    EdgeKind, Graph, GraphReader, Host, NodeId, OperationRef, Referent, TensorId, TensorRef,
    VariableRecord, default_graph,
};
use tidemill_kernels::pool;
use tidemill_ops::{Operation, Tensor};
use tidemill_rewrite::Rewrite;
use tidemill_value::{Value, copied_bytes};

use crate::cache::PlanCache;
use crate::callable::Callable;
use crate::error::{FeedErrorKind, RunError};
use crate::executor::{self, BoundPlan, Failure, Missing, RunCx, Starts};
use crate::explain::Explanation;
use crate::feeds::{Feeder, Feeds};
use crate::fetch::{Fetch, FetchList};
use crate::growth::Growth;
use crate::lint::{Onlookers, Overwriting};
use crate::options::{Rewriting, Run, RunOptions, RunStats, SessionOptions, Sink};
use crate::plan::{Mode, Plan};
use crate::request::{Request, resolve};
use crate::schedule::Writes;
use crate::signature::Signature;
use crate::state::State;
use crate::trace::RunTrace;
use crate::watch::{Unwatched, Watch, Watcher};
use crate::{lint, memory, prepare, report};

/// Runs a graph and holds the values of its variables.
///
/// A session can be created before or after the nodes it runs. Several sessions of one graph have
/// separate values. Threads can share a session. It keeps its graph alive.
///
/// A run computes only what its fetches need, each node at most once, as if one after the other in
/// creation order. A tensor that reads a variable gives its value from before the run, unless it
/// depends on a node that writes the variable. A run that fails changes no variable.
pub struct Session {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    graph: Graph,
    pub(crate) state: State,
    plans: PlanCache<Signature, BoundPlan>,
    growth: Growth,
    overwriting: Overwriting,
    onlookers: Onlookers,
    options: SessionOptions,
    pub(crate) seed: AtomicU64,
    threads: usize,
    closed: AtomicBool,
}

/// More plans than this a session does not keep.
const PLANS: usize = 1024;

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
            state: State::default(),
            plans: PlanCache::new(PLANS),
            growth: Growth::default(),
            overwriting: Overwriting::default(),
            onlookers: Onlookers::default(),
            threads: options.threads.unwrap_or_else(pool::default_threads).max(1),
            options,
            seed: AtomicU64::new(seed),
            closed: AtomicBool::new(false),
        };
        let inner = Arc::new(inner);
        memory::register(&inner);
        Session { inner }
    }

    /// The graph that it runs.
    pub fn graph(&self) -> &Graph {
        &self.inner.graph
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
    /// [`RunError`]; no variable changes.
    pub fn run<F: Fetch>(&self, fetches: F) -> Result<F::Output, RunError> {
        self.run_with(fetches, Feeds::new())
    }

    /// Computes `fetches` and what they need, with the values of `feeds` in place of the fed
    /// tensors.
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
    /// [`RunError`]; no variable changes.
    pub fn run_with<F: Fetch>(&self, fetches: F, feeds: Feeds) -> Result<F::Output, RunError> {
        self.inner.run_with(fetches, feeds)
    }

    /// Computes `fetches` as [`run_with`](Session::run_with) does, with options: a time limit,
    /// cancellation from other threads, a check for NaN, a trace.
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
    /// [`RunError`]; no variable changes.
    pub fn run_with_options<F: Fetch>(
        &self,
        fetches: F,
        feeds: Feeds,
        options: &RunOptions,
    ) -> Result<Run<F::Output>, RunError> {
        self.inner.run_with_options(fetches, feeds, options)
    }

    /// Prepares a run that feeds `feeds` and fetches `fetches`.
    ///
    /// # Errors
    /// [`RunError`], if it would fail for any values.
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
    /// It takes one run, and another for variables whose initial values depend on variables of the
    /// run before. It adds nothing to the graph.
    ///
    /// # Errors
    /// [`RunError`]; variables initialized by earlier successful runs keep their values.
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

    /// Explains what a run with these fetches and feeds would do.
    ///
    /// # Errors
    /// [`RunError`], if it would fail for any values.
    pub fn explain<F: Fetch>(&self, fetches: F, feeds: &[Tensor]) -> Result<Explanation, RunError> {
        self.inner.explain(fetches, feeds)
    }

    /// Makes this the default session for [`Tensor::eval`](crate::Evaluate::eval) and
    /// [`Operation::run`](crate::RunOperation::run) on this thread, until the guard is dropped.
    pub fn as_default(&self) -> DefaultSession {
        DEFAULTS.with_borrow_mut(|sessions| sessions.push(Arc::clone(&self.inner)));
        DefaultSession { inner: Arc::clone(&self.inner), _of_this_thread: PhantomData }
    }

    /// Closes the session: it drops its values, and running it is an error from then on.
    ///
    /// A run that closes its own session still completes.
    pub fn close(&self) {
        self.inner.closed.store(true, Ordering::Release);
        if !self.inner.runs_on_this_thread() {
            self.inner.state.store.clear();
        }
        self.inner.warn_of_onlookers();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        memory::release(self);
        self.warn_of_onlookers();
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?})", self.graph())
    }
}

/// A guard: until it is dropped, the session that returned it is the default session on this
/// thread.
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

/// A variable, and what initializes it.
type Initialized = (NodeId, NodeId);

/// The variables whose initial values depend on none of `missing`, and the others. If all depend
/// on others, all of them: the run says what is wrong.
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

/// A seed that differs from one process to the next.
fn seed_from_system() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Marks a session as running on this thread.
pub(crate) struct Running;

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(SmallVec::pop);
    }
}

impl Inner {
    fn runs_on_this_thread(&self) -> bool {
        RUNNING.with_borrow(|running| running.contains(&std::ptr::from_ref(self)))
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The plans that it keeps.
    pub(crate) fn plans(&self) -> Vec<Arc<BoundPlan>> {
        self.plans.all()
    }

    fn warn_of_onlookers(&self) {
        let warnings = self.onlookers.warnings(&self.graph.read());
        self.warn(warnings);
    }

    /// Begins a run on this thread, which the guard ends.
    pub(crate) fn enter(&self) -> Result<Running, RunError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(RunError::Closed);
        }
        RUNNING.with_borrow_mut(|running| match running.contains(&std::ptr::from_ref(self)) {
            true => Err(RunError::Nested),
            false => {
                running.push(self);
                Ok(Running)
            }
        })
    }

    fn run_with<F: Fetch>(&self, fetches: F, feeds: Feeds) -> Result<F::Output, RunError> {
        let _running = self.enter()?;
        self.watch_growth();
        let Request { signature, order } = self.request(&fetches, &feeds)?;
        let bound = self.plan(&signature)?;
        let feed = |feeder: &mut Feeder<'_>| self.feed(&signature, &order, feeds, feeder);
        self.execute(&signature, &bound, feed, &fetches)
    }

    fn run_with_options<F: Fetch>(
        &self,
        fetches: F,
        feeds: Feeds,
        options: &RunOptions,
    ) -> Result<Run<F::Output>, RunError> {
        let _running = self.enter()?;
        self.watch_growth();
        let Request { signature, order } = self.request(&fetches, &feeds)?;
        let copied = feeds.copied;
        let feed = |feeder: &mut Feeder<'_>| self.feed(&signature, &order, feeds, feeder);
        let mut run = self.execute_watched(&signature, feed, &fetches, options)?;
        run.stats.bytes_copied += copied;
        Ok(run)
    }

    fn request<F: Fetch>(&self, fetches: &F, feeds: &Feeds) -> Result<Request, RunError> {
        let mut list = FetchList::default();
        fetches.list(&mut list);
        resolve(&self.graph, list, feeds)
    }

    fn request_for_tensors<F: Fetch>(
        &self,
        fetches: &F,
        feeds: &[Tensor],
    ) -> Result<Request, RunError> {
        let feeds = feeds.iter().fold(Feeds::new(), |feeds, &tensor| feeds.feed(tensor, 0));
        self.request(fetches, &feeds)
    }

    /// Puts given values in the places of the feeds of a signature. `order` says for each feed
    /// which value it has.
    fn feed(
        &self,
        signature: &Signature,
        order: &[u32],
        mut feeds: Feeds,
        feeder: &mut Feeder<'_>,
    ) -> Result<(), RunError> {
        for (i, &given) in order.iter().enumerate() {
            let given = &mut feeds.values[given as usize].1;
            let value = std::mem::replace(given, Ok(Value::from(false)));
            feeder.put(i, value).map_err(|kind| self.bad_feed(signature, i, kind))?;
        }
        Ok(())
    }

    /// Warns of a graph that grows from run to run.
    #[inline]
    fn watch_growth(&self) {
        self.warn(self.growth.check(&self.graph));
    }

    #[inline]
    fn warn(&self, warnings: impl IntoIterator<Item = String>) {
        warnings.into_iter().for_each(|warning| self.options.warn_to.print(&warning));
    }

    /// The plan of a signature: the one there is, or a new one. It stays valid while the graph
    /// grows, because nodes never change, unless a write is added that changes the shape of a variable.
    fn plan(&self, signature: &Signature) -> Result<Arc<BoundPlan>, RunError> {
        match self.plans.get(signature) {
            Some(bound) if self.allows_for_shapes(&bound) => return Ok(bound),
            Some(_) => self.plans.remove(signature),
            None => {}
        }
        let (plan, _) = self.prepare(signature)?;
        let early = {
            let graph = self.graph.read();
            self.onlookers.look(&graph, signature, &plan);
            lint::early_initializer(&graph, signature, &plan, &self.state)
        };
        self.warn(early);
        let bound = BoundPlan::new(plan, |node| self.state.cell(node));
        Ok(self.plans.insert(signature.clone(), bound))
    }

    /// Whether a plan was made when as many variables as now might not have their declared shapes.
    fn allows_for_shapes(&self, bound: &BoundPlan) -> bool {
        bound.plan.reshaped == self.graph.reshaped_variables()
    }

    fn prepare(&self, signature: &Signature) -> Result<(Plan, Vec<Rewrite>), RunError> {
        let rewriting = if signature.checked { Rewriting::Off } else { self.options.rewriting };
        let writes = if signature.checked { Writes::InTurn } else { Writes::Late };
        let mode = Mode { writes, regroups: rewriting == Rewriting::On, is_body: false };
        prepare::prepare(&self.graph, signature, rewriting, mode)
    }

    #[cold]
    pub(crate) fn bad_feed(
        &self,
        signature: &Signature,
        feed: usize,
        kind: FeedErrorKind,
    ) -> RunError {
        report::feed(&self.graph.read(), signature.feeds[feed], kind)
    }

    /// Runs a plan.
    pub(crate) fn execute<F: Fetch>(
        &self,
        signature: &Signature,
        bound: &BoundPlan,
        feed: impl FnOnce(&mut Feeder<'_>) -> Result<(), RunError>,
        fetches: &F,
    ) -> Result<F::Output, RunError> {
        let renewed;
        let bound = match self.allows_for_shapes(bound) {
            true => bound,
            false => {
                renewed = self.plan(signature)?;
                &renewed
            }
        };
        let result = self.run_plan(bound, feed, &mut Unwatched, fetches);
        result.unwrap_or_else(|failure| Err(self.report(signature, bound, failure)))
    }

    /// Runs a signature with options.
    pub(crate) fn execute_watched<F: Fetch>(
        &self,
        signature: &Signature,
        feed: impl FnOnce(&mut Feeder<'_>) -> Result<(), RunError>,
        fetches: &F,
        options: &RunOptions,
    ) -> Result<Run<F::Output>, RunError> {
        let copied = copied_bytes();
        let signature = Signature { checked: options.check_numerics, ..signature.clone() };
        let bound = self.plan(&signature)?;
        let mut watcher = Watcher::new(options);
        let result = self.run_plan(&bound, feed, &mut watcher, fetches);
        let output = result.unwrap_or_else(|failure| {
            Err(match failure {
                Failure::Interrupted => interrupted(options),
                failure => self.report(&signature, &bound, failure),
            })
        })?;
        let bytes_copied = copied_bytes().wrapping_sub(copied);
        let stats = RunStats { steps: watcher.steps, bytes_copied };
        let events = watcher.into_events();
        let trace = events.map(|events| RunTrace::new(&self.graph.read(), &bound.plan, &events));
        Ok(Run { output, stats, trace })
    }

    #[inline]
    fn run_plan<F: Fetch>(
        &self,
        bound: &BoundPlan,
        feed: impl FnOnce(&mut Feeder<'_>) -> Result<(), RunError>,
        watch: &mut impl Watch,
        fetches: &F,
    ) -> Result<Result<F::Output, RunError>, Failure> {
        let overwritten = self.overwriting.look(&bound.plan, &self.state);
        let host = SessionHost { sink: &self.options.print_to, state: &self.state };
        let threads = self.threads;
        let seed = self.seed.load(Ordering::Acquire);
        let starts = |plan: &Plan, missing: Missing| self.starts(plan, missing);
        let starts = &starts;
        let cx = RunCx { store: &self.state.store, host: &host, seed, threads, starts };
        let output = executor::run(&cx, bound, feed, watch, |fetched| fetches.assemble(fetched))?;
        if !overwritten.is_empty() {
            self.warn(self.overwriting.warn(&self.graph.read(), &overwritten));
        }
        let missing = RunError::Internal("a run returned fewer values than were fetched");
        Ok(output.ok_or(missing))
    }

    /// The values that variables of a plan start with.
    ///
    /// # Errors
    /// [`Failure::Uninitialized`], with those that do not start by themselves, and what fails a run
    /// that computes the values.
    #[cold]
    fn starts(&self, plan: &Plan, missing: Missing) -> Result<Starts, Failure> {
        let key = self.graph.key();
        let graph = self.graph.read();
        let start = |i: &usize| {
            let record = graph.variable(plan.variables[*i].usage.node)?;
            let (value, _) = record.start.filter(|_| record.self_starting)?;
            Some(Tensor::from(TensorRef::new(key, value)))
        };
        let values: Option<Vec<Tensor>> = missing.iter().map(start).collect();
        let Some(values) = values else {
            let others = missing.into_iter().filter(|i| start(i).is_none());
            return Err(Failure::Uninitialized(others.collect()));
        };
        drop(graph);
        let run = || {
            let Request { signature, .. } = self.request(&values, &Feeds::new())?;
            let bound = self.plan(&signature)?;
            self.execute(&signature, &bound, |_| Ok(()), &values)
        };
        let values = run().map_err(|error| Failure::Error(Box::new(error)))?;
        Ok(missing.into_iter().zip(values).collect())
    }

    fn report(&self, signature: &Signature, bound: &BoundPlan, failure: Failure) -> RunError {
        report::failure(&self.graph.read(), signature, &bound.plan, failure)
    }

    fn explain<F: Fetch>(&self, fetches: F, feeds: &[Tensor]) -> Result<Explanation, RunError> {
        let Request { signature, .. } = self.request_for_tensors(&fetches, feeds)?;
        let (plan, rewrites) = self.prepare(&signature)?;
        Ok(Explanation::new(&self.graph.read(), &plan, rewrites))
    }
}

/// Why a run with these options was interrupted.
fn interrupted(options: &RunOptions) -> RunError {
    match (&options.cancellation, options.timeout) {
        (Some(cancellation), _) if cancellation.is_requested() => RunError::Cancelled,
        (_, Some(timeout)) => RunError::Timeout { timeout },
        _ => RunError::Cancelled,
    }
}

/// What kernels may ask of a session.
struct SessionHost<'a> {
    sink: &'a Sink,
    state: &'a State,
}

impl Host for SessionHost<'_> {
    fn print(&self, line: &str) {
        self.sink.print(line);
    }

    fn count(&self, key: u64) -> u64 {
        self.state.count_print(key)
    }
}
