//! The documentation's table of operations matches the operations.

use std::fs;

use tidemill_ops::ALL;
use tidemill_testing::ops_table::{COMMAND, ops_table, path};

#[test]
fn the_table_of_operations_is_current() {
    let written = fs::read_to_string(path()).unwrap_or_default();
    let current = ops_table(ALL).unwrap();
    let first = current.lines().zip(written.lines()).find(|(current, written)| current != written);
    assert!(written == current, "docs/ops.md is old, from {first:?} on: run `{COMMAND}`");
}
