use std::hash::Hash;
use std::sync::PoisonError;

use rustc_hash::FxHashMap;

use crate::sync::{Arc, AtomicU64, Ordering, RwLock};

/// Plans by their keys. If there are too many, the least recently used one is dropped.
pub(crate) struct PlanCache<K, P> {
    plans: RwLock<FxHashMap<K, Entry<P>>>,
    capacity: usize,
    clock: AtomicU64,
}

struct Entry<P> {
    plan: Arc<P>,
    last_use: AtomicU64,
}

impl<K: Hash + Eq + Clone, P> PlanCache<K, P> {
    pub(crate) fn new(capacity: usize) -> Self {
        PlanCache { plans: RwLock::default(), capacity, clock: AtomicU64::new(0) }
    }

    pub(crate) fn get(&self, key: &K) -> Option<Arc<P>> {
        let plans = self.plans.read().unwrap_or_else(PoisonError::into_inner);
        let entry = plans.get(key)?;
        entry.last_use.store(self.tick(), Ordering::Relaxed);
        Some(Arc::clone(&entry.plan))
    }

    /// Adds a plan, unless another thread was faster; returns the one that stays.
    pub(crate) fn insert(&self, key: K, plan: P) -> Arc<P> {
        let mut plans = self.plans.write().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= self.capacity && !plans.contains_key(&key) {
            let last_use = |entry: &Entry<P>| entry.last_use.load(Ordering::Relaxed);
            let oldest = plans.iter().min_by_key(|(_, entry)| last_use(entry));
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                plans.remove(&oldest);
            }
        }
        let entry = plans.entry(key).or_insert_with(|| Entry {
            plan: Arc::new(plan),
            last_use: AtomicU64::new(self.tick()),
        });
        Arc::clone(&entry.plan)
    }

    pub(crate) fn remove(&self, key: &K) {
        self.plans.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// All plans, in no particular order.
    pub(crate) fn all(&self) -> Vec<Arc<P>> {
        let plans = self.plans.read().unwrap_or_else(PoisonError::into_inner);
        plans.values().map(|entry| Arc::clone(&entry.plan)).collect()
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }
}
