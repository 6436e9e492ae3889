//! Builds that are stopped, killed, or run into each other: what stands at the destination is whole, the old image or the
//! new one, and nothing lies beside it.

use crate::sandbox::{Run, Sandbox, names, whole_layout};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Two recipes of much noise that differ in a word, so that a build takes a while; and their images' digests.
fn twins(sandbox: &Sandbox, bytes: usize) -> [(&'static str, String); 2] {
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(bytes)
    .collect();
    sandbox.write("noise", noise);
    ["one", "two"].map(|name| {
        let recipe = format!("{name}.toml");
        sandbox.write(
            &recipe,
            format!(
                "edition = \"2026\"\n[image]\nname = \"acme/app\"\n[[layer]]\n[[layer.copy]]\nfrom = \"noise\"\n\
                 to = \"/noise\"\n[[layer.write]]\nto = \"/name\"\ntext = \"{name}\"\n"
            ),
        );
        let run = sandbox.run(&["build", &recipe, "-o", "out"]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        (name, whole_layout(&sandbox.path("out")).unwrap())
    })
}

fn start(sandbox: &Sandbox, name: &str) -> Child {
    let mut command = sandbox.command(&["build", &format!("{name}.toml"), "-o", "out"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Sends a signal to a child that was not waited for, so that its number is no one else's.
fn signal(child: &Child, name: &str) {
    let status = Command::new("sh").args(["-c", "kill -$0 $1", name, &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

/// Moments spread over the time of a build, in no order that a build could be in step with.
fn moments(whole: Duration, count: u32) -> impl Iterator<Item = Duration> {
    (0..count).map(move |n| whole * (n * 7 % count) / count)
}

#[test]
fn a_signal_leaves_a_whole_image_and_nothing_else() {
    let sandbox = Sandbox::new();
    let twins = twins(&sandbox, 6 << 20);
    let before = names(&sandbox.path(""));
    let begun = Instant::now();
    assert!(start(&sandbox, "one").wait().unwrap().success());
    let takes = begun.elapsed();
    let mut current = twins[0].1.clone();
    let mut stopped = 0;
    for (n, moment) in moments(takes, 30).enumerate() {
        let (name, digest) = &twins[(n + 1) % 2];
        let child = start(&sandbox, name);
        sleep(moment);
        signal(&child, ["INT", "TERM", "HUP"][n % 3]);
        let output = child.wait_with_output().unwrap();
        let now = whole_layout(&sandbox.path("out")).unwrap();
        // A signal may come before the program heeds it.
        if output.status.code().is_some() {
            let run = Run::from(output);
            if run.code == Some(0) {
                assert_eq!((&now, run.stderr.as_str()), (digest, ""));
            } else {
                stopped += 1;
                assert_eq!((run.code, &now), (Some(2), &current), "{}", run.stderr);
                assert!(run.stdout.is_empty());
                assert!(run.stderr.starts_with("error: interrupted"), "{}", run.stderr);
            }
        }
        assert_eq!(names(&sandbox.path("")), before);
        current = now;
    }
    assert!(stopped > 0, "no build was met in its middle");
}

#[test]
fn a_kill_leaves_a_whole_image_and_the_next_build_cleans_up() {
    let sandbox = Sandbox::new();
    let twins = twins(&sandbox, 6 << 20);
    let before = names(&sandbox.path(""));
    let begun = Instant::now();
    assert!(start(&sandbox, "one").wait().unwrap().success());
    let takes = begun.elapsed();
    let mut left = false;
    for (n, moment) in moments(takes, 20).enumerate() {
        let mut child = start(&sandbox, twins[(n + 1) % 2].0);
        sleep(moment);
        let _ = child.kill();
        child.wait().unwrap();
        let now = whole_layout(&sandbox.path("out")).unwrap();
        assert!(twins.iter().any(|(_, digest)| *digest == now), "neither the old nor the new image: {now}");
        left |= names(&sandbox.path("")) != before;
    }
    assert!(left, "no build was met in its middle");
    // A killed archive lies in a hidden folder too.
    assert!(start(&sandbox, "two").wait().unwrap().success());
    assert_eq!(whole_layout(&sandbox.path("out")).unwrap(), twins[1].1);
    assert_eq!(names(&sandbox.path("")), before);
}

#[test]
fn two_builds_to_one_place_leave_one_whole_image() {
    let sandbox = Sandbox::new();
    let twins = twins(&sandbox, 10_000);
    let before = names(&sandbox.path(""));
    for n in 0..20 {
        if n % 2 == 0 {
            std::fs::remove_dir_all(sandbox.path("out")).unwrap();
        }
        let children = [start(&sandbox, "one"), start(&sandbox, "two")];
        let runs = children.map(|child| Run::from(child.wait_with_output().unwrap()));
        assert!(runs.iter().any(|run| run.code == Some(0)));
        for run in &runs {
            let said = run.stderr.starts_with("error: cannot write") && !run.stderr.contains("panicked");
            assert!(run.code == Some(0) || (run.code == Some(2) && said), "{:?} {}", run.code, run.stderr);
        }
        let now = whole_layout(&sandbox.path("out")).unwrap();
        assert!(twins.iter().any(|(_, digest)| *digest == now));
        assert_eq!(names(&sandbox.path("")), before);
    }
}

/// Whatever call to the disk fails, and whenever: status 2 and the old image, or status 0 and the new one.
#[test]
fn a_disk_that_fails_once_harms_nothing() {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("skipped: needs strace");
        return;
    }
    let sandbox = Sandbox::new();
    let twins = twins(&sandbox, 10_000);
    let before = names(&sandbox.path(""));
    let mut current = twins[1].1.clone();
    for (call, error, most) in [
        ("write", "ENOSPC", 40),
        ("fsync", "EIO", 20),
        ("/^rename", "EIO", 20),
        ("openat", "EIO", 60),
        ("/^mkdir", "ENOSPC", 12),
    ] {
        let mut fine = 0;
        for n in 1..=most {
            let (name, digest) = &twins[n % 2];
            let inject = format!("inject={call}:error={error}:when={n}");
            let around = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &inject];
            let recipe = format!("{name}.toml");
            let run =
                Run::from(sandbox.wrapped(&around, &["build", &recipe, "-o", "out", "--jobs", "1"]).output().unwrap());
            let context = format!("{call} {n}: {:?} {}", run.code, run.stderr);
            let now = whole_layout(&sandbox.path("out")).unwrap_or_else(|error| panic!("{error}\n{context}"));
            match run.code {
                Some(0) => assert_eq!(now, *digest, "{context}"),
                // Each thread's n-th write fails: that of the answer, with the image in its place, or that of the error.
                Some(2) if call == "write" => assert!(now == current || now == *digest, "{context}"),
                Some(2) => {
                    assert_eq!(now, current, "{context}");
                    assert!(run.stderr.starts_with("error: ") && !run.stderr.contains("panicked"), "{context}");
                }
                // The program's libraries are opened before it begins.
                Some(127) if call == "openat" => assert_eq!(now, current, "{context}"),
                _ => panic!("{context}"),
            }
            assert_eq!(names(&sandbox.path("")), before, "{context}");
            // Two in a row without an effect: all calls were met.
            fine = if run.code == Some(0) { fine + 1 } else { 0 };
            current = now;
            if fine == 6 {
                break;
            }
        }
    }
}
