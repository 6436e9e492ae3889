//! gzip with several members, of which flate2 decodes one at a time.
//!
//! Its own multi-member reader takes zeros after the last member, with which tapes and some mirrors pad, for a broken
//! one.

use super::Oddities;
use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, BufReader, Read};

/// A reader of all members; between two of them, and after the last, `member` is none.
pub(super) struct Gzip<R> {
    member: Option<GzDecoder<BufReader<R>>>,
    pub(super) oddities: Oddities,
}

impl<R: Read> Gzip<R> {
    pub(super) fn new(reader: BufReader<R>) -> Self {
        Self { member: Some(GzDecoder::new(reader)), oddities: Oddities::default() }
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let n = member.read(buf)?;
            if n > 0 {
                return Ok(n);
            }
            let Some(member) = self.member.take() else { break };
            let mut rest = member.into_inner();
            match rest.fill_buf()? {
                [] => break,
                [0x1f, ..] => {
                    self.oddities.members = true;
                    self.member = Some(GzDecoder::new(rest));
                }
                _ => {
                    only_zeros(rest)?;
                    self.oddities.zeros = true;
                }
            }
        }
        Ok(0)
    }
}

fn only_zeros(mut rest: impl BufRead) -> io::Result<()> {
    loop {
        let bytes = rest.fill_buf()?;
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.iter().any(|&b| b != 0) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "something else follows the last member"));
        }
        let n = bytes.len();
        rest.consume(n);
    }
}
