//! Images of other builders, in every form that they write: all of them are sound.

use super::damage::Layout;
use crate::support::clients::{Registry, skopeo};
use crate::support::http::{Behaviour, Server};
use crate::support::{Work, attempt, contained, needs, rebake, run, tool};
use serde_json::Value;
use std::fs;
use std::path::Path;

#[track_caller]
fn sound(work: &Work, image: &str) -> String {
    attempt(rebake().args(["check", image]).current_dir(work.path())).success().text()
}

/// A script of a builder, in a folder of its own, with namespaces of its own.
#[track_caller]
fn script(work: &Work, text: &str) {
    work.write("ctx/d/f", "content\n");
    work.symlink("f", "ctx/d/s");
    fs::hard_link(work.join("ctx/d/f"), work.join("ctx/d/h")).expect("a hard link");
    let script = work.write("script", format!("set -e\n{text}"));
    run(contained("/bin/sh").arg(script).current_dir(work.path()).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"));
}

/// Three layers: files, a folder emptied, files again.
const BUILDAH: &str = "
B='buildah --root r --runroot rr --storage-driver vfs'
c=$($B from scratch)
$B copy -q $c ctx /a
$B config --env A=b --port 80/tcp --label l=m --cmd /a/d/f $c
$B commit -q $c one >/dev/null
c=$($B from one)
rm $($B mount $c)/a/d/h
$B commit -q $c two >/dev/null
c=$($B from two)
$B copy -q $c ctx /c
for f in oci docker; do
  $B commit -q --format $f $c oci:$f:t >/dev/null
  $B commit -q --format $f $c oci-archive:$f.tar:t >/dev/null
done
$B commit -q --format docker $c docker-archive:archive.tar:x/y:t >/dev/null
$B commit -q $c three >/dev/null
P='podman --root r --runroot rr --tmpdir pt --storage-driver vfs'
$P save -q --format docker-archive -o podman.docker.tar three
$P save -q --format oci-archive -o podman.oci.tar three
";

#[test]
fn of_buildah_and_podman_and_skopeo() {
    if !needs(&["buildah", "podman", "skopeo", "root"]) {
        return;
    }
    let work = Work::new();
    script(&work, BUILDAH);
    let places = [
        "oci",
        "docker",
        "oci:oci:t",
        "oci-archive:oci.tar",
        "oci-archive:docker.tar",
        "docker-archive:archive.tar",
        "docker-archive:podman.docker.tar",
        "oci-archive:podman.oci.tar",
    ];
    for place in places {
        assert_eq!(sound(&work, place), "sound: 1 image, 3 layers", "{place}");
    }
    let oci = format!("oci:{}:t", work.join("oci").display());
    let to = |place: &str| format!("oci:{}:t", work.join(place).display());
    run(tool("skopeo").args(["copy", "-q", "--dest-compress-format=zstd", "--dest-compress", &oci, &to("zstd")]));
    run(tool("skopeo").args([
        "copy",
        "-q",
        "--dest-decompress",
        "--dest-oci-accept-uncompressed-layers",
        &oci,
        &to("plain"),
    ]));
    run(tool("skopeo").args(["copy", "-q", "docker-archive:archive.tar", &to("again")]).current_dir(work.path()));
    for place in ["zstd", "plain", "again"] {
        assert_eq!(sound(&work, place), "sound: 1 image, 3 layers", "{place}");
    }
}

#[test]
fn of_umoci() {
    if !needs(&["umoci", "root"]) {
        return;
    }
    let work = Work::new();
    let umoci = "
umoci init --layout l
umoci new --image l:a
umoci insert --image l:a ctx/d/f /etc/f
umoci unpack --image l:a b
rm b/rootfs/etc/f
cp -a ctx/d b/rootfs/d
umoci repack --image l:b b
umoci config --image l:b --config.env A=b --config.exposedports 80
";
    script(&work, umoci);
    let said = sound(&work, "l");
    assert!(said.contains("[tar-padding]") && said.contains("sound: 2 images, 2 layers"), "{said}");
    run(tool("umoci").args(["gc", "--layout", "l"]).current_dir(work.path()));
    assert!(!sound(&work, "l").contains("that nothing names"));
}

#[test]
fn of_docker() {
    if !needs(&["docker", "dockerd", "root"]) {
        return;
    }
    let work = Work::new();
    // The second layer of equal bytes is a symlink in the archive.
    work.write("ctx/Dockerfile", "FROM scratch\nCOPY d/f /d/f\nENV A=b\nCOPY d/f /d/f\nCOPY d/f /d/f\n");
    let docker = r#"
cat > daemon.json <<E
{"data-root":"$PWD/data","exec-root":"$PWD/exec","pidfile":"$PWD/pid","hosts":["unix://$PWD/sock"],
"storage-driver":"overlay2","iptables":false,"ip6tables":false,"bridge":"none"}
E
dockerd --config-file $PWD/daemon.json >log 2>&1 &
D="docker --host unix://$PWD/sock"
n=0; until $D version >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 300 ] || exit 1; sleep 0.1; done
DOCKER_BUILDKIT=0 $D build -q --network none -t x/y:t ctx >/dev/null
$D save x/y:t -o docker.tar
kill %1 2>/dev/null || kill $(cat pid); wait
"#;
    script(&work, docker);
    // Whether the first layer is one of them, its folder's time decides.
    assert!(sound(&work, "docker-archive:docker.tar").starts_with("sound: 1 image"));
}

#[test]
fn of_a_registry_in_both_dialects() {
    if !needs(&["skopeo", "docker-registry"]) {
        return;
    }
    let (layout, registry) = (Layout::new(), Registry::start());
    let from = format!("oci:{}:v1", layout.path("").display());
    for format in ["oci", "v2s2"] {
        let name = registry.reference(&format!("a/{format}:1"));
        let format = format!("--format={format}");
        let mut copy = tool("skopeo");
        run(copy.args(["copy", "-q", "--dest-tls-verify=false", &format, &from, &format!("docker://{name}")]));
        assert_eq!(layout.codes(&format!("docker://{name}")), "");
    }
    let to = registry.reference("a/same:1");
    skopeo::copy(&from, &format!("docker://{to}"), &["--dest-tls-verify=false"]);
    assert_eq!(layout.codes(&format!("docker://{to}")), "");
    let out = layout.check(&[&format!("docker://{}", registry.reference("a/same:2"))]);
    assert_eq!(out.code(), Some(2), "{out}");
}

/// A registry that has the image of a layout.
fn serve(layout: &Layout, server: &Server) {
    let index: Value = serde_json::from_slice(&fs::read(layout.path("index.json")).expect("bytes")).expect("JSON");
    let top = &index["manifests"][0];
    let digest = top["digest"].as_str().expect("a digest");
    let manifest = fs::read(layout.blob_of(top)).expect("bytes");
    let kind = top["mediaType"].as_str().expect("a type");
    for reference in ["1", digest] {
        let answer = Behaviour::bytes(manifest.clone()).header("Content-Type", kind);
        server.serve(&format!("/v2/a/b/manifests/{reference}"), answer.header("Docker-Content-Digest", digest));
    }
    for name in Work::tree_of(&layout.path("blobs/sha256")) {
        let bytes = fs::read(Path::new(&layout.path("blobs/sha256")).join(&name)).expect("bytes");
        server.serve(&format!("/v2/a/b/blobs/sha256:{name}"), Behaviour::bytes(bytes));
    }
}

#[test]
fn a_registry_that_lies() {
    let (layout, server) = (Layout::new(), Server::start());
    serve(&layout, &server);
    let address = server.url("").trim_start_matches("http://").trim_end_matches('/').to_owned();
    let image = format!("docker://{address}/a/b:1");
    assert_eq!(layout.codes(&image), "");
    let blob = |pointer: &str| {
        let path = layout.blob(pointer);
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (format!("/v2/a/b/blobs/sha256:{name}"), fs::read(path).expect("bytes"))
    };
    // Another byte, fewer, and none at all.
    let (path, whole) = blob("/layers/0");
    let mut other = whole.clone();
    // The start of the only file.
    other[1024] ^= 1;
    server.serve(&path, Behaviour::bytes(other));
    assert_eq!(layout.codes(&image), "diff-id digest");
    server.serve(&path, Behaviour::bytes(&whole[..512]));
    assert_eq!(layout.codes(&image), "size");
    server.serve(&path, Behaviour::status(404));
    assert_eq!(layout.codes(&image), "missing");
    server.serve(&path, Behaviour::bytes(whole));
    let (path, config) = blob("/config");
    server.serve(&path, Behaviour::bytes(vec![b' '; config.len()]));
    assert_eq!(layout.codes(&image), "digest");
    // What a registry refuses says nothing about the image.
    server.serve(&path, Behaviour::status(403));
    let out = layout.check(&[&image]);
    assert_eq!(out.code(), Some(2), "{out}");
}
