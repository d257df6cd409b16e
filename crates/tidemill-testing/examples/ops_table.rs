//! Writes `docs/ops.md`, the table of all operations.

use std::{fs, io};

use tidemill_ops::ALL;
use tidemill_testing::ops_table;

fn main() -> io::Result<()> {
    fs::write(ops_table::path(), ops_table::ops_table(ALL)?)
}
