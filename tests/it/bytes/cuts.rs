//! A change of one file leaves the compressed bytes of all others as they are, so that what stores or sends blobs by
//! pieces has little to do.

use super::memory::layer;
use super::sample::{FOLDER, Sample, Shape};
use rebake::oci::Compression;

/// About 8 MB in files of all sizes.
fn tree() -> Sample {
    let mut sample = Sample::default();
    for folder in 0..8_u32 {
        let folder_path = format!("usr-{folder:02}");
        sample.entries.insert(folder_path.clone().into_bytes(), (FOLDER, Shape::Folder));
        for n in 0..60 {
            let seed = folder * 60 + n;
            let size = if n == 30 { 400_000 } else { (seed * 7919 % 20_000) as usize };
            let path = format!("{folder_path}/file-{n:03}").into_bytes();
            sample.entries.insert(path, (FOLDER, Shape::File { seed, size }));
        }
    }
    sample
}

/// The share of `new` that stands at the start or at the end of `old` too, but for the eight bytes at the end, which are
/// about the whole stream.
fn kept(old: &[u8], new: &[u8]) -> f64 {
    let (old, new) = (&old[..old.len() - 8], &new[..new.len() - 8]);
    let same = |(a, b): &(&u8, &u8)| a == b;
    let start = old.iter().zip(new).take_while(same).count();
    let end = old[start..].iter().rev().zip(new[start..].iter().rev()).take_while(same).count();
    (start + end) as f64 / new.len() as f64
}

#[test]
fn a_change_of_one_file_leaves_most_blocks_as_they_are() {
    let sample = tree();
    let (old_layer, old) = layer(&sample.tree(usize::MAX), Compression::Gzip, 2);
    assert!(old_layer.tar_size > 7_000_000, "{}", old_layer.tar_size);
    let path = &b"usr-03/file-017"[..];
    for what in ["changed", "removed", "added", "of another mode"] {
        let mut sample = sample.clone();
        let file = (FOLDER, Shape::File { seed: 1_000_000, size: 12_345 });
        match what {
            "changed" => drop(sample.entries.insert(path.to_vec(), file)),
            "removed" => drop(sample.entries.remove(path)),
            "added" => drop(sample.entries.insert([path, b"-new"].concat(), file)),
            _ => sample.entries.get_mut(path).unwrap().0.mode = 0o600,
        }
        let (_, new) = layer(&sample.tree(usize::MAX), Compression::Gzip, 2);
        assert!(old != new, "a file was {what}");
        let kept = kept(&old, &new);
        eprintln!("a file {what}: {:.1} % of the blob kept", kept * 100.0);
        assert!(kept > 0.85, "a file {what}: only {:.1} % kept", kept * 100.0);
    }
}
