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

/// Another architecture. Its standard library comes with `rustup target add`, which `tests/run` asks for; where it cannot be
/// had there is nothing to test with.
#[test]
fn architecture() {
    const TARGET: &str = "aarch64-unknown-linux-musl";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rustc = || {
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.current_dir(folder);
        rustc
    };
    let mut library = rustc();
    library.args(["--print", "target-libdir", "--target", TARGET]);
    if !Path::new(String::from_utf8(output(library)).unwrap().trim()).exists() {
        eprintln!("rustc has no library for {TARGET}: not tested");
        return;
    }
    if !needs(&["qemu-aarch64"]) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    // The encoder alone: what else there is would need a C compiler for the other one.
    let program = format!(
        r#"#[path = "{}/src/layer/write/deflate/mod.rs"] mod deflate;
        use std::io::{{Read, Write}};
        fn main() {{
            let mut text = Vec::new();
            std::io::stdin().read_to_end(&mut text).unwrap();
            for level in [deflate::Level::Default, deflate::Level::Fast] {{
                let (mut deflate, mut before) = (deflate::Deflate::new(level), &[][..]);
                for block in text.chunks(300_000) {{
                    std::io::stdout().write_all(&deflate.block(before, block)).unwrap();
                    before = block;
                }}
            }}
            if std::env::args().nth(1).is_some() {{
                print!("{{}}", std::env::consts::ARCH);
            }}
        }}"#,
        folder.display()
    );
    let source = home.path().join("main.rs");
    fs::write(&source, program).unwrap();
    let content = [text(9, 700_000), noise(8, 100_000), vec![0; 100_000]].concat();
    fs::write(home.path().join("content"), content).unwrap();
    let deflated = |target: &[&str], runner: &[&str], more: &[&str]| {
        let mut compiler = rustc();
        compiler.args(["--edition", "2024", "-O", "-A", "warnings", "-o"]).arg(home.path().join("program"));
        output({
            compiler.args(target).arg(&source);
            compiler
        });
        let mut command = wrapped(runner, home.path().join("program").as_os_str());
        command.args(more).stdin(fs::File::open(home.path().join("content")).unwrap());
        output(command)
    };
    let other = ["--target", TARGET, "-C", "linker=rust-lld"];
    let here = deflated(&[], &[], &[]);
    assert!(here.len() > 200_000, "{}", here.len());
    assert!(here == deflated(&other, &["qemu-aarch64"], &[]), "other bytes on {TARGET}");
    let (here, there) = (deflated(&[], &[], &["x"]), deflated(&other, &["qemu-aarch64"], &["x"]));
    differs("the architecture", &here, &there);
}
