//! What is asked of a server that is to open a WebSocket, and did it?
//!
//! The opening handshake of RFC 6455, section 4.1, as fields of HTTP. Nothing is sent here.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::StatusCode;
use hyper::header::{
    CONNECTION, HeaderMap, HeaderValue, LOCATION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use leadsman_core::{Cause, Fault};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use ring::error::Unspecified;
use ring::rand::{SystemRandom, generate};

/// What is sent along, so that nobody who does not know what it is for can agree by accident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key(String);

impl Key {
    /// A fresh one.
    pub(crate) fn new() -> Result<Self, Unspecified> {
        let nonce: [u8; 16] = generate(&SystemRandom::new())?.expose();
        Ok(Self(BASE64_STANDARD.encode(nonce)))
    }

    /// Adds the fields that ask for a WebSocket.
    pub(crate) fn ask(&self, fields: &mut HeaderMap) {
        let key = HeaderValue::try_from(&self.0).expect("base64 has nothing that cannot be sent");
        fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
        fields.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        fields.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        fields.insert(SEC_WEBSOCKET_KEY, key);
    }

    /// Whether an answer opens a WebSocket; if it does not, why. `asked` are the fields that asked
    /// for it.
    pub(crate) fn opens(
        &self,
        status: StatusCode,
        answer: &HeaderMap,
        asked: &HeaderMap,
    ) -> Result<(), Fault> {
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let location = answer.get(LOCATION).filter(|_| status.is_redirection());
            let location = location.map_or_else(String::new, |location| {
                format!(" to {location:?}, which is not followed")
            });
            let detail = format!("no WebSocket: the server answers with {status}{location}");
            return Err(Fault::target(Cause::Rejected, detail));
        }
        let wrong = |detail: String| Err(Fault::target(Cause::Protocol, detail));
        if !has_word(answer, UPGRADE, "websocket") {
            return wrong("the server switches to something else than a WebSocket".to_owned());
        }
        if !has_word(answer, CONNECTION, "upgrade") {
            return wrong("the server switches without saying so in Connection".to_owned());
        }
        let accept = answer.get(SEC_WEBSOCKET_ACCEPT);
        if accept.is_none_or(|accept| accept.as_bytes() != self.accepted().as_bytes()) {
            let detail = match accept {
                Some(accept) => {
                    format!("Sec-WebSocket-Accept is {accept:?}, not what was asked for")
                }
                None => "the answer has no Sec-WebSocket-Accept".to_owned(),
            };
            return wrong(detail);
        }
        if let Some(extensions) = answer.get(SEC_WEBSOCKET_EXTENSIONS) {
            return wrong(format!(
                "the server uses the extension {extensions:?}, which was not offered"
            ));
        }
        if let Some(protocol) = answer.get(SEC_WEBSOCKET_PROTOCOL)
            && !words(asked, SEC_WEBSOCKET_PROTOCOL).any(|offered| offered == protocol.as_bytes())
        {
            return wrong(format!(
                "the server chooses the protocol {protocol:?}, which was not offered"
            ));
        }
        Ok(())
    }

    /// What a server that understands sends back.
    pub(crate) fn accepted(&self) -> String {
        let text = format!("{}{GUID}", self.0);
        BASE64_STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
    }
}

/// Whether a word stands in a field, in upper or lower case.
fn has_word(fields: &HeaderMap, name: hyper::header::HeaderName, word: &str) -> bool {
    words(fields, name).any(|found| found.eq_ignore_ascii_case(word.as_bytes()))
}

/// The elements of a list (RFC 9110, section 5.6.1).
fn words(fields: &HeaderMap, name: hyper::header::HeaderName) -> impl Iterator<Item = &[u8]> {
    let values = fields.get_all(name).into_iter();
    let words = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    words.map(<[u8]>::trim_ascii)
}

/// The same for everybody (RFC 6455, section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 6455, section 1.3.
    fn key() -> Key {
        Key("dGhlIHNhbXBsZSBub25jZQ==".to_owned())
    }

    #[test]
    fn a_key_is_answered_as_the_rfc_shows() {
        assert_eq!(key().accepted(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let (one, other) = (Key::new().unwrap(), Key::new().unwrap());
        assert_ne!(one, other);
        assert_eq!(BASE64_STANDARD.decode(one.0).unwrap().len(), 16);
    }

    #[test]
    fn a_websocket_is_open_only_if_every_field_says_so() {
        const GOOD: [(&str, &str); 3] = [
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ];
        for (status, changed, expected) in [
            (101, ("x", ""), "good"),
            (101, ("sec-websocket-protocol", "chat"), "good"),
            (
                200,
                ("x", ""),
                "rejected: no WebSocket: the server answers with 200 OK",
            ),
            (
                302,
                ("location", "/\u{e9}"),
                "rejected: no WebSocket: the server answers with 302 Found to \"/\\xc3\\xa9\", \
                 which is not followed",
            ),
            (
                101,
                ("upgrade", "h2c"),
                "protocol: the server switches to something else than a WebSocket",
            ),
            (
                101,
                ("connection", "keep-alive"),
                "protocol: the server switches without saying so in Connection",
            ),
            (
                101,
                ("sec-websocket-accept", "nonsense"),
                "protocol: Sec-WebSocket-Accept is \"nonsense\", not what was asked for",
            ),
            (
                101,
                ("sec-websocket-extensions", "permessage-deflate"),
                "protocol: the server uses the extension \"permessage-deflate\", which was not \
                 offered",
            ),
            (
                101,
                ("sec-websocket-protocol", "mail"),
                "protocol: the server chooses the protocol \"mail\", which was not offered",
            ),
        ] {
            let mut answer = HeaderMap::new();
            for (name, value) in GOOD.into_iter().chain([changed]) {
                answer.insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            let mut asked = HeaderMap::new();
            asked.insert(
                SEC_WEBSOCKET_PROTOCOL,
                HeaderValue::from_static("news, chat"),
            );
            let opened = key().opens(status.try_into().unwrap(), &answer, &asked);
            let said = match opened {
                Ok(()) => "good".to_owned(),
                Err(fault) => format!("{}: {fault}", fault.reason()),
            };
            assert_eq!(said, expected, "{changed:?}");
        }
        let none = key().opens(
            101_u16.try_into().unwrap(),
            &HeaderMap::new(),
            &HeaderMap::new(),
        );
        assert_eq!(none.unwrap_err().reason(), "protocol");
    }
}
