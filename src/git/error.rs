//! Why git could not answer, in the user's terms.

use std::io;
use std::path::PathBuf;

/// Why git could not answer. No credentials are in it.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no `git`.
    #[error("git is not installed, or not on PATH")]
    NotInstalled,
    /// The system could not run it.
    #[error("cannot run git: {0}")]
    Run(io::Error),
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// An answer that no honest repository gives.
    #[error("git gives more than {megabytes} MiB of answer; such a repository is not read")]
    TooLong {
        /// The limit.
        megabytes: u64,
    },
    /// A folder that no repository holds.
    #[error("there is no git repository at {folder}")]
    NoRepository {
        /// Where one was looked for.
        folder: PathBuf,
        /// The repository that the folder stands in, where the folder itself was to be one.
        above: Option<PathBuf>,
    },
    /// The repository belongs to somebody else, and git does not read it.
    #[error("git does not read the repository at {folder}, as it belongs to another user")]
    Ownership {
        /// Where it is.
        folder: PathBuf,
    },
    /// A repository without any commit.
    #[error("the git repository has no commit yet")]
    NoCommit,
    /// Text that git would not take for what it is meant to be.
    #[error("`{text}` is nothing that git can be asked for")]
    Argument {
        /// What was asked.
        text: String,
    },
    /// No tag, branch or commit has this name.
    #[error("there is no revision `{revision}` in {place}")]
    UnknownRevision {
        /// What was asked for.
        revision: String,
        /// The repository, as the user knows it.
        place: String,
        /// Tags and branches with a name like it.
        near: Vec<String>,
        /// Whether the clone lacks history.
        shallow: bool,
    },
    /// Several commits have this name.
    #[error("the revision `{revision}` is ambiguous in {place}")]
    AmbiguousRevision {
        /// What was asked for.
        revision: String,
        /// The repository, as the user knows it.
        place: String,
    },
    /// A part of the tree that is not there.
    #[error("there is no `{folder}` in the git tree")]
    NoFolder {
        /// The path that was asked for.
        folder: String,
        /// What stands where it was looked for.
        there: Vec<String>,
    },
    /// A part of the tree that is a file.
    #[error("`{folder}` is no folder of the git tree")]
    NotAFolder {
        /// The path that was asked for.
        folder: String,
    },
    /// A submodule in the tree.
    #[error("`{path}` is a submodule, whose content is not in this repository")]
    Submodule {
        /// Where it stands.
        path: String,
    },
    /// A pointer of git-lfs in the tree.
    #[error("`{path}` is a git-lfs pointer, whose content is not in this repository")]
    Lfs {
        /// Where it stands.
        path: String,
    },
    /// A tree that git itself would not check out.
    #[error("the git tree is malformed: `{path}` {why}")]
    Hostile {
        /// The path as it is there.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// An object that is not there, or damaged.
    #[error("cannot read {what} from the repository: {said}")]
    Object {
        /// Which one.
        what: String,
        /// Git's words.
        said: String,
    },
    /// `git describe` needs the history.
    #[error("the clone is shallow, and `{{git.describe}}` needs the history of the commit")]
    Shallow,
    /// An address of a kind that is not used.
    #[error("`{name}` is no transport that rebake lets git use, in {address}")]
    Transport {
        /// The scheme or helper.
        name: String,
        /// The address.
        address: String,
    },
    /// The server knows no such repository, or does not say so to strangers.
    #[error("the repository {address} is not found")]
    NotFound {
        /// The address.
        address: String,
    },
    /// The server wants other credentials.
    #[error("{address} refuses the credentials that git has for it, or wants some")]
    Authentication {
        /// The address.
        address: String,
    },
    /// Nobody answers.
    #[error("{address} cannot be reached: {said}")]
    Unreachable {
        /// The address.
        address: String,
        /// Git's words.
        said: String,
    },
    /// Everything else that git refuses.
    #[error("git could not {task}: {said}")]
    Failed {
        /// What it was to do.
        task: String,
        /// Git's words.
        said: String,
    },
    /// The archive could not be written.
    #[error("cannot write the git tree: {0}")]
    Write(io::Error),
}

impl GitError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NotInstalled => "install git 2.31 or newer".to_owned(),
            Self::NoRepository { above: Some(above), .. } => format!("the repository starts at {}", above.display()),
            Self::Ownership { folder } => {
                let folder = folder.display();
                format!("if you trust what is in it: git config --global --add safe.directory {folder}")
            }
            Self::NoCommit => "commit first".to_owned(),
            Self::UnknownRevision { shallow: true, .. } => {
                "the clone is shallow: `git fetch --unshallow --tags` brings the rest".to_owned()
            }
            Self::UnknownRevision { near, .. } if !near.is_empty() => format!("there is {}", near.join(", ")),
            Self::AmbiguousRevision { .. } => {
                "write it in full: refs/tags/NAME, refs/heads/NAME, or all digits of the commit".to_owned()
            }
            Self::NoFolder { there, .. } if !there.is_empty() => format!("there is {}", there.join(", ")),
            Self::NotAFolder { .. } => "name the folder that it stands in, and the file in `from`".to_owned(),
            Self::Submodule { .. } => "vendor its files, or make it an input of its own".to_owned(),
            Self::Lfs { .. } => "commit the file itself, or fetch it as a `url` input".to_owned(),
            Self::Object { .. } => "a partial or damaged clone: `git fetch --refetch` brings all objects".to_owned(),
            Self::Shallow => "`git fetch --unshallow --tags` brings it (in CI: fetch-depth 0)".to_owned(),
            Self::Transport { .. } => "use https, ssh, git or file".to_owned(),
            Self::NotFound { .. } => "see whether the address is right, and whether you may read it".to_owned(),
            Self::Authentication { .. } => {
                "set up a credential helper or an ssh key; `git ls-remote` with this address must work".to_owned()
            }
            _ => return None,
        })
    }
}
