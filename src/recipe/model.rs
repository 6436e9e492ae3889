//! The values of a recipe: one type a table, as DESIGN section 3 lists them.

use super::{Capabilities, Span, Spanned, Template};
use crate::oci::{Compression, ImageName, Platform};
use std::collections::BTreeMap;

/// The phase of a recipe as its author wrote it: inputs may still move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source;

/// A frozen set of byte rules (DESIGN section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edition {
    /// `edition = "2026"`.
    E2026,
}

/// A whole recipe, checked as far as its text alone allows.
///
/// `P` is its phase: [`Source`] as written; `lock::Pinned` once every input has a digest. Only a
/// pinned one can be planned.
#[derive(Debug, Clone)]
pub struct Recipe<P> {
    /// The byte rules it asks for.
    pub edition: Edition,
    /// `[image]`.
    pub image: Image,
    /// `[inputs.NAME]`.
    pub inputs: BTreeMap<String, Spanned<Input>>,
    /// `[config]`.
    pub config: Config,
    /// `[annotations]`, on the manifest and the index.
    pub annotations: BTreeMap<String, Spanned<Template>>,
    /// `[users.NAME]`.
    pub users: BTreeMap<String, Spanned<User>>,
    /// `[[layer]]`, lowest first.
    pub layers: Vec<Layer>,
    /// What the phase adds.
    pub phase: P,
}

/// `[image]`.
#[derive(Debug, Clone)]
pub struct Image {
    /// Repository name without tag: `registry.example.com/acme/echo-server`.
    pub name: Spanned<String>,
    /// `version`.
    pub version: Option<Spanned<String>>,
    /// Tags, each with its placeholders; empty if the recipe names none.
    pub tags: Vec<Spanned<Template>>,
    /// At least one; `linux/amd64` if the recipe names none (its span is then that of `[image]`).
    pub platforms: Vec<Spanned<Platform>>,
    /// Name of an input of kind `image`; none: from scratch.
    pub base: Option<Spanned<String>>,
    /// `created`; none: `SOURCE_DATE_EPOCH`, else 1970.
    pub created: Option<Spanned<Created>>,
    /// Where `origin = true` stands: the image is to say what it was made from. None: it is not.
    pub origin: Option<Span>,
    /// Defaults for every layer.
    pub defaults: Defaults,
}

/// `created`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// Seconds since 1970-01-01T00:00:00Z.
    Instant(i64),
    /// `"git"`: the commit's time.
    Git,
}

/// `mtime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mtime {
    /// Seconds since 1970-01-01T00:00:00Z.
    Instant(i64),
    /// `"created"`: the instant of `image.created`.
    Created,
}

/// What `[image]` says for all layers, and a `[[layer]]` for its statements. The nearest one counts.
#[derive(Debug, Clone, Default)]
pub struct Defaults {
    /// `owner`.
    pub owner: Option<Spanned<Owner>>,
    /// `modes`.
    pub modes: Modes,
    /// `mtime`.
    pub mtime: Option<Spanned<Mtime>>,
    /// `compression`.
    pub compression: Option<Compression>,
}

/// `owner = "user"`, `"user:group"`, numbers or names. As docker's `--chown`: no group means the user's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The part before the colon.
    pub user: Principal,
    /// The part behind it.
    pub group: Option<Principal>,
}

/// A user or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// To be looked up in the image.
    Name(String),
    /// As it is.
    Id(u32),
}

/// `modes = { dirs = "0750", files = "0640" }`, `0..=0o7777`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Modes {
    /// For folders.
    pub dirs: Option<u32>,
    /// For files.
    pub files: Option<u32>,
}

/// `[inputs.NAME]`.
#[derive(Debug, Clone)]
pub enum Input {
    /// `image = "..."`.
    Image {
        /// Where it is.
        image: Spanned<ImageName>,
    },
    /// `url = "..."`.
    Url {
        /// The address.
        url: Spanned<Template>,
        /// Lower-case hex, by architecture; one string stands under `None`.
        sha256: BTreeMap<Option<String>, Spanned<String>>,
        /// Tried in order when `url` fails.
        mirrors: Vec<Spanned<Template>>,
    },
    /// `git = "..."`.
    Git {
        /// Remote or path.
        git: Spanned<String>,
        /// What to check out.
        rev: Option<Spanned<String>>,
        /// Folder of the tree.
        subdir: Option<Spanned<String>>,
    },
}

/// `[config]`. `None` leaves what the base says; an empty list takes it away.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// `entrypoint`; setting it clears the base's `cmd`.
    pub entrypoint: Option<Vec<Spanned<Template>>>,
    /// `cmd`.
    pub cmd: Option<Vec<Spanned<Template>>>,
    /// `user`: a name or number, and perhaps `:group`.
    pub user: Option<Spanned<Owner>>,
    /// `workdir`, absolute.
    pub workdir: Option<Spanned<Template>>,
    /// `ports`.
    pub ports: Vec<Spanned<Port>>,
    /// `volumes`, absolute.
    pub volumes: Vec<Spanned<Template>>,
    /// `stop-signal`: `SIGTERM`, `15`, `SIGRTMIN+3`.
    pub stop_signal: Option<Spanned<String>>,
    /// `[config.env]`.
    pub env: BTreeMap<String, Spanned<Template>>,
    /// `[config.labels]`.
    pub labels: BTreeMap<String, Spanned<Template>>,
    /// `[config.healthcheck]`.
    pub healthcheck: Option<Healthcheck>,
}

/// `8080` or `"9090/udp"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// `1..=65535`.
    pub number: u16,
    /// `tcp` (the default), `udp` or `sctp`.
    pub protocol: &'static str,
}

/// `[config.healthcheck]`, a Docker extension of the image config. Durations in nanoseconds, as Docker writes them.
#[derive(Debug, Clone)]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", ...]` or `["CMD-SHELL", text]`.
    pub test: Vec<Spanned<Template>>,
    /// `interval = "30s"`.
    pub interval: Option<u64>,
    /// `timeout`.
    pub timeout: Option<u64>,
    /// `start-period`.
    pub start_period: Option<u64>,
    /// `start-interval`.
    pub start_interval: Option<u64>,
    /// `retries`.
    pub retries: Option<u32>,
}

/// `[users.NAME]`: a line of `/etc/passwd`, and one of `/etc/group` if its group is not there yet.
#[derive(Debug, Clone)]
pub struct User {
    /// `uid`.
    pub uid: Spanned<u32>,
    /// `gid`; none: the same number as `uid`.
    pub gid: Option<Spanned<u32>>,
    /// `home`; default `/`.
    pub home: String,
    /// `shell`; default `/sbin/nologin`.
    pub shell: String,
    /// `comment` (the GECOS field); default empty.
    pub comment: String,
}

/// `[[layer]]`.
#[derive(Debug, Clone)]
pub struct Layer {
    /// `name`; none: `layer-N`, counted from 1.
    pub name: Option<Spanned<String>>,
    /// The `[[layer]]` header.
    pub span: Span,
    /// Defaults for its statements.
    pub defaults: Defaults,
    /// In the order of the text, which changes nothing.
    pub statements: Vec<Spanned<Statement>>,
}

/// One thing a layer is told; the span around it is that of its table header.
#[derive(Debug, Clone)]
pub enum Statement {
    /// `[[layer.copy]]`.
    Copy(Copy),
    /// `[[layer.write]]`.
    Write(Write),
    /// `[[layer.mkdir]]`.
    Mkdir(Mkdir),
    /// `[[layer.link]]`.
    Link(Link),
    /// `[[layer.extract]]`.
    Extract(Extract),
    /// `[[layer.remove]]`.
    Remove(Remove),
}

impl Statement {
    /// Where the path in the image stands that it is about.
    #[must_use]
    pub fn path_span(&self) -> Span {
        match self {
            Self::Copy(copy) => copy.to.span,
            Self::Write(write) => write.to.span,
            Self::Mkdir(mkdir) => mkdir.path.span,
            Self::Link(link) => link.path.span,
            Self::Extract(extract) => extract.to.span,
            Self::Remove(remove) => remove.path.span,
        }
    }

    /// Where it says what it brings.
    #[must_use]
    pub fn content_span(&self) -> Span {
        match self {
            Self::Copy(copy) => copy.from.span,
            Self::Extract(extract) => extract.from.span,
            Self::Link(link) => link.target.span,
            Self::Write(_) | Self::Mkdir(_) | Self::Remove(_) => self.path_span(),
        }
    }
}

/// Where a statement takes its content from.
#[derive(Debug, Clone)]
pub enum From {
    /// Beside the recipe: a relative path, for `copy` perhaps with `*`, `?`, `[..]` or `{a,b}`.
    Disk(Template),
    /// `{ input = "NAME", path = "inside/it" }`.
    Input {
        /// Which one.
        input: Spanned<String>,
        /// A path inside it.
        path: Option<Spanned<Template>>,
    },
}

/// Which paths of a folder or archive count.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only these; empty: all.
    pub include: Vec<Spanned<Template>>,
    /// But not these.
    pub exclude: Vec<Spanned<Template>>,
}

/// `[[layer.copy]]`.
#[derive(Debug, Clone)]
pub struct Copy {
    /// `from`.
    pub from: Spanned<From>,
    /// `to`, absolute; ends in `/` if a single file is to keep its name.
    pub to: Spanned<Template>,
    /// `mode`, for a single file.
    pub mode: Option<Spanned<u32>>,
    /// `modes`, for a folder.
    pub modes: Modes,
    /// `owner`.
    pub owner: Option<Spanned<Owner>>,
    /// `include` and `exclude`, relative to the folder that is copied.
    pub filter: Filter,
    /// `ignore-file`, in `.dockerignore` syntax.
    pub ignore_file: Option<Spanned<Template>>,
    /// `capabilities`, for a single file.
    pub capabilities: Option<Spanned<Capabilities>>,
    /// `optional`: nothing there is no mistake.
    pub optional: bool,
}

/// `[[layer.write]]`.
#[derive(Debug, Clone)]
pub struct Write {
    /// `to`, absolute.
    pub to: Spanned<Template>,
    /// `text`, placeholders filled in unless `literal = true`.
    pub text: Template,
    /// `mode`; default 0644.
    pub mode: Option<Spanned<u32>>,
    /// `owner`.
    pub owner: Option<Spanned<Owner>>,
    /// `capabilities`.
    pub capabilities: Option<Spanned<Capabilities>>,
}

/// `[[layer.mkdir]]`.
#[derive(Debug, Clone)]
pub struct Mkdir {
    /// `path`, absolute.
    pub path: Spanned<Template>,
    /// `mode`; default that of the folder below, else 0755.
    pub mode: Option<Spanned<u32>>,
    /// `owner`.
    pub owner: Option<Spanned<Owner>>,
}

/// `[[layer.link]]`.
#[derive(Debug, Clone)]
pub struct Link {
    /// `path`, absolute.
    pub path: Spanned<Template>,
    /// `target`: kept as written for a symlink, a path of the image for a hard link.
    pub target: Spanned<Template>,
    /// `hard`.
    pub hard: bool,
    /// `owner`, of a symlink.
    pub owner: Option<Spanned<Owner>>,
}

/// `[[layer.extract]]`.
#[derive(Debug, Clone)]
pub struct Extract {
    /// `from`: a tar (plain, gz, xz, zst, bz2) or zip.
    pub from: Spanned<From>,
    /// `to`, absolute; default `/`.
    pub to: Spanned<Template>,
    /// `strip`: how many leading parts of each name fall away.
    pub strip: u32,
    /// `modes`: instead of the archive's.
    pub modes: Modes,
    /// `owner`: instead of the archive's.
    pub owner: Option<Spanned<Owner>>,
    /// `mtime`: instead of the archive's.
    pub mtime: Option<Spanned<Mtime>>,
    /// `include` and `exclude`, on names after `strip`.
    pub filter: Filter,
    /// `optional`: no such file is no mistake.
    pub optional: bool,
}

/// `[[layer.remove]]`.
#[derive(Debug, Clone)]
pub struct Remove {
    /// `path`, absolute.
    pub path: Spanned<Template>,
    /// `optional`: nothing there is no mistake.
    pub optional: bool,
}
