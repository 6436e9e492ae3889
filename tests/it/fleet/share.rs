//! What the recipes of one command share is got, opened and made once, and their images are those of one build each.

use super::digests;
use crate::support::http::{Behaviour, Server};
use crate::support::{Output, Work, attempt, needs, rebake, sha256, signal};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Recipes `0.toml`, `1.toml`, ... in one folder, with a store of their own.
struct Fleet {
    work: Work,
    recipes: Vec<String>,
}

/// A text that does not compress away, of so many bytes.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 58) as u8 + b'0'
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

/// A tar.gz of one file, `member`.
fn archive() -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let content = noise(300_000);
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, "member", &content[..]).expect("a member");
    tar.into_inner().and_then(flate2::write::GzEncoder::finish).expect("an archive")
}

impl Fleet {
    /// `inputs` is for all of them; each has a layer `common` of `layer`, and one of its own.
    fn new(count: usize, inputs: &str, layer: &str) -> Fleet {
        let work = Work::new();
        let recipes: Vec<String> = (0..count).map(|n| format!("{n}.toml")).collect();
        for (n, recipe) in recipes.iter().enumerate() {
            let base = if inputs.contains("[inputs.base]") { "base = 'base'\n" } else { "" };
            let text = format!(
                "edition = '2026'\n[image]\nname = 'example/i{n}'\n{base}{inputs}\n[[layer]]\nname = 'common'\n{layer}\n\
                 [[layer]]\nwrite = [{{ to = '/own', text = '{n}' }}]\n"
            );
            work.write(recipe, text);
        }
        Fleet { work, recipes }
    }

    fn command(&self, around: &[&str], args: &[&str]) -> Command {
        let mut words = around.to_vec();
        words.extend([env!("CARGO_BIN_EXE_rebake"), "build"]);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(args).current_dir(self.work.path());
        command.env("REBAKE_CACHE", self.work.join("cache"));
        command
    }

    /// All of them in one command.
    fn bake(&self, around: &[&str], args: &[&str]) -> Output {
        attempt(self.command(around, args).args(&self.recipes))
    }

    /// How often files were opened whose paths hold each of `names`, when all recipes were baked in one command.
    fn opened(&self, names: &[&str], args: &[&str]) -> Vec<usize> {
        self.traced(names, args, &self.recipes)
    }

    /// The same of some recipes.
    fn traced(&self, names: &[&str], args: &[&str], recipes: &[String]) -> Vec<usize> {
        let trace = self.work.join("trace");
        let around = [
            "strace",
            "-f",
            "-z",
            "-qq",
            "-s",
            "300",
            "-e",
            "trace=openat,openat2",
            "-o",
            trace.to_str().expect("UTF-8"),
        ];
        attempt(self.command(&around, args).args(recipes)).success();
        let trace = String::from_utf8(self.work.read("trace")).expect("UTF-8");
        let opens =
            |name: &str| trace.lines().filter(|line| line.contains(name) && !line.contains("O_DIRECTORY")).count();
        names.iter().map(|name| opens(name)).collect()
    }

    fn forget(&self) {
        for folder in ["cache", "rebake-out"] {
            let _ = std::fs::remove_dir_all(self.work.join(folder));
        }
    }
}

#[test]
fn images_are_those_of_one_build_each_and_layouts_stand_by_themselves() {
    let fleet = Fleet::new(8, "", "copy = [{ from = 'shared', to = '/shared' }]");
    fleet.work.write("shared", noise(2_000_000));
    let alone: Vec<String> = fleet
        .recipes
        .iter()
        .map(|recipe| attempt(fleet.command(&[], &["--no-cache"]).arg(recipe)).success().text())
        .collect();
    let whole = Work::tree_of(&fleet.work.join("rebake-out"));
    for args in [&["--jobs", "1"][..], &["--jobs", "8"], &["--jobs", "3", "--no-cache"]] {
        // With and without what an earlier build left, which is nothing at first.
        for _ in 0..2 {
            assert_eq!(fleet.bake(&[], args).success().text(), alone.join("\n"));
            assert_eq!(Work::tree_of(&fleet.work.join("rebake-out")), whole);
        }
        fleet.forget();
    }
    fleet.bake(&[], &[]).success();
    let blobs = "rebake-out/i0/blobs/sha256";
    let largest =
        fleet.work.tree(blobs).into_iter().max_by_key(|blob| fleet.work.read(format!("{blobs}/{blob}")).len());
    let largest = largest.expect("a blob");
    for n in 0..8 {
        let blob = fleet.work.join(format!("rebake-out/i{n}/blobs/sha256/{largest}"));
        assert_eq!(std::fs::metadata(&blob).expect("the common layer").nlink(), 1);
        if n == 3 {
            std::fs::OpenOptions::new()
                .write(true)
                .open(&blob)
                .and_then(|mut file| file.write_all(b"damage"))
                .expect("damage");
        }
    }
    for n in 0..8 {
        let check = attempt(rebake().arg("check").arg(fleet.work.join(format!("rebake-out/i{n}"))));
        assert_eq!(check.code(), Some(i32::from(n == 3)), "{check}");
    }
}

#[test]
fn equal_layers_are_made_once() {
    if !needs(&["strace"]) {
        return;
    }
    let layer = "copy = [{ from = 'shared', to = '/shared' }]";
    let fleet = Fleet::new(6, "", layer);
    fleet.work.write("shared", noise(1_000_000));
    for args in [&["--jobs", "1"][..], &["--jobs", "6"], &["--no-cache"]] {
        assert_eq!(fleet.opened(&["/shared\""], args), [1]);
        fleet.forget();
    }
    // The trace does see every reading: recipes that are built one by one read the file one by one.
    let each = fleet.recipes.iter().map(|recipe| fleet.traced(&["/shared\""], &[], std::slice::from_ref(recipe))[0]);
    assert_eq!(each.sum::<usize>(), 6);
    // Nor are layers equal whose headers differ.
    fleet.forget();
    let text = String::from_utf8(fleet.work.read("3.toml")).expect("UTF-8");
    fleet.work.write("3.toml", text.replace("to = '/shared'", "to = '/shared', mode = '0600'"));
    assert_eq!(fleet.opened(&["/shared\""], &[]), [2]);
}

#[test]
fn an_input_of_all_is_fetched_and_opened_once() {
    if !needs(&["strace"]) {
        return;
    }
    let base = Fleet::new(1, "", "write = [{ to = '/below', text = 'below' }]");
    let told = base.bake(&[], &[]).success().text();
    let digest = told.split_once('@').expect("a digest").1.to_owned();
    let (server, archive) = (Server::start(), archive());
    let sha = sha256(&archive);
    server.serve("/a.tar.gz", Behaviour::bytes(archive));
    let inputs = format!(
        "[inputs.base]\nimage = 'oci:rebase@{digest}'\n[inputs.tool]\nurl = '{}'\nsha256 = '{sha}'\n",
        server.url("/a.tar.gz")
    );
    let fleet = Fleet::new(6, &inputs, "extract = [{ from = { input = 'tool' }, to = '/tool' }]");
    std::fs::rename(base.work.join("rebake-out/i0"), fleet.work.join("rebase")).expect("a base");
    let blobs: Vec<String> = digests(&fleet.work.join("rebase"));
    let layer = blobs.iter().map(|hex| format!("rebase/blobs/sha256/{hex}\"")).collect::<Vec<_>>();
    let stored = format!("/blobs/sha256/{sha}\", O_RDONLY");
    let names: Vec<&str> = std::iter::once(&stored).chain(&layer).map(String::as_str).collect();

    let mut said = Vec::new();
    for jobs in ["1", "6"] {
        let opens = fleet.opened(&names, &["--jobs", jobs]);
        // It was hashed as it came; opened to be read. Each layer of the base is checked once, and copied six times.
        assert_eq!(opens[0], 1, "the archive");
        assert_eq!(opens[1..], vec![7; layer.len()], "the layers of the base");
        said.push(fleet.bake(&[], &[]).success().text());
        fleet.forget();
    }
    assert_eq!(server.requests_of("/a.tar.gz").len(), 2, "once a command that had nothing");
    let mut alone = Vec::new();
    let mut opens = 0;
    for recipe in &fleet.recipes {
        let one = std::slice::from_ref(recipe);
        opens += fleet.traced(&names, &[], one)[0];
        alone.push(attempt(fleet.command(&[], &["--no-cache"]).arg(recipe)).success().text());
        fleet.forget();
    }
    assert_eq!((opens, server.requests_of("/a.tar.gz").len()), (6, 8), "each by itself");
    assert_eq!(said, [alone.join("\n"), alone.join("\n")]);
}

#[test]
fn an_input_that_is_not_to_be_had_is_told_for_each_recipe_and_asked_for_once() {
    let server = Server::start();
    server.serve("/gone", Behaviour::status(404));
    let inputs = format!("[inputs.tool]\nurl = '{}'\nsha256 = '{}'\n", server.url("/gone"), "0".repeat(64));
    let fleet = Fleet::new(3, &inputs, "copy = [{ from = { input = 'tool' }, to = '/tool' }]");
    // One that needs nothing is not built either, and one that has a reason of its own says it.
    fleet.work.write("1.toml", "edition = '2026'\n[image]\nname = 'example/i1'\n[[layer]]\n");
    let other = format!("#\n{}", String::from_utf8(fleet.work.read("2.toml")).expect("UTF-8"));
    fleet.work.write("2.toml", other);
    for jobs in ["1", "3"] {
        let before = server.requests().len();
        let output = fleet.bake(&[], &["--jobs", jobs]);
        assert_eq!(output.code(), Some(2), "{output}");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains("--> 0.toml:5:7") && error.contains("--> 2.toml:6:7"), "{error}");
        assert!(!error.contains("1.toml") && output.text().is_empty(), "{output}");
        assert_eq!(server.requests().len(), before + 1);
        assert!(!fleet.work.join("rebake-out").exists());
    }
}

#[test]
fn an_archive_that_is_none_is_told_and_the_others_are_as_they_were() {
    let fleet = Fleet::new(3, "", "extract = [{ from = 'shared.tar', to = '/' }]");
    fleet.work.write("shared.tar", "no tar");
    fleet.work.write("0.toml", "edition = '2026'\n[image]\nname = 'example/i0'\n[[layer]]\n");
    let output = fleet.bake(&[], &["--jobs", "1"]);
    assert_eq!(output.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--> 1.toml"), "{output}");
    assert!(fleet.work.join("rebake-out/i0/oci-layout").is_file() && !fleet.work.join("rebake-out/i1").exists());
}

#[test]
fn who_waits_for_an_input_or_a_layer_heeds_an_interrupt() {
    // For an input that never comes.
    let (server, content) = (Server::start(), noise(100_000));
    let inputs = format!("[inputs.tool]\nurl = '{}'\nsha256 = '{}'\n", server.url("/slow"), sha256(&content));
    server.serve("/slow", Behaviour::bytes(content).stall_after(1000));
    let waiting = Fleet::new(4, &inputs, "copy = [{ from = { input = 'tool' }, to = '/tool' }]");
    interrupted(&waiting, || !server.requests().is_empty());
    assert_eq!(server.requests().len(), 1);
    // For a layer that takes long.
    let busy = Fleet::new(4, "", "copy = [{ from = 'shared', to = '/shared' }]");
    busy.work.write("shared", noise(60_000_000));
    let begun = || busy.work.tree("rebake-out").iter().any(|path| path.contains("/blobs/sha256/"));
    interrupted(&busy, begun);
}

#[test]
fn two_layers_of_an_image_are_written_at_a_time() {
    let work = Work::new();
    let mut text = "edition = '2026'\n[image]\nname = 'example/i'\ncompression = { gzip = 'fast' }\n".to_owned();
    for n in 0..5 {
        work.write(format!("{n}/noise"), noise(3_000_000 + n));
        text += &format!("[[layer]]\ncopy = [{{ from = '{n}/', to = '/{n}' }}]\n");
    }
    work.write("0.toml", text);
    let fleet = Fleet { work, recipes: vec!["0.toml".to_owned()] };
    let mut said = Vec::new();
    for (jobs, most) in [("1", 1), ("2", 2), ("8", 2)] {
        let mut command = fleet.command(&[], &["--no-cache", "--jobs", jobs, "0.toml"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("rebake");
        let mut seen = 0;
        // A blob that is not finished has a name that is no digest; one that is waits for its disk at most.
        while child.try_wait().expect("a child").is_none() {
            let open = fleet.work.path().join("rebake-out");
            let open = walkdir::WalkDir::new(open).into_iter().flatten().filter(|entry| {
                let growing = entry.metadata().is_ok_and(|metadata| (1..2_000_000).contains(&metadata.len()));
                entry.file_type().is_file() && growing && entry.path().to_string_lossy().contains("/blobs/sha256/.")
            });
            seen = seen.max(open.count());
            sleep(Duration::from_millis(1));
        }
        let output = child.wait_with_output().expect("its end");
        assert!(output.status.success());
        said.push(output.stdout);
        assert_eq!(seen, most, "with {jobs} workers");
    }
    assert!(said.iter().all(|one| *one == said[0]), "the order of the layers is the recipe's");
}

/// Interrupts a build once it is `begun`: it ends soon and leaves nothing.
fn interrupted(fleet: &Fleet, begun: impl Fn() -> bool) {
    let mut command = fleet.command(&[], &["--jobs", "4"]);
    let child = command.args(&fleet.recipes).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("rebake");
    let patience = Instant::now() + Duration::from_secs(60);
    while !begun() {
        assert!(Instant::now() < patience, "it never began");
        sleep(Duration::from_millis(5));
    }
    sleep(Duration::from_millis(100));
    let asked = Instant::now();
    signal("INT", &child.id().to_string());
    let output = child.wait_with_output().expect("its end");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(2), true), "{error}");
    assert!(error.starts_with("error: interrupted"), "{error}");
    assert_eq!(fleet.work.tree("rebake-out"), Vec::<String>::new());
}
