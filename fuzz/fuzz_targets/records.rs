#![no_main]

use tidemill_testing::hostile::records;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| records(bytes));
