//! What does an answer say?
//!
//! Header and sections are read, and that each record can be written as text is made sure of. What
//! it is worth is for [`crate::judge`]. Where an answer says that it is truncated, a record cut in
//! the middle is the end of it (RFC 2181, section 9); anywhere else it is a mistake.

use std::fmt;
use std::ops::Range;

use hickory_proto::op::{Header, Query};
use hickory_proto::rr::Name;
use hickory_proto::serialize::binary::{BinDecodable as _, BinDecoder};

use crate::codes::{Class, Kind, Rcode};
use crate::text;

/// An answer that could be read.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The whole message.
    pub(crate) message: Vec<u8>,
    pub(crate) header: Header,
    /// With the upper bits that EDNS has.
    pub(crate) rcode: Rcode,
    /// In the order of [`Section::ALL`].
    pub(crate) sections: [Vec<Record>; 3],
}

/// A part of an answer (RFC 1035, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// What answers the question.
    Answer,
    /// Who has the say over it.
    Authority,
    /// What may be useful beside it; EDNS is here too.
    Additional,
}

/// A record; its data stays in the message, for names in it may point to others.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) owner: Name,
    pub(crate) kind: Kind,
    pub(crate) class: Class,
    pub(crate) ttl: u32,
    pub(crate) data: Range<usize>,
}

/// What cannot be read in an answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// Not even its header or question.
    #[error("its header or its question cannot be read")]
    Head,
    /// One of its records, counted from 1.
    #[error("record {number} of its {section} section cannot be read")]
    Record { section: Section, number: usize },
}

impl Answer {
    /// Reads a whole message.
    pub(crate) fn read(message: Vec<u8>) -> Result<Self, Malformed> {
        let mut decoder = BinDecoder::new(&message);
        let header = Header::read(&mut decoder).map_err(|_| Malformed::Head)?;
        for _ in 0..header.counts.queries {
            Query::read(&mut decoder).map_err(|_| Malformed::Head)?;
        }
        let counts = header.counts;
        let counts = [counts.answers, counts.authorities, counts.additionals];
        let mut sections = <[Vec<Record>; 3]>::default();
        'reading: for ((section, count), records) in
            Section::ALL.into_iter().zip(counts).zip(&mut sections)
        {
            for number in 1..=usize::from(count) {
                match Record::read(&mut decoder, &message) {
                    Some(record) => records.push(record),
                    None if header.truncation => break 'reading,
                    None => return Err(Malformed::Record { section, number }),
                }
            }
        }
        let upper = sections[2].iter().find(|record| record.kind == Kind::OPT);
        let upper = upper.map_or(0, |opt| (opt.ttl >> 24) as u16);
        let rcode = Rcode(upper << 4 | u16::from(header.response_code.low()));
        Ok(Self {
            message,
            header,
            rcode,
            sections,
        })
    }

    /// The records of a section.
    pub(crate) fn section(&self, section: Section) -> &[Record] {
        &self.sections[section as usize]
    }

    /// A record as text.
    pub(crate) fn text(&self, record: &Record) -> String {
        let mut text = String::with_capacity(64);
        let written = text::record(&self.message, record, &mut text);
        written.expect("it was written once, when the answer was read");
        text
    }

    /// The serial number of the zone, of the last SOA in the answer section (RFC 1035, section
    /// 3.3.13).
    pub(crate) fn serial(&self) -> Option<u32> {
        let records = self.section(Section::Answer).iter();
        let soa = records.rev().find(|record| record.kind == Kind::SOA)?;
        // Behind two names of any length are five numbers, of which it is the first.
        let numbers = self.message[soa.data.clone()].last_chunk::<20>()?;
        numbers.first_chunk::<4>().map(|n| u32::from_be_bytes(*n))
    }
}

impl Section {
    /// In their order in a message.
    pub(crate) const ALL: [Self; 3] = [Self::Answer, Self::Authority, Self::Additional];

    /// As the metrics call it.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Authority => "authority",
            Self::Additional => "additional",
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl Record {
    /// Reads the next record, if there is a whole one.
    fn read(decoder: &mut BinDecoder<'_>, message: &[u8]) -> Option<Self> {
        let owner = Name::read(decoder).ok()?;
        let kind = Kind(decoder.read_u16().ok()?.unverified());
        let class = Class(decoder.read_u16().ok()?.unverified());
        let ttl = decoder.read_u32().ok()?.unverified();
        let length = usize::from(decoder.read_u16().ok()?.unverified());
        let begin = decoder.index();
        decoder.read_slice(length).ok()?;
        let record = Self {
            owner,
            kind,
            class,
            ttl,
            data: begin..begin + length,
        };
        text::record(message, &record, &mut Nowhere).ok()?;
        Some(record)
    }
}

/// Takes text that nobody reads.
struct Nowhere;

impl fmt::Write for Nowhere {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A question for `a.test`, TXT CH, with what follows it.
    fn message(flags: [u8; 2], counts: [u8; 3], rest: &[u8]) -> Vec<u8> {
        let [answers, authorities, additionals] = counts;
        let mut message = vec![0, 7, flags[0], flags[1], 0, 1];
        message.extend([0, answers, 0, authorities, 0, additionals]);
        message.extend(b"\x01a\x04test\0\0\x10\0\x03");
        message.extend(rest);
        message
    }

    const A: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01";
    const OPT: &[u8] = b"\0\0\x29\x04\xd0\x01\0\x80\0\0\0";

    #[test]
    fn every_record_is_counted_where_it_stands() {
        let rest = [A, A, A, OPT].concat();
        let answer = Answer::read(message([0x84, 0], [2, 1, 1], &rest)).unwrap();
        let counts = Section::ALL.map(|section| answer.section(section).len());
        assert_eq!(counts, [2, 1, 1]);
        assert!(answer.header.authoritative && !answer.header.truncation);
        // 16 from EDNS.
        assert_eq!(answer.rcode.to_string(), "BADVERS");
        let text = answer.text(&answer.section(Section::Answer)[0]);
        assert_eq!(text, "a.test.\t60\tIN\tA\t127.0.0.1");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let whole = [A, A].concat();
        let cut = &whole[..whole.len() - 1];
        let record = |number| Malformed::Record {
            section: Section::Answer,
            number,
        };
        let too_long = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x05\x7f\0\0\x01\0";
        let forwards = b"\xc0\xff\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01";
        for (flags, rest, expected) in [
            ([0x80, 0], &whole[..], Ok(2)),
            ([0x80, 0], cut, Err(record(2))),
            ([0x82, 0], cut, Ok(1)),
            ([0x80, 0], too_long, Err(record(1))),
            ([0x80, 0], forwards, Err(record(1))),
        ] {
            let read = Answer::read(message(flags, [2, 0, 0], rest));
            let read = read.map(|answer| answer.section(Section::Answer).len());
            assert_eq!(read, expected, "{rest:?}");
        }
        assert_eq!(Answer::read(vec![0; 11]).err(), Some(Malformed::Head));
    }

    #[test]
    fn the_serial_is_that_of_the_zone() {
        let soa = |serial: u32| {
            let mut data = b"\x02ns\xc0\x0c\x03noc\xc0\x0c".to_vec();
            data.extend(serial.to_be_bytes());
            data.extend([0; 16]);
            let mut record = b"\xc0\x0c\0\x06\0\x01\0\0\0\x3c\0".to_vec();
            record.push(data.len() as u8);
            [record, data].concat()
        };
        for (rest, expected) in [
            (soa(1000), Some(1000)),
            (soa(u32::MAX), Some(u32::MAX)),
            (A.to_vec(), None),
        ] {
            let answer = Answer::read(message([0x80, 0], [1, 0, 0], &rest)).unwrap();
            assert_eq!(answer.serial(), expected);
        }
    }
}
