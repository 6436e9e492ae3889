//! Each rung of the ladder, and what is just above and below it.

use super::made::{Entry, Made, Packing, blob, platforms};
use super::{Compared, diff};
use crate::support::{Work, rebake, run};
use serde_json::{Value, json};

#[test]
fn identical() {
    let work = Work::new();
    Made::usual().write(&work, "a");
    Made::usual().write(&work, "b");
    let (code, json) = diff(&work, "a", "b", &[]);
    assert_eq!((code, &json["rung"]), (Some(0), &json!("identical")));
    let said = super::text(&work, "a", "b");
    assert!(said.starts_with("oci:a and oci:b: identical: every byte is the same\nA: sha256:"), "{said}");
}

#[test]
fn same_config_and_layers() {
    let annotated = Made { annotations: json!({ "a": "1" }), ..Made::usual() };
    Compared::new(&Made::usual(), &annotated).expect("same-config-and-layers", &["annotations"]);
    let docker = Made { docker: true, ..Made::usual() };
    let compared = Compared::new(&Made::usual(), &docker);
    compared.expect("same-config-and-layers", &["dialect"]);
    assert_eq!(compared.json["platforms"][0]["manifest"][0]["pointer"], "/config/mediaType");
}

#[test]
fn recompressed() {
    let plain = Made { packing: Packing::None, ..Made::usual() };
    Compared::new(&Made::usual(), &plain).expect("recompressed", &["encoder"]);
    // Docker's dialect does not change that, nor does a config with other white space.
    let docker = Made { docker: true, pretty: true, ..plain };
    Compared::new(&Made::usual(), &docker).expect("recompressed", &["dialect", "encoder"]);
    let pretty = Made { pretty: true, ..Made::usual() };
    Compared::new(&Made::usual(), &pretty).expect("recompressed", &[]);
}

#[test]
fn a_label_makes_it_different() {
    let labelled = Made::usual().configured("/config", "Labels", json!({ "a": "b" }));
    let compared = Compared::new(&Made::usual(), &labelled);
    compared.expect("different", &["config"]);
    assert_eq!(
        compared.json["platforms"][0]["config"],
        json!([{ "pointer": "/config/Labels/a", "a": null, "b": "b" }])
    );
}

/// What grants a right is no mere metadata.
#[test]
fn rights_make_it_different() {
    let usual = Made::usual();
    for (changed, codes) in [
        (usual.clone().at("bin/tool", |tool| tool.mode = 0o4755), vec!["rights"]),
        (usual.clone().at("etc/", |folder| folder.mode = 0o1755), vec!["rights"]),
        (
            usual.clone().at("bin/tool", |tool| *tool = tool.clone().xattr("security.capability", b"\x01")),
            vec!["rights"],
        ),
        (usual.clone().at("etc/motd", |file| file.data = b"hello\nWorld\n".to_vec()), vec!["content"]),
        (usual.clone().at("etc/link", |link| link.data = b"passwd".to_vec()), vec!["content"]),
        (usual.clone().with(|entries| entries.push(Entry::file("new/x", "x"))), vec!["only-in-b"]),
        (usual.clone().with(|entries| entries.truncate(5)), vec!["only-in-a"]),
        (usual.clone().with(|entries| entries.push(Entry::folder("empty/"))), vec!["only-in-b"]),
        (usual.clone().with(|entries| entries.push(Entry::file("etc/motd", "twice"))), vec!["content"]),
    ] {
        Compared::new(&usual, &changed).expect("different", &codes);
        // And back.
        assert_eq!(Compared::new(&changed, &usual).rung(), "different");
    }
    // The owner of what runs with its owner's rights.
    let setuid = Made::usual().at("bin/tool", |tool| tool.mode = 0o4755);
    let other = setuid.clone().at("bin/tool", |tool| tool.owner = (5, 5));
    Compared::new(&setuid, &other).expect("different", &["rights", "owner"]);
    let plain = Made::usual().at("bin/tool", |tool| tool.owner = (5, 5));
    Compared::new(&Made::usual(), &plain).expect("same-tree", &["owner"]);
}

#[test]
fn the_order_may_decide_what_comes_out() {
    let usual = Made::new(vec![Entry::symlink("a", "b"), Entry::file("a/x", "1"), Entry::folder("b/")]);
    let turned = usual.clone().with(|entries| entries.swap(0, 1));
    assert_eq!(Compared::new(&usual, &turned).rung(), "different");
}

#[test]
fn layers_are_paired() {
    let with = |names: &[&str]| {
        let layer = |name: &&str| vec![Entry::file(name, *name)];
        Made { layers: names.iter().map(layer).collect(), ..Made::usual() }
    };
    // The same layers one further up.
    let compared = Compared::new(&with(&["a", "b"]), &with(&["new", "a", "b"]));
    assert_eq!(compared.rung(), "different");
    let layers = &compared.json["platforms"][0]["layers"];
    let pairs: Vec<_> =
        layers.as_array().unwrap().iter().map(|layer| json!([layer["a"], layer["b"], layer["change"]])).collect();
    assert_eq!(json!(pairs), json!([[null, 0, "added"], [0, 1, "same"], [1, 2, "same"]]));
    assert_eq!((&layers[0]["entries"], &layers[0]["bytes"]), (&json!(1), &json!(3)));
    compared.expect("different", &["layers"]);
    let said = "divided into layers otherwise: A has 2, 0 of them alone; B has 3, 1 of them alone";
    assert_eq!(compared.cause("layers").0, said);
    // The same in another order; and not the same.
    Compared::new(&with(&["a", "b"]), &with(&["b", "a"])).expect("different", &["layer-order"]);
    Compared::new(&with(&["a", "b"]), &with(&["b", "c"])).expect("different", &["layers"]);
    Compared::new(&with(&["a", "b"]), &with(&["a", "c"])).expect("different", &["only-in-a", "only-in-b"]);
}

#[test]
fn layers_that_are_equal_are_not_read() {
    let work = Work::new();
    let base = vec![Entry::file("base", "of all")];
    let image = |text: &str| Made { layers: vec![base.clone(), vec![Entry::file("motd", text)]], ..Made::usual() };
    let digests = image("1\n").write(&work, "a");
    assert_eq!(image("2\n").write(&work, "b")[0], digests[0]);
    let remove = |layout: &str, digest: &str| {
        let path = work.join(format!("{layout}/blobs/{}", digest.replace(':', "/")));
        std::fs::remove_file(path).expect("a blob");
    };
    remove("a", &digests[0]);
    remove("b", &digests[0]);
    let (code, json) = diff(&work, "a", "b", &[]);
    assert_eq!((code, &json["rung"]), (Some(1), &json!("different")));
    assert_eq!(json["platforms"][0]["layers"][0]["change"], "same");
    assert_eq!(json["platforms"][0]["layers"][1]["changed"], 1);
    // The positive control: without the other one it cannot be done.
    remove("a", &digests[1]);
    let (code, json) = diff(&work, "a", "b", &[]);
    assert_eq!((code, &json["platforms"][0]["layers"][1]["change"]), (Some(1), &json!("unreadable")));
}

#[test]
fn platforms_are_paired() {
    let work = Work::new();
    let (one, two) = (Made::usual(), Made::usual().at("etc/motd", |file| file.data = b"x\n".to_vec()));
    platforms(&work, "a", &[("amd64", one.clone()), ("arm64", one.clone())], json!({}));
    platforms(&work, "turned", &[("arm64", one.clone()), ("amd64", one.clone())], json!({}));
    platforms(&work, "b", &[("amd64", one.clone()), ("arm64", two)], json!({}));
    platforms(&work, "c", &[("amd64", one.clone())], json!({}));
    one.write(&work, "single");

    let (_, json) = diff(&work, "a", "turned", &[]);
    assert_eq!((&json["rung"], &json["index"][0]["pointer"]), (&json!("same-config-and-layers"), &json!("/manifests")));
    let (_, json) = diff(&work, "a", "b", &[]);
    assert_eq!(json["rung"], "different");
    assert_eq!(
        (&json["platforms"][0]["rung"], &json["platforms"][1]["rung"]),
        (&json!("identical"), &json!("different"))
    );
    let (code, json) = diff(&work, "a", "b", &["--platform", "linux/amd64"]);
    assert_eq!((code, &json["rung"], &json["only"]), (Some(0), &json!("identical"), &json!("linux/amd64")));
    let (_, json) = diff(&work, "a", "c", &[]);
    assert_eq!((&json["rung"], &json["causes"][0]["code"]), (&json!("different"), &json!("platform")));
    assert_eq!(json["causes"][0]["text"], "B has no image for linux/arm64");
    // An index against the manifest of one of its platforms: the other one is missing, unless nobody asks for it.
    for (a, b, missing) in [("a", "single", "B"), ("single", "a", "A")] {
        let (code, json) = diff(&work, a, b, &[]);
        assert_eq!((code, &json["rung"], &json["only"]), (Some(1), &json!("different"), &json!(null)));
        assert_eq!(json["causes"][0]["text"], format!("{missing} has no image for linux/arm64"));
        assert!(!super::text(&work, a, b).contains("every byte is the same"));
    }
    let (code, json) = diff(&work, "a", "single", &["--platform", "linux/amd64"]);
    assert_eq!((code, &json["rung"], &json["only"]), (Some(0), &json!("identical"), &json!("linux/amd64")));
    let out = run(rebake().current_dir(work.path()).args(["diff", "a", "single", "--platform", "linux/amd64"])).stdout;
    let said = String::from_utf8(out).expect("UTF-8");
    assert!(said.contains("identical: their images for one platform are the same\n"), "{said}");
    assert!(said.contains("Only linux/amd64 was compared.\n"), "{said}");
    // A platform that is listed twice is not missing; if its images are two, both are compared.
    let three = |second: Made| [("amd64", one.clone()), ("arm64", one.clone()), ("arm64", second)];
    platforms(&work, "twice", &three(one.clone()), json!({}));
    platforms(&work, "two", &three(one.clone().at("etc/motd", |file| file.data = b"y\n".to_vec())), json!({}));
    for (a, b) in [("a", "twice"), ("twice", "a")] {
        let (_, json) = diff(&work, a, b, &[]);
        assert_eq!((&json["rung"], &json["causes"]), (&json!("same-config-and-layers"), &json!([])), "{json:#}");
        assert_eq!(json["platforms"].as_array().unwrap().len(), 2);
    }
    for (a, b) in [("a", "two"), ("two", "a")] {
        let (_, json) = diff(&work, a, b, &[]);
        assert_eq!((&json["rung"], &json["causes"][0]["code"]), (&json!("different"), &json!("content")), "{json:#}");
        assert_eq!(json["platforms"][2]["platform"], "linux/arm64");
    }
    // An index of one image is not that image.
    platforms(&work, "index", &[("amd64", Made::usual())], json!({}));
    let (code, json) = diff(&work, "index", "single", &[]);
    assert_eq!((code, &json["rung"]), (Some(1), &json!("same-config-and-layers")));
    assert_eq!(json["index"][0]["pointer"], "/mediaType");
    let (code, json) = diff(&work, "a", "c", &["--platform", "linux/s390x"]);
    assert_eq!(code, Some(2));
    let message = json["error"]["message"].as_str().unwrap();
    assert!(message.contains("neither image is there for linux/s390x") && message.contains("linux/amd64, linux/arm64"));
}

#[test]
fn what_an_index_says_besides() {
    let work = Work::new();
    let attestation = blob(&work, "b", "application/vnd.oci.image.manifest.v1+json", b"{}");
    let mut unknown = attestation.clone();
    unknown["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
    let one = [("amd64", Made::usual()), ("arm64", Made::usual())];
    platforms(&work, "a", &one, json!({ "annotations": { "x": "1" } }));
    platforms(&work, "b", &one, json!({ "annotations": { "x": "2" }, "manifests": [unknown] }));
    let (_, json) = diff(&work, "a", "b", &[]);
    assert_eq!(json["rung"], "same-config-and-layers");
    let pointers: Vec<_> =
        json["index"].as_array().unwrap().iter().map(|field| field["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/annotations/x", "/manifests/2"]);
}

#[test]
fn who_asks_for_a_platform_goes_by_the_index() {
    let work = Work::new();
    let (one, two) = (Made::usual(), Made::usual().at("etc/motd", |file| file.data = b"x\n".to_vec()));
    platforms(&work, "a", &[("amd64", one), ("arm64", two)], json!({}));
    let read = |digest: &Value| {
        let hex = digest.as_str().expect("a digest")["sha256:".len()..].to_owned();
        serde_json::from_slice::<Value>(&work.read(format!("a/blobs/sha256/{hex}"))).expect("JSON")
    };
    let listed: Value = serde_json::from_slice(&work.read("a/index.json")).expect("JSON");
    let mut top = read(&listed["manifests"][0]["digest"]);
    let platforms = [top["manifests"][0]["platform"].clone(), top["manifests"][1]["platform"].clone()];
    (top["manifests"][0]["platform"], top["manifests"][1]["platform"]) = (platforms[1].clone(), platforms[0].clone());
    for blob in Work::tree_of(&work.join("a/blobs/sha256")) {
        work.write(format!("swapped/blobs/sha256/{blob}"), work.read(format!("a/blobs/sha256/{blob}")));
    }
    let kind = "application/vnd.oci.image.index.v1+json";
    super::made::index(&work, "swapped", &[blob(&work, "swapped", kind, top.to_string().as_bytes())]);
    assert_eq!(diff(&work, "a", "swapped", &[]).1["rung"], "different");
    // An artifact that is offered as an image of a platform.
    top["manifests"][1]["platform"] = platforms[1].clone();
    top["manifests"][0]["platform"] = platforms[0].clone();
    let mut more = top.clone();
    let artifact = blob(&work, "more", "application/vnd.example.odd+json", b"{}");
    for blob in Work::tree_of(&work.join("a/blobs/sha256")) {
        work.write(format!("more/blobs/sha256/{blob}"), work.read(format!("a/blobs/sha256/{blob}")));
    }
    for (platform, rung) in [("riscv64", "different"), ("", "same-config-and-layers")] {
        let mut artifact = artifact.clone();
        if !platform.is_empty() {
            artifact["platform"] = json!({ "os": "linux", "architecture": platform });
        }
        more["manifests"] = json!([top["manifests"][0], top["manifests"][1], artifact]);
        super::made::index(&work, "more", &[blob(&work, "more", kind, more.to_string().as_bytes())]);
        assert_eq!(diff(&work, "a", "more", &[]).1["rung"], rung, "{platform}");
    }
}
