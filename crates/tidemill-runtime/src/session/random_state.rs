use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use tidemill_value::Value;

use crate::report::error::RunError;
use crate::run::store::Use;
use crate::session::handle::Session;

/// The state of a session's random number generation. A session that is given the state of another
/// session of the same graph draws the numbers that the other would have drawn next.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RandomState {
    /// The seed of random operations that have neither a seed of their own nor one from the graph.
    pub seed: u64,
    /// How often each random operation has run in the session, by name. An operation is random if
    /// it or its bodies draw random numbers. Operations that have not run are omitted.
    pub draws: BTreeMap<String, u64>,
}

impl Session {
    /// The seed of the session, and how often random operations have run in it.
    ///
    /// ```
    /// use tidemill_ops::random_integers;
    /// use tidemill_runtime::Session;
    /// let dice = random_integers([2], 1, 7, None);
    /// let (first, second) = (Session::new(), Session::new());
    /// first.run(dice)?;
    /// second.set_random_state(&first.random_state())?;
    /// assert_eq!(first.run(dice)?, second.run(dice)?);
    /// # Ok::<(), tidemill_runtime::RunError>(())
    /// ```
    pub fn random_state(&self) -> RandomState {
        let cells = self.random_cells();
        let uses: Vec<Use> = cells.iter().map(|&(_, cell)| Use { cell, written: false }).collect();
        let mut draws = BTreeMap::new();
        let take = |i: usize, count: Option<&Value>| {
            let count: u64 = count.and_then(Value::as_scalar).unwrap_or_default();
            if let Some((name, _)) = cells.get(i).filter(|_| count > 0) {
                draws.insert(name.clone(), count);
            }
        };
        // Nobody gives up, so this has taken them all.
        let _ = self.inner.state.store.begin(&uses, take, || false);
        RandomState { seed: self.seed(), draws }
    }

    /// Sets the session's seed and the run counts of its random operations: operations that `state`
    /// does not name get 0. Names of other operations have no effect.
    ///
    /// # Errors
    /// [`RunError`], if the session is closed or is running on this thread.
    pub fn set_random_state(&self, state: &RandomState) -> Result<(), RunError> {
        let _running = self.inner.enter()?;
        {
            let graph = self.graph().read();
            for id in state.draws.keys().filter_map(|name| graph.find(name)) {
                if graph.node(id).draws() {
                    self.inner.state.cell(id);
                }
            }
        }
        let cells = self.random_cells();
        let uses: Vec<Use> = cells.iter().map(|&(_, cell)| Use { cell, written: true }).collect();
        let held = self.inner.state.store.begin(&uses, |_, _| {}, || false);
        let held = held.ok_or(RunError::Internal("the counts of random draws are in use"))?;
        self.inner.seed.store(state.seed, Ordering::Release);
        held.commit(|i| {
            let (name, _) = cells.get(i)?;
            state.draws.get(name).map(|&count| Value::from(count))
        });
        Ok(())
    }

    /// The random operations that have cells, by their names.
    fn random_cells(&self) -> Vec<(String, u32)> {
        let cells = self.inner.state.cells();
        let graph = self.graph().read();
        let random = cells.into_iter().filter(|&(id, _)| graph.node(id).draws());
        random.map(|(id, cell)| (graph.name(id).to_owned(), cell)).collect()
    }
}
