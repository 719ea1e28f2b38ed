//! Is there anything that `fuzzing::answer` does not stand?

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leadsman_http::fuzzing::answer(bytes));
