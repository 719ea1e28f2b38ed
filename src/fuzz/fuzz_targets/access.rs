//! Is there anything that `fuzzing::access` does not stand?

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leadsman::fuzzing::access(bytes));
