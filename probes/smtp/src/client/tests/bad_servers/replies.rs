//! What comes of replies that are none, or that are only oddly written?

use serde_json::json;

use super::super::servers::Act::{Bytes, Drip, Hear, Hold, Letter, Say};
use super::super::servers::greeting;
use super::{case, quit};

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "most of them are cases")]
async fn an_odd_reply_ends_as_is_said() {
    let hello = || vec![Say("220 a\r\n"), Hear("EHLO")];
    let old = vec![
        Say("500 what?\r\n"),
        Hear("HELO"),
        Say("250 mx\r\n"),
        Hear("MAIL"),
        Say("250 ok\r\n"),
        Hear("RCPT"),
        Say("250 ok\r\n"),
    ];
    let coalesced = greeting("250-mx\r\n250 PIPELINING\r\n");
    let flight = vec![
        Hear("MAIL"),
        Hear("RCPT"),
        Hear("DATA"),
        Say("250 ok\r\n250 ok\r\n354 go on\r\n"),
        Letter,
        Say("250 ok\r\n"),
    ];
    let refused = vec![
        Hear("MAIL"),
        Hear("RCPT"),
        Hear("DATA"),
        Say("250 ok\r\n550 no\r\n354 go on\r\n"),
        Hear("."),
        Say("554 nobody\r\n"),
    ];
    let pipelining = json!({ "pipelining": true });
    let split = "250-mx\r\n250-SIZE 10\r\n250 HELP\r\n";
    let bare = vec![
        Say("220 a\n"),
        Hear("EHLO"),
        Say("250-a\n250 b\n"),
        Hear("MAIL"),
        Say("250\n"),
    ];
    for case in [
        case("s9 EHLO 500", [hello(), old.clone(), quit()], "ok", ""),
        case(
            "s9 but TLS is wanted",
            [hello(), old[..1].to_vec(), quit()],
            "permfail",
            "rejected",
        )
        .with(json!({ "starttls": "required" })),
        case(
            "s10 EHLO 421",
            [hello(), vec![Say("421 no\r\n"), Hold]],
            "tempfail",
            "rejected",
        ),
        case(
            "s11 code changes",
            [hello(), vec![Say("250-a\r\n251 b\r\n"), Hold]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s12 no text",
            [
                hello(),
                vec![
                    Say("250\r\n"),
                    Hear("MAIL"),
                    Say("250 \r\n"),
                    Hear("RCPT"),
                    Say("250\r\n"),
                ],
                quit(),
            ],
            "ok",
            "",
        ),
        case(
            "s13 250x",
            [hello(), vec![Say("250x\r\n"), Hold]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s14 99",
            [hello(), vec![Say("99 a\r\n"), Hold]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s14 600",
            [hello(), vec![Say("600 a\r\n"), Hold]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s15 octets",
            [
                hello(),
                vec![
                    Bytes(b"250 \xff\0\x1b[2J\r\n"),
                    Hear("MAIL"),
                    Say("550 \x07\r\n"),
                ],
                quit(),
            ],
            "permfail",
            "rejected",
        ),
        case(
            "s37 two replies",
            [hello(), vec![Say("250 a\r\n250 b\r\n"), Hold]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s40 bare line feeds",
            [bare, vec![Hear("RCPT"), Say("250 x\n")], quit()],
            "ok",
            "",
        ),
        case(
            "s41 split everywhere",
            [
                hello(),
                vec![
                    Drip(split),
                    Hear("MAIL"),
                    Drip("250-a\r\n250 b\r\n"),
                    Hear("RCPT"),
                    Drip("250 ok\r\n"),
                ],
                quit(),
            ],
            "ok",
            "",
        ),
        case(
            "s44 coalesced",
            [coalesced.clone(), flight, quit()],
            "ok",
            "",
        )
        .with(pipelining.clone())
        .sending(1),
        case(
            "s44 one of them refused",
            [coalesced, refused, quit()],
            "permfail",
            "rejected",
        )
        .with(pipelining)
        .sending(0),
        case(
            "3yz to MAIL",
            [
                greeting("250 a\r\n"),
                vec![Hear("MAIL"), Say("354 go on\r\n"), Hold],
            ],
            "protocol_error",
            "protocol",
        ),
    ] {
        case.check().await;
    }
}
