//! How is an exposition compressed without ever being whole?
//!
//! Chunk by chunk at level 1: a higher one costs several times the processor for a few per cent of
//! the bytes, and already level 1 costs about as much as writing the text.

use std::io::Write;
use std::mem;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Compresses chunks as they are asked for; together its items are one gzip file (RFC 1952).
#[derive(Debug)]
pub struct Gzip<I> {
    chunks: I,
    /// Gone once the trailer was given out.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl<I: Iterator<Item = Vec<u8>>> Gzip<I> {
    /// Compresses `chunks`.
    pub fn new(chunks: I) -> Self {
        Self {
            chunks,
            encoder: Some(GzEncoder::new(Vec::new(), Compression::fast())),
        }
    }
}

impl<I: Iterator<Item = Vec<u8>>> Iterator for Gzip<I> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut encoder = self.encoder.take()?;
        for chunk in &mut self.chunks {
            encoder.write_all(&chunk).expect(NEVER_FAILS);
            if encoder.get_ref().len() >= ENOUGH {
                let compressed = mem::take(encoder.get_mut());
                self.encoder = Some(encoder);
                return Some(compressed);
            }
        }
        Some(encoder.finish().expect(NEVER_FAILS))
    }
}

const NEVER_FAILS: &str = "a vector takes whatever is written to it";

/// How many bytes are worth a write to the reader. Small, because a chunk shrinks to a twentieth
/// and all that it takes to fill this is one stretch of work on the caller's thread.
const ENOUGH: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn what_is_compressed_in_chunks_unpacks_to_the_same_bytes() {
        let noise = |n: usize| -> Vec<u8> { (0..n).map(|_| fastrand::u8(..)).collect() };
        for chunks in [
            vec![],
            vec![vec![]],
            vec![noise(10), noise(100_000), noise(0), noise(70_000)],
            vec![b"probe_success 1\n".repeat(100_000); 3],
        ] {
            let packed: Vec<u8> = Gzip::new(chunks.clone().into_iter()).flatten().collect();
            let mut unpacked = Vec::new();
            GzDecoder::new(&*packed).read_to_end(&mut unpacked).unwrap();
            assert!(unpacked == chunks.concat(), "{} chunks", chunks.len());
        }
    }
}
