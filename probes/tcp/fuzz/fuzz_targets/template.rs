//! Is there anything that `fuzzing::template` does not stand?

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leadsman_tcp::fuzzing::template(bytes));
