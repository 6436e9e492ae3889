//! What README.md shows is what happens.

use crate::recipes::{REPOSITORY, copy};
use crate::support::{Work, attempt, rebake, run};
use std::fs;
use std::path::Path;

fn readme() -> String {
    fs::read_to_string(Path::new(REPOSITORY).join("README.md")).expect("README.md")
}

/// The fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fences = text.split("```").skip(1).step_by(2);
    fences.filter_map(|block| block.strip_prefix(&format!("{language}\n")).map(str::to_owned)).collect()
}

#[test]
fn the_first_lines_say_it_all() {
    let first: String = readme().lines().take(25).collect::<Vec<_>>().join("\n");
    for part in ["edition = \"2026\"", "cargo run --release --locked -- build recipes/hello", "tests/run"] {
        assert!(first.contains(part), "{part} is not in the first lines of README.md");
    }
}

#[test]
fn the_recipe_it_shows_is_the_recipe_it_builds() {
    let recipe = fs::read_to_string(Path::new(REPOSITORY).join("recipes/hello/rebake.toml")).expect("the recipe");
    let said = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
    };
    assert_eq!(said(&blocks(&readme(), "toml")[0]), said(&recipe));
}

#[test]
fn its_commands_print_what_it_says() {
    let work = Work::new();
    fs::create_dir(work.join("recipes")).expect("a folder");
    for name in ["hello", "inputs"] {
        copy(&work, name);
        fs::rename(work.join(name), work.join("recipes").join(name)).expect("moved");
    }
    work.symlink(Path::new(REPOSITORY).join("recipes/pantry"), "recipes/pantry");
    let consoles = blocks(&readme(), "console");
    assert!(consoles.len() >= 2);
    for console in consoles {
        let (command, output) = console.split_once('\n').expect("a command and its output");
        let words = command.strip_prefix("$ rebake ").expect("a command of rebake").split(' ');
        assert_eq!(run(rebake().args(words).current_dir(work.path())).text(), output.trim_end());
    }
    assert!(work.join("rebake-out/hello/oci-layout").is_file());
}

#[test]
fn its_error_is_the_error() {
    let work = Work::new();
    work.write("rebake.toml", "edition = \"2026\"\n\n[image]\nname = \"example/hello\"\n\n[config]\nprots = [8080]\n");
    let out = attempt(rebake().arg("build").current_dir(work.path()));
    assert_eq!(out.code(), Some(2));
    let shown = &blocks(&readme(), "text")[0];
    assert_eq!(String::from_utf8_lossy(&out.stderr).trim_end(), shown.trim_end());
}
