//! Inputs, lock and store as a user meets them: rebake as a program, and real servers, registries and repositories.

mod git;
mod image;
mod same;
mod store;
mod text;
mod url;

use crate::support::{Output, Work, attempt, rebake};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// A user's desk: a recipe's folder, with a store and a home of its own.
pub struct Desk {
    /// `recipe/` is the recipe's folder, `cache/` the store.
    pub work: Work,
}

impl Desk {
    pub fn new() -> Desk {
        let work = Work::new();
        work.mkdir("recipe");
        work.mkdir("home");
        Desk { work }
    }

    /// With a recipe of these inputs; each is copied to `/NAME`, but for `base`.
    pub fn with(platforms: &[&str], inputs: &str) -> Desk {
        let desk = Desk::new();
        desk.recipe(platforms, inputs);
        desk
    }

    /// Writes the recipe anew.
    pub fn recipe(&self, platforms: &[&str], inputs: &str) {
        self.work.write("recipe/rebake.toml", text(platforms, inputs));
    }

    /// rebake in the recipe's folder, deaf to what the host has set.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = rebake();
        command.args(args).current_dir(self.work.join("recipe"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.work.join("home")).env("REBAKE_CACHE", self.cache());
        command
    }

    pub fn cache(&self) -> PathBuf {
        self.work.join("cache")
    }

    /// The files of the store, by their hex digests.
    pub fn kept(&self) -> Vec<String> {
        self.work.tree("cache/blobs/sha256")
    }

    /// Runs it; its standard output, once it ended with 0.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> String {
        attempt(&mut self.command(args)).success().text()
    }

    /// Runs it; what it said on both outputs, once it ended with `code`.
    #[track_caller]
    pub fn ends(&self, code: i32, args: &[&str]) -> String {
        ended(code, &attempt(&mut self.command(args)))
    }

    pub fn lock_path(&self) -> PathBuf {
        self.work.join("recipe/rebake.lock")
    }

    /// The lock's text.
    #[track_caller]
    pub fn lock(&self) -> String {
        String::from_utf8(self.work.read("recipe/rebake.lock")).expect("UTF-8")
    }

    /// The digest of the image that `build` gives now.
    #[track_caller]
    pub fn digest(&self, args: &[&str]) -> String {
        let told = self.run(&[&["build"], args].concat());
        told.rsplit('@').next().expect("a digest").to_owned()
    }

    /// A file of the last layer of the image that was built last, on one of its platforms.
    #[track_caller]
    pub fn content(&self, platform: usize, path: &str) -> String {
        let document =
            |digest: &str| self.work.read(format!("recipe/rebake-out/probe/blobs/{}", digest.replace(':', "/")));
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("JSON");
        let digest = |value: &Value| value["digest"].as_str().expect("a digest").to_owned();
        let mut top = json(&self.work.read("recipe/rebake-out/probe/index.json"));
        while let Some(manifests) = top["manifests"].as_array() {
            let one = manifests.get(platform).unwrap_or(&manifests[0]);
            top = json(&document(&digest(one)));
        }
        let layers = top["layers"].as_array().expect("layers");
        let layer = document(&digest(layers.last().expect("a layer")));
        let mut tar = tar::Archive::new(&layer[..]);
        for entry in tar.entries().expect("entries") {
            let mut entry = entry.expect("an entry");
            if entry.path_bytes() == path.as_bytes() {
                return std::io::read_to_string(&mut entry).expect("content");
            }
        }
        panic!("no {path}");
    }
}

/// What it said on both outputs, once it ended with `code`: no panic, no half words.
#[track_caller]
pub fn ended(code: i32, output: &Output) -> String {
    assert_eq!(output.code(), Some(code), "{output}");
    let said = format!("{}{}", output.text(), String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains("panicked"), "{output}");
    said
}

/// The recipe of [`Desk::with`].
pub fn text(platforms: &[&str], inputs: &str) -> String {
    let names = inputs.lines().filter_map(|line| line.strip_prefix("[inputs.")?.strip_suffix(']'));
    let base = if inputs.contains("[inputs.base]") { "base = \"base\"\n" } else { "" };
    let mut text = format!(
        "edition = \"2026\"\n[image]\nname = \"example.com/acme/probe\"\nplatforms = {platforms:?}\ncompression = \"none\"\n{base}{inputs}\n\
         [[layer]]\n[[layer.write]]\nto = \"/written\"\ntext = \"here\"\n"
    );
    for name in names.filter(|name| *name != "base") {
        text += &format!("[[layer.copy]]\nfrom = {{ input = \"{name}\" }}\nto = \"/{name}\"\n");
    }
    text
}

/// Asserts that a text has all these parts, in this order.
#[track_caller]
pub fn assert_says(said: &str, parts: &[&str]) {
    let mut rest = said;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("no {part:?} in its place in\n{said}"));
        rest = &rest[at + part.len()..];
    }
}
