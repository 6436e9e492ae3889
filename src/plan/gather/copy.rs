//! `[[layer.copy]]`: a file, a folder or what a pattern matches, from beside the recipe or from an input.

use super::from::{Source, Taken, plain};
use super::{Gathering, Mistakes, consumed};
use crate::recipe::{Copy, Diagnostic, From};
use crate::source::filter::{self, Filter, Ignore};
use crate::source::place::{Found, Place, Says};
use crate::tree::{Attributes, EntryPath, Firmness, Kind};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

impl Gathering<'_, '_> {
    pub(super) fn copy(&mut self, copy: &Copy) -> Result<(), Mistakes> {
        let taken = self.taken(&copy.from)?;
        let (place, from) = match &taken.source {
            Source::File { content, .. } => return self.copy_file(copy, &taken, plain(content.clone())),
            Source::Path(place, path) => (&**place, path.as_str()),
        };
        let found = place.find(Path::new(from));
        let wild = from.contains(['*', '?', '[']) || (from.contains('{') && from.contains(','));
        // A file whose own name has brackets is that file.
        let literal = matches!(&found, Ok((_, found)) if found.kind != Kind::Directory);
        if wild && !literal {
            return self.copy_pattern(copy, &taken, place, from);
        }
        match found {
            Ok((folder, Found { kind: Kind::Directory, says })) => {
                self.copy_folder(copy, &taken, place, &folder, &says, &taken.called())
            }
            Ok((_, found)) => self.copy_file(copy, &taken, found),
            Err(error) if error.is_missing() && copy.optional => Ok(()),
            Err(error) => Err(vec![taken.unusable(&error)]),
        }
    }

    /// What a pattern matches lands in `to`: files and symlinks by their names, folders by their content.
    fn copy_pattern(&mut self, copy: &Copy, taken: &Taken, place: &dyn Place, text: &str) -> Result<(), Mistakes> {
        let at = taken.at;
        let text = text.strip_prefix("./").unwrap_or(text);
        self.refuse_patterns(copy, "a pattern")?;
        if text.contains("**") {
            let key = if taken.input.is_some() { "path" } else { "from" };
            return Err(vec![
                Diagnostic::at(at, format!("`**` in `{key}` would lose the folders that files stand in")).help(
                    format!("name the folder in `{key}`, and say what of it counts with `include = [\"**/...\"]`"),
                ),
            ]);
        }
        let glob = filter::pattern(text).map_err(|error| vec![Diagnostic::at(at, error.to_string())])?;
        let found = match place.glob(text, &glob.compile_matcher()) {
            Ok(found) => found,
            Err(error) if error.is_missing() => Vec::new(),
            Err(error) => return Err(vec![taken.unusable(&error)]),
        };
        if found.is_empty() && !copy.optional {
            let within = taken.input.as_ref().map(|input| format!(" in the input `{input}`")).unwrap_or_default();
            return Err(vec![Diagnostic::at(at, format!("the pattern `{text}` matches nothing{within}")).help(
                format!(
                    "`*` does not cross a `/`; paths are relative to {}; or set `optional = true`",
                    taken.relative_to()
                ),
            )]);
        }
        for (path, found) in found {
            let name = path.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
            if found.kind == Kind::Directory {
                let called = taken.called_below(&path.display().to_string());
                self.copy_folder(copy, taken, place, &path, &found.says, &called)?;
            } else {
                let path = self.below(taken, self.place(&copy.to)?.as_ref(), name)?;
                self.add_found(copy, taken, path, found)?;
            }
        }
        Ok(())
    }

    /// A file named by itself: it becomes `to`, or lands in `to` if that ends in a slash.
    fn copy_file(&mut self, copy: &Copy, taken: &Taken, file: Found) -> Result<(), Mistakes> {
        self.refuse_patterns(copy, "a file")?;
        let path = if copy.to.expand(self.work.variables).ends_with('/') {
            let name = taken.source.file_name();
            if name.is_empty() {
                return Err(vec![
                    Diagnostic::at(copy.to.span, format!("{} has no file name of its own", taken.called()))
                        .help("say in `to` what the file is to be called, without a slash at the end"),
                ]);
            }
            self.below(taken, self.place(&copy.to)?.as_ref(), name)?
        } else {
            self.path(&copy.to)?
        };
        self.add_found(copy, taken, path, file)
    }

    /// What chooses from a folder is never silently ignored.
    fn refuse_patterns(&self, copy: &Copy, what: &str) -> Result<(), Mistakes> {
        let pattern = copy.filter.include.first().or(copy.filter.exclude.first()).or(copy.ignore_file.as_ref());
        let Some(pattern) = pattern else { return Ok(()) };
        let key = if matches!(copy.from.value, From::Input { path: Some(_), .. }) { "path" } else { "from" };
        let message = format!("`include`, `exclude` and `ignore-file` choose from a folder, and `{key}` is {what}");
        Err(vec![
            Diagnostic::at(pattern.span, message)
                .also(copy.from.span, what)
                .help(format!("name the folder in `{key}`, or leave the patterns out")),
        ])
    }

    fn add_found(&mut self, copy: &Copy, taken: &Taken, path: EntryPath, found: Found) -> Result<(), Mistakes> {
        let attributes = self.attributes_of(copy, taken, &path, &found)?;
        let kind = self.own(found.kind);
        self.add(path, attributes, kind, Firmness::Stated);
        Ok(())
    }

    /// Mode, owner, time and extended attributes of something that was found. Where its place says all of them, only the
    /// statement itself can say others.
    fn attributes_of(
        &self,
        copy: &Copy,
        taken: &Taken,
        path: &EntryPath,
        found: &Found,
    ) -> Result<Attributes, Mistakes> {
        let pinned = matches!(found.says, Says::All(_));
        let modes = if pinned { copy.modes.clone() } else { self.modes(&copy.modes) };
        let (mode, capabilities) = match found.kind {
            Kind::Directory => (modes.dirs, None),
            Kind::Symlink { .. } => (None, None),
            _ => (copy.mode.as_ref().map(|mode| mode.value).or(modes.files), copy.capabilities.as_ref()),
        };
        match &found.says {
            Says::Executable(executable) => {
                let by_place = match found.kind {
                    Kind::Symlink { .. } => 0o777,
                    // Of a file's mode only the executable bit counts.
                    Kind::File { .. } if !executable => 0o644,
                    _ => 0o755,
                };
                self.attributes(mode.unwrap_or(by_place), copy.owner.as_ref(), capabilities)
            }
            Says::All(said) => {
                let mut attributes = said.clone();
                attributes.mode = mode.unwrap_or(attributes.mode);
                if let Some(owner) = &copy.owner {
                    (attributes.uid, attributes.gid) = self.owner(owner)?;
                }
                if let Some(set) = capabilities {
                    attributes.xattrs.insert(b"security.capability".to_vec(), set.value.to_xattr().to_vec());
                }
                let what = || format!("{path} of {}", taken.called());
                self.check_owner(taken.at, &attributes, what)?;
                Ok(attributes)
            }
        }
    }

    /// The content of a folder lands in `to`.
    fn copy_folder(
        &mut self,
        copy: &Copy,
        taken: &Taken,
        place: &dyn Place,
        folder: &Path,
        says: &Says,
        called: &str,
    ) -> Result<(), Mistakes> {
        for (span, key, instead) in [
            (copy.mode.as_ref().map(|mode| mode.span), "mode", "`modes = { dirs = \"0755\", files = \"0644\" }`"),
            (copy.capabilities.as_ref().map(|set| set.span), "capabilities", "a statement for the one file"),
        ] {
            if let Some(span) = span {
                return Err(vec![
                    Diagnostic::at(span, format!("`{key}` is for a single file, and {called} is a folder"))
                        .also(copy.from.span, "a folder")
                        .help(format!("use {instead}")),
                ]);
            }
        }
        let filter = self.compiled(copy, taken, place, folder)?;
        let found = place.walk(folder, &filter).map_err(|error| vec![taken.unusable(&error)])?;
        if !copy.optional {
            self.unmatched(&copy.filter, &filter, called)?;
        }
        let to = self.place(&copy.to)?;
        let mut folders: BTreeMap<Box<[u8]>, Found> = BTreeMap::new();
        for (name, found) in consumed(found) {
            // Every folder on the way to what is copied comes along, also one that no pattern names. Innermost first:
            // where one is known, those above it are.
            let ways = name.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
            for way in ways.filter_map(|(at, _)| name.get(..at)) {
                if folders.contains_key(way) {
                    break;
                }
                folders.insert(way.into(), place.folder(&folder.join(OsStr::from_bytes(way))));
            }
            if found.kind == Kind::Directory {
                folders.insert(name, found);
            } else {
                let path = self.below(taken, to.as_ref(), &name)?;
                self.add_found(copy, taken, path, found)?;
            }
        }
        if let Some(to) = &to {
            let found = Found { kind: Kind::Directory, says: says.clone() };
            let attributes = self.attributes_of(copy, taken, to, &found)?;
            self.add(to.clone(), attributes, Kind::Directory, Firmness::Copied);
        }
        for (name, found) in folders {
            let path = self.below(taken, to.as_ref(), &name)?;
            let attributes = self.attributes_of(copy, taken, &path, &found)?;
            let firmness = match found.says {
                Says::Executable(_) => Firmness::Copied,
                // As from an archive.
                Says::All(_) => Firmness::Stated,
            };
            self.add(path, attributes, Kind::Directory, firmness);
        }
        Ok(())
    }

    /// The statement's patterns and its ignore file, whose patterns are relative to the folder that holds it: the one
    /// that is copied, or else that of the recipe or the root of the input.
    fn compiled(&self, copy: &Copy, taken: &Taken, place: &dyn Place, folder: &Path) -> Result<Filter, Mistakes> {
        let Some(name) = &copy.ignore_file else { return self.filter(&copy.filter, Ignore::default()) };
        let text = name.expand(self.work.variables);
        let (bytes, base) = match place.read(&folder.join(&text)) {
            Ok(bytes) => (bytes, Path::new("")),
            Err(error) if error.is_missing() => match place.read(Path::new(&text)) {
                Ok(bytes) => (bytes, folder),
                Err(error) => {
                    let help =
                        format!("it is looked for in `{}` first, then in {}", folder.display(), taken.relative_to());
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

    fn below(&self, taken: &Taken, folder: Option<&EntryPath>, name: &[u8]) -> Result<EntryPath, Mistakes> {
        EntryPath::parse(name).and_then(|name| name.below(folder)).map_err(|error| {
            let name = crate::tree::Printable(name);
            vec![Diagnostic::at(taken.at, format!("the path of `{name}` {error}"))]
        })
    }
}
