//! A build that takes over what an earlier one made gives the bytes of a build that does not, whatever happened between.

use crate::recipes::REPOSITORY;
use crate::support::{Work, attempt, needs, rebake, run, sha256, tool};
use rebake::build::{Failure, Goal, Order, Stamping, build};
use rebake::image::Batch;
use rebake::layer::write::{self, Content, Identity, Manner, Outline, Past, Workers};
use rebake::layout::Staging;
use rebake::oci::{Compression, Digest, ImageName, Sink};
use rebake::rebuild::Rebuild;
use rebake::recipe::Syntax;
use rebake::record::Stamp;
use rebake::supply::{Reach, Supply};
use rebake::tree::{Attributes, Entry, EntryPath, Firmness, Kind, Origin, Tree};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A generator of numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    /// Lines that compress well, and noise that does not, so that a layer's blob has a begin of some length too.
    fn text(&mut self, length: usize) -> Vec<u8> {
        let mut text = Vec::with_capacity(length + 4096);
        while text.len() < length {
            let word = self.throw(1 << 20);
            match word % 16 {
                0 => text.extend((0..512).flat_map(|_| (self.throw(1 << 31) as u64 * 0x1_0003).to_le_bytes())),
                _ => text.extend(format!("{word} is a number, and this is what follows it, on a line\n").into_bytes()),
            }
        }
        text.truncate(length);
        text
    }
}

/// Later than every file is: even one that was just changed counts as old.
fn later() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 + 10
}

/// Builds a recipe into a layout; the bytes of its index.
fn bake(folder: &Path, recipe: &str, layout: &Path, rebuild: Option<&Rebuild>) -> Vec<u8> {
    bake_with(folder.parent().unwrap(), folder, recipe, layout, rebuild).unwrap_or_else(|failure| panic!("{failure}"))
}

/// The same, with a place for what is unpacked.
fn bake_with(
    scratch: &Path,
    folder: &Path,
    recipe: &str,
    layout: &Path,
    rebuild: Option<&Rebuild>,
) -> Result<Vec<u8>, Failure> {
    let interrupt = AtomicBool::new(false);
    let supply = Supply {
        pantries: &[],
        store: None,
        reach: Reach::Disk,
        folder,
        shared: None,
        scratch,
        interrupt: &interrupt,
        notice: &|_| {},
    };
    let order = Order {
        text: recipe,
        syntax: Syntax::Toml,
        lock: None,
        supply,
        source_date_epoch: None,
        batch: &Batch::new(2, 1),
        stamping: Stamping::Any,
    };
    let destination = ImageName::layout(layout.to_owned());
    let goal = Goal { destination: Some(&destination), output: Path::new("out"), locked: false, rebuild, inputs: None };
    build(&order, &goal)?;
    Ok(fs::read(layout.join("index.json")).unwrap())
}

fn recipe(compression: &str) -> String {
    format!(
        "edition = \"2026\"\n[image]\nname = \"x\"\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\ncompression = \"{compression}\"\n[[layer]]\n[[layer.copy]]\nfrom = \"files\"\nto = \"/\"\n[[layer.write]]\nto = \"/zz\"\ntext = \"same\"\n"
    )
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// One thing that happens to a folder between two builds; its name.
fn edit(dice: &mut Dice, folder: &Path) -> String {
    let files = files(folder);
    let one = files[dice.throw(files.len())].clone();
    let other = files[dice.throw(files.len())].clone();
    let what = match dice.throw(12) {
        0 => {
            filetime::set_file_mtime(&one, filetime::FileTime::from_unix_time(dice.throw(1 << 30) as i64, 5)).unwrap();
            "touched"
        }
        1 | 2 => {
            // The same size, and the old mtime.
            let mtime = filetime::FileTime::from_last_modification_time(&fs::metadata(&one).unwrap());
            let file = fs::File::options().write(true).open(&one).unwrap();
            let at = dice.throw(file.metadata().unwrap().len().max(1) as usize) as u64;
            file.write_all_at(b"!", at).unwrap();
            filetime::set_file_mtime(&one, mtime).unwrap();
            "one byte, mtime set back"
        }
        3 => {
            let mut bytes = fs::read(&one).unwrap();
            let length = 1 + dice.throw(300_000);
            bytes.extend(dice.text(length));
            fs::write(&one, bytes).unwrap();
            "grown"
        }
        4 => {
            let bytes = fs::read(&one).unwrap();
            fs::write(&one, &bytes[..bytes.len() / 2]).unwrap();
            "shrunk"
        }
        5 => {
            let length = dice.throw(400_000);
            fs::write(folder.join(format!("new-{}", dice.throw(1000))), dice.text(length)).unwrap();
            "added"
        }
        6 if files.len() > 20 => {
            fs::remove_file(&one).unwrap();
            "removed"
        }
        7 => {
            fs::rename(&one, folder.join(format!("renamed-{}", dice.throw(1000)))).unwrap();
            "renamed"
        }
        8 => {
            let mode = fs::metadata(&one).unwrap().mode() ^ 0o111;
            fs::set_permissions(&one, fs::Permissions::from_mode(mode)).unwrap();
            "mode"
        }
        9 => {
            let aside = folder.join("aside");
            fs::rename(&one, &aside).unwrap();
            if one != other {
                fs::rename(&other, &one).unwrap();
            }
            fs::rename(&aside, &other).unwrap();
            "swapped"
        }
        10 => {
            let length = fs::metadata(&one).unwrap().len() as usize;
            fs::write(folder.join("aside"), dice.text(length)).unwrap();
            fs::rename(folder.join("aside"), &one).unwrap();
            "replaced"
        }
        _ => "nothing",
    };
    format!("{what}: {} {}", one.display(), other.display())
}

#[test]
fn a_rebuild_gives_the_bytes_of_a_cold_build_after_any_edit() {
    for (seed, compression) in [(1, "gzip"), (2, "zstd"), (3, "none")] {
        let work = Work::new();
        let folder = work.mkdir("recipe");
        let source = work.mkdir("recipe/files");
        let mut dice = Dice(seed);
        for n in 0..24 {
            let length = dice.throw(400_000);
            fs::write(source.join(format!("file-{n:02}")), dice.text(length)).unwrap();
        }
        let recipe = recipe(compression);
        let mut history = Vec::new();
        for _ in 0..10 {
            // A file system counts time in ticks; the build takes a file that changed in another tick for another one.
            std::thread::sleep(Duration::from_millis(15));
            let rebuild = Rebuild::new(work.join("cache"), later());
            let warm = bake(&folder, &recipe, &work.join("warm"), Some(&rebuild));
            let cold = bake(&folder, &recipe, &work.join("cold"), None);
            assert!(warm == cold, "{compression}: {history:#?}");
            run(std::process::Command::new("diff").arg("-r").arg(work.join("warm")).arg(work.join("cold"))).success();
            for _ in 0..dice.throw(3) {
                history.push(edit(&mut dice, &source));
            }
        }
        // What was called unchanged so far was so, or the records were never used: this one must be.
        let rebuild = Rebuild::new(work.join("cache"), later());
        bake(&folder, &recipe, &work.join("warm"), Some(&rebuild));
        let before = fs::metadata(work.join("warm/index.json")).unwrap();
        bake(&folder, &recipe, &work.join("warm"), Some(&rebuild));
        assert_eq!(fs::metadata(work.join("warm/index.json")).unwrap().ino(), before.ino());
    }
}

/// Content that says what it is, and counts how often it is read.
#[derive(Debug)]
struct Counted {
    bytes: Vec<u8>,
    number: u64,
    reads: AtomicUsize,
}

impl PartialEq for Counted {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Content for Counted {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(&*self.bytes))
    }

    fn identity(&self) -> Identity<'_> {
        // A file that nobody changes meanwhile.
        let stamp = Stamp::of(&fs::metadata(Path::new(REPOSITORY).join("Cargo.toml")).unwrap());
        Identity::Stamp { stamp, offset: self.number, length: 0 }
    }
}

fn counted(dice: &mut Dice, changed: Option<usize>) -> Tree<Counted> {
    let mut tree = Tree::default();
    for n in 0..40 {
        let bytes = dice.text(300_000);
        let (bytes, number) = if changed == Some(n) { (b"changed".to_vec(), 1000) } else { (bytes, n as u64) };
        let size = bytes.len() as u64;
        let content = Counted { bytes, number, reads: AtomicUsize::new(0) };
        let kind = Kind::File { content, size, link: None };
        let entry = Entry { attributes: Attributes::default(), kind, firmness: Firmness::Stated, origin: Origin(0) };
        tree.insert(EntryPath::parse(format!("file-{n:02}")).unwrap(), entry).unwrap();
    }
    tree
}

fn read(tree: &Tree<Counted>) -> Vec<bool> {
    let reads = |entry: &Entry<Counted>| match &entry.kind {
        Kind::File { content, .. } => content.reads.load(Ordering::Relaxed) > 0,
        _ => false,
    };
    tree.entries().map(|(_, entry)| reads(entry)).collect()
}

#[test]
fn only_what_follows_a_change_is_read_and_a_damaged_blob_is_found() {
    let work = Work::new();
    for compression in [Compression::Gzip, Compression::GzipFast, Compression::Zstd, Compression::None] {
        takes_over(work.path(), compression);
    }
}

/// A disk that shares parts of files, which most disks of test machines do not.
#[test]
fn what_the_disk_shares_is_right_too() {
    if !needs(&["root", "mkfs.xfs", "mount"]) {
        return;
    }
    let work = Work::new();
    fs::File::create(work.join("disk.img")).unwrap().set_len(512 << 20).unwrap();
    run(tool("mkfs.xfs").arg("-q").arg(work.join("disk.img"))).success();
    let disk = work.mkdir("disk");
    if attempt(tool("mount").args(["-o", "loop"]).arg(work.join("disk.img")).arg(&disk)).code() != Some(0) {
        eprintln!("this machine mounts no images");
        return;
    }
    let result = std::panic::catch_unwind(|| {
        let staging = Staging::begin(&disk.join("layout")).unwrap();
        let noise: Vec<u8> = Dice(1).text(3_000_000);
        fs::write(disk.join("old"), &noise).unwrap();
        let mut blob = staging.blob().unwrap();
        let shared = blob.share(&fs::File::open(disk.join("old")).unwrap(), 2_000_001).unwrap().expect("XFS shares");
        assert_eq!(shared.metadata().unwrap().len(), 2_000_001);
        blob.write_all(b"more").unwrap();
        let content = [&noise[..2_000_001], b"more"].concat();
        blob.commit(Digest::of(&content)).unwrap();
        let path = staging.path().join("blobs/sha256").join(Digest::of(&content).hex());
        assert!(fs::read(path).unwrap() == content);
        // Too short to begin with.
        let mut blob = staging.blob().unwrap();
        assert!(blob.share(&fs::File::open(disk.join("old")).unwrap(), 3_000_001).unwrap().is_none());
        drop((blob, shared, staging));
        takes_over(&disk, Compression::GzipFast);
        takes_over(&disk, Compression::None);
    });
    run(tool("umount").arg(&disk)).success();
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// Builds a layer again and again, with changes and with a damaged blob.
fn takes_over(folder: &Path, compression: Compression) {
    let interrupt = AtomicBool::new(false);
    let workers = Workers::new(2);
    let manner = Manner { mtime: 0, compression, workers: &workers, interrupt: &interrupt };
    let staging = Staging::begin(&folder.join("layout")).unwrap();
    let blob = |digest: Digest| staging.path().join("blobs/sha256").join(digest.hex());
    let tree = counted(&mut Dice(7), None);
    let outline = Outline::of(&tree, 0, compression, i64::MAX).unwrap();
    let made = write::write_again(&tree, &manner, &staging, &outline, None).unwrap();
    assert!(read(&tree).iter().all(|read| *read));
    let kept = made.blocks.iter().filter(|block| block.blob_before.is_some()).count();
    assert_eq!(kept > 2, compression != Compression::None, "the blob's begin can be taken over");

    let mut cold = BTreeMap::new();
    let mut again = |changed: Option<usize>, damage: Option<u64>| {
        let old = folder.join("old");
        fs::copy(blob(made.layer.digest), &old).unwrap();
        if let Some(at) = damage {
            let file = fs::File::options().read(true).write(true).open(&old).unwrap();
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ 1], at).unwrap();
        }
        let tree = counted(&mut Dice(7), changed);
        let outline = Outline::of(&tree, 0, compression, i64::MAX).unwrap();
        let past = Past { made: made.clone(), blob: fs::File::open(&old).unwrap() };
        let warm = write::write_again(&tree, &manner, &staging, &outline, Some(&past)).unwrap();
        let read = read(&tree);
        let written = Digest::of(&fs::read(blob(warm.layer.digest)).unwrap());
        assert_eq!(written, warm.layer.digest, "{compression:?} {changed:?} {damage:?}");
        let cold = cold
            .entry(changed)
            .or_insert_with(|| write::write(&tree, 0, compression, &staging, 2, &interrupt).unwrap());
        assert_eq!(warm.layer, *cold, "{compression:?} {changed:?} {damage:?}");
        (warm, read)
    };
    let (same, unread) = again(None, None);
    assert_eq!(same.layer, made.layer);
    assert!(same.blocks == made.blocks, "the next build knows as much");
    assert!(!unread[0] && !unread[13], "{unread:?}");
    let (_, late) = again(Some(33), None);
    assert!(!late[0] && !late[13] && late[33] && late[39], "{late:?}");
    let (_, early) = again(Some(1), None);
    assert!(early.iter().all(|read| *read));
    for at in [3, 10, made.layer.size / 2, made.layer.size - 20] {
        again(Some(33), Some(at));
    }
}

#[test]
fn what_stands_twice_is_taken_over_in_both_places_and_so_is_what_comes_before_an_end() {
    let work = Work::new();
    let interrupt = AtomicBool::new(false);
    let layer = |last: &[(&str, usize)]| {
        let mut tree = Tree::default();
        let twice = ["a", "b"].iter().flat_map(|folder| (0..6).map(move |n| (format!("{folder}/{n}"), n, 700_000)));
        let last = last.iter().map(|&(path, size)| (path.to_owned(), 100 + size as u64, size));
        for (path, number, size) in twice.chain(last) {
            let content = Counted { bytes: Dice(number).text(size), number, reads: AtomicUsize::new(0) };
            let kind = Kind::File { content, size: size as u64, link: None };
            let entry =
                Entry { attributes: Attributes::default(), kind, firmness: Firmness::Stated, origin: Origin(0) };
            tree.insert(EntryPath::parse(path).unwrap(), entry).unwrap();
        }
        tree
    };
    for compression in [Compression::GzipFast, Compression::None] {
        let workers = Workers::new(2);
        let manner = Manner { mtime: 0, compression, workers: &workers, interrupt: &interrupt };
        let staging = Staging::begin(&work.join("layout")).unwrap();
        let mut past = None;
        // The last block of one is the same entries as another block of the next, and not the same bytes: the end is in it.
        for last in [&[("y", 10)][..], &[("y", 11)], &[("y", 11), ("z", 700_000)], &[("y", 11)]] {
            let tree = layer(last);
            let outline = Outline::of(&tree, 0, compression, i64::MAX).unwrap();
            let made = write::write_again(&tree, &manner, &staging, &outline, past.as_ref()).unwrap();
            let read = read(&tree);
            let cold = write::write(&tree, 0, compression, &staging, 2, &interrupt).unwrap();
            assert_eq!(made.layer, cold, "{compression:?} {last:?}");
            if past.is_some() {
                assert!(!read[..9].contains(&true), "{compression:?} {last:?} {read:?}");
            }
            let blob = fs::File::open(staging.path().join("blobs/sha256").join(cold.digest.hex())).unwrap();
            past = Some(Past { made, blob });
        }
    }
}

#[test]
fn an_edit_in_the_second_of_the_build_counts_and_no_cache_makes_everything_again() {
    let work = Work::new();
    work.write("rebake.toml", recipe("gzip").replace("[\"linux/amd64\", \"linux/arm64\"]", "[\"linux/amd64\"]"));
    work.write("files/a", "1");
    let digest = |arguments: &[&str]| {
        let mut command = rebake();
        command.current_dir(work.path()).env("REBAKE_CACHE", work.join("cache")).arg("build").args(arguments);
        run(&mut command).success().text()
    };
    for n in 2..8 {
        work.write("files/a", n.to_string());
        let warm = digest(&[]);
        assert_eq!(warm, digest(&["--no-cache", "-o", "cold"]), "{n}");
    }
    let index = || fs::metadata(work.join("rebake-out/x/index.json")).unwrap().ino();
    // Old enough to be believed.
    std::thread::sleep(Duration::from_millis(4100));
    digest(&[]);
    let before = index();
    digest(&[]);
    assert_eq!(index(), before, "nothing was written");
    // A record that no build used for a month goes, and one that is used stays although nothing changes.
    let used = files(&work.join("cache/rebuild"));
    fs::write(work.join("cache/rebuild/unused"), "").unwrap();
    let long_ago = filetime::FileTime::from_unix_time(later() - 31 * 24 * 60 * 60, 0);
    files(&work.join("cache/rebuild")).iter().for_each(|record| filetime::set_file_mtime(record, long_ago).unwrap());
    digest(&[]);
    assert_eq!(index(), before, "nothing was written");
    assert_eq!(files(&work.join("cache/rebuild")), used);
    digest(&["--no-cache"]);
    assert_ne!(index(), before, "everything was written");
    // A damaged record is none; so is a layout in which something else was put.
    digest(&[]);
    let record = files(&work.join("cache/rebuild")).remove(0);
    fs::File::options().write(true).open(&record).unwrap().write_all_at(b"x", 40).unwrap();
    let before = index();
    let again = digest(&[]);
    assert_ne!(index(), before);
    work.write("rebake-out/x/blobs/sha256/other", "");
    assert_eq!(digest(&[]), again);
    assert!(!work.join("rebake-out/x/blobs/sha256/other").exists());
}

#[test]
fn what_a_base_holds_is_kept_and_read_again_only_by_who_trusts_nothing() {
    let work = Work::new();
    let base = "edition = \"2026\"\n[image]\nname = \"base\"\n[[layer]]\n[[layer.write]]\nto = \"/etc/passwd\"\ntext = \"root:x:0:0::/:\\nme:x:7:7::/:\\n\"\n[[layer.link]]\npath = \"/lib\"\ntarget = \"usr/lib\"\n[[layer.mkdir]]\npath = \"/usr/lib\"\nmode = \"0700\"\n";
    work.write("base/rebake.toml", base);
    let command = |folder: &str, arguments: &[&str]| {
        let mut command = rebake();
        command.current_dir(work.join(folder)).env("REBAKE_CACHE", work.join("cache")).args(arguments);
        command
    };
    run(&mut command("base", &["build", "-o", "oci:../app/base"])).success();
    work.write(
        "app/rebake.toml",
        "edition = \"2026\"\n[image]\nname = \"app\"\nbase = \"base\"\n[inputs.base]\nimage = \"oci:base\"\n[[layer]]\n[[layer.copy]]\nfrom = \"files/\"\nto = \"/lib/\"\nowner = \"me\"\n",
    );
    work.write("app/files/a", "1");
    run(&mut command("app", &["lock"])).success();
    let build = |arguments: &[&str]| attempt(command("app", &["build"]).args(arguments));
    let kept = || files(&work.join("cache/rebuild")).iter().filter(|path| named(path, "lower-")).count();
    let first = build(&[]).success().text();
    assert_eq!(kept(), 1);
    // What is found through what was kept is the same: the symlink, the folder's mode, the user.
    work.write("app/files/a", "2");
    let warm = build(&[]).success().text();
    assert_ne!(warm, first);
    assert_eq!(warm, build(&["--no-cache", "-o", "cold"]).success().text());
    assert_eq!(warm, build(&["--locked", "-o", "locked"]).success().text());
    // The layer of the base is not read any more: it may be damaged, and the image has a copy of its own.
    let blobs = work.join("app/base/blobs/sha256");
    let layer = files(&blobs).into_iter().find(|path| fs::read(path).unwrap().starts_with(&[0x1f, 0x8b])).unwrap();
    let sound = fs::read(&layer).unwrap();
    fs::write(&layer, [&sound[..sound.len() - 1], b"x"].concat()).unwrap();
    work.write("app/files/a", "3");
    let third = build(&[]).success().text();
    for arguments in [&["--no-cache"][..], &["--locked"], &["-o", "elsewhere"]] {
        let failed = build(arguments);
        assert_eq!(failed.code(), Some(2), "{arguments:?}");
        let error = String::from_utf8_lossy(&failed.stderr);
        assert!(error.contains("digest"), "{arguments:?}: {error}");
    }
    fs::write(&layer, &sound).unwrap();
    assert_eq!(third, build(&["--no-cache", "-o", "cold"]).success().text());
    // Another size in the manifest is another base, which nobody has looked at.
    let index = fs::read_to_string(work.join("app/base/index.json")).unwrap();
    let manifest = index.split("sha256:").nth(1).unwrap().get(..64).unwrap();
    let text = fs::read_to_string(blobs.join(manifest)).unwrap();
    let told = format!("\"size\":{}}}]", sound.len());
    assert!(text.contains(&told), "{text}");
    let lie = text.replace(&told, &format!("\"size\":{}}}]", sound.len() + 1));
    assert_eq!(lie.len(), text.len());
    fs::write(blobs.join(sha256(lie.as_bytes())), &lie).unwrap();
    fs::write(work.join("app/base/index.json"), index.replace(manifest, &sha256(lie.as_bytes()))).unwrap();
    run(&mut command("app", &["lock", "--update"])).success();
    assert_eq!(build(&[]).code(), Some(2));
    fs::write(work.join("app/base/index.json"), &index).unwrap();
    run(&mut command("app", &["lock", "--update"])).success();
    // A damaged record is none.
    let record = files(&work.join("cache/rebuild")).into_iter().find(|path| named(path, "lower-")).unwrap();
    fs::write(&record, "x").unwrap();
    assert_eq!(third, build(&[]).success().text());
    // Neither is a pipe, for which nobody waits.
    for record in files(&work.join("cache/rebuild")) {
        fs::remove_file(&record).unwrap();
        run(tool("mkfifo").arg(&record)).success();
    }
    assert_eq!(third, build(&[]).success().text());
}

/// An archive with a user of that number, and of each kind of member one.
fn archive(user: u32, content: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none()));
    let passwd = format!("root:x:0:0::/:\nme:x:{user}:{user}::/:\n");
    let members = [
        ("usr/", tar::EntryType::Directory, "", ""),
        ("usr/a", tar::EntryType::Regular, "", content),
        ("etc/passwd", tar::EntryType::Regular, "", &passwd),
        ("usr/empty", tar::EntryType::Regular, "", ""),
        ("usr/b", tar::EntryType::Link, "usr/a", ""),
        ("lib", tar::EntryType::Symlink, "usr", ""),
        ("pipe", tar::EntryType::Fifo, "", ""),
    ];
    for (name, kind, target, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o640);
        header.set_mtime(7);
        header.set_size(content.len() as u64);
        match kind {
            tar::EntryType::Link | tar::EntryType::Symlink => tar.append_link(&mut header, name, target).unwrap(),
            _ => tar.append_data(&mut header, name, content.as_bytes()).unwrap(),
        }
    }
    tar.into_inner().and_then(flate2::write::GzEncoder::finish).unwrap()
}

#[test]
fn an_archive_is_unpacked_only_for_a_layer_that_is_not_there() {
    let work = Work::new();
    let recipe = "edition = \"2026\"\n[image]\nname = \"x\"\n[[layer]]\n[[layer.extract]]\nfrom = \"a.tar.gz\"\nto = \"/\"\n[[layer]]\n[[layer.copy]]\nfrom = \"file\"\nto = \"/lib/file\"\nowner = \"me\"\n";
    let folder = work.join("recipe");
    let (layout, cold, scratch, none) = (work.join("layout"), work.join("cold"), work.path(), work.join("not/there"));
    let rebuild = Rebuild::new(work.join("records"), later());
    let bake_in = |scratch: &Path, layout: &Path, rebuild| bake_with(scratch, &folder, recipe, layout, rebuild);
    work.write("recipe/a.tar.gz", archive(7, "content"));
    work.write("recipe/file", "1");
    let first = bake_in(scratch, &layout, Some(&rebuild)).unwrap();
    assert_eq!(first, bake_in(scratch, &cold, None).unwrap());
    assert!(files(&work.join("records")).iter().any(|path| named(path, "archive-")));
    // Nothing can be unpacked from here on, and nothing need be; the user comes out of the archive too.
    assert_eq!(first, bake_in(&none, &layout, Some(&rebuild)).unwrap());
    work.write("recipe/file", "2");
    let second = bake_in(&none, &layout, Some(&rebuild)).unwrap();
    assert_ne!(first, second);
    assert_eq!(second, bake_in(scratch, &cold, None).unwrap());
    // A place that has none of it, and who trusts nothing.
    assert!(bake_in(&none, &work.join("new"), Some(&rebuild)).is_err());
    assert!(bake_in(&none, &cold, None).is_err());
    assert_eq!(second, bake_in(scratch, &work.join("new"), Some(&rebuild)).unwrap());
    // Another archive of the same length and time.
    let time = fs::metadata(work.join("recipe/a.tar.gz")).unwrap().modified().unwrap();
    let other = archive(8, "CONTENT");
    assert_eq!(other.len(), archive(7, "content").len());
    work.write("recipe/a.tar.gz", other);
    fs::File::options().write(true).open(work.join("recipe/a.tar.gz")).unwrap().set_modified(time).unwrap();
    let third = bake_in(scratch, &layout, Some(&rebuild)).unwrap();
    assert_ne!(third, second);
    assert_eq!(third, bake_in(scratch, &cold, None).unwrap());
    // A damaged record is none.
    for record in files(&work.join("records")).iter().filter(|path| named(path, "archive-")) {
        fs::write(record, "x").unwrap();
    }
    assert_eq!(third, bake_in(scratch, &layout, Some(&rebuild)).unwrap());
}

fn named(path: &Path, begin: &str) -> bool {
    path.file_name().unwrap().to_string_lossy().starts_with(begin)
}
