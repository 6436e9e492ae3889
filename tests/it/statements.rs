//! What statements mean, alone and together: small recipes, and the entries of their layers.

use crate::golden::layers;
use crate::recipes::copy;
use crate::support::{Work, attempt, rebake, sha256};
use std::fs;

const HEAD: &str = "edition = \"2026\"\n[image]\nname = \"x\"\n";

/// The paths (with type, mode, owner and target) of the last layer of a recipe whose statements are these. `files` stand
/// beside it.
#[track_caller]
fn entries(files: &[&str], statements: &str) -> Vec<String> {
    let work = Work::new();
    for file in files {
        work.write(file, format!("{file}\n"));
    }
    work.write("rebake.toml", format!("{HEAD}{statements}"));
    short(layers(&work, "rebake.toml").last().expect("a layer"))
}

/// Without time, size and digest.
fn short(layer: &str) -> Vec<String> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.splitn(7, ' ').collect();
        format!("{} {} {} {}", fields[0], fields[1], fields[2], fields[6])
    };
    layer.lines().map(line).collect()
}

/// What rebake says of a recipe that it refuses.
#[track_caller]
fn refused(files: &[&str], statements: &str) -> String {
    let work = Work::new();
    for file in files {
        work.write(file, format!("{file}\n"));
    }
    work.write("rebake.toml", format!("{HEAD}{statements}"));
    let out = attempt(rebake().arg("build").current_dir(work.path()));
    assert_eq!(out.code(), Some(2));
    assert!(!work.join("rebake-out").exists(), "nothing is written");
    String::from_utf8(out.stderr).expect("UTF-8")
}

#[test]
fn a_file_becomes_its_target_or_lands_in_a_folder() {
    let as_named = entries(&["a"], "[[layer]]\n[[layer.copy]]\nfrom = 'a'\nto = '/opt/b'");
    assert_eq!(as_named, ["d 0755 0:0 opt/", "- 0644 0:0 opt/b"]);
    let into = entries(&["a"], "[[layer]]\n[[layer.copy]]\nfrom = 'a'\nto = '/opt/b/'");
    assert_eq!(into, ["d 0755 0:0 opt/", "d 0755 0:0 opt/b/", "- 0644 0:0 opt/b/a"]);
    let root = entries(&["a"], "[[layer]]\n[[layer.copy]]\nfrom = 'a'\nto = '/'");
    assert_eq!(root, ["- 0644 0:0 a"]);
}

#[test]
fn the_content_of_a_folder_lands_in_its_target_with_or_without_slashes() {
    for from in ["site", "site/", "./site"] {
        for to in ["/www", "/www/"] {
            let statement = format!("[[layer]]\n[[layer.copy]]\nfrom = '{from}'\nto = '{to}'");
            let all = ["d 0755 0:0 www/", "d 0755 0:0 www/css/", "- 0644 0:0 www/css/b", "- 0644 0:0 www/index"];
            assert_eq!(entries(&["site/index", "site/css/b"], &statement), all, "{from} {to}");
        }
    }
}

#[test]
fn folders_on_the_way_to_what_a_pattern_names_come_along() {
    let copy = "[[layer]]\n[[layer.copy]]\nfrom = 's'\nto = '/www'\ninclude = ['**/*.html']\nowner = 7\nmodes = { dirs = '0700' }";
    assert_eq!(
        entries(&["s/a/b.html", "s/c/d.css", "s/e.html"], copy),
        ["d 0700 7:7 www/", "d 0700 7:7 www/a/", "- 0644 7:7 www/a/b.html", "- 0644 7:7 www/e.html"]
    );
}

#[test]
fn a_pattern_in_from_takes_what_it_matches() {
    let copy = "[[layer]]\n[[layer.copy]]\nfrom = 'conf/*.{toml,json}'\nto = '/etc'";
    assert_eq!(
        entries(&["conf/a.toml", "conf/b.json", "conf/c.txt", "conf/d/e.toml"], copy),
        ["d 0755 0:0 etc/", "- 0644 0:0 etc/a.toml", "- 0644 0:0 etc/b.json"]
    );
    let work = Work::new();
    work.write("lib/x.so.1", "x");
    work.symlink("x.so.1", "lib/x.so");
    work.write("rebake.toml", format!("{HEAD}[[layer]]\n[[layer.copy]]\nfrom = './lib/*.so*'\nto = '/'\n"));
    assert_eq!(short(&layers(&work, "rebake.toml")[0]), ["l 0777 0:0 x.so -> x.so.1", "- 0644 0:0 x.so.1"]);
    let deep = refused(&["a"], "[[layer]]\n[[layer.copy]]\nfrom = '**/a'\nto = '/etc'");
    assert!(deep.contains("include = "), "{deep}");
    let nothing = refused(&["a"], "[[layer]]\n[[layer.copy]]\nfrom = '*.none'\nto = '/etc'");
    assert!(nothing.contains("rebake.toml:6:8") && nothing.contains("`*.none` matches nothing"), "{nothing}");
}

#[test]
fn an_image_never_holds_what_rebake_writes() {
    let work = Work::new();
    work.write("a", "a\n");
    work.write("rebake.toml", format!("{HEAD}[[layer]]\n[[layer.copy]]\nfrom = '.'\nto = '/src'\n"));
    // What a killed build left beside its destination.
    work.write(".other.rebake-x/blobs/y", "");
    let build = |output: &[&str]| {
        let out = attempt(rebake().arg("build").args(output).current_dir(work.path()));
        assert_eq!(out.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
        out.text()
    };
    let first = build(&[]);
    assert_eq!(build(&[]), first, "the second build does not see the first one's image");
    fs::remove_dir_all(work.join(".other.rebake-x")).expect("removed");
    let clean = build(&[]);
    assert_ne!(clean, first, "what is not ours is copied");
    work.write(".other.rebake-x/blobs/y", "");
    assert_eq!(build(&["-o", "other"]), clean);
    assert_eq!(build(&["-o", "other"]), clean);
    // Nor the folders that are made for it.
    assert_eq!(build(&["-o", "deep/er/other"]), build(&["-o", "deep/er/other"]));
    work.mkdir("sub");
    let inside = || attempt(rebake().arg("build").current_dir(work.join("sub"))).text();
    assert_eq!(inside(), inside());
    // Naming it is a mistake.
    work.write("rebake.toml", format!("{HEAD}[[layer]]\n[[layer.copy]]\nfrom = 'rebake-out/x'\nto = '/src'\n"));
    let out = attempt(rebake().arg("build").current_dir(work.path()));
    assert!(String::from_utf8_lossy(&out.stderr).contains("is where images are written"));
}

#[test]
fn what_is_meant_is_never_guessed() {
    let folder = refused(&[], "[[layer]]\n[[layer.write]]\nto = '/a/'\ntext = ''\n");
    assert!(folder.contains("rebake.toml:6:6") && folder.contains("names a folder"), "{folder}");
    let empty = "[[layer]]\n[[layer.mkdir]]\npath = '/m'\n[[layer]]\n[[layer.write]]\nto = '/m'\ntext = ''\n";
    assert!(refused(&[], empty).contains("would replace a folder"));
    let braces = "[[layer]]\n[[layer.copy]]\nfrom = 'c/{a,b}.conf'\nto = '/'\n";
    assert_eq!(entries(&["c/a.conf", "c/b.conf"], braces), ["- 0644 0:0 a.conf", "- 0644 0:0 b.conf"]);

    let work = Work::new();
    work.write("rebake.toml", HEAD);
    let build = |to: &str| attempt(rebake().args(["build", "-o", to]).current_dir(work.path()));
    for to in ["dir:x", "docker-daemon:x:1", "foo:bar"] {
        assert_eq!(build(to).code(), Some(2), "{to}");
    }
    assert_eq!(build("./foo:bar").code(), Some(0));
    work.write("rebake.toml", format!("{HEAD}base = 'b'\n[inputs.b]\nimage = 'oci:./foo'\n"));
    assert_eq!(build("oci:over").code(), Some(2));
    fs::rename(work.join("foo:bar"), work.join("foo")).expect("renamed");
    assert_eq!(build("oci:over").code(), Some(0));
    let said = build("foo");
    assert!(String::from_utf8_lossy(&said.stderr).contains("also an input of the recipe"));
}

#[test]
fn patterns_are_never_silently_ignored() {
    for from in ["a", "*"] {
        let copy = format!("[[layer]]\n[[layer.copy]]\nfrom = '{from}'\nto = '/d/'\nexclude = ['a']\n");
        let said = refused(&["a"], &copy);
        assert!(said.contains("rebake.toml:8:12") && said.contains("choose from a folder"), "{said}");
    }
    let literal = entries(&["a[1].ts", "a1.ts"], "[[layer]]\n[[layer.copy]]\nfrom = 'a[1].ts'\nto = '/d/'\n");
    assert_eq!(literal, ["d 0755 0:0 d/", "- 0644 0:0 d/a[1].ts"]);
}

#[test]
fn an_archive_replaces_only_files_and_holds_each_layer_once() {
    let work = Work::new();
    let write = "[[layer.write]]\nto = '/x'\ntext = ''\n";
    work.write("rebake.toml", format!("{HEAD}[[layer]]\n{write}[[layer]]\ncompression = 'zstd'\n{write}"));
    let build = |to: &str| attempt(rebake().args(["build", "-o", to]).current_dir(work.path()));
    assert_eq!(build("docker-archive:a.tar:acme/app").code(), Some(0));
    assert_eq!(build("docker-archive:a.tar:Foo Bar!:tag").code(), Some(2));
    work.symlink("a.tar", "link.tar");
    let before = work.read("a.tar");
    let out = build("oci-archive:link.tar");
    assert_eq!(out.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("it is a symlink"));
    assert!(work.join("link.tar").is_symlink() && work.read("a.tar") == before);
}

#[test]
fn the_same_said_twice_is_one_and_the_same_bytes_are_the_same() {
    let twice = "[[layer]]\n\
        [[layer.copy]]\nfrom = 'a'\nto = '/x'\n[[layer.copy]]\nfrom = 'a'\nto = '/x'\n\
        [[layer.write]]\nto = '/x'\ntext = \"a\\n\"\n[[layer.mkdir]]\npath = '/d'\n[[layer.mkdir]]\npath = '/d'";
    assert_eq!(entries(&["a"], twice), ["d 0755 0:0 d/", "- 0644 0:0 x"]);
}

#[test]
fn what_disagrees_is_shown_with_both_lines() {
    let said = refused(
        &["a"],
        "[[layer]]\n[[layer.copy]]\nfrom = 'a'\nto = '/x'\n[[layer.write]]\nto = '/x'\ntext = \"b\\n\"\n",
    );
    assert!(said.contains("two statements disagree about /x: each brings another content"), "{said}");
    for line in ["7 | to = '/x'", "9 | to = '/x'"] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
    let kinds =
        refused(&[], "[[layer]]\n[[layer.write]]\nto = '/x'\ntext = ''\n[[layer.write]]\nto = '/x/y'\ntext = ''");
    assert!(kinds.contains("/x") && kinds.contains("a file") && kinds.contains("a folder"), "{kinds}");
}

#[test]
fn a_mkdir_settles_what_copies_leave_open() {
    let both = "[[layer.copy]]\nfrom = 'a/'\nto = '/d'\nowner = 1\n[[layer.copy]]\nfrom = 'b/'\nto = '/d'\nowner = 2\n";
    let open = refused(&["a/x", "b/y"], &format!("[[layer]]\n{both}"));
    assert!(open.contains("owners 1:1 and 2:2"), "{open}");
    let settled = format!("[[layer]]\n{both}[[layer.mkdir]]\npath = '/d'\nmode = '0700'\nowner = 3\n");
    assert_eq!(entries(&["a/x", "b/y"], &settled), ["d 0700 3:3 d/", "- 0644 1:1 d/x", "- 0644 2:2 d/y"]);
}

#[test]
fn symlinks_of_the_same_and_of_earlier_layers_are_followed() {
    let link = "[[layer.link]]\npath = '/bin'\ntarget = 'usr/bin'\n";
    let file = "[[layer.write]]\nto = '/bin/tool'\ntext = ''\n";
    let same = entries(&[], &format!("[[layer]]\n{file}{link}"));
    assert_eq!(
        same,
        ["l 0777 0:0 bin -> usr/bin", "d 0755 0:0 usr/", "d 0755 0:0 usr/bin/", "- 0644 0:0 usr/bin/tool"]
    );
    let later = entries(&[], &format!("[[layer]]\n{link}[[layer]]\n{file}"));
    assert_eq!(later, ["d 0755 0:0 usr/", "d 0755 0:0 usr/bin/", "- 0644 0:0 usr/bin/tool"]);
    let around = "[[layer.link]]\npath = '/a'\ntarget = 'b'\n[[layer.link]]\npath = '/b'\ntarget = '/a'\n";
    let said = refused(&[], &format!("[[layer]]\n{around}[[layer.write]]\nto = '/a/x'\ntext = ''\n"));
    assert!(said.contains("a loop of symlinks") && said.contains("rebake.toml:12:6"), "{said}");
    // A target outside the root stays inside it.
    let out = "[[layer.link]]\npath = '/a'\ntarget = '../../etc'\n[[layer.write]]\nto = '/a/x'\ntext = ''\n";
    assert!(entries(&[], &format!("[[layer]]\n{out}")).contains(&"- 0644 0:0 etc/x".to_owned()));
}

#[test]
fn a_mkdir_changes_only_what_it_says_also_behind_a_symlink() {
    let earlier = "[[layer]]\n[[layer.mkdir]]\npath = '/run/app'\nmode = '2770'\nowner = 5\n\
        [[layer.link]]\npath = '/var/run'\ntarget = '/run'\n[[layer]]\n";
    let owner = entries(&[], &format!("{earlier}[[layer.mkdir]]\npath = '/var/run/app'\nowner = 6\n"));
    assert_eq!(owner, ["d 0755 0:0 run/", "d 2770 6:6 run/app/"]);
    let mode = entries(&[], &format!("{earlier}[[layer.mkdir]]\npath = '/run/app'\nmode = '0700'\n"));
    assert_eq!(mode, ["d 0755 0:0 run/", "d 0700 5:5 run/app/"]);
}

#[test]
fn hard_links_carry_their_content_at_the_first_path() {
    let links = "[[layer]]\n[[layer.link]]\npath = '/a'\ntarget = '/m'\nhard = true\n\
        [[layer.link]]\npath = '/z'\ntarget = '/a'\nhard = true\n[[layer.write]]\nto = '/m'\ntext = 'x'\nmode = '0600'\n";
    assert_eq!(entries(&[], links), ["- 0600 0:0 a", "h 0600 0:0 m -> a", "h 0600 0:0 z -> a"]);
    let alone = refused(&[], "[[layer]]\n[[layer.link]]\npath = '/a'\ntarget = '/m'\nhard = true\n");
    assert!(alone.contains("no file /m in this layer"), "{alone}");
}

#[test]
fn a_removal_takes_away_what_lies_below_and_needs_it_there() {
    let earlier = "[[layer]]\n[[layer.write]]\nto = '/opt/a/b'\ntext = ''\n[[layer]]\n";
    let removed = entries(&[], &format!("{earlier}[[layer.remove]]\npath = '/opt/a'\n"));
    assert_eq!(removed, ["d 0755 0:0 opt/", "- 0644 0:0 opt/.wh.a"]);
    // A whiteout inside a folder that goes too would bring the folder back.
    let both =
        entries(&[], &format!("{earlier}[[layer.remove]]\npath = '/opt/a/b'\n[[layer.remove]]\npath = '/opt'\n"));
    assert_eq!(both, ["- 0644 0:0 .wh.opt"]);
    let replaced = format!("{earlier}[[layer.remove]]\npath = '/opt/a'\n[[layer.write]]\nto = '/opt/a'\ntext = ''\n");
    assert_eq!(entries(&[], &replaced), ["d 0755 0:0 opt/", "- 0644 0:0 opt/.wh.a", "- 0644 0:0 opt/a"]);
    let said = refused(&[], &format!("{earlier}[[layer.write]]\nto = '/opt'\ntext = ''\n"));
    assert!(said.contains("would replace a folder") && said.contains("[[layer.remove]]"), "{said}");
    let said = refused(&[], &format!("{earlier}[[layer.remove]]\npath = '/none'\n"));
    assert!(said.contains("there is no /none to remove"), "{said}");
    let fine = entries(&[], &format!("{earlier}[[layer.remove]]\npath = '/none'\noptional = true\n"));
    assert_eq!(fine, [""; 0]);
}

#[test]
fn defaults_cascade_from_image_to_layer_to_statement() {
    let work = Work::new();
    work.write("f/x", "");
    let head = HEAD.replace("name = \"x\"\n", "name = \"x\"\nowner = 1\nmodes = { dirs = '0711', files = '0600' }\n");
    let copy = "[[layer.copy]]\nfrom = 'f'\nto = '/d'\n";
    let layer = format!(
        "{head}[[layer]]\n{copy}[[layer]]\nowner = 2\n{copy}[[layer]]\nowner = 2\n{copy}modes = {{ files = '0400' }}\nowner = 3\n"
    );
    work.write("rebake.toml", layer.replace("to = '/d'", "to = '/N'"));
    let text = work.read("rebake.toml");
    let mut n = 0;
    let numbered: String = String::from_utf8(text).expect("UTF-8").split("/N").fold(String::new(), |mut all, part| {
        if n > 0 {
            all.push_str(&format!("/{n}"));
        }
        n += 1;
        all + part
    });
    work.write("rebake.toml", numbered);
    let layers: Vec<Vec<String>> = layers(&work, "rebake.toml").iter().map(|layer| short(layer)).collect();
    assert_eq!(layers[0], ["d 0711 1:1 1/", "- 0600 1:1 1/x"]);
    assert_eq!(layers[1], ["d 0711 2:2 2/", "- 0600 2:2 2/x"]);
    assert_eq!(layers[2], ["d 0711 3:3 3/", "- 0400 3:3 3/x"]);
}

#[test]
fn a_later_platform_or_commit_does_not_change_a_layer() {
    let work = Work::new();
    work.write("rebake.toml", format!("{HEAD}[[layer]]\n[[layer.write]]\nto = '/x'\ntext = 'x'\n"));
    let build = |epoch: &str| {
        let out = work.join(epoch);
        let mut command = rebake();
        command.args(["build", "--json", "-o"]).arg(&out).current_dir(work.path()).env("SOURCE_DATE_EPOCH", epoch);
        let out = attempt(&mut command);
        let json: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
        let layer = json["images"][0]["platforms"][0]["layers"][0]["digest"].clone();
        (json["images"][0]["digest"].clone(), layer)
    };
    let (one, two) = (build("1"), build("1700000000"));
    assert_ne!(one.0, two.0, "the config says when");
    assert_eq!(one.1, two.1);
}

#[test]
fn a_base_comes_from_every_kind_of_place_and_its_blobs_are_checked() {
    let work = Work::new();
    let recipe = copy(&work, "on-base");
    let base = recipe.join("base");
    let digest = |image: &str| {
        let text = fs::read_to_string(recipe.join("rebake.toml")).expect("the recipe");
        // One that rebake made of this recipe has nothing to remove any more.
        let text = text.replace("path = \"/opt/old\"", "path = \"/opt/old\"\noptional = true");
        let line = text.lines().find(|line| line.starts_with("image = ")).expect("the input").to_owned();
        fs::write(recipe.join("other.toml"), text.replace(&line, &format!("image = \"{image}\""))).expect("a recipe");
        let out = attempt(rebake().arg("build").arg(recipe.join("other.toml")).arg("-o").arg(work.join("out")));
        (out.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let taken = |image: &str| {
        let (code, said) = digest(image);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.starts_with("note: ") && said.contains("is not pinned") && said.lines().count() == 1, "{said}");
    };
    taken("oci:base");
    taken("oci:base:12");
    assert_eq!(digest("oci:base:12@sha256:19c6c2fba43d6c0b7778b097a9dc335a2c072ff51935b629e2582edaf4fc9854").1, "");
    // As archives, written by rebake itself and so with other layers on top.
    for transport in ["oci-archive", "docker-archive"] {
        let to = format!("{transport}:{}", recipe.join(transport).display());
        assert_eq!(attempt(rebake().arg("build").arg(&recipe).args(["-o", &to])).code(), Some(0));
        taken(&format!("{transport}:{transport}"));
    }
    assert!(digest("oci:base:13").1.contains("the tags are: 12"));
    let other = format!("oci:base@sha256:{}", sha256(b"other"));
    assert!(digest(&other).1.contains("not the one in its name"), "{:?}", digest(&other));
    for blob in fs::read_dir(base.join("blobs/sha256")).expect("blobs") {
        let path = blob.expect("a blob").path();
        let good = fs::read(&path).expect("a blob");
        let mut bad = good.clone();
        let last = bad.len() - 1;
        bad[last] ^= 1;
        fs::write(&path, bad).expect("a blob");
        let (code, said) = digest("oci:base:12");
        assert_eq!(code, Some(2), "{said}");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(said.contains(&name) && said.contains("other.toml:"), "{said}");
        fs::write(&path, good).expect("a blob");
    }
}
