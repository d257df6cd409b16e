//! Gradients of random programs with bodies equal those of the same programs unrolled.

use std::ops::Range;

use tidemill_testing::bodies::{Program, check, rewrites, smallest};

/// Checks the programs of many seeds. A program that fails is shrunk first.
fn check_seeds(seeds: Range<u64>) {
    for seed in seeds {
        let program = Program::new(seed);
        if let Err(failed) = check(&program) {
            let (program, failed) = smallest(program, failed);
            panic!("it has to hold that {}: {}\n{program}", failed.rule, failed.message);
        }
    }
}

#[test]
fn gradients_of_random_bodies_are_those_of_unrolled_programs() {
    check_seeds(0..250);
}

#[test]
fn gradients_of_random_bodies_are_those_of_unrolled_programs_on_other_seeds() {
    check_seeds(1_000_000..1_000_250);
}

#[test]
fn constants_often_reach_random_bodies() {
    let of_seed =
        |seed| rewrites(&Program::new(seed)).unwrap_or_else(|failed| panic!("{failed:?}"));
    let rules = (0..50).flat_map(of_seed);
    let arguments = rules.filter(|rule| *rule == "constant argument").count();
    assert!(arguments >= 20, "{arguments}");
}

#[test]
#[ignore = "takes long"]
fn gradients_of_ten_thousand_random_bodies_are_those_of_unrolled_programs() {
    std::thread::scope(|scope| {
        for half in [2_000_000..2_005_000, 2_005_000..2_010_000] {
            scope.spawn(|| check_seeds(half));
        }
    });
}
