#![no_main]

use tidemill_testing::hostile::checkpoint_index;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checkpoint_index(bytes));
