//! Each cause, and a pair that looks like it and is not.

use super::Compared;
use super::made::{Entry, Made, Packing};
use serde_json::json;

const NOW: u64 = 1_795_132_800;

#[track_caller]
fn expect(b: &Made, rung: &str, codes: &[&str]) -> Compared {
    let compared = Compared::new(&Made::usual(), b);
    compared.expect(rung, codes);
    compared
}

#[test]
fn times() {
    let usual = Made::usual();
    let mut at = NOW;
    let built = usual.clone().each(|entry| {
        at += 1;
        entry.mtime = at;
    });
    let (text, entries) = expect(&built, "same-tree", &["times-not-normalised"]).cause("times-not-normalised");
    assert_eq!(entries, 6);
    assert!(text.contains("B was built") && text.contains("2026-11-20T00:00:01Z to 2026-11-20T00:00:06Z"), "{text}");
    let compared = Compared::new(&built, &usual);
    assert!(compared.cause("times-not-normalised").0.contains("A was built"));

    let epoch = usual.clone().each(|entry| entry.mtime = 1_000_000_000);
    let (text, _) = expect(&epoch, "same-tree", &["source-date-epoch"]).cause("source-date-epoch");
    assert!(text.contains("1980-01-01T00:00:00Z -> 2001-09-09T01:46:40Z"), "{text}");

    let shifted = built.clone().each(|entry| entry.mtime += 2 * 3600);
    Compared::new(&built, &shifted).expect("same-tree", &["time-zone"]);
    let shifted = built.clone().each(|entry| entry.mtime += 3);
    Compared::new(&built, &shifted).expect("same-tree", &["times"]);
    let again = built.clone().each(|entry| entry.mtime = 2 * entry.mtime - NOW + 7);
    Compared::new(&built, &again).expect("same-tree", &["times-not-normalised"]);

    // An archive's own times break a pattern, as long as they are few.
    let many = |count: u64, time: u64| {
        let file = |n| Entry { mtime: 315_532_800, ..Entry::file(&format!("f{n:02}"), "x") };
        let own = |n| Entry { mtime: 1_000_000_000 + n, ..Entry::file(&format!("a{n:02}"), "x") };
        let files = Made::new((count..20).map(file).collect()).each(|entry| entry.mtime += time);
        files.with(|entries| entries.splice(0..0, (0..count).map(own)).for_each(drop))
    };
    for (few, code) in [(2, "source-date-epoch"), (3, "times-not-normalised")] {
        let compared = Compared::new(&many(few, 0), &many(few, 300_000_000));
        compared.expect("same-tree", &[code]);
        assert!(compared.cause(code).0.contains("most"), "{}", compared.cause(code).0);
    }
    let all = Compared::new(&many(0, 0), &many(0, 300_000_000));
    assert!(!all.cause("source-date-epoch").0.contains("most"));
    Compared::new(&many(12, 0), &many(12, 300_000_000)).expect("same-tree", &["times"]);

    // One file that was touched shows no pattern.
    let one = usual.at("etc/motd", |file| file.mtime = NOW);
    let compared = expect(&one, "same-tree", &["times"]);
    assert_eq!(compared.entries()[0]["path"], "/etc/motd");
    let field = json!({ "name": "mtime", "a": "1980-01-01T00:00:00Z", "b": "2026-11-20T00:00:00Z" });
    assert_eq!(compared.entries()[0]["fields"], json!([field]));
}

#[test]
fn modes() {
    for mask in [0o002, 0o007, 0o027, 0o077] {
        let under = Made::usual().each(|entry| {
            let asked = if entry.mode & 0o111 == 0 { 0o666 } else { 0o777 };
            entry.mode = if entry.path == "etc/link" { 0o777 } else { asked & !mask };
        });
        let (text, _) = expect(&under, "same-tree", &["umask"]).cause("umask");
        assert!(text.contains(&format!("modes of B are those that a umask of {mask:04o} leaves")), "{text}");
        assert!(
            Compared::new(&under, &Made::usual())
                .cause("umask")
                .0
                .contains(&format!("modes of A are those that a umask of {mask:04o}"))
        );
    }
    let one = Made::usual().at("etc/motd", |file| file.mode = 0o600);
    expect(&one, "same-tree", &["modes"]);
    let two = one.at("etc/passwd", |file| file.mode = 0o755);
    expect(&two, "same-tree", &["modes"]);
}

#[test]
fn owners() {
    let user = Made::usual().each(|entry| entry.owner = (1000, 1000));
    assert!(expect(&user, "same-tree", &["owner"]).cause("owner").0.contains("1000:1000"));
    let two = user.at("etc/motd", |file| file.owner = (1000, 100));
    expect(&two, "same-tree", &["owners"]);
    let named = Made::usual().each(|entry| entry.names = ("ann".to_owned(), "users".to_owned()));
    let (text, entries) = expect(&named, "same-tree", &["owner-names"]).cause("owner-names");
    assert!(text.contains("B names owners, such as ann:users") && entries == 6, "{text}");
}

#[test]
fn order() {
    let paths = |paths: &[&str]| Made::new(paths.iter().map(|path| Entry::file(path, *path)).collect());
    let sorted = paths(&["A", "B", "a", "b"]);
    for (other, how) in [(&["a", "A", "B", "b"], "as a locale does it"), (&["b", "A", "a", "B"], "in no order")] {
        let compared = Compared::new(&sorted, &paths(other));
        compared.expect("same-tree", &["order"]);
        let (text, _) = compared.cause("order");
        assert!(text.contains("A is sorted by the bytes of its paths, B is") && text.contains(how), "{text}");
    }
    let (a, b) = (paths(&["a!/x", "a/x"]), paths(&["a/x", "a!/x"]));
    assert!(Compared::new(&a, &b).cause("order").0.contains("B is sorted folder by folder"));
    Compared::new(&a, &a.clone().each(|entry| entry.mtime = 1)).expect("same-tree", &["source-date-epoch"]);
}

#[test]
fn links() {
    let copies = Made::new(vec![Entry::file("a", "same"), Entry::file("b", "same"), Entry::file("c", "other")]);
    let linked = copies.clone().with(|entries| entries[1] = Entry::hard("b", "a"));
    Compared::new(&copies, &linked).expect("same-tree", &["hard-links"]);
    let turned = copies.clone().with(|entries| {
        entries[0] = Entry::file("b", "same");
        entries[1] = Entry::hard("a", "b");
    });
    assert_eq!(Compared::new(&linked, &turned).rung(), "same-tree");
    // A link to something else is another file.
    let wrong = copies.clone().with(|entries| {
        entries.swap(1, 2);
        entries[2] = Entry::hard("b", "c");
    });
    assert_eq!(Compared::new(&copies, &wrong).rung(), "different");
    // Both names of a file that changed tell so once.
    let changed = linked.clone().at("a", |file| file.data = b"new".to_vec());
    let compared = Compared::new(&linked, &changed);
    compared.expect("different", &["content"]);
    assert_eq!(compared.entries().as_array().unwrap().len(), 1);
}

#[test]
fn attributes_and_folders() {
    let usual = Made::usual();
    let user = usual.clone().at("etc/motd", |file| *file = file.clone().xattr("user.note", b"x"));
    assert!(expect(&user, "same-tree", &["xattrs"]).cause("xattrs").0.contains("user.note"));
    let selinux = usual.clone().each(|entry| *entry = entry.clone().xattr("security.selinux", b"x"));
    assert_eq!(expect(&selinux, "different", &["xattrs"]).cause("xattrs").1, 6);
    let fewer = usual.clone().with(|entries| entries.retain(|entry| entry.path != "etc/"));
    let compared = expect(&fewer, "same-tree", &["folders"]);
    assert_eq!(compared.entries()[0]["entry"]["implied"], true);
    let twice = usual.clone().with(|entries| entries.insert(3, Entry::folder("etc/")));
    expect(&twice, "same-tree", &["header-format"]);
    let root = usual.with(|entries| entries.insert(0, Entry::folder("./")));
    expect(&root, "same-tree", &["folders"]);
}

#[test]
fn how_it_is_written_down() {
    let usual = Made::usual();
    let gnu = Made { gnu: true, ..usual.clone() };
    let compared = expect(&gnu, "same-tree", &["header-format"]);
    let framing = &compared.json["platforms"][0]["layers"][0]["framing"][0];
    assert_eq!(framing, &json!({ "text": "header format ustar -> GNU", "entries": 6 }));
    let dotted = usual.clone().each(|entry| entry.path = format!("./{}", entry.path));
    expect(&dotted, "same-tree", &["header-format"]);
    let padded = Made { end: 10240, ..usual.clone() };
    expect(&padded, "same-tree", &["padding"]);
    let cut = Made { end: 512, ..usual.clone() };
    expect(&cut, "same-tree", &["padding"]);
    let times = usual.each(|entry| entry.records.push(("atime".to_owned(), b"1795132800.5".to_vec())));
    expect(&times, "same-tree", &["pax-times"]);
    let other = Made::usual().each(|entry| entry.records.push(("atime".to_owned(), b"1795132801.5".to_vec())));
    Compared::new(&times, &other).expect("same-tree", &["pax-times"]);
    let comment = Made::usual().each(|entry| entry.records.push(("comment".to_owned(), b"x".to_vec())));
    expect(&comment, "same-tree", &["header-format"]);
}

#[test]
fn created() {
    let at = |time: &str| {
        Made::usual().configured("", "created", json!(time)).configured("", "history", json!([{ "created": time }]))
    };
    let (a, b) = (at("2026-11-20T00:00:00Z"), at("2026-11-21T00:00:00Z"));
    let compared = Compared::new(&a, &b);
    compared.expect("different", &["created"]);
    assert!(compared.cause("created").0.starts_with("nothing but `created` differs: 2026-11-20T00:00:00Z -> "));
    let more = b.configured("/config", "User", json!("1"));
    let compared = Compared::new(&a, &more);
    compared.expect("different", &["config", "created"]);
    assert!(compared.cause("created").0.starts_with("`created` differs"));
}

#[test]
fn revision_and_base() {
    let label = |name: &str, value: &str| Made::usual().configured("/config", "Labels", json!({ name: value }));
    let revision = "org.opencontainers.image.revision";
    Compared::new(&label(revision, "a1"), &label(revision, "b2")).expect("different", &["revision"]);
    Compared::new(&label("other", "a1"), &label("other", "b2")).expect("different", &["config"]);
    let base =
        |digest: &str| Made { annotations: json!({ "org.opencontainers.image.base.digest": digest }), ..Made::usual() };
    let compared = Compared::new(&base("sha256:1"), &base("sha256:2"));
    compared.expect("same-config-and-layers", &["base-moved", "annotations"]);
    assert!(compared.cause("base-moved").0.contains("sha256:1 -> sha256:2"));
    // One side names it: the first layers differ, and those above are the same.
    let on = |text: &str, own: &str| Made {
        layers: vec![vec![Entry::file("etc/os-release", text)], vec![Entry::file("app", own)]],
        ..Made::usual()
    };
    let named = |made: Made| Made { annotations: json!({ "org.opencontainers.image.base.name": "debian" }), ..made };
    let moved = Compared::new(&named(on("12\n", "x")), &on("13\n", "x"));
    moved.expect("different", &["base-moved", "content", "annotations"]);
    Compared::new(&named(on("12\n", "x")), &named(on("13\n", "y"))).expect("different", &["content"]);
    // From scratch there is none.
    Compared::new(&on("12\n", "x"), &on("13\n", "x")).expect("different", &["content"]);
    Compared::new(&on("12\n", "x"), &on("12\n", "y")).expect("different", &["content"]);
    // A digest that only one side has says nothing of the other.
    Compared::new(&base("sha256:1"), &Made::usual()).expect("same-config-and-layers", &["annotations"]);
}

/// Docker's manifests have no annotations, and an added entry of the history is no other time.
#[test]
fn what_one_side_does_not_say() {
    let all = ["revision", "version", "created"].map(|name| (format!("org.opencontainers.image.{name}"), "1".into()));
    let annotations: serde_json::Map<_, _> = all.into_iter().collect();
    let annotated = Made { annotations: annotations.clone().into(), ..Made::usual() };
    let docker = Made { docker: true, ..Made::usual() };
    Compared::new(&annotated, &docker).expect("same-config-and-layers", &["dialect"]);
    Compared::new(&annotated, &Made::usual()).expect("same-config-and-layers", &["annotations"]);
    let label = Made::usual().configured("/config", "Labels", json!({ "org.opencontainers.image.version": "1" }));
    Compared::new(&label, &Made::usual()).expect("different", &["config"]);
    let history = |entries: serde_json::Value| Made::usual().configured("", "history", entries);
    let (one, at) = (json!({ "created": "2026-11-20T00:00:00Z" }), json!({ "created": "2026-11-21T00:00:00Z" }));
    Compared::new(&history(json!([one])), &history(json!([one, at]))).expect("different", &["config"]);
    Compared::new(&history(json!([one])), &history(json!([at]))).expect("different", &["created"]);
    let added = Made::usual().configured("", "created", json!("2026-11-20T00:00:00Z"));
    Compared::new(&Made::usual(), &added).expect("different", &["created"]);
}

#[test]
fn removals() {
    let less = Made::usual().with(|entries| entries.push(Entry::file("etc/.wh.shadow", "")));
    let compared = expect(&less, "different", &["removals-in-b"]);
    assert_eq!(compared.cause("removals-in-b"), ("removals (whiteouts) that only B has, below /etc".to_owned(), 1));
    assert_eq!(compared.entries()[0]["entry"]["kind"], "removal");
    let named = Made::usual().with(|entries| entries.push(Entry::file("etc/wh.shadow", "")));
    expect(&named, "different", &["only-in-b"]);
}

/// What a container sees comes first, and the encoder last.
#[test]
fn most_telling_first() {
    let all = |time: u64, text: &str, packing: Packing| {
        let made = Made { packing, ..Made::usual() }.each(|entry| entry.mtime = time);
        made.at("etc/motd", |file| file.data = text.into()).at("bin/tool", |tool| tool.mode |= (text.len() as u32) << 9)
    };
    let (a, b) = (all(5, "x", Packing::Gzip), all(6, "yyyy", Packing::None));
    Compared::new(&a, &b).expect("different", &["rights", "content", "source-date-epoch", "encoder"]);
    // The same encoder is no cause.
    Compared::new(&a, &all(6, "x", Packing::Gzip)).expect("same-tree", &["source-date-epoch"]);
    // Layers with one cause tell it once.
    let two = |packing| Made {
        layers: vec![vec![Entry::file("a", "1")], vec![Entry::file("b", "2".repeat(100))]],
        packing,
        ..Made::usual()
    };
    Compared::new(&two(Packing::Gzip), &two(Packing::None)).expect("recompressed", &["encoder"]);
}

#[test]
fn encoders() {
    let plain = Made { packing: Packing::None, ..Made::usual() };
    let (text, _) = Compared::new(&Made::usual(), &plain).cause("encoder");
    assert!(
        text.contains("compressed otherwise: gzip (mtime 0, XFL 0, OS 255)") && text.contains("-> no compression"),
        "{text}"
    );
}

#[test]
fn files_of_one_side() {
    let more = Made::usual().with(|entries| {
        entries.extend(["usr/share/doc/a/x", "usr/share/doc/b/y"].map(|path| Entry::file(path, "x")));
    });
    let (text, entries) = expect(&more, "different", &["only-in-b"]).cause("only-in-b");
    assert_eq!((text.as_str(), entries), ("files that only B has, below /usr/share/doc", 2));
}
