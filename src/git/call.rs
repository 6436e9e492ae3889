//! Runs the `git` program: what it sees of the environment, how far it may reach, how much it may say, and its end when
//! the user wants to stop. What its answers mean is left to the callers.

use super::remote::Online;
use super::{GitError, address};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// For questions that are answered at once.
pub(super) static NEVER: AtomicBool = AtomicBool::new(false);

/// More than this of an answer is refused: the listing of a tree with millions of files is shorter.
pub(super) const LONGEST: u64 = 256 << 20;
/// What is kept of standard error.
const SAID: usize = 16 << 10;
/// How often the user's wish to stop is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What would lead git to another repository, another history or other paths than the ones it is asked about. The user's
/// own configuration (`GIT_CONFIG_GLOBAL` and its like) stays: it holds `safe.directory`, proxies and credentials.
const REMOVED: [&str; 25] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_NAMESPACE",
    "GIT_CEILING_DIRECTORIES",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_ATTR_SOURCE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_DEFAULT_HASH",
    "GIT_DEFAULT_REF_FORMAT",
    "GIT_TEMPLATE_DIR",
    "GIT_PROTOCOL",
    "GIT_FLUSH",
];

/// A call of git that is being put together.
pub(super) struct Call(Command);

/// What git said, and whether it was content.
pub(super) struct Output {
    pub stdout: Vec<u8>,
    /// Without credentials.
    pub stderr: String,
    pub success: bool,
}

impl Call {
    /// A call that cannot reach the network, whatever the user's configuration allows and whatever is missing.
    pub(super) fn local() -> Self {
        let mut call = Self::new();
        // Also against partial clones, which fetch on demand; git before 2.45 knows only the second variable.
        call.0.env("GIT_NO_LAZY_FETCH", "1").env("GIT_ALLOW_PROTOCOL", "none");
        call
    }

    /// A call that may use the network, with the transports that git has of its own: no `ext::`, no `fd::`, no helper.
    pub(super) fn online(_: &Online) -> Self {
        let mut call = Self::new();
        call.0.env("GIT_ALLOW_PROTOCOL", "https:http:ssh:git");
        // A server that goes silent for half a minute.
        call.args(["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=30"])
    }

    fn new() -> Self {
        let mut command = Command::new("git");
        for name in REMOVED {
            command.env_remove(name);
        }
        command
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .args(["--no-pager", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self(command)
    }

    /// In which folder git looks around.
    pub(super) fn within(self, folder: &Path) -> Self {
        self.args(["-C"]).args([folder])
    }

    pub(super) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.0.args(args);
        self
    }

    /// Runs it to its end.
    pub(super) fn output(mut self, interrupt: &AtomicBool) -> Result<Output, GitError> {
        let mut child = self.0.spawn().map_err(cannot_run)?;
        let stderr = Said::listen(child.stderr.take());
        let (tell, told) = sync_channel(1);
        let stdout = child.stdout.take();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = stdout.map_or(Ok(0), |stdout| stdout.take(LONGEST + 1).read_to_end(&mut bytes));
            let _ = tell.send(read.map(|_| bytes));
        });
        let stdout = loop {
            match told.recv_timeout(LOOK) {
                Ok(read) => break read.map_err(GitError::Run),
                Err(RecvTimeoutError::Timeout) if interrupt.load(Ordering::Relaxed) => {
                    break Err(GitError::Interrupted);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break Ok(Vec::new()),
            }
        };
        let stdout = match stdout {
            Ok(bytes) if bytes.len() as u64 > LONGEST => Err(GitError::TooLong { megabytes: LONGEST >> 20 }),
            other => other,
        };
        match stdout.and_then(|stdout| Ok((stdout, ended(&mut child, interrupt)?))) {
            Ok((stdout, status)) => Ok(Output { stdout, stderr: stderr.text(), success: status.success() }),
            Err(error) => {
                stop(&mut child);
                Err(error)
            }
        }
    }

    /// Starts it, to be talked to.
    pub(super) fn converse(mut self) -> Result<Child, GitError> {
        self.0.stdin(Stdio::piped()).spawn().map_err(cannot_run)
    }
}

fn cannot_run(error: io::Error) -> GitError {
    if error.kind() == io::ErrorKind::NotFound { GitError::NotInstalled } else { GitError::Run(error) }
}

/// Waits for a program that has closed its standard output.
fn ended(child: &mut Child, interrupt: &AtomicBool) -> Result<ExitStatus, GitError> {
    let mut pause = Duration::from_micros(500);
    loop {
        if let Some(status) = child.try_wait().map_err(GitError::Run)? {
            return Ok(status);
        }
        if interrupt.load(Ordering::Relaxed) {
            return Err(GitError::Interrupted);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LOOK);
    }
}

/// Ends it. Asked kindly, git ends what it has started itself (ssh, index-pack) too.
fn stop(child: &mut Child) {
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
    for _ in 0..40 {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(LOOK);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// The standard error of a program, read while it runs so that it never has to wait.
pub(super) struct Said {
    bytes: Arc<Mutex<Vec<u8>>>,
    end: Receiver<()>,
}

impl Said {
    pub(super) fn listen(stderr: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (ended, end) = sync_channel(1);
        let kept = Arc::clone(&bytes);
        thread::spawn(move || {
            let mut piece = [0; 4096];
            if let Some(mut stderr) = stderr {
                while let Ok(n @ 1..) = stderr.read(&mut piece) {
                    if let Ok(mut kept) = kept.lock() {
                        let room = SAID.saturating_sub(kept.len()).min(n);
                        kept.extend_from_slice(piece.get(..room).unwrap_or_default());
                    }
                }
            }
            let _ = ended.send(());
        });
        Self { bytes, end }
    }

    /// What was said up to the end of the program, without credentials. A helper that lives on (ssh's) may hold the pipe,
    /// and is not waited for.
    pub(super) fn text(&self) -> String {
        let _ = self.end.recv_timeout(Duration::from_secs(1));
        let bytes = self.bytes.lock().map(|bytes| bytes.clone()).unwrap_or_default();
        address::scrubbed(&String::from_utf8_lossy(&bytes))
    }
}
