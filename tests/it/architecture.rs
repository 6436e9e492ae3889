//! ARCHITECTURE.md's table of rooms, held against the code.

use crate::recipes::REPOSITORY;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Room to the rooms it may import, as the table says.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(Path::new(REPOSITORY).join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
    text.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix("| `")?.split('|').collect();
            Some((cells[0].trim_end_matches(['`', ' ']).to_owned(), words(cells[2])))
        })
        .collect()
}

/// The rooms that a line of code names: `crate::x` in the library, `rebake::x` in the program.
fn named(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let paths = code.split("crate::").skip(1).chain(code.split("rebake::").skip(1));
    paths.map(|rest| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect()).collect()
}

/// Room to the rooms it imports, as the code says.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let src = Path::new(REPOSITORY).join("src");
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in walkdir::WalkDir::new(&src) {
        let path = entry.expect("a file of the source").into_path();
        if path.extension().is_none_or(|end| end != "rs") {
            continue;
        }
        let below = path.strip_prefix(&src).expect("a path below");
        let room = below.iter().next().expect("a room").to_string_lossy();
        let room = room.trim_end_matches(".rs").to_owned();
        if room == "lib" || room == "main" {
            continue;
        }
        let text = fs::read_to_string(&path).expect("source");
        let used = imports.entry(room.clone()).or_default();
        used.extend(text.lines().flat_map(named).filter(|name| !name.is_empty() && *name != room));
    }
    imports
}

#[test]
fn rooms_import_what_the_table_allows() {
    let (table, imports) = (table(), imports());
    assert_eq!(
        table.keys().collect::<Vec<_>>(),
        imports.keys().collect::<Vec<_>>(),
        "rooms of the table and of the code"
    );
    for (room, used) in &imports {
        let allowed = &table[room];
        let forbidden: Vec<_> = used.difference(allowed).collect();
        let unused: Vec<_> = allowed.difference(used).collect();
        assert!(forbidden.is_empty(), "`{room}` imports {forbidden:?}, which the table does not allow");
        assert!(unused.is_empty(), "the table lets `{room}` import {unused:?}, and it does not");
    }
}

#[test]
fn the_rooms_have_no_way_round() {
    // Following the table from any room never leads back to it.
    let table = table();
    for room in table.keys() {
        let (mut seen, mut next) = (BTreeSet::new(), vec![room.clone()]);
        while let Some(at) = next.pop() {
            for import in &table[&at] {
                assert_ne!(import, room, "`{room}` imports itself through `{at}`");
                if seen.insert(import.clone()) {
                    next.push(import.clone());
                }
            }
        }
    }
}

#[test]
fn an_import_is_seen() {
    assert_eq!(named("use crate::oci::{Digest}; // crate::tree"), ["oci"]);
    assert_eq!(named("    let x = crate::tree::Printable(a);"), ["tree"]);
    assert_eq!(named("use rebake::recipe::Syntax;"), ["recipe"]);
}

/// The toolchain that Cargo.toml promises is enough: no dependency asks for a newer one. (clippy's `incompatible_msrv`
/// holds our own code to it.)
#[test]
fn the_stated_rust_version_is_enough_for_every_dependency() {
    let metadata = crate::support::run(
        std::process::Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked", "--offline"])
            .current_dir(REPOSITORY),
    );
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let version = |package: &serde_json::Value| -> Option<(u64, u64)> {
        let mut numbers = package["rust_version"].as_str()?.split('.').map(|n| n.parse().expect("a number"));
        Some((numbers.next()?, numbers.next()?))
    };
    let packages = metadata["packages"].as_array().expect("packages");
    let ours = packages.iter().find(|package| package["name"] == "rebake").and_then(version).expect("rust-version");
    let newer: Vec<_> = packages.iter().filter(|package| version(package).is_some_and(|v| v > ours)).collect();
    let newer: Vec<_> =
        newer.iter().map(|package| format!("{} {}", package["name"], package["rust_version"])).collect();
    assert!(newer.is_empty(), "newer than {ours:?}: {newer:?}");
}
