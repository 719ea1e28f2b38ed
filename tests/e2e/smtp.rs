//! Mail, from our side and from that of servers that real mail goes through.
//!
//! - `asked`: no tests; asks by hand.
//! - `servers`: no tests; starts postfix, exim, `OpenSMTPD`, smtp-sink and knot, and ends them.
//! - `delivered`: messages that are accepted, and then seen in a mailbox or at the sink.
//! - `refused`: what servers do to those whom they do not like.
//! - `exchangers`: who takes a domain's mail, in every way in which that can be said in a zone.
//! - `beside_swaks`: the same session by swaks and by us.

mod asked;
mod beside_swaks;
mod delivered;
mod exchangers;
mod refused;
mod servers;
