//! The tests' own tools do what they promise: nothing hangs, nothing is left behind.

use crate::support::clients::Containerd;
use crate::support::{Output, Work, attempt_within, contained, needs, rebake, run, tool};
use std::fs;
use std::time::{Duration, Instant};

#[test]
fn a_program_is_ended_at_its_time_limit() {
    let start = Instant::now();
    let limit = Duration::from_millis(200);
    let out: Output = attempt_within(limit, tool("sh").args(["-c", "echo begun; sleep 60 & sleep 60"]));
    assert_eq!((out.status, out.text()), (None, "begun".to_owned()));
    assert!(out.to_string().contains("ended by the time limit"), "{out}");
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_contained_program_takes_all_it_started_with_it() {
    if !needs(&["root"]) {
        return;
    }
    let work = Work::new();
    let script = format!("mount -t tmpfs tmpfs {0}; setsid sleep 60 {0} & echo done", work.path().display());
    run(contained("sh").args(["-c", &script]));
    assert_nothing_left(work.path().to_str().expect("a plain path"));
}

#[test]
fn a_daemon_takes_all_it_started_with_it() {
    if !needs(&["containerd", "ctr", "root"]) {
        return;
    }
    let containerd = Containerd::start();
    let folder = containerd.folder();
    drop(containerd);
    assert!(!folder.exists());
    assert_nothing_left(folder.to_str().expect("a plain path"));
}

/// No mount and no process has `folder` in its name.
#[track_caller]
fn assert_nothing_left(folder: &str) {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts");
    assert!(!mounts.contains(folder), "{mounts}");
    let processes = fs::read_dir("/proc").expect("processes").flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let left: Vec<String> = lines.map(|line| String::from_utf8_lossy(&line).into_owned()).collect();
    assert!(!left.iter().any(|line| line.contains(folder)), "{left:#?}");
}

#[test]
fn a_folder_lists_what_is_in_it() {
    let work = Work::new();
    work.write("top/a/file", "");
    work.symlink("a", "top/link");
    work.mkdir("top/b");
    assert_eq!(work.tree("top"), ["a/", "a/file", "b/", "link"]);
}

#[test]
fn the_program_is_there() {
    assert!(rebake().get_program().to_string_lossy().ends_with("rebake"));
}
