//! Is this message one of ours?
//!
//! It carries a number that nobody can guess and a proof that this very process has issued it, so
//! that no forged message counts as delivered. What becomes of it is not known here.

use std::fmt;
use std::sync::OnceLock;

use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

/// What tells one message from every other.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Token(u128);

/// The system gives no random numbers, so that no message can be told from another.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random number to tell the message by")]
pub(crate) struct NoRandomness;

impl Token {
    /// Issues a token: 128 random bits.
    pub(crate) fn fresh() -> Result<Self, NoRandomness> {
        let mut random = [0; 16];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| NoRandomness)?;
        if KEY.get().is_none() {
            let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
            // Somebody else may have been faster; one key is as good as another.
            _ = KEY.set(key.map_err(|_| NoRandomness)?);
        }
        Ok(Self(u128::from_be_bytes(random)))
    }

    /// Reads a token back; `None` if this process has not issued it.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != LENGTH || !is_hex(text) {
            return None;
        }
        let (number, proof) = text.split_at(LENGTH_OF_NUMBER);
        let token = Self(u128::from_str_radix(number, 16).ok()?);
        let proof = u64::from_str_radix(proof, 16).ok()?;
        // Two numbers compare in one step, so that how long it takes tells nothing.
        (token.proof(KEY.get()?) == proof).then_some(token)
    }

    /// Finds a token in the header of a message, with line ends of any kind. Looks at no more than a
    /// few fields of the name, for somebody may have put many there.
    pub(crate) fn within(header: &[u8]) -> Option<Self> {
        let values = header
            .split(|byte| *byte == b'\n')
            // An empty line ends the header.
            .take_while(|line| !line.trim_ascii().is_empty())
            .filter_map(|line| {
                let (name, value) = line.split_at_checked(FIELD.len())?;
                let value = value.strip_prefix(b":")?;
                name.eq_ignore_ascii_case(FIELD.as_bytes()).then_some(value)
            });
        values
            .take(MOST_FIELDS)
            .find_map(|value| Self::read(value.trim_ascii()))
    }

    /// The first half of the HMAC (RFC 2104) of the number, of which 64 bits are kept.
    fn proof(self, key: &hmac::Key) -> u64 {
        let tag = hmac::sign(key, &self.0.to_be_bytes());
        let begin = tag.as_ref().first_chunk().expect("it has 32 octets");
        u64::from_be_bytes(*begin)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proof = KEY.get().map_or(0, |key| self.proof(key));
        write!(f, "{:032x}{proof:016x}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without its proof, for whoever has that can forge a delivery.
        write!(f, "Token({:032x}…)", self.0)
    }
}

/// The field that carries it.
pub(crate) const FIELD: &str = "X-Probe-Id";
/// Hexadecimal digits of the number, and with those of its proof.
const LENGTH_OF_NUMBER: usize = 32;
const LENGTH: usize = LENGTH_OF_NUMBER + 16;
const MOST_FIELDS: usize = 8;

/// Made when the first token is issued, and gone with the process.
static KEY: OnceLock<hmac::Key> = OnceLock::new();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_issued_here_is_read_back() {
        let token = Token::fresh().unwrap();
        let text = token.to_string();
        assert_eq!(text.len(), LENGTH);
        assert_eq!(Token::read(text.as_bytes()), Some(token));
        assert_ne!(Token::fresh().unwrap(), token);
        for at in 0..LENGTH {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(Token::read(&other), None, "digit {at}");
        }
        for wrong in [
            "",
            &text[1..],
            &text
                .to_uppercase()
                .replace(|c: char| c.is_ascii_digit(), "A"),
            &format!("{text}0"),
            &format!("+{}", &text[1..]),
            &"0".repeat(LENGTH),
        ] {
            assert_eq!(Token::read(wrong.as_bytes()), None, "{wrong}");
        }
        assert!(!format!("{token:?}").contains(&text[LENGTH_OF_NUMBER..]));
    }

    #[test]
    fn header_is_searched_and_the_text_is_not() {
        let token = Token::fresh().unwrap();
        let check = |header: &str, expected: bool| {
            let header = header.replace("TOKEN", &token.to_string());
            let found = Token::within(header.as_bytes());
            assert_eq!(found, expected.then_some(token), "{header:?}");
        };
        check("From: a@b\r\nX-Probe-Id: TOKEN\r\n\r\nText", true);
        check("From: a@b\nx-probe-id:TOKEN \nTo: c@d\n\n", true);
        check("X-Probe-Id: nonsense\nX-Probe-Id: TOKEN\n", true);
        check(
            &format!("{}X-Probe-Id: TOKEN\n", "X-Probe-Id: a\n".repeat(8)),
            false,
        );
        check("From: a@b\r\n\r\nX-Probe-Id: TOKEN\r\n", false);
        check("From: a@b\n \nX-Probe-Id: TOKEN\n", false);
        check("X-Probe-Id TOKEN\n", false);
        check("X-Probe-Ids: TOKEN\n", false);
        check("X-Probe-Id: TOKEN, TOKEN\n", false);
        check("X-Probe-Id:\n", false);
        check("X-Probe", false);
        check("", false);
    }
}
