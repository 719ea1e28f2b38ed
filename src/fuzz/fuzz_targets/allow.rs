//! Is there anything that `fuzzing::allow` does not stand?

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leadsman::fuzzing::allow(bytes));
