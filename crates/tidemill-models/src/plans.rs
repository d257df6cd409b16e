//! Models of the cache of plans: all threads get the same plan for a signature, and the number of
//! kept plans stays within the limit.

use loom::thread;

use crate::cache::PlanCache;
use crate::explore;
use crate::sync::Arc;

#[test]
fn threads_that_plan_at_once_get_one_plan() {
    explore(1, || {
        let cache = Arc::new(PlanCache::new(2));
        let other = Arc::clone(&cache);
        let plan = |cache: &PlanCache<u32, u32>, plan| {
            cache.get(&7).unwrap_or_else(|| cache.insert(7, plan))
        };
        let thread = thread::spawn(move || *plan(&other, 1));
        let own = *plan(&cache, 2);
        assert_eq!(thread.join().unwrap(), own);
        assert_eq!(cache.get(&7).map(|plan| *plan), Some(own));
        assert_eq!(cache.all().len(), 1);
    });
}

#[test]
fn a_plan_that_makes_room_stays_valid_for_those_who_have_it() {
    explore(1, || {
        let cache = Arc::new(PlanCache::new(1));
        let other = Arc::clone(&cache);
        let thread = thread::spawn(move || *other.insert(1, 10));
        let own = cache.insert(2, 20);
        assert_eq!(thread.join().unwrap(), 10);
        assert_eq!(*own, 20);
        assert!(cache.get(&1).is_none() || cache.get(&2).is_none());
        assert_eq!(cache.all().len(), 1);
    });
}

#[test]
fn a_plan_that_is_removed_stays_valid_for_those_who_have_it() {
    explore(1, || {
        let cache = Arc::new(PlanCache::new(2));
        let old = cache.insert(7, 1);
        let other = Arc::clone(&cache);
        let thread = thread::spawn(move || {
            other.remove(&7);
            *other.insert(7, 2)
        });
        let seen = cache.get(&7).map(|plan| *plan);
        assert!(matches!(seen, None | Some(1 | 2)));
        assert_eq!((thread.join().unwrap(), *old), (2, 1));
        assert_eq!(cache.get(&7).map(|plan| *plan), Some(2));
    });
}
