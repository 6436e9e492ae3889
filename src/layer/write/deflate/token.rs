//! What the parser hands to the coder, and the alphabets of deflate (RFC 1951 section 3.2.5).

/// Shortest and longest match.
pub const MIN: usize = 3;
pub const MAX: usize = 258;
/// The longest run of literals in one token. Edition 2026, for blocks end where tokens do.
pub const RUN: usize = 2048;

/// Symbols for literals, the end of a block and lengths; those above 285 are never used.
pub const LITERALS: usize = 286;
/// Symbols for distances.
pub const DISTANCES: usize = 30;
/// The symbol that ends a block.
pub const END: usize = 256;
/// The symbol of the shortest length.
pub const LENGTHS: usize = 257;

/// A run of literals, which stand in the block itself, and a match behind it.
#[derive(Clone, Copy)]
pub struct Token {
    /// How many literals.
    pub run: u16,
    /// Length of the match, or 0 for none.
    pub length: u16,
    /// Its distance less 1.
    pub back: u16,
    /// The symbol of its distance.
    pub slot: u8,
}

/// The tokens of a block, and the bytes that have none yet.
#[derive(Default)]
pub struct Tokens {
    pub list: Vec<Token>,
    /// The first byte that no token says.
    from: usize,
}

/// What a parser is asked for. Bytes are numbered from the first one there is.
#[derive(Clone, Copy)]
pub struct Span {
    /// The first byte to parse.
    pub at: usize,
    /// Where to stop; a match may go on behind it.
    pub limit: usize,
    /// Behind the last byte of the block.
    pub end: usize,
}

impl Tokens {
    /// Starts a block.
    pub fn clear(&mut self, from: usize) {
        self.list.clear();
        self.from = from;
    }

    /// How many literals there are before byte `at`.
    #[inline(always)]
    pub fn run(&self, at: usize) -> usize {
        at.wrapping_sub(self.from)
    }

    /// Adds a match at byte `at`, and literals for all before it.
    #[inline(always)]
    pub fn add(&mut self, at: usize, length: usize, back: u16) {
        let run = self.literals(at);
        self.list.push(Token { run, length: length as u16, back, slot: slot(back) });
        self.from = at.wrapping_add(length);
    }

    /// Adds literals for all before byte `end`.
    pub fn finish(&mut self, end: usize) {
        let run = self.literals(end);
        if run > 0 {
            self.list.push(Token { run, ..LITERAL });
        }
        self.from = end;
    }

    /// Adds literals before byte `at`, but for the last run.
    #[inline(always)]
    fn literals(&mut self, at: usize) -> u16 {
        let mut run = self.run(at);
        while run > RUN {
            self.list.push(Token { run: RUN as u16, ..LITERAL });
            run = run.wrapping_sub(RUN);
        }
        run as u16
    }
}

const LITERAL: Token = Token { run: 0, length: 0, back: 0, slot: 0 };

/// The symbol of a distance less 1: its highest bit and the bit below.
#[inline(always)]
fn slot(back: u16) -> u8 {
    if back < 2 {
        return back as u8;
    }
    let high = back.ilog2() as u8;
    high.wrapping_mul(2) | ((back >> (high.wrapping_sub(1) & 15)) & 1) as u8
}

/// Extra bits of a distance symbol.
pub const fn distance_extra(slot: usize) -> u32 {
    if slot < 2 { 0 } else { (slot as u32) / 2 - 1 }
}

/// For each length less 3 its symbol less 257; for each such symbol its extra bits and its least length less 3.
const fn lengths() -> ([u8; 256], [(u32, u32); 29]) {
    let (mut symbols, mut of) = ([0; 256], [(0, 0); 29]);
    let (mut symbol, mut least) = (0, 0);
    while symbol < 28 {
        let extra = if symbol < 8 { 0 } else { symbol as u32 / 4 - 1 };
        of[symbol] = (extra, least);
        let mut n = 0;
        while n < 1 << extra {
            symbols[(least + n) as usize] = symbol as u8;
            n += 1;
        }
        least += 1 << extra;
        symbol += 1;
    }
    // 258 has a symbol of its own, though that of 257 has a bit left for it.
    symbols[255] = 28;
    of[28] = (0, 255);
    (symbols, of)
}

/// For each length less 3, the symbol less 257.
pub static LENGTH_SYMBOL: [u8; 256] = lengths().0;
/// For each length symbol less 257: its extra bits, and its least length less 3.
pub static LENGTH_EXTRA: [(u32, u32); 29] = lengths().1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabets_are_those_of_the_standard() {
        // RFC 1951 section 3.2.5, some rows of both tables.
        for (length, symbol) in
            [(3, 257), (10, 264), (11, 265), (12, 265), (114, 279), (115, 280), (257, 284), (258, 285)]
        {
            assert_eq!(usize::from(LENGTH_SYMBOL[length - 3]) + LENGTHS, symbol, "length {length}");
        }
        assert_eq!(LENGTH_EXTRA[284 - LENGTHS], (5, 227 - 3));
        for (distance, symbol) in
            [(1, 0), (4, 3), (5, 4), (6, 4), (7, 5), (193, 15), (16384, 27), (16385, 28), (24577, 29), (32768, 29)]
        {
            assert_eq!(usize::from(slot((distance - 1) as u16)), symbol, "distance {distance}");
        }
        assert_eq!([0, 1, 2, 3, 4, 5, 28, 29].map(distance_extra), [0, 0, 0, 0, 1, 1, 13, 13]);
    }
}
