//! Does the program tell the truth of a network whose truth is known?
//!
//! Each test makes a network of its own, of the kernel's own hosts and routers, and compares what
//! the program says with what the network has counted. Needs root; the networks go with the tests.
//! Nothing here is about the look of what is said, which `ping` is about.
//!
//! - `lab`: no tests; two hosts and the wire between them.
//! - `responder`: no tests; answers echo requests when it is told to.
//! - `echoes`: no tests; what the program says of its echo requests.
//! - `loss`: what the network drops, exactly, at the end and at any moment.
//! - `receive`: what this host drops for want of room.
//! - `errors`: what routers say, with privileges and without.
//! - `stop`: a program that is stopped for a while.
//! - `clock`: a clock that is set while requests are under way.
//! - `scale`: very many requests, and very many targets.

mod clock;
mod echoes;
mod errors;
mod lab;
mod loss;
mod receive;
mod responder;
mod scale;
mod stop;

pub(crate) use echoes::without;
