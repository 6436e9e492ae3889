//! How a block tells its own codes: their lengths, in a code of their own (RFC 1951 section 3.2.7).

use super::bits::Bits;
use super::coder::Lengths;
use super::huffman;
use super::token::LENGTHS;

/// The order in which the lengths of the code for code lengths are sent.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// The longest code for a code length.
const LIMIT: usize = 7;

/// A symbol of the code for code lengths, with its extra bits and how many they are.
#[derive(Clone, Copy)]
struct Item {
    symbol: u8,
    extra: u8,
    count: u8,
}

/// The head of a block with codes of its own.
pub struct Header {
    /// How many code lengths are told of each alphabet, and of the code that tells them.
    literals: usize,
    distances: usize,
    told: usize,
    lengths: [u8; 19],
    items: Vec<Item>,
    /// Its size in bits.
    pub cost: u64,
}

impl Header {
    /// The head that tells of `own`.
    pub fn new(own: &Lengths) -> Self {
        let used = |lengths: &[u8]| lengths.iter().rposition(|length| *length != 0).map_or(0, |last| last + 1);
        let literals = used(&own.literals).max(LENGTHS);
        let distances = used(&own.distances).max(1);
        let items = items(own.literals.iter().take(literals).chain(own.distances.iter().take(distances)).copied());
        let mut counts = [0; 19];
        for item in &items {
            if let Some(count) = counts.get_mut(usize::from(item.symbol)) {
                *count += 1;
            }
        }
        let mut lengths = [0; 19];
        huffman::lengths(&counts, LIMIT, &mut lengths);
        let told = ORDER.iter().rposition(|symbol| lengths[*symbol] != 0).map_or(0, |last| last + 1).max(4);
        let extra: u64 = items.iter().map(|item| u64::from(item.count)).sum();
        let symbols: u64 =
            counts.iter().zip(lengths).map(|(count, length)| u64::from(*count) * u64::from(length)).sum();
        Self { literals, distances, told, lengths, items, cost: 5 + 5 + 4 + 3 * told as u64 + symbols + extra }
    }

    /// Writes it.
    pub fn write(&self, bits: &mut Bits) {
        bits.put((self.literals - LENGTHS) as u64, 5);
        bits.put((self.distances - 1) as u64, 5);
        bits.put((self.told - 4) as u64, 4);
        for symbol in ORDER.iter().take(self.told) {
            bits.put(u64::from(self.lengths[*symbol]), 3);
        }
        let mut codes = [0; 19];
        huffman::codes(&self.lengths, &mut codes);
        for item in &self.items {
            let symbol = usize::from(item.symbol) % 19;
            bits.put(u64::from(codes[symbol]), u32::from(self.lengths[symbol]));
            bits.put(u64::from(item.extra), u32::from(item.count));
        }
    }
}

/// The items for code lengths. Runs go on from one alphabet into the other.
fn items(lengths: impl Iterator<Item = u8>) -> Vec<Item> {
    let mut items = Vec::new();
    let mut lengths = lengths.peekable();
    while let Some(length) = lengths.next() {
        let mut run = 1;
        while lengths.next_if_eq(&length).is_some() {
            run += 1;
        }
        repeat(&mut items, length, run);
    }
    items
}

/// A run of equal lengths: the longest repeats first, and what is too short for one length by length.
fn repeat(items: &mut Vec<Item>, length: u8, run: usize) {
    let single = Item { symbol: length, extra: 0, count: 0 };
    let mut left = run;
    // Symbol, least and most lengths it repeats, its extra bits.
    let repeats: &[(u8, usize, usize, u8)] = if length == 0 {
        &[(18, 11, 138, 7), (17, 3, 10, 3)]
    } else {
        // Symbol 16 repeats what is there.
        items.push(single);
        left -= 1;
        &[(16, 3, 6, 2)]
    };
    for &(symbol, least, most, count) in repeats {
        while left >= least {
            let taken = left.min(most);
            items.push(Item { symbol, extra: (taken - least) as u8, count });
            left -= taken;
        }
    }
    items.extend(std::iter::repeat_n(single, left));
}
