//! Archives made by the tools that people use, read by us and by Python's tarfile and zipfile, which must see the same.

use rebake::layer::read::{Ending, RawEntry, RawKind, TarReader};
use rebake::source::archive::{self, Archive, Limits};
use rebake::tree::{Attributes, Kind};
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

/// Runs a tool; the first word of `package` is its Debian package.
fn run(package: &str, dir: &Path, program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(args).current_dir(dir).env("LC_ALL", "C.UTF-8").env("TZ", "UTC").output();
    let output = output.unwrap_or_else(|e| panic!("{program}: {e}; apt-get install {package}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {errors}");
    output.stdout
}

fn temp() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A folder `t` with one of everything.
struct Fixture {
    dir: TempDir,
}

impl Fixture {
    /// `longest`: the number of bytes of the longest path.
    fn new(longest: usize) -> Self {
        let dir = temp();
        let root = dir.path().join("t");
        fs::create_dir(&root).unwrap();
        fs::create_dir(root.join("folder")).unwrap();
        fs::write(root.join("folder/hello"), "hello\n").unwrap();
        fs::write(root.join("empty"), "").unwrap();
        fs::write(root.join("block"), [7; 512]).unwrap();
        fs::write(root.join("odd"), [8; 513]).unwrap();
        fs::write(root.join(OsStr::from_bytes(b"caf\xe9")), "latin-1").unwrap();
        fs::write(root.join("new\nline"), "newline").unwrap();
        fs::set_permissions(root.join("odd"), fs::Permissions::from_mode(0o4711)).unwrap();
        fs::hard_link(root.join("odd"), root.join("same")).unwrap();
        symlink("folder/hello", root.join("link")).unwrap();
        run("coreutils", &root, "mkfifo", &["pipe"]);
        let mut deep = root.clone();
        let mut left = longest.saturating_sub(2);
        while left > 60 {
            deep.push("d".repeat(50));
            fs::create_dir(&deep).unwrap();
            left -= 51;
        }
        fs::write(deep.join("f".repeat(left)), "deep").unwrap();
        symlink("s".repeat(longest.min(100) - 1), root.join("far")).unwrap();
        if longest > 255 {
            symlink("s".repeat(300), root.join("very-far")).unwrap();
        }
        Self { dir }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Sixty pieces of 4 KiB with holes between them, and a hole at the end.
    fn sparse(&self) {
        let file = File::create(self.path().join("t/sparse")).unwrap();
        for piece in 0..60_u8 {
            file.write_all_at(&[piece + 1; 4096], u64::from(piece) * 16384 + 4096).unwrap();
        }
        file.set_len(2_000_001).unwrap();
        let hole = File::create(self.path().join("t/all-hole")).unwrap();
        hole.set_len(100_000).unwrap();
    }

    fn xattrs(&self) {
        for (name, value) in [("user.note", "0x610a62003d63"), ("user.empty", "0x")] {
            run("attr", self.path(), "setfattr", &["-n", name, "-v", value, "t/folder/hello"]);
        }
    }

    fn tar(&self, args: &[&str]) -> PathBuf {
        let archive = self.path().join("out.tar");
        let all = [&["-cf", "out.tar", "--sort=name"], args, &["t"]].concat();
        run("tar", self.path(), "tar", &all);
        archive
    }
}

/// What we see: one line an entry, as [`PYTHON`] writes them.
fn ours(bytes: &[u8]) -> (Vec<String>, Ending) {
    let mut tar = TarReader::new(bytes);
    let mut lines = Vec::new();
    while let Some(entry) = tar.next().unwrap() {
        let mut content = Vec::new();
        tar.data().read_to_end(&mut content).unwrap();
        if let Some(extent) = tar.contiguous() {
            let at = usize::try_from(extent.offset).unwrap();
            assert_eq!(&bytes[at..at + content.len()], content);
        }
        lines.push(line(&entry, &content));
    }
    (lines, tar.finish().unwrap())
}

fn line(entry: &RawEntry, content: &[u8]) -> String {
    let (kind, size, link) = match &entry.kind {
        RawKind::Directory => ("dir".to_owned(), 0, &b""[..]),
        RawKind::File { size } => ("file".to_owned(), *size, &b""[..]),
        RawKind::HardLink(target) => ("hard".to_owned(), 0, &target[..]),
        RawKind::Symlink(target) => ("sym".to_owned(), 0, &target[..]),
        RawKind::CharDevice(major, minor) => (format!("chr {major} {minor}"), 0, &b""[..]),
        RawKind::BlockDevice(major, minor) => (format!("blk {major} {minor}"), 0, &b""[..]),
        RawKind::Fifo => ("fifo".to_owned(), 0, &b""[..]),
    };
    assert_eq!(content.len() as u64, size);
    let name = entry.path.strip_suffix(b"/").unwrap_or(&entry.path);
    let Attributes { mode, uid, gid, mtime, xattrs } = &entry.attributes;
    let xattrs: Vec<String> = xattrs.iter().map(|(k, v)| format!("{}={}", hex(k), hex(v))).collect();
    let (name, link, digest, xattrs) = (hex(name), hex(link), hex(&Sha256::digest(content)), xattrs.join(","));
    format!("{name} {kind} {mode:o} {uid} {gid} {size} {mtime} {link} {digest} {xattrs}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const PYTHON: &str = r#"
import hashlib, math, os, sys, tarfile
kinds = {b"1": "hard", b"2": "sym", b"5": "dir", b"6": "fifo"}
raw = lambda text: text.encode("utf-8", "surrogateescape")
with tarfile.open(sys.argv[1], "r:", encoding="utf-8", errors="surrogateescape") as tar:
    for m in tar:
        if m.type == b"V":
            continue
        content = tar.extractfile(m).read() if m.isreg() else b""
        kind = "file" if m.isreg() else kinds.get(m.type)
        if m.isdev() and not m.isfifo():
            kind = "%s %d %d" % ("chr" if m.ischr() else "blk", m.devmajor, m.devminor)
        x = {raw(k[13:]): raw(v) for k, v in m.pax_headers.items() if k.startswith("SCHILY.xattr.")}
        x = ",".join("%s=%s" % (k.hex(), v.hex()) for k, v in sorted(x.items()))
        link = raw(m.linkname).hex() if m.islnk() or m.issym() else ""
        print(raw(m.name).hex(), kind, "%o" % (m.mode & 0o7777), m.uid, m.gid, len(content), math.floor(m.mtime), link,
              hashlib.sha256(content).hexdigest(), x)
"#;

fn pythons(archive: &Path) -> Vec<String> {
    let archive = archive.to_str().unwrap();
    let output = run("python3", Path::new("/"), "python3", &["-c", PYTHON, archive]);
    String::from_utf8(output).unwrap().lines().map(str::to_owned).collect()
}

fn agree(archive: &Path, what: &str) -> Vec<String> {
    let (ours, ending) = ours(&fs::read(archive).unwrap());
    let theirs = pythons(archive);
    assert!(ours.len() >= 10, "{what}: {} entries", ours.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs, "{what}");
    }
    assert_eq!(ours.len(), theirs.len(), "{what}");
    assert_eq!(ending, Ending { blocks: 2, trailing: false, padded: true }, "{what}");
    ours
}

#[test]
fn gnu_tar_in_every_format() {
    let long = Fixture::new(700);
    for format in ["oldgnu", "gnu", "posix"] {
        for extra in [&[][..], &["--owner=:3000000000", "--group=:2500000"], &["--mtime=1960-05-05 05:05:05.75"]] {
            agree(&long.tar(&[&["--format", format], extra].concat()), format);
        }
        agree(&long.tar(&["--format", format, "-V", "a label"]), "with a volume label");
    }
    agree(&Fixture::new(200).tar(&["--format=ustar"]), "ustar");
    agree(&Fixture::new(99).tar(&["--format=v7", "--exclude=pipe"]), "v7");
}

#[test]
fn gnu_tar_sparse() {
    let fixture = Fixture::new(300);
    fixture.sparse();
    let dense = agree(&fixture.tar(&["--format=gnu"]), "dense");
    for args in [
        &["-S", "--format=gnu"][..],
        &["-S", "--format=oldgnu"],
        &["--sparse-version=0.0", "--format=posix"],
        &["--sparse-version=0.1", "--format=posix"],
        &["--sparse-version=1.0", "--format=posix"],
    ] {
        let archive = fixture.tar(&[&["-S"], args].concat());
        assert!(fs::metadata(&archive).unwrap().len() < 600_000, "{args:?} made no sparse archive");
        assert_eq!(agree(&archive, &format!("{args:?}")), dense, "{args:?}");
    }
}

#[test]
fn gnu_tar_xattrs() {
    let fixture = Fixture::new(300);
    fixture.xattrs();
    let archive = fixture.tar(&["--format=posix", "--xattrs", "--xattrs-include=*"]);
    let lines = agree(&archive, "xattrs");
    let note = format!("{}=610a62003d63", hex(b"user.note"));
    assert!(lines.iter().any(|line| line.contains(&note)), "{lines:#?}");
}

#[test]
fn devices() {
    let dir = temp();
    run("tar", Path::new("/dev"), "tar", &["-cf", dir.path().join("dev.tar").to_str().unwrap(), "null", "zero"]);
    let archive = dir.path().join("dev.tar");
    let (ours, _) = ours(&fs::read(&archive).unwrap());
    assert_eq!(ours, pythons(&archive));
    assert!(ours[0].contains(" chr 1 3 "), "{ours:?}");
}

#[test]
fn bsdtar_in_every_format() {
    let fixture = Fixture::new(700);
    fixture.sparse();
    fixture.xattrs();
    for format in ["pax", "gnutar"] {
        run("libarchive-tools", fixture.path(), "bsdtar", &["--format", format, "-cf", "out.tar", "t"]);
        agree(&fixture.path().join("out.tar"), format);
    }
    let short = Fixture::new(90);
    for format in ["ustar", "v7"] {
        run("libarchive-tools", short.path(), "bsdtar", &["--format", format, "--exclude=pipe", "-cf", "out.tar", "t"]);
        agree(&short.path().join("out.tar"), format);
    }
}

/// Python writes what other tools cannot be made to: devices of any number, ids that need base 256, old times.
#[test]
fn python_tarfile_in_every_format() {
    let script = r#"
import io, sys, tarfile
for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
    with tarfile.open("%s%d.tar" % (sys.argv[1], form), "w", format=form, encoding="utf-8", errors="surrogateescape") as tar:
        def add(name, type, content=b"", **more):
            m = tarfile.TarInfo(name)
            m.type, m.size = type, len(content)
            for key, value in more.items():
                setattr(m, key, value)
            tar.addfile(m, io.BytesIO(content))
        add("dir", tarfile.DIRTYPE, mode=0o1777)
        add("chr", tarfile.CHRTYPE, devmajor=5, devminor=2097151)
        add("blk", tarfile.BLKTYPE, devmajor=253, devminor=0)
        add("fifo", tarfile.FIFOTYPE)
        for n in range(4):
            add("f%d" % n, tarfile.REGTYPE, b"x" * 511 * n, mtime=n)
        add("cont", tarfile.CONTTYPE, b"contiguous")
        add("old", tarfile.AREGTYPE, b"old file")
        if form != tarfile.USTAR_FORMAT:
            add("big", tarfile.REGTYPE, b"big", uid=2**40, gid=2**31, mtime=-12345)
            add("l" * 300, tarfile.SYMTYPE, linkname="t" * 400)
            add("h" * 300, tarfile.LNKTYPE, linkname="l" * 300)
        if form == tarfile.PAX_FORMAT:
            for n, mtime in enumerate((-0.5, 0.5, -1.0, 1e9 + 0.999)):
                add("time%d" % n, tarfile.REGTYPE, b"", mtime=mtime)
    "#;
    let dir = temp();
    run("python3", dir.path(), "python3", &["-c", script, "out"]);
    for format in 0..3 {
        agree(&dir.path().join(format!("out{format}.tar")), &format!("python {format}"));
    }
}

/// A small archive with extended headers of all kinds.
fn small() -> Vec<u8> {
    let fixture = Fixture::new(300);
    fixture.xattrs();
    let file = File::create(fixture.path().join("t/sparse")).unwrap();
    file.write_all_at(b"x", 100_000).unwrap();
    let some = ["t/folder", "t/very-far", "t/sparse", "t/odd", "t/same"];
    let args = ["-S", "--xattrs", "--format=posix", "--blocking-factor=1", "-cf", "out.tar"];
    run("tar", fixture.path(), "tar", &[&args[..], &some].concat());
    fs::read(fixture.path().join("out.tar")).unwrap()
}

fn read_all(bytes: &[u8]) -> Result<Vec<RawEntry>, rebake::layer::read::TarError> {
    let mut tar = TarReader::new(bytes);
    let mut entries = Vec::new();
    while let Some(entry) = tar.next()? {
        let mut buf = [0; 1000];
        while tar.read_data(&mut buf)? > 0 {}
        entries.push(entry);
    }
    tar.finish()?;
    Ok(entries)
}

#[test]
fn a_truncated_tar_is_an_error_or_a_clean_prefix() {
    let bytes = small();
    let whole = read_all(&bytes).unwrap();
    let mut errors = 0;
    for end in (0..bytes.len()).step_by(97) {
        match read_all(&bytes[..end]) {
            Ok(entries) => {
                assert_eq!(entries, whole[..entries.len()]);
                // Between two entries, or in the padding of one.
                let rest = &bytes[end..end.next_multiple_of(512)];
                assert!(entries.len() == whole.len() || rest.iter().all(|&b| b == 0), "cut at {end}");
            }
            Err(error) => {
                errors += 1;
                assert!(error.to_string().contains("truncated") || error.to_string().contains("describes"), "{error}");
            }
        }
    }
    assert!(errors > 50, "{errors}");
}

#[test]
fn a_flipped_byte_never_panics() {
    let bytes = small();
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0xff;
        let _ = read_all(&bytes);
        bytes[at] ^= 0x80;
        let _ = read_all(&bytes);
    }
}

fn open(path: &Path) -> Result<Archive, archive::ArchiveError> {
    archive::open(path, path.parent().unwrap(), &Limits::default(), &AtomicBool::new(false))
}

/// What [`archive`] sees, hard links as files with content.
fn members(archive: &Archive) -> Vec<String> {
    let lines = archive.members.iter().map(|member| {
        let mut content = Vec::new();
        let (kind, target) = match &member.kind {
            Kind::File { content: slice, size, link } => {
                slice.reader().read_to_end(&mut content).unwrap();
                assert_eq!(content.len() as u64, *size);
                (format!("file {link:?}"), String::new())
            }
            Kind::Symlink { target } => ("sym".to_owned(), hex(target)),
            Kind::Directory => ("dir".to_owned(), String::new()),
            other => (format!("{other:?}"), String::new()),
        };
        let digest = hex(&Sha256::digest(&content));
        format!("{} {kind} {target} {:?} {digest}", member.path, member.attributes)
    });
    lines.collect()
}

#[test]
fn an_archive_is_the_same_in_every_compression() {
    let fixture = Fixture::new(700);
    fixture.sparse();
    let tar = fixture.tar(&["-S", "--format=posix"]);
    let plain = members(&open(&tar).unwrap());
    assert_eq!(plain.iter().filter(|line| line.contains("file Some(LinkId(0))")).count(), 2);
    for (package, program, args, suffix) in [
        ("gzip", "gzip", &["-k"][..], "gz"),
        ("xz-utils", "xz", &["-k"], "xz"),
        ("zstd", "zstd", &["-q", "-k"], "zst"),
        ("bzip2", "bzip2", &["-k"], "bz2"),
    ] {
        run(package, fixture.path(), program, &[args, &["out.tar"]].concat());
        let compressed = fixture.path().join(format!("out.tar.{suffix}"));
        assert_eq!(members(&open(&compressed).unwrap()), plain, "{program}");

        let bytes = fs::read(&compressed).unwrap();
        let broken = fixture.path().join("broken");
        // Some bytes before the end the tar is whole, but the compressed stream is not.
        for end in [bytes.len() - 1, bytes.len() - 5, bytes.len() / 2, 20] {
            fs::write(&broken, &bytes[..end]).unwrap();
            let error = open(&broken).unwrap_err().to_string();
            assert!(error.contains("truncated") && error.contains("broken"), "{program} {end}: {error}");
        }
        for at in (0..bytes.len()).step_by(bytes.len() / 200) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x55;
            fs::write(&broken, &bytes).unwrap();
            if let Ok(archive) = open(&broken) {
                assert_eq!(members(&archive), plain, "{program} {at}");
            }
        }
        fs::write(fixture.path().join("text"), "no archive at all\n".repeat(99)).unwrap();
        run(package, fixture.path(), program, &[args, &["-f", "text"]].concat());
        let error = open(&fixture.path().join(format!("text.{suffix}"))).unwrap_err().to_string();
        assert!(error.ends_with("is no tar or zip archive"), "{error}");
    }
}

const PYTHON_ZIP: &str = r#"
import calendar, hashlib, stat, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    for i in z.infolist():
        mode = i.external_attr >> 16
        content = z.read(i)
        kind = "sym" if stat.S_ISLNK(mode) else "dir" if i.is_dir() else "file"
        name = i.filename if i.flag_bits & 0x800 else i.filename.encode("cp437").decode()
        print("/" + name.rstrip("/"), kind, "%o" % (mode & 0o7777), hashlib.sha256(content).hexdigest())
"#;

#[test]
fn info_zip() {
    let fixture = Fixture::new(300);
    for name in ["pipe", "new\nline"] {
        fs::remove_file(fixture.path().join("t").join(name)).unwrap();
    }
    fs::remove_file(fixture.path().join("t").join(OsStr::from_bytes(b"caf\xe9"))).unwrap();
    fs::write(fixture.path().join("t/café"), "utf-8").unwrap();
    let hello = File::options().write(true).open(fixture.path().join("t/folder/hello")).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_234_567_891);
    hello.set_modified(time).unwrap();
    run("zip", fixture.path(), "zip", &["-qry", "out.zip", "t"]);
    let zip = fixture.path().join("out.zip");
    let archive = open(&zip).unwrap();
    let ours: Vec<String> = archive
        .members
        .iter()
        .map(|member| {
            let (kind, content) = match &member.kind {
                Kind::File { content, .. } => {
                    let mut bytes = Vec::new();
                    content.reader().read_to_end(&mut bytes).unwrap();
                    ("file", bytes)
                }
                Kind::Symlink { target } => ("sym", target.to_vec()),
                Kind::Directory => ("dir", Vec::new()),
                other => panic!("{other:?}"),
            };
            format!("{} {kind} {:o} {}", member.path, member.attributes.mode, hex(&Sha256::digest(&content)))
        })
        .collect();
    let theirs = run("python3", Path::new("/"), "python3", &["-c", PYTHON_ZIP, zip.to_str().unwrap()]);
    assert_eq!(ours, String::from_utf8(theirs).unwrap().lines().collect::<Vec<_>>());
    let hello = archive.members.iter().find(|member| member.path.as_bytes() == b"t/folder/hello").unwrap();
    assert_eq!(hello.attributes.mtime, 1_234_567_891);

    let bytes = fs::read(&zip).unwrap();
    let broken = fixture.path().join("broken.zip");
    for at in (0..bytes.len()).step_by(3) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x55;
        fs::write(&broken, &bytes).unwrap();
        let _ = open(&broken);
    }
    for end in (4..bytes.len()).step_by(61) {
        fs::write(&broken, &bytes[..end]).unwrap();
        open(&broken).unwrap_err();
    }

    run("zip", fixture.path(), "zip", &["-qr", "-P", "secret", "locked.zip", "t/folder/hello"]);
    let error = open(&fixture.path().join("locked.zip")).unwrap_err().to_string();
    assert!(error.ends_with("locked.zip: its member `t/folder/hello` is encrypted"), "{error}");
}
