//! Is there anything that `fuzzing::message_v6` does not stand?

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leadsman_wire::fuzzing::message_v6(bytes));
