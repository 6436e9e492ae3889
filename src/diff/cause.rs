//! Why two images differ, where the pattern shows it.

mod evidence;
mod words;

pub(super) use evidence::Evidence;

use super::Which;
use super::entries::Sorting;
use crate::oci::Platform;

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
    /// A layer that cannot be read, or is not what its diff_id says: whose, and why.
    Unreadable(Which, String),
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
        /// A few entries do not follow.
        most: bool,
    },
    /// Each side has one instant for all; or for most, if it says so.
    SourceDateEpoch(i64, i64, bool),
    /// All times differ by the same number of seconds; or most, if it says so.
    TimeZone(i64, bool),
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
    /// What programs or people may do: file capabilities, setuid bits and the like.
    Rights(Vec<&'static str>),
    /// The same layers in another order.
    LayerOrder,
    /// Layers that only one side has: how many layers A and B have, and how many of them alone.
    Layers {
        /// How many A has.
        a: usize,
        /// How many B has.
        b: usize,
        /// How many of them only the one side has.
        alone: (usize, usize),
    },
    /// Extended attributes that differ, by name, but for those that give rights.
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
    /// Another encoder, or another level: how each side is compressed, where it is known.
    Encoder(Option<String>, Option<String>),
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
    /// Whiteouts that only one side has, all below a folder.
    Removals {
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
            Self::Unreadable(..) => "unreadable",
            Self::BaseMoved(..) => "base-moved",
            Self::Revision { .. } => "revision",
            Self::Created { .. } => "created",
            Self::TimesNotNormalised { .. } => "times-not-normalised",
            Self::SourceDateEpoch(..) => "source-date-epoch",
            Self::TimeZone(..) => "time-zone",
            Self::Times => "times",
            Self::Umask { .. } => "umask",
            Self::Modes => "modes",
            Self::Owner(..) => "owner",
            Self::Owners => "owners",
            Self::OwnerNames { .. } => "owner-names",
            Self::Order(..) => "order",
            Self::HardLinks => "hard-links",
            Self::Rights(_) => "rights",
            Self::LayerOrder => "layer-order",
            Self::Layers { .. } => "layers",
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
            Self::Removals { which: Which::A, .. } => "removals-in-a",
            Self::Removals { which: Which::B, .. } => "removals-in-b",
            Self::Content => "content",
            Self::Config(_) => "config",
            Self::Dialect => "dialect",
            Self::Annotations => "annotations",
        }
    }

    /// Its place among others: what tells most comes first. What a container sees stands before metadata, and that before
    /// the ways of writing it down.
    fn rank(&self) -> u8 {
        match self {
            Self::Unreadable(..) => 0,
            Self::Platform { .. } => 1,
            Self::BaseMoved(..) => 2,
            Self::Revision { .. } => 3,
            Self::Created { only: true, .. } => 4,
            Self::EmbeddedDate(..) | Self::EmbeddedPath(..) => 5,
            Self::BuildId | Self::CompiledPython | Self::MemberTimes(_) => 6,
            Self::Rights(_) => 7,
            Self::Content => 8,
            Self::OnlyIn { .. } | Self::Removals { .. } => 9,
            Self::LayerOrder | Self::Layers { .. } => 10,
            Self::Config(_) => 11,
            Self::Created { only: false, .. } => 12,
            Self::TimesNotNormalised { .. } | Self::SourceDateEpoch(..) | Self::TimeZone(..) => 13,
            Self::Umask { .. } | Self::Owner(..) => 14,
            Self::Modes | Self::Owners => 15,
            Self::Xattrs(_) => 16,
            Self::Times => 17,
            Self::OwnerNames { .. } => 18,
            Self::Order(..) => 19,
            Self::HardLinks | Self::Folders | Self::Sparse => 20,
            Self::PaxTimes | Self::HeaderFormat => 21,
            Self::Padding => 22,
            Self::Dialect => 23,
            Self::Annotations => 24,
            Self::Encoder(..) => 25,
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
