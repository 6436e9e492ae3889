//! Images that want to do harm, or are damaged.

use super::made::{Entry, Made};
use super::{Compared, diff, text};
use crate::support::{Work, attempt, rebake};
use serde_json::json;

#[test]
fn nothing_reaches_the_terminal() {
    let work = Work::new();
    let evil = "\x1b]0;owned\x07\u{202e}";
    let image = |text: &str| {
        let made = Made::new(vec![
            Entry::file(&format!("a{evil}"), format!("x\n{text}{evil}\n")),
            Entry::symlink("l", &format!("{text}\x1b[2J")),
        ]);
        made.configured("/config", "Labels", json!({ format!("l{evil}"): format!("{text}{evil}") }))
    };
    image("1").write(&work, "a");
    image("2").write(&work, "b");
    let said = text(&work, "a", "b");
    assert!(
        said.contains("owned") && !said.contains('\x1b') && !said.contains('\x07') && !said.contains('\u{202e}'),
        "{said}"
    );
}

#[test]
fn a_broken_layer_is_told_of() {
    let work = Work::new();
    let whole = Made::usual();
    whole.write(&work, "a");
    let changed = Made::usual().at("etc/motd", |file| file.data = b"x".to_vec());
    let digest = changed.write(&work, "b").remove(0);
    let path = work.join(format!("b/blobs/{}", digest.replace(':', "/")));
    let mut bytes = std::fs::read(&path).expect("a blob");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::write(&path, bytes).expect("a blob");
    let (code, json) = diff(&work, "a", "b", &[]);
    assert_eq!((code, &json["rung"]), (Some(1), &json!("different")));
    let layer = &json["platforms"][0]["layers"][0];
    assert_eq!((&layer["change"], &layer["of"]), (&json!("unreadable"), &json!("B")));
    let said = text(&work, "a", "b");
    assert!(said.contains("layer 1: that of B cannot be read: "), "{said}");
}

#[test]
fn many_differences_are_bounded() {
    let image = |text: &str| {
        Made::new((0..12_000).map(|n| Entry::file(&format!("d/{n:05}"), format!("{n}{text}\n"))).collect())
    };
    let compared = Compared::new(&image("a"), &image("b"));
    compared.expect("different", &["content"]);
    assert_eq!(compared.cause("content").1, 12_000);
    let layer = &compared.json["platforms"][0]["layers"][0];
    assert_eq!(
        (layer["entries"].as_array().unwrap().len(), &layer["omitted"], &layer["changed"]),
        (10_000, &json!(2000), &json!(12_000))
    );
    assert_eq!(layer["entries"][199]["content"]["kind"], "text");
    assert_eq!(layer["entries"][200]["content"], json!({ "kind": "skipped", "why": "too many other files differ" }));
    let work = Work::new();
    image("a").write(&work, "a");
    image("b").write(&work, "b");
    let said = text(&work, "a", "b");
    assert!(said.len() < 50_000 && said.contains("... and 11900 more"), "{}", said.len());
}

#[test]
fn wrong_names_are_explained() {
    let work = Work::new();
    Made::usual().write(&work, "a");
    let out = attempt(rebake().current_dir(work.path()).args(["diff", "a", "nowhere"]));
    assert_eq!(out.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("there is no folder `nowhere`"), "{out}");
}

/// Two layers of 300 MiB, of which one byte differs.
#[test]
fn large_layers_in_little_memory() {
    let work = Work::new();
    let mut big: Vec<u8> = (0..300_u32 << 18).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let small = |text: &str| vec![Entry::file("x", text)];
    for (name, text) in [("a", "1\n"), ("b", "2\n")] {
        let mut entries = small(text);
        entries.insert(0, Entry::file("big", std::mem::take(&mut big)));
        let mut made = Made { packing: super::made::Packing::None, ..Made::new(entries) };
        made.write(&work, name);
        big = std::mem::take(&mut made.layers[0][0].data);
    }
    let limited = |kilobytes: u32| {
        let mut command = crate::support::tool("sh");
        command.current_dir(work.path()).args(["-c", &format!("ulimit -v {kilobytes}; exec \"$0\" diff a b --json")]);
        attempt(command.arg(env!("CARGO_BIN_EXE_rebake")))
    };
    let out = limited(200_000);
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|error| panic!("{error}\n{out}"));
    assert_eq!((out.code(), &json["platforms"][0]["layers"][0]["changed"]), (Some(1), &json!(1)));
    // The positive control.
    assert_ne!(limited(10_000).code(), Some(1));
}
