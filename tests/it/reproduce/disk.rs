//! Variations of the source tree on disk: of a file only its content and its owner's executable bit count.

use super::source::{Node, Twin, differs, expected, hold, nodes, output, tarred, wrapped};
use crate::support::needs;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

const GNU: &[&str] = &["--format=gnu"];
/// With extended attributes, and without what tar itself makes up.
const PAX: &[&str] = &[
    "--format=posix",
    "--xattrs",
    "--xattrs-include=*",
    "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
];

/// Varies one of two twins: tar sees it, rebake does not.
#[track_caller]
fn unseen(options: &[&str], vary: impl FnOnce(&Twin)) {
    if !needs(&["tar"]) {
        return;
    }
    let (plain, varied) = (Twin::new(), Twin::new());
    let before = tarred(&plain.source(), options);
    assert_eq!(before, tarred(&varied.source(), options), "the control is quiet as long as nothing is varied");
    vary(&varied);
    differs("the tar", &before, &tarred(&varied.source(), options));
    varied.hold(&[]);
}

/// Every file, folder and symlink, the source itself first.
fn all(twin: &Twin) -> Vec<std::path::PathBuf> {
    walkdir::WalkDir::new(twin.source()).into_iter().map(|entry| entry.unwrap().into_path()).collect()
}

#[test]
fn the_source_is_worth_the_trouble() {
    let baked = expected();
    assert!(baked.files.values().all(|(mode, _)| matches!(mode, 0o40755 | 0o100_644)), "{baked:#?}");
    // Index, and for each platform a manifest, a config and five layers, two of them the same for both.
    assert!(baked.files.len() > 12, "{baked:#?}");
    assert!(nodes().keys().any(|path| path.len() > 300));
    assert!(nodes().keys().any(|path| std::str::from_utf8(path).is_err()));
}

#[test]
fn umask() {
    // Modes as git or an editor gives them: all that the umask leaves.
    for mask in ["000", "022", "077"] {
        let (plain, varied) = (Twin::new(), Twin::new());
        for path in all(&plain).iter().filter(|path| !path.is_symlink()) {
            let execute = if fs::metadata(path).unwrap().mode() & 0o100 != 0 { 0o777 } else { 0o666 };
            fs::set_permissions(path, fs::Permissions::from_mode(execute)).unwrap();
        }
        fs::remove_dir_all(varied.source()).unwrap();
        let script = format!("umask {mask} && cp -R \"$0\" \"$1\" && umask");
        let mut copy = Command::new("sh");
        copy.args(["-c", &script]).arg(plain.source()).arg(varied.source());
        assert_eq!(output(copy), format!("0{mask}\n").as_bytes());
        let mode = fs::metadata(varied.at(b"data/twin")).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o666 & !u32::from_str_radix(mask, 8).unwrap(), "the umask {mask} was heeded");
        let wrapper = format!("umask {mask} && exec \"$0\" \"$@\"");
        varied.hold(&["sh", "-c", &wrapper]);
    }
}

#[test]
fn mtime() {
    unseen(GNU, |twin| {
        for (n, path) in all(twin).iter().enumerate() {
            let n = i64::try_from(n).unwrap();
            // Before 1970, sub-second, and past 2106.
            let seconds = [-86_400 * n - 1, 1_600_000_000 + n, 5_000_000_000 + n][usize::try_from(n % 3).unwrap()];
            let time = filetime::FileTime::from_unix_time(seconds, 123_456_789);
            filetime::set_symlink_file_times(path, time, time).unwrap();
        }
    });
}

#[test]
fn owner_and_group() {
    if needs(&["root"]) {
        unseen(GNU, |twin| {
            for (path, id) in all(twin).iter().zip(1000..) {
                std::os::unix::fs::lchown(path, Some(id), Some(id + 7)).unwrap();
            }
        });
    }
}

#[test]
fn modes_but_for_the_owners_executable_bit() {
    let of = |path: &Path| fs::metadata(path).unwrap().mode();
    for (folders, programs, files) in
        [(0o775, 0o775, 0o664), (0o700, 0o700, 0o600), (0o2777, 0o4711, 0o6666), (0o1755, 0o500, 0o455)]
    {
        unseen(GNU, |twin| {
            for path in all(twin).iter().filter(|path| !path.is_symlink()) {
                let mode = match path.is_dir() {
                    true => folders,
                    false if of(path) & 0o100 != 0 => programs,
                    false => files,
                };
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            }
        });
    }
}

#[test]
fn hard_link_or_copy() {
    unseen(GNU, |twin| {
        let (one, two) = (twin.at(b"data/twin"), twin.at(b"data/other/twin"));
        fs::remove_file(&two).unwrap();
        fs::hard_link(&one, &two).unwrap();
        assert_eq!(fs::metadata(&one).unwrap().nlink(), 2);
        // One more name outside of all that is copied.
        fs::hard_link(twin.at(b"data/big"), twin.source().join("elsewhere")).unwrap();
    });
}

#[test]
fn extended_attributes() {
    if !needs(&["setfattr"]) {
        return;
    }
    unseen(PAX, |twin| {
        let set = |name: &str, value: &str, path: &Path| {
            let mut setfattr = Command::new("setfattr");
            setfattr.args(["-n", name, "-v", value]).arg(path);
            output(setfattr);
        };
        for path in [&b"data"[..], b"data/big", b"data/run", b"data/names/latin-\xe9\xff", b"site/css/a.css"] {
            set("user.rebake", "left by a host", &twin.at(path));
        }
        if needs(&["root"]) {
            set("security.capability", "0x0100000200040000000000000000000000000000", &twin.at(b"data/run"));
            set("trusted.overlay.opaque", "y", &twin.at(b"data/hollow"));
        }
    });
}

#[test]
fn sparse_or_full() {
    let (full, sparse) = (Twin::new(), Twin::new());
    let path = sparse.at(b"data/sparse");
    let Some(Node::File { bytes, .. }) = nodes().get(&b"data/sparse"[..]) else { panic!("no such file") };
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(&bytes[..8192]).unwrap();
    file.seek(SeekFrom::Start(8192 + (1 << 20))).unwrap();
    file.write_all(&bytes[8192 + (1 << 20)..]).unwrap();
    assert_eq!(&fs::read(&path).unwrap(), bytes);
    let blocks = |path: &Path| fs::metadata(path).unwrap().blocks();
    fs::File::open(full.at(b"data/sparse")).unwrap().sync_all().unwrap();
    differs("the number of blocks", &blocks(&full.at(b"data/sparse")), &blocks(&path));
    full.hold(&[]);
    sparse.hold(&[]);
}

/// A folder that shows another one in another order, as long as it lives.
struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    fn new(from: &Path, at: &'a Path, how: &[&str]) -> Self {
        fs::create_dir(at).unwrap();
        let mut disorderfs = Command::new("disorderfs");
        disorderfs.arg("-q").args(how).arg(from).arg(at);
        output(disorderfs);
        Self(at)
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let unmounted = |option| Command::new("fusermount").arg(option).arg(self.0).status().is_ok_and(|s| s.success());
        let _ = unmounted("-u") || unmounted("-uz");
    }
}

#[test]
fn order_of_folders() {
    if !needs(&["disorderfs", "fusermount", "root"]) {
        return;
    }
    #[allow(clippy::disallowed_methods, reason = "its order is what is looked at")]
    let listed = |folder: &Path| -> Vec<_> {
        fs::read_dir(folder.join("data/small")).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    let twin = Twin::new();
    let mut orders = vec![listed(&twin.source())];
    for (n, how) in [
        &["--shuffle-dirents=no", "--reverse-dirents=no", "--sort-dirents=yes"][..],
        &["--shuffle-dirents=no", "--reverse-dirents=yes", "--sort-dirents=yes"],
        &["--shuffle-dirents=yes", "--reverse-dirents=no"],
    ]
    .into_iter()
    .enumerate()
    {
        let at = twin.home().join(format!("mounted-{n}"));
        let mount = Mount::new(&twin.source(), &at, how);
        let order = listed(mount.0);
        orders.iter().for_each(|other| differs("the order", other, &order));
        orders.push(order);
        let mut command = super::source::rebake(&[]);
        command.arg("build").arg(mount.0).arg("-o").arg(super::source::destination("oci", &twin.out()));
        hold(command, &twin.out());
    }
    for order in &mut orders {
        order.sort();
    }
    assert!(orders.windows(2).all(|two| two[0] == two[1]), "the names are the same");
}

#[test]
fn another_folder_of_another_name() {
    let twin = Twin::new();
    for name in ["other", "a/much/deeper/one", "größer, mit Leerzeichen", ".hidden/target"] {
        let folder = twin.home().join(name);
        super::source::write(&folder, super::source::RECIPE);
        let tar = |folder: &Path| {
            let mut tar = wrapped(&[], "tar".as_ref());
            tar.args(["--create", "--file=-", "--absolute-names"]).arg(folder.join("rebake.toml"));
            output(tar)
        };
        differs("the tar of the whole path", &tar(&twin.source()), &tar(&folder));
        let mut command = super::source::rebake(&[]);
        command.arg("build").arg(&folder).arg("-o").arg(super::source::destination("oci", &twin.out()));
        hold(command, &twin.out());
    }
}

/// The test can fail: what does count changes the image.
#[test]
fn what_counts_is_seen() {
    type Vary = fn(&Twin);
    let vary: [(&str, Vary); 6] = [
        ("content", |twin| fs::write(twin.at(b"data/twin"), "one of twO").unwrap()),
        ("executable", |twin| {
            fs::set_permissions(twin.at(b"data/twin"), fs::Permissions::from_mode(0o744)).unwrap();
        }),
        ("name", |twin| fs::rename(twin.at(b"data/names/i"), twin.at(b"data/names/j")).unwrap()),
        ("target", |twin| {
            fs::remove_file(twin.at(b"data/link")).unwrap();
            std::os::unix::fs::symlink("run", twin.at(b"data/link")).unwrap();
        }),
        ("bytes of a name", |twin| {
            let to = twin.at(b"data/names").join(std::ffi::OsStr::from_bytes(b"latin-\xe9\xfe"));
            fs::rename(twin.at(b"data/names/latin-\xe9\xff"), to).unwrap();
        }),
        ("empty folder", |twin| fs::remove_dir(twin.at(b"data/hollow/hollow")).unwrap()),
    ];
    let mut seen = vec![expected().printed.clone()];
    for (what, vary) in vary {
        let twin = Twin::new();
        vary(&twin);
        let printed = super::source::Baked::new(twin.build(&[]), &twin.out()).printed;
        assert!(!seen.contains(&printed), "{what} changed nothing");
        seen.push(printed);
    }
}
