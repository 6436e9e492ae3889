//! `rebake pantry list`.

use crate::cli::print;
use crate::cli::report::{Report, safe_lines};
use crate::cli::world::World;
use rebake::lock::{Lock, Locked};
use rebake::pantry::{Image, Packed, Pantry};
use serde_json::{Value, json};
use std::process::ExitCode;

pub fn list(name: &str, world: &World, report: &Report) -> Result<ExitCode, ExitCode> {
    let pantry = world.pantry(name).map_err(|message| report.failure(&message))?;
    if report.json() {
        let recipes = pantry.catalog.recipes.iter().map(|(digest, packed)| {
            let inputs = packed
                .inputs
                .iter()
                .map(|(digest, (size, names))| json!({ "digest": digest.to_string(), "size": size, "names": names }));
            json!({
                "name": packed.name,
                "images": images_of(&pantry, packed).into_iter().collect::<serde_json::Map<_, _>>(),
                "digest": digest.to_string(),
                "recipe": packed.recipe.digest.to_string(),
                "lock": packed.lock.as_ref().map(|lock| lock.digest.to_string()),
                "files": packed.files.digest.to_string(),
                "inputs": inputs.collect::<Vec<Value>>(),
            })
        });
        let images = pantry.catalog.images.values().map(|image| {
            json!({
                "digest": image.manifest.digest.to_string(),
                "size": size(image),
            })
        });
        report.document(&json!({
            "pantry": pantry.name(),
            "index": pantry.index.digest.to_string(),
            "recipes": recipes.collect::<Vec<_>>(),
            "images": images.collect::<Vec<_>>(),
        }));
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for (digest, packed) in &pantry.catalog.recipes {
        text += &format!("{} {digest}\n", packed.name);
        for (digest, (size, names)) in &packed.inputs {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            text += &format!("  {} {digest} {size} bytes\n", names.join(" "));
        }
        for (name, image) in images_of(&pantry, packed) {
            text += &format!("  {name} {}\n", image.as_str().unwrap_or_default());
        }
    }
    for image in pantry.catalog.images.values() {
        text += &format!("image {} {} bytes\n", image.manifest.digest, size(image));
    }
    Ok(print(report, safe_lines(&text).as_bytes()))
}

/// The images that a recipe's lock names: the input, and where the image was and which one it is.
fn images_of(pantry: &Pantry, packed: &Packed) -> Vec<(String, Value)> {
    let text = packed.lock.as_ref().and_then(|lock| String::from_utf8(pantry.read(lock).ok()?).ok());
    let lock = text.and_then(|text| Lock::parse(&text).ok()).unwrap_or_default();
    let images = lock.inputs.into_iter().filter_map(|(name, locked)| match locked {
        Locked::Image { image, top, .. } => Some((name, json!(format!("{image} {}", top.digest)))),
        _ => None,
    });
    images.collect()
}

/// The bytes of an image's config and layers, as its manifest says.
fn size(image: &Image) -> u64 {
    image.blobs.iter().fold(0, |sum, (_, size)| sum.saturating_add(*size))
}
