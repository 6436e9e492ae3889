//! Bytes to tokens in a hurry: the better of the two latest places with the same four bytes, and no second thoughts.

use super::WINDOW;
use super::links::HASH;
use super::ring::Ring;
use super::token::{MAX, MIN, Span, Tokens};

// Edition 2026: every constant here.
const HASH_BITS: u32 = 14;
/// The shortest match.
const SHORTEST: u32 = 4;
/// After so many literals in a row (as a shift) a place is left out, after twice as many two, but never more than `LEAP`.
const PATIENCE: u32 = 6;
const LEAP: usize = 31;

/// By hash of four bytes the two latest places, the latest in the lower half. One that is long gone looks like a new one,
/// and does no harm, for its bytes are compared.
pub struct Table(Box<[u32; 1 << HASH_BITS]>);

impl Table {
    pub fn new() -> Self {
        Self(Box::new([0; 1 << HASH_BITS]))
    }

    /// Starts a stream at byte number 0.
    pub fn clear(&mut self) {
        self.0.fill(0);
    }

    /// Notes a place with its bytes, and says which two were there.
    #[inline(always)]
    fn replace(&mut self, bytes: u32, place: u16) -> [u16; 2] {
        let bucket = &mut self.0[(bytes.wrapping_mul(HASH) >> (32 - HASH_BITS)) as usize];
        let before = *bucket;
        *bucket = before << 16 | u32::from(place);
        [before as u16, (before >> 16) as u16]
    }

    /// Notes the bytes `from..to`.
    #[inline(always)]
    pub fn note(&mut self, ring: &Ring, from: usize, to: usize) {
        for at in from..to {
            let place = at as u16;
            self.replace(ring.four(place), place);
        }
    }

    /// Parses the bytes of `span` into `tokens`, and says which byte comes next.
    #[inline(never)]
    pub fn parse(&mut self, ring: &Ring, span: Span, tokens: &mut Tokens) -> usize {
        let limit = span.limit.min(span.end.saturating_sub(MIN));
        let mut at = span.at;
        while at < limit {
            let place = at as u16;
            let reach = at.min(WINDOW) as u16;
            let here = ring.eight(place);
            let [near, far] = self.replace(here as u32, place).map(|candidate| {
                let back = place.wrapping_sub(candidate).wrapping_sub(1);
                let same = (here ^ ring.eight(candidate)).trailing_zeros() / 8;
                (if back < reach { same } else { 0 }, back)
            });
            let (same, mut back) = if far.0 > near.0 { far } else { near };
            if same < SHORTEST {
                // The longer there was nothing, the less is to be expected.
                at = at.wrapping_add(1).wrapping_add((tokens.run(at) >> PATIENCE).min(LEAP));
                continue;
            }
            let max = MAX.min(span.end.wrapping_sub(at));
            let mut length = max.min(same as usize);
            if same == 8 {
                let longer = |back: u16| ring.common(8, place.wrapping_sub(back).wrapping_sub(1), place, max);
                length = longer(back);
                if near.0 == 8 && far.0 == 8 {
                    let other = longer(far.1);
                    if other > length {
                        (length, back) = (other, far.1);
                    }
                }
            }
            tokens.add(at, length, back);
            let next = at.wrapping_add(length);
            // Always four, for a loop that ends now here and now there costs more than it finds.
            for at in [at.wrapping_add(1), at.wrapping_add(2), next.wrapping_sub(2), next.wrapping_sub(1)] {
                self.note(ring, at, at.wrapping_add(1));
            }
            at = next;
        }
        at
    }
}
