//! The shared core of sessions and callables.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use smallvec::SmallVec;
use tidemill_graph::{Graph, Host, TensorRef};
use tidemill_kernels::pool;
use tidemill_ops::Tensor;
use tidemill_rewrite::RewriteLog;
use tidemill_value::{Shape, Value, copied_bytes};

use crate::lower::signature::Signature;
use crate::plan::compile::Mode;
use crate::plan::schedule::Writes;
use crate::plan::step::Plan;
use crate::report::error::{FeedErrorKind, RunError};
use crate::report::explain::Explanation;
use crate::report::lint::{self, Onlookers, Overwriting};
use crate::report::{describe, trace::RunTrace};
use crate::run::execute::{self, BoundPlan, RunCx, SharedMemory, Starts};
use crate::run::failure::{Failure, Missing};
use crate::run::watch::{Unwatched, Watch, Watcher};
use crate::session::cache::PlanCache;
use crate::session::feeder::Feeder;
use crate::session::feeds::Feeds;
use crate::session::fetch::{Fetch, FetchList};
use crate::session::growth::Growth;
use crate::session::options::{Rewriting, Run, RunOptions, RunStats, SessionOptions, Sink};
use crate::session::prepare::prepare;
use crate::session::request::{Request, resolve};
use crate::session::shaped::{Fed, Planned, Sight};
use crate::session::state::State;

/// The sessions that are alive, by their addresses.
static SESSIONS: Mutex<BTreeMap<usize, Weak<Inner>>> = Mutex::new(BTreeMap::new());

fn sessions() -> MutexGuard<'static, BTreeMap<usize, Weak<Inner>>> {
    SESSIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sessions that are alive.
pub(crate) fn alive() -> Vec<Arc<Inner>> {
    sessions().values().filter_map(Weak::upgrade).collect()
}

thread_local! {
    static RUNNING: RefCell<SmallVec<[*const Inner; 2]>> = const {
        RefCell::new(SmallVec::new_const())
    };
}

pub(crate) struct Inner {
    graph: Graph,
    pub(crate) state: State,
    plans: PlanCache<Signature, Planned>,
    growth: Growth,
    overwriting: Overwriting,
    onlookers: Onlookers,
    options: SessionOptions,
    pub(crate) seed: AtomicU64,
    threads: usize,
    closed: AtomicBool,
}

/// The most plans that a session keeps.
const PLANS: usize = 1024;

/// A seed that differs from one process to the next.
fn seed_from_system() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl Drop for Inner {
    fn drop(&mut self) {
        sessions().remove(&std::ptr::from_ref(self).addr());
        self.warn_of_onlookers();
    }
}

/// Marks a session as running on this thread.
pub(crate) struct Running;

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(SmallVec::pop);
    }
}

impl Inner {
    pub(crate) fn new(graph: &Graph, options: SessionOptions) -> Arc<Inner> {
        let seed = options.seed.unwrap_or_else(seed_from_system);
        let inner = Arc::new(Inner {
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
        });
        sessions().insert(Arc::as_ptr(&inner).addr(), Arc::downgrade(&inner));
        inner
    }

    /// Drops its values, and refuses further runs. A run that is under way on this thread finishes
    /// normally.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if !self.runs_on_this_thread() {
            self.state.store.clear();
        }
        self.warn_of_onlookers();
    }

    pub(crate) fn runs_on_this_thread(&self) -> bool {
        RUNNING.with_borrow(|running| running.contains(&std::ptr::from_ref(self)))
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The plans that it keeps.
    pub(crate) fn plans(&self) -> Vec<Arc<Planned>> {
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

    pub(crate) fn run_with<F: Fetch>(
        &self,
        fetches: F,
        feeds: Feeds,
    ) -> Result<F::Output, RunError> {
        let _running = self.enter()?;
        self.watch_growth();
        let Request { signature, order } = self.request(&fetches, &feeds)?;
        let bound = self.plan(&signature)?;
        let feed = |feeder: &mut Feeder<'_>| self.feed(&signature, &order, feeds, feeder);
        self.execute(&signature, &bound, feed, &fetches)
    }

    pub(crate) fn run_with_options<F: Fetch>(
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

    pub(crate) fn request_for_tensors<F: Fetch>(
        &self,
        fetches: &F,
        feeds: &[Tensor],
    ) -> Result<Request, RunError> {
        let feeds = feeds.iter().fold(Feeds::new(), |feeds, &tensor| feeds.feed(tensor, 0));
        self.request(fetches, &feeds)
    }

    /// Puts given values in the places of the feeds of a signature. `order` gives the number of the
    /// value of each feed.
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

    /// Warns about a graph that grows from run to run.
    #[inline]
    fn watch_growth(&self) {
        self.warn(self.growth.check(&self.graph));
    }

    #[inline]
    fn warn(&self, warnings: impl IntoIterator<Item = String>) {
        warnings.into_iter().for_each(|warning| self.options.warn_to.print(&warning));
    }

    /// The plan of a signature: the cached one, or a new one. It stays valid while the graph grows,
    /// because nodes never change, unless a write is added that changes the shape of a variable.
    pub(crate) fn plan(&self, signature: &Signature) -> Result<Arc<Planned>, RunError> {
        match self.plans.get(signature) {
            Some(planned) if self.allows_for_shapes(&planned.bound) => return Ok(planned),
            Some(_) => self.plans.remove(signature),
            None => {}
        }
        let plan = self.prepare(signature, None, RewriteLog::counting())?;
        let early = {
            let graph = self.graph.read();
            self.onlookers.look(&graph, signature, &plan);
            lint::early_initializer(&graph, signature, &plan, &self.state)
        };
        self.warn(early);
        let is_open = self.rewriting(signature) == Rewriting::On && Planned::is_open(&plan);
        let shared = is_open.then(SharedMemory::default);
        let planned = Planned::new(self.bind(plan, shared));
        Ok(self.plans.insert(signature.clone(), planned))
    }

    fn bind(&self, plan: Plan, shared: Option<SharedMemory>) -> BoundPlan {
        BoundPlan::new(plan, shared, |node| self.state.cell(node))
    }

    /// The plan for the shapes that are fed, if one has been made or they are fed again.
    fn specialize<F>(
        &self,
        signature: &Signature,
        planned: &Planned,
        fed: &mut Fed<F>,
    ) -> Result<Option<Arc<BoundPlan>>, RunError>
    where
        F: FnOnce(&mut Feeder<'_>) -> Result<(), RunError>,
    {
        let Some(shaped) = &planned.shaped else { return Ok(None) };
        let shapes = fed.stage(shaped)?;
        Ok(match shaped.look(&shapes) {
            Sight::First => None,
            Sight::Planned(bound) => Some(bound),
            Sight::Again => {
                let mut plan = self.prepare(signature, Some(&shapes), RewriteLog::counting())?;
                for other in planned.shaped_plans() {
                    plan.share_constants(&other.plan);
                }
                Some(shaped.insert(shapes, self.bind(plan, planned.bound.shared.clone())))
            }
        })
    }

    /// True if a plan allows for as many variables with other shapes as there may be now.
    fn allows_for_shapes(&self, bound: &BoundPlan) -> bool {
        bound.plan.reshaped == self.graph.reshaped_variables()
    }

    fn rewriting(&self, signature: &Signature) -> Rewriting {
        if signature.checked { Rewriting::Off } else { self.options.rewriting }
    }

    /// Makes a plan, for the shapes `fed` alone if they are given.
    fn prepare(
        &self,
        signature: &Signature,
        fed: Option<&[Shape]>,
        log: RewriteLog,
    ) -> Result<Plan, RunError> {
        let rewriting = self.rewriting(signature);
        let writes = if signature.checked { Writes::InTurn } else { Writes::Late };
        let mode = Mode { writes, regroups: rewriting == Rewriting::On, is_body: false };
        prepare(&self.graph, signature, fed, rewriting, mode, log)
    }

    #[cold]
    pub(crate) fn bad_feed(
        &self,
        signature: &Signature,
        feed: usize,
        kind: FeedErrorKind,
    ) -> RunError {
        describe::feed(&self.graph.read(), signature.feeds[feed], kind)
    }

    /// Runs a plan.
    pub(crate) fn execute<F: Fetch>(
        &self,
        signature: &Signature,
        planned: &Planned,
        feed: impl FnOnce(&mut Feeder<'_>) -> Result<(), RunError>,
        fetches: &F,
    ) -> Result<F::Output, RunError> {
        let renewed;
        let planned = match self.allows_for_shapes(&planned.bound) {
            true => planned,
            false => {
                renewed = self.plan(signature)?;
                &renewed
            }
        };
        let mut fed = Fed::by(feed);
        let shaped = self.specialize(signature, planned, &mut fed)?;
        let bound = shaped.as_deref().unwrap_or(&planned.bound);
        let feed = |feeder: &mut Feeder<'_>| fed.put(feeder);
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
        let signature = match options.force_targets {
            true => signature.with_outputs_of_targets(&self.graph.read()),
            false => signature,
        };
        let planned = self.plan(&signature)?;
        let mut fed = Fed::by(feed);
        let shaped = self.specialize(&signature, &planned, &mut fed)?;
        let bound = shaped.as_deref().unwrap_or(&planned.bound);
        let mut watcher = Watcher::new(options);
        let feed = |feeder: &mut Feeder<'_>| fed.put(feeder);
        let result = self.run_plan(bound, feed, &mut watcher, fetches);
        let output = result.unwrap_or_else(|failure| {
            Err(match failure {
                Failure::Interrupted => interrupted(options),
                failure => self.report(&signature, bound, failure),
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
        let output = execute::run(&cx, bound, feed, watch, |fetched| fetches.assemble(fetched))?;
        if !overwritten.is_empty() {
            self.warn(self.overwriting.warn(&self.graph.read(), &overwritten));
        }
        let missing = RunError::Internal("a run returned fewer values than were fetched");
        Ok(output.ok_or(missing))
    }

    /// The initial values of variables of a plan.
    ///
    /// # Errors
    /// [`Failure::Uninitialized`] for those that are not self-starting, and the failures of the run
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
        describe::failure(&self.graph.read(), signature, &bound.plan, failure)
    }

    pub(crate) fn explain<F: Fetch>(
        &self,
        fetches: F,
        feeds: &[Tensor],
    ) -> Result<Explanation, RunError> {
        let Request { signature, .. } = self.request_for_tensors(&fetches, feeds)?;
        let plan = self.prepare(&signature, None, RewriteLog::detailed())?;
        Ok(Explanation::new(&self.graph.read(), &plan))
    }
}

/// The error of a run with these options that was interrupted.
fn interrupted(options: &RunOptions) -> RunError {
    match (&options.cancellation, options.timeout) {
        (Some(cancellation), _) if cancellation.is_requested() => RunError::Cancelled,
        (_, Some(timeout)) => RunError::Timeout { timeout },
        _ => RunError::Cancelled,
    }
}

/// The services of a session that kernels may use.
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
