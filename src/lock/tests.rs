use super::*;
use crate::recipe::{Input, Syntax, parse};

fn digest(byte: u8) -> Digest {
    Digest::of(&[byte])
}

fn pin(byte: u8) -> Pin {
    Pin { digest: digest(byte), size: u64::from(byte) }
}

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

const RECIPE: &str = r#"
edition = "2026"
[image]
name = "acme/app"
platforms = ["linux/amd64", "linux/arm64"]
base = "debian"
[inputs.debian]
image = "docker.io/library/debian:12-slim"
[inputs.tini]
url = "https://example.com/tini-{arch}"
mirrors = ["https://mirror.example.com/{arch}/tini"]
[inputs.assets]
git = "https://example.com/acme/assets.git"
rev = "v2"
subdir = "we\"b"
"#;

fn lock() -> Lock {
    let each = |a, b| BTreeMap::from([(platform("linux/amd64"), pin(a)), (platform("linux/arm64"), pin(b))]);
    let image =
        Locked::Image { image: "docker.io/library/debian:12-slim".to_owned(), top: pin(1), platforms: each(2, 3) };
    let url = Locked::Url { url: "https://example.com/tini-{arch}".to_owned(), files: Files::Each(each(4, 5)) };
    let git = Locked::Git {
        git: "https://example.com/acme/assets.git".to_owned(),
        rev: Some("v2".to_owned()),
        subdir: Some("we\"b".to_owned()),
        commit: "c".repeat(40),
        tree: "d".repeat(40),
        tar: pin(6),
    };
    let inputs = [("debian", image), ("tini", url), ("assets", git)];
    Lock { inputs: inputs.into_iter().map(|(name, locked)| (name.to_owned(), locked)).collect(), ..Lock::default() }
}

#[test]
fn a_lock_is_read_as_it_was_written_whatever_the_line_ends() {
    let mut lock = lock();
    assert_eq!(Lock::parse(&lock.to_string()).unwrap(), lock);
    let archive = Locked::Archive { image: "docker-archive:x.tar".to_owned(), file: pin(9) };
    lock.inputs.insert("a.b".to_owned(), archive);
    let one = Locked::Url { url: "https://example.com/\u{1}\\x".to_owned(), files: Files::One(pin(7)) };
    lock.inputs.insert("one".to_owned(), one);
    lock.expected.image = Some(digest(8));
    lock.expected.manifests.insert(platform("linux/arm/v7"), digest(9));
    lock.expected.unstamped = Some(digest(7));
    let text = lock.to_string();
    assert_eq!(Lock::parse(&text).unwrap(), lock, "{text}");
    assert_eq!(Lock::parse(&text.replace('\n', "\r\n")).unwrap(), lock);
    assert_eq!(Lock::parse(&Lock::default().to_string()).unwrap(), Lock::default());
}

#[test]
fn the_text_is_sorted_and_a_fact_a_line() {
    let text = lock().to_string();
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(heads, ["[inputs.assets]", "[inputs.debian]", "[inputs.tini]"]);
    let line = format!("\"linux/arm64\" = {{ digest = \"{}\", size = 3 }}", digest(3));
    assert!(text.lines().any(|found| found == line), "{text}");
}

#[test]
fn a_damaged_lock_says_where() {
    let text = lock().to_string();
    for (from, to, message, line) in [
        ("version = 1", "version = 2", "the lock is of version 2, and this rebake knows version 1", 2),
        ("size = 6", "size = \"6\"", "`size` is no number", 11),
        ("size = 6", "sizes = 6", "[inputs.assets] has no `size`", 4),
        ("rev = \"v2\"", "rev = \"v2\"\nfoo = 1", "unknown key `foo` in [inputs.assets]", 7),
        ("cccc\"", "cccX\"", "`commit` is no id of git's", 8),
        ("[inputs.tini]", "<<<<<<< ours\n[inputs.tini]", "the lock has the marks of a merge that is not finished", 20),
        ("[inputs.tini]", "[inputs.tini", "", 20),
        ("\"linux/arm64\"", "\"linux/arm65\"", "unknown key `linux/arm65` in [inputs.debian]", 18),
    ] {
        let bad = text.replacen(from, to, 1);
        assert_ne!(bad, text);
        let mistake = Lock::parse(&bad).unwrap_err();
        assert!(mistake.message.contains(message), "{}", mistake.message);
        let found = bad[..mistake.labels[0].span.start].matches('\n').count() + 1;
        assert_eq!(found, line, "{}\n{bad}", mistake.message);
    }
}

#[test]
fn a_recipe_is_pinned_by_its_lock() {
    let recipe = parse(RECIPE, Syntax::Toml).unwrap();
    let pinned = recipe.clone().pin(Some(&lock())).unwrap();
    let PinnedInput::Files(files) = &pinned.phase.inputs["tini"] else { panic!() };
    let file = &files[&platform("linux/arm64")];
    assert_eq!(file.urls, ["https://example.com/tini-arm64", "https://mirror.example.com/arm64/tini"]);
    assert_eq!((file.digest, file.size), (digest(5), Some(5)));

    let mistakes: Vec<String> = recipe.pin(None).unwrap_err().into_iter().map(|mistake| mistake.message).collect();
    assert_eq!(mistakes, ["assets", "debian", "tini"].map(|name| format!("the input `{name}` is not pinned")));
}

#[test]
fn a_stale_lock_says_which_key_changed() {
    for (from, to, message) in [
        ("12-slim", "13-slim", "the lock was made for another `image` of the input `debian`"),
        ("com/tini-", "org/tini-", "the lock was made for another `url` of the input `tini`"),
        ("\"v2\"", "\"v3\"", "the lock was made for another `rev` of the input `assets`"),
        ("subdir", "#subdir", "the lock was made for another `subdir` of the input `assets`"),
        ("inputs.tini", "inputs.mini", "the lock does not have the input `mini`"),
        (", \"linux/arm64\"", ", \"linux/arm\"", "the lock does not have the input `debian` for linux/arm"),
        ("git = ", "url = ", "the lock was made for an input `assets` of another kind"),
    ] {
        let mut text = RECIPE.replacen(from, to, 1);
        if from == "git = " {
            text = text.replace("rev =", "#").replace("subdir =", "#");
        }
        let mistakes = parse(&text, Syntax::Toml).unwrap().pin(Some(&lock())).unwrap_err();
        assert!(mistakes.iter().any(|mistake| mistake.message == message), "{mistakes:#?}");
        assert!(mistakes.iter().all(|mistake| !mistake.message.contains("not pinned")), "{mistakes:#?}");
    }
}

#[test]
fn another_version_is_another_url_and_another_platform_is_not() {
    let text = RECIPE.replace("[image]", "[image]\nversion = '1.0'").replace("tini-{arch}", "tini-{version}-{arch}");
    let mut lock = lock();
    if let Some(Locked::Url { url, .. }) = lock.inputs.get_mut("tini") {
        *url = "https://example.com/tini-1.0-{arch}".to_owned();
    }
    let changed = |text: &str| changes(&parse(text, Syntax::Toml).unwrap(), &lock);
    assert_eq!(changed(&text), []);
    let stale = changed(&text.replace("'1.0'", "'1.1'"));
    assert_eq!(stale[0].message, "the lock was made for another `url` of the input `tini`");
    assert_eq!(stale.len(), 1);
}

#[test]
fn a_digest_in_the_recipe_and_another_in_the_lock_do_not_fit() {
    let own = format!("docker.io/library/debian:12-slim@{}", digest(9));
    let text = RECIPE.replace("docker.io/library/debian:12-slim", &own);
    let mut lock = lock();
    if let Some(Locked::Image { image, .. }) = lock.inputs.get_mut("debian") {
        image.clone_from(&own);
    }
    let stale = changes(&parse(&text, Syntax::Toml).unwrap(), &lock);
    assert_eq!(stale[0].message, "the lock was made for another `digest` of the input `debian`");
}

#[test]
fn a_recipe_can_pin_itself() {
    let hex = digest(1).hex();
    let text = format!(
        "edition = '2026'\n[image]\nname = 'a'\n[inputs.x]\nurl = 'https://example.com/x'\nsha256 = '{hex}'\n\
         [inputs.y]\nimage = 'docker.io/library/debian:12@sha256:{hex}'\n[inputs.z]\nimage = 'oci:z'\n"
    );
    let recipe = parse(&text, Syntax::Toml).unwrap();
    assert!(matches!(recipe.inputs["z"].value, Input::Image { .. }));
    let pinned = recipe.clone().pin(None).unwrap();
    assert!(matches!(pinned.phase.inputs["z"], PinnedInput::OnDisk(_)));
    // Once there is a lock, it has to have whatever can move.
    let mistakes = recipe.pin(Some(&Lock::default())).unwrap_err();
    assert_eq!(mistakes.len(), 1);
    assert_eq!(mistakes[0].message, "the lock does not have the input `z`");
}
