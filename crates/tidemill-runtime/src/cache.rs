use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use crate::executor::BoundPlan;
use crate::signature::Signature;

/// More plans than this a session does not keep.
const CAPACITY: usize = 1024;

/// The plans of a session by signature. When it is full, the one unused for longest goes.
#[derive(Default)]
pub(crate) struct PlanCache {
    plans: RwLock<FxHashMap<Signature, Entry>>,
    clock: AtomicU64,
}

struct Entry {
    plan: Arc<BoundPlan>,
    last_use: AtomicU64,
}

impl PlanCache {
    pub(crate) fn get(&self, signature: &Signature) -> Option<Arc<BoundPlan>> {
        let plans = self.plans.read().unwrap_or_else(PoisonError::into_inner);
        let entry = plans.get(signature)?;
        entry.last_use.store(self.tick(), Ordering::Relaxed);
        Some(Arc::clone(&entry.plan))
    }

    pub(crate) fn insert(&self, signature: Signature, plan: Arc<BoundPlan>) {
        let mut plans = self.plans.write().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= CAPACITY {
            let oldest =
                plans.iter().min_by_key(|(_, entry)| entry.last_use.load(Ordering::Relaxed));
            if let Some(oldest) = oldest.map(|(signature, _)| signature.clone()) {
                plans.remove(&oldest);
            }
        }
        plans.insert(signature, Entry { plan, last_use: AtomicU64::new(self.tick()) });
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }
}
