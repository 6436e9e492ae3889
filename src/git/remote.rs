//! Repositories behind a network: which commit a revision is there, and bringing it here.

use super::call::{Call, NEVER, Output};
use super::{Commit, GitError, Remote, Repository, first_words, text};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// The permission to use the network. Without one no call of this room reaches it.
#[derive(Debug)]
pub struct Online {
    _by_new: (),
}

impl Online {
    /// For the commands that a user expects to use the network.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "nobody is to get one in passing")]
    pub fn new() -> Self {
        Self { _by_new: () }
    }
}

/// A revision, as far as its text tells.
enum Wanted<'r> {
    /// All digits of an id.
    Id(&'r str),
    /// Perhaps the name of a tag or branch; else an abbreviated id.
    Name(&'r str),
    /// What only the history can answer: `v2~1`.
    Expression,
}

impl<'r> Wanted<'r> {
    fn read(revision: &'r str) -> Result<Self, GitError> {
        if revision.is_empty() || revision.starts_with('-') || revision.contains(char::is_control) {
            return Err(GitError::Argument { text: revision.to_owned() });
        }
        let hex = revision.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        Ok(match revision {
            id if hex && matches!(id.len(), 40 | 64) => Self::Id(id),
            // What no name of a ref has (git-check-ref-format), and the short form of HEAD.
            text if text == "@" || text.contains("@{") || text.contains("..") => Self::Expression,
            text if text.contains(['~', '^', ':', '?', '*', '[', '\\', ' ']) => Self::Expression,
            name => Self::Name(name),
        })
    }
}

/// What a server says of a name.
struct Refs {
    /// Name and commit, a tag's own object already followed.
    found: Option<(String, String)>,
    /// How it names objects.
    format: &'static str,
}

/// Asks a server which commit a revision is, and fetches nothing. `None`: only a fetch can tell, as with `v2~1` or an
/// abbreviated id.
///
/// # Errors
/// [`GitError::UnknownRevision`], and what keeps a server from answering.
pub fn ls_remote(
    remote: &Remote,
    revision: &str,
    online: &Online,
    interrupt: &AtomicBool,
) -> Result<Option<String>, GitError> {
    match Wanted::read(revision)? {
        Wanted::Id(id) => Ok(Some(id.to_owned())),
        Wanted::Expression => Ok(None),
        Wanted::Name(name) => match refs(remote, name, online, interrupt)?.found {
            Some((_, commit)) => Ok(Some(commit)),
            None if is_abbreviated(name) => Ok(None),
            None => Err(unknown(remote, revision)),
        },
    }
}

/// Brings a revision here, into a repository below `scratch` that vanishes when it is dropped: its tree alone where the
/// server can do that, else everything.
///
/// # Errors
/// [`GitError::UnknownRevision`], and what keeps a server from answering.
pub fn fetch(
    remote: &Remote,
    revision: &str,
    scratch: &Path,
    online: &Online,
    interrupt: &AtomicBool,
) -> Result<(Repository, Commit), GitError> {
    let wanted = Wanted::read(revision)?;
    let name = if let Wanted::Name(name) = wanted { name } else { "HEAD" };
    let refs = refs(remote, name, online, interrupt)?;
    let format = match revision.len() {
        64 if matches!(wanted, Wanted::Id(_)) => "sha256",
        _ => refs.format,
    };
    let repository = empty(remote, scratch, format)?;
    let bring = |refspecs: &[&str], options: &[&str]| {
        let call = repository.place(Call::online(online));
        let call = call.args(["-c", "gc.auto=0", "-c", "maintenance.auto=false", "fetch", "--quiet", "--no-tags"]);
        let call = call.args(["--no-recurse-submodules"]).args(options).args([remote.address()]).args(refspecs);
        call.output(interrupt)
    };
    let source = match (&wanted, &refs.found) {
        (Wanted::Id(id), _) => Some(*id),
        (Wanted::Name(_), Some((name, _))) => Some(name.as_str()),
        (Wanted::Name(name), None) if !is_abbreviated(name) => return Err(unknown(remote, revision)),
        _ => None,
    };
    if let Some(source) = source {
        let brought = bring(&[&format!("+{source}:{HERE}")], &["--depth=1"])?;
        if brought.success {
            let commit = repository.resolve(HERE)?;
            return Ok((repository, commit));
        }
        // A server that gives no single commits may still give everything.
        match failure(remote, &brought) {
            GitError::Failed { .. } => {}
            error => return Err(error),
        }
    }
    // Expressions may start from HEAD, which is not always there.
    let all = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
    let brought = bring(&all, &[])?;
    if !brought.success {
        return Err(failure(remote, &brought));
    }
    if matches!(wanted, Wanted::Expression)
        && let Some((_, head)) = &refs.found
    {
        repository.told("set HEAD", ["update-ref", "--no-deref", "HEAD"], [head])?;
    }
    let at = match (&wanted, &refs.found) {
        (Wanted::Name(_), Some((_, commit))) => commit,
        _ => revision,
    };
    let commit = repository.resolve(at)?;
    Ok((repository, commit))
}

/// Where the one commit is kept that was wanted.
const HERE: &str = "refs/rebake/wanted";

/// Whether a name may be the first digits of an id.
fn is_abbreviated(name: &str) -> bool {
    name.len() >= 4 && name.len() < 64 && name.bytes().all(|b| b.is_ascii_hexdigit())
}

fn empty(remote: &Remote, scratch: &Path, format: &str) -> Result<Repository, GitError> {
    let folder = tempfile::Builder::new().prefix("rebake-git-").tempdir_in(scratch).map_err(GitError::Write)?;
    let options = ["-c", "init.defaultBranch=main", "init", "--bare", "--quiet", "--template="];
    let made = Call::local().args(options).args([format!("--object-format={format}")]).args([folder.path()]);
    let made = made.output(&NEVER)?;
    if !made.success {
        return Err(super::failed("make a repository to fetch into", &made.stderr));
    }
    let git_dir = folder.path().to_owned();
    Ok(Repository { git_dir, work_tree: None, shown: remote.to_string(), _scratch: Some(folder) })
}

/// What a server says of a name, which is HEAD, a tag, a branch or a whole `refs/...`.
fn refs(remote: &Remote, name: &str, online: &Online, interrupt: &AtomicBool) -> Result<Refs, GitError> {
    let candidates = match name {
        name if name == "HEAD" || name.starts_with("refs/") => vec![name.to_owned()],
        name => vec![format!("refs/tags/{name}"), format!("refs/heads/{name}")],
    };
    // In no repository: the settings of the one that the user happens to stand in are not meant.
    let call = Call::online(online).args(["--git-dir=/dev/null", "ls-remote", "--quiet"]);
    let call = call.args([remote.address(), "HEAD"]);
    let call = call.args(candidates.iter().flat_map(|name| [name.clone(), format!("{name}^{{}}")]));
    let output = call.output(interrupt)?;
    if !output.success {
        return Err(failure(remote, &output));
    }
    let answer = text(&output.stdout);
    let lines = || answer.lines().filter_map(|line| line.split_once('\t'));
    let id = |name: &str| lines().find(|(_, known)| *known == name).map(|(id, _)| id.to_owned());
    let format = if lines().any(|(id, _)| id.len() == 64) { "sha256" } else { "sha1" };
    let mut found =
        candidates.iter().filter_map(|name| Some((name.clone(), id(&format!("{name}^{{}}")).or_else(|| id(name))?)));
    let (first, second) = (found.next(), found.next());
    if let (Some((_, one)), Some((_, other))) = (&first, &second)
        && one != other
    {
        return Err(GitError::AmbiguousRevision { revision: name.to_owned(), place: remote.to_string() });
    }
    Ok(Refs { found: first, format })
}

fn unknown(remote: &Remote, revision: &str) -> GitError {
    let (revision, place) = (revision.to_owned(), remote.to_string());
    GitError::UnknownRevision { revision, place, near: Vec::new(), shallow: false }
}

/// What git says of a server, in the user's terms.
fn failure(remote: &Remote, output: &Output) -> GitError {
    const AUTHENTICATION: [&str; 7] = [
        "authentication failed",
        "could not read username",
        "could not read password",
        "permission denied",
        "returned error: 401",
        "returned error: 403",
        "host key verification failed",
    ];
    const NOT_FOUND: [&str; 5] = [
        "repository not found",
        "returned error: 404",
        "not found",
        "does not appear to be a git repository",
        "repository not exported",
    ];
    const UNREACHABLE: [&str; 9] = [
        "could not resolve",
        "couldn't connect",
        "failed to connect",
        "unable to connect",
        "connection refused",
        "connection timed out",
        "unreachable",
        "operation too slow",
        "no route to host",
    ];
    let said = output.stderr.to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let address = remote.to_string();
    if any(&UNREACHABLE) {
        GitError::Unreachable { address, said: first_words(&output.stderr) }
    } else if any(&AUTHENTICATION) {
        GitError::Authentication { address }
    } else if any(&NOT_FOUND) {
        GitError::NotFound { address }
    } else {
        GitError::Failed { task: format!("ask {address}"), said: first_words(&output.stderr) }
    }
}
