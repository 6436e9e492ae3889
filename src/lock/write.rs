//! A lock as text: sorted, a block an input, a fact a line, so that its diff reads well and two branches merge.

use super::{Expected, Files, Lock, Locked, Pin, VERSION};
use std::fmt::{self, Formatter};

const HEAD: &str =
    "# What the inputs of the recipe beside this file resolved to. `rebake lock` writes it; commit it.\n";

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}version = {VERSION}")?;
        for (name, locked) in &self.inputs {
            write!(f, "\n[inputs.{}]\n", key(name))?;
            input(f, locked)?;
        }
        expected(f, &self.expected)
    }
}

fn input(f: &mut Formatter<'_>, locked: &Locked) -> fmt::Result {
    match locked {
        Locked::Image { image, top, platforms } => {
            text(f, "image", image)?;
            pin(f, *top)?;
            each(f, platforms)
        }
        Locked::Archive { image, file } => {
            text(f, "image", image)?;
            pin(f, *file)
        }
        Locked::Url { url, files } => {
            text(f, "url", url)?;
            match files {
                Files::One(file) => pin(f, *file),
                Files::Each(files) => each(f, files),
            }
        }
        Locked::Git { git, rev, subdir, commit, tree, tar } => {
            text(f, "git", git)?;
            rev.iter().try_for_each(|rev| text(f, "rev", rev))?;
            subdir.iter().try_for_each(|subdir| text(f, "subdir", subdir))?;
            text(f, "commit", commit)?;
            text(f, "tree", tree)?;
            pin(f, *tar)
        }
    }
}

fn expected(f: &mut Formatter<'_>, expected: &Expected) -> fmt::Result {
    let Expected { image, unstamped, manifests } = expected;
    if !expected.is_empty() {
        f.write_str("\n[expected]\n")?;
        image.iter().try_for_each(|image| text(f, "image", &image.to_string()))?;
        unstamped.iter().try_for_each(|image| text(f, "unstamped", &image.to_string()))?;
        for (platform, manifest) in manifests {
            text(f, &key(&platform.to_string()), &manifest.to_string())?;
        }
    }
    Ok(())
}

fn text(f: &mut Formatter<'_>, key: &str, value: &str) -> fmt::Result {
    writeln!(f, "{key} = {}", quoted(value))
}

fn pin(f: &mut Formatter<'_>, pin: Pin) -> fmt::Result {
    writeln!(f, "digest = \"{}\"\nsize = {}", pin.digest, pin.size)
}

fn each<'p>(f: &mut Formatter<'_>, pins: impl IntoIterator<Item = (&'p crate::oci::Platform, &'p Pin)>) -> fmt::Result {
    for (platform, Pin { digest, size }) in pins {
        writeln!(f, "{} = {{ digest = \"{digest}\", size = {size} }}", key(&platform.to_string()))?;
    }
    Ok(())
}

/// A bare key where TOML allows one.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { quoted(name) }
}

/// A basic string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
