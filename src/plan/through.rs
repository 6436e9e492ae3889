//! Symlinks in the way: `/bin/sh` on a base whose `/bin` points at `usr/bin` is `/usr/bin/sh`.

use crate::tree::EntryPath;

/// More symlinks on the way to one path than this are a loop (Linux follows as many).
const HOPS: usize = 40;

/// Follows the symlinks in the folders of `path`, and its last part too if `leaf`, inside the image's root. `target` tells
/// where a symlink points. `None`: the root itself.
///
/// # Errors
/// If the symlinks go round in circles; or the path becomes longer than paths may be.
pub fn through<'a>(
    path: &EntryPath,
    leaf: bool,
    target: impl Fn(&EntryPath) -> Option<&'a [u8]>,
) -> Result<Option<EntryPath>, String> {
    let mut left: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
    let mut done: Vec<Vec<u8>> = Vec::new();
    let mut hops = 0;
    while let Some(part) = left.pop() {
        match part.as_slice() {
            b"" | b"." => continue,
            b".." => {
                done.pop();
                continue;
            }
            _ => done.push(part),
        }
        if left.is_empty() && !leaf {
            break;
        }
        let here = EntryPath::parse(done.join(&b'/')).map_err(|error| error.to_string())?;
        if let Some(target) = target(&here) {
            hops += 1;
            if hops > HOPS {
                return Err("a loop of symlinks is in the way".to_owned());
            }
            done.pop();
            if target.starts_with(b"/") {
                done.clear();
            }
            left.extend(target.split(|&b| b == b'/').rev().map(<[u8]>::to_vec));
        }
    }
    match done.is_empty() {
        true => Ok(None),
        false => EntryPath::parse(done.join(&b'/')).map(Some).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go(path: &str, leaf: bool) -> Result<Option<String>, String> {
        let links = [("bin", "usr/bin"), ("var/run", "/run"), ("a", "b"), ("b", "a"), ("up", "../../usr"), ("r", "/")];
        through(&EntryPath::parse(path).unwrap(), leaf, |at| {
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
        assert!(go("a/x", false).is_err());
    }
}
