//! Is a namespace a network of its own, and gone when it is dropped?

use std::net::UdpSocket;

use super::*;

#[test]
fn what_is_opened_inside_is_inside() {
    let Some(namespace) = or_skip(Namespace::new()) else {
        return;
    };
    namespace.ip("address add 192.0.2.1/24 dev lo").unwrap();
    let bind = || UdpSocket::bind("192.0.2.1:0");
    assert!(namespace.run(bind).is_ok());
    assert!(bind().is_err());
    let told = namespace.output(Command::new("ip").args(["-o", "address"]), "");
    assert!(told.unwrap().contains("192.0.2.1/24"));
}

#[test]
fn a_namespace_goes_although_its_test_panics() {
    let Some(namespace) = or_skip(Namespace::new()) else {
        return;
    };
    let path = namespace.path();
    let identity = fs::read_link(&path).unwrap();
    let job = move || namespace.run(|| panic!("it was to"));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    assert!(panicked.is_err());
    // Another test may have taken the descriptor's number.
    assert!(fs::read_link(&path).ok() != Some(identity));
}

#[test]
fn what_is_dropped_is_counted() {
    let Some(namespace) = or_skip(Namespace::new()) else {
        return;
    };
    let counter = or_skip(namespace.drop_at("output", "udp dport 9"));
    let Some(counter) = counter else {
        return;
    };
    namespace.run(|| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..7 {
            // The filter tells the sender that it may not.
            socket.send_to(b"discard", "127.0.0.1:9").ok();
        }
    });
    assert_eq!(counter.packets().unwrap(), 7);
}

#[test]
fn a_mistake_is_told_in_the_words_of_the_program() {
    let Some(namespace) = or_skip(Namespace::new()) else {
        return;
    };
    let error = namespace.ip("link set nowhere up").unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
    assert!(!error.is_lack());
}
