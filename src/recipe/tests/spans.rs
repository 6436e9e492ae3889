//! Places, several mistakes in one run, and what is not said because it follows from what is.

use super::*;

#[test]
fn all_mistakes_of_a_file_in_one_run_in_order() {
    let text = "\
edition = \"2027\"
[image]
nmae = \"acme/app\"
tags = [\"{version}\", 3]
[config]
prots = [8080]
ports = [70000, \"x\"]
[[layer]]
[[layer.copy]]
to = \"usr\"
[[layer.wirte]]
";
    assert_eq!(
        mistakes(text, Syntax::Toml),
        [
            "unknown edition \"2027\"; this rebake knows: 2026 @ \"2027\"",
            "unknown key `nmae` in [image] @ nmae ? did you mean `name`?",
            "placeholder {version} needs a version, and `version` is not set in [image] @ {version} ? add `version = \"...\"` to [image]",
            "expected a string, found an integer @ 3 ? put it in quotes: \"3\"",
            "unknown key `prots` in [config] @ prots ? did you mean `ports`?",
            "port 70000 is out of range (1 to 65535) @ 70000",
            "`x` is no port @ \"x\" ? write 8080 or \"9090/udp\"",
            "missing `from` in [[layer.copy]] @ [[layer.copy]] ? add `from = \"bin/app\"`",
            "the path `usr` does not start with `/` @ \"usr\" ? a path in the image is absolute: \"/usr\"",
            "unknown key `wirte` in [[layer]] @ wirte ? did you mean `write`?",
        ]
    );
}

#[test]
fn a_bad_value_is_not_missing_too() {
    let text = "edition = 2026\nimage = 3\nlayer = 'x'\nusers.a.uid = -1\n";
    assert_eq!(
        mistakes(text, Syntax::Toml),
        [
            "expected a string, found an integer @ 2026 ? put it in quotes: \"2026\"",
            "expected a table, found an integer @ 3",
            "expected an array of tables, found a string @ 'x'",
            "-1 is out of range (0 to 4294967294) @ -1",
        ]
    );
    // A wrong version is said once, and its placeholders are no mistake on top of it.
    let text = minimal("version = '1+2'\ntags = ['{version}', '{version.minor}']\n");
    assert_eq!(mistakes(&text, Syntax::Toml).len(), 1);
    let text = minimal("versoin = '1'\ntags = ['{version}']\n");
    assert_eq!(mistakes(&text, Syntax::Toml).len(), 1);
    assert_eq!(mistakes("edition = '2026'\n[config]\ncmd = ['{version}']\n", Syntax::Toml).len(), 1);
    // Nor are names of inputs unknown where it is the table of inputs that is.
    for inputs in ["inputs = 3\n", "[input.a]\nimage = 'debian'\n"] {
        let text = format!("edition = '2026'\nimage = {{ name = 'a', base = 'a' }}\n{inputs}");
        assert_eq!(mistakes(&text, Syntax::Toml).len(), 1, "{:?}", mistakes(&text, Syntax::Toml));
    }
    // A wrong input is there all the same.
    let text = minimal("base = 'a'\n[inputs.a]\nimage = ''\n");
    assert_eq!(mistakes(&text, Syntax::Toml).len(), 1);
    // A wrong table of platforms is no reason to ask for placeholders that fit one platform.
    let text = minimal("platforms = ['linux/amd64', 'linux/amd46']\n[annotations]\na = '{arch}'\n");
    assert_eq!(mistakes(&text, Syntax::Toml), ["`amd46` is no known architecture @ 'linux/amd46'"]);
}

#[test]
fn every_mistake_of_syntax_in_one_run() {
    let text = "a = \nb = 01\n[image\nc = \"x\n";
    let said = mistakes(text, Syntax::Toml);
    assert!(said.len() >= 4, "{said:#?}");
    assert!(said.iter().any(|mistake| mistake.starts_with("unexpected leading zero") && mistake.ends_with("@ 0")));
    assert!(!said.iter().any(|mistake| mistake.contains("unknown key") || mistake.contains("missing")));
}

#[test]
fn duplicate_keys_are_said_beside_other_mistakes() {
    let text = minimal("name = 'b'\nversoin = '1'\n[image]\n");
    assert_eq!(
        mistakes(&text, Syntax::Toml),
        [
            "duplicate key `name` @ name",
            "unknown key `versoin` in [image] @ versoin ? did you mean `version`?",
            "duplicate key `image` @ image",
        ]
    );
    let text = r#"{"edition": "2026", "image": {"name": "a", "name": 3}, "edition": "2026"}"#;
    assert_eq!(
        mistakes(text, Syntax::Json),
        ["duplicate key `name` @ \"name\" | \"name\"", "duplicate key `edition` @ \"edition\" | \"edition\"",]
    );
}

#[test]
fn placeholders_are_pointed_at_through_escapes() {
    for (string, place) in [
        (r#""a {archh} b""#, "{archh}"),
        (r#"'a {archh} b'"#, "{archh}"),
        (r#""\n\t\u00e9 {archh} b""#, "{archh}"),
        ("\"\"\"\nx\\\n   y {archh}\"\"\"", "{archh}"),
        (r#""\u007barchh}""#, r#""\u007barchh}""#),
    ] {
        let text = minimal(&format!("[config]\ncmd = [{string}]\n"));
        let said = mistakes(&text, Syntax::Toml);
        assert_eq!(said[0].split(" ? ").next().unwrap(), format!("unknown placeholder {{archh}} @ {place}"));
    }
    let text = minimal("[config]\ncmd = [\"\\t{{a}} {a} {a}\"]\n");
    let places: Vec<_> = parse(&text, Syntax::Toml).unwrap_err().iter().map(|m| m.labels[0].span.start).collect();
    assert_eq!(places, [text.find(" {a} {a}").unwrap() + 1, text.find("{a}\"").unwrap()]);
}

#[test]
fn brackets_are_told_apart() {
    for (text, said) in [
        ("[layer]\n", "[[layer]] is an array of tables, found a table @ [layer] ? double the brackets: [[layer]]"),
        (
            "[[layer]]\n[layer.copy]\nfrom = 'a'\n",
            "[[layer.copy]] is an array of tables, found a table @ [layer.copy] ? double the brackets: [[layer.copy]]",
        ),
        ("[[config]]\n", "[config] is one table, not an array of them @ [[config]] ? write [config]"),
    ] {
        assert_eq!(mistakes(&minimal(text), Syntax::Toml), [said]);
    }
    let text = r#"{"edition": "2026", "image": {"name": "a"}, "layer": {}}"#;
    let said = "[[layer]] is an array of tables, found a table @ {} ? put it in an array: [{ ... }]";
    assert_eq!(mistakes(text, Syntax::Json), [said]);
}

#[test]
fn a_value_over_several_lines_is_shown_by_its_first() {
    let text = minimal("base = [\n  'a',\n]\n");
    assert_eq!(mistakes(&text, Syntax::Toml), ["expected a string, found an array @ ["]);
    let text = "{\"edition\": \"2026\", \"image\": {\n  \"tags\": []\n}}";
    let said = "missing `name` in [image] @ { ? add `\"name\": \"registry.example.com/acme/app\"`";
    assert_eq!(mistakes(text, Syntax::Json), [said]);
}

#[test]
fn json_is_strict() {
    for (text, said) in [
        ("{} // x", "comments are not allowed @ // x"),
        ("{'a': 1}", "single-quoted strings are not allowed @ '"),
        ("{a: 1}", "expected string for object property @ a"),
        ("{\"a\": 1,}", "trailing commas are not allowed @ ,"),
        ("{\"a\": 1 \"b\": 2}", "expected comma @ "),
        ("{\"a\": 0x1}", "hexadecimal numbers are not allowed @ 0"),
        ("{\"a\": +1}", "unary plus on numbers is not allowed @ +"),
        ("{\"a\": NaN}", "unexpected token @ NaN"),
        ("{\"a\": 01}", "expected comma @ "),
        ("{} {}", "text cannot contain more than one JSON value @ {"),
        ("{\"a\": \"\t\"}", "control character (\\u0000-\\u001F) found while parsing a string @ \t"),
        ("{\u{a0}}", "key must be a string @ \u{a0}"),
    ] {
        assert_eq!(mistakes(text, Syntax::Json), [said], "{text}");
    }
}
