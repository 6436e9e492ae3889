//! Variations of the machine code: how rebake was compiled, and the processor that runs it.

use super::source::{Baked, Twin, differs, hold, noise, output, rebake, text, wrapped};
use crate::support::needs;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The program of the other profile. Cargo builds it, which is nothing to do where it stands already.
pub fn other() -> &'static Path {
    static OTHER: OnceLock<PathBuf> = OnceLock::new();
    OTHER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_rebake")).parent().unwrap();
        let release = folder.ends_with("release");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--locked", "--bin", "rebake"]).args((!release).then_some("--release"));
        cargo.arg("--manifest-path").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        output(cargo);
        folder.with_file_name(if release { "debug" } else { "release" }).join("rebake")
    })
}

/// The optimised program.
pub fn release() -> &'static Path {
    let here = Path::new(env!("CARGO_BIN_EXE_rebake"));
    if here.parent().is_some_and(|folder| folder.ends_with("release")) { here } else { other() }
}

#[test]
fn debug_or_release() {
    let twin = Twin::new();
    differs("the program", &fs::read(env!("CARGO_BIN_EXE_rebake")).unwrap(), &fs::read(other()).unwrap());
    let mut command = wrapped(&[], other().as_os_str());
    command.arg("build").arg(twin.recipe()).arg("-o").arg(super::source::destination("oci", &twin.out()));
    hold(command, &twin.out());
}

#[test]
#[cfg(target_arch = "x86_64")]
fn processor() {
    if !needs(&["qemu-x86_64", "igzip"]) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    // Emulation is slow: enough for several blocks of each encoder, and no more.
    let recipe = "edition = \"2026\"\n[image]\nname = \"x/cpu\"\n\
        [[layer]]\nname = \"gzip\"\n[[layer.copy]]\nfrom = \"content\"\nto = \"/\"\n\
        [[layer]]\nname = \"zstd\"\ncompression = \"zstd\"\n[[layer.copy]]\nfrom = \"content\"\nto = \"/srv\"\n\
        [[layer]]\nname = \"fast\"\ncompression = { gzip = \"fast\" }\n[[layer.copy]]\nfrom = \"content\"\nto = \"/opt\"\n";
    fs::write(home.path().join("rebake.toml"), recipe).unwrap();
    let content = home.path().join("content");
    fs::create_dir(&content).unwrap();
    fs::write(content.join("noise"), noise(8, 200_000)).unwrap();
    fs::write(content.join("text"), text(9, 700_000)).unwrap();
    fs::write(content.join("zeros"), vec![0; 300_000]).unwrap();

    let build = |mut command: Command, out: &str| {
        command.current_dir(home.path()).args(["build", "-o", out]);
        Baked::new(command, &home.path().join(out))
    };
    let plain = build(rebake(&[]), "plain");
    let mut zipped = Vec::new();
    for model in ["qemu64", "Nehalem", "Haswell", "EPYC", "max"] {
        let qemu = ["qemu-x86_64", "-cpu", model];
        let mut igzip = wrapped(&qemu, "/usr/bin/igzip".as_ref());
        igzip.args(["-3", "-n", "-c"]).arg(content.join("text"));
        zipped.push((model, output(igzip)));
        assert_eq!(plain, build(wrapped(&qemu, release().as_os_str()), model), "on {model}");
    }
    let of = |model| &zipped.iter().find(|(name, _)| *name == model).unwrap().1;
    differs("what igzip makes", of("Nehalem"), of("Haswell"));
}
