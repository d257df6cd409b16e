#![no_main]

use tidemill_testing::hostile::graph_def_text;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| graph_def_text(bytes));
