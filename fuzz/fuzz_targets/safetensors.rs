#![no_main]

use tidemill_testing::hostile::safetensors;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| safetensors(bytes));
