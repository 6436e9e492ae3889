//! What the tests need of the host; what is missing is told, and never missing where CI says that it is there.

use std::env;
use std::os::unix::fs::MetadataExt;

/// Whether a program is there, which `package` of Debian brings.
pub fn have(program: &str, package: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let there = env::split_paths(&path).any(|folder| folder.join(program).is_file());
    there || skip(&format!("{program} (apt-get install {package})"))
}

/// Whether this is root, who may give files away.
pub fn root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) || skip("root")
}

/// Whether file systems can be made in user space.
pub fn fuse() -> bool {
    std::fs::OpenOptions::new().read(true).write(true).open("/dev/fuse").is_ok() || skip("/dev/fuse")
}

fn skip(what: &str) -> bool {
    assert!(env::var("CI").as_deref() != Ok("true"), "needs {what}");
    eprintln!("skipped: needs {what}");
    false
}
