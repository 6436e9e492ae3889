//! Why two images differ, where the pattern shows it.

mod evidence;

pub(super) use evidence::Evidence;

use super::entries::Sorting;
use super::{Encoding, Which};
use crate::oci::{Platform, rfc3339};
use crate::tree::Printable;
use std::fmt;

/// A cause, and how many entries it explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blame {
    /// Why.
    pub cause: Cause,
    /// Entries that differ because of it; 0 where it is not about entries.
    pub entries: u64,
}

/// Why two images differ; A is the first, what is expected, B the second, what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Only one image is there for a platform.
    Platform {
        /// Which platform.
        platform: Option<Platform>,
        /// Whose it is not.
        missing: Which,
    },
    /// Another base image: its digests as annotations say them, or the first layers' diff_ids.
    BaseMoved(Option<String>, Option<String>),
    /// Another commit or version, by a label or annotation.
    Revision {
        /// The name of the label or annotation.
        name: String,
        /// What A says.
        a: Option<String>,
        /// What B says.
        b: Option<String>,
    },
    /// `created` differs; and nothing else does, if it says so.
    Created {
        /// Nothing else does.
        only: bool,
        /// What A says.
        a: Option<String>,
        /// What B says.
        b: Option<String>,
    },
    /// One side has the times of the build, from first to last.
    TimesNotNormalised {
        /// Whose.
        which: Which,
        /// Seconds since 1970.
        first: i64,
        /// Seconds since 1970.
        last: i64,
    },
    /// Each side has one instant for all.
    SourceDateEpoch(i64, i64),
    /// All times differ by the same number of seconds.
    TimeZone(i64),
    /// Times differ in no way that is known.
    Times,
    /// Modes as a umask leaves them.
    Umask {
        /// Whose.
        which: Which,
        /// The umask.
        mask: u32,
    },
    /// Permission bits differ in no way that is known.
    Modes,
    /// Everything that differs belongs to one other owner in B.
    Owner(u64, u64),
    /// Owners differ in no way that is known.
    Owners,
    /// One side has names of owners: of a user and a group.
    OwnerNames {
        /// Whose, if only one has them.
        which: Option<Which>,
        /// The first such user.
        user: String,
        /// The first such group.
        group: String,
    },
    /// The same entries in another order.
    Order(Sorting, Sorting),
    /// Hard links on one side, copies on the other.
    HardLinks,
    /// Extended attributes that one side has, by name.
    Xattrs(Vec<String>),
    /// Entries of folders that the other side leaves out.
    Folders,
    /// Sparse files.
    Sparse,
    /// Times of access and change in PAX records.
    PaxTimes,
    /// Headers are written in another way.
    HeaderFormat,
    /// Zeros at the end, or other bytes that mean nothing.
    Padding,
    /// Another encoder, or another level.
    Encoder(Option<Encoding>, Option<Encoding>),
    /// Files hold dates: an example of both sides.
    EmbeddedDate(String, String),
    /// Files hold paths of the machine that built them.
    EmbeddedPath(String, String),
    /// Files hold a build id.
    BuildId,
    /// Compiled Python files hold the time of their source.
    CompiledPython,
    /// Archives hold the times of their members: in which format.
    MemberTimes(&'static str),
    /// Files that only one side has, all below a folder.
    OnlyIn {
        /// Whose they are.
        which: Which,
        /// The deepest folder that holds all of them; empty: the root.
        folder: Vec<u8>,
    },
    /// Contents, kinds or link targets.
    Content,
    /// The config says something else, at these places.
    Config(Vec<String>),
    /// Manifests in the media types of OCI and of Docker.
    Dialect,
    /// Annotations differ.
    Annotations,
}

impl Cause {
    /// Its name, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Platform { .. } => "platform",
            Self::BaseMoved(..) => "base-moved",
            Self::Revision { .. } => "revision",
            Self::Created { .. } => "created",
            Self::TimesNotNormalised { .. } => "times-not-normalised",
            Self::SourceDateEpoch(..) => "source-date-epoch",
            Self::TimeZone(_) => "time-zone",
            Self::Times => "times",
            Self::Umask { .. } => "umask",
            Self::Modes => "modes",
            Self::Owner(..) => "owner",
            Self::Owners => "owners",
            Self::OwnerNames { .. } => "owner-names",
            Self::Order(..) => "order",
            Self::HardLinks => "hard-links",
            Self::Xattrs(_) => "xattrs",
            Self::Folders => "folders",
            Self::Sparse => "sparse",
            Self::PaxTimes => "pax-times",
            Self::HeaderFormat => "header-format",
            Self::Padding => "padding",
            Self::Encoder(..) => "encoder",
            Self::EmbeddedDate(..) => "embedded-date",
            Self::EmbeddedPath(..) => "embedded-path",
            Self::BuildId => "build-id",
            Self::CompiledPython => "compiled-python",
            Self::MemberTimes(_) => "member-times",
            Self::OnlyIn { which: Which::A, .. } => "only-in-a",
            Self::OnlyIn { which: Which::B, .. } => "only-in-b",
            Self::Content => "content",
            Self::Config(_) => "config",
            Self::Dialect => "dialect",
            Self::Annotations => "annotations",
        }
    }

    /// Its place among others: what tells most comes first.
    fn rank(&self) -> u8 {
        match self {
            Self::Platform { .. } => 0,
            Self::BaseMoved(..) => 1,
            Self::Revision { .. } => 2,
            Self::Created { only: true, .. } => 3,
            Self::EmbeddedDate(..) | Self::EmbeddedPath(..) => 4,
            Self::BuildId | Self::CompiledPython | Self::MemberTimes(_) => 5,
            Self::OnlyIn { .. } => 6,
            Self::TimesNotNormalised { .. } | Self::SourceDateEpoch(..) | Self::TimeZone(_) => 7,
            Self::Umask { .. } | Self::Owner(..) => 8,
            Self::Modes | Self::Owners => 9,
            Self::Xattrs(_) => 10,
            Self::Times => 11,
            Self::OwnerNames { .. } => 12,
            Self::Order(..) => 13,
            Self::HardLinks | Self::Folders | Self::Sparse => 14,
            Self::PaxTimes | Self::HeaderFormat => 15,
            Self::Padding => 16,
            Self::Encoder(..) => 17,
            Self::Dialect => 18,
            Self::Annotations => 19,
            Self::Created { only: false, .. } => 20,
            Self::Config(_) => 21,
            Self::Content => 22,
        }
    }
}

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
            Self::BaseMoved(a, b) => write!(f, "the base image moved: {} -> {}", or_none(a), or_none(b)),
            Self::Revision { name, a, b } => {
                write!(f, "built from another commit or version: {name} is {} -> {}", or_none(a), or_none(b))
            }
            Self::Created { only: true, a, b } => {
                write!(f, "nothing but `created` differs: {} -> {}", or_none(a), or_none(b))
            }
            Self::Created { only: false, a, b } => write!(f, "`created` differs: {} -> {}", or_none(a), or_none(b)),
            Self::TimesNotNormalised { which, first, last } => write!(
                f,
                "{which} was built without normalising times: they are those of the build, {} to {}",
                rfc3339(*first),
                rfc3339(*last)
            ),
            Self::SourceDateEpoch(a, b) => {
                let (a, b) = (rfc3339(*a), rfc3339(*b));
                write!(f, "each side has one time for all, {a} -> {b}, as another SOURCE_DATE_EPOCH makes it")
            }
            Self::TimeZone(seconds) => {
                write!(f, "all times are off by {seconds} seconds, as another time zone makes them")
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
            Self::Xattrs(names) => {
                write!(f, "extended attributes of the machine that built it: {}", names.join(", "))
            }
            Self::Folders => f.write_str("one side leaves out entries of folders that its other entries imply"),
            Self::Sparse => f.write_str("files with holes are stored as such on one side only"),
            Self::PaxTimes => f.write_str("extended headers hold times of access, change, or fractions of a second"),
            Self::HeaderFormat => f.write_str("another program wrote the tar: its headers have another form"),
            Self::Padding => f.write_str("the tars end in other ways, or differ in bytes that mean nothing"),
            Self::Encoder(a, b) => {
                let name = |encoding: &Option<Encoding>| {
                    encoding.as_ref().map_or_else(|| "unreadable".to_owned(), Encoding::to_string)
                };
                write!(f, "compressed otherwise: {} -> {}", name(a), name(b))
            }
            Self::EmbeddedDate(a, b) => write!(f, "files hold the date of their build: {a} -> {b}"),
            Self::EmbeddedPath(a, b) => write!(f, "files hold the path they were built at: {a} -> {b}"),
            Self::BuildId => f.write_str("programs hold a build id: it changes with all that they are built from"),
            Self::CompiledPython => f.write_str("compiled Python files hold the time of their source"),
            Self::MemberTimes(format) => write!(f, "{format} files hold the times of what is in them"),
            Self::OnlyIn { which, folder } => write!(f, "files that only {which} has, below /{}", Printable(folder)),
            Self::Content => f.write_str("what is in files, or where links lead, differs"),
            Self::Config(pointers) => write!(f, "the config says something else: {}", pointers.join(", ")),
            Self::Dialect => f.write_str("one manifest has OCI's media types, the other Docker's"),
            Self::Annotations => f.write_str("annotations differ"),
        }
    }
}

impl Blame {
    /// A platform that only one image has: the first, if so.
    pub(super) fn platform(platform: Option<Platform>, first_has_it: bool) -> Self {
        let missing = if first_has_it { Which::B } else { Which::A };
        Self { cause: Cause::Platform { platform, missing }, entries: 0 }
    }
}

/// Causes of several platforms: each once, with all the entries that it explains.
pub(super) fn together<'a>(all: impl Iterator<Item = &'a Blame>) -> Vec<Blame> {
    let mut together: Vec<Blame> = Vec::new();
    for blame in all {
        match together.iter_mut().find(|known| known.cause == blame.cause) {
            Some(known) => known.entries = known.entries.saturating_add(blame.entries),
            None => together.push(blame.clone()),
        }
    }
    together.sort_by_key(|blame| blame.cause.rank());
    together
}
