//! Real git repositories, the same ones on every machine.

use super::{Output, Work, attempt, run, tool};
use std::path::Path;
use std::process::Command;

/// The committer time of the first commit, in seconds since 1970; each further one is set by the test.
pub const TIME: i64 = 1_700_000_000;

/// git in a folder, deaf to the configuration of this machine.
pub fn git(folder: &Path) -> Command {
    let mut command = tool("git");
    command.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for (who, name) in [("AUTHOR", "A U Thor"), ("COMMITTER", "C O Mitter")] {
        command.env(format!("GIT_{who}_NAME"), name).env(format!("GIT_{who}_EMAIL"), "test@example.com");
        command.env(format!("GIT_{who}_DATE"), format!("{TIME} +0100"));
    }
    command.args(["-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", "-c", "gc.auto=0"]);
    command
}

/// Runs git to its good end, and gives its answer.
#[track_caller]
pub fn done(folder: &Path, args: &[&str]) -> String {
    run(git(folder).args(args)).text()
}

/// Runs git, however that ends.
#[track_caller]
pub fn tried(folder: &Path, args: &[&str]) -> Output {
    attempt(git(folder).args(args))
}

/// Commits all that is in a folder, which becomes a repository if it is none; gives the commit's id.
#[track_caller]
pub fn commit_all(folder: &Path, message: &str) -> String {
    if !folder.join(".git").exists() {
        done(folder, &["init", "-q"]);
    }
    done(folder, &["add", "--all"]);
    done(folder, &["commit", "-q", "--allow-empty", "-m", message]);
    done(folder, &["rev-parse", "HEAD"])
}

/// A second clone of a repository, in a folder of `work`, with a remote that the first one has as well.
#[track_caller]
pub fn cloned(work: &Work, from: &Path, to: &str, options: &[&str]) -> std::path::PathBuf {
    let target = work.join(to);
    let from = format!("file://{}", from.display());
    let mut clone = git(work.path());
    run(clone.args(["clone", "-q"]).args(options).arg(from).arg(&target));
    target
}
