//! Is there anything that `fuzzing::commands` does not stand?

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leadsman_smtp::fuzzing::commands(bytes));
