//! In which coding does a body come, and how is that taken off?

use std::io::{self, Read};

use brotli_decompressor::Decompressor;
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A coding of a body (RFC 9110, section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compression {
    /// gzip (RFC 1952).
    Gzip,
    /// Brotli (RFC 7932).
    Br,
    /// Raw DEFLATE (RFC 1951), without the frame of zlib that RFC 9110 asks for, as Go has it.
    Deflate,
    /// None.
    Identity,
}

impl Compression {
    /// Its name in `Accept-Encoding`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Br => "br",
            Self::Deflate => "deflate",
            Self::Identity => "identity",
        }
    }

    /// Takes the coding off, but stops after `most` bytes and one, which is too many.
    pub(crate) fn decode(self, body: &[u8], most: u64) -> io::Result<Vec<u8>> {
        let mut decoded = Vec::new();
        let most = most.saturating_add(1);
        match self {
            Self::Gzip => MultiGzDecoder::new(body)
                .take(most)
                .read_to_end(&mut decoded),
            Self::Deflate => DeflateDecoder::new(body)
                .take(most)
                .read_to_end(&mut decoded),
            Self::Br => Decompressor::new(body, 4096)
                .take(most)
                .read_to_end(&mut decoded),
            Self::Identity => body.take(most).read_to_end(&mut decoded),
        }?;
        Ok(decoded)
    }
}

/// Whether the content of a field `Accept-Encoding` accepts a coding (RFC 9110, section 12.5.3).
pub(crate) fn accepts(field: &str, coding: &str) -> bool {
    let weight_of = |wanted: &str| {
        field.split(',').find_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            let weight = weight.map_or(Some(1.0), |weight| weight.parse::<f64>().ok());
            name.eq_ignore_ascii_case(wanted)
                .then(|| weight.unwrap_or(0.0))
        })
    };
    let weight = weight_of(coding).or_else(|| weight_of("*"));
    weight.unwrap_or(0.0) > 0.0
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression as Level;
    use flate2::write::{DeflateEncoder, GzEncoder};

    use super::*;

    #[test]
    fn a_coding_is_accepted_by_name_or_star_unless_its_weight_is_zero() {
        for (field, coding, expected) in [
            ("gzip", "gzip", true),
            ("GZIP", "gzip", true),
            ("br, gzip;q=0.5", "gzip", true),
            ("br ; q=0 , gzip", "br", false),
            ("*", "gzip", true),
            ("*;q=0.0", "gzip", false),
            ("gzip;q=0, *", "gzip", false),
            ("deflate", "gzip", false),
            ("", "gzip", false),
            ("gzip;q=x", "gzip", false),
        ] {
            assert_eq!(accepts(field, coding), expected, "{field:?} {coding}");
        }
    }

    #[test]
    fn a_body_is_decoded_up_to_one_byte_too_many() {
        let body = [b'a'; 1000];
        let mut gzip = GzEncoder::new(Vec::new(), Level::fast());
        gzip.write_all(&body).unwrap();
        let gzip = gzip.finish().unwrap();
        let mut deflate = DeflateEncoder::new(Vec::new(), Level::fast());
        deflate.write_all(&body).unwrap();
        let deflate = deflate.finish().unwrap();
        for (coding, coded, most, expected) in [
            (Compression::Gzip, &gzip[..], 5000, Some(1000)),
            (Compression::Gzip, &gzip, 1000, Some(1000)),
            (Compression::Gzip, &gzip, 100, Some(101)),
            (Compression::Gzip, &gzip[..20], 5000, None),
            (Compression::Gzip, &deflate, 5000, None),
            (Compression::Deflate, &deflate, 5000, Some(1000)),
            (Compression::Deflate, &gzip, 5000, None),
            (Compression::Br, &gzip, 5000, None),
            // A stream that Brotli ends at once (RFC 7932, section 9.2).
            (Compression::Br, &[0x06], 5000, Some(0)),
            (Compression::Identity, &body, 5000, Some(1000)),
        ] {
            let decoded = coding.decode(coded, most).ok().map(|body| body.len());
            assert_eq!(decoded, expected, "{coding:?} {most}");
        }
    }
}
