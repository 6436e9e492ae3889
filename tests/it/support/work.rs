//! A folder to work in, gone when the test ends.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// A folder removed on drop. Its absolute path is short, as sockets must fit in it, and has no capital letter, as podman
/// makes an image's name of it.
pub struct Work(TempDir);

impl Work {
    /// A new, empty one.
    pub fn new() -> Work {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let name = format!("rebake-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            match tempfile::Builder::new().prefix(&name).rand_bytes(0).tempdir() {
                Ok(folder) => return Work(folder),
                // A test run that was killed had the same process id.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => panic!("no temporary folder: {error}"),
            }
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A path in it, whether or not something is there.
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path().join(path)
    }

    /// Writes a file, with the folders above it, mode 0644 whatever the umask says.
    pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        self.write_mode(path, 0o644, content)
    }

    /// As [`Work::write`], with a mode.
    pub fn write_mode(&self, path: impl AsRef<Path>, mode: u32, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(&path, content).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        path
    }

    /// Makes a folder, with those above it.
    pub fn mkdir(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = self.join(path);
        fs::create_dir_all(&path).expect("folders");
        path
    }

    /// Makes a symlink, with the folders above it.
    pub fn symlink(&self, target: impl AsRef<Path>, path: impl AsRef<Path>) -> PathBuf {
        let path = self.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        symlink(target, &path).expect("a symlink");
        path
    }

    /// The bytes of a file.
    #[track_caller]
    pub fn read(&self, path: impl AsRef<Path>) -> Vec<u8> {
        let path = self.join(path);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// All paths below a folder of it, relative to that folder, sorted; folders end in `/`.
    pub fn tree(&self, path: impl AsRef<Path>) -> Vec<String> {
        Work::tree_of(&self.join(path))
    }

    /// The same of any folder; nothing if there is none.
    pub fn tree_of(root: &Path) -> Vec<String> {
        if !root.exists() {
            return Vec::new();
        }
        let walk = walkdir::WalkDir::new(root).min_depth(1).sort_by_file_name();
        let mut paths: Vec<String> = walk
            .into_iter()
            .map(|entry| {
                let entry = entry.expect("a folder to read");
                let name = entry.path().strip_prefix(root).expect("a path below").to_string_lossy().into_owned();
                if entry.file_type().is_dir() { name + "/" } else { name }
            })
            .collect();
        paths.sort();
        paths
    }
}
