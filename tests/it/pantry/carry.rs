//! A pantry goes to a registry and comes back, carried by skopeo.

use super::{Kitchen, files, flip};
use crate::support::clients::{Registry, skopeo};
use crate::support::{Sample, needs, run, tool};
use serde_json::json;

#[test]
fn skopeo_carries_a_pantry_to_a_registry_and_back() {
    if !needs(&["skopeo", "docker-registry", "tar", "gzip", "umoci"]) {
        return;
    }
    let (kitchen, registry) = (Kitchen::small(), Registry::start());
    let work = &kitchen.work;
    work.write("base/etc/x", "x");
    let base =
        Sample { name: "example.com/base", tag: "1", config: json!({}), compression: "gzip" }.write(work, "base");
    // Both dialects.
    let from = format!("oci:{}", base.layout_tag());
    let push = |format: &str, name: &str| {
        let mut copy = tool("skopeo");
        copy.args(["copy", "--quiet", "--dest-tls-verify=false", "--format", format, &from]);
        run(copy.arg(format!("docker://{}", registry.reference(name))));
    };
    push("oci", "base:oci");
    push("v2s2", "base:docker");
    for (name, base) in [("oci", "base:oci"), ("docker", "base:docker")] {
        let recipe = kitchen.url_recipe(name, "1.0.0").replace("[image]\n", "[image]\nbase = 'base'\n");
        let image = registry.reference(base);
        kitchen.recipe(name, &format!("{recipe}[inputs.base]\nimage = 'docker://{image}'\n"));
        kitchen.ok(&["lock", "--record", name]);
    }
    kitchen.ok(&["pantry", "fill", "P", "one", "oci", "docker"]);
    kitchen.ok(&["pantry", "check", "P"]);
    let list = kitchen.ok(&["pantry", "list", "P"]);
    assert!(list.contains(&format!("base docker://{} sha256:", registry.reference("base:oci"))), "{list}");

    let there = format!("docker://{}", registry.reference("pantry:1"));
    let pantry = |name: &str| format!("oci:{}:pantry", work.join(name).display());
    skopeo::copy(&pantry("P"), &there, &["--all", "--dest-tls-verify=false"]);
    assert_eq!(skopeo::manifest_digest(&there), kitchen.json(&["pantry", "list", "P"])["index"]);
    skopeo::copy(&there, &pantry("Q"), &["--all", "--src-tls-verify=false"]);

    // It need not be written as rebake writes it, but it holds the same.
    assert_ne!(work.read("P/index.json"), work.read("Q/index.json"));
    assert_eq!(files(&work.join("P")), files(&work.join("Q")));
    assert!(kitchen.ok(&["pantry", "check", "Q"]).ends_with("Q: sound and complete"));
    let drill = kitchen.ok(&["drill", "--alone", "--pantry", "oci:Q"]);
    assert_eq!(drill.matches(" same ").count(), 3, "{drill}");
    // Filled again, it is as rebake writes it.
    kitchen.ok(&["pantry", "fill", "Q", "one"]);
    assert_eq!(work.read("P/index.json"), work.read("Q/index.json"));

    skopeo::copy(&there, &pantry("R"), &["--all", "--src-tls-verify=false"]);
    for file in files(&work.join("R")) {
        let path = work.join("R").join(&file);
        flip(&path, 1);
        let said = kitchen.ends(1, &["pantry", "check", "R"]);
        assert!(said.contains(file.to_str().expect("a name")), "{}: {said}", file.display());
        flip(&path, 1);
    }
    kitchen.ok(&["pantry", "check", "R"]);

    // A second opinion: umoci finds its way through it, and sees nothing to collect.
    run(tool("umoci").args(["gc", "--layout"]).arg(work.join("R")));
    kitchen.ok(&["pantry", "check", "R"]);
}
