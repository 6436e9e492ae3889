//! Whatever the bytes, parsing ends, and says why in places that are there.

use super::example::{JSON, TOML};
use super::*;

fn survives(text: &str, syntax: Syntax) {
    if let Err(mistakes) = parse(text, syntax) {
        assert!(!mistakes.is_empty(), "{text:?}");
        for label in mistakes.iter().flat_map(|mistake| &mistake.labels) {
            assert!(text.get(label.span.start..label.span.end).is_some(), "{label:?} of {text:?}");
        }
    }
}

#[test]
fn prefixes() {
    for (text, syntax) in [(TOML, Syntax::Toml), (JSON, Syntax::Json)] {
        for end in 0..text.len() {
            if let Some(prefix) = text.get(..end) {
                survives(prefix, syntax);
            }
        }
    }
}

#[test]
fn mutations() {
    // xorshift64*: the same mutations on every run.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % below
    };
    let scraps =
        ["\"", "[", "]", "{", "}", "=", ",", "\n", "\\", "'", "#", ".", "{x}", "\0", "é", "-1", "1e9", "[[", "\"\"\""];
    for (text, syntax) in [(TOML, Syntax::Toml), (JSON, Syntax::Json)] {
        for _ in 0..400 {
            let mut mutant = text.to_owned();
            for _ in 0..=random(3) {
                let start = mutant.floor_char_boundary(random(mutant.len()));
                let end = mutant.ceil_char_boundary((start + random(4)).min(mutant.len()));
                mutant.replace_range(start..end, scraps[random(scraps.len())]);
            }
            survives(&mutant, syntax);
        }
    }
}

#[test]
fn depth_is_bounded() {
    for deep in ["[".repeat(100_000), "{\"a\":".repeat(100_000), "{a=".repeat(100_000)] {
        for syntax in [Syntax::Toml, Syntax::Json] {
            survives(&deep, syntax);
            survives(&format!("a = {deep}"), syntax);
        }
    }
    let dotted = "a.".repeat(100_000);
    for text in
        [format!("{dotted}a = 1"), format!("[{dotted}a]"), format!("[[{dotted}a]]"), format!("x = {{ {dotted}a = 1 }}")]
    {
        survives(&text, Syntax::Toml);
    }
    let text = format!("a = {}", "[".repeat(100_000));
    let said = mistakes(&text, Syntax::Toml);
    assert_eq!(said.iter().filter(|mistake| mistake.starts_with("nested too deeply")).count(), 1);
    assert!(said.len() < 5, "{said:?}");
}

#[test]
fn length_is_bounded() {
    let long = " ".repeat((4 << 20) + 1);
    for syntax in [Syntax::Toml, Syntax::Json] {
        assert_eq!(mistakes(&long, syntax), ["the recipe is longer than 4 MiB @ "]);
    }
}

#[test]
fn a_flood_of_mistakes_takes_no_flood_of_time() {
    let keys: String = (0..5_000).map(|n| format!("key{n} = 1\n")).collect();
    assert_eq!(mistakes(&minimal(&keys), Syntax::Toml).len(), 5_000);
    let braces = minimal(&format!("[[layer]]\n[[layer.write]]\nto='/a'\ntext='{}'\n", "{x}".repeat(100_000)));
    assert_eq!(mistakes(&braces, Syntax::Toml).len(), 20);
}

#[test]
fn nothing_is_not_a_recipe() {
    assert_eq!(
        mistakes("", Syntax::Toml),
        [
            "missing `edition` in the recipe @  ? add `edition = \"2026\"` as its first line",
            "missing `image` in the recipe @  ? add [image]",
        ]
    );
    assert_eq!(mistakes("", Syntax::Json), ["the file is empty @ "]);
    assert_eq!(mistakes("[]", Syntax::Json), ["expected a table, found an array @ []"]);
    assert_eq!(mistakes("{}", Syntax::Json)[0], "missing `edition` in the recipe @ {} ? add `\"edition\": \"2026\"`");
}

#[test]
fn messages_stay_on_one_line() {
    let text = minimal("[config]\n\"a\\n\\u001b[2J\" = 1\nworkdir = \"\\r\"\n");
    let said = mistakes(&text, Syntax::Toml);
    assert!(said[0].starts_with("unknown key `a\\n\\u{1b}[2J` in [config]"), "{said:?}");
    assert!(said[1].starts_with("the path `\\r` does not start with `/`"), "{said:?}");
    let text = minimal(&format!("[config]\nworkdir = '{}'\n", "é".repeat(10_000)));
    assert_eq!(parse(&text, Syntax::Toml).unwrap_err()[0].message.chars().count(), 1001);
}
