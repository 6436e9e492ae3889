//! Images that want to do harm, or are damaged.

use super::made::{self, Entry, Made, blob};
use super::{Compared, diff, text};
use crate::support::{Work, attempt, rebake, run};
use serde_json::{Value, json};
use std::io::Read;

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

/// Another tar under the diff_id of the right one: `verify` reads it, `diff` says that it did not.
#[test]
fn a_diff_id_that_lies() {
    let work = Work::new();
    let recipe = "edition = '2026'\n[image]\nname = 'example/x'\ntags = ['1']\n[[layer]]\n[[layer.write]]\nto = '/motd'\ntext = 'x'\n";
    work.write("rebake.toml", recipe);
    run(rebake().current_dir(work.path()).args(["build", "-o", "oci:a:1"]));
    let path = |descriptor: &Value| format!("a/blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"));
    let index: Value = serde_json::from_slice(&work.read("a/index.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&work.read(path(&index["manifests"][0]))).unwrap();
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(&*work.read(path(&manifest["layers"][0]))).read_to_end(&mut tar).unwrap();
    let verify = |name: &str, tar: &[u8]| {
        let mut manifest = manifest.clone();
        manifest["layers"] = json!([blob(&work, name, "application/vnd.oci.image.layer.v1.tar", tar)]);
        blob(&work, name, "", &work.read(path(&manifest["config"])));
        let top = blob(&work, name, manifest["mediaType"].as_str().unwrap(), manifest.to_string().as_bytes());
        made::index(&work, name, &[top]);
        let out = attempt(rebake().current_dir(work.path()).args(["verify", name, ".", "--json"]));
        serde_json::from_slice::<Value>(&out.stdout).unwrap_or_else(|error| panic!("{error}\n{out}"))
    };
    let honest = verify("b", &tar);
    assert_eq!(honest["rung"], "recompressed", "{honest:#}");
    let end = tar.len() - 1024;
    tar[end - 512] = b'y';
    for (name, tar) in [("c", &tar[..]), ("d", b"no tar".as_slice()), ("e", &tar[..end - 512])] {
        let said = verify(name, tar);
        let layer = &said["platforms"][0]["layers"][0];
        assert_eq!(
            (&said["rung"], &layer["change"], &layer["of"]),
            (&json!("different"), &json!("unreadable"), &json!("B"))
        );
        assert!(layer["why"].as_str().unwrap().contains("diff_id"), "{said:#}");
        assert_eq!(said["causes"][0]["code"], "unreadable", "{said:#}");
        // Who believes diff_ids says so.
        assert_eq!(diff(&work, "a", name, &[]).1["rung"], "recompressed");
        assert!(text(&work, "a", name).contains("is what their diff_ids say; `rebake check` proves it"));
    }
}

/// One blob under two diff_ids: one of them is wrong.
#[test]
fn one_blob_under_two_diff_ids() {
    let work = Work::new();
    let (manifest, _) = Made::usual().manifest(&work, "a");
    made::index(&work, "a", std::slice::from_ref(&manifest));
    let read = |descriptor: &Value| -> Value {
        let path = format!("a/blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"));
        serde_json::from_slice(&work.read(path)).unwrap()
    };
    let mut manifest = read(&manifest);
    let mut config = read(&manifest["config"]);
    config["rootfs"]["diff_ids"] = json!([format!("sha256:{:064}", 0)]);
    let kind = manifest["config"]["mediaType"].as_str().unwrap().to_owned();
    manifest["config"] = blob(&work, "b", &kind, config.to_string().as_bytes());
    let top = blob(&work, "b", manifest["mediaType"].as_str().unwrap(), manifest.to_string().as_bytes());
    made::index(&work, "b", &[top]);
    let (_, json) = diff(&work, "a", "b", &[]);
    assert_eq!((&json["rung"], &json["causes"][0]["code"]), (&json!("different"), &json!("unreadable")), "{json:#}");
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
