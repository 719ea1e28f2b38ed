//! Is there anything that `fuzzing::tcp` does not stand?

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leadsman_wire::fuzzing::tcp(bytes));
