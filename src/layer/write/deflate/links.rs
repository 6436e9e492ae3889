//! For each place the latest earlier place with the same bytes: found for many places in a row, ahead of the parser, which
//! then never has to hash.
//!
//! A place is the number of a byte modulo 64 Ki. One that is long gone would look like a new one; `forget` comes before that.

use super::WINDOW;
use super::ring::{RING, Ring};

const HASH_THREE: u32 = 15;
const HASH_FOUR: u32 = 16;

/// The links, and for each hash the latest place that has it.
pub struct Links {
    latest_three: Box<[u16; 1 << HASH_THREE]>,
    latest_four: Box<[u16; 1 << HASH_FOUR]>,
    three: Box<[u16; WINDOW]>,
    four: Box<[u16; RING]>,
}

/// 2^32 divided by the golden ratio, made odd: the top bits of a product with it depend on all bits. Edition 2026.
pub const HASH: u32 = 0x9e37_79b1;

impl Links {
    pub fn new() -> Self {
        Self {
            latest_three: Box::new([0; 1 << HASH_THREE]),
            latest_four: Box::new([0; 1 << HASH_FOUR]),
            three: Box::new([0; WINDOW]),
            four: Box::new([0; RING]),
        }
    }

    /// Starts a stream at byte number 0. Links need not be cleared: those before a place are made before it is asked for.
    pub fn clear(&mut self) {
        self.latest_three.fill(0);
        self.latest_four.fill(0);
    }

    /// Links the bytes `from..to`, less than 64 Ki less the window, or the first of a stream and less than 64 Ki.
    pub fn link(&mut self, ring: &Ring, from: usize, to: usize) {
        forget(&mut self.latest_three[..], from as u16);
        forget(&mut self.latest_four[..], from as u16);
        for at in from..to {
            let place = at as u16;
            let bytes = ring.four(place);
            let three = ((bytes << 8).wrapping_mul(HASH) >> (32 - HASH_THREE)) as usize;
            let four = (bytes.wrapping_mul(HASH) >> (32 - HASH_FOUR)) as usize;
            self.three[usize::from(place) % WINDOW] = std::mem::replace(&mut self.latest_three[three], place);
            self.four[usize::from(place)] = std::mem::replace(&mut self.latest_four[four], place);
        }
    }

    /// The latest place before `place` whose three bytes have the same hash.
    #[inline(always)]
    pub fn three(&self, place: u16) -> u16 {
        self.three[usize::from(place) % WINDOW]
    }

    /// The latest place before `place` whose four bytes have the same hash.
    #[inline(always)]
    pub fn four(&self, place: u16) -> u16 {
        self.four[usize::from(place)]
    }
}

/// Moves places that are out of the window of `now` to its edge, where they stay out of it until they are moved again.
#[inline(never)]
fn forget(places: &mut [u16], now: u16) {
    for place in places {
        *place = now.wrapping_sub(now.wrapping_sub(*place).min(WINDOW as u16 + 1));
    }
}
