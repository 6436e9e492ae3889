//! A tree of the object database as a plain tar: the same bytes for the same tree, whatever the repository and the host.
//!
//! Objects are read as they are: attributes, filters, line endings, umask and the index never come into it.

mod checkout;

use super::call::Said;
use super::{GitError, Repository, failed, first_words, text};
use crate::layer::write::{self, Content, MTIME, WriteError};
use crate::tree::{Attributes, Entry, EntryPath, Firmness, Kind, Origin, PathError, Printable, Tree};
use std::cell::{RefCell, RefMut};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::atomic::{AtomicBool, Ordering};

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The id of the tree that was exported: the whole commit's, or that of the part which was asked for.
    pub tree: String,
}

/// The longest target that Linux takes.
const LONGEST_TARGET: u64 = 4095;
/// How a pointer of git-lfs starts, and what it never exceeds (git-lfs, "spec.md").
const LFS: (&[u8], u64) = (b"version https://git-lfs.github.com/spec/v1", 1024);

impl Repository {
    /// Writes the tree of a commit, or a folder of it, as a tar: modes 0644 and 0755, owner 0, times [`MTIME`], paths in the
    /// order of their bytes.
    ///
    /// # Errors
    /// Submodules, git-lfs pointers, objects that are not there and trees that git would not check out. What was written
    /// until then is of no use.
    pub fn export(
        &self,
        commit: &str,
        subdir: Option<&str>,
        out: &mut dyn Write,
        interrupt: &AtomicBool,
    ) -> Result<Exported, GitError> {
        let id = self.tree_of(commit, subdir)?;
        let listing = self.ask(["ls-tree", "-r", "-t", "-z", "-l", "--full-tree"], [&id], interrupt)?;
        if !listing.success {
            return Err(GitError::Object { what: format!("the tree {id}"), said: first_words(&listing.stderr) });
        }
        let batch = RefCell::new(Batch::start(self)?);
        let mut tree = Tree::default();
        for line in listing.stdout.split(|&b| b == 0).filter(|line| !line.is_empty()) {
            let listed = Listed::parse(line).ok_or_else(|| failed("list the tree", "its answer is malformed"))?;
            add(&mut tree, &listed, &batch)?;
        }
        drop(listing);
        write::tar(&tree, MTIME, &mut |block| match interrupt.load(Ordering::Relaxed) {
            true => Err(WriteError::Interrupted),
            false => out.write_all(&block).map_err(WriteError::Sink),
        })
        .map_err(|error| match error {
            WriteError::Interrupted => GitError::Interrupted,
            WriteError::Sink(error) => GitError::Write(error),
            WriteError::Content { path, source, .. } => match source.downcast::<NoContent>() {
                Ok(NoContent::Lfs) => GitError::Lfs { path: Printable(path.as_bytes()).to_string() },
                Err(source) => GitError::Object { what: format!("`{path}`"), said: source.to_string() },
            },
        })?;
        Ok(Exported { tree: id })
    }

    /// The id of a commit's tree, or of a folder in it.
    fn tree_of(&self, commit: &str, subdir: Option<&str>) -> Result<String, GitError> {
        let mut id = self.resolve(commit)?.tree;
        let Some(subdir) = subdir else { return Ok(id) };
        let path = match EntryPath::parse(subdir) {
            Ok(path) => path,
            Err(PathError::Root) => return Ok(id),
            Err(_) => return Err(GitError::Argument { text: subdir.to_owned() }),
        };
        for name in path.components() {
            let listing = self.ask(["ls-tree", "-z", "--full-tree"], [&id], &super::NEVER)?;
            if !listing.success {
                return Err(GitError::Object { what: format!("the tree {id}"), said: first_words(&listing.stderr) });
            }
            let entries = || listing.stdout.split(|&b| b == 0).filter_map(Listed::parse);
            id = match entries().find(|listed| listed.path == name) {
                Some(Listed { mode: b"040000", id, .. }) => id,
                Some(Listed { mode: b"160000", .. }) => return Err(GitError::Submodule { path: subdir.to_owned() }),
                Some(_) => return Err(GitError::NotAFolder { folder: subdir.to_owned() }),
                None => {
                    let there = entries().take(10).map(|listed| Printable(listed.path).to_string()).collect();
                    return Err(GitError::NoFolder { folder: subdir.to_owned(), there });
                }
            };
        }
        Ok(id)
    }
}

/// A line of `git ls-tree`.
struct Listed<'a> {
    mode: &'a [u8],
    id: String,
    /// Of a blob, where it was asked for.
    size: Option<u64>,
    path: &'a [u8],
}

impl<'a> Listed<'a> {
    /// `MODE SP KIND SP ID [SP SIZE] TAB PATH`, the size with blanks before it.
    fn parse(line: &'a [u8]) -> Option<Self> {
        let tab = line.iter().position(|&b| b == b'\t')?;
        let (head, path) = (line.get(..tab)?, line.get(tab + 1..)?);
        let mut words = head.split(|&b| b == b' ').filter(|word| !word.is_empty());
        let (mode, _kind, id) = (words.next()?, words.next()?, words.next()?);
        let size = words.next().and_then(|size| std::str::from_utf8(size).ok()?.parse().ok());
        Some(Self { mode, id: text(id), size, path })
    }
}

/// Adds an entry; its folder is there already.
fn add<'b>(tree: &mut Tree<Blob<'b>>, listed: &Listed, batch: &'b RefCell<Batch>) -> Result<(), GitError> {
    let shown = || Printable(listed.path).to_string();
    let hostile = |why: &str| GitError::Hostile { path: shown(), why: why.to_owned() };
    let path = EntryPath::parse(listed.path).map_err(|error| hostile(&error.to_string()))?;
    // What the path's own rules would mend is not mended here: git itself never writes it.
    if path.as_bytes() != listed.path {
        return Err(hostile("has empty parts or `.`"));
    }
    if path.components().any(|name| name.eq_ignore_ascii_case(b".git")) {
        return Err(hostile("contains `.git`"));
    }
    if tree.get(&path).is_some() {
        return Err(hostile("stands twice"));
    }
    if let Some(parent) = path.parent()
        && !tree.get(&parent).is_some_and(|entry| entry.kind == Kind::Directory)
    {
        return Err(hostile("stands below what is no folder"));
    }
    let size = || {
        let what = format!("`{}`", shown());
        listed.size.ok_or(GitError::Object { what, said: "it is not in this clone".to_owned() })
    };
    let (kind, mode) = match listed.mode {
        b"040000" => (Kind::Directory, 0o755),
        b"120000" => {
            if size()? > LONGEST_TARGET {
                return Err(hostile("is a symlink with a target of more than 4095 bytes"));
            }
            let said = |error: io::Error| GitError::Object { what: format!("`{}`", shown()), said: error.to_string() };
            let target = Batch::read(batch.borrow_mut(), &listed.id).map_err(said)?;
            if target.is_empty() || target.contains(&0) {
                return Err(hostile("is a symlink to nowhere"));
            }
            (Kind::Symlink { target: target.into() }, 0o777)
        }
        b"160000" => return Err(GitError::Submodule { path: shown() }),
        // Old versions wrote 100664 too.
        mode if mode.starts_with(b"100") => {
            let kind = Kind::File { content: Blob { batch, id: listed.id.clone() }, size: size()?, link: None };
            (kind, if mode == b"100755" { 0o755 } else { 0o644 })
        }
        _ => return Err(hostile("is of no known kind")),
    };
    let attributes = Attributes { mode, mtime: MTIME, ..Attributes::default() };
    let entry = Entry { attributes, kind, firmness: Firmness::Stated, origin: Origin(0) };
    tree.insert(path, entry).map_err(|_| hostile("stands twice"))
}

/// A file of the tree.
struct Blob<'b> {
    batch: &'b RefCell<Batch>,
    id: String,
}

impl PartialEq for Blob<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// Content that stands for another.
#[derive(Debug, thiserror::Error)]
enum NoContent {
    #[error("a git-lfs pointer")]
    Lfs,
}

impl Content for Blob<'_> {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        let mut batch = self.batch.try_borrow_mut().map_err(io::Error::other)?;
        if batch.ask(&self.id)? < LFS.1 {
            let bytes = batch.rest()?;
            if bytes.starts_with(LFS.0) {
                return Err(io::Error::other(NoContent::Lfs));
            }
            return Ok(Box::new(io::Cursor::new(bytes)));
        }
        Ok(Box::new(Reading(batch)))
    }
}

/// `git cat-file --batch`: a question, an answer, one after the other.
struct Batch {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    said: Said,
    /// What is still to be read of the last answer, with the line end behind it.
    left: u64,
}

impl Batch {
    fn start(repository: &Repository) -> Result<Self, GitError> {
        let mut child = repository.call().args(["cat-file", "--batch"]).converse()?;
        let said = Said::listen(child.stderr.take());
        match (child.stdin.take(), child.stdout.take()) {
            (Some(stdin), Some(stdout)) => Ok(Self {
                child,
                stdin: Some(stdin),
                stdout: BufReader::with_capacity(64 << 10, stdout),
                said,
                left: 0,
            }),
            _ => Err(failed("read objects", "it has no pipes")),
        }
    }

    /// Asks for a blob; gives its size.
    fn ask(&mut self, id: &str) -> io::Result<u64> {
        if self.left != 0 {
            return Err(io::Error::other("the object before it was not read to its end"));
        }
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let asked = writeln!(stdin, "{id}").and_then(|()| stdin.flush());
        let mut line = String::new();
        let answered = asked.and_then(|()| (&mut self.stdout).take(200).read_line(&mut line));
        if !matches!(answered, Ok(1..)) {
            // It has given up, and said why.
            self.stdin = None;
            return Err(io::Error::other(first_words(&self.said.text())));
        }
        match line.trim_end().split(' ').collect::<Vec<_>>()[..] {
            [_, "blob", size] => {
                let size: u64 = size.parse().map_err(io::Error::other)?;
                self.left = size.saturating_add(1);
                Ok(size)
            }
            [_, "missing"] => Err(io::Error::other("it is not in this clone")),
            _ => Err(io::Error::other("git takes it for no file")),
        }
    }

    /// The rest of a short answer.
    fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.stdout).take(self.left).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != self.left || bytes.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left = 0;
        Ok(bytes)
    }

    /// A short blob.
    fn read(mut batch: RefMut<'_, Self>, id: &str) -> io::Result<Vec<u8>> {
        batch.ask(id)?;
        batch.rest()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The blob that was asked for last.
struct Reading<'b>(RefMut<'b, Batch>);

impl Read for Reading<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let batch = &mut *self.0;
        if batch.left == 0 {
            return Ok(0);
        }
        if batch.left == 1 {
            batch.rest()?;
            return Ok(0);
        }
        let room = usize::try_from(batch.left - 1).unwrap_or(usize::MAX).min(buffer.len());
        match batch.stdout.read(buffer.get_mut(..room).unwrap_or_default())? {
            0 if room != 0 => Err(io::Error::other(first_words(&batch.said.text()))),
            n => {
                batch.left -= n as u64;
                Ok(n)
            }
        }
    }
}
