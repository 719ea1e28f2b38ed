//! Is there anything that `fuzzing::dialogue` does not stand?

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leadsman_smtp::fuzzing::dialogue(bytes));
