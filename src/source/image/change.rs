//! What an entry of a layer does to the layers below it (image-spec, "layer.md", Whiteouts).

use crate::tree::{EntryPath, PathError, Printable};

/// What an entry of a layer does.
pub enum Change {
    /// Something stands at this path.
    Entry(EntryPath),
    /// What layers below have at this path goes.
    Removal(EntryPath),
    /// What layers below have in this folder goes; none: in the root.
    Opaque(Option<EntryPath>),
    /// Nothing: the root itself, or what aufs once kept for itself, and every client passes over.
    Nothing,
}

impl Change {
    /// Judges the name of an entry.
    ///
    /// # Errors
    /// In which way it is no path.
    pub fn of(name: &[u8]) -> Result<Self, String> {
        let (folder, last) = match name.iter().rposition(|&b| b == b'/') {
            Some(slash) => (name.get(..slash).unwrap_or_default(), name.get(slash + 1..).unwrap_or_default()),
            None => (b"".as_slice(), name),
        };
        if last == b".wh..wh..opq" {
            return Ok(Self::Opaque(relative(folder)?));
        }
        if name.split(|&b| b == b'/').any(|part| part.starts_with(b".wh..wh.")) {
            return Ok(Self::Nothing);
        }
        if let Some(last) = last.strip_prefix(b".wh.") {
            let path = relative(&[folder, b"/", last].concat())?;
            return path.map(Self::Removal).ok_or_else(|| "a whiteout has no name".to_owned());
        }
        Ok(relative(name)?.map_or(Self::Nothing, Self::Entry))
    }
}

/// A path of a layer; `None` is the root.
///
/// # Errors
/// In which way it is no path.
pub fn relative(path: &[u8]) -> Result<Option<EntryPath>, String> {
    match EntryPath::parse(path) {
        Ok(path) => Ok(Some(path)),
        Err(PathError::Root) => Ok(None),
        Err(error) => Err(format!("the path `{}` {error}", Printable(path))),
    }
}
