//! Is there anything that `fuzzing::request` does not stand?

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leadsman_http::fuzzing::request(bytes));
