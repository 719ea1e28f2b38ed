//! What comes of a sender and a recipient that a server refuses, or takes oddly?

use serde_json::json;

use super::super::servers::Act::{Hear, Hold, Say};
use super::super::servers::greeting;
use super::{case, data, mailing, quit};

#[tokio::test]
async fn an_envelope_ends_as_is_said() {
    let mail = |answer| {
        [
            greeting("250 a\r\n"),
            vec![Hear("MAIL"), Say(answer)],
            quit(),
        ]
        .concat()
    };
    let rcpt = |answer| [mailing(), vec![Say(answer)], quit()].concat();
    let small = greeting("250-a\r\n250 SIZE 100\r\n");
    for case in [
        case(
            "s26 452",
            [mail("452 4.3.1 full\r\n")],
            "tempfail",
            "rejected",
        ),
        case(
            "s26 552",
            [mail("552 5.3.4 too big\r\n")],
            "permfail",
            "rejected",
        ),
        case(
            "s27 greylisted",
            [rcpt("450 4.7.1 come again\r\n")],
            "greylisted",
            "rejected",
        ),
        case(
            "s27 in words",
            [rcpt("451 Greylisting in action\r\n")],
            "greylisted",
            "rejected",
        ),
        case(
            "s27 as a success",
            [rcpt("450 4.7.1 come again\r\n")],
            "greylisted",
            "",
        )
        .with(json!({ "tempfail_is": "success" })),
        case(
            "s28 unknown",
            [rcpt("550 5.1.1 who?\r\n")],
            "permfail",
            "rejected",
        ),
        case("s29 251", [rcpt("251 will forward\r\n")], "ok", ""),
        case("s29 252", [rcpt("252 will try\r\n")], "ok", ""),
        case("s42 SIZE 100", [small, quit()], "permfail", "rejected").sending(0),
        case(
            "s43 no SMTPUTF8",
            [greeting("250 a\r\n"), quit()],
            "permfail",
            "rejected",
        ),
        case(
            "no further than DATA",
            [data(), vec![Say("354 go on\r\n"), Hold]],
            "ok",
            "",
        )
        .with(json!({ "stop_after": "data" })),
        case(
            "LMTP",
            [
                vec![
                    Say("220 a\r\n"),
                    Hear("LHLO"),
                    Say("250 a\r\n"),
                    Hear("MAIL"),
                    Say("250 ok\r\n"),
                ],
                vec![Hear("RCPT"), Say("250 ok\r\n")],
                quit(),
            ],
            "ok",
            "",
        )
        .with(json!({ "lmtp": true })),
    ] {
        case.check().await;
    }
}
