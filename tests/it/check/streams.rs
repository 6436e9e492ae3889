//! The streams of layers: compression, the ends of tars, diff_ids.

use super::damage::{Layout, dir, entry, file};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("memory")
}

#[test]
fn streams_are_judged() {
    let tar = [dir("a"), entry("a/b", b'0', "", &[7; 5000]), vec![0; 1024]].concat();
    let (gz, zst) = (gzip(&tar), zstd(&tar));
    let cut = |bytes: &[u8], n: usize| bytes[..bytes.len() - n].to_vec();
    let with = |bytes: &[u8], more: &[u8]| [bytes, more].concat();
    let flip = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0x40;
        bytes
    };
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zst].concat();
    for (blob, suffix, wanted) in [
        (gz.clone(), "+gzip", ""),
        (zst.clone(), "+zstd", ""),
        (tar.clone(), "", ""),
        (skippable, "+zstd", ""),
        ([zstd(&tar[..512]), zstd(&tar[512..])].concat(), "+zstd", ""),
        ([gzip(&tar[..512]), gzip(&tar[512..])].concat(), "+gzip", "~gzip-members"),
        (gz.clone(), "", "compression"),
        (gz.clone(), "+zstd", "compression"),
        (zst.clone(), "+gzip", "compression"),
        (tar.clone(), "+gzip", "compression"),
        (cut(&gz, 4), "+gzip", "stream"),
        (cut(&gz, 30), "+gzip", "stream"),
        (cut(&zst, 4), "+zstd", "stream"),
        (flip(&gz, gz.len() - 6), "+gzip", "stream"),
        (with(&gz, b"junk"), "+gzip", "stream"),
        (with(&zst, b"junk"), "+zstd", "stream"),
        (with(&gz, &[0; 20]), "+gzip", "stream-zeros"),
        (b"\xfd7zXZ\0\0\x04rest".to_vec(), "", "compression"),
        (vec![], "+gzip", "compression diff-id ~tar-end"),
    ] {
        let layout = Layout::new();
        layout.blobs(&[(&tar, blob, suffix)]);
        assert_eq!(layout.codes("l"), wanted, "{}", layout.check(&["l"]));
    }
}

#[test]
fn the_end_of_a_tar_is_judged() {
    let tar = [dir("a"), entry("a/b", b'0', "", &[7; 5000])].concat();
    let ends = |zeros: usize| [&tar[..], &vec![0; zeros]].concat();
    let data = 3 * 512;
    for (bytes, wanted) in [
        (ends(1024), ""),
        (ends(10240), ""),
        (ends(512), "~tar-end"),
        (ends(0), "~tar-end"),
        (vec![], "~tar-end"),
        ([ends(1024), vec![1]].concat(), "tar-after-end"),
        ([ends(1024), file("c")].concat(), "tar-after-end"),
        (tar[..1024 + 5000].to_vec(), "~tar-padding"),
        (tar[..1024 + 4999].to_vec(), "tar"),
        (tar[..700].to_vec(), "tar"),
        (tar[..data].to_vec(), "tar"),
        ([&tar[..3], b"!", &tar[4..]].concat(), "tar"),
    ] {
        let layout = Layout::new();
        layout.layer(&bytes);
        assert_eq!(layout.codes("l"), wanted, "{}", layout.check(&["l"]));
    }
}

#[test]
fn a_layer_that_breaks_hides_nothing() {
    // The first layer's tar is broken, and so are its diff_id and the second layer.
    let layout = Layout::new();
    let broken = [file("a"), vec![1; 512], file("b"), vec![0; 1024]].concat();
    let other = [file("a"), file("a"), vec![0; 1024]].concat();
    layout.blobs(&[(b"something else", broken.clone(), ""), (&other, other.clone(), "")]);
    assert_eq!(layout.codes("l"), "diff-id path-twice tar");
}
