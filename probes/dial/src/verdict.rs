//! Whose fault is an error of hyper's?
//!
//! It wraps what happened to the stream in words of its own, and calls some of what a peer sent an
//! error of input or output. What an answer says that hyper could read is the probe's affair.

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;

use leadsman_core::{Cause, Fault};

use crate::failure;

/// Judges an error of hyper's on a connection with `peer`: what broke beneath it decides, or else what
/// it makes of the bytes that came. `doing` says what was tried; see [`Fault::connection`].
pub fn hyper_failure(peer: SocketAddr, doing: &str, error: &hyper::Error) -> Fault {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(inner) = inner.downcast_ref::<io::Error>()
            // What hyper cannot decode it calls so, which to the system would be ours.
            && !matches!(inner.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Other)
        {
            return failure(peer, doing, inner);
        }
        source = inner.source();
    }
    let why = match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let cause = if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        Cause::Closed
    } else {
        Cause::Protocol
    };
    Fault::target(cause, format!("{doing}: {why}"))
}
