//! Writes one deflate block: stored, with the fixed codes or with its own, whichever is shortest.

use super::bits::Bits;
use super::header::Header;
use super::huffman;
use super::split::Counts;
use super::token::{DISTANCES, END, LENGTH_EXTRA, LENGTH_SYMBOL, LENGTHS, Token, distance_extra};

/// The kinds of blocks (RFC 1951 section 3.2.3), with the bit before them that says that it is not the last.
const STORED: u64 = 0;
const FIXED: u64 = 1 << 1;
const DYNAMIC: u64 = 2 << 1;
/// The longest code.
const LIMIT: usize = 15;
/// The longest stored block.
const LONGEST_STORED: usize = 65535;

/// Code lengths of both alphabets.
pub struct Lengths {
    pub literals: [u8; 288],
    pub distances: [u8; 32],
}

/// The fixed codes (RFC 1951 section 3.2.6).
static FIXED_LENGTHS: Lengths = {
    let mut literals = [8; 288];
    let mut symbol = 144;
    while symbol < 280 {
        literals[symbol] = if symbol < END { 9 } else { 7 };
        symbol += 1;
    }
    Lengths { literals, distances: [5; 32] }
};

impl Lengths {
    /// The shortest codes for these counts.
    fn new(counts: &Counts) -> Self {
        let mut own = Self { literals: [0; 288], distances: [0; 32] };
        huffman::lengths(&counts.literals, LIMIT, &mut own.literals);
        huffman::lengths(&counts.distances, LIMIT, &mut own.distances);
        own
    }

    /// Bits for symbols of these counts, without extra bits.
    fn cost(&self, counts: &Counts) -> u64 {
        let literals = counts.literals.iter().zip(&self.literals);
        let distances = counts.distances.iter().zip(&self.distances);
        literals.chain(distances).map(|(count, length)| u64::from(*count) * u64::from(*length)).sum()
    }
}

/// Writes `tokens`, which say `bytes` and have these `counts`. Of equal sizes stored is taken, then fixed.
pub fn write(bits: &mut Bits, tokens: &[Token], bytes: &[u8], counts: &Counts) {
    let own = Lengths::new(counts);
    let header = Header::new(&own);
    let extra = counts.extra();
    let dynamic = 3 + header.cost + own.cost(counts) + extra;
    let fixed = 3 + FIXED_LENGTHS.cost(counts) + extra;
    if stored_cost(bits.odd(), bytes.len()) <= fixed.min(dynamic) {
        store(bits, bytes);
    } else if fixed <= dynamic {
        bits.put(FIXED, 3);
        encode(bits, tokens, bytes, &Codes::new(&FIXED_LENGTHS));
    } else {
        bits.put(DYNAMIC, 3);
        header.write(bits);
        encode(bits, tokens, bytes, &Codes::new(&own));
    }
}

/// Bits of `length` bytes as stored blocks behind `odd` bits of a byte.
fn stored_cost(odd: u32, length: usize) -> u64 {
    let blocks = length.div_ceil(LONGEST_STORED).max(1) as u64;
    let head = u64::from((odd + 3).next_multiple_of(8) - odd);
    head + (blocks - 1) * 8 + blocks * 32 + length as u64 * 8
}

/// Writes stored blocks; an empty one for no bytes, which is a sync flush.
pub fn store(bits: &mut Bits, bytes: &[u8]) {
    let mut rest = bytes;
    loop {
        let (block, next) = rest.split_at(rest.len().min(LONGEST_STORED));
        bits.put(STORED, 3);
        bits.align();
        let length = block.len() as u16;
        bits.bytes(&length.to_le_bytes());
        bits.bytes(&(!length).to_le_bytes());
        bits.bytes(block);
        rest = next;
        if rest.is_empty() {
            return;
        }
    }
}

/// A symbol's bits, and how many; those of a length have its extra bits behind them.
#[derive(Clone, Copy, Default)]
struct Code {
    bits: u32,
    count: u32,
}

/// The codes of a block.
struct Codes {
    literals: [Code; 256],
    end: Code,
    /// By length less 3.
    lengths: [Code; 256],
    distances: [Code; 32],
}

impl Codes {
    fn new(lengths: &Lengths) -> Self {
        let (mut literals, mut distances) = ([0; 288], [0; 32]);
        huffman::codes(&lengths.literals, &mut literals);
        huffman::codes(&lengths.distances, &mut distances);
        let code = |(bits, count): (&u16, &u8)| Code { bits: u32::from(*bits), count: u32::from(*count) };
        let symbol =
            |symbol: usize| literals.get(symbol).zip(lengths.literals.get(symbol)).map(code).unwrap_or_default();
        let mut codes = Self {
            literals: std::array::from_fn(symbol),
            end: symbol(END),
            lengths: [Code::default(); 256],
            distances: [Code::default(); 32],
        };
        for (n, (length, own)) in codes.lengths.iter_mut().zip(LENGTH_SYMBOL).enumerate() {
            let own = usize::from(own);
            let (extra, least) = LENGTH_EXTRA.get(own).copied().unwrap_or_default();
            let Code { bits, count } = symbol(LENGTHS + own);
            *length = Code { bits: bits | (n as u32 - least) << count, count: count + extra };
        }
        for (own, pair) in codes.distances.iter_mut().zip(distances.iter().zip(&lengths.distances)).take(DISTANCES) {
            *own = code(pair);
        }
        codes
    }
}

/// Codes in a row, which are then written at once: so that they need not wait for what was written before.
#[derive(Default)]
struct Word {
    bits: u64,
    count: u32,
}

impl Word {
    /// Takes the lowest `count` bits of `bits`, whose others are 0.
    #[inline(always)]
    fn add(&mut self, bits: u32, count: u32) {
        self.bits |= u64::from(bits) << (self.count & 63);
        self.count = self.count.wrapping_add(count);
    }

    #[inline(always)]
    fn code(&mut self, code: Code) {
        self.add(code.bits, code.count);
    }
}

/// Writes the symbols of a block, and that it ends.
fn encode(bits: &mut Bits, tokens: &[Token], bytes: &[u8], codes: &Codes) {
    let mut rest = bytes;
    for token in tokens {
        let run = usize::from(token.run);
        // Seven bits may be held, and three codes of 15 bits fit beside them.
        match rest.first_chunk::<3>() {
            // Most runs are short, and to look up three literals costs less than to guess how many there are.
            Some(three) if run <= 3 => {
                let mut word = Word::default();
                for (n, literal) in three.iter().enumerate() {
                    let code = codes.literals[usize::from(*literal)];
                    word.code(if n < run { code } else { Code::default() });
                }
                bits.put(word.bits, word.count);
            }
            _ => {
                for three in rest.get(..run).unwrap_or_default().chunks(3) {
                    let mut word = Word::default();
                    for literal in three {
                        word.code(codes.literals[usize::from(*literal)]);
                    }
                    bits.put(word.bits, word.count);
                }
            }
        }
        if token.length != 0 {
            // At most 15 + 5 bits of length and 15 + 13 of distance.
            let mut word = Word::default();
            word.code(codes.lengths[usize::from(token.length.wrapping_sub(3) & 255)]);
            word.code(codes.distances[usize::from(token.slot & 31)]);
            let extra = distance_extra(usize::from(token.slot & 31));
            word.add(u32::from(token.back & (1u16 << extra).wrapping_sub(1)), extra);
            bits.put(word.bits, word.count);
        }
        rest = rest.get(run.wrapping_add(usize::from(token.length))..).unwrap_or_default();
    }
    bits.put(u64::from(codes.end.bits), codes.end.count);
}
