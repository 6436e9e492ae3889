//! Programs that run beside a test and end with it, whatever becomes of the test.

use super::process::{shown, signal, tool};
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a daemon may take to come up, and to go down before it is killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// `program` with a process and a mount namespace of its own: when it ends or the test dies, so does every process that it
/// left behind, and every mount is gone. Needs root.
pub fn contained(program: &str) -> Command {
    let mut command = leashed("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", program]);
    command
}

/// `program`, killed by the kernel when the thread of the test that started it ends.
fn leashed(program: &str) -> Command {
    let mut command = tool("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

/// A port of 127.0.0.1 that nobody listened on a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// A program that runs beside the test. Dropped, it is asked to end, and killed if it does not.
pub struct Daemon {
    child: Child,
    shown: String,
    log: PathBuf,
}

impl Daemon {
    /// Starts `command`, a plain one or one that is [`contained`]; everything it says goes to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Daemon {
        let file = File::create(log).expect("a log file");
        let shown = shown(command);
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("$ {shown}\n{error}"));
        Daemon { child, shown, log: log.to_owned() }
    }

    /// As [`Daemon::start`], for a program that needs no root: on the leash all the same.
    pub fn start_plain(program: &str, args: &[&str], log: &Path) -> Daemon {
        Daemon::start(leashed(program).args(args), log)
    }

    /// Waits until `ready` says so; the test fails with the daemon's log if that takes too long or the daemon ends.
    #[track_caller]
    pub fn wait_until(&mut self, mut ready: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !ready() {
            let gone = self.child.try_wait().expect("a child to wait for");
            if gone.is_some() || Instant::now() > end {
                let log = std::fs::read(&self.log).unwrap_or_default();
                panic!("$ {}\nis not ready: {gone:?}\n--- log\n{}", self.shown, String::from_utf8_lossy(&log));
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// The id that a polite signal goes to: `unshare` itself does not pass one on to the program it holds.
    fn inner(&self) -> String {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        match children.split_whitespace().next() {
            Some(inner) if self.shown.contains(" unshare ") => inner.to_owned(),
            _ => id.to_string(),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        signal("TERM", &self.inner());
        let end = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > end {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            sleep(Duration::from_millis(10));
        }
    }
}
