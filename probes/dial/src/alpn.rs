//! Which protocols may be agreed on within TLS?
//!
//! By the names under which they are offered (RFC 7301, section 6).

/// HTTP/1.1.
pub const HTTP_11: &[u8] = b"http/1.1";

/// HTTP/2 (RFC 9113, section 3.2).
pub const H2: &[u8] = b"h2";
