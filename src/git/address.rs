//! Where a repository is: addresses as people write them, without their credentials where they are shown.

use super::GitError;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a recipe's `git` key leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A repository on this disk: it is read in place.
    Local(PathBuf),
    /// One behind a network.
    Remote(Remote),
}

/// The address of a repository behind a network. Shown without credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Remote(String);

impl Location {
    /// Reads an address as git does: a URL, `host:path`, or else a path, which is relative to `folder`.
    ///
    /// # Errors
    /// [`GitError::Argument`]; [`GitError::Transport`] for what is none of https, http, ssh, git and file.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, GitError> {
        if text.is_empty() || text.starts_with('-') || text.contains(char::is_control) {
            return Err(GitError::Argument { text: scrubbed(text) });
        }
        let transport = |name: &str| Err(GitError::Transport { name: name.to_owned(), address: scrubbed(text) });
        if let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| is_word(scheme)) {
            return match scheme {
                "https" | "http" | "ssh" | "git" => Ok(Self::Remote(Remote(text.to_owned()))),
                // The path is absolute, and a host before it means nothing to git.
                "file" if rest.starts_with('/') => Ok(Self::Local(PathBuf::from(decoded(rest)))),
                _ => transport(scheme),
            };
        }
        // An IPv6 address stands in brackets.
        let at = text.strip_prefix('[').and_then(|rest| rest.find(']')).unwrap_or_default();
        let colon = text.get(at..).and_then(|rest| rest.find(':')).map(|colon| at + colon);
        match colon.and_then(|colon| text.split_at_checked(colon)).filter(|(host, _)| !host.contains('/')) {
            Some((name, rest)) if rest.starts_with("::") => transport(name),
            Some(_) => Ok(Self::Remote(Remote(text.to_owned()))),
            None => Ok(Self::Local(folder.join(text))),
        }
    }
}

impl Remote {
    /// As git takes it, with its credentials.
    pub(super) fn address(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&scrubbed(&self.0))
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// `%20` and its like resolved, as git does in `file://`.
fn decoded(text: &str) -> std::ffi::OsString {
    use std::os::unix::ffi::OsStringExt;
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while let Some(&byte) = bytes.get(at) {
        let hex = text.get(at + 1..at + 3).filter(|_| byte == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(hex.filter(|&byte| byte != 0).unwrap_or(byte));
        at += if hex.is_some_and(|byte| byte != 0) { 3 } else { 1 };
    }
    std::ffi::OsString::from_vec(out)
}

/// A text without what stands between `://` and `@`, and without the queries of URLs.
pub(super) fn scrubbed(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        out.push_str(before);
        // A password may hold almost anything; the quotes around an address are no part of it.
        let end = url.find(char::is_whitespace).unwrap_or(url.len());
        let end = url.get(..end).map_or(end, |url| url.trim_end_matches(['\'', '"', '>']).len());
        let (url, behind) = url.split_at(end);
        let authority = url.split(['/', '?', '#']).next().unwrap_or_default();
        // A password may hold a slash that nobody escaped, so the last `@` counts; a path that has one loses its start.
        let url = match authority.contains([':', '@']) {
            true => url.rsplit_once('@').map_or(url, |(_, host)| host),
            false => url,
        };
        out.push_str(url.split('?').next().unwrap_or_default());
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// The address of a clone's remote as an image may carry it: two clones of one repository agree, and neither credentials
/// nor paths of this host are in it.
pub(super) fn published(address: &str) -> Option<String> {
    if address.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return None;
    }
    let (scheme, host, path) = match address.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/')?;
            let host = authority.rsplit('@').next()?.to_ascii_lowercase();
            let (scheme, port) = match scheme {
                "https" => ("https", ":443"),
                "http" => ("http", ":80"),
                "ssh" | "git+ssh" | "ssh+git" => ("ssh", ":22"),
                "git" => ("git", ":9418"),
                _ => return None,
            };
            let host = host.strip_suffix(port).unwrap_or(&host).to_owned();
            // A server that listens elsewhere for ssh need not be the one that listens for https.
            let scheme = if scheme == "ssh" && !has_port(&host) { "https" } else { scheme };
            (scheme, host, path)
        }
        None => {
            let (host, path) = address.split_once(':').filter(|(host, _)| !host.contains('/'))?;
            if path.starts_with(':') {
                return None;
            }
            ("https", host.rsplit('@').next()?.to_ascii_lowercase(), path)
        }
    };
    let path = path.split(['?', '#']).next()?.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
    (!host.is_empty() && !path.is_empty()).then(|| format!("{scheme}://{host}/{path}"))
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_one_repository_publish_one_address() {
        for address in [
            "https://example.com/acme/app",
            "https://example.com/acme/app.git",
            "https://example.com/acme/app.git/",
            "https://user:secret@example.com/acme/app.git",
            "https://token@Example.COM:443/acme/app?access=1",
            "git@example.com:acme/app.git",
            "example.com:acme/app",
            "git@example.com:/acme/app.git",
            "ssh://git@example.com/acme/app.git",
            "ssh://git@example.com:22/acme/app/",
        ] {
            assert_eq!(published(address).as_deref(), Some("https://example.com/acme/app"), "{address}");
        }
        for (address, said) in [
            ("http://example.com:80/a", Some("http://example.com/a")),
            ("ssh://git@example.com:2222/a.git", Some("ssh://example.com:2222/a")),
            ("https://example.com:8443/a", Some("https://example.com:8443/a")),
            ("git://example.com/a", Some("git://example.com/a")),
            ("/srv/git/app.git", None),
            ("../app", None),
            ("file:///srv/git/app.git", None),
            ("ext::sh -c x", None),
            ("ext::x", None),
            ("https://example.com", None),
            ("https://example.com/", None),
            ("", None),
        ] {
            assert_eq!(published(address).as_deref(), said, "{address}");
        }
    }

    #[test]
    fn credentials_are_not_shown() {
        for (text, shown) in [
            ("https://u:p@h/x", "https://h/x"),
            ("https://token@h/x?key=1#f", "https://h/x"),
            ("https://u:p/q@h/x", "https://h/x"),
            ("fatal: unable to access 'https://u:p@h/x/': no", "fatal: unable to access 'https://h/x/': no"),
            ("https://h/x@2 and ssh://git@h/y", "https://h/x@2 and ssh://h/y"),
            ("git@h:x", "git@h:x"),
            ("no address", "no address"),
        ] {
            assert_eq!(scrubbed(text), shown);
        }
        let Ok(Location::Remote(remote)) = Location::parse("https://u:p@h/x", Path::new("/r")) else { panic!() };
        assert_eq!(format!("{remote} {remote:?}"), "https://h/x \"https://h/x\"");
    }

    #[test]
    fn an_address_is_read_as_git_reads_it() {
        let local = |text: &str| match Location::parse(text, Path::new("/r")) {
            Ok(Location::Local(path)) => Some(path.display().to_string()),
            _ => None,
        };
        for (text, path) in [
            ("../a", "/r/../a"),
            ("/a b", "/a b"),
            ("./a:b", "/r/./a:b"),
            ("file:///a%20b%zz", "/a b%zz"),
            ("a/b:c", "/r/a/b:c"),
        ] {
            assert_eq!(local(text).as_deref(), Some(path), "{text}");
        }
        for text in ["https://h/x", "http://h/x", "ssh://h/x", "git://h/x", "git@h:x", "h:x", "[::1]:x"] {
            let remote = Location::parse(text, Path::new("/r"));
            assert!(matches!(remote, Ok(Location::Remote(_))), "{text} {remote:?}");
        }
        for text in ["ext::sh -c id", "fd::3", "s3://b/x", "file://host/x", "ftp://h/x"] {
            let refused = Location::parse(text, Path::new("/r"));
            assert!(matches!(refused, Err(GitError::Transport { .. })), "{text} {refused:?}");
        }
        for text in ["", "--upload-pack=x", "a\nb"] {
            assert!(matches!(Location::parse(text, Path::new("/r")), Err(GitError::Argument { .. })), "{text}");
        }
    }
}
