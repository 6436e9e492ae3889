//! A pantry that is being filled, and stopped: the old one is as it was, or the new one is whole.

use super::Kitchen;
use crate::sandbox::{names, snapshot};
use crate::support::http::Behaviour;
use crate::support::{attempt, needs, run};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// `one` in a pantry, and `big` in the cache, with a few megabytes to add.
fn kitchen() -> Kitchen {
    let kitchen = Kitchen::small();
    kitchen.ok(&["pantry", "fill", "P", "one"]);
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    kitchen.server.serve("/file", Behaviour::bytes(noise.take(6 << 20).collect::<Vec<u8>>()));
    kitchen.recipe("big", &kitchen.url_recipe("big", "1.0.0"));
    kitchen.work.write("big/more", vec![b'x'; 3 << 20]);
    let more = "\n[[layer.copy]]\nfrom = 'more'\nto = '/more'\n";
    kitchen.recipe("big", &(kitchen.url_recipe("big", "1.0.0") + more));
    kitchen.ok(&["lock", "--record", "big"]);
    kitchen
}

fn start(kitchen: &Kitchen, recipe: &str) -> Child {
    let mut command = kitchen.rebake(&["pantry", "fill", "P", recipe]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a child")
}

/// How long a fill takes: into a copy.
fn takes(kitchen: &Kitchen) -> Duration {
    super::copy(&kitchen.work.join("P"), &kitchen.work.join("T"));
    let begun = Instant::now();
    kitchen.ok(&["pantry", "fill", "T", "big"]);
    let takes = begun.elapsed();
    fs::remove_dir_all(kitchen.work.join("T")).expect("gone");
    takes
}

#[test]
fn a_kill_harms_nothing_and_leaves_nothing_for_ever() {
    let kitchen = kitchen();
    let work = &kitchen.work;
    let takes = takes(&kitchen);
    let (old, before) = (snapshot(&work.join("P")), names(work.path()));
    super::copy(&work.join("P"), &work.join("N"));
    kitchen.ok(&["pantry", "fill", "N", "big"]);
    let new = snapshot(&work.join("N"));
    fs::remove_dir_all(work.join("N")).expect("gone");
    let (mut left, mut untouched) = (false, 0);
    for n in 0..24 {
        let mut child = start(&kitchen, "big");
        sleep(takes * (n * 7 % 24) / 24);
        let _ = child.kill();
        child.wait().expect("a child");
        let now = snapshot(&work.join("P"));
        untouched += u32::from(now == old);
        assert!(now == old || now == new, "neither the old nor the new pantry");
        left |= names(work.path()) != before;
        if now == new {
            fs::remove_dir_all(work.join("P")).expect("gone");
            kitchen.ok(&["pantry", "fill", "P", "one"]);
        }
    }
    assert!(left && untouched > 0, "no fill was met in its middle");
    kitchen.ok(&["pantry", "fill", "P", "big"]);
    assert_eq!(names(work.path()), before);
    assert_eq!(snapshot(&work.join("P")), new);
    kitchen.ok(&["pantry", "check", "P"]);
}

#[test]
fn a_signal_leaves_the_pantry_as_it_was() {
    let kitchen = kitchen();
    let work = &kitchen.work;
    let takes = takes(&kitchen);
    let (old, before) = (snapshot(&work.join("P")), names(work.path()));
    let mut stopped = 0;
    for n in 0..24 {
        let child = start(&kitchen, "big");
        sleep(takes * (n * 7 % 24) / 24);
        let signal = ["INT", "TERM", "HUP"][n as usize % 3];
        run(Command::new("sh").args(["-c", "kill -$0 $1 || true", signal, &child.id().to_string()]));
        let output = child.wait_with_output().expect("a child");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(names(work.path()), before, "{said}");
        match output.status.code() {
            Some(0) => {
                kitchen.ok(&["pantry", "check", "P"]);
                fs::remove_dir_all(work.join("P")).expect("gone");
                kitchen.ok(&["pantry", "fill", "P", "one"]);
            }
            Some(2) => {
                stopped += 1;
                assert!(said.starts_with("error: interrupted; the pantry is as it was"), "{said}");
                assert_eq!(snapshot(&work.join("P")), old);
            }
            // It came before the program heeds it.
            _ => assert_eq!(snapshot(&work.join("P")), old),
        }
    }
    assert!(stopped > 0, "no fill was met in its middle");
}

#[test]
fn two_fills_at_once_are_both_in_it() {
    let kitchen = kitchen();
    for n in 0..8 {
        // Once into a pantry that is there, once into one that is not.
        let _ = fs::remove_dir_all(kitchen.work.join("P"));
        if n % 2 == 0 {
            kitchen.recipe(
                "zero",
                &kitchen.url_recipe("zero", "1.0.0").replace("from = { input = 'file' }", "from = 'rebake.toml'"),
            );
            let text = String::from_utf8(kitchen.work.read("zero/rebake.toml")).expect("text");
            let start = text.find("[inputs").expect("inputs");
            let end = text.find("[[layer]]").expect("a layer");
            kitchen.recipe("zero", &format!("{}{}", &text[..start], &text[end..]));
            kitchen.ok(&["pantry", "fill", "P", "zero"]);
        }
        let children = ["one", "big"].map(|recipe| start(&kitchen, recipe));
        for child in children {
            let output = child.wait_with_output().expect("a child");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let recipes = kitchen.json(&["pantry", "list", "P"])["recipes"].as_array().expect("recipes").len();
        assert_eq!(recipes, if n % 2 == 0 { 3 } else { 2 });
        kitchen.ok(&["pantry", "check", "P"]);
    }
}

#[test]
fn a_full_disk_leaves_the_pantry_as_it_was() {
    if !needs(&["root", "unshare"]) {
        return;
    }
    let kitchen = kitchen();
    let fill = |size: &str| {
        let script = format!(
            "mount -t tmpfs -o size={size} none full && cp -a P full/ && cp -a full/P before && \
             \"$0\" pantry fill full/P big; echo $? > status; \
             diff -r full/P before && echo same > result; ls -A full > names; \"$0\" pantry check full/P"
        );
        kitchen.work.mkdir("full");
        for name in ["before", "result", "status", "names"] {
            let path = kitchen.work.join(name);
            let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        }
        let around = ["unshare", "--mount", "sh", "-c", &script];
        let output = attempt(&mut kitchen.wrapped(&around, &[])).success();
        let text = |name: &str| fs::read_to_string(kitchen.work.join(name)).unwrap_or_default().trim().to_owned();
        (text("status"), text("result"), text("names"), output.said())
    };
    let (status, result, names, said) = fill("4m");
    assert_eq!((status.as_str(), result.as_str(), names.as_str()), ("2", "same", "P"), "{said}");
    assert!(said.contains("No space left on device") && said.contains("the pantry is as it was"), "{said}");
    // The positive control.
    let (status, result, names, said) = fill("64m");
    assert_eq!((status.as_str(), result.as_str(), names.as_str()), ("0", "", "P"), "{said}");
}

/// Whatever call to the disk fails, and whenever.
#[test]
fn a_disk_that_fails_once_harms_nothing() {
    if !needs(&["strace"]) {
        return;
    }
    let kitchen = kitchen();
    let work = &kitchen.work;
    let (old, before) = (snapshot(&work.join("P")), names(work.path()));
    let mut failures = 0;
    for (call, error, most) in [
        ("write", "ENOSPC", 60),
        ("fsync", "EIO", 20),
        ("/^rename", "EIO", 20),
        ("/^mkdir", "ENOSPC", 12),
        ("/^link", "EMLINK", 12),
    ] {
        let mut fine = 0;
        for n in 1..=most {
            let inject = format!("inject={call}:error={error}:when={n}");
            let around = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &inject];
            let output = attempt(&mut kitchen.wrapped(&around, &["pantry", "fill", "P", "big"]));
            let context = format!("{call} {n}: {output}");
            assert_eq!(names(work.path()), before, "{context}");
            let now = snapshot(&work.join("P"));
            match output.code() {
                Some(0) => {
                    kitchen.ok(&["pantry", "check", "P"]);
                    fs::remove_dir_all(work.join("P")).expect("gone");
                    kitchen.ok(&["pantry", "fill", "P", "one"]);
                    fine += 1;
                }
                Some(2) => {
                    failures += 1;
                    assert!(now == old || (call == "write" && whole(&kitchen, &work.join("P"))), "{context}");
                    assert!(output.said().starts_with("error: ") && !output.said().contains("panicked"), "{context}");
                    fine = 0;
                    if now != old {
                        fs::remove_dir_all(work.join("P")).expect("gone");
                        kitchen.ok(&["pantry", "fill", "P", "one"]);
                    }
                }
                _ => panic!("{context}"),
            }
            // Some in a row without an effect: all calls were met.
            if fine == 4 {
                break;
            }
        }
    }
    assert!(failures > 10);
}

/// The answer could not be written, and the pantry is in its place.
fn whole(kitchen: &Kitchen, pantry: &Path) -> bool {
    kitchen.attempt(&["pantry", "check", pantry.to_str().expect("a plain path")]).code() == Some(0)
}
