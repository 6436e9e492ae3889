//! Pantries: filled, checked, carried to a registry and back, met in a bad state, and interrupted.

mod carry;
mod check;
mod fill;
mod hostile;
mod interrupt;

use crate::support::http::{Behaviour, Server};
use crate::support::{Output, Sample, Work, attempt, rebake, run, tool};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What these tests need.
pub const NEEDED: &[&str] = &["git", "tar", "gzip", "skopeo"];

/// A folder with recipes and all kinds of inputs, a server for URLs, and a cache of its own.
pub struct Kitchen {
    pub work: Work,
    pub server: Server,
}

impl Kitchen {
    /// Two recipes, locked, with what they expect recorded: `app` for two platforms, with files, links, patterns, an ignore
    /// file, a URL and a git tree; `svc`, in JSON, on a base image, with images of other kinds.
    pub fn new() -> Kitchen {
        let kitchen = Kitchen { work: Work::new(), server: Server::start() };
        kitchen.app();
        kitchen.svc();
        kitchen.ok(&["lock", "--record", "app", "svc"]);
        kitchen
    }

    /// One small recipe with a URL: `one`.
    pub fn small() -> Kitchen {
        let kitchen = Kitchen { work: Work::new(), server: Server::start() };
        kitchen.server.serve("/file", Behaviour::bytes("from afar"));
        kitchen.recipe("one", &kitchen.url_recipe("one", "1.0.0"));
        kitchen.ok(&["lock", "--record", "one"]);
        kitchen
    }

    /// A recipe with one file from a URL.
    pub fn url_recipe(&self, name: &str, version: &str) -> String {
        let url = self.server.url("/file");
        format!(
            "edition = '2026'\n[image]\nname = 'example.com/{name}'\nversion = '{version}'\n[inputs.file]\nurl = '{url}'\n\
             [[layer]]\nname = '{version}'\n[[layer.copy]]\nfrom = {{ input = 'file' }}\nto = '/file'\n"
        )
    }

    /// Writes a recipe.
    pub fn recipe(&self, folder: &str, text: &str) {
        self.work.write(format!("{folder}/rebake.toml"), text);
    }

    fn app(&self) {
        let work = &self.work;
        work.write("assets/readme", "from git\n");
        self.git("assets", &["init", "--quiet"]);
        self.commit("assets");
        for arch in ["amd64", "arm64"] {
            self.server.serve(&format!("/tool-{arch}"), Behaviour::bytes(format!("a tool for {arch}")));
        }
        for file in ["conf/a.toml", "conf/b.toml", "conf/c.txt", "site/index.html", "site/drop.log", "real/deep/x"] {
            work.write(format!("app/{file}"), file);
        }
        work.write_mode("app/bin/run", 0o755, "#!/bin/sh\n");
        work.write("app/ignore", "**/*.log\n");
        work.write("app/unused", "no statement names it");
        work.symlink("index.html", "app/site/start.html");
        work.symlink("real/deep", "app/way");
        let url = self.server.url("/tool-{arch}");
        self.recipe(
            "app",
            &format!(
                "edition = '2026'\n[image]\nname = 'example.com/app'\nplatforms = ['linux/amd64', 'linux/arm64']\n\
                 [inputs.tool]\nurl = '{url}'\n[inputs.assets]\ngit = '../assets'\n[[layer]]\nname = 'all'\ncopy = [\n\
                 {{ from = {{ input = 'tool' }}, to = '/tool' }},\n{{ from = {{ input = 'assets' }}, to = '/assets/' }},\n\
                 {{ from = 'conf/*.toml', to = '/etc/' }},\n{{ from = 'way/x', to = '/x' }},\n{{ from = 'bin/run', to = '/run' }},\n\
                 {{ from = 'site/', to = '/site/', ignore-file = 'ignore' }},\n]\n"
            ),
        );
    }

    fn svc(&self) {
        let work = &self.work;
        for name in ["one", "two", "three"] {
            work.write(format!("{name}/etc/{name}"), name);
            let tag = "1";
            Sample { name: "example.com/sample", tag, config: json!({}), compression: "gzip" }.write(work, name);
        }
        work.write("svc/local", "a file");
        let from =
            |input: &str, to: &str| json!({ "from": { "input": input, "path": format!("etc/{input}") }, "to": to });
        let recipe = json!({
            "edition": "2026",
            "image": { "name": "example.com/svc", "base": "one" },
            "inputs": {
                "one": { "image": "oci:../one.layout:1" },
                "two": { "image": "oci-archive:../two.oci.tar" },
                "three": { "image": "docker-archive:../three.docker.tar" },
            },
            "layer": [{ "name": "svc", "copy": [{ "from": "local", "to": "/local" }, from("two", "/2"), from("three", "/3")] }],
        });
        work.write("svc/rebake.json", recipe.to_string());
    }

    /// The program, in the folder, with the cache.
    pub fn rebake(&self, args: &[&str]) -> Command {
        self.set_up(rebake(), args)
    }

    /// The same below another program.
    pub fn wrapped(&self, around: &[&str], args: &[&str]) -> Command {
        let mut command = tool(around[0]);
        command.args(&around[1..]).arg(env!("CARGO_BIN_EXE_rebake"));
        self.set_up(command, args)
    }

    fn set_up(&self, mut command: Command, args: &[&str]) -> Command {
        command.args(args).current_dir(self.work.path()).env("REBAKE_CACHE", self.work.join("cache"));
        for name in ["SOURCE_DATE_EPOCH", "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs it.
    pub fn attempt(&self, args: &[&str]) -> Output {
        let output = attempt(&mut self.rebake(args));
        assert!(!output.said().contains("panicked"), "{output}");
        output
    }

    /// Runs it; it has to be content. What it printed.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        self.attempt(args).success().text()
    }

    /// Runs it; it has to end with `code`. Both of what it printed and said.
    #[track_caller]
    pub fn ends(&self, code: i32, args: &[&str]) -> String {
        let output = self.attempt(args);
        assert_eq!(output.code(), Some(code), "{output}");
        format!("{}\n{}", output.text(), output.said())
    }

    /// Runs it with `--json`; the document.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.attempt(&[args, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"))
    }

    /// Asks git in a folder.
    #[track_caller]
    pub fn git(&self, folder: &str, args: &[&str]) -> String {
        let mut git = tool("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always"]);
        git.args(["-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false", "-C"]).arg(self.work.join(folder));
        run(git.args(args)).text()
    }

    /// Commits all there is.
    #[track_caller]
    pub fn commit(&self, folder: &str) {
        self.git(folder, &["add", "--all"]);
        self.git(folder, &["commit", "--quiet", "--message", "x"]);
    }

    /// Takes everything away but the pantry and the cache: no server, no images, no git.
    pub fn lose_everything(&self) {
        for path in ["/tool-amd64", "/tool-arm64", "/file"] {
            self.server.serve(path, Behaviour::status(404));
        }
        for path in fs::read_dir(self.work.path()).expect("a folder") {
            let path = path.expect("an entry").path();
            if path.is_dir() && !path.ends_with("P") {
                fs::remove_dir_all(path).expect("gone");
            } else if path.is_file() {
                fs::remove_file(path).expect("gone");
            }
        }
    }
}

impl Output {
    /// What it said, as text.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// The files of a pantry, below it.
pub fn files(pantry: &Path) -> Vec<PathBuf> {
    let all = Work::tree_of(pantry);
    all.into_iter().filter(|path| !path.ends_with('/')).map(PathBuf::from).collect()
}

/// Flips a bit of a file.
pub fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("a file");
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("a file");
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    run(tool("cp").arg("-a").arg(from).arg(to));
}
