//! leadsman
