//! What can be wrong with an image, as a value: its stable name, how bad it is, and the words for it.

use super::finding::Severity;
use crate::layer::decompress::Compression;
use crate::tree::{PathError, Printable};

/// What is wrong. Names and digests stand as the image writes them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[allow(missing_docs, reason = "the message of each says what it is, and what its fields are")]
pub enum Fault {
    // The layout.
    #[error("it is missing")]
    NoFile,
    #[error("it is a symlink: whoever carries the layout away leaves behind what it points at")]
    Symlink,
    #[error("it is a symlink that leads to no file")]
    Dangling,
    #[error("it is no regular file")]
    NotAFile,
    #[error("its version is `{}`, and only 1.0.0 is known", Printable(.0.as_bytes()))]
    LayoutVersion(String),
    #[error("its name is no digest")]
    BlobName,
    #[error("the archive cannot be read: {}", Printable(.0.as_bytes()))]
    Archive(String),

    // Bytes and digests.
    #[error("{what} {} is missing", Printable(digest.as_bytes()))]
    Missing { what: &'static str, digest: String },
    #[error("{what} {} is not here; it may be had from elsewhere", Printable(digest.as_bytes()))]
    Elsewhere { what: &'static str, digest: String },
    #[error("its bytes have the digest {found}")]
    Digest { found: String },
    #[error("it has {found} bytes, and its descriptor says {stated}")]
    Size { stated: u64, found: u64 },
    #[error("it was not held against its digest, as `{algorithm}` is not known here")]
    Unverified { algorithm: String },
    #[error("it is larger than 4 MiB, the most that a registry takes")]
    TooLarge,
    #[error("it cannot be read: {}", Printable(.0.as_bytes()))]
    Unreadable(String),

    // JSON and its fields.
    #[error("it is no JSON: {}", Printable(.0.as_bytes()))]
    Json(String),
    #[error(
        "docker and other programs in Go take it for `{0}`, whatever the case of its letters; of several the last counts"
    )]
    Case(&'static str),
    #[error("it is required, and missing")]
    Absent,
    #[error("it should be {wanted}")]
    Type { wanted: &'static str },
    #[error("schemaVersion is {}, and should be 2", Printable(.0.as_bytes()))]
    SchemaVersion(String),
    #[error("`{}` is no digest", Printable(.0.as_bytes()))]
    DigestSyntax(String),
    #[error("`{}` is no media type", Printable(.0.as_bytes()))]
    MediaTypeSyntax(String),
    #[error("the document says that it is `{}`, and its descriptor says `{}`", Printable(found.as_bytes()), Printable(stated.as_bytes()))]
    MediaType { stated: String, found: String },
    #[error("the document does not say its own mediaType, and should")]
    NoMediaType,
    #[error("the media type `{}` is not known: what it names was not judged", Printable(.0.as_bytes()))]
    UnknownMediaType(String),
    #[error(
        "{0} is an image of a format that nobody reads any more, and it is not judged; push it again with a newer tool"
    )]
    Obsolete(String),
    #[error("`{}` stands in a document of the other kind: OCI's and Docker's are mixed", Printable(.0.as_bytes()))]
    Mixed(String),
    #[error("`{}` is no layer", Printable(.0.as_bytes()))]
    NotALayer(String),
    #[error("it is a manifest and an index in one, and programs take it for the one or the other")]
    Ambiguous,
    #[error("an artifact without a config needs an artifactType")]
    NoArtifactType,
    #[error("the data in the descriptor are not the bytes that its digest and size say")]
    Data,
    #[error("an image should have a layer at least")]
    NoLayers,

    // Index.
    #[error("it is for {index}, and the config says {config}")]
    Platform { index: String, config: String },
    #[error("`{}` is no os or architecture that images use", Printable(.0.as_bytes()))]
    UnknownPlatform(String),
    #[error("another member before it is for {0} too")]
    SamePlatform(String),
    #[error("it is listed before")]
    Twice,
    #[error("the name `{}` should be of letters, digits and -._:@/+", Printable(.0.as_bytes()))]
    RefName(String),
    #[error("another image before it is called `{}` too", Printable(.0.as_bytes()))]
    SameName(String),
    #[error("more than {0} indexes inside each other")]
    Depth(usize),
    #[error("there are more than {limit} {what}; the rest was not judged")]
    TooMany { what: &'static str, limit: u64 },

    // Config.
    #[error("the type of the root file system is `{}`, and should be `layers`", Printable(.0.as_bytes()))]
    RootFsType(String),
    #[error("there are {diff_ids} diff_ids, and {layers} layers")]
    DiffIdCount { diff_ids: usize, layers: usize },
    #[error("the history tells of {history} layers, and there are {layers}")]
    HistoryCount { history: usize, layers: usize },
    #[error("`{}` is no time as RFC 3339 has it", Printable(.0.as_bytes()))]
    Time(String),
    #[error("`{}` is not of the form NAME=VALUE", Printable(.0.as_bytes()))]
    Env(String),
    #[error("`{}` is no port: PORT, PORT/tcp, PORT/udp", Printable(.0.as_bytes()))]
    Port(String),

    // The stream of a layer.
    #[error("it is {found}, and its media type says {stated}")]
    Compression { stated: Compression, found: Compression },
    #[error("{}", Printable(.0.as_bytes()))]
    Stream(String),
    #[error("zeros follow the compressed stream, which most clients take for a broken one")]
    StreamZeros,
    #[error("it has several gzip members, and some clients stop after the first")]
    GzipMembers,
    #[error("it grows to more than {bytes} bytes, more than {ratio} times its size: a bomb; the rest was not judged")]
    Bomb { bytes: u64, ratio: u64 },
    #[error("its diff_id is {found}, and the config {config} says {}", Printable(stated.as_bytes()))]
    DiffId { stated: String, found: String, config: String },
    #[error("{}", Printable(.0.as_bytes()))]
    Tar(String),
    #[error("{0} of the two blocks of zeros that end a tar are there")]
    EndBlocks(u8),
    #[error("something else than zeros follows the end of the tar")]
    AfterEnd,
    #[error("the last block of the tar is not filled up")]
    Padding,

    // The entries of a layer.
    #[error("the path comes twice in this layer")]
    Duplicate,
    #[error("the name is empty")]
    EmptyName,
    #[error("the name has a `..`")]
    Parent,
    #[error("the name {0}")]
    Path(#[from] PathError),
    #[error("the name starts with a slash")]
    Absolute,
    #[error("the root is no folder")]
    Root,
    #[error("it stands below the {} `{}`", if *symlink { "symlink" } else { "file" }, Printable(above))]
    Below { above: Vec<u8>, symlink: bool },
    #[error("it is a {}, and entries before it stand below it", if *symlink { "symlink" } else { "file" })]
    Above { symlink: bool },
    #[error("it stands below `{}`, which a layer below made a {}", Printable(above), if *symlink { "symlink" } else { "file" })]
    BelowLower { above: Vec<u8>, symlink: bool },
    #[error("neither this layer nor one below has this folder, and something stands in it")]
    NoParent,
    #[error("the hard link's target `{}` comes later in the layer", Printable(.0))]
    LinkForward(Vec<u8>),
    #[error("the hard link's target `{}` is not in this layer", Printable(.0))]
    LinkOutside(Vec<u8>),
    #[error("the hard link's target `{}` is a folder", Printable(.0))]
    LinkToFolder(Vec<u8>),
    #[error("the hard link's target `{}` is a whiteout", Printable(.0))]
    LinkToWhiteout(Vec<u8>),
    #[error("the hard link's target `{}` is no path: it {error}", Printable(target))]
    LinkPath { target: Vec<u8>, error: PathError },
    #[error("it is stored as a sparse file, which the specification advises against: not every reader takes it")]
    Sparse,
    #[error("the symlink's target is empty, has a NUL, or is longer than 4095 bytes")]
    SymlinkTarget,
    #[error("the whiteout names nothing that could be taken away")]
    WhiteoutName,
    #[error("a whiteout is an empty file, and this is none")]
    WhiteoutContent,
    #[error("a whiteout that is a hard link to another, as aufs wrote it")]
    WhiteoutLink,
    #[error("no layer below has what the whiteout takes away")]
    WhiteoutOfNothing,
    #[error("aufs kept this for itself; clients pass over it")]
    Aufs,
    #[error("whether the layers fit on each other was not fully judged: there is too much of them")]
    Unfinished,
}

impl Fault {
    /// Its name for programs, which does not change.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoFile | Self::Missing { .. } => "missing",
            Self::Symlink => "symlink",
            Self::Dangling => "dangling",
            Self::Sparse => "sparse",
            Self::NotAFile => "not-a-file",
            Self::LayoutVersion(_) => "layout-version",
            Self::BlobName => "blob-name",
            Self::Archive(_) => "archive",
            Self::Elsewhere { .. } => "elsewhere",
            Self::Digest { .. } => "digest",
            Self::Size { .. } => "size",
            Self::Unverified { .. } => "unverified",
            Self::TooLarge => "too-large",
            Self::Unreadable(_) => "unreadable",
            Self::Json(_) => "json",
            Self::Case(_) => "field-case",
            Self::Absent => "field-missing",
            Self::Type { .. } => "field-type",
            Self::SchemaVersion(_) => "schema-version",
            Self::DigestSyntax(_) => "digest-syntax",
            Self::MediaTypeSyntax(_) => "media-type-syntax",
            Self::MediaType { .. } => "media-type",
            Self::NoMediaType => "media-type-missing",
            Self::UnknownMediaType(_) => "media-type-unknown",
            Self::Obsolete(_) => "media-type-obsolete",
            Self::Mixed(_) => "media-type-mixed",
            Self::NotALayer(_) => "not-a-layer",
            Self::Ambiguous => "ambiguous",
            Self::NoArtifactType => "artifact-type",
            Self::Data => "data",
            Self::NoLayers => "no-layers",
            Self::Platform { .. } => "platform",
            Self::UnknownPlatform(_) => "platform-unknown",
            Self::SamePlatform(_) => "platform-twice",
            Self::Twice => "listed-twice",
            Self::RefName(_) => "ref-name",
            Self::SameName(_) => "name-twice",
            Self::Depth(_) => "depth",
            Self::TooMany { .. } => "too-many",
            Self::RootFsType(_) => "rootfs-type",
            Self::DiffIdCount { .. } => "diff-id-count",
            Self::HistoryCount { .. } => "history-count",
            Self::Time(_) => "time",
            Self::Env(_) => "env",
            Self::Port(_) => "port",
            Self::Compression { .. } => "compression",
            Self::Stream(_) => "stream",
            Self::StreamZeros => "stream-zeros",
            Self::GzipMembers => "gzip-members",
            Self::Bomb { .. } => "bomb",
            Self::DiffId { .. } => "diff-id",
            Self::Tar(_) => "tar",
            Self::EndBlocks(_) => "tar-end",
            Self::AfterEnd => "tar-after-end",
            Self::Padding => "tar-padding",
            Self::Duplicate => "path-twice",
            Self::EmptyName => "path-empty",
            Self::Parent => "path-parent",
            Self::Path(_) => "path",
            Self::Absolute => "path-absolute",
            Self::Root => "root",
            Self::Below { symlink: true, .. } | Self::Above { symlink: true } => "below-symlink",
            Self::Below { symlink: false, .. } | Self::Above { symlink: false } => "below-file",
            Self::BelowLower { symlink: true, .. } => "below-lower-symlink",
            Self::BelowLower { symlink: false, .. } => "below-lower-file",
            Self::NoParent => "parent-missing",
            Self::LinkForward(_) => "hard-link-forward",
            Self::LinkOutside(_) => "hard-link-outside",
            Self::LinkToFolder(_) => "hard-link-folder",
            Self::LinkToWhiteout(_) => "hard-link-whiteout",
            Self::LinkPath { .. } => "hard-link-path",
            Self::SymlinkTarget => "symlink-target",
            Self::WhiteoutName => "whiteout-name",
            Self::WhiteoutContent => "whiteout-content",
            Self::WhiteoutLink => "whiteout-link",
            Self::WhiteoutOfNothing => "whiteout-of-nothing",
            Self::Aufs => "aufs",
            Self::Unfinished => "unfinished",
        }
    }

    /// How bad it is: a MUST of the specification, or a client that fails, is an error.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::BlobName
            | Self::Symlink
            | Self::Sparse
            | Self::Elsewhere { .. }
            | Self::Case(_)
            | Self::NoMediaType
            | Self::UnknownMediaType(_)
            | Self::Mixed(_)
            | Self::NoLayers
            | Self::UnknownPlatform(_)
            | Self::SamePlatform(_)
            | Self::Twice
            | Self::RefName(_)
            | Self::SameName(_)
            | Self::Port(_)
            | Self::GzipMembers
            | Self::EndBlocks(_)
            | Self::Padding
            | Self::Absolute
            | Self::BelowLower { symlink: true, .. }
            | Self::NoParent
            | Self::WhiteoutLink
            | Self::WhiteoutOfNothing
            | Self::Aufs
            | Self::Unfinished => Severity::Warning,
            _ => Severity::Error,
        }
    }
}
