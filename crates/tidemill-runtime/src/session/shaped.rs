//! Plans for the shapes that are fed.
//!
//! A plan of a signature allows for all shapes that its feeds may have. When the same shapes are fed
//! again, a plan for them alone is made: it is known then which nodes cannot fail, and more can be
//! rewritten. Both compute the same bits.

use std::collections::VecDeque;
use std::sync::PoisonError;

use smallvec::SmallVec;
use tidemill_value::{Shape, Value};

use crate::plan::step::{Feed, Plan};
use crate::run::execute::BoundPlan;
use crate::session::cache::PlanCache;
use crate::session::feeder::Feeder;
use crate::sync::{Arc, Mutex};

/// The most plans for shapes of one signature.
const PLANS: usize = 16;
/// The most shapes to remember that were fed once.
const SEEN: usize = 64;

/// The plan of a signature, and those for the shapes of its feeds.
pub(crate) struct Planned {
    pub(crate) bound: BoundPlan,
    /// `None` if the shapes of all feeds are known.
    pub(crate) shaped: Option<ShapedPlans>,
}

/// The shapes of all feeds of a signature.
pub(crate) type FedShapes = SmallVec<[Shape; 2]>;

/// The values of all feeds of a signature, checked.
type FedValues = SmallVec<[Option<Value>; 4]>;

pub(crate) struct ShapedPlans {
    plans: PlanCache<FedShapes, BoundPlan>,
    /// The shapes that were fed once, the last ones at the end.
    seen: Mutex<VecDeque<FedShapes>>,
    /// Places for the values of the feeds, in order.
    places: Vec<Feed>,
}

/// Whether shapes were fed before, and the plan for them.
pub(crate) enum Sight {
    First,
    Again,
    Planned(Arc<BoundPlan>),
}

impl Planned {
    /// The plan of a signature. There can be others for shapes if it shares its memory with them.
    pub(crate) fn new(bound: BoundPlan) -> Self {
        let shaped = bound.shared.as_ref().map(|_| ShapedPlans::of(&bound.plan));
        Planned { bound, shaped }
    }

    /// Whether the graph leaves the shape of a feed of a plan open.
    pub(crate) fn is_open(plan: &Plan) -> bool {
        plan.feeds.iter().any(|feed| !feed.fact.shape.is_known())
    }

    /// Its plans for shapes.
    pub(crate) fn shaped_plans(&self) -> Vec<Arc<BoundPlan>> {
        self.shaped.as_ref().map_or_else(Vec::new, |shaped| shaped.plans.all())
    }
}

impl ShapedPlans {
    fn of(plan: &Plan) -> Self {
        let feeds = plan.feeds.iter().zip(0..);
        let places = feeds.map(|(feed, slot)| Feed { fact: feed.fact.clone(), slot: Some(slot) });
        let places = places.collect();
        ShapedPlans { plans: PlanCache::new(PLANS), seen: Mutex::default(), places }
    }

    /// Looks for the plan for these shapes, and remembers that they were fed.
    pub(crate) fn look(&self, shapes: &FedShapes) -> Sight {
        if let Some(plan) = self.plans.get(shapes) {
            return Sight::Planned(plan);
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.iter().position(|fed| fed == shapes) {
            Some(i) => {
                seen.remove(i);
                Sight::Again
            }
            None => {
                if seen.len() == SEEN {
                    seen.pop_front();
                }
                seen.push_back(shapes.clone());
                Sight::First
            }
        }
    }

    pub(crate) fn insert(&self, shapes: FedShapes, plan: BoundPlan) -> Arc<BoundPlan> {
        self.plans.insert(shapes, plan)
    }
}

/// The feeds of a run: a function that puts the values in their places, or, once it has run, the
/// values.
pub(crate) struct Fed<F> {
    by: Option<F>,
    values: FedValues,
}

impl<F> Fed<F> {
    pub(crate) fn by(feed: F) -> Self {
        Fed { by: Some(feed), values: FedValues::new() }
    }

    /// Fetches the values for a signature with these plans, and returns their shapes.
    pub(crate) fn stage<E>(&mut self, shaped: &ShapedPlans) -> Result<FedShapes, E>
    where
        F: FnOnce(&mut Feeder<'_>) -> Result<(), E>,
    {
        self.values.resize(shaped.places.len(), None);
        if let Some(feed) = self.by.take() {
            feed(&mut Feeder { feeds: &shaped.places, slots: &mut self.values })?;
        }
        let scalar = Shape::scalar();
        let shape = |value: &Option<Value>| value.as_ref().map_or(&scalar, Value::shape).clone();
        Ok(self.values.iter().map(shape).collect())
    }

    /// Puts the values in their places.
    #[inline]
    pub(crate) fn put<E>(&mut self, feeder: &mut Feeder<'_>) -> Result<(), E>
    where
        F: FnOnce(&mut Feeder<'_>) -> Result<(), E>,
    {
        if let Some(feed) = self.by.take() {
            return feed(feeder);
        }
        for (i, value) in self.values.iter_mut().enumerate() {
            feeder.place(i, value.take());
        }
        Ok(())
    }
}
