//! Files on this disk, opened with care: what stands under a name may be anything. What is in them is left to others.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens what stands at `path`, whatever it is, and never waits for the other end of a pipe.
///
/// # Errors
/// What the disk reports.
pub fn open_any(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    File::options().read(true).custom_flags(flags).open(path)
}

/// Opens a regular file; a pipe or device that stands in its place is refused, never waited for.
///
/// # Errors
/// What the disk reports; if it is no regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let file = open_any(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no regular file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opened in the plain way, the pipe would wait for somebody to write, and this test for ever.
    #[test]
    fn a_pipe_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, plain) = (folder.path().join("pipe"), folder.path().join("plain"));
        let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600));
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, mode, 0).unwrap();
        std::fs::write(&plain, "text").unwrap();
        assert_eq!(open(&pipe).unwrap_err().to_string(), "it is no regular file");
        assert!(open(folder.path()).is_err());
        assert!(open(&plain).is_ok());
        assert!(open_any(&pipe).is_ok());
    }
}
