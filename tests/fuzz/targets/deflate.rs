//! Any bytes, cut anywhere, come back from what the encoder makes of them; and a used encoder makes the same. The first
//! byte chooses the level, the next two the cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rebake::layer::write::deflate::{Deflate, END, Level, WINDOW};
use std::io::Read;

fuzz_target!(|input: &[u8]| {
    let Some(([level, a, b], data)) = input.split_first_chunk() else { return };
    let level = if level & 1 == 0 { Level::Default } else { Level::Fast };
    let cut = usize::from(u16::from_le_bytes([*a, *b])).min(data.len());
    let (first, second) = data.split_at(cut);
    let dictionary = &first[first.len().saturating_sub(WINDOW)..];
    let mut deflate = Deflate::new(level);
    let mut joined = deflate.block(&[], first);
    let behind = deflate.block(dictionary, second);
    assert!(Deflate::new(level).block(dictionary, second) == behind);
    joined.extend(behind);
    joined.extend(END);
    let mut out = Vec::new();
    flate2::read::DeflateDecoder::new(&joined[..]).read_to_end(&mut out).unwrap();
    assert!(out == data);
});
