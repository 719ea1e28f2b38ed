//! Whom does this host ask?

use std::fs;
use std::net::IpAddr;

/// The first server of `/etc/resolv.conf`, or the one on this host (resolv.conf(5)).
pub(crate) fn server() -> Vec<String> {
    let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let own = IpAddr::from([127, 0, 0, 1]);
    vec![first(&text).unwrap_or(own).to_string()]
}

fn first(text: &str) -> Option<IpAddr> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let is_server = words.next() == Some("nameserver");
        words.next()?.parse().ok().filter(|_| is_server)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_server_that_can_be_asked_is_taken() {
        for (text, expected) in [
            ("", None),
            ("search a.test\n# nameserver 192.0.2.1\n", None),
            (
                "search a.test\nnameserver 192.0.2.1\nnameserver 192.0.2.2",
                Some("192.0.2.1"),
            ),
            ("nameserver\t2001:db8::1 # local\n", Some("2001:db8::1")),
            ("nameserver fe80::1%eth0\nnameserver ::1\n", Some("::1")),
            ("nameserver\nnameserver name\n", None),
        ] {
            let found = first(text).map(|address| address.to_string());
            assert_eq!(found.as_deref(), expected, "{text:?}");
        }
    }
}
