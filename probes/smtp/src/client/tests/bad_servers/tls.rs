//! What comes of servers whose TLS is not as it should be?

use std::time::Duration;

use serde_json::json;

use super::super::servers::Act::{Deaf, Hear, Hold, Pause, Say, Tls};
use super::super::servers::greeting;
use super::{EXPIRED, OTHER, TRUSTED, case, quit, required, starting};

#[tokio::test]
async fn tls_ends_as_is_said() {
    let offered = || greeting("250-mx.test\r\n250 STARTTLS\r\n");
    let within = || {
        vec![
            Hear("EHLO"),
            Say("250 mx.test\r\n"),
            Hear("MAIL"),
            Say("250 ok\r\n"),
            Hear("RCPT"),
            Say("250 ok\r\n"),
        ]
    };
    let off = || vec![Hear("STARTTLS"), Say("454 not now\r\n")];
    let in_the_clear = vec![
        Hear("MAIL"),
        Say("250 ok\r\n"),
        Hear("RCPT"),
        Say("250 ok\r\n"),
    ];
    let stall = json!({ "starttls": "required", "command_timeout": "150ms" });
    let mut auth = required(&TRUSTED);
    auth["auth"] = json!({ "username": "me", "password": "secret" });
    let before = greeting("250-mx.test\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n");
    let starts = vec![Hear("STARTTLS"), Say("220 go\r\n"), Tls(&TRUSTED)];
    let injected = "220 go on\r\n250-mx.test\r\n250 AUTH PLAIN\r\n";
    let opportunistic = json!({ "tls_config": { "server_name": "mx.test" } });
    for case in [
        case("TLS", [starting(), vec![Tls(&TRUSTED)], within(), quit()], "ok", "").with(required(&TRUSTED)),
        case("TLS from the first octet on", [vec![Tls(&TRUSTED), Say("220 a\r\n")], within(), quit()], "ok", "")
            .with(json!({ "tls": true, "tls_config": { "ca": TRUSTED.authority, "server_name": "mx.test" } })),
        case("s16 not offered", [greeting("250 mx.test\r\n"), quit()], "tls_failed", "tls").with(required(&TRUSTED)),
        case("s17 454", [offered(), off(), quit()], "tempfail", "rejected").with(required(&TRUSTED)),
        case("s17 454 where it need not be", [offered(), off(), in_the_clear, quit()], "ok", ""),
        case("s18 injected", [offered(), vec![Hear("STARTTLS"), Say(injected), Hold]], "starttls_injection", "protocol").with(required(&TRUSTED)),
        case("s18 injected where it need not be", [offered(), vec![Hear("STARTTLS"), Say(injected), Hold]], "starttls_injection", "protocol"),
        case("s19 in the clear", [starting(), vec![Pause(Duration::from_millis(20)), Say("250 mx.test\r\n"), Hold]], "tls_failed", "tls").with(required(&TRUSTED)),
        case("s20 stalls", [starting(), vec![Deaf]], "timeout", "timeout").with(stall),
        case("s21 expired", [starting(), vec![Tls(&EXPIRED)]], "tls_failed", "tls").with(required(&EXPIRED)),
        case("s21 wrong name", [starting(), vec![Tls(&OTHER)]], "tls_failed", "tls").with(required(&OTHER)),
        case("s21 unknown authority", [starting(), vec![Tls(&TRUSTED)]], "tls_failed", "tls").with(required(&OTHER)),
        case("s21 where it need not be", [starting(), vec![Tls(&EXPIRED)], within(), quit()], "ok", "").with(opportunistic),
        case("s22 AUTH is gone", [before, starts, vec![Hear("EHLO"), Say("250 a\r\n")], quit()], "auth_failed", "rejected").with(auth),
    ] {
        case.check().await;
    }
}
