//! Tests that need a program or root: skipped and counted on a developer's machine, never in CI.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

/// `PACKAGE: COMMANDS # why`, also read by `tests/run`.
const PACKAGES: &str = include_str!("../../packages");

/// Whether all of `wanted` are there: names of commands, or `root`.
///
/// If one is not, a line goes to standard error and to a file that `tests/run` counts; with `CI=true` the test fails.
#[must_use = "a test that lacks something returns"]
#[track_caller]
pub fn needs(wanted: &[&str]) -> bool {
    let missing: Vec<String> = wanted.iter().filter(|name| !present(name)).map(|name| advice(name)).collect();
    if missing.is_empty() {
        return true;
    }
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("{test} skipped: needs {}", missing.join(", "));
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{line}");
    eprintln!("{line}");
    let record = concat!(env!("CARGO_TARGET_TMPDIR"), "/skipped");
    let file = OpenOptions::new().create(true).append(true).open(record);
    file.and_then(|mut file| writeln!(file, "{line}")).expect("a record of what was skipped");
    false
}

fn present(name: &str) -> bool {
    match name {
        "root" => std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0),
        _ => found(name),
    }
}

/// Found where [`super::tool`] looks. `command -v` starts nothing.
fn found(name: &str) -> bool {
    let path = super::tool(name).get_envs().find_map(|(key, value)| (key == "PATH").then(|| value.map(Into::into)));
    let path: std::ffi::OsString = path.flatten().unwrap_or_default();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", r#"command -v -- "$1""#, "sh", name]).env("PATH", path).stdout(Stdio::null());
    shell.status().is_ok_and(|status| status.success())
}

fn advice(name: &str) -> String {
    let package = PACKAGES.lines().find_map(|line| {
        let (package, rest) = line.split('#').next()?.split_once(':')?;
        rest.split_whitespace().any(|command| command == name).then_some(package)
    });
    package.map_or(name.to_owned(), |package| format!("{name} (apt-get install {package})"))
}

#[test]
fn the_advice_names_the_package() {
    assert_eq!(advice("ctr"), "ctr (apt-get install containerd)");
    assert_eq!(advice("root"), "root");
    assert!(present("sh") && !present("no-such-program"));
}
