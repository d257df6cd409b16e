#![no_main]

use tidemill_testing::hostile::npy;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| npy(bytes));
