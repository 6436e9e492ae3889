use super::*;
use std::io::Write;

const TEXT: &[u8] = b"one and the same, one and the same, one and the same\n";

fn gzip() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(TEXT).unwrap();
    encoder.finish().unwrap()
}

fn bzip2() -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(TEXT).unwrap();
    encoder.finish().unwrap()
}

fn zstd() -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(TEXT).unwrap();
    encoder.finish().unwrap()
}

/// `TEXT` as XZ Utils 5.4 writes it.
fn xz() -> Vec<u8> {
    XZ.to_vec()
}
const XZ: &[u8] = include_bytes!("text.xz");

fn all() -> [(Compression, Vec<u8>); 4] {
    [(Compression::Gzip, gzip()), (Compression::Zstd, zstd()), (Compression::Xz, xz()), (Compression::Bzip2, bzip2())]
}

fn decode(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    sniff_decoder(bytes)?.read_to_end(&mut plain)?;
    Ok(plain)
}

#[test]
fn several_members_are_one_stream() {
    for (compression, bytes) in all() {
        assert_eq!(Compression::sniff(&bytes), compression);
        assert_eq!(decode(&bytes).unwrap(), TEXT, "{compression}");
        assert_eq!(decode(&[&bytes[..], &bytes[..]].concat()).unwrap(), [TEXT, TEXT].concat(), "{compression}");
    }
}

#[test]
fn every_truncation_is_told() {
    for (compression, bytes) in all() {
        for end in 10..bytes.len() {
            let error = decode(&bytes[..end]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{compression} cut at {end}: {error}");
            assert_eq!(error.to_string(), format!("the {compression} stream is truncated"));
        }
        let twice = [&bytes[..], &bytes[..]].concat();
        for end in bytes.len() + 1..twice.len() {
            decode(&twice[..end]).unwrap_err();
        }
    }
}

#[test]
fn what_follows_the_end_is_an_error() {
    for (compression, mut bytes) in all() {
        bytes.extend_from_slice(b"garbage");
        let error = decode(&bytes).unwrap_err();
        assert!(error.to_string().starts_with(&format!("the {compression} stream is ")), "{error}");
    }
}

#[test]
fn zeros_may_follow_gzip() {
    let mut bytes = gzip();
    bytes.extend_from_slice(&[0; 1000]);
    assert_eq!(decode(&bytes).unwrap(), TEXT);
    bytes.push(1);
    assert!(decode(&bytes).unwrap_err().to_string().contains("follows the last member"));
}

#[test]
fn a_flipped_bit_never_gives_other_bytes() {
    for (compression, bytes) in all() {
        for at in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            let mut plain = Vec::new();
            if decoder(&bytes[..], compression).unwrap().read_to_end(&mut plain).is_ok() {
                // The header of gzip has fields that change nothing, and no checksum of its own.
                assert!(plain == TEXT, "{compression} bit {at}");
            }
        }
    }
}

#[test]
fn an_error_stays() {
    for (compression, bytes) in all() {
        let mut decoder = decoder(&bytes[..bytes.len() - 3], compression).unwrap();
        decoder.read_to_end(&mut Vec::new()).unwrap_err();
        decoder.read(&mut [0; 8]).unwrap_err();
    }
}

#[test]
fn plain_bytes_stay_plain() {
    for bytes in [&b""[..], b"x", b"BZh9 is a fine name", b"\x1f\x8b", TEXT] {
        assert_eq!(Compression::sniff(bytes), Compression::None);
        assert_eq!(decode(bytes).unwrap(), bytes);
    }
}
