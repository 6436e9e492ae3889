//! Images that other programs made or changed.

use super::{diff, text};
use crate::support::clients::{Registry, skopeo};
use crate::support::{Work, needs, rebake, run, tool};
use serde_json::{Value, json};

const RECIPE: &str = "edition = '2026'\n[image]\nname = 'example/x'\ntags = ['1']\n[config]\ncmd = ['/x']\n";
const LAYER: &str = "[[layer]]\n[[layer.copy]]\nfrom = 'tree'\nto = '/srv'\n";

fn bake(work: &Work, dest: &str) {
    run(rebake().current_dir(work.path()).args(["build", "-o", dest]));
}

fn recipe(work: &Work) {
    work.write("rebake.toml", format!("{RECIPE}{LAYER}"));
    work.write("tree/motd", "hello\n");
    // Larger than a block of any encoder.
    let noise: Vec<u8> = (0..1_500_000_u32).flat_map(|n| (n / 3).wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    work.write("tree/noise", noise);
}

fn encoders(json: &Value) -> (Option<&str>, Option<&str>) {
    let encoding = &json["platforms"][0]["layers"][0]["encoding"];
    (encoding["a"]["encoder"].as_str(), encoding["b"]["encoder"].as_str())
}

#[test]
fn recompressed_by_skopeo() {
    if !needs(&["skopeo"]) {
        return;
    }
    let work = Work::new();
    recipe(&work);
    bake(&work, "oci:a:1");
    work.write("rebake.toml", format!("{RECIPE}{LAYER}").replace("tags", "compression = 'none'\ntags"));
    bake(&work, "oci:plain:1");
    let at = |name: &str| format!("oci:{}:1", work.join(name).display());
    // It compresses what is not.
    run(tool("skopeo").args(["copy", "--quiet", &at("plain"), &at("b")]));
    let (code, json) = diff(&work, "a", "b", &[]);
    assert_eq!((code, &json["rung"]), (Some(1), &json!("recompressed")));
    assert_eq!(encoders(&json), (Some("rebake"), Some("pgzip (podman, buildah, skopeo)")), "{json:#}");
    run(tool("skopeo").args(["copy", "--quiet", "--dest-compress-format", "zstd", &at("plain"), &at("c")]));
    let (_, json) = diff(&work, "a", "c", &[]);
    assert_eq!(json["rung"], "recompressed");
    skopeo::copy(&at("a"), &at("d"), &[]);
    assert_eq!(diff(&work, "a", "d", &[]).1["rung"], "identical");
    let archive = format!("docker-archive:{}:x:1", work.join("e.tar").display());
    skopeo::copy(&at("a"), &archive, &[]);
    let (_, json) = diff(&work, "a", "docker-archive:e.tar", &[]);
    assert_eq!(json["rung"], "recompressed");
}

#[test]
fn the_encoders_of_debian() {
    if !needs(&["skopeo", "igzip"]) {
        return;
    }
    let work = Work::new();
    recipe(&work);
    bake(&work, "oci:a:1");
    let blob = |json: &Value| work.join(format!("a/blobs/{}", json["digest"].as_str().unwrap().replace(':', "/")));
    let read = |path: std::path::PathBuf| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let manifest = read(blob(&read(work.join("a/index.json"))["manifests"][0]));
    let plain = run(tool("gzip").arg("-dc").arg(blob(&manifest["layers"][0]))).stdout;
    let tar = work.write("layer.tar", plain);
    for (program, options, wanted) in
        [("gzip", &["-c", "-n"][..], Some("gzip or zlib")), ("gzip", &["-c", "-9"], Some("gzip or zlib"))]
    {
        let packed = run(tool(program).args(options).arg(&tar)).stdout;
        let mut manifest = manifest.clone();
        manifest["layers"] =
            json!([super::made::blob(&work, "b", "application/vnd.oci.image.layer.v1.tar+gzip", &packed)]);
        let config = std::fs::read(blob(&manifest["config"])).unwrap();
        super::made::blob(&work, "b", "", &config);
        let top =
            super::made::blob(&work, "b", manifest["mediaType"].as_str().unwrap(), manifest.to_string().as_bytes());
        super::made::index(&work, "b", &[top]);
        let (_, json) = diff(&work, "a", "b", &[]);
        assert_eq!(json["rung"], "recompressed");
        assert_eq!(encoders(&json), (Some("rebake"), wanted), "{options:?} {json:#}");
    }
}

/// Docker's schema 2, in a registry: the same config and layers.
#[test]
fn in_a_registry() {
    if !needs(&["skopeo", "docker-registry"]) {
        return;
    }
    let work = Work::new();
    recipe(&work);
    bake(&work, "oci:a:1");
    let registry = Registry::start();
    let name = format!("docker://{}", registry.reference("x:1"));
    let from = format!("oci:{}:1", work.join("a").display());
    run(tool("skopeo").args(["copy", "--quiet", "--dest-tls-verify=false", "--format", "v2s2", &from, &name]));
    let (code, json) = diff(&work, "a", &name, &[]);
    assert_eq!((code, &json["rung"]), (Some(1), &json!("same-config-and-layers")), "{json:#}");
    assert_eq!(json["causes"][0]["code"], "dialect");
    skopeo::copy(&from, &name, &["--dest-tls-verify=false"]);
    assert_eq!(diff(&work, "a", &name, &[]).1["rung"], "identical");
    // Another image: its layers come out of the registry.
    work.write("tree/motd", "bye\n");
    bake(&work, "oci:b:1");
    let (_, json) = diff(&work, "b", &name, &[]);
    let layer = &json["platforms"][0]["layers"][0];
    assert_eq!(layer["entries"][0]["content"]["diff"], json!(["@@ -1,1 +1,1 @@", "-bye", "+hello"]));
}

#[test]
fn made_again_by_umoci() {
    if !needs(&["umoci", "root"]) {
        return;
    }
    let work = Work::new();
    recipe(&work);
    bake(&work, "oci:a:1");
    let at = |name: &str| format!("{}:1", work.join(name).display());
    run(tool("umoci").args(["init", "--layout"]).arg(work.join("b")));
    run(tool("umoci").args(["new", "--image", &at("b")]));
    run(tool("umoci").args(["unpack", "--image", &at("b")]).arg(work.join("bundle")));
    run(tool("cp").arg("-r").arg(work.join("tree")).arg(work.join("bundle/rootfs/srv")));
    run(tool("umoci").args(["repack", "--image", &at("b")]).arg(work.join("bundle")));
    let (code, json) = diff(&work, "a", "b", &[]);
    assert_eq!((code, &json["rung"]), (Some(1), &json!("different")));
    let layer = &json["platforms"][0]["layers"][0];
    // The files are the same; only the config is not.
    assert_eq!((&layer["change"], &layer["sameTree"]), (&json!("tar"), &json!(true)), "{json:#}");
    let codes: Vec<&str> =
        json["causes"].as_array().unwrap().iter().map(|cause| cause["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"config"), "{codes:?}");
}

#[test]
fn built_with_tar_under_another_umask() {
    let work = Work::new();
    recipe(&work);
    bake(&work, "oci:a:1");
    run(tool("sh").current_dir(work.path()).args([
        "-c",
        "umask 077 && mkdir -p root/srv && cp tree/* root/srv/ && touch -d @1795132800 root/srv/motd && tar -cf layer.tar -C root --sort=name srv",
    ]));
    let tar = work.read("layer.tar");
    let index: Value = serde_json::from_slice(&work.read("a/index.json")).unwrap();
    let path = |descriptor: &Value| format!("a/blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"));
    let manifest: Value = serde_json::from_slice(&work.read(path(&index["manifests"][0]))).unwrap();
    let mut config: Value = serde_json::from_slice(&work.read(path(&manifest["config"]))).unwrap();
    config["rootfs"]["diff_ids"] = json!([format!("sha256:{}", crate::support::sha256(&tar))]);
    let mut other = manifest.clone();
    let kind = |descriptor: &Value| descriptor["mediaType"].as_str().unwrap().to_owned();
    other["config"] = super::made::blob(&work, "b", &kind(&manifest["config"]), config.to_string().as_bytes());
    other["layers"] = json!([super::made::blob(&work, "b", "application/vnd.oci.image.layer.v1.tar", &tar)]);
    let top = super::made::blob(&work, "b", &kind(&manifest), other.to_string().as_bytes());
    super::made::index(&work, "b", &[top]);
    let (_, json) = diff(&work, "a", "b", &[]);
    assert_eq!(json["rung"], "same-tree", "{json:#}");
    let codes: Vec<&str> =
        json["causes"].as_array().unwrap().iter().map(|cause| cause["code"].as_str().unwrap()).collect();
    for code in ["times-not-normalised", "umask", "owner-names", "header-format", "padding"] {
        assert!(codes.contains(&code), "{code}: {codes:?}");
    }
    let said = text(&work, "a", "b");
    assert!(said.contains("why: modes of B are those that a umask of 0077 leaves (3 entries)"), "{said}");
}
