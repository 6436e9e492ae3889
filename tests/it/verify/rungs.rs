//! Each kind of difference on its rung, with the statement that is behind it.

use super::{RECIPE, command, judged, published};
use crate::support::clients::{registry::Registry, skopeo};
use crate::support::{Work, needs, run, tool};
use serde_json::{Value, json};

/// The rung, and everything that is said.
#[track_caller]
fn rung(work: &Work, image: &str) -> (String, Value) {
    let (said, code) = judged(&work.join("published"), &[image, "."]);
    let rung = said["rung"].as_str().expect("a rung").to_owned();
    assert_eq!(code, Some(i32::from(rung != "identical")), "{said:#}");
    (rung, said)
}

/// Bakes the recipe with a change of its text, or of its files, into `oci:NAME`.
fn baked(work: &Work, name: &str, change: &dyn Fn(&str) -> String) -> String {
    let folder = published(work);
    work.write("published/rebake.toml", change(RECIPE));
    let image = work.join(name).display().to_string();
    command(&folder, &["build", "-o", &format!("oci:{image}:1")]).success();
    work.write("published/rebake.toml", RECIPE);
    format!("oci:{image}:1")
}

/// The causes' codes of all platforms together.
fn causes(said: &Value) -> Vec<&str> {
    said["causes"].as_array().expect("causes").iter().map(|cause| cause["code"].as_str().expect("a code")).collect()
}

/// The first entry of all layers that is at a path.
fn entry<'a>(said: &'a Value, path: &str) -> &'a Value {
    let layers = said["platforms"][0]["layers"].as_array().expect("layers");
    let entries = layers.iter().filter_map(|layer| layer["entries"].as_array()).flatten();
    entries.into_iter().find(|entry| entry["path"] == path).unwrap_or_else(|| panic!("no {path}: {said:#}"))
}

#[test]
fn the_same_image_is_identical() {
    let work = Work::new();
    let image = baked(&work, "same", &str::to_owned);
    assert_eq!(rung(&work, &image).0, "identical");
    let text = command(&work.join("published"), &["verify", &image]).success().text();
    assert!(text.starts_with("identical"), "{text}");
    assert!(!work.join("published/rebake-out").exists(), "verifying writes nothing");
}

#[test]
fn what_a_recipe_changes_is_told_with_its_line() {
    let work = Work::new();
    for (name, from, to, path, line) in
        [("mode", "mode = \"0755\"", "mode = \"0700\"", "/bin/app", 17), ("text", "two", "TWO", "/etc/motd", 23)]
    {
        let image = baked(&work, name, &|text| text.replace(from, to));
        let (found, said) = rung(&work, &image);
        assert_eq!(found, if name == "mode" { "same-tree" } else { "different" }, "{said:#}");
        let entry = entry(&said, path);
        assert_eq!(entry["statement"]["line"], line, "{entry:#}");
        assert!(entry["statement"]["file"].as_str().is_some_and(|file| file.ends_with("rebake.toml")), "{entry:#}");
        let text = command(&work.join("published"), &["verify", &image, "."]).text();
        assert!(text.contains(path) && text.contains(&format!("rebake.toml:{line}")), "{text}");
    }
}

#[test]
fn a_label_and_the_time_alone() {
    let work = Work::new();
    let image = baked(&work, "label", &|text| text.replace("\"red\"", "\"blue\""));
    let (found, said) = rung(&work, &image);
    assert_eq!(found, "different");
    let field = said["platforms"][0]["config"][0].clone();
    assert_eq!(field["pointer"], "/config/Labels/com.example.team");
    assert_eq!((&field["a"], &field["b"], &field["statement"]["line"]), (&json!("red"), &json!("blue"), &json!(8)));

    let image =
        baked(&work, "created", &|text| text.replace("[config]\n", "created = \"2020-01-01T00:00:00Z\"\n[config]\n"));
    let (found, said) = rung(&work, &image);
    assert_eq!((found.as_str(), causes(&said)[0]), ("different", "created"), "{said:#}");

    let image = baked(&work, "note", &|text| text.replace("as baked", "as told"));
    assert_eq!(rung(&work, &image).0, "same-config-and-layers");
}

#[test]
fn other_tools_keep_a_rung() {
    if !needs(&["skopeo", "docker-registry"]) {
        return;
    }
    let work = Work::new();
    let image = baked(&work, "image", &str::to_owned);
    let registry = Registry::start();
    let options = ["--dest-tls-verify=false"];
    let copied = |name: &str, more: &[&str]| {
        let to = format!("docker://{}", registry.reference(name));
        let mut copy = tool("skopeo");
        run(copy.args(["copy", "-q"]).args(options).args(more).args([&image, &to]));
        to
    };
    // As it is.
    let same = format!("docker://{}", registry.reference("same:1"));
    skopeo::copy(&image, &same, &options);
    assert_eq!(rung(&work, &same).0, "identical");
    // Docker's manifest around the same config and layers.
    let (found, said) = rung(&work, &copied("docker:1", &["--format", "v2s2"]));
    assert_eq!(found, "same-config-and-layers", "{said:#}");
    // Compressed again.
    let zstd = baked(&work, "zstd", &|text| text.replace("version = ", "compression = \"zstd\"\nversion = "));
    let (found, said) = rung(&work, &zstd);
    assert_eq!(found, "recompressed", "{said:#}");
    assert!(said.to_string().contains("zstd"), "{said:#}");
    // Unpacked.
    let archive = format!("docker-archive:{}", work.join("saved.tar").display());
    run(tool("skopeo").args(["copy", "-q", &image, &format!("{archive}:example/verified:1")]));
    assert_eq!(rung(&work, &archive).0, "recompressed");
}

#[test]
fn the_rung_that_is_asked_for_is_enough() {
    let work = Work::new();
    let image = baked(&work, "mode", &|text| text.replace("mode = \"0755\"", "mode = \"0700\""));
    let status = |rung: &str| judged(&work.join("published"), &[&image, "--at-least", rung]).1;
    assert_eq!(status("same-tree"), Some(0));
    assert_eq!(status("recompressed"), Some(1));
    let wrong = command(&work.join("published"), &["verify", &image, "--at-least", "nearly"]);
    assert_eq!(wrong.code(), Some(2));
}

#[test]
fn each_platform_is_judged() {
    let work = Work::new();
    let two = |text: &str| text.replace("version = ", "platforms = [\"linux/amd64\", \"linux/arm64\"]\nversion = ");
    let image = baked(&work, "two", &|text| two(text).replace("text = \"one", "text = \"{arch} one"));
    work.write("published/rebake.toml", two(RECIPE).replace("text = \"one", "text = \"amd64 one"));
    let (said, code) = judged(&work.join("published"), &[&image]);
    assert_eq!(code, Some(1));
    let rungs: Vec<_> = said["platforms"].as_array().expect("platforms").iter().map(|p| p["rung"].clone()).collect();
    assert_eq!(rungs, ["identical", "different"], "{said:#}");
    // An image of one platform alone is less than the recipe says.
    let image = baked(&work, "one", &str::to_owned);
    work.write("published/rebake.toml", two(RECIPE));
    let (said, _) = judged(&work.join("published"), &[&image]);
    assert_eq!(said["rung"], "identical", "of the platform that it is for: {said:#}");
}

#[test]
fn a_platform_that_the_recipe_does_not_make_is_not_passed_over() {
    let work = Work::new();
    let two = |text: &str| text.replace("version = ", "platforms = [\"linux/amd64\", \"linux/arm64\"]\nversion = ");
    let image = baked(&work, "two", &|text| two(text));
    let (found, said) = rung(&work, &image);
    assert_eq!((found.as_str(), causes(&said)[0]), ("different", "platform"), "{said:#}");
}

#[test]
fn a_config_that_lies_about_its_layers_is_found_out() {
    let work = Work::new();
    let image = baked(&work, "honest", &str::to_owned);
    baked(&work, "evil", &|text| text.replace("two", "EVIL"));
    let layer = |name: &str| -> Value {
        let index: Value = serde_json::from_slice(&work.read(format!("{name}/index.json"))).expect("JSON");
        let digest = index["manifests"][0]["digest"].as_str().expect("a digest")["sha256:".len()..].to_owned();
        serde_json::from_slice(&work.read(format!("{name}/blobs/sha256/{digest}"))).expect("JSON")
    };
    // The honest config, and the evil layer.
    let mut manifest = layer("honest");
    manifest["layers"][1] = layer("evil")["layers"][1].clone();
    let bytes = manifest.to_string();
    let hex = crate::support::sha256(bytes.as_bytes());
    for name in ["evil", "honest"] {
        for blob in Work::tree_of(&work.join(name).join("blobs/sha256")) {
            work.write(format!("forged/blobs/sha256/{blob}"), work.read(format!("{name}/blobs/sha256/{blob}")));
        }
    }
    work.write(format!("forged/blobs/sha256/{hex}"), &bytes);
    work.write("forged/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let listed = json!({ "mediaType": kind, "digest": format!("sha256:{hex}"), "size": bytes.len() });
    work.write("forged/index.json", json!({ "schemaVersion": 2, "manifests": [listed] }).to_string());
    let (found, said) = rung(&work, &work.join("forged").display().to_string());
    assert_eq!(found, "different", "{said:#}");
    assert_eq!(rung(&work, &image).0, "identical");
}

#[test]
fn a_path_that_nobody_makes_has_no_line() {
    let work = Work::new();
    let more = "[[layer.write]]\nto = \"/etc/more\"\ntext = \"x\"\n";
    let image = baked(&work, "more", &|text| format!("{text}{more}"));
    let (_, said) = rung(&work, &image);
    assert_eq!(entry(&said, "/etc/more")["statement"], Value::Null, "{said:#}");
    let text = command(&work.join("published"), &["verify", &image, "."]).text();
    assert!(text.contains("nothing in the recipe makes it"), "{text}");
}
