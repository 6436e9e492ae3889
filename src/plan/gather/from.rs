//! `from`: a path beside the recipe, or in an input.

use super::{Gathering, Mistakes};
use crate::plan::inputs::Opened;
use crate::recipe::{Diagnostic, From, Span, Spanned};
use crate::source::Content;
use crate::source::archive::Slice;
use crate::source::disk::DiskError;
use crate::source::place::{Found, Place, PlaceError, Says};
use crate::tree::{Kind, LinkId};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

/// Where a statement takes its content from.
pub(super) struct Taken {
    pub source: Source,
    /// The input, if it is one.
    pub input: Option<String>,
    /// Where the recipe says it.
    pub at: Span,
}

pub(super) enum Source {
    /// A path in a place.
    Path(Rc<dyn Place>, String),
    /// What a URL gave.
    File { input: Spanned<String>, content: Slice, name: String },
}

impl Taken {
    /// The thing itself, as a message calls it.
    pub fn called(&self) -> String {
        match (&self.source, &self.input) {
            (Source::Path(_, path), _) if !path.is_empty() => self.called_below(path),
            (_, Some(input)) => format!("the input `{input}`"),
            (_, None) => "the recipe's folder".to_owned(),
        }
    }

    /// A path of the place that it is in, as a message calls it.
    pub fn called_below(&self, path: &str) -> String {
        match &self.input {
            Some(input) => format!("`{path}` in the input `{input}`"),
            None => format!("`{path}`"),
        }
    }

    /// What a path of it is relative to.
    pub fn relative_to(&self) -> &'static str {
        if self.input.is_some() { "the root of the input" } else { "the recipe's folder" }
    }

    /// A mistake of the path that a statement names, with what to do about it.
    pub fn unusable(&self, error: &PlaceError) -> Diagnostic {
        let mistake = Diagnostic::at(self.at, error.to_string());
        let help = match error {
            PlaceError::Files(error) => error.help(),
            PlaceError::Disk(error) => match error {
                DiskError::Missing(_) => Some("paths are relative to the recipe's folder; or set `optional = true`"),
                DiskError::Outside { .. } => {
                    Some("copy it into the recipe's folder: an image is made of what is committed with it")
                }
                DiskError::Special { path, .. } if self.names(path) => {
                    Some("an image holds files, folders and symlinks")
                }
                DiskError::Special { .. } => Some("leave it out with `exclude`"),
                DiskError::Written(_) => Some("write the image elsewhere with -o, or copy something else"),
                DiskError::NotAFolder(_) => Some("drop the slash at the end to copy a file"),
                DiskError::Loop(_) => Some("one of the symlinks on the way points back at itself"),
                DiskError::Dangling { .. } | DiskError::Io { .. } => None,
            }
            .map(str::to_owned),
        };
        Diagnostic { help, ..mistake }
    }

    /// Whether the statement names a path itself, and not a folder or a pattern that leads to it.
    fn names(&self, path: &str) -> bool {
        matches!(&self.source, Source::Path(_, own) if own == path)
    }
}

impl Source {
    /// The last part of what the recipe names, for a `to` that ends in a slash.
    pub fn file_name(&self) -> &[u8] {
        match self {
            Self::File { name, .. } => name.as_bytes(),
            Self::Path(_, path) => Path::new(path).file_name().map(OsStrExt::as_bytes).unwrap_or_default(),
        }
    }
}

/// What a URL gave, which says no more than its bytes.
pub(super) fn plain(content: Slice) -> Found {
    let kind = Kind::File { size: content.len(), content: Content::Archive(content), link: None };
    Found { kind, says: Says::Executable(false) }
}

impl Gathering<'_, '_> {
    /// What a statement's `from` names.
    pub(super) fn taken(&self, from: &Spanned<From>) -> Result<Taken, Mistakes> {
        let (input, path) = match &from.value {
            From::Disk(path) => {
                let place: Rc<dyn Place> = Rc::new(self.work.context.root.clone());
                let source = Source::Path(place, path.expand(self.work.variables));
                return Ok(Taken { source, input: None, at: from.span });
            }
            From::Input { input, path } => (input, path),
        };
        let at = path.as_ref().map_or(input.span, |path| path.span);
        let path = path.as_ref().map(|path| path.expand(self.work.variables)).unwrap_or_default();
        let source = match self.work.inputs.open(input).map_err(|mistake| vec![mistake])? {
            Opened::File(content, name) => Source::File { input: input.clone(), content, name },
            // With a slash before it or without, a path starts at the root of the input.
            Opened::Files(files) => Source::Path(files, path.trim_start_matches('/').to_owned()),
        };
        Ok(Taken { source, input: Some(input.value.clone()), at })
    }

    /// Hard links of one statement stay apart from those of others.
    pub(super) fn own<C>(&self, kind: Kind<C>) -> Kind<C> {
        let statement = u64::from(self.origin.0) << 32;
        match kind {
            Kind::File { content, size, link } => {
                Kind::File { content, size, link: link.map(|link| LinkId(statement + link.0)) }
            }
            other => other,
        }
    }
}
