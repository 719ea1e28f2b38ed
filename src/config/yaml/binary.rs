//! Which bytes does a `!!binary` value stand for?

/// Decodes base64 (RFC 4648, section 4); `None` if it is not that.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let letters: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    if !letters.len().is_multiple_of(4) {
        return None;
    }
    let padding = letters
        .iter()
        .rev()
        .take_while(|b| **b == b'=')
        .count()
        .min(2);
    let digits = &letters[..letters.len() - padding];
    let mut bytes = Vec::with_capacity(letters.len() / 4 * 3);
    for group in digits.chunks(4) {
        let mut bits = 0;
        for letter in group {
            let digit = ALPHABET.iter().position(|known| known == letter)?;
            bits = bits << 6 | digit as u32;
        }
        // Four digits hold three bytes; three hold two, and two hold one.
        bits <<= 6 * (4 - group.len());
        bytes.extend(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(bytes)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_vectors_of_rfc_4648_decode() {
        for (text, expected) in [
            ("", Some(&b""[..])),
            ("Zg==", Some(b"f")),
            ("Zm8=", Some(b"fo")),
            ("Zm9v", Some(b"foo")),
            ("Zm9v\n  Yg==\n", Some(b"foob")),
            ("/w==", Some(b"\xff")),
            ("Zg", None),
            ("Z===", None),
            ("Zm9*", None),
        ] {
            assert_eq!(decode(text).as_deref(), expected, "{text}");
        }
    }
}
