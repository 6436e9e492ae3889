//! The image that tells what it finds when it is run.

use crate::support::{Image, Sample, Work};
use serde_json::json;
use std::fs;
use std::path::Path;

/// What it prints when it is run as it is.
pub const REPORT: &str = "user 8080 app\ngroup 8080 app\nfolder /srv\ngreeting hello, world\narguments by default\n\
                          motd Baked, and baked again.\nlink busybox\npage <p>It runs.</p>";

/// What it prints when it is run with `on arguments`.
pub const REPORT_ON_ARGUMENTS: &str = "user 8080 app\ngroup 8080 app\nfolder /srv\ngreeting hello, world\n\
                                       arguments on arguments\nmotd Baked, and baked again.\nlink busybox\n\
                                       page <p>It runs.</p>";

/// The page it serves when it is run with `serve ADDRESS:PORT`.
pub const PAGE: &str = "<p>It runs.</p>\n";

/// The entry point. `sleep` stays, for a health check; `serve` stays and serves.
const SCRIPT: &str = r#"#!/bin/sh
case $1 in
sleep) exec sleep 600 ;;
serve) trap exit TERM; httpd -f -p "$2" -h /srv/www & wait ;;
esac
echo "user $(id -u) $(id -un)"
echo "group $(id -g) $(id -gn)"
echo "folder $PWD"
echo "greeting $GREETING"
echo "arguments $*"
echo "motd $(cat /etc/motd)"
echo "link $(readlink /bin/sh)"
echo "page $(cat www/index.html)"
"#;

const MOTD: &str = "Baked, and baked again.\n";

const RECIPE: &str = r#"
edition = "2026"

[image]
name = "example.com/acme/probe"
version = "1"
tags = ["{version}"]

[config]
entrypoint = ["/bin/sh", "/usr/bin/report"]
cmd = ["by", "default"]
user = "app"
workdir = "/srv"
ports = [8080]
volumes = ["/data"]
stop-signal = "SIGTERM"

[config.env]
GREETING = "hello, world"

[config.labels]
"org.opencontainers.image.title" = "probe"

[config.healthcheck]
test = ["CMD", "/bin/busybox", "true"]
interval = "1s"

[users.app]
uid = 8080
home = "/srv"

[[layer]]
name = "busybox"

[[layer.copy]]
from = "busybox"
to = "/bin/busybox"

[[layer.link]]
path = "/bin/sh"
target = "busybox"

[[layer]]
name = "app"

[[layer.copy]]
from = "report"
to = "/usr/bin/"
mode = "0755"

[[layer.copy]]
from = "www"
to = "/srv/www"

[[layer.write]]
to = "/etc/motd"
text = "Baked, and baked again.\n"

[[layer.mkdir]]
path = "/data"
owner = "app"
"#;

/// The probe baked by rebake.
pub fn ours(work: &Work) -> Image {
    baked(work, "gzip")
}

/// As [`ours`], with a compression.
pub fn baked(work: &Work, compression: &str) -> Image {
    let recipe = RECIPE.replace("version = \"1\"\n", &format!("version = \"1\"\ncompression = \"{compression}\"\n"));
    work.write("recipe/rebake.toml", recipe);
    work.write_mode("recipe/busybox", 0o755, busybox());
    work.write("recipe/report", SCRIPT);
    work.write("recipe/www/index.html", PAGE);
    Image::baked(work, "recipe")
}

/// The same image, made without rebake.
pub fn control(work: &Work) -> Image {
    packed(work, "gzip")
}

/// As [`control`], with a compression.
pub fn packed(work: &Work, compression: &str) -> Image {
    work.write_mode("rootfs/bin/busybox", 0o755, busybox());
    work.symlink("busybox", "rootfs/bin/sh");
    work.write_mode("rootfs/usr/bin/report", 0o755, SCRIPT);
    work.write("rootfs/srv/www/index.html", PAGE);
    work.write("rootfs/etc/motd", MOTD);
    work.write("rootfs/etc/passwd", "app:x:8080:8080::/srv:/sbin/nologin\n");
    work.write("rootfs/etc/group", "app:x:8080:\n");
    work.mkdir("rootfs/data");
    let config = json!({
        "Entrypoint": ["/bin/sh", "/usr/bin/report"],
        "Cmd": ["by", "default"],
        "User": "app",
        "WorkingDir": "/srv",
        "ExposedPorts": { "8080/tcp": {} },
        "Volumes": { "/data": {} },
        "StopSignal": "SIGTERM",
        "Env": ["GREETING=hello, world", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "Labels": { "org.opencontainers.image.title": "probe" },
        "Healthcheck": { "Test": ["CMD", "/bin/busybox", "true"], "Interval": 1_000_000_000 },
    });
    Sample { name: "example.com/acme/probe", tag: "1", config, compression }.write(work, "rootfs")
}

/// Debian's static busybox: it runs where there is no library.
fn busybox() -> Vec<u8> {
    fs::read(Path::new("/bin/busybox")).expect("/bin/busybox")
}
