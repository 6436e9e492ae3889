//! Bits to bytes, the first bit lowest (RFC 1951 section 3.1.1).

/// A writer of bits. It grows as it is filled, and keeps its room.
#[derive(Default)]
pub struct Bits {
    /// What is written, and room behind it.
    bytes: Vec<u8>,
    /// How much is written.
    at: usize,
    /// Bits not yet written, and how many: fewer than eight after `flush`.
    held: u64,
    count: u32,
}

impl Bits {
    /// Takes the lowest `count` bits of `bits`, whose others are 0. At most 56.
    #[inline(always)]
    fn add(&mut self, bits: u64, count: u32) {
        self.held |= bits << (self.count & 63);
        self.count = self.count.wrapping_add(count);
    }

    /// Writes what makes whole bytes.
    #[inline(always)]
    fn flush(&mut self) {
        let Some(target) = self.bytes.get_mut(self.at..).and_then(|rest| rest.first_chunk_mut()) else {
            return self.grow();
        };
        *target = self.held.to_le_bytes();
        self.at = self.at.wrapping_add((self.count >> 3) as usize);
        self.held >>= self.count & 56;
        self.count &= 7;
    }

    /// Makes room, then writes.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        self.bytes.resize(self.bytes.len() * 2 + (1 << 16), 0);
        self.flush();
    }

    /// Takes the lowest `count` bits of `bits`, whose others are 0, and writes what makes whole bytes. At most 56.
    #[inline(always)]
    pub fn put(&mut self, bits: u64, count: u32) {
        self.add(bits, count);
        self.flush();
    }

    /// Fills the last byte with 0 bits.
    pub fn align(&mut self) {
        self.put(0, (8 - self.count) & 7);
    }

    /// Whole bytes, after `align`.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        if self.bytes.len() < end + 16 {
            self.bytes.resize(end * 2 + 16, 0);
        }
        if let Some(target) = self.bytes.get_mut(self.at..end) {
            target.copy_from_slice(bytes);
        }
        self.at = end;
    }

    /// How many bits of a last byte there are.
    pub fn odd(&self) -> u32 {
        self.count & 7
    }

    /// What was written, after `align`; the writer is as new, but keeps its room.
    pub fn take(&mut self) -> Vec<u8> {
        let written = self.bytes.get(..self.at).unwrap_or_default().to_vec();
        (self.at, self.held, self.count) = (0, 0, 0);
        written
    }
}
