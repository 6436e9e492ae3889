//! The disaster drill: everything is rebuilt with no network and compared.

use crate::pantry::{Kitchen, NEEDED, flip};
use crate::sandbox::snapshot;
use crate::support::http::Behaviour;
use crate::support::{Sample, attempt, needs};
use serde_json::{Value, json};
use std::fs;

/// The rows of a drill as `recipe result`.
fn results(document: &Value) -> Vec<String> {
    let rows = document["recipes"].as_array().unwrap_or_else(|| panic!("{document}"));
    rows.iter().map(|row| format!("{} {}", row["recipe"].as_str().unwrap(), row["result"].as_str().unwrap())).collect()
}

fn row<'a>(document: &'a Value, recipe: &str) -> &'a Value {
    let rows = document["recipes"].as_array().unwrap_or_else(|| panic!("{document}"));
    rows.iter().find(|row| row["recipe"] == recipe).unwrap_or_else(|| panic!("no {recipe} in {document}"))
}

#[test]
fn every_recipe_is_a_row() {
    let kitchen = Kitchen::small();
    let work = &kitchen.work;
    kitchen.server.serve("/other", Behaviour::bytes("another file"));
    for name in ["differs", "missing", "unrecorded", "stale", "lock", "text", "folder"] {
        let path = if name == "missing" { "/other" } else { "/file" };
        kitchen.recipe(name, &kitchen.url_recipe(name, "1.0.0").replace("/file'\n[[", &format!("{path}'\n[[")));
        let record: &[&str] = if name == "unrecorded" { &[] } else { &["--record"] };
        kitchen.ok(&[&["lock"], record, &[name]].concat());
    }
    let recipes = ["one", "differs", "unrecorded", "stale", "lock", "text", "folder"];
    kitchen.ok(&[&["pantry", "fill", "P"][..], &recipes].concat());
    kitchen.recipe("differs", &kitchen.url_recipe("differs", "2.0.0"));
    kitchen.recipe("stale", &kitchen.url_recipe("stale", "1.0.0").replace("/file'\n[[", "/moved'\n[["));
    work.write("lock/rebake.lock", "version = 99\n");
    work.write("text/rebake.toml", b"edition = '\xff'\n");
    fs::remove_file(work.join("folder/rebake.toml")).unwrap();
    work.mkdir("folder/rebake.toml");
    work.write("rebake-out/rebake.toml", "is none of ours");
    work.write(".hidden/rebake.toml", "is none of ours");

    let drill = kitchen.json(&["drill", "--pantry", "P"]);
    let expected = [
        "differs/rebake.toml differs",
        "lock/rebake.toml failed",
        "missing/rebake.toml missing",
        "one/rebake.toml same",
        "stale/rebake.toml failed",
        "text/rebake.toml failed",
        "unrecorded/rebake.toml unrecorded",
    ];
    assert_eq!(results(&drill), expected);
    assert_eq!(drill["same"], false);
    let digest = |value: &Value| value.as_str().is_some_and(|text| text.starts_with("sha256:") && text.len() == 71);
    for (name, wanted, rebuilt) in
        [("one", true, true), ("differs", true, true), ("missing", true, false), ("unrecorded", false, true)]
    {
        let row = row(&drill, &format!("{name}/rebake.toml"));
        assert_eq!((digest(&row["expected"]), digest(&row["rebuilt"])), (wanted, rebuilt), "{row}");
        assert!(row["seconds"].as_f64().is_some_and(|seconds| (0.0..60.0).contains(&seconds)), "{row}");
    }
    let one = row(&drill, "one/rebake.toml");
    assert_eq!((&one["expected"], &one["copies"]), (&one["rebuilt"], &json!({ "file": 2 })));
    let differs = row(&drill, "differs/rebake.toml");
    assert_ne!(differs["expected"], differs["rebuilt"]);
    let missing = row(&drill, "missing/rebake.toml");
    // The store counts as a copy; where there is a pantry, it is not used.
    assert_eq!((&missing["missing"], &missing["copies"]), (&json!(["file"]), &json!({ "file": 1 })));

    let output = kitchen.attempt(&["drill", "--pantry", "P"]);
    let (table, said) = (output.text(), output.text() + &output.said());
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].split_whitespace().eq(["recipe", "expected", "rebuilt", "result", "seconds", "copies"]), "{said}");
    assert_eq!(lines.len(), 8, "{said}");
    for word in ["missing file", "lock/rebake.lock", "text/rebake.toml", "is not UTF-8", "the lock"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    // Where all is the same, it is so; also from the store.
    for args in [&["drill", "one", "one/rebake.toml", "./one", "--pantry", "P"][..], &["drill", "missing"]] {
        assert!(kitchen.ends(0, args).contains(" same "));
    }
}

#[test]
fn wrong_input_is_said() {
    let kitchen = Kitchen::small();
    kitchen.work.mkdir("empty");
    kitchen.ok(&["pantry", "fill", "P", "one"]);
    kitchen.ok(&["drill", "one", "--pantry", "P"]);
    for (args, word) in [
        (&["drill", "nothing"][..], "there is no nothing"),
        (&["drill", "one", "empty"], "there is no rebake.toml in empty"),
        (&["drill", "--pantry", "empty"], "empty is no pantry"),
        (&["drill", "--alone"], "--pantry"),
        (&["drill", "--alone", "--rev", "x", "--pantry", "P"], "cannot be used with"),
        (&["drill", "--rev", "main"], "there is no git repository at"),
    ] {
        let said = kitchen.ends(2, args);
        assert!(said.contains(word), "{args:?}: {said}");
    }
}

/// In a network namespace without any route, with nothing of the kernel's said about a connection.
#[test]
fn no_network_is_needed_or_asked() {
    if !needs(NEEDED) || !needs(&["root", "unshare", "strace"]) {
        return;
    }
    let kitchen = Kitchen::new();
    let work = &kitchen.work;
    kitchen.ok(&["pantry", "fill", "P", "app", "svc"]);
    kitchen.git(".", &["init", "--quiet"]);
    work.write(".gitignore", "/cache\n/P\n/trace\n");
    kitchen.commit(".");
    // Only the pantry is left to ask.
    let alone = ["drill", "--alone", "--pantry", "P"];
    let rev = ["drill", "--rev", "HEAD", "app", "svc", "--pantry", "P"];
    let disk = ["drill", "app", "svc", "--pantry", "P"];
    for args in [&alone[..], &rev, &disk] {
        let output = attempt(&mut kitchen.wrapped(&["unshare", "--net", "--"], args)).success();
        assert_eq!(output.text().matches(" same ").count(), 2, "{output}");
        let trace = work.join("trace");
        let trace = trace.to_str().unwrap();
        let around = ["strace", "-f", "-qq", "-e", "trace=%network", "-o", trace, "--"];
        attempt(&mut kitchen.wrapped(&around, args)).success();
        let calls = fs::read_to_string(trace).unwrap();
        assert!(!calls.contains("AF_INET"), "{args:?}: {calls}");
    }
    // The positive controls: a lock does ask, is seen to, and cannot in that namespace.
    fs::remove_dir_all(work.join("cache")).unwrap();
    let lock = ["lock", "--update", "tool", "--", "app"];
    let output = attempt(&mut kitchen.wrapped(&["unshare", "--net", "--"], &lock));
    assert_eq!(output.code(), Some(2), "{output}");
    let trace = work.join("trace");
    let around = ["strace", "-f", "-qq", "-e", "trace=%network", "-o", trace.to_str().unwrap(), "--"];
    attempt(&mut kitchen.wrapped(&around, &lock)).success();
    assert!(fs::read_to_string(trace).unwrap().contains("AF_INET"));
}

#[test]
fn a_drill_uses_nothing_outside() {
    if !needs(NEEDED) {
        return;
    }
    let kitchen = Kitchen::new();
    let work = &kitchen.work;
    fs::remove_dir_all(work.join("cache")).unwrap();
    // All of it is on this disk, and nearly all of it outside.
    let drill = kitchen.json(&["drill", "app", "svc"]);
    assert_eq!(results(&drill), ["app/rebake.toml missing", "svc/rebake.json missing"]);
    assert_eq!(row(&drill, "app/rebake.toml")["missing"], json!(["assets", "tool"]));
    assert_eq!(row(&drill, "svc/rebake.json")["missing"], json!(["one", "three", "two"]));
    assert_eq!(row(&drill, "svc/rebake.json")["copies"], json!({ "one": 0, "two": 0, "three": 0 }));
    // The positive control: a build does use it.
    kitchen.ok(&["build", "svc", "--offline", "-o", "built"]);

    // Also where nobody pinned it, and where a symlink leads there.
    let loose =
        |image: &str| format!("edition = '2026'\n[image]\nname = 'x'\nbase = 'b'\n[inputs.b]\nimage = 'oci:{image}'\n");
    kitchen.recipe("loose", &loose("../one.layout"));
    kitchen.recipe("sly", &loose("way"));
    work.symlink("../one.layout", "sly/way");
    let outside = kitchen.json(&["drill", "loose", "sly"]);
    assert_eq!(results(&outside), ["loose/rebake.toml missing", "sly/rebake.toml missing"]);
    // What is beside the recipe is in source control with it.
    kitchen.recipe("inside", &loose("base"));
    crate::pantry::copy(&work.join("one.layout"), &work.join("inside/base"));
    let inside = kitchen.json(&["drill", "inside"]);
    assert_eq!(results(&inside), ["inside/rebake.toml unrecorded"]);
    assert_eq!(row(&inside, "inside/rebake.toml")["copies"], json!({ "b": 1 }));
}

#[test]
fn a_damaged_pantry_is_a_row_and_no_surprise() {
    let kitchen = Kitchen::small();
    kitchen.ok(&["pantry", "fill", "P", "one"]);
    let list = kitchen.json(&["pantry", "list", "P"]);
    for part in
        [&list["recipes"][0]["inputs"][0]["digest"], &list["recipes"][0]["files"], &list["recipes"][0]["recipe"]]
    {
        assert_eq!(kitchen.json(&["drill", "--alone", "--pantry", "P"])["same"], true);
        let blob = kitchen.work.join("P/blobs").join(part.as_str().unwrap().replace(':', "/"));
        flip(&blob, 0);
        let drill = kitchen.json(&["drill", "--alone", "--pantry", "P"]);
        assert_eq!(drill["recipes"].as_array().map(Vec::len), Some(1));
        assert_ne!(drill["recipes"][0]["result"], "same");
        flip(&blob, 0);
    }
}

#[test]
fn a_commit_is_drilled_without_its_work_tree() {
    if !needs(&["git"]) {
        return;
    }
    let kitchen = Kitchen::small();
    let work = &kitchen.work;
    kitchen.ok(&["pantry", "fill", "P", "one"]);
    // In a repository of its own, in a folder, beside one that is broken; with line ends that a checkout would change.
    for path in ["src/deep/one", "src/deep/more", "src/bad"] {
        work.mkdir(path);
    }
    for file in ["rebake.toml", "rebake.lock"] {
        fs::copy(work.join("one").join(file), work.join("src/deep/one").join(file)).unwrap();
    }
    work.write("src/bad/rebake.toml", "edition = 3\n");
    let more = "edition = '2026'\n[image]\nname = 'more'\n[[layer]]\nname = 'x'\n[[layer.copy]]\nfrom = 'data/'\nto = '/data'\n";
    work.write("src/deep/more/rebake.toml", more);
    work.write("src/deep/more/data/text", "one\ntwo\n");
    work.write_mode("src/deep/more/data/run", 0o755, "x");
    work.symlink("text", "src/deep/more/data/link");
    work.write("src/deep/more/.gitattributes", "data/text text eol=crlf export-ignore\n");
    kitchen.ok(&["lock", "--record", "src/deep/more"]);
    kitchen.git("src", &["init", "--quiet"]);
    kitchen.commit("src");
    kitchen.git("src", &["tag", "v1"]);

    let drill_in = |folder: &str, args: &[&str]| {
        let mut command = kitchen.rebake(&[&["drill", "--rev", "v1", "--json"], args].concat());
        let output = attempt(command.current_dir(work.join(folder)));
        let document: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"));
        (output.code(), document)
    };
    let pantry = work.join("P");
    let pantry = ["--pantry", pantry.to_str().unwrap()];
    let all = ["bad/rebake.toml failed", "deep/more/rebake.toml same", "deep/one/rebake.toml same"];
    let (code, drill) = drill_in("src", &pantry);
    assert_eq!((code, results(&drill)), (Some(1), all.map(str::to_owned).to_vec()));
    assert_eq!(drill["commit"], kitchen.git("src", &["rev-parse", "v1"]));

    // From then on the work tree is dirty, half gone, and somewhere else in history.
    work.write("src/deep/more/data/text", "changed");
    work.write("src/deep/new/rebake.toml", "edition = 4");
    fs::remove_dir_all(work.join("src/bad")).unwrap();
    fs::remove_dir_all(work.join("src/deep/one")).unwrap();
    kitchen.git("src", &["add", "--all"]);
    kitchen.git("src", &["commit", "--quiet", "--message", "later"]);
    work.write("src/deep/more/data/text", "changed again");
    let before = snapshot(&work.join("src"));
    assert_eq!(results(&drill_in("src", &pantry).1), all);
    assert_eq!(results(&drill_in("src/deep", &pantry).1), ["more/rebake.toml same", "one/rebake.toml same"]);
    let named = [&["one", "more/rebake.toml", "../deep/one"][..], &pantry].concat();
    let (code, drill) = drill_in("src/deep", &named);
    assert_eq!((code, results(&drill)), (Some(0), vec!["one/rebake.toml same".into(), "more/rebake.toml same".into()]));
    // The positive control: what stands on disk is another image.
    assert_eq!(results(&kitchen.json(&["drill", "src/deep/more"])), ["src/deep/more/rebake.toml differs"]);
    for (args, word) in [
        (&["new"][..], "`new` is not in the commit"),
        (&["../deep/new/rebake.toml"], "is not in the commit"),
        (&["more/data"], "there is no rebake.toml in `more/data`"),
        (&["../.."], "outside the repository"),
        (&["/etc"], "outside the repository"),
    ] {
        let (code, document) = drill_in("src/deep", args);
        assert_eq!(code, Some(2), "{args:?}: {document}");
        assert!(document["error"]["message"].as_str().is_some_and(|said| said.contains(word)), "{args:?}: {document}");
    }
    assert_eq!(snapshot(&work.join("src")), before);

    // No work tree at all.
    fs::rename(work.join("src/.git"), work.join("bare")).unwrap();
    fs::remove_dir_all(work.join("src")).unwrap();
    kitchen.git("bare", &["config", "core.bare", "true"]);
    let (code, drill) = drill_in("bare", &[&["deep"][..], &pantry].concat());
    assert_eq!((code, results(&drill)), (Some(0), all[1..].iter().map(|&row| row.to_owned()).collect()));
    let mut unknown = kitchen.rebake(&["drill", "--rev", "v2"]);
    let output = attempt(unknown.current_dir(work.join("bare")));
    let said = output.said();
    assert!(output.code() == Some(2) && said.contains("no revision `v2`") && said.contains("there is v1"), "{said}");
}

#[test]
fn submodules_and_pointers_elsewhere_do_not_matter() {
    if !needs(&["git"]) {
        return;
    }
    let kitchen = Kitchen::small();
    let work = &kitchen.work;
    work.write("lib/file", "a library");
    kitchen.git("lib", &["init", "--quiet"]);
    kitchen.commit("lib");
    let copies = |from: &str| {
        format!(
            "edition = '2026'\n[image]\nname = 'x'\n[[layer]]\nname = 'x'\n[[layer.copy]]\nfrom = '{from}'\nto = '/x'\n"
        )
    };
    // At the top of the repository: its folder is all of it.
    work.write("src/rebake.toml", copies("text"));
    work.write("src/text", "text");
    work.write("src/needs/rebake.toml", copies("lib/file"));
    work.write("src/big.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
    kitchen.git("src", &["init", "--quiet"]);
    kitchen.git("src", &["submodule", "--quiet", "add", "../lib", "third/lib"]);
    kitchen.git("src", &["submodule", "--quiet", "add", "../lib", "needs/lib"]);
    kitchen.ok(&["lock", "--record", "src", "src/needs"]);
    kitchen.commit("src");
    let drill = |args: &[&str]| {
        let mut command = kitchen.rebake(&[&["drill", "--rev", "HEAD"], args].concat());
        attempt(command.current_dir(work.join("src")))
    };
    let output = drill(&["rebake.toml"]).success();
    for name in ["`third/lib`", "`big.bin`"] {
        assert!(output.said().contains(name), "{output}");
    }
    let output = drill(&["needs"]);
    assert!(output.code() == Some(1) && output.said().contains("`lib/file` is not there"), "{output}");
    // The positive control: on disk it is.
    kitchen.ok(&["drill", "src/needs"]);
}

#[test]
fn a_recipe_in_several_places_is_drilled_with_a_base_of_its_own() {
    if !needs(NEEDED) {
        return;
    }
    // Two pantries, each with half of it.
    let kitchen = Kitchen::new();
    let work = &kitchen.work;
    work.write("base/etc/x", "x");
    let base = Sample { name: "x", tag: "1", config: json!({}), compression: "gzip" }.write(work, "base");
    assert!(base.layout.is_dir());
    kitchen.ok(&["pantry", "fill", "P", "app"]);
    kitchen.ok(&["pantry", "fill", "Q", "svc"]);
    let both = kitchen.json(&["drill", "app", "svc", "--pantry", "P", "--pantry", "Q"]);
    assert_eq!((&both["same"], results(&both).len()), (&json!(true), 2));
    assert_eq!(
        results(&kitchen.json(&["drill", "app", "svc", "--pantry", "P"])),
        ["app/rebake.toml same", "svc/rebake.json missing"]
    );
}
