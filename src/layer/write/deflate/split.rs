//! Where one deflate block ends and the next begins: tokens are counted in short pieces, and neighbours that cost less
//! together than apart become one.

use super::token::{DISTANCES, END, LENGTH_EXTRA, LENGTH_SYMBOL, LENGTHS, LITERALS, Token, distance_extra};

/// Symbols in a piece, at least, but for the last. Edition 2026.
const PIECE: usize = 1024;

/// How often each symbol occurs.
pub struct Counts {
    pub literals: [u32; LITERALS],
    pub distances: [u32; DISTANCES],
}

impl Counts {
    /// Extra bits of lengths and distances.
    pub fn extra(&self) -> u64 {
        let lengths = self.literals.iter().skip(LENGTHS).zip(&LENGTH_EXTRA).map(|(count, (extra, _))| (count, *extra));
        let distances = self.distances.iter().enumerate().map(|(slot, count)| (count, distance_extra(slot)));
        lengths.chain(distances).map(|(count, extra)| u64::from(*count) * u64::from(extra)).sum()
    }
}

/// Tokens that are coded with one code.
pub struct Piece {
    /// How many tokens, and the bytes that they say.
    pub tokens: usize,
    pub bytes: usize,
    pub counts: Counts,
    extra: u64,
    /// About what it costs, in 1/256 bits.
    cost: u64,
}

impl Piece {
    /// The next piece of `tokens`, which say `bytes`; both go on behind it.
    fn next(tokens: &mut &[Token], bytes: &mut &[u8]) -> Self {
        let mut counts = Counts { literals: [0; LITERALS], distances: [0; DISTANCES] };
        // Some tables, for it takes time until what was counted can be counted up once more.
        let mut literals = [[0; 256]; 3];
        let (mut lengths, mut distances) = ([0; 32], [0; 32]);
        let (mut symbols, mut taken, mut rest) = (0usize, 0usize, *bytes);
        for token in *tokens {
            let (run, length) = (usize::from(token.run), usize::from(token.length));
            match rest.first_chunk::<3>() {
                // Most runs are short, and to count three literals costs less than to guess how many there are.
                Some(three) if run <= 3 => {
                    for (n, (table, byte)) in literals.iter_mut().zip(three).enumerate() {
                        count(table, *byte, u32::from(n < run));
                    }
                }
                _ => {
                    for three in rest.get(..run).unwrap_or_default().chunks(3) {
                        for (table, byte) in literals.iter_mut().zip(three) {
                            count(table, *byte, 1);
                        }
                    }
                }
            }
            if length != 0 {
                count(&mut lengths, LENGTH_SYMBOL[length.wrapping_sub(3) & 255], 1);
                count(&mut distances, token.slot, 1);
            }
            symbols = symbols.wrapping_add(run).wrapping_add(usize::from(length != 0));
            rest = rest.get(run.wrapping_add(length)..).unwrap_or_default();
            taken = taken.wrapping_add(1);
            if symbols >= PIECE {
                break;
            }
        }
        for (byte, sum) in counts.literals.iter_mut().take(256).enumerate() {
            *sum = literals.iter().map(|table| table[byte]).sum();
        }
        for (sum, count) in counts.literals.iter_mut().skip(LENGTHS).zip(lengths) {
            *sum = count;
        }
        for (sum, count) in counts.distances.iter_mut().zip(distances) {
            *sum = count;
        }
        let said = bytes.len() - rest.len();
        *tokens = tokens.get(taken..).unwrap_or_default();
        *bytes = rest;
        let extra = counts.extra();
        let cost = cost(counts.literals.iter().copied(), counts.distances.iter().copied(), extra, said);
        Self { tokens: taken, bytes: said, counts, extra, cost }
    }

    /// What is gained if this piece and the `next` are one, in 1/256 bits.
    fn gain(&self, next: &Self) -> i64 {
        let literals = self.counts.literals.iter().zip(&next.counts.literals).map(|(a, b)| a.wrapping_add(*b));
        let distances = self.counts.distances.iter().zip(&next.counts.distances).map(|(a, b)| a.wrapping_add(*b));
        let together = cost(literals, distances, self.extra + next.extra, self.bytes + next.bytes);
        (self.cost + next.cost) as i64 - together as i64
    }

    /// Takes in the `next` piece, by which `gain` is gained.
    fn join(&mut self, next: &Self, gain: i64) {
        for (a, b) in self.counts.literals.iter_mut().zip(&next.counts.literals) {
            *a += b;
        }
        for (a, b) in self.counts.distances.iter_mut().zip(&next.counts.distances) {
            *a += b;
        }
        self.tokens += next.tokens;
        self.bytes += next.bytes;
        self.extra += next.extra;
        self.cost = (self.cost + next.cost).saturating_sub(gain.unsigned_abs());
    }
}

/// Adds to the count of a symbol, which is in the table.
#[inline(always)]
fn count<const N: usize>(table: &mut [u32; N], symbol: u8, more: u32) {
    let count = &mut table[usize::from(symbol) % N];
    *count = count.wrapping_add(more);
}

/// Cuts tokens into pieces. It is kept for its room alone.
#[derive(Default)]
pub struct Splitter {
    pieces: Vec<Piece>,
    /// The places in `pieces` of those that none was joined to from the left. In a round only these move: a block of noise takes
    /// as many rounds as it has pieces.
    left: Vec<usize>,
    /// For each of these, what is gained if it and the next one are one; `None` where that has changed.
    gains: Vec<Option<i64>>,
}

impl Splitter {
    /// Cuts `tokens`, which say `bytes`.
    pub fn split(&mut self, tokens: &[Token], bytes: &[u8]) -> impl Iterator<Item = &Piece> {
        self.pieces.clear();
        let (mut tokens, mut bytes) = (tokens, bytes);
        while !tokens.is_empty() {
            self.pieces.push(Piece::next(&mut tokens, &mut bytes));
        }
        self.left.clear();
        self.left.extend(0..self.pieces.len());
        self.gains.clear();
        self.gains.resize(self.pieces.len(), None);
        while self.round() {}
        for piece in &mut self.pieces {
            piece.counts.literals[END] = 1;
        }
        self.left.iter().filter_map(|at| self.pieces.get(*at))
    }

    /// Joins each two neighbours that gain more than the pair on their left and no less than that on their right, where a
    /// pair that was just joined counts with its next neighbour as before. Says whether there were any.
    fn round(&mut self) -> bool {
        for (n, known) in self.gains.iter_mut().enumerate() {
            if known.is_none() {
                *known = Some(match self.left.get(n..n + 2) {
                    Some(&[a, b]) => self.pieces.get(a).zip(self.pieces.get(b)).map_or(0, |(a, b)| a.gain(b)),
                    _ => 0,
                });
            }
        }
        let (mut from, mut to, mut before) = (0, 0_usize, 0);
        while let Some((at, here)) = self.at(from) {
            let next = self.at(from + 1);
            let behind = next.map_or(0, |(_, gain)| gain);
            let joined = next.filter(|_| here > 0 && here > before && here >= behind);
            if let Some((next, _)) = joined {
                if let Some((pieces, [next, ..])) = self.pieces.split_at_mut_checked(next)
                    && let Some(piece) = pieces.get_mut(at)
                {
                    piece.join(next, here);
                }
                if let Some(left) = to.checked_sub(1).and_then(|left| self.gains.get_mut(left)) {
                    *left = None;
                }
            }
            if let Some((left, gain)) = self.left.get_mut(to).zip(self.gains.get_mut(to)) {
                (*left, *gain) = (at, if joined.is_some() { None } else { Some(here) });
            }
            before = if joined.is_some() { behind } else { here };
            from += 1 + usize::from(joined.is_some());
            to += 1;
        }
        self.left.truncate(to);
        self.gains.truncate(to);
        to < from
    }

    /// The piece that is the `n`th of those left, and what is gained if the next one joins it.
    fn at(&self, n: usize) -> Option<(usize, i64)> {
        self.left.get(n).copied().zip(self.gains.get(n).copied().flatten())
    }
}

/// About what a block costs in 1/256 bits: the entropy of its symbols but for its end, their extra bits, and for its head 40 bits and 4 for
/// each symbol that occurs; or, if that is less, what it costs stored. Edition 2026.
#[inline(always)]
fn cost(literals: impl Iterator<Item = u32>, distances: impl Iterator<Item = u32>, extra: u64, bytes: usize) -> u64 {
    let (literals, literals_used) = entropy(literals);
    let (distances, distances_used) = entropy(distances);
    let head = 40 + 4 * (literals_used + distances_used);
    (literals + distances + (extra + head) * 256).min((bytes as u64 * 8 + 40) * 256)
}

/// What symbols of these counts cost at least in 1/256 bits, and how many there are that occur.
#[inline(always)]
fn entropy(counts: impl Iterator<Item = u32>) -> (u64, u64) {
    let (mut total, mut sum, mut used) = (0u32, 0u64, 0u32);
    for count in counts {
        total = total.wrapping_add(count);
        sum = sum.wrapping_add(n_log_n(count));
        used = used.wrapping_add(u32::from(count != 0));
    }
    (n_log_n(total).saturating_sub(sum), u64::from(used))
}

/// n * log2(n) in 1/256, the logarithm rounded down.
#[inline(always)]
fn n_log_n(n: u32) -> u64 {
    match N_LOG_N.get(n as usize) {
        Some(small) => u64::from(*small),
        None => large_n_log_n(n),
    }
}

/// The same for numbers that are not in the table, from their highest bits.
#[cold]
fn large_n_log_n(n: u32) -> u64 {
    let shift = n.ilog2() + 1 - SMALL.ilog2();
    let small = N_LOG_N.get((n >> shift) as usize).copied().unwrap_or_default();
    (u64::from(small) << shift) + u64::from(n) * u64::from(shift) * 256
}

const SMALL: usize = 4096;
static N_LOG_N: [u32; SMALL] = {
    let mut table = [0; SMALL];
    let mut n = 1;
    while n < SMALL {
        table[n] = n as u32 * log2(n as u32);
        n += 1;
    }
    table
};

/// log2(n) in 1/256, rounded down; n is not 0.
const fn log2(n: u32) -> u32 {
    let mut log = n.ilog2();
    // The mantissa in 1/2^31, at least 1 and less than 2. Squaring it doubles its logarithm, whose next bit comes out.
    let mut mantissa = ((n as u64) << 31) >> log;
    let mut bit = 0;
    while bit < 8 {
        mantissa = (mantissa * mantissa) >> 31;
        let two = mantissa >> 32;
        mantissa >>= two;
        log = log << 1 | two as u32;
        bit += 1;
    }
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_near_enough() {
        for n in [1u32, 2, 3, 5, 255, 256, 4095, 4096, 4097, 100_000, 1 << 24, u32::MAX] {
            let exact = f64::from(n) * f64::from(n).log2() * 256.0;
            let own = n_log_n(n) as f64;
            assert!(own <= exact + 1.0 && exact - own <= f64::from(n) * 2.0, "{n}: {own} for {exact}");
        }
    }
}
