//! Symlinks in the way: `/bin/sh` on a base whose `/bin` points at `usr/bin` is `/usr/bin/sh`.

use super::{EntryPath, PathError};

/// More symlinks on the way to one path than this are a loop (Linux follows as many).
const HOPS: usize = 40;

/// Why a path leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Astray {
    /// The symlinks go round in circles.
    #[error("a loop of symlinks is in the way")]
    Loop,
    /// A symlink leads out of the root, where the root is no `/`.
    #[error("a symlink leads out")]
    Outside,
    /// It becomes longer than paths may be, or has a name that none may have.
    #[error(transparent)]
    Path(#[from] PathError),
}

/// What the root of a tree is to its symlinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Top {
    /// `/`, as in a container: absolute targets start here, `..` stays here, and no way leads out.
    Slash,
    /// A folder like any other: what leads out of it is refused.
    Folder,
}

/// Follows the symlinks in the folders of `path`, and its last part too if `leaf`, inside an image's root. `target` tells
/// where a symlink points. `None`: the root itself.
///
/// # Errors
/// If the symlinks go round in circles; or the path becomes longer than paths may be.
pub fn through<'a>(
    path: &EntryPath,
    leaf: bool,
    target: impl Fn(&EntryPath) -> Option<&'a [u8]>,
) -> Result<Option<EntryPath>, Astray> {
    through_below(Top::Slash, path, leaf, target)
}

/// As [`through`], below a root of the kind `top`.
///
/// # Errors
/// See [`Astray`].
pub fn through_below<'a>(
    top: Top,
    path: &EntryPath,
    leaf: bool,
    target: impl Fn(&EntryPath) -> Option<&'a [u8]>,
) -> Result<Option<EntryPath>, Astray> {
    let mut left: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
    let mut done: Vec<Vec<u8>> = Vec::new();
    let mut hops = 0;
    while let Some(part) = left.pop() {
        match part.as_slice() {
            b"" | b"." => continue,
            b".." => {
                if done.pop().is_none() && top == Top::Folder {
                    return Err(Astray::Outside);
                }
                continue;
            }
            _ => done.push(part),
        }
        if left.is_empty() && !leaf {
            break;
        }
        let here = EntryPath::parse(done.join(&b'/'))?;
        if let Some(target) = target(&here) {
            hops += 1;
            if hops > HOPS {
                return Err(Astray::Loop);
            }
            done.pop();
            if target.starts_with(b"/") {
                if top == Top::Folder {
                    return Err(Astray::Outside);
                }
                done.clear();
            }
            left.extend(target.split(|&b| b == b'/').rev().map(<[u8]>::to_vec));
        }
    }
    match done.is_empty() {
        true => Ok(None),
        false => Ok(Some(EntryPath::parse(done.join(&b'/'))?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go(path: &str, leaf: bool) -> Result<Option<String>, Astray> {
        go_below(Top::Slash, path, leaf)
    }

    fn go_below(top: Top, path: &str, leaf: bool) -> Result<Option<String>, Astray> {
        let links = [("bin", "usr/bin"), ("var/run", "/run"), ("a", "b"), ("b", "a"), ("up", "../../usr"), ("r", "/")];
        through_below(top, &EntryPath::parse(path).unwrap(), leaf, |at| {
            links.iter().find(|(name, _)| at.as_bytes() == name.as_bytes()).map(|(_, target)| target.as_bytes())
        })
        .map(|path| path.map(|path| path.to_string()))
    }

    #[test]
    fn folders_are_followed_and_the_last_part_only_if_asked() {
        assert_eq!(go("bin/sh", false), Ok(Some("/usr/bin/sh".into())));
        assert_eq!(go("bin", false), Ok(Some("/bin".into())));
        assert_eq!(go("bin", true), Ok(Some("/usr/bin".into())));
        assert_eq!(go("var/run/x", false), Ok(Some("/run/x".into())));
        assert_eq!(go("up/lib", false), Ok(Some("/usr/lib".into())));
        assert_eq!(go("r", true), Ok(None));
        assert_eq!(go("plain/x", true), Ok(Some("/plain/x".into())));
        assert_eq!(go("a/x", false), Err(Astray::Loop));
    }

    #[test]
    fn a_root_that_is_a_folder_is_not_left() {
        assert_eq!(go_below(Top::Folder, "bin/sh", false), Ok(Some("/usr/bin/sh".into())));
        for out in ["var/run/x", "up/lib", "r/x"] {
            assert_eq!(go_below(Top::Folder, out, true), Err(Astray::Outside), "{out}");
        }
    }
}
