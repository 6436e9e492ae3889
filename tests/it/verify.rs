//! Is a published image what its recipe says? Images are published, tampered with, and held against recipes and their origins.

mod lock;
mod origin;
mod rungs;

use crate::support::{Output, Work, attempt, rebake};
use serde_json::Value;
use std::path::Path;

/// Two layers, a label, an annotation: enough to be tampered with.
const RECIPE: &str = r#"edition = "2026"
[image]
name = "example/verified"
version = "1.0.0"
[config]
cmd = ["/bin/app"]
[config.labels]
"com.example.team" = "red"
[annotations]
"com.example.note" = "as baked"
[[layer]]
name = "first"
[[layer.copy]]
from = "site/"
to = "/srv/"
[[layer.copy]]
from = "tool"
to = "/bin/app"
mode = "0755"
[[layer]]
name = "second"
[[layer.write]]
to = "/etc/motd"
text = "one\ntwo\nthree\n"
"#;

/// `rebake` in a folder, deaf to git's configuration of this machine.
fn command(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = rebake();
    command.args(arguments).current_dir(folder).env_remove("SOURCE_DATE_EPOCH");
    attempt(command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1"))
}

/// `rebake verify` with these arguments: its JSON document, and its exit status.
#[track_caller]
fn judged(folder: &Path, arguments: &[&str]) -> (Value, Option<i32>) {
    let output = command(folder, &[&["verify", "--json"], arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    (json, output.code())
}

/// The recipe `published` with its files.
fn published(work: &Work) -> std::path::PathBuf {
    work.write("published/site/index.html", "<p>hello</p>\n");
    work.write("published/site/style.css", "p { color: red }\n");
    work.write("published/tool", "#!/bin/sh\necho tool\n");
    work.write("published/rebake.toml", RECIPE);
    work.join("published")
}
