//! The order in which nodes are added.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The numbers below `count`, each after those that it needs; ties in ascending order.
///
/// # Errors
/// The numbers of a cycle, each needing the next.
pub(super) fn sort<I: Iterator<Item = usize>>(
    count: usize,
    needs: impl Fn(usize) -> I,
) -> Result<Vec<usize>, Vec<usize>> {
    let mut takers: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut waiting_for = vec![0_usize; count];
    for (taker, waits) in waiting_for.iter_mut().enumerate() {
        for source in needs(taker) {
            takers[source].push(taker);
            *waits += 1;
        }
    }
    let is_ready = |index: &usize| waiting_for[*index] == 0;
    let mut ready: BinaryHeap<Reverse<usize>> = (0..count).filter(is_ready).map(Reverse).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(Reverse(index)) = ready.pop() {
        order.push(index);
        for &taker in &takers[index] {
            waiting_for[taker] -= 1;
            if waiting_for[taker] == 0 {
                ready.push(Reverse(taker));
            }
        }
    }
    let is_waiting = |index: usize| waiting_for[index] > 0;
    match (0..count).find(|&index| is_waiting(index)) {
        None => Ok(order),
        Some(first) => {
            Err(cycle_from(first, count, |index| needs(index).find(|&need| is_waiting(need))))
        }
    }
}

/// A cycle that can be reached from `first`.
fn cycle_from(first: usize, count: usize, next: impl Fn(usize) -> Option<usize>) -> Vec<usize> {
    let mut way = Vec::new();
    let mut place_on_way = vec![None; count];
    let mut reached = Some(first);
    while let Some(index) = reached {
        if let Some(place) = place_on_way[index] {
            return way.split_off(place);
        }
        place_on_way[index] = Some(way.len());
        way.push(index);
        reached = next(index);
    }
    way
}

#[cfg(test)]
mod tests {
    fn sort(needs: &[&[usize]]) -> Result<Vec<usize>, Vec<usize>> {
        super::sort(needs.len(), |index| needs[index].iter().copied())
    }

    #[test]
    fn an_order_that_is_topological_stays() {
        assert_eq!(sort(&[&[], &[], &[0], &[1], &[3, 2]]), Ok(vec![0, 1, 2, 3, 4]));
    }

    #[test]
    fn nodes_follow_what_they_take_and_ties_the_file() {
        assert_eq!(sort(&[&[4, 4], &[], &[1], &[], &[2]]), Ok(vec![1, 2, 3, 4, 0]));
    }

    #[test]
    fn a_cycle_is_found_behind_what_waits_for_it() {
        assert_eq!(sort(&[&[1], &[2], &[3], &[1], &[]]), Err(vec![1, 2, 3]));
        assert_eq!(sort(&[&[], &[0, 1]]), Err(vec![1]));
    }
}
