//! Do probers say of each scenario what truly happened in it?
//!
//! `scenarios`: the files, and what the network itself makes of them.

mod scenarios;
