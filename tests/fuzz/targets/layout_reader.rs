//! Any image layout is read to its end or refused. The input is four documents, each after its length: index, manifest,
//! config, layer. `@M`, `@C` and `@L` in a document stand for the digest and size of the manifest, the config and the
//! layer, so that a mutation gets past the digests; `@D` for the digest alone of the layer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rebake::oci::{Digest, ImageName};
use rebake::source::image::{ImageError, open};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

fn take<'a>(data: &mut &'a [u8]) -> &'a [u8] {
    let Some((length, rest)) = data.split_at_checked(2) else { return std::mem::take(data) };
    let length = usize::from(length[0]) | usize::from(length[1]) << 8;
    let (taken, rest) = rest.split_at(length.min(rest.len()));
    *data = rest;
    taken
}

fn replace(text: &[u8], mark: &[u8], with: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(mark) {
            out.extend(with.bytes());
            at += mark.len();
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    out
}

fn blob(folder: &Path, bytes: &[u8]) -> String {
    let digest = Digest::of(bytes);
    fs::write(folder.join("blobs/sha256").join(digest.hex()), bytes).expect("a blob");
    format!(r#""digest":"{digest}","size":{}"#, bytes.len())
}

fuzz_target!(|data: &[u8]| {
    let mut data = data;
    let [index, manifest, config, layer] = std::array::from_fn(|_| take(&mut data));
    let folder = PathBuf::from(format!("/dev/shm/rebake-fuzz-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("blobs/sha256")).expect("a folder");
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("a file");
    let config = replace(config, b"@D", &Digest::of(layer).to_string());
    let manifest = replace(manifest, b"@L", &blob(&folder, layer));
    let manifest = replace(&manifest, b"@C", &blob(&folder, &config));
    let index = replace(index, b"@M", &blob(&folder, &manifest));
    fs::write(folder.join("index.json"), index).expect("a file");

    let (name, platform) = (ImageName::layout(folder.clone()), "linux/amd64".parse().expect("a platform"));
    if let Ok(image) = open(&name, Path::new("/"), &platform, Path::new("/dev/shm"), &AtomicBool::new(false)) {
        for layer in &image.layers {
            let mut entries = 0;
            let _ = layer.read(|_, data| -> Result<(), ImageError> {
                entries += 1;
                let _ = data.take(1 << 20).read_to_end(&mut Vec::new());
                Ok(())
            });
        }
    }
    let _ = fs::remove_dir_all(&folder);
});
