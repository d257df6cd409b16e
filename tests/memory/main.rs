//! Measures memory. The allocator counts for the whole process, so the measurements run one after
//! another on the main thread, and nothing else runs alongside them.
//!
//! ```text
//! cargo test --test memory                 all but the long ones
//! cargo test --test memory -- loop         those whose names contain this
//! cargo test --test memory -- --ignored    the long ones
//! ```

mod adam_memory;
mod allocations;
mod chaos;
mod counting;
mod graph_memory;
mod hostile_files;
mod import_memory;
mod ledger;
mod loop_memory;

use std::error::Error;
use std::panic::catch_unwind;
use std::process::ExitCode;

use counting::Counting;

#[global_allocator]
static MEMORY: Counting = Counting::new();

/// The return type of measurements that run sessions.
type Outcome = Result<(), Box<dyn Error>>;

struct Measurement {
    name: &'static str,
    run: fn() -> Outcome,
    /// Runs only on request.
    is_long: bool,
}

/// Lists functions by their paths.
macro_rules! measurements {
    ($is_long:literal: $($module:ident :: $function:ident),+) => {
        [$(Measurement {
            name: concat!(stringify!($module), "::", stringify!($function)),
            run: $module::$function,
            is_long: $is_long,
        }),+]
    };
}

const MEASUREMENTS: [Measurement; 9] = measurements![
    false:
    adam_memory::a_step_takes_a_tenth_more_than_variables_slots_and_gradients_at_most,
    allocations::in_the_steady_state_a_run_asks_for_no_memory_but_that_of_what_it_returns,
    chaos::a_few_seconds_of_it_leave_nothing_behind,
    graph_memory::a_scalar_add_takes_at_most_400_bytes_with_its_name_line_and_edges,
    hostile_files::malformed_files_cost_little_memory_and_time_and_no_deep_stack,
    import_memory::constants_of_a_mapped_file_are_copied_once,
    ledger::everything_is_counted_by_kind_as_long_as_something_holds_it,
    ledger::plans_for_shapes_share_the_operands_that_were_packed_for_them,
    loop_memory::an_iteration_asks_for_no_memory_and_memory_does_not_grow
];

/// The chaos takes ten minutes. The import takes 1.5 GB, and its time is meaningful only on an
/// otherwise idle machine.
const LONG: [Measurement; 2] = measurements![
    true:
    chaos::ten_minutes_of_it_hold_no_more_memory_at_the_end_than_after_the_first,
    import_memory::half_a_gigabyte_of_constants_and_200_000_nodes_are_imported
];

impl Measurement {
    fn passes(&self) -> bool {
        print!("test {} ... ", self.name);
        let passed = match catch_unwind(self.run) {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                eprintln!("{error}");
                false
            }
            // The hook has printed the reason.
            Err(_) => false,
        };
        println!("{}", if passed { "ok" } else { "FAILED" });
        passed
    }
}

fn main() -> ExitCode {
    // The same options as the standard library's test runner.
    let (flags, filters): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    let is_set = |flag: &str| flags.iter().any(|f| f == flag);
    let is_named = |name: &str| filters.is_empty() || filters.iter().any(|f| name.contains(f));
    let asked_for =
        |m: &Measurement| m.is_long == is_set("--ignored") || is_set("--include-ignored");
    let all = || MEASUREMENTS.iter().chain(&LONG).filter(|m| is_named(m.name));
    if is_set("--list") {
        all().for_each(|m| println!("{}: test", m.name));
        return ExitCode::SUCCESS;
    }
    let chosen = || all().filter(|m| asked_for(m));
    let passed = chosen().filter(|m| m.passes()).count();
    let (failed, ignored) = (chosen().count() - passed, all().count() - chosen().count());
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {result}. {passed} passed; {failed} failed; {ignored} ignored");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
