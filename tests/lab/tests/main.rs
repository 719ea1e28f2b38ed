//! Do probers say of each scenario what truly happened in it?
//!
//! `scenarios`: the files, and what the network itself makes of them. `memory`: leadsman's engine
//! in them, without a socket. `ports`: its datagrams and SYNs, hop by hop. `sockets`: the scenarios
//! behind a TUN device, with sockets. `ended`: how what an engine says is held against the record.

mod ended;
mod memory;
mod ports;
mod scenarios;
mod sockets;
