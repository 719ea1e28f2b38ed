//! Do probers say of each scenario what truly happened in it?
//!
//! `scenarios`: the files, and what the network itself makes of them. `memory`: leadsman's engine
//! in them, without a socket. `sockets`: the same behind a TUN device, with them. `ended`: how what
//! an engine says is held against the record.

mod ended;
mod memory;
mod scenarios;
mod sockets;
