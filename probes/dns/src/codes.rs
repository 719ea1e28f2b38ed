//! Which number has which name in a DNS message?
//!
//! Types, classes and codes of answers as IANA registers them, in the spelling of
//! `blackbox_exporter`. What has no name is written as RFC 3597, section 5, has it.

use std::fmt;

/// The type of a record or a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind(pub(crate) u16);

/// The class of a record or a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(pub(crate) u16);

/// What an answer says came of its question, with the upper bits of EDNS (RFC 6891, section 6.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rcode(pub(crate) u16);

impl Kind {
    pub(crate) const SOA: Self = Self(6);
    pub(crate) const OPT: Self = Self(41);
    pub(crate) const ANY: Self = Self(255);

    /// The type of this name, in any case, or `TYPE` and a number.
    pub(crate) fn named(name: &str) -> Option<Self> {
        number(KINDS, "TYPE", name).map(Self)
    }
}

impl Class {
    pub(crate) const IN: Self = Self(1);

    /// The class of this name, in any case, or `CLASS` and a number.
    pub(crate) fn named(name: &str) -> Option<Self> {
        number(CLASSES, "CLASS", name).map(Self)
    }
}

impl Rcode {
    pub(crate) const NO_ERROR: Self = Self(0);

    /// The code of this name, in any case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        number(RCODES, "RCODE", name).map(Self)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, KINDS, "TYPE", self.0)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, CLASSES, "CLASS", self.0)
    }
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, RCODES, "RCODE", self.0)
    }
}

fn number(names: &[(u16, &str)], prefix: &str, name: &str) -> Option<u16> {
    let mut names = names.iter();
    let known = names.find(|(_, known)| known.eq_ignore_ascii_case(name));
    let rest = || {
        let (start, rest) = name.split_at_checked(prefix.len())?;
        let is_number = rest.bytes().all(|byte| byte.is_ascii_digit());
        let rest = rest.parse().ok().filter(|_| is_number)?;
        start.eq_ignore_ascii_case(prefix).then_some(rest)
    };
    known.map(|(number, _)| *number).or_else(rest)
}

fn write(
    f: &mut fmt::Formatter<'_>,
    names: &[(u16, &str)],
    prefix: &str,
    number: u16,
) -> fmt::Result {
    // The first is the usual name where there are several.
    match names.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => f.pad(name),
        None => write!(f, "{prefix}{number}"),
    }
}

#[rustfmt::skip]
const KINDS: &[(u16, &str)] = &[
    (1, "A"), (2, "NS"), (3, "MD"), (4, "MF"), (5, "CNAME"), (6, "SOA"), (7, "MB"), (8, "MG"), (9, "MR"),
    (10, "NULL"), (11, "WKS"), (12, "PTR"), (13, "HINFO"), (14, "MINFO"), (15, "MX"), (16, "TXT"), (17, "RP"),
    (18, "AFSDB"), (19, "X25"), (20, "ISDN"), (21, "RT"), (22, "NSAP"), (23, "NSAP-PTR"), (24, "SIG"),
    (25, "KEY"), (26, "PX"), (27, "GPOS"), (28, "AAAA"), (29, "LOC"), (30, "NXT"), (31, "EID"),
    (32, "NIMLOC"), (33, "SRV"), (34, "ATMA"), (35, "NAPTR"), (36, "KX"), (37, "CERT"), (39, "DNAME"),
    (41, "OPT"), (42, "APL"), (43, "DS"), (44, "SSHFP"), (45, "IPSECKEY"), (46, "RRSIG"), (47, "NSEC"),
    (48, "DNSKEY"), (49, "DHCID"), (50, "NSEC3"), (51, "NSEC3PARAM"), (52, "TLSA"), (53, "SMIMEA"),
    (55, "HIP"), (56, "NINFO"), (57, "RKEY"), (58, "TALINK"), (59, "CDS"), (60, "CDNSKEY"),
    (61, "OPENPGPKEY"), (62, "CSYNC"), (63, "ZONEMD"), (64, "SVCB"), (65, "HTTPS"), (99, "SPF"),
    (100, "UINFO"), (101, "UID"), (102, "GID"), (103, "UNSPEC"), (104, "NID"), (105, "L32"), (106, "L64"),
    (107, "LP"), (108, "EUI48"), (109, "EUI64"), (128, "NXNAME"), (249, "TKEY"), (250, "TSIG"),
    (251, "IXFR"), (252, "AXFR"), (253, "MAILB"), (254, "MAILA"), (255, "ANY"), (256, "URI"), (257, "CAA"),
    (258, "AVC"), (260, "AMTRELAY"), (32768, "TA"), (32769, "DLV"),
];

const CLASSES: &[(u16, &str)] = &[
    (1, "IN"),
    (2, "CS"),
    (3, "CH"),
    (4, "HS"),
    (254, "NONE"),
    (255, "ANY"),
];

#[rustfmt::skip]
const RCODES: &[(u16, &str)] = &[
    (0, "NOERROR"), (1, "FORMERR"), (2, "SERVFAIL"), (3, "NXDOMAIN"), (4, "NOTIMP"), (4, "NOTIMPL"),
    (5, "REFUSED"), (6, "YXDOMAIN"), (7, "YXRRSET"), (8, "NXRRSET"), (9, "NOTAUTH"), (10, "NOTZONE"),
    (11, "DSOTYPENI"), (16, "BADVERS"), (16, "BADSIG"), (17, "BADKEY"), (18, "BADTIME"), (19, "BADMODE"),
    (20, "BADNAME"), (21, "BADALG"), (22, "BADTRUNC"), (23, "BADCOOKIE"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_to_each_other() {
        for (name, expected) in [
            ("A", Some(1)),
            ("https", Some(65)),
            ("NSAP-PTR", Some(23)),
            ("TYPE65280", Some(65280)),
            ("type1", Some(1)),
            ("TYPE65536", None),
            ("TYPE+1", None),
            ("TYPE", None),
            ("X", None),
            ("\u{fc}ber", None),
            ("", None),
        ] {
            assert_eq!(Kind::named(name).map(|kind| kind.0), expected, "{name}");
        }
        for number in 0..=u16::MAX {
            assert_eq!(Kind::named(&Kind(number).to_string()), Some(Kind(number)));
            assert_eq!(
                Class::named(&Class(number).to_string()),
                Some(Class(number))
            );
            assert_eq!(
                Rcode::named(&Rcode(number).to_string()),
                Some(Rcode(number))
            );
        }
    }
}
