//! For each place the latest earlier place with the same four bytes: found for many places in a row, ahead of the parser, which
//! then never has to hash; and by three bytes the latest place that the parser asked about.
//!
//! A place is the number of a byte modulo 64 Ki. One that is long gone looks like a new one, and does no harm, for its bytes
//! are compared.

use super::ring::{RING, Ring};

// Edition 2026: every constant here.
const HASH_THREE: u32 = 15;
const HASH_FOUR: u32 = 17;
/// 2^32 divided by the golden ratio, made odd: the top bits of a product with it depend on all bits.
pub const HASH: u32 = 0x9e37_79b1;

/// The links, and for each hash the latest place that has it.
pub struct Links {
    latest_three: Box<[u16; 1 << HASH_THREE]>,
    latest_four: Box<[u16; 1 << HASH_FOUR]>,
    four: Box<[u16; RING]>,
}

impl Links {
    pub fn new() -> Self {
        Self {
            latest_three: Box::new([0; 1 << HASH_THREE]),
            latest_four: Box::new([0; 1 << HASH_FOUR]),
            four: Box::new([0; RING]),
        }
    }

    /// Starts a stream at byte number 0. Links need not be cleared: those before a place are made before it is asked for.
    pub fn clear(&mut self) {
        self.latest_three.fill(0);
        self.latest_four.fill(0);
    }

    /// Links the bytes `from..to` by four bytes.
    pub fn link(&mut self, ring: &Ring, from: usize, to: usize) {
        for at in from..to {
            let place = at as u16;
            let hash = (ring.four(place).wrapping_mul(HASH) >> (32 - HASH_FOUR)) as usize;
            self.four[usize::from(place)] = std::mem::replace(&mut self.latest_four[hash], place);
        }
    }

    /// The latest place before `place` whose four bytes have the same hash.
    #[inline(always)]
    pub fn four(&self, place: u16) -> u16 {
        self.four[usize::from(place)]
    }

    /// Notes a place by the first three of its `bytes`, and says which one was noted last with the same hash.
    #[inline(always)]
    pub fn note(&mut self, place: u16, bytes: u32) -> u16 {
        let hash = ((bytes << 8).wrapping_mul(HASH) >> (32 - HASH_THREE)) as usize;
        std::mem::replace(&mut self.latest_three[hash], place)
    }
}
