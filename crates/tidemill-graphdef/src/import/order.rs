//! The order in which nodes are added.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::wiring::Wires;

/// The nodes, each after its inputs; ties by their order in the message.
///
/// # Errors
/// The nodes of a cycle, each taking the next.
pub(super) fn sort<W: Borrow<Wires>>(wires: &[W]) -> Result<Vec<usize>, Vec<usize>> {
    let mut takers: Vec<Vec<usize>> = vec![Vec::new(); wires.len()];
    let mut waiting_for = vec![0_usize; wires.len()];
    for (taker, wires) in wires.iter().enumerate() {
        for source in wires.borrow().nodes() {
            takers[source].push(taker);
            waiting_for[taker] += 1;
        }
    }
    let is_ready = |index: &usize| waiting_for[*index] == 0;
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..wires.len()).filter(is_ready).map(Reverse).collect();
    let mut order = Vec::with_capacity(wires.len());
    while let Some(Reverse(index)) = ready.pop() {
        order.push(index);
        for &taker in &takers[index] {
            waiting_for[taker] -= 1;
            if waiting_for[taker] == 0 {
                ready.push(Reverse(taker));
            }
        }
    }
    match waiting_for.iter().position(|count| *count > 0) {
        None => Ok(order),
        Some(first) => Err(cycle_from(first, wires, &waiting_for)),
    }
}

/// A cycle that can be reached from a waiting node. Every waiting node takes another that waits.
fn cycle_from<W: Borrow<Wires>>(first: usize, wires: &[W], waiting_for: &[usize]) -> Vec<usize> {
    let mut way = Vec::new();
    let mut place_on_way = vec![None; wires.len()];
    let mut next = Some(first);
    while let Some(index) = next {
        if let Some(place) = place_on_way[index] {
            return way.split_off(place);
        }
        place_on_way[index] = Some(way.len());
        way.push(index);
        next = wires[index].borrow().nodes().find(|&source| waiting_for[source] > 0);
    }
    way
}

#[cfg(test)]
mod tests {
    use super::super::wiring::Source;
    use super::*;

    fn wires(inputs: &[&[usize]]) -> Vec<Wires> {
        let source = |&index: &usize| Source::Node { index, slot: 0 };
        let wires = |inputs: &&[usize]| Wires {
            inputs: inputs.iter().map(source).collect(),
            controls: Vec::new(),
        };
        inputs.iter().map(wires).collect()
    }

    #[test]
    fn an_order_that_is_topological_stays() {
        assert_eq!(sort(&wires(&[&[], &[], &[0], &[1], &[3, 2]])), Ok(vec![0, 1, 2, 3, 4]));
    }

    #[test]
    fn nodes_follow_what_they_take_and_ties_the_file() {
        assert_eq!(sort(&wires(&[&[4, 4], &[], &[1], &[], &[2]])), Ok(vec![1, 2, 3, 4, 0]));
    }

    #[test]
    fn a_cycle_is_found_behind_what_waits_for_it() {
        assert_eq!(sort(&wires(&[&[1], &[2], &[3], &[1], &[]])), Err(vec![1, 2, 3]));
        assert_eq!(sort(&wires(&[&[], &[0, 1]])), Err(vec![1]));
    }
}
