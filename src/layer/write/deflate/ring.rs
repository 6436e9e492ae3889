//! The bytes in sight: the last 64 KiB put in, in a ring that is read without a bounds check.
//!
//! A place is a `u16`, the number of a byte modulo 64 Ki, so every place is in the ring. Window and bytes to come together
//! must fit; who puts them in sees to it.

/// Bytes in the ring.
pub const RING: usize = 1 << 16;
/// The first bytes stand once more behind the last, so that eight can be loaded at every place.
const MIRROR: usize = 8;

/// The ring.
pub struct Ring(Box<[u8; RING + MIRROR]>);

impl Ring {
    pub fn new() -> Self {
        Self(Box::new([0; RING + MIRROR]))
    }

    /// Writes `bytes`, at most a whole ring, from byte number `at` on.
    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        let start = at % RING;
        let (first, second) = bytes.split_at(bytes.len().min(RING - start));
        for (target, bytes) in [(start, first), (0, second)] {
            if let Some(target) = self.0.get_mut(target..target + bytes.len()) {
                target.copy_from_slice(bytes);
            }
        }
        self.0.copy_within(..MIRROR, RING);
    }

    /// The eight bytes at `place`, the first one lowest.
    #[inline(always)]
    pub fn eight(&self, place: u16) -> u64 {
        let place = usize::from(place);
        u64::from_le_bytes(self.0[place..place + 8].try_into().unwrap_or_default())
    }

    /// The four bytes at `place`, the first one lowest.
    #[inline(always)]
    pub fn four(&self, place: u16) -> u32 {
        let place = usize::from(place);
        u32::from_le_bytes(self.0[place..place + 4].try_into().unwrap_or_default())
    }

    /// How many bytes at `a` are those at `b`, at most `max`, given that the first `known` are.
    #[inline(always)]
    pub fn common(&self, known: usize, a: u16, b: u16, max: usize) -> usize {
        let mut n = known;
        while n < max {
            let step = n as u16;
            let differ = self.eight(a.wrapping_add(step)) ^ self.eight(b.wrapping_add(step));
            if differ != 0 {
                return max.min(n.wrapping_add((differ.trailing_zeros() / 8) as usize));
            }
            n = n.wrapping_add(8);
        }
        max
    }
}
