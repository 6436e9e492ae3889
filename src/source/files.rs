//! The files of an input, by their paths: a git tree, or what the layers of an image hold together. They are looked at as
//! a disk would be, and never left: symlinks are followed inside.

use super::Content;
use super::archive::{Member, Slice};
use super::filter::{Filter, literal_prefix};
use super::place::{Found, FoundBelow, Says};
use crate::layer::write::{Content as _, MTIME};
use crate::tree::{Astray, Attributes, EntryPath, Kind, PathError, Printable, Top, through_below};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::ops::Bound;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A member of an input; the content of a file is there if somebody wants it.
pub type InputMember = Member<Option<Slice>>;

/// The files of an input.
#[derive(Debug)]
pub struct Files {
    /// What the recipe calls it.
    input: String,
    members: BTreeMap<EntryPath, InputMember>,
    top: Top,
}

/// Why a path of an input cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Nothing is there.
    #[error("`{path}` is not in the input `{input}`")]
    Missing {
        /// As the recipe names it.
        path: String,
        /// The input.
        input: String,
        /// What is there instead, for the help.
        near: Option<String>,
    },
    /// A symlink whose target is not there.
    #[error("`{path}` in the input `{input}` is a symlink to `{to}`, which is not there")]
    Dangling {
        /// As the recipe names it.
        path: String,
        /// The input.
        input: String,
        /// Where it points.
        to: String,
    },
    /// The way there leads out, goes in circles, or is no path.
    #[error("`{path}` in the input `{input}`: {astray}")]
    Astray {
        /// As the recipe names it.
        path: String,
        /// The input.
        input: String,
        /// Where it goes wrong.
        astray: Astray,
    },
    /// A slash at the end, and no folder.
    #[error("`{path}` in the input `{input}` is a file, not a folder")]
    NotAFolder {
        /// As the recipe names it.
        path: String,
        /// The input.
        input: String,
    },
    /// A path below one that is no folder.
    #[error("the input `{input}` has {below}, which is below {file}, and that is no folder")]
    BelowFile {
        /// The input.
        input: String,
        /// What is below.
        below: EntryPath,
        /// What is no folder.
        file: EntryPath,
    },
    /// The content of a file was not put aside, or cannot be read.
    #[error("cannot read `{path}` in the input `{input}`: {source}")]
    Io {
        /// Its path.
        path: String,
        /// The input.
        input: String,
        /// What went wrong.
        source: io::Error,
    },
}

impl FilesError {
    /// What to do about it, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Missing { near, .. } => near.clone(),
            Self::Astray { astray: Astray::Outside, .. } => {
                Some("nothing outside of an input can be copied, as only the input is pinned".to_owned())
            }
            Self::NotAFolder { .. } => Some("drop the slash at the end to copy a file".to_owned()),
            _ => None,
        }
    }
}

/// An ignore file longer than this is none.
const SMALL: u64 = 4 << 20;
/// A folder with no more names than this is told in full when a path is missing.
const FEW: usize = 8;

impl Files {
    /// The files of the input that the recipe calls `input`. Folders that stand in no member are there all the same.
    ///
    /// In a `top` that is a folder, a git tree, only the executable bit of the members counts; in an image all does.
    ///
    /// # Errors
    /// [`FilesError::BelowFile`].
    pub fn new(input: &str, members: impl IntoIterator<Item = InputMember>, top: Top) -> Result<Self, FilesError> {
        let mut members: BTreeMap<_, _> = members.into_iter().map(|member| (member.path.clone(), member)).collect();
        let parents = members.keys().flat_map(|path| path.parent().map(|parent| (parent, path.clone())));
        for (parent, below) in parents.collect::<BTreeMap<_, _>>() {
            for folder in std::iter::successors(Some(parent), EntryPath::parent) {
                match members.get(&folder) {
                    None => {
                        let attributes = Attributes { mode: 0o755, mtime: MTIME, ..Attributes::default() };
                        let member = Member { path: folder.clone(), attributes, kind: Kind::Directory };
                        members.insert(folder, member);
                    }
                    Some(member) if member.kind == Kind::Directory => break,
                    Some(_) => return Err(FilesError::BelowFile { input: input.to_owned(), below, file: folder }),
                }
            }
        }
        Ok(Self { input: input.to_owned(), members, top })
    }

    /// Looks at a path; symlinks on the way and at its end are followed.
    ///
    /// # Errors
    /// See [`FilesError`].
    pub fn find(&self, from: &Path) -> Result<(PathBuf, Found), FilesError> {
        let wants_folder = from.as_os_str().as_bytes().ends_with(b"/");
        let Some(path) = self.place(from, true)? else { return Ok((PathBuf::new(), Found::FOLDER)) };
        let Some(member) = self.members.get(&path) else { return Err(self.missing(from)) };
        if wants_folder && member.kind != Kind::Directory {
            return Err(FilesError::NotAFolder { path: shown(from), input: self.input.clone() });
        }
        Ok((host(&path), self.found(member)?))
    }

    /// Everything below a folder, each with its path below that folder, by its bytes.
    ///
    /// # Errors
    /// If content was not put aside.
    pub fn walk(&self, folder: &Path, filter: &Filter) -> Result<Vec<FoundBelow>, FilesError> {
        let mut found = Vec::new();
        for (name, member) in self.below(folder) {
            if filter.keeps(name) {
                found.push((name.into(), self.found(member)?));
            }
        }
        Ok(found)
    }

    /// What a pattern matches, by the bytes of the paths.
    ///
    /// # Errors
    /// See [`FilesError`].
    pub fn glob(&self, pattern: &str, matcher: &globset::GlobMatcher) -> Result<Vec<(PathBuf, Found)>, FilesError> {
        // The matcher knows no slash at the start either.
        let base = literal_prefix(pattern).trim_start_matches('/');
        let (folder, found) = self.find(Path::new(base))?;
        if found.kind != Kind::Directory {
            return Ok(Vec::new());
        }
        let below = self.below(&folder);
        below
            .filter(|(name, _)| matcher.is_match(Path::new(base).join(OsStr::from_bytes(name))))
            .map(|(_, member)| Ok((host(&member.path), self.found(member)?)))
            .collect()
    }

    /// The whole of a small file.
    ///
    /// # Errors
    /// See [`FilesError`].
    pub fn read(&self, from: &Path) -> Result<Vec<u8>, FilesError> {
        let io_error = |source| FilesError::Io { path: shown(from), input: self.input.clone(), source };
        match self.find(from)? {
            (_, Found { kind: Kind::File { content, .. }, .. }) => {
                let mut bytes = Vec::new();
                let read = content.open().and_then(|reader| reader.take(SMALL).read_to_end(&mut bytes));
                read.map_err(io_error)?;
                Ok(bytes)
            }
            _ => Err(io_error(io::ErrorKind::IsADirectory.into())),
        }
    }

    /// What is said of a folder.
    #[must_use]
    pub fn folder(&self, path: &Path) -> Found {
        let member = self.members.get(path.as_os_str().as_bytes());
        member.and_then(|member| self.found(member).ok()).unwrap_or(Found::FOLDER)
    }

    fn found(&self, member: &InputMember) -> Result<Found, FilesError> {
        let kind = member.kind.clone().try_map(|content| {
            content.map(Content::Archive).ok_or_else(|| FilesError::Io {
                path: Printable(member.path.as_bytes()).to_string(),
                input: self.input.clone(),
                source: io::Error::other("its content was not asked for when the input was opened"),
            })
        })?;
        let says = match self.top {
            Top::Slash => Says::All(member.attributes.clone()),
            Top::Folder => Says::Executable(member.attributes.mode & 0o100 != 0),
        };
        Ok(Found { kind, says })
    }

    /// What stands below a folder, each with its path below it.
    fn below(&self, folder: &Path) -> impl Iterator<Item = (&[u8], &InputMember)> {
        let mut start = folder.as_os_str().as_bytes().to_vec();
        if !start.is_empty() {
            start.push(b'/');
        }
        let members = self.members.range::<[u8], _>((Bound::Included(start.as_slice()), Bound::Unbounded));
        members
            .map_while(move |(path, member)| {
                Some((path.as_bytes().get(start.len()..)?, path, member, path.as_bytes().starts_with(&start)))
            })
            .take_while(|(.., inside)| *inside)
            .map(|(name, _, member, _)| (name, member))
    }

    fn place(&self, from: &Path, leaf: bool) -> Result<Option<EntryPath>, FilesError> {
        match EntryPath::parse(from.as_os_str().as_bytes()) {
            Ok(path) => through_below(self.top, &path, leaf, |at| self.link(at)),
            Err(PathError::Root) => Ok(None),
            Err(error) => Err(Astray::Path(error)),
        }
        .map_err(|astray| FilesError::Astray { path: shown(from), input: self.input.clone(), astray })
    }

    fn link(&self, path: &EntryPath) -> Option<&[u8]> {
        match &self.members.get(path)?.kind {
            Kind::Symlink { target } => Some(target),
            _ => None,
        }
    }

    /// Why nothing was found at a path.
    fn missing(&self, from: &Path) -> FilesError {
        let (path, input) = (shown(from), self.input.clone());
        let link = self.place(from, false).ok().flatten().and_then(|place| Some(self.link(&place)?.to_vec()));
        match link {
            Some(to) => FilesError::Dangling { path, input, to: Printable(&to).to_string() },
            None => FilesError::Missing { path, input, near: self.near(from) },
        }
    }

    /// What stands in the last folder on the way to a path that is there.
    fn near(&self, from: &Path) -> Option<String> {
        let path = EntryPath::parse(from.as_os_str().as_bytes()).ok()?;
        let (mut typed, mut real) = (PathBuf::new(), PathBuf::new());
        for part in path.components() {
            let next = typed.join(OsStr::from_bytes(part));
            let place = self.place(&next, true).ok()?;
            match place.as_ref().and_then(|place| Some((place, &self.members.get(place)?.kind))) {
                Some((place, Kind::Directory)) => (typed, real) = (next, host(place)),
                _ => return self.nearest(&typed, &real, &String::from_utf8_lossy(part)),
            }
        }
        None
    }

    /// The names in a folder that a missing one may stand for.
    fn nearest(&self, typed: &Path, real: &Path, name: &str) -> Option<String> {
        let children = self.below(real).map(|(below, _)| below).filter(|below| !below.contains(&b'/'));
        let children: Vec<String> = children.map(|name| Printable(name).to_string()).collect();
        let named = |name: &str| format!("`{}`", typed.join(name).display());
        let distance = |other: &String| strsim::damerau_levenshtein(name, other);
        let limit = (name.chars().count() / 3).max(1);
        let near = children.iter().map(|other| (distance(other), other)).filter(|(distance, _)| *distance <= limit);
        if let Some((_, near)) = near.min() {
            return Some(format!("did you mean {}?", named(near)));
        }
        if children.is_empty() || children.len() > FEW {
            return None;
        }
        Some(format!("there is {}", children.iter().map(|name| named(name)).collect::<Vec<_>>().join(", ")))
    }
}

fn shown(path: &Path) -> String {
    Printable(path.as_os_str().as_bytes()).to_string()
}

fn host(path: &EntryPath) -> PathBuf {
    OsStr::from_bytes(path.as_bytes()).into()
}
