//! Descriptors, indexes, manifests and configs.

use super::damage::{Layout, hold};
use crate::support::sha256;
use serde_json::{Value, json};
use std::fs;

/// The whole descriptor of the first layer, edited.
fn layer(l: &Layout, edit: impl FnOnce(&mut Value)) {
    l.manifest(|manifest| edit(&mut manifest["layers"][0]));
}

#[test]
fn descriptors_are_judged() {
    hold(&[
        ("a blob is gone", |l| fs::remove_file(l.blob("/layers/1")).expect("gone"), "missing"),
        ("the config is gone", |l| fs::remove_file(l.blob("/config")).expect("gone"), "missing"),
        ("the manifest is gone", |l| fs::remove_file(l.blob("")).expect("gone"), "missing"),
        (
            "a byte of the manifest",
            |l| {
                let text = fs::read_to_string(l.blob("")).expect("text");
                fs::write(l.blob(""), text.replacen('{', "{ ", 1)).expect("a file");
            },
            "digest size",
        ),
        (
            "a byte of the config",
            |l| {
                let text = fs::read_to_string(l.blob("/config")).expect("text");
                fs::write(l.blob("/config"), text.replace("amd64", "arm64")).expect("a file");
            },
            "digest",
        ),
        (
            "a byte of a layer",
            |l| {
                let mut bytes = fs::read(l.blob("/layers/0")).expect("bytes");
                bytes[0] ^= 1;
                fs::write(l.blob("/layers/0"), bytes).expect("a file");
            },
            "diff-id digest tar",
        ),
        ("an empty layer", |l| fs::write(l.blob("/layers/0"), "").expect("a file"), "diff-id digest size ~tar-end"),
        ("size too small", |l| layer(l, |layer| layer["size"] = 1.into()), "size"),
        ("size too large", |l| layer(l, |layer| layer["size"] = 1_000_000.into()), "size"),
        ("size negative", |l| layer(l, |layer| layer["size"] = (-1).into()), "field-type"),
        ("size a fraction", |l| layer(l, |layer| layer["size"] = json!(1.5)), "field-type"),
        ("size a text", |l| layer(l, |layer| layer["size"] = "1".into()), "field-type"),
        ("size beyond 63 bits", |l| layer(l, |layer| layer["size"] = u64::MAX.into()), "field-type"),
        ("no size", |l| layer(l, |layer| layer["size"] = Value::Null), "field-missing"),
        ("no digest", |l| layer(l, |layer| layer["digest"] = Value::Null), "field-missing"),
        ("digest without algorithm", |l| layer(l, |layer| layer["digest"] = "abc".into()), "digest-syntax"),
        ("digest leads out", |l| layer(l, |layer| layer["digest"] = "sha256:../../oci-layout".into()), "digest-syntax"),
        (
            "digest in upper case",
            |l| {
                layer(l, |layer| {
                    let upper = layer["digest"].as_str().expect("text")[7..].to_uppercase();
                    layer["digest"] = format!("sha256:{upper}").into();
                })
            },
            "digest-syntax",
        ),
        ("no media type", |l| layer(l, |layer| layer["mediaType"] = Value::Null), "field-missing"),
        (
            "no media type at all",
            |l| layer(l, |layer| layer["mediaType"] = "tar".into()),
            "media-type-syntax not-a-layer",
        ),
        ("another media type", |l| layer(l, |layer| layer["mediaType"] = "text/plain".into()), "not-a-layer"),
        (
            "Docker's media type",
            |l| {
                layer(l, |layer| {
                    layer["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar".into();
                })
            },
            "~media-type-mixed",
        ),
        ("annotation is a number", |l| layer(l, |layer| layer["annotations"] = json!({ "a": 1 })), "field-type"),
        ("annotation", |l| layer(l, |layer| layer["annotations"] = json!({ "a": "1" })), ""),
        (
            "urls, and gone",
            |l| {
                layer(l, |layer| layer["urls"] = json!(["https://example.com/x"]));
                fs::remove_file(l.blob("/layers/0")).expect("gone");
            },
            "~elsewhere",
        ),
        (
            "data",
            |l| {
                l.manifest(|manifest| {
                    // The config of nothing.
                    manifest["subject"] = json!({ "mediaType": "a/b", "size": 2, "data": "e30=",
                "digest": format!("sha256:{}", sha256(b"{}")) });
                })
            },
            "",
        ),
        ("wrong data", |l| layer(l, |layer| layer["data"] = "e30=".into()), "data"),
        ("data that are no base64", |l| layer(l, |layer| layer["data"] = "!".into()), "data"),
        (
            "an unknown type in index.json",
            |l| {
                l.index(|index| {
                    let mut other = json!({ "mediaType": "application/x.other" });
                    l.store(b"other", &mut other);
                    index["manifests"].as_array_mut().expect("a list").push(other);
                })
            },
            "~media-type-unknown",
        ),
        (
            "a manifest under another type",
            |l| {
                l.index(|index| {
                    index["manifests"][0]["mediaType"] = "application/json".into();
                })
            },
            "media-type ~media-type-unknown",
        ),
        (
            "a manifest under Docker's type",
            |l| {
                l.index(|index| {
                    index["manifests"][0]["mediaType"] = "application/vnd.docker.distribution.manifest.v2+json".into();
                })
            },
            "media-type ~media-type-mixed",
        ),
    ]);
}

#[test]
fn manifests_are_judged() {
    hold(&[
        ("no mediaType", |l| l.manifest(|m| m["mediaType"] = Value::Null), "~media-type-missing"),
        ("schemaVersion", |l| l.manifest(|m| m["schemaVersion"] = 1.into()), "schema-version"),
        ("no config", |l| l.manifest(|m| m["config"] = Value::Null), "field-missing"),
        ("no layers", |l| l.manifest(|m| m["layers"] = Value::Null), "field-missing"),
        ("layers are text", |l| l.manifest(|m| m["layers"] = "x".into()), "field-type"),
        ("layers of numbers", |l| l.manifest(|m| m["layers"] = json!([1, 2])), "field-type"),
        ("config is a list", |l| l.manifest(|m| m["config"] = json!([])), "field-type"),
        (
            "an empty list of layers",
            |l| {
                l.config(|config| {
                    config["rootfs"]["diff_ids"] = json!([]);
                    config["history"] = json!([]);
                });
                l.manifest(|m| m["layers"] = json!([]));
            },
            "~no-layers",
        ),
        ("layers swapped", |l| l.manifest(|m| m["layers"].as_array_mut().expect("a list").reverse()), "diff-id"),
        (
            "a layer twice",
            |l| {
                l.manifest(|m| {
                    let first = m["layers"][0].clone();
                    m["layers"].as_array_mut().expect("a list").push(first);
                })
            },
            "diff-id-count history-count",
        ),
        ("manifest and index in one", |l| l.manifest(|m| m["manifests"] = json!([])), "ambiguous"),
        (
            "the manifest as its own config",
            |l| {
                l.index(|index| {
                    let mut manifest: Value =
                        serde_json::from_slice(&fs::read(l.blob("")).expect("bytes")).expect("JSON");
                    let mut config = manifest["config"].clone();
                    l.store(&fs::read(l.blob("")).expect("bytes"), &mut config);
                    manifest["config"] = config;
                    l.store(manifest.to_string().as_bytes(), &mut index["manifests"][0]);
                })
            },
            "field-missing",
        ),
        (
            "a subject that is not there",
            |l| {
                l.manifest(|m| {
                    m["subject"] =
                        json!({ "mediaType": "a/b", "size": 2, "digest": format!("sha256:{}", "0".repeat(64)) });
                })
            },
            "",
        ),
        ("a subject that is none", |l| l.manifest(|m| m["subject"] = json!({ "mediaType": "a/b" })), "field-missing"),
        ("annotations are a list", |l| l.manifest(|m| m["annotations"] = json!([])), "field-type"),
        (
            "an artifact",
            |l| {
                l.manifest(|m| {
                    m["artifactType"] = "application/x.thing".into();
                    m["config"]["mediaType"] = "application/vnd.oci.empty.v1+json".into();
                    l.store(b"{}", &mut m["config"]);
                    m["layers"][0]["mediaType"] = "text/plain".into();
                })
            },
            "",
        ),
        (
            "an artifact without a type",
            |l| {
                l.manifest(|m| {
                    m["config"]["mediaType"] = "application/vnd.oci.empty.v1+json".into();
                    l.store(b"{}", &mut m["config"]);
                })
            },
            "artifact-type",
        ),
        (
            "an attestation",
            |l| {
                l.config(|config| (config["os"], config["architecture"]) = ("unknown".into(), "unknown".into()));
                l.manifest(|m| {
                    for layer in m["layers"].as_array_mut().expect("a list") {
                        layer["mediaType"] = "application/vnd.in-toto+json".into();
                    }
                });
            },
            "",
        ),
    ]);
}

#[test]
fn indexes_are_judged() {
    hold(&[
        ("sound", |l| l.under_index(|_| {}), ""),
        (
            "another architecture",
            |l| l.under_index(|i| i["manifests"][0]["platform"]["architecture"] = "arm64".into()),
            "platform",
        ),
        ("another os", |l| l.under_index(|i| i["manifests"][0]["platform"]["os"] = "windows".into()), "platform"),
        (
            "a variant that the config leaves out",
            |l| l.under_index(|i| i["manifests"][0]["platform"]["variant"] = "v2".into()),
            "",
        ),
        (
            "another variant",
            |l| {
                l.config(|config| config["variant"] = "v2".into());
                l.under_index(|i| i["manifests"][0]["platform"]["variant"] = "v3".into());
            },
            "platform",
        ),
        ("no os", |l| l.under_index(|i| i["manifests"][0]["platform"]["os"] = Value::Null), "field-missing"),
        ("platform is text", |l| l.under_index(|i| i["manifests"][0]["platform"] = "linux/amd64".into()), "field-type"),
        ("no platform", |l| l.under_index(|i| i["manifests"][0]["platform"] = Value::Null), ""),
        (
            "x86_64",
            |l| l.under_index(|i| i["manifests"][0]["platform"]["architecture"] = "x86_64".into()),
            "platform ~platform-unknown",
        ),
        (
            "a member twice",
            |l| {
                l.under_index(|i| {
                    let first = i["manifests"][0].clone();
                    i["manifests"].as_array_mut().expect("a list").push(first);
                })
            },
            "~listed-twice",
        ),
        (
            "a platform twice",
            |l| {
                l.under_index(|i| {
                    let mut other = i["manifests"][0].clone();
                    let mut manifest: Value =
                        serde_json::from_slice(&fs::read(l.blob_of(&other)).expect("bytes")).expect("JSON");
                    manifest["annotations"] = json!({ "a": "b" });
                    l.store(manifest.to_string().as_bytes(), &mut other);
                    i["manifests"].as_array_mut().expect("a list").push(other);
                })
            },
            "~platform-twice",
        ),
        (
            "a member is gone",
            |l| {
                l.under_index(|i| {
                    i["manifests"][0]["digest"] = format!("sha256:{}", "0".repeat(64)).into();
                })
            },
            "missing",
        ),
        (
            "too deep",
            |l| {
                l.index(|top| {
                    let kind = "application/vnd.oci.image.index.v1+json";
                    top["manifests"][0]["annotations"] = Value::Null;
                    for _ in 0..5 {
                        let index =
                            json!({ "schemaVersion": 2, "mediaType": kind, "manifests": [top["manifests"][0]] });
                        top["manifests"][0]["mediaType"] = kind.into();
                        l.store(index.to_string().as_bytes(), &mut top["manifests"][0]);
                    }
                })
            },
            "depth",
        ),
    ]);
}

#[test]
fn configs_are_judged() {
    hold(&[
        ("no os", |l| l.config(|c| c["os"] = Value::Null), "field-missing"),
        ("empty architecture", |l| l.config(|c| c["architecture"] = "".into()), "field-missing"),
        ("os is a number", |l| l.config(|c| c["os"] = 1.into()), "field-type"),
        ("an unknown os", |l| l.config(|c| c["os"] = "templeos".into()), "~platform-unknown"),
        ("no rootfs", |l| l.config(|c| c["rootfs"] = Value::Null), "field-missing"),
        ("another rootfs", |l| l.config(|c| c["rootfs"]["type"] = "disk".into()), "rootfs-type"),
        ("no diff_ids", |l| l.config(|c| c["rootfs"]["diff_ids"] = Value::Null), "diff-id-count field-missing"),
        (
            "one diff_id",
            |l| {
                l.config(|c| {
                    c["rootfs"]["diff_ids"].as_array_mut().expect("a list").pop();
                })
            },
            "diff-id-count",
        ),
        (
            "another diff_id",
            |l| {
                l.config(|c| {
                    c["rootfs"]["diff_ids"][0] = format!("sha256:{}", "0".repeat(64)).into();
                })
            },
            "diff-id",
        ),
        ("a diff_id that is none", |l| l.config(|c| c["rootfs"]["diff_ids"][0] = "x".into()), "digest-syntax"),
        (
            "one step too few",
            |l| {
                l.config(|c| {
                    c["history"].as_array_mut().expect("a list").pop();
                })
            },
            "history-count",
        ),
        (
            "one step too many",
            |l| {
                l.config(|c| {
                    c["history"].as_array_mut().expect("a list").push(json!({}));
                })
            },
            "history-count",
        ),
        (
            "a step without a layer",
            |l| {
                l.config(|c| {
                    c["history"].as_array_mut().expect("a list").push(json!({ "empty_layer": true }));
                })
            },
            "",
        ),
        ("a step of the wrong kind", |l| l.config(|c| c["history"][0]["empty_layer"] = "no".into()), "field-type"),
        ("no history", |l| l.config(|c| c["history"] = Value::Null), ""),
        ("created", |l| l.config(|c| c["created"] = "yesterday".into()), "time"),
        ("created with a zone", |l| l.config(|c| c["created"] = "2026-01-02T03:04:05.678901234+01:00".into()), ""),
        ("created of a step", |l| l.config(|c| c["history"][0]["created"] = "2026-13-01T00:00:00Z".into()), "time"),
        ("Env", |l| l.config(|c| c["config"]["Env"] = json!(["A=b", "B=", "=c", "D"])), "env"),
        ("Env is an object", |l| l.config(|c| c["config"]["Env"] = json!({ "A": "b" })), "field-type"),
        ("Cmd is text", |l| l.config(|c| c["config"]["Cmd"] = "sh".into()), "field-type"),
        ("Labels of numbers", |l| l.config(|c| c["config"]["Labels"] = json!({ "a": 1 })), "field-type"),
        (
            "nothing, as Go writes it",
            |l| {
                l.config(|c| {
                    c["config"] =
                        json!({ "Env": null, "Cmd": null, "Volumes": null, "Labels": null, "ExposedPorts": null });
                })
            },
            "",
        ),
        ("ports", |l| l.config(|c| c["config"]["ExposedPorts"] = json!({ "80": {}, "53/udp": {}, "1-2/tcp": {} })), ""),
        ("a port", |l| l.config(|c| c["config"]["ExposedPorts"] = json!({ "http": {} })), "~port"),
        ("a name twice", |l| l.config_text(|c| c.to_string().replacen('{', r#"{"os":"linux","#, 1)), "json"),
        ("no JSON", |l| l.config_text(|_| "x".to_owned()), "json"),
    ]);
}

#[test]
fn names_that_differ_in_case_only_are_told() {
    hold(&[
        ("of a list", |l| l.manifest(|manifest| manifest["Layers"] = json!([])), "~field-case"),
        ("of a descriptor", |l| layer(l, |layer| layer["DIGEST"] = "x".into()), "~field-case"),
        ("with a long s", |l| layer(l, |layer| layer["\u{17f}ize"] = 1.into()), "~field-case"),
        (
            "alone",
            |l| {
                l.config(|config| {
                    config["config"]["entrypoint"] = json!(["/bin/other"]);
                    config["config"].as_object_mut().expect("an object").remove("Entrypoint");
                })
            },
            "~field-case",
        ),
        ("not judged otherwise", |l| l.config(|config| config["config"]["healthcheck"] = json!({})), "~field-case"),
        ("an index in a manifest", |l| l.manifest(|manifest| manifest["Manifests"] = json!([])), "~field-case"),
        ("a label is no field", |l| l.config(|c| c["config"]["Labels"] = json!({ "a": "1", "A": "2" })), ""),
        (
            "the same name twice",
            |l| l.config_text(|config| config.to_string().replacen('{', "{\"os\":\"linux\",", 1)),
            "json",
        ),
    ]);
}
