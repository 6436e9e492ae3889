//! The entries of layers, one layer or several.

use super::damage::{Layout, dir, empty, entry, file, link, symlink};

/// Layers, and the codes of what is found in them; `~` marks a warning.
type Case = (&'static [fn() -> Vec<u8>], &'static str);

macro_rules! layer {
    ($($entry:expr),* $(,)?) => { || [$($entry),*].concat() };
}

#[test]
fn entries_are_judged() {
    let cases: &[Case] = &[
        // Sound.
        (&[layer![file("a")]], ""),
        (&[layer![dir("./"), dir("./a/"), file("./a/b"), link("./a/c", "./a/b"), symlink("s", "/../x")]], ""),
        (&[layer![entry("dev", b'3', "", b""), entry("p", b'6', "", b""), entry("b", b'4', "", b"")]], ""),
        (&[layer![dir("a"), file("a/x"), link("l", "a/x")], layer![empty("a/.wh.x"), file("a/y")]], ""),
        (&[layer![dir("a"), file("a/x")], layer![dir("a"), empty("a/.wh..wh..opq"), file("a/x")]], ""),
        (&[layer![file("a")], layer![empty(".wh.a"), dir("a"), file("a/x")]], ""),
        (&[layer![symlink("s", "t"), link("h", "s")]], ""),
        // A path twice.
        (&[layer![file("a"), file("a")]], "path-twice"),
        (&[layer![file("a"), file("./a")]], "path-twice"),
        (&[layer![dir("a"), dir("a/")]], "path-twice"),
        (&[layer![dir("a"), file("a/b"), file("a//b")]], "path-twice"),
        (&[layer![file("a"), file("/a")]], "path-twice ~path-absolute"),
        (&[layer![file("a"), empty(".wh.a"), empty(".wh.a")]], "path-twice ~whiteout-of-nothing"),
        // Outside of the root.
        (&[layer![file("../a")]], "path-parent"),
        (&[layer![dir("a"), file("a/../b")]], "path-parent"),
        (&[layer![file("/a")]], "~path-absolute"),
        (&[layer![empty("")]], "path-empty"),
        (&[layer![symlink("./", "x")]], "root"),
        // Links.
        (&[layer![link("a", "b"), file("b")]], "hard-link-forward"),
        (&[layer![link("a", "b")]], "hard-link-outside"),
        (&[layer![link("a", "a")]], "hard-link-outside"),
        (&[layer![file("b")], layer![link("a", "b")]], "hard-link-outside"),
        (&[layer![dir("d"), link("a", "d")]], "hard-link-folder"),
        (&[layer![link("a", "./")]], "hard-link-folder"),
        (&[layer![file("b"), link("a", "../b")]], "hard-link-path"),
        (&[layer![file("b")], layer![empty(".wh.b"), link("a", ".wh.b")]], "hard-link-whiteout"),
        (&[layer![symlink("a", "")]], "symlink-target"),
        // Below what is no folder.
        (&[layer![symlink("a", "/etc"), file("a/b")]], "below-symlink"),
        (&[layer![file("a"), file("a/b")]], "below-file"),
        (&[layer![file("a/b"), symlink("a", "/etc")]], "below-symlink"),
        (&[layer![dir("a"), symlink("a/b", "c"), file("a/b/c/d")]], "below-symlink"),
        (&[layer![symlink("a", "b"), link("c", "a"), file("c/d")]], "below-symlink"),
        // Parents.
        (&[layer![file("a/b")]], "~parent-missing"),
        (&[layer![dir("a")], layer![file("a/b")]], ""),
        (&[layer![dir("a")], layer![empty(".wh.a")], layer![file("a/b")]], "~parent-missing"),
        (&[layer![dir("a"), dir("a/b")], layer![empty(".wh.a"), dir("a")], layer![file("a/b/c")]], "~parent-missing"),
        (&[layer![dir("a"), dir("a/b")], layer![empty(".wh..wh..opq")], layer![file("a/b/c")]], "~parent-missing"),
        (
            &[layer![dir("usr"), dir("usr/lib"), symlink("lib", "usr/lib")], layer![file("lib/x")]],
            "~below-lower-symlink",
        ),
        (&[layer![symlink("lib", "x")], layer![file("lib/a/b")]], "~below-lower-symlink"),
        (&[layer![symlink("lib", "x")], layer![dir("lib"), file("lib/b")]], ""),
        (&[layer![file("lib")], layer![file("lib/x")]], "below-lower-file"),
        // Whiteouts.
        (&[layer![empty(".wh.a")]], "~whiteout-of-nothing"),
        (&[layer![file("a")], layer![empty(".wh.a")], layer![empty(".wh.a")]], "~whiteout-of-nothing"),
        (&[layer![file("a")], layer![file(".wh.a")]], "whiteout-content"),
        (&[layer![file("a")], layer![dir(".wh.a")]], "whiteout-content"),
        (&[layer![file(".wh..wh..opq")]], "whiteout-content"),
        (&[layer![empty(".wh.")]], "whiteout-name"),
        (&[layer![empty(".wh..")]], "whiteout-name"),
        (&[layer![empty(".wh...")]], "whiteout-name"),
        (&[layer![empty(".wh..wh.x")]], "whiteout-name"),
        (&[layer![dir(".wh..wh.plnk"), file(".wh..wh.plnk/1.2"), empty(".wh..wh.aufs")]], "~aufs"),
        (&[layer![dir(".wh.a"), file(".wh.a/b")]], "path whiteout-content ~whiteout-of-nothing"),
        // Types.
        (&[layer![entry("a", b'Z', "", b"")]], "tar"),
    ];
    let mut wrong = Vec::new();
    for (number, (layers, wanted)) in cases.iter().enumerate() {
        let layout = Layout::new();
        layout.tars(&layers.iter().map(|layer| layer()).collect::<Vec<_>>());
        let found = layout.codes("l");
        if found != *wanted {
            wrong.push(format!("case {number}: wanted `{wanted}`, found\n{}", layout.check(&["l"])));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where a finding is, is told to people and programs alike.
#[test]
fn a_finding_has_a_place() {
    let layout = Layout::new();
    layout.tars(&[[file("a"), file("esc\x1b[1m"), file("esc\x1b[1m")].concat()]);
    let out = layout.check(&["l"]).text();
    assert!(out.starts_with("error: layer sha256:"), "{out}");
    assert!(out.contains(": esc\\x1b[1m: the path comes twice in this layer [path-twice]"), "{out}");
    assert!(out.ends_with("unsound: 1 image, 1 layer, 1 error"), "{out}");
    let said: serde_json::Value = serde_json::from_slice(&layout.check(&["l", "--json"]).stdout).expect("JSON");
    assert_eq!(said["findings"][0]["where"]["path"], "esc\\x1b[1m");
    assert_eq!(said["errors"], 1);
}
