//! How are the fields of a record's data taken one after the other?

use std::ops::Range;

use hickory_proto::rr::Name;
use hickory_proto::serialize::binary::{BinDecodable as _, BinDecoder, Restrict};

use super::Malformed;

/// What is left of a record's data.
pub(super) struct Data<'a> {
    /// Ends where the data ends. What stands before can only be pointed to.
    decoder: BinDecoder<'a>,
}

impl<'a> Data<'a> {
    pub(super) fn of(message: &'a [u8], data: Range<usize>) -> Self {
        let decoder = BinDecoder::new(&message[..data.end]);
        Self {
            // A message has at most 65,535 bytes.
            decoder: decoder.clone(data.start as u16),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.decoder.is_empty()
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.bytes(N)?.try_into().map_err(|_| Malformed)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let bytes = self.decoder.read_slice(count);
        bytes.map(Restrict::unverified).map_err(|_| Malformed)
    }

    /// A string behind its length (RFC 1035, section 3.3).
    pub(super) fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u8()?;
        self.bytes(usize::from(length))
    }

    pub(super) fn name(&mut self) -> Result<Name, Malformed> {
        Name::read(&mut self.decoder).map_err(|_| Malformed)
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        let left = self.decoder.len();
        self.bytes(left).unwrap_or_default()
    }
}
