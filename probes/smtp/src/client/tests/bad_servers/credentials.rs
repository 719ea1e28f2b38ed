//! What comes of servers that are asked to believe who sends?

use serde_json::json;

use super::super::servers::Act::{Hear, Hold, Say};
use super::super::servers::{Act, greeting};
use super::{authenticating, case, quit};

#[tokio::test]
async fn credentials_end_as_is_said() {
    let with = |mechanism, answer: Vec<Act>, outcome, reason| {
        let (acts, options) = authenticating(mechanism);
        case(mechanism, [acts, answer], outcome, reason).with(options)
    };
    let ok = vec![
        Say("235 ok\r\n"),
        Hear("MAIL"),
        Say("250 ok\r\n"),
        Hear("RCPT"),
        Say("250 ok\r\n"),
    ];
    let login = vec![
        Say("334 VXNlcm5hbWU6\r\n"),
        Hear("bWU="),
        Say("334 UGFzc3dvcmQ6\r\n"),
        Hear("c2VjcmV0"),
    ];
    let token = vec![Say("334 e30=\r\n"), Hear(""), Say("535 5.7.8 no\r\n")];
    let mut kept = authenticating("plain").1;
    kept["allow_insecure_auth"] = json!(false);
    for case in [
        with("plain", [ok.clone(), quit()].concat(), "ok", ""),
        with("login", [login, ok, quit()].concat(), "ok", ""),
        with(
            "login",
            vec![Say("334 ?!\r\n"), Hold],
            "protocol_error",
            "protocol",
        ),
        with(
            "plain",
            [vec![Say("535 5.7.8 no\r\n")], quit()].concat(),
            "auth_failed",
            "rejected",
        ),
        with(
            "plain",
            [vec![Say("454 4.7.0 later\r\n")], quit()].concat(),
            "tempfail",
            "rejected",
        ),
        with(
            "xoauth2",
            [token, quit()].concat(),
            "auth_failed",
            "rejected",
        ),
        with(
            "plain",
            vec![Say("334 \r\n"), Hear(""), Say("334 \r\n"), Hold],
            "protocol_error",
            "protocol",
        ),
        // Without TLS they are not told at all.
        case(
            "kept back",
            [greeting("250-a\r\n250 AUTH PLAIN\r\n"), quit()],
            "auth_failed",
            "tls",
        )
        .with(kept),
    ] {
        case.check().await;
    }
}
