//! Files beside the recipe. Of a file only its content and its executable bit are looked at; folders are listed, symlinks
//! kept; nothing outside the recipe's folder is ever reached.

mod error;
mod file;
mod used;
mod walk;

pub use error::DiskError;
pub use file::HostFile;
pub use used::Used;

use super::Content;
use super::filter::{Filter, literal_prefix};
use super::place::{Found, FoundBelow, Says};
use crate::layer::write::Content as _;
use crate::tree::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use used::Record;
use walk::Walk;

/// The recipe's folder: what `from` is relative to, and cannot leave.
#[derive(Debug, Clone)]
pub struct Root {
    folder: Arc<PathBuf>,
    /// Where rebake writes, each as a name in a folder; never read, or an image would hold the one before it.
    written: Arc<[(PathBuf, OsString)]>,
    /// The one of them for which folders are made.
    destination: Option<Arc<Path>>,
    used: Record,
    /// How many may read folders at once.
    threads: usize,
}

/// Where images go that are given no destination, when `rebake build` runs beside the recipe.
pub const OUTPUT: &str = "rebake-out";

/// What git knew of a recipe that came out of a pantry stands in this file beside it.
pub const KEPT: &str = "rebake.stamp";

impl Root {
    /// The folder of a recipe. No copy ever sees what rebake itself writes: the `destination` that the user named, and the
    /// folder `output` for images without one; both absolute.
    ///
    /// # Errors
    /// If the folder cannot be found.
    pub fn new(folder: &Path, destination: Option<&Path>, output: &Path) -> io::Result<Self> {
        let folder = fs::canonicalize(folder)?;
        // As the walk will see them: a symlink on the way to a destination hides nothing.
        let real = |path: &Path| {
            let (there, there_real) = path.ancestors().find_map(|up| Some((up, fs::canonicalize(up).ok()?)))?;
            // Without the slash that joining nothing leaves.
            Some(there_real.join(path.strip_prefix(there).ok()?).components().collect::<PathBuf>())
        };
        let destination = destination.and_then(real);
        let written = [real(output), Some(folder.join(OUTPUT)), Some(folder.join(KEPT))];
        let split = |path: PathBuf| Some((path.parent()?.to_owned(), path.file_name()?.to_owned()));
        let written = written.into_iter().flatten().chain(destination.clone()).filter_map(split).collect();
        Ok(Self {
            folder: Arc::new(folder),
            written,
            destination: destination.map(Into::into),
            used: Record::default(),
            threads: 1,
        })
    }

    /// The same, read by so many threads at once. What is found does not depend on it.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// The folder itself, absolute, without symlinks.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// What was found so far, and is part of an image or decided about one: files, folders, symlinks, ignore files, archives,
    /// and everything on the way to them. Relative to the recipe's folder. A copy of these paths alone gives the same image.
    #[must_use]
    pub fn used(&self) -> BTreeMap<PathBuf, Used> {
        self.used.all()
    }

    /// Looks at the path that a recipe names; symlinks on the way and at its end are followed inside the root.
    ///
    /// # Errors
    /// See [`DiskError`].
    pub fn find(&self, from: impl AsRef<Path>) -> Result<(PathBuf, Found), DiskError> {
        let from = from.as_ref();
        let name = from.display().to_string();
        let wants_folder = from.as_os_str().as_bytes().ends_with(b"/");
        let io_error = |source: io::Error| match (source.kind(), source.raw_os_error()) {
            (io::ErrorKind::NotFound, _) => match fs::read_link(self.folder.join(from)) {
                Ok(to) => DiskError::Dangling { path: name.clone(), to: to.display().to_string() },
                Err(_) => DiskError::Missing(name.clone()),
            },
            (io::ErrorKind::NotADirectory, _) if wants_folder => DiskError::NotAFolder(name.clone()),
            (io::ErrorKind::NotADirectory, _) => DiskError::Missing(name.clone()),
            (_, Some(code)) if code == rustix::io::Errno::LOOP.raw_os_error() => DiskError::Loop(name.clone()),
            _ => DiskError::Io { path: name.clone(), source },
        };
        let path = fs::canonicalize(self.folder.join(from)).map_err(io_error)?;
        let Ok(relative) = path.strip_prefix(&*self.folder) else {
            return Err(DiskError::Outside { path: name, to: path.display().to_string() });
        };
        let written = |path: &Path| Some(self.is_written(path.parent()?, path.file_name()?));
        if path.ancestors().take_while(|path| *path != self.path()).any(|path| written(path) == Some(true)) {
            return Err(DiskError::Written(name));
        }
        let metadata = fs::symlink_metadata(&path).map_err(io_error)?;
        let found = self.classify(relative, &metadata)?;
        if wants_folder && !metadata.is_dir() {
            return Err(DiskError::NotAFolder(name));
        }
        self.used.way(&self.folder, from);
        Ok((relative.to_owned(), found))
    }

    /// Everything below a folder that [`Root::find`] found, each with its path below that folder, by its bytes. Symlinks
    /// are not followed.
    ///
    /// # Errors
    /// The first thing that cannot be read or copied.
    pub fn walk(&self, folder: &Path, filter: &Filter) -> Result<Vec<FoundBelow>, DiskError> {
        let mut found = Walk::new(self, folder, filter).run(self.threads)?;
        let top = self.folder.join(folder);
        self.drop_ways_to_destination(&top, &mut found);
        found.iter().for_each(|(name, found)| self.used.note(&folder.join(OsStr::from_bytes(name)), &found.kind));
        Ok(found)
    }

    /// A folder in which nothing stands but the destination was made for it by an earlier build, or might have been.
    fn drop_ways_to_destination(&self, top: &Path, found: &mut Vec<FoundBelow>) {
        let Some(destination) = self.destination.as_ref().filter(|path| path.starts_with(top)) else { return };
        let below = [destination].into_iter().filter_map(|destination| destination.parent()?.strip_prefix(top).ok());
        let ways: BTreeSet<PathBuf> = below.flat_map(|path| path.ancestors().map(Path::to_owned)).collect();
        let is_way = |name: &[u8]| ways.contains(Path::new(OsStr::from_bytes(name)));
        let others: Vec<Box<[u8]>> =
            found.iter().filter(|(name, _)| !is_way(name)).map(|(name, _)| name.clone()).collect();
        found.retain(|(name, _)| {
            let inside = [name, b"/".as_slice()].concat();
            !is_way(name) || others.iter().any(|other| other.starts_with(&inside))
        });
    }

    /// What a pattern without `**` matches, by the bytes of the paths. Symlinks are not followed.
    ///
    /// # Errors
    /// The first folder on the way that cannot be read, the first match that cannot be copied.
    pub fn glob(&self, pattern: &str, matcher: &globset::GlobMatcher) -> Result<Vec<(PathBuf, Found)>, DiskError> {
        let base = literal_prefix(pattern);
        let (folder, found) = self.find(if base.is_empty() { "." } else { base })?;
        let mut matches = Vec::new();
        if found.kind != Kind::Directory {
            return Ok(matches);
        }
        let depth = pattern.split('/').count() - base.split('/').filter(|part| !part.is_empty()).count();
        let top = self.folder.join(&folder);
        let mut walk = walkdir::WalkDir::new(&top).min_depth(1).max_depth(depth).follow_links(false).into_iter();
        while let Some(entry) = walk.next() {
            let entry = entry.map_err(|error| self.walk_error(&folder, error))?;
            if entry.path().parent().is_some_and(|above| self.is_written(above, entry.file_name())) {
                if entry.file_type().is_dir() {
                    walk.skip_current_dir();
                }
                continue;
            }
            let Ok(below) = entry.path().strip_prefix(&top) else { continue };
            if matcher.is_match(Path::new(base).join(below)) {
                let found = self.classify_entry(&folder, &entry)?;
                let path = self.relative(entry.path());
                self.used.note(&path, &found.kind);
                matches.push((path, found));
            }
        }
        matches.sort_by(|(a, _), (b, _)| a.as_os_str().cmp(b.as_os_str()));
        Ok(matches)
    }

    /// Reads a small file of the recipe itself (an ignore file).
    ///
    /// # Errors
    /// See [`DiskError`].
    pub fn read(&self, from: &Path) -> Result<Vec<u8>, DiskError> {
        let io_error = |source| DiskError::Io { path: from.display().to_string(), source };
        match self.find(from)? {
            (_, Found { kind: Kind::File { content, .. }, .. }) => {
                let mut bytes = Vec::new();
                content.open().and_then(|mut reader| reader.read_to_end(&mut bytes)).map_err(io_error)?;
                Ok(bytes)
            }
            _ => Err(io_error(io::ErrorKind::IsADirectory.into())),
        }
    }

    /// Whether rebake writes to a name in a folder: a destination, or what a killed build left beside one.
    fn is_written(&self, folder: &Path, name: &OsStr) -> bool {
        // Paths without symlinks, `.` and doubled slashes are equal if their bytes are.
        let here = self.written.iter().filter(|(above, _)| above.as_os_str() == folder.as_os_str());
        here.map(|(_, written)| written.as_bytes()).any(|written| {
            let hidden = name.as_bytes().strip_prefix(b".").and_then(|name| name.strip_prefix(written));
            name.as_bytes() == written || hidden.is_some_and(|random| random.starts_with(b".rebake-"))
        })
    }

    fn walk_error(&self, folder: &Path, error: walkdir::Error) -> DiskError {
        let path = error.path().map_or_else(|| folder.to_owned(), |path| self.relative(path));
        let source = error.into_io_error().unwrap_or_else(|| io::Error::other("a loop of folders"));
        DiskError::Io { path: path.display().to_string(), source }
    }

    fn classify_entry(&self, folder: &Path, entry: &walkdir::DirEntry) -> Result<Found, DiskError> {
        let metadata = entry.metadata().map_err(|error| self.walk_error(folder, error))?;
        self.classify(&self.relative(entry.path()), &metadata)
    }

    fn relative(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&*self.folder).unwrap_or(path).to_owned()
    }

    fn classify(&self, relative: &Path, metadata: &Metadata) -> Result<Found, DiskError> {
        let kind = metadata.file_type();
        let special = |what| Err(DiskError::Special { path: relative.display().to_string(), what });
        if kind.is_dir() {
            Ok(Found::FOLDER)
        } else if kind.is_file() {
            let file = HostFile::new(&self.folder, relative, metadata);
            let kind = Kind::File { size: file.size(), content: Content::Disk(file), link: None };
            Ok(Found { kind, says: Says::Executable(metadata.mode() & 0o100 != 0) })
        } else if kind.is_symlink() {
            let target = fs::read_link(self.folder.join(relative))
                .map_err(|source| DiskError::Io { path: relative.display().to_string(), source })?;
            let kind = Kind::Symlink { target: target.as_os_str().as_bytes().into() };
            Ok(Found { kind, says: Says::Executable(true) })
        } else if kind.is_fifo() {
            special("a named pipe")
        } else if kind.is_socket() {
            special("a socket")
        } else {
            special("a device")
        }
    }
}
