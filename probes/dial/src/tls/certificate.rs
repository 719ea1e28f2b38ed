//! What does a certificate say, in the words of `blackbox_exporter`'s labels?
//!
//! Names are written as Go's `pkix.Name` does, for alerts may match on them: a fixed order of
//! attributes, whatever their order in the certificate, and no blank behind a comma.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};
use serde::Serialize;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use x509_parser::x509::X509Name;

/// What one certificate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Whom it is for.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Its DNS names (RFC 5280, section 4.2.1.6), with commas between them.
    pub dns_names: String,
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// SHA-256 of the whole, hexadecimal.
    pub fingerprint: String,
    /// From when it is valid, in Unix time.
    pub not_before: i64,
    /// Until when it is valid, in Unix time.
    pub not_after: i64,
}

impl Certificate {
    /// Reads a certificate in DER; `None` if that is beyond reading.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.iter().flat_map(|names| &names.value.general_names);
        let names: Vec<_> = names
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(*name),
                _ => None,
            })
            .collect();
        let serial = certificate.raw_serial();
        let zeros = serial.iter().take_while(|byte| **byte == 0).count();
        Some(Self {
            subject: distinguished(certificate.subject()),
            issuer: distinguished(certificate.issuer()),
            dns_names: names.join(","),
            serial: hexadecimal(&serial[zeros..]),
            fingerprint: hexadecimal(digest(&SHA256, der).as_ref()),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
        })
    }
}

/// Attributes with a short name, in the order in which they are written.
const ATTRIBUTES: [(&str, &str); 9] = [
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.3", "CN"),
    ("2.5.4.17", "POSTALCODE"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.8", "ST"),
    ("2.5.4.7", "L"),
    ("2.5.4.11", "OU"),
    ("2.5.4.10", "O"),
    ("2.5.4.6", "C"),
];

/// A distinguished name (RFC 2253) in Go's order; values of one kind are joined with a plus sign.
fn distinguished(name: &X509Name<'_>) -> String {
    let attributes = name.iter_attributes();
    let attributes: Vec<_> = attributes
        .map(|attribute| (attribute.attr_type().to_id_string(), attribute))
        .collect();
    let values = |oid: &str| -> Vec<String> {
        let of_kind = attributes.iter().filter(|(kind, _)| kind == oid);
        of_kind
            .map(|(_, attribute)| match attribute.as_str() {
                Ok(text) => escaped(text),
                Err(_) => format!("#{}", hexadecimal(attribute.attr_value().data)),
            })
            .collect()
    };
    let mut parts = Vec::new();
    for (oid, short) in ATTRIBUTES {
        let values = values(oid)
            .into_iter()
            .map(|value| format!("{short}={value}"));
        let joined = values.collect::<Vec<_>>().join("+");
        parts.extend((!joined.is_empty()).then_some(joined));
    }
    // Go writes all others last, the last one first, by number and in DER.
    let others = attributes.iter().filter_map(|(oid, attribute)| {
        let known = ATTRIBUTES.iter().any(|(known, _)| known == oid);
        let value = attribute.attr_value();
        (!known).then(|| {
            let length = value.data.len();
            let header = match length {
                0..128 => vec![value.header.tag().0 as u8, length as u8],
                128..256 => vec![value.header.tag().0 as u8, 0x81, length as u8],
                _ => vec![
                    value.header.tag().0 as u8,
                    0x82,
                    (length >> 8) as u8,
                    length as u8,
                ],
            };
            format!("{oid}=#{}{}", hexadecimal(&header), hexadecimal(value.data))
        })
    });
    let mut others: Vec<_> = others.collect();
    others.reverse();
    parts.extend(others);
    parts.join(",")
}

/// A value with what RFC 2253, section 2.4, wants escaped.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        let special = matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';');
        if special || (at == 0 && matches!(c, ' ' | '#')) || (at == last && c == ' ') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes whatever is written to it");
        text
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SerialNumber};

    use super::*;

    #[test]
    fn names_are_written_in_a_fixed_order_and_escaped() {
        fn check(attributes: &[(DnType, &str)], expected: &str) {
            let mut params = CertificateParams::new(["b.test".into(), "a.test".into()]).unwrap();
            params.distinguished_name = rcgen::DistinguishedName::new();
            for (kind, value) in attributes {
                params.distinguished_name.push(kind.clone(), *value);
            }
            params.serial_number = Some(SerialNumber::from_slice(&[0x00, 0x0a, 0xff]));
            let key = KeyPair::generate().unwrap();
            let certificate = params.self_signed(&key).unwrap();
            let read = Certificate::read(certificate.der()).unwrap();
            assert_eq!(read.subject, expected);
            assert_eq!(read.issuer, expected);
            assert_eq!(read.dns_names, "b.test,a.test");
            assert_eq!(read.serial, "0aff");
            assert_eq!(read.fingerprint.len(), 64);
            assert!(read.not_before < read.not_after);
        }
        let email = DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]);
        check(&[], "");
        check(&[(DnType::CommonName, "a.test")], "CN=a.test");
        check(
            &[
                (DnType::CountryName, "DE"),
                (DnType::OrganizationName, "A, B"),
                (DnType::CommonName, "#x+y "),
            ],
            r"CN=\#x\+y\ ,O=A\, B,C=DE",
        );
        check(
            &[(email, "a@b"), (DnType::LocalityName, "X")],
            "L=X,1.2.840.113549.1.9.1=#0c03614062",
        );
    }

    #[test]
    fn bytes_that_are_no_certificate_are_none() {
        for bytes in [&b""[..], b"x", &[0x30, 0x82, 0xff, 0xff]] {
            assert_eq!(Certificate::read(bytes), None);
        }
    }
}
