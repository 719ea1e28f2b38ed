//! What comes of servers that greet as they should not?

use serde_json::json;

use super::super::servers::Act::{Bytes, Drip, Flood, Hear, Say, Tls};
use super::{TRUSTED, case, hold, quit};

#[tokio::test]
async fn a_bad_greeting_ends_as_is_said() {
    let short = json!({ "greeting_timeout": "150ms" });
    let rest = || {
        [
            vec![
                Hear("EHLO"),
                Say("250 mx.test\r\n"),
                Hear("MAIL"),
                Say("250 ok\r\n"),
            ],
            vec![Hear("RCPT"), Say("250 ok\r\n")],
            quit(),
        ]
        .concat()
    };
    for case in [
        case("s1 no greeting", [hold()], "timeout", "timeout").with(short.clone()),
        case(
            "s2 byte by byte",
            [vec![Drip("220-mx\r\n220 test\r\n")], rest()],
            "ok",
            "",
        ),
        case(
            "s3 without end",
            [vec![Flood(b"220-a\r\n", 1_000_000)]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s4 a line without end",
            [vec![Flood(&[b'2'; 1000], 1000)]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s5 554",
            [vec![Say("554 go away\r\n")], quit()],
            "permfail",
            "rejected",
        ),
        case(
            "s6 421",
            [vec![Say("421 not now\r\n")]],
            "tempfail",
            "rejected",
        ),
        case(
            "s7 HTTP",
            [vec![Say("HTTP/1.1 400 Bad Request\r\n\r\n")]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s8 TLS",
            [vec![Bytes(b"\x15\x03\x01\0\x02\x02\n")]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s8 TLS that waits",
            [vec![Tls(&TRUSTED)]],
            "timeout",
            "timeout",
        )
        .with(short.clone()),
        case(
            "s45 before it is asked",
            [vec![Say("220 a\r\n250 b\r\n")], hold()],
            "protocol_error",
            "protocol",
        ),
        case(
            "s45 instead of a greeting",
            [vec![Say("250 b\r\n")], hold()],
            "protocol_error",
            "protocol",
        ),
        case("closes at once", [vec![]], "disconnected", "closed"),
    ] {
        case.check().await;
    }
}
