//! Is there any answer that `fuzzing::answer` does not stand?

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leadsman_dns::fuzzing::answer(bytes));
