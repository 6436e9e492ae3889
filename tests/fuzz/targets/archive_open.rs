//! Any bytes as an archive of any kind: its members, and all of their content.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rebake::source::archive::{Limits, from_file};
use rebake::tree::Kind;
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::AtomicBool;

const LIMITS: Limits = Limits { members: 1000, names: 1 << 20, bytes: 1 << 20 };

fuzz_target!(|bytes: &[u8]| {
    let mut file = File::from(memfd_create("archive", MemfdFlags::CLOEXEC).unwrap());
    file.write_all(bytes).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let Ok(archive) = from_file(file, Path::new("fuzz"), Path::new("/dev/shm"), &LIMITS, &AtomicBool::new(false)) else {
        return;
    };
    let mut paths = std::collections::BTreeSet::new();
    for member in archive.members {
        if let Kind::File { content, size, .. } = member.kind {
            assert_eq!(std::io::copy(&mut content.reader().by_ref(), &mut std::io::sink()).unwrap(), size);
        }
        assert!(paths.insert(member.path));
    }
});
