//! Programs that run to their end, or to their time limit.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a program may take that says nothing else.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where Debian puts programs. A newer docker in /usr/local/bin is not what the tests were written against.
const DEBIAN: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// What a program said, and how it ended.
#[derive(Debug)]
pub struct Output {
    /// The command line, for messages.
    pub command: String,
    /// `None` where the time limit ended it.
    pub status: Option<ExitStatus>,
    /// All of standard output.
    pub stdout: Vec<u8>,
    /// All of standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// The exit status; none where a signal or the time limit ended the program.
    pub fn code(&self) -> Option<i32> {
        self.status.and_then(|status| status.code())
    }

    /// Standard output without the last line end.
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.stdout);
        text.strip_suffix('\n').unwrap_or(&text).to_owned()
    }

    /// Itself, if the program ended with 0; else the test fails and shows everything there is.
    #[track_caller]
    pub fn success(self) -> Output {
        assert!(self.code() == Some(0), "{self}");
        self
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(out, "$ {}", self.command)?;
        match self.status {
            Some(status) => writeln!(out, "{status}")?,
            None => writeln!(out, "ended by the time limit")?,
        }
        writeln!(out, "--- stdout\n{}", String::from_utf8_lossy(&self.stdout))?;
        write!(out, "--- stderr\n{}", String::from_utf8_lossy(&self.stderr))
    }
}

/// A program of the system by name, Debian's own before any other on PATH, in English, deaf to settings in HOME.
pub fn tool(name: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(name);
    command.env("PATH", format!("{DEBIAN}:{path}")).env("LC_ALL", "C.UTF-8").env("HOME", "/nonexistent");
    command
}

/// Runs it; the test fails unless it ends with 0.
#[track_caller]
pub fn run(command: &mut Command) -> Output {
    attempt(command).success()
}

/// Runs it and tells how it ended, whatever that was.
#[track_caller]
pub fn attempt(command: &mut Command) -> Output {
    attempt_within(PATIENCE, command)
}

/// As [`attempt`], with a time limit of its own. At the limit its whole process group is killed.
///
/// Output goes through files: a grandchild that keeps a pipe open cannot hold the test.
#[track_caller]
pub fn attempt_within(limit: Duration, command: &mut Command) -> Output {
    let mut stdout = tempfile::tempfile().expect("a temporary file");
    let mut stderr = tempfile::tempfile().expect("a temporary file");
    let shown = shown(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(stdout.try_clone().expect("a second handle"))
        .stderr(stderr.try_clone().expect("a second handle"))
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("$ {shown}\n{error}"));
    let end = Instant::now() + limit;
    let status = loop {
        match child.try_wait().expect("a child to wait for") {
            Some(status) => break Some(status),
            None if Instant::now() > end => {
                signal("KILL", &format!("-{}", child.id()));
                child.wait().expect("a child to wait for");
                break None;
            }
            None => sleep(Duration::from_millis(5)),
        }
    };
    Output { command: shown, status, stdout: content(&mut stdout), stderr: content(&mut stderr) }
}

/// The program and its arguments, without the environment.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Sends a signal to a process id, or to a group (`-ID`). One that is gone already is fine.
pub fn signal(name: &str, target: &str) {
    let _ = Command::new("/bin/sh")
        .args(["-c", r#"kill -s "$1" -- "$2""#, "sh", name, target])
        .stderr(Stdio::null())
        .status();
}

fn content(file: &mut File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.rewind().expect("a file to read again");
    file.read_to_end(&mut bytes).expect("a file to read again");
    bytes
}
