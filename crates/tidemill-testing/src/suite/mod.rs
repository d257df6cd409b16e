//! The tests that every operation must pass, on its own samples.
//!
//! Each check takes an operation and one of its samples and reports what is wrong.

mod dtypes;
mod gradient;
mod inference;
mod known;
mod node;
mod outputs;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tidemill_graph::{OpDef, Sample};

pub use dtypes::check_every_dtype;
pub use gradient::check_gradient_of;
pub use inference::check_inference;
pub use known::check_known_is_checked_when_built;
pub use node::{Given, Knowledge, SampleNode};
pub use outputs::{
    check_failures_are_expected, check_feeds_are_unchanged, check_outputs, check_text_form,
};

/// A check of an operation on a sample; its error says what is wrong.
pub type Check = fn(&'static OpDef, &Sample) -> Result<(), String>;

/// Runs a check on every sample of every operation.
///
/// # Panics
/// With the list of all failures, including checks that panicked.
#[track_caller]
pub fn check_all(ops: &[&'static OpDef], check: Check) {
    let mut wrong = Vec::new();
    for op in ops {
        for (i, sample) in (op.samples)().iter().enumerate() {
            let checked = catch_unwind(AssertUnwindSafe(|| check(op, sample)));
            let checked = checked.unwrap_or_else(|panic| Err(message_of(&*panic)));
            if let Err(message) = checked {
                wrong.push(format!("{}, sample {i}: {message}", op.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} samples fail:\n{}", wrong.len(), wrong.join("\n"));
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "it panicked".to_owned())
}
