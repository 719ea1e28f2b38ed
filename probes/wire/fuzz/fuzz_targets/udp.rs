//! Is there anything that `fuzzing::udp` does not stand?

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leadsman_wire::fuzzing::udp(bytes));
