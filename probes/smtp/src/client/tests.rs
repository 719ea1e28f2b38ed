//! Does the probe do on real sockets what it says?
