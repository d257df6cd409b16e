//! Running graphs: what a run computes, promises, prints and reports.

#[path = "../common/mod.rs"]
mod common;

mod all_or_nothing;
mod callables;
mod computation_path;
mod feed_errors;
mod guarded;
mod print;
mod products;
mod randomness;
mod rewriting;
mod run_errors;
mod run_options;
mod run_promises;
mod session;
mod shaped_plans;
mod shapes_of_a_run;
mod short_integers;
mod tutorial_programs;
mod warnings;
