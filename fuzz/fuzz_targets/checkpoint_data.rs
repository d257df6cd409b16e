#![no_main]

use tidemill_testing::hostile::checkpoint_data;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checkpoint_data(bytes));
