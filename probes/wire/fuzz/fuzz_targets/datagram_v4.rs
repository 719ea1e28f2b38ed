//! Is there anything that `fuzzing::datagram_v4` does not stand?

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leadsman_wire::fuzzing::datagram_v4(bytes));
