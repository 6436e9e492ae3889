//! Causes as sentences.

use super::Cause;
use crate::diff::Which;
use crate::diff::entries::Sorting;
use crate::oci::rfc3339;
use crate::tree::Printable;
use std::fmt;

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

impl fmt::Display for Sorting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "sorted by the bytes of its paths",
            Self::Folders => "sorted folder by folder",
            Self::Locale => "sorted as a locale does it",
            Self::Unsorted => "in no order, as a file system gives it",
        })
    }
}

/// A sentence.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        match self {
            Self::Platform { platform: Some(platform), missing } => write!(f, "{missing} has no image for {platform}"),
            Self::Platform { platform: None, missing } => write!(f, "{missing} has no such image"),
            Self::Unreadable(which, why) => write!(f, "a layer of {which} cannot be read: {why}"),
            Self::BaseMoved(a, b) => write!(f, "the base image moved: {} -> {}", or_none(a), or_none(b)),
            Self::Revision { name, a, b } => {
                write!(f, "built from another commit or version: {name} is {} -> {}", or_none(a), or_none(b))
            }
            Self::Created { only: true, a, b } => {
                write!(f, "nothing but `created` differs: {} -> {}", or_none(a), or_none(b))
            }
            Self::Created { only: false, a, b } => write!(f, "`created` differs: {} -> {}", or_none(a), or_none(b)),
            Self::TimesNotNormalised { which, first, last, most } => write!(
                f,
                "{which} was built without normalising times: {} those of the build, {} to {}",
                if *most { "most are" } else { "they are" },
                rfc3339(*first),
                rfc3339(*last)
            ),
            Self::SourceDateEpoch(a, b, most) => {
                let (a, b, all) = (rfc3339(*a), rfc3339(*b), if *most { "most entries" } else { "all" });
                write!(f, "each side has one time for {all}, {a} -> {b}, as another SOURCE_DATE_EPOCH makes it")
            }
            Self::TimeZone(seconds, most) => {
                let all = if *most { "most" } else { "all" };
                write!(f, "{all} times are off by {seconds} seconds, as another time zone makes them")
            }
            Self::Times => f.write_str("times differ"),
            Self::Umask { which, mask } => write!(f, "modes of {which} are those that a umask of {mask:04o} leaves"),
            Self::Modes => f.write_str("permission bits differ"),
            Self::Owner(uid, gid) => write!(f, "entries belong to {uid}:{gid} in B, as the user who built it has it"),
            Self::Owners => f.write_str("owners differ"),
            Self::OwnerNames { which: Some(which), user, group } => {
                write!(f, "{which} names owners, such as {user}:{group}: they are those of the machine that built it")
            }
            Self::OwnerNames { which: None, user, group } => {
                write!(f, "names of owners differ, such as {user}:{group}")
            }
            Self::Order(a, b) => write!(f, "the entries stand in another order: A is {a}, B is {b}"),
            Self::HardLinks => f.write_str("hard links on one side are copies, or other links, on the other"),
            Self::Rights(kinds) => write!(f, "rights differ: {}", kinds.join(", ")),
            Self::LayerOrder => f.write_str("the same layers stand in another order"),
            Self::Layers { a, b, alone: (x, y) } => {
                write!(f, "divided into layers otherwise: A has {a}, {x} of them alone; B has {b}, {y} of them alone")
            }
            Self::Xattrs(names) => {
                write!(f, "extended attributes of the machine that built it: {}", names.join(", "))
            }
            Self::Folders => f.write_str("one side leaves out entries of folders that its other entries imply"),
            Self::Sparse => f.write_str("files with holes are stored as such on one side only"),
            Self::PaxTimes => f.write_str("extended headers hold times of access, change, or fractions of a second"),
            Self::HeaderFormat => f.write_str("another program wrote the tar: its headers have another form"),
            Self::Padding => f.write_str("the tars end in other ways, or differ in bytes that mean nothing"),
            Self::Encoder(Some(a), Some(b)) => write!(f, "compressed otherwise: {a} -> {b}"),
            Self::Encoder(Some(a), None) => write!(f, "compressed otherwise: A is {a}"),
            Self::Encoder(None, Some(b)) => write!(f, "compressed otherwise: B is {b}"),
            Self::Encoder(None, None) => f.write_str("compressed otherwise"),
            Self::EmbeddedDate(a, b) => write!(f, "files hold the date of their build: {a} -> {b}"),
            Self::EmbeddedPath(a, b) => write!(f, "files hold the path they were built at: {a} -> {b}"),
            Self::BuildId => f.write_str("programs hold a build id: it changes with all that they are built from"),
            Self::CompiledPython => f.write_str("compiled Python files hold the time of their source"),
            Self::MemberTimes(format) => write!(f, "{format} files hold the times of what is in them"),
            Self::OnlyIn { which, folder } => write!(f, "files that only {which} has, below /{}", Printable(folder)),
            Self::Removals { which, folder } => {
                write!(f, "removals (whiteouts) that only {which} has, below /{}", Printable(folder))
            }
            Self::Content => f.write_str("what is in files, or where links lead, differs"),
            Self::Config(pointers) => write!(f, "the config says something else: {}", pointers.join(", ")),
            Self::Dialect => f.write_str("one manifest has OCI's media types, the other Docker's"),
            Self::Annotations => f.write_str("annotations differ"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoder_that_is_not_known_is_not_spoken_of() {
        let said =
            |a: Option<&str>, b: Option<&str>| Cause::Encoder(a.map(str::to_owned), b.map(str::to_owned)).to_string();
        assert_eq!(said(Some("gzip"), Some("zstd")), "compressed otherwise: gzip -> zstd");
        assert_eq!(said(None, Some("zstd")), "compressed otherwise: B is zstd");
        assert_eq!(said(Some("gzip"), None), "compressed otherwise: A is gzip");
        assert_eq!(said(None, None), "compressed otherwise");
    }
}
