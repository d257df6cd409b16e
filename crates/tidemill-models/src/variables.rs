//! Models of the store of variables: no write is lost, values read together were written together,
//! and no run waits for ever.

use loom::thread;

use crate::explore;
use crate::store::{Store, Use};
use crate::sync::Arc;

/// The cells of a store, all with the value 0.
fn store_of(cells: u32) -> Arc<Store<u32>> {
    let store = Arc::new(Store::default());
    let uses: Vec<Use> = (0..cells).map(|_| Use { cell: store.add(), written: true }).collect();
    let held = store.begin(&uses, |_, _| (), || false).unwrap();
    held.commit(|_| Some(0));
    store
}

/// Adds one to the cells, like a run that overwrites them in place or not.
fn add_one(store: &Store<u32>, cells: &[u32], in_place: bool) {
    let uses: Vec<Use> = cells.iter().map(|&cell| Use { cell, written: true }).collect();
    let mut values = vec![0; cells.len()];
    let take = |i: usize, value: Option<&u32>| values[i] = *value.unwrap();
    let mut held = store.begin(&uses, take, || false).unwrap();
    if in_place {
        held.take(|_| true);
    }
    held.commit(|i| Some(values[i] + 1));
}

fn read(store: &Store<u32>, cells: &[u32]) -> Vec<u32> {
    let uses: Vec<Use> = cells.iter().map(|&cell| Use { cell, written: false }).collect();
    let mut values = Vec::new();
    let held = store.begin(&uses, |_, value| values.push(*value.unwrap()), || false);
    drop(held);
    values
}

#[test]
fn no_addition_of_two_threads_is_lost() {
    for in_place in [false, true] {
        explore(1, move || {
            let store = store_of(1);
            let other = Arc::clone(&store);
            let thread = thread::spawn(move || add_one(&other, &[0], in_place));
            add_one(&store, &[0], in_place);
            thread.join().unwrap();
            assert_eq!(store.get(0), Some(2));
        });
    }
}

#[test]
fn a_reader_sees_all_of_a_run_or_nothing() {
    for in_place in [false, true] {
        explore(1, move || {
            let store = store_of(2);
            let other = Arc::clone(&store);
            let thread = thread::spawn(move || add_one(&other, &[0, 1], in_place));
            let values = read(&store, &[0, 1]);
            assert_eq!(values[0], values[1]);
            thread.join().unwrap();
            assert_eq!(read(&store, &[0, 1]), [1, 1]);
        });
    }
}

#[test]
fn runs_that_ask_in_opposite_orders_both_end() {
    explore(1, || {
        let store = store_of(2);
        let other = Arc::clone(&store);
        let thread = thread::spawn(move || add_one(&other, &[1, 0], false));
        add_one(&store, &[0, 1], false);
        thread.join().unwrap();
        assert_eq!(read(&store, &[0, 1]), [2, 2]);
    });
}

#[test]
fn a_run_that_fails_gives_back_what_it_holds() {
    explore(1, || {
        let store = store_of(1);
        let other = Arc::clone(&store);
        let thread = thread::spawn(move || {
            let uses = [Use { cell: 0, written: true }];
            drop(other.begin(&uses, |_, _| (), || false));
        });
        add_one(&store, &[0], false);
        thread.join().unwrap();
        assert_eq!(store.get(0), Some(1));
    });
}

#[test]
fn of_two_runs_that_read_what_the_other_writes_one_sees_the_other() {
    explore(1, || {
        let store = store_of(2);
        let copy = |store: &Store<u32>, from: u32, to: u32| {
            let uses = [Use { cell: from, written: false }, Use { cell: to, written: true }];
            let mut value = 0;
            let take = |i: usize, start: Option<&u32>| {
                if i == 0 {
                    value = *start.unwrap();
                }
            };
            store.begin(&uses, take, || false).unwrap().commit(|_| Some(value + 1));
        };
        let other = Arc::clone(&store);
        let thread = thread::spawn(move || copy(&other, 0, 1));
        copy(&store, 1, 0);
        thread.join().unwrap();
        let mut values = read(&store, &[0, 1]);
        values.sort_unstable();
        assert_eq!(values, [1, 2]);
    });
}

#[test]
fn a_run_beside_the_end_of_a_session_sees_a_value_or_none() {
    explore(1, || {
        let store = store_of(1);
        let other = Arc::clone(&store);
        let thread = thread::spawn(move || other.clear());
        let uses = [Use { cell: 0, written: false }];
        let mut value = None;
        drop(store.begin(&uses, |_, start| value = start.copied(), || false));
        thread.join().unwrap();
        assert!(value.is_none_or(|value| value == 0));
        assert_eq!(store.get(0), None);
    });
}
