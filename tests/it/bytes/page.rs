//! `docs/deflate.md` tells the encoder whole: `docs/deflate.py`, written from that page alone, makes the same bytes.

use super::sample::content;
use crate::recipes::REPOSITORY;
use crate::support::needs;
use rebake::layer::write::deflate::{Deflate, Level};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Words, numbers, copies from near and far, and noise: some of everything that the encoder decides on.
fn text() -> Vec<u8> {
    let noise = content(1, 40_000);
    let mut text = Vec::new();
    for (n, chunk) in noise.chunks(16).enumerate() {
        let number = chunk.iter().take(2).fold(0, |number, byte| number * 256 + usize::from(*byte));
        match number % 7 {
            0 => text.extend_from_slice(chunk),
            1 => text.extend(std::iter::repeat_n(0, number % 300)),
            2 | 3 if text.len() > number => {
                let from = text.len() - number.max(1);
                text.extend_from_within(from..text.len().min(from + 3 + number % 50));
            }
            _ => text.extend(format!("word{} {n} ", number % 99).bytes()),
        }
    }
    text
}

#[test]
fn the_page_makes_the_same_bytes() {
    if !needs(&["python3"]) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let (text, noise) = (text(), content(2, 70_000));
    assert!(text.len() > 80_000, "{}", text.len());
    let flat: Vec<u8> = (0..20_000_u32).map(|n| (n * n % 7) as u8).collect();
    let cases = [(&text[..], 0), (&text, 40_000), (&noise, 100), (&flat, 0), (b"", 0), (b"a", 0), (b"abcabcabcabc", 3)];
    let mut sizes = Vec::new();
    for (n, (data, skip)) in cases.into_iter().enumerate() {
        let file = home.path().join(n.to_string());
        fs::write(&file, data).unwrap();
        for (name, level) in [("default", Level::Default), ("fast", Level::Fast)] {
            let mut python = Command::new("python3");
            python.arg(Path::new(REPOSITORY).join("docs/deflate.py")).arg(name).arg(&file).arg(skip.to_string());
            let output = python.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let (dictionary, block) = data.split_at(skip);
            let own = Deflate::new(level).block(dictionary, block);
            assert!(own == output.stdout, "{name} {n}: {} bytes, the page makes {}", own.len(), output.stdout.len());
            sizes.push(own.len());
        }
    }
    assert_ne!(sizes[0], sizes[1], "the levels differ");
}
