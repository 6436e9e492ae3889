//! `[[layer.copy]]`: a file, a folder or what a pattern matches, from beside the recipe.

use super::{Gathering, Mistakes};
use crate::recipe::{Copy, Diagnostic, From};
use crate::source::Content;
use crate::source::disk::{self, DiskError, Found, HostFile};
use crate::source::filter::{self, Filter, Ignore};
use crate::tree::{EntryPath, Firmness, Kind};
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

impl Gathering<'_, '_> {
    pub(super) fn copy(&mut self, copy: &Copy) -> Result<(), Mistakes> {
        let from = self.disk(&copy.from)?;
        // A file whose own name has brackets is that file.
        let literal = || matches!(self.work.context.root.find(&from), Ok((_, Found::File(_))));
        let wild = matches!(&copy.from.value, From::Disk(_))
            && (from.contains(['*', '?', '[']) || (from.contains('{') && from.contains(',')));
        if wild && !literal() {
            return self.copy_pattern(copy, &from);
        }
        match self.work.context.root.find(&from) {
            Ok((folder, Found::Folder)) => self.copy_folder(copy, &folder, &from),
            Ok((_, Found::File(file))) => {
                let name = disk::file_name(Path::new(&from)).map(OsStrExt::as_bytes).unwrap_or_default();
                self.copy_file(copy, file, name)
            }
            // `find` follows symlinks.
            Ok((_, Found::Symlink(_))) => Ok(()),
            Err(DiskError::Missing(_)) if copy.optional => Ok(()),
            Err(error) => Err(vec![self.unreadable(copy, error)]),
        }
    }

    /// What a pattern matches lands in `to`: files and symlinks by their names, folders by their content.
    fn copy_pattern(&mut self, copy: &Copy, text: &str) -> Result<(), Mistakes> {
        let at = copy.from.span;
        let text = text.strip_prefix("./").unwrap_or(text);
        self.refuse_patterns(copy, "a pattern")?;
        if text.contains("**") {
            return Err(vec![
                Diagnostic::at(at, "`**` in `from` would lose the folders that files stand in")
                    .help("name the folder in `from`, and say what of it counts with `include = [\"**/...\"]`"),
            ]);
        }
        let glob = filter::pattern(text).map_err(|error| vec![Diagnostic::at(at, error.to_string())])?;
        let found = match self.work.context.root.glob(text, &glob.compile_matcher()) {
            Ok(found) => found,
            Err(DiskError::Missing(_)) => Vec::new(),
            Err(error) => return Err(vec![self.unreadable(copy, error)]),
        };
        if found.is_empty() && !copy.optional {
            return Err(vec![Diagnostic::at(at, format!("the pattern `{text}` matches nothing")).help(
                "`*` does not cross a `/`; paths are relative to the recipe's folder; or set `optional = true`",
            )]);
        }
        for (path, found) in found {
            let name = disk::file_name(&path).map(OsStrExt::as_bytes).unwrap_or_default();
            match found {
                Found::Folder => self.copy_folder(copy, &path, &path.display().to_string())?,
                Found::File(file) => self.copy_file_into(copy, file, name)?,
                Found::Symlink(target) => {
                    let path = self.below(copy, self.place(&copy.to)?.as_ref(), name)?;
                    let attributes = self.attributes(0o777, copy.owner.as_ref(), None)?;
                    self.add(path, attributes, Kind::Symlink { target }, Firmness::Stated);
                }
            }
        }
        Ok(())
    }

    /// A file named by itself: it becomes `to`, or lands in `to` if that ends in a slash.
    fn copy_file(&mut self, copy: &Copy, file: HostFile, name: &[u8]) -> Result<(), Mistakes> {
        self.refuse_patterns(copy, "a file")?;
        if copy.to.expand(self.work.variables).ends_with('/') {
            return self.copy_file_into(copy, file, name);
        }
        let path = self.path(&copy.to)?;
        self.add_file(copy, path, file)
    }

    /// What chooses from a folder is never silently ignored.
    fn refuse_patterns(&self, copy: &Copy, what: &str) -> Result<(), Mistakes> {
        let pattern = copy.filter.include.first().or(copy.filter.exclude.first()).or(copy.ignore_file.as_ref());
        let Some(pattern) = pattern else { return Ok(()) };
        let message = format!("`include`, `exclude` and `ignore-file` choose from a folder, and `from` is {what}");
        Err(vec![
            Diagnostic::at(pattern.span, message)
                .also(copy.from.span, what)
                .help("name the folder in `from`, or leave the patterns out"),
        ])
    }

    fn copy_file_into(&mut self, copy: &Copy, file: HostFile, name: &[u8]) -> Result<(), Mistakes> {
        let folder = self.place(&copy.to)?;
        let path = self.below(copy, folder.as_ref(), name)?;
        self.add_file(copy, path, file)
    }

    fn add_file(&mut self, copy: &Copy, path: EntryPath, file: HostFile) -> Result<(), Mistakes> {
        // Of the host's mode only the executable bit counts.
        let by_host = if file.executable { 0o755 } else { 0o644 };
        let mode = copy.mode.as_ref().map(|mode| mode.value).or(self.modes(&copy.modes).files).unwrap_or(by_host);
        let attributes = self.attributes(mode, copy.owner.as_ref(), copy.capabilities.as_ref())?;
        let kind = Kind::File { size: file.size(), content: Content::Disk(file), link: None };
        self.add(path, attributes, kind, Firmness::Stated);
        Ok(())
    }

    /// The content of a folder lands in `to`.
    fn copy_folder(&mut self, copy: &Copy, folder: &Path, from: &str) -> Result<(), Mistakes> {
        for (span, key, instead) in [
            (copy.mode.as_ref().map(|mode| mode.span), "mode", "`modes = { dirs = \"0755\", files = \"0644\" }`"),
            (copy.capabilities.as_ref().map(|set| set.span), "capabilities", "a statement for the one file"),
        ] {
            if let Some(span) = span {
                return Err(vec![
                    Diagnostic::at(span, format!("`{key}` is for a single file, and `{from}` is a folder"))
                        .also(copy.from.span, "a folder")
                        .help(format!("use {instead}")),
                ]);
            }
        }
        let mut filter = self.compiled(copy, folder)?;
        let found =
            self.work.context.root.walk(folder, &mut filter).map_err(|error| vec![self.unreadable(copy, error)])?;
        if !copy.optional {
            self.unmatched(&copy.filter, &filter, &format!("`{from}`"))?;
        }
        let to = self.place(&copy.to)?;
        let modes = self.modes(&copy.modes);
        let dirs = self.attributes(modes.dirs.unwrap_or(0o755), copy.owner.as_ref(), None)?;
        if let Some(to) = &to {
            self.add(to.clone(), dirs.clone(), Kind::Directory, Firmness::Copied);
        }
        // Every folder on the way to what is copied comes along, also one that no pattern names.
        let mut folders = BTreeSet::new();
        for (name, found) in found {
            let path = self.below(copy, to.as_ref(), &name)?;
            let parts = EntryPath::parse(&name).map(|name| name.components().count()).unwrap_or_default();
            folders.extend(std::iter::successors(path.parent(), EntryPath::parent).take(parts.saturating_sub(1)));
            match found {
                Found::Folder => drop(folders.insert(path)),
                Found::File(file) => self.add_file(copy, path, file)?,
                Found::Symlink(target) => {
                    let attributes = crate::tree::Attributes { mode: 0o777, ..dirs.clone() };
                    self.add(path, attributes, Kind::Symlink { target }, Firmness::Stated);
                }
            }
        }
        for folder in folders {
            self.add(folder, dirs.clone(), Kind::Directory, Firmness::Copied);
        }
        Ok(())
    }

    /// The statement's patterns and its ignore file, whose patterns are relative to the folder that holds it: the one
    /// that is copied, or else the recipe's.
    fn compiled(&self, copy: &Copy, folder: &Path) -> Result<Filter, Mistakes> {
        let Some(name) = &copy.ignore_file else { return self.filter(&copy.filter, Ignore::default()) };
        let root = self.work.context.root;
        let text = name.expand(self.work.variables);
        let inside = folder.join(&text);
        let (bytes, base) = match root.read(&inside) {
            Ok(bytes) => (bytes, Path::new("")),
            Err(DiskError::Missing(_)) => match root.read(Path::new(&text)) {
                Ok(bytes) => (bytes, folder),
                Err(error) => {
                    let place = folder.display();
                    let help = format!("it is looked for in `{place}` first, then in the recipe's folder");
                    return Err(vec![Diagnostic::at(name.span, error.to_string()).help(help)]);
                }
            },
            Err(error) => return Err(vec![Diagnostic::at(name.span, error.to_string())]),
        };
        let rules = String::from_utf8_lossy(&bytes);
        let ignore = Ignore::parse(&rules, base.as_os_str().as_bytes())
            .map_err(|(line, error)| vec![Diagnostic::at(name.span, format!("line {line} of `{text}`: {error}"))])?;
        self.filter(&copy.filter, ignore)
    }

    fn below(&self, copy: &Copy, folder: Option<&EntryPath>, name: &[u8]) -> Result<EntryPath, Mistakes> {
        EntryPath::parse(name).and_then(|name| name.below(folder)).map_err(|error| {
            let name = crate::tree::Printable(name);
            vec![Diagnostic::at(copy.from.span, format!("the path of `{name}` {error}"))]
        })
    }

    fn unreadable(&self, copy: &Copy, error: DiskError) -> Diagnostic {
        let help = match &error {
            DiskError::Missing(_) => "paths are relative to the recipe's folder; or set `optional = true`",
            DiskError::Outside { .. } => {
                "copy it into the recipe's folder: an image is made of what is committed with it"
            }
            DiskError::Special { path, .. } if is_named(copy, path) => "an image holds files, folders and symlinks",
            DiskError::Special { .. } => "leave it out with `exclude`",
            DiskError::Written(_) => "write the image elsewhere with -o, or copy something else",
            DiskError::NotAFolder(_) => "drop the slash at the end to copy a file",
            DiskError::Loop(_) => "one of the symlinks on the way points back at itself",
            DiskError::Dangling { .. } | DiskError::Io { .. } => {
                return Diagnostic::at(copy.from.span, error.to_string());
            }
        };
        Diagnostic::at(copy.from.span, error.to_string()).help(help)
    }
}

/// Whether a statement names a path itself, and not a folder or a pattern that leads to it.
fn is_named(copy: &Copy, path: &str) -> bool {
    matches!(&copy.from.value, From::Disk(from) if from.to_string() == path)
}
