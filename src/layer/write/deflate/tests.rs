//! Every byte comes back; and the bytes stay what they are.

use super::{Deflate, END, Level, WINDOW};
use std::io::Read;

const LEVELS: [Level; 2] = [Level::Default, Level::Fast];

fn inflate(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::DeflateDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}

/// Deflates `data` cut into blocks of the given sizes, the last one as often as need be; all decoders agree.
fn check(name: &str, data: &[u8], sizes: &[usize]) {
    for level in LEVELS {
        let mut deflate = Deflate::new(level);
        let mut joined = Vec::new();
        let mut sizes = sizes.iter().copied();
        let mut at = 0usize;
        loop {
            let size = sizes.next().unwrap_or(data.len());
            let end = data.len().min(at.saturating_add(size));
            let dictionary = &data[at.saturating_sub(WINDOW)..at];
            let block = deflate.block(dictionary, &data[at..end]);
            assert!(block.ends_with(&[0, 0, 0xff, 0xff]));
            assert!(
                block.len() <= end - at + 16 + 5 * (end - at).div_ceil(60000),
                "{name}: {} of {}",
                block.len(),
                end - at
            );
            if data.len() < 100_000 {
                assert!(
                    Deflate::new(level).block(dictionary, &data[at..end]) == block,
                    "{name}: a used encoder differs"
                );
            }
            joined.extend(block);
            at = end;
            if at == data.len() {
                break;
            }
        }
        joined.extend(END);
        assert!(inflate(&joined) == data, "{name} {level:?}: flate2");
    }
}

struct Random(u64);
impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next() as u8).collect()
    }
}

#[test]
fn short_ones() {
    let mut random = Random(1);
    for n in 0..70 {
        check("zeros", &vec![0; n], &[]);
        check("noise", &random.bytes(n), &[]);
        let few: Vec<u8> = (0..n).map(|_| random.below(2) as u8).collect();
        check("two", &few, &[n / 3, n / 3]);
    }
}

#[test]
fn all_values_runs_and_noise() {
    let all: Vec<u8> = (0..=255).cycle().take(5000).collect();
    check("all values", &all, &[1, 2, 0, 3]);
    check("zeros", &vec![0; 300_000], &[100_000, 1]);
    check("noise", &Random(2).bytes(300_000), &[100_000, 65_535, 65_536]);
    for n in [257, 258, 259, 260, 515, 516, 517, 518, 519] {
        check("run", &vec![7; n + 1], &[]);
        let mut twice = Random(3).bytes(n);
        twice.extend_from_within(..);
        check("twice", &twice, &[n]);
    }
}

#[test]
fn repeats_at_the_edge_of_the_window() {
    for distance in [32_767, 32_768, 32_769, 65_535, 65_536, 65_537] {
        for length in [3, 4, 5, 257, 258, 259, 600] {
            let mut data = Random(distance as u64).bytes(distance);
            data.extend_from_within(..length);
            data.push(1);
            check("edge", &data, &[]);
            check("edge in the dictionary", &data, &[distance]);
        }
    }
}

#[test]
fn frequencies_that_are_too_deep() {
    // Fibonacci numbers make the deepest tree; in an order that leaves no matches.
    let (mut a, mut b) = (1usize, 1usize);
    let mut data = Vec::new();
    for symbol in 0..24u8 {
        data.extend(std::iter::repeat_n(symbol, a));
        (a, b) = (b, a + b);
    }
    let mut random = Random(5);
    for i in (1..data.len()).rev() {
        data.swap(i, random.below(i + 1));
    }
    check("fibonacci", &data, &[]);
}

#[test]
fn made_up_data() {
    let mut random = Random(7);
    for n in 0..60 {
        let mut data = Vec::new();
        let size = 1 << (4 + random.below(14));
        while data.len() < size {
            match random.below(5) {
                0 => {
                    let n = random.below(300);
                    data.extend(random.bytes(n))
                }
                1 => data.extend(std::iter::repeat_n(random.next() as u8, random.below(600))),
                2 | 3 if !data.is_empty() => {
                    let back = 1 + random.below(data.len().min(40_000));
                    let length = random.below(400);
                    for _ in 0..length {
                        data.push(data[data.len() - back]);
                    }
                }
                _ => {
                    let (bits, n) = (random.below(8), random.below(500));
                    data.extend((0..n).map(|_| (random.next() & ((1 << bits) - 1)) as u8))
                }
            }
        }
        let sizes: Vec<usize> = (0..3).map(|_| random.below(data.len())).collect();
        check(&format!("made up {n}"), &data, &sizes);
    }
}

#[test]
fn long_literal_runs_between_matches() {
    let mut random = Random(9);
    let noise = random.bytes(70_000);
    let mut data = noise.clone();
    data.extend_from_slice(&noise[40_000..]);
    data.extend_from_slice(&noise[..5_000]);
    check("noise and its copy", &data, &[]);
    check("noise and its copy in blocks", &data, &[70_000]);
}

#[test]
fn the_dictionary_counts_and_earlier_blocks_do_not() {
    let noise = Random(11).bytes(30_000);
    for level in LEVELS {
        let alone = Deflate::new(level).block(&noise, &noise);
        assert!(alone.len() < 1000, "the block is one long match into its dictionary: {}", alone.len());
        let mut used = Deflate::new(level);
        used.block(&[7; 50_000], &Random(12).bytes(100_000));
        assert!(used.block(&noise, &noise) == alone);
        let mut longer = vec![1; 5000];
        longer.extend_from_slice(&Random(13).bytes(WINDOW - 30_000));
        longer.extend_from_slice(&noise);
        let window = &longer[longer.len() - WINDOW..];
        assert!(used.block(&longer, &noise) == Deflate::new(level).block(window, &noise), "only the window counts");
    }
}

#[test]
fn the_end_of_a_block_does_not_see_the_one_before() {
    // What stood in the ring behind the end must not choose between candidates.
    for level in LEVELS {
        let mut used = Deflate::new(level);
        for n in 1..40 {
            let mut data = Random(n as u64).bytes(200);
            data.extend_from_within(..n);
            used.block(&[], &[data.clone(), data.clone()].concat());
            assert!(used.block(&[], &data) == Deflate::new(level).block(&[], &data), "{n}");
        }
    }
}

/// Words, numbers and tables, as files have them.
fn sample() -> Vec<u8> {
    let mut random = Random(2026);
    let mut data = Vec::new();
    for n in 0..60_000u32 {
        match random.below(12) {
            0 => data.extend(n.to_le_bytes()),
            1 => {
                let n = random.below(12);
                data.extend(random.bytes(n))
            }
            2 => data.extend(std::iter::repeat_n(0, random.below(40))),
            3 if data.len() > 40_000 => {
                let from = data.len() - 1 - random.below(39_000);
                data.extend_from_within(from..data.len().min(from + random.below(300)));
            }
            _ => data.extend(format!("word{} ", random.below(300) * random.below(30)).bytes()),
        }
    }
    data
}

/// FNV-1a.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Edition 2026. If this fails, every layer gets another digest.
#[test]
fn bytes_of_the_edition() {
    let data = sample();
    let (dictionary, block) = data.split_at(20_000);
    let mut got = Vec::new();
    for level in LEVELS {
        let mut deflate = Deflate::new(level);
        for (dictionary, block) in
            [(&[][..], &data[..]), (dictionary, block), (&[], b"hello hello hello"), (&[], &Random(1).bytes(70_000))]
        {
            let bytes = deflate.block(dictionary, block);
            got.push((bytes.len(), fingerprint(&bytes)));
        }
    }
    let pinned = [
        (218_649, 14_298_138_696_978_686_957),
        (211_402, 7_039_714_341_373_299_571),
        (14, 17_420_177_558_377_110_008),
        (70_015, 6_802_535_032_067_616_219),
        (260_762, 5_070_155_716_475_486_851),
        (253_191, 4_001_023_131_855_562_487),
        (14, 17_420_177_558_377_110_008),
        (70_015, 6_802_535_032_067_616_219),
    ];
    assert_eq!(got, pinned);
}
