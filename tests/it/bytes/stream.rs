//! The compressed stream: digests that fit, one gzip member, and the same bytes from any number of workers.

use super::memory::{layer, tar};
use super::sample::{Sample, Shape, Taste, content, samples};
use crate::support::needs;
use proptest::prelude::*;
use rebake::layer::decompress;
use rebake::oci::{Compression, Digest};
use std::fs;
use std::io::Read;
use std::process::Command;

const ALL: [Compression; 4] = [Compression::Gzip, Compression::GzipFast, Compression::Zstd, Compression::None];

/// The plain bytes of a blob.
fn plain(compression: Compression, blob: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut decoder = decompress::sniff_decoder(blob).unwrap();
    let wanted = match compression {
        Compression::Gzip | Compression::GzipFast => decompress::Compression::Gzip,
        Compression::Zstd => decompress::Compression::Zstd,
        Compression::None => decompress::Compression::None,
    };
    assert_eq!(decoder.compression(), wanted);
    decoder.read_to_end(&mut plain).unwrap();
    plain
}

/// The first member, which has the fixed header, and whether the blob ends where it does.
fn first_member(blob: &[u8]) -> (Vec<u8>, bool) {
    assert_eq!(blob[..10], [0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0xff]);
    let mut plain = Vec::new();
    let mut decoder = flate2::bufread::GzDecoder::new(blob);
    decoder.read_to_end(&mut plain).unwrap();
    (plain, decoder.into_inner().is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_depend_on_the_tree_alone(sample in samples(Taste::Wild)) {
        let tar = tar(&sample.tree(usize::MAX));
        for compression in ALL {
            let (first, blob) = layer(&sample.tree(usize::MAX), compression, 1);
            prop_assert_eq!((first.diff_id, first.tar_size), (Digest::of(&tar), tar.len() as u64));
            prop_assert_eq!((first.digest, first.size), (Digest::of(&blob), blob.len() as u64));
            prop_assert!(plain(compression, &blob) == tar);
            if compression.is_gzip() {
                prop_assert!(first_member(&blob) == (tar.clone(), true));
            }
            for (jobs, step) in [(2, 513), (3, 4096), (4, 61)] {
                let (again, bytes) = layer(&sample.tree(step), compression, jobs);
                prop_assert!(again == first && bytes == blob, "{jobs} jobs, reads of {step} bytes, {compression:?}");
            }
        }
    }
}

/// A tree of several blocks, with files that are larger than one.
fn blocks() -> Sample {
    let mut sample = Sample::default();
    let folder = |sample: &mut Sample, path: &str| {
        sample.entries.insert(path.into(), (super::sample::FOLDER, Shape::Folder));
    };
    folder(&mut sample, "usr");
    for n in 0..300_u32 {
        let size = if n % 100 == 7 { 1_500_000 } else { (n * 37 % 9000) as usize };
        let path = format!("usr/file-{n:03}").into_bytes();
        sample.entries.insert(path, (super::sample::FOLDER, Shape::File { seed: n, size }));
    }
    sample
}

#[test]
fn workers_that_are_used_again_make_the_same_blocks() {
    let sample = blocks();
    for compression in ALL {
        let (_, blob) = layer(&sample.tree(usize::MAX), compression, 1);
        for jobs in [2, 3, 4, 9] {
            assert!(layer(&sample.tree(usize::MAX), compression, jobs).1 == blob, "{jobs} jobs, {compression:?}");
        }
    }
}

/// Feeds the blob to a program that unpacks it to standard output, or only tests it.
fn unpack(program: &str, arguments: &[&str], file: &std::path::Path) -> Vec<u8> {
    let output = Command::new(program).args(arguments).arg(file).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Java's reader, which looks behind the end of a member for another one.
const JAVA: &str = "import java.io.FileInputStream; import java.util.zip.GZIPInputStream;\n\
    class Unpack { public static void main(String[] files) throws Exception {\n\
    new GZIPInputStream(new FileInputStream(files[0])).transferTo(System.out); System.out.flush(); } }";

#[test]
fn every_unpacker_takes_the_whole_stream() {
    let sample = blocks();
    let plain = tar(&sample.tree(usize::MAX));
    let home = tempfile::tempdir().unwrap();
    let (file, java) = (home.path().join("layer.tar.gz"), home.path().join("Unpack.java"));
    fs::write(&java, JAVA).unwrap();
    let python = "import sys, zlib\n\
        unpacker = zlib.decompressobj(31)\n\
        sys.stdout.buffer.write(unpacker.decompress(open(sys.argv[1], 'rb').read()))\n\
        assert unpacker.eof and not unpacker.unused_data";
    let perl = "use IO::Uncompress::Gunzip; binmode STDOUT;\n\
        my $z = IO::Uncompress::Gunzip->new($ARGV[0], MultiStream => 0) or die;\n\
        my $b; print $b while $z->read($b) > 0; die 'trailing' if length($z->trailingData());";
    for compression in [Compression::Gzip, Compression::GzipFast] {
        let (_, gzip) = layer(&sample.tree(usize::MAX), compression, 2);
        assert!(first_member(&gzip) == (plain.clone(), true));
        fs::write(&file, &gzip).unwrap();
        for (program, arguments) in [
            ("gzip", &["-dc"][..]),
            ("python3", &["-c", python]),
            ("busybox", &["gunzip", "-c"]),
            ("perl", &["-e", perl]),
            ("bsdcat", &[]),
            ("igzip", &["-dc"]),
            ("zstd", &["-q", "-dc"]),
            ("java", &["-Xshare:auto", java.to_str().unwrap()]),
        ] {
            if needs(&[program]) {
                assert!(unpack(program, arguments, &file) == plain, "{program} reads something else: {compression:?}");
            }
        }
        if needs(&["gzip"]) {
            unpack("gzip", &["-t"], &file);
        }
        // The test can fail: two members are more than the first one.
        let two = [gzip.as_slice(), gzip.as_slice()].concat();
        assert!(first_member(&two) == (plain.clone(), false));
    }
    if needs(&["zstd"]) {
        let (_, zstd) = layer(&sample.tree(usize::MAX), Compression::Zstd, 2);
        let file = home.path().join("layer.tar.zst");
        fs::write(&file, zstd).unwrap();
        assert!(unpack("zstd", &["-q", "-dc"], &file) == plain);
    }
    assert_ne!(content(1, 100), content(2, 100));
}
