//! Is there anything that `fuzzing::reply` does not stand?

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leadsman_smtp::fuzzing::reply(bytes));
