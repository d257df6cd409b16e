//! Gradients of random programs with branches, loops and maps are those of the same programs without.

use std::ops::Range;

use tidemill_testing::bodies::{Program, check, smallest};

/// Checks the programs of many seeds. The failure it reports is of a program made as small as can be.
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
fn gradients_of_programs_with_bodies_are_those_of_plain_nodes() {
    check_seeds(0..250);
}

#[test]
fn gradients_of_programs_with_bodies_are_those_of_plain_nodes_on_other_seeds() {
    check_seeds(1_000_000..1_000_250);
}

#[test]
#[ignore = "takes long"]
fn gradients_of_ten_thousand_programs_with_bodies_are_those_of_plain_nodes() {
    check_seeds(2_000_000..2_010_000);
}
