//! Variations of the process: where, when, by whom and with what at hand it runs.

use super::source::{Twin, destination, differs, expected, hold, output, rebake, wrapped};
use crate::support::needs;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// What a program says under two wrappers; the second is that of the build.
#[track_caller]
fn control(program: &str, arguments: &[&str], plain: &[&str], wrapper: &[&str]) {
    let said = |wrapper: &[&str]| {
        let mut command = wrapped(wrapper, program.as_ref());
        command.args(arguments);
        String::from_utf8_lossy(&output(command)).into_owned()
    };
    differs(program, &said(plain), &said(wrapper));
}

#[test]
fn working_directory() {
    let twin = Twin::new();
    let inside = twin.source().join("data/names");
    let layout = twin.out();
    let from = |folder: &Path, recipe: Option<&str>, out: &Path| {
        let mut command = rebake(&[]);
        command.current_dir(folder).arg("build").args(recipe).arg("-o").arg(destination("oci", out));
        command
    };
    for (folder, recipe, out) in [
        (twin.source(), None, layout.as_path()),
        (twin.source(), None, Path::new("../out")),
        (inside.clone(), None, &layout),
        (twin.source(), Some("."), &layout),
        (twin.source(), Some("rebake.toml"), &layout),
        (twin.source(), Some("./data/../rebake.toml"), &layout),
        (twin.home().to_owned(), Some("source"), Path::new("out")),
        (twin.home().to_owned(), Some("source/rebake.toml"), Path::new("./out")),
        (inside, Some("../.."), &layout),
        ("/".into(), Some(twin.source().to_str().unwrap()), &layout),
    ] {
        hold(from(&folder, recipe, out), &layout);
    }
    // The default destination stands where one stands, and says the same.
    let mut command = rebake(&[]);
    command.current_dir(twin.home()).args(["build", "source"]);
    hold(command, &twin.home().join("rebake-out/everything"));
    let mut pwd = Command::new("pwd");
    pwd.current_dir(twin.source());
    differs("pwd", &output(Command::new("pwd")), &output(pwd));
}

#[test]
fn environment() {
    let twin = Twin::new();
    let scratch = twin.home().join("scratch");
    fs::create_dir(&scratch).unwrap();
    let scratch = format!("TMPDIR={}", scratch.display());
    for variables in [
        &["HOME=/nowhere", "USER=mallory", "LOGNAME=mallory", "XDG_CONFIG_HOME=/nowhere"][..],
        &["-u", "HOME", "-u", "USER", "-u", "LANG", "-u", "TERM"],
        &["-i"],
        &["RUST_LOG=trace", "RUST_BACKTRACE=full", "LANG=ja_JP.SJIS", "TERM=dumb", "COLUMNS=3", "NO_COLOR=1"],
        &["SOURCE_DATE_EPOCH=1", "HOSTNAME=other", "PWD=/elsewhere", "OLDPWD=/", "CI=1"],
        &[&scratch],
        &[
            "MALLOC_PERTURB_=165",
            "MALLOC_ARENA_MAX=1",
            "ZSTD_CLEVEL=19",
            "ZSTD_NBTHREADS=4",
            "GZIP=-9",
            "TAR_OPTIONS=-v",
        ],
    ] {
        let wrapper = [&["env"], variables].concat();
        control("env", &[], &[], &wrapper);
        twin.hold(&wrapper);
    }
}

#[test]
fn time_zone() {
    let twin = Twin::new();
    for zone in ["TZ=<+14>-14", "TZ=<-1130>+11:30", "TZ=EST5EDT,M3.2.0,M11.1.0", "TZ=:/nowhere"] {
        control("date", &["-d", "@1700000000", "+%F %T %Z"], &["env", "TZ=GMT0"], &["env", zone]);
        twin.hold(&["env", zone]);
    }
}

#[test]
fn locale() {
    let twin = Twin::new();
    for locale in ["LC_ALL=C", "LC_ALL=C.UTF-8", "LC_ALL=tr_TR.UTF-8", "LC_ALL=de_DE.ISO-8859-1"] {
        control("locale", &[], &["env", "LC_ALL=POSIX"], &["env", locale]);
        twin.hold(&["env", locale]);
    }
}

#[test]
fn user() {
    if !needs(&["root", "setpriv"]) {
        return;
    }
    let twin = Twin::new();
    fs::set_permissions(twin.home(), fs::Permissions::from_mode(0o777)).unwrap();
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"];
    control("id", &["-u"], &[], &nobody);
    // Nobody may not enter the folder of whoever builds rebake.
    let program = twin.home().join("rebake");
    fs::copy(env!("CARGO_BIN_EXE_rebake"), &program).unwrap();
    let mut command = wrapped(&nobody, program.as_os_str());
    command.current_dir(twin.home()).env("TMPDIR", twin.home()).args(["build", "source", "-o", "oci:out"]);
    hold(command, &twin.out());
}

#[test]
fn wall_clock() {
    if !needs(&["faketime"]) {
        return;
    }
    let twin = Twin::new();
    for instant in ["2001-02-03 04:05:06", "2038-01-19 03:14:09", "2110-01-01 00:00:00"] {
        let wrapper = ["faketime", instant];
        control("date", &["+%Y"], &[], &wrapper);
        // The library that tells the time is in our own process too.
        let mut loaded = rebake(&["faketime", instant, "env", "LD_TRACE_LOADED_OBJECTS=1"]);
        loaded.arg("--version");
        let loaded = String::from_utf8(output(loaded)).unwrap();
        assert!(loaded.contains("libfaketime"), "the clock of rebake is not varied:\n{loaded}");
        twin.hold(&wrapper);
    }
}

#[test]
fn jobs() {
    let twin = Twin::new();
    let traced = needs(&["strace"]);
    let mut counts = Vec::new();
    for jobs in ["1", "2", "3", "8"] {
        let trace = twin.home().join("trace");
        let strace =
            ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=clone,clone3", "-o", trace.to_str().unwrap()];
        let mut command = twin.build(if traced { &strace } else { &[] });
        command.args(["--jobs", jobs]);
        hold(command, &twin.out());
        if traced {
            let trace = fs::read_to_string(&trace).unwrap();
            counts.push(trace.lines().filter(|line| line.contains("clone") && !line.contains("resumed")).count());
        }
    }
    assert!(counts.windows(2).all(|two| two[0] < two[1]), "more jobs are more threads: {counts:?}");
}

#[test]
fn standard_input_and_open_files() {
    let twin = Twin::new();
    let shell = |script: &'static str| ["sh", "-c", script];
    let open = ["-l", "/proc/self/fd"];
    for script in ["exec <&- && exec \"$0\" \"$@\"", "exec 7</dev/null && exec \"$0\" \"$@\""] {
        let count = |wrapper: &[&str]| {
            let mut ls = wrapped(wrapper, "ls".as_ref());
            ls.args(open);
            output(ls).iter().filter(|byte| **byte == b'\n').count()
        };
        differs("the number of open files", &count(&[]), &count(&shell(script)));
        twin.hold(&shell(script));
    }
    let few = shell("ulimit -n 64 && exec \"$0\" \"$@\"");
    control("sh", &["-c", "ulimit -n"], &[], &few);
    twin.hold(&few);
}

#[test]
fn two_at_once() {
    let (one, two) = (Twin::new(), Twin::new());
    let before = expected();
    let build = |command: Command, layout: &Path| assert_eq!(&super::source::Baked::new(command, layout), before);
    std::thread::scope(|scope| {
        scope.spawn(|| build(one.build(&[]), &one.out()));
        scope.spawn(|| build(two.build(&[]), &two.out()));
    });
    // And to one place: either is the last, and both are the same.
    std::thread::scope(|scope| {
        for twin in [&one, &two] {
            scope.spawn(|| {
                let mut command = rebake(&[]);
                command.arg("build").arg(twin.recipe()).arg("-o").arg(destination("oci", &one.out()));
                output(command);
            });
        }
    });
    one.hold(&[]);
}
