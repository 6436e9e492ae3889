//! The recipe of the contract's section 3, in both notations.

use super::*;

pub(super) const TOML: &str = include_str!("example.toml");
pub(super) const JSON: &str = include_str!("example.json");

/// A recipe without its places.
fn shape(recipe: &Recipe<Source>) -> String {
    let mut text = String::new();
    let dump = format!("{recipe:#?}");
    let mut lines = dump.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "span: Span {" {
            lines.by_ref().take(3).for_each(drop);
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[test]
fn toml_and_json_are_one_recipe() {
    let toml = good(TOML);
    let json = parse(JSON, Syntax::Json).unwrap();
    assert_eq!(shape(&toml), shape(&json));
    assert!(shape(&toml).lines().count() > 300);
    assert!(!shape(&toml).contains("span"));
}

#[test]
fn line_ends_and_a_byte_order_mark_change_nothing() {
    let plain = shape(&good(TOML));
    let dressed = format!("\u{feff}{}", TOML.replace('\n', "\r\n"));
    assert_eq!(shape(&good(&dressed)), plain);
    assert_eq!(good(&dressed).image.name.span.start, dressed.find("\"registry").unwrap());
    let dressed = format!("\u{feff}{}", JSON.replace('\n', "\r\n"));
    assert_eq!(shape(&parse(&dressed, Syntax::Json).unwrap()), plain);
}

#[test]
fn the_example_says_what_the_contract_says() {
    let recipe = good(TOML);
    assert_eq!(recipe.edition, Edition::E2026);
    let image = &recipe.image;
    assert_eq!(image.name.value, "registry.example.com/acme/echo-server");
    let variables = Variables::new(&image.name, image.version.as_ref().map(|v| v.as_str()), &image.platforms[1]);
    let tags: Vec<_> = image.tags.iter().map(|tag| tag.expand(&variables)).collect();
    assert_eq!(tags, ["1.4.2", "1.4", "1", "latest"]);
    assert_eq!(image.created.as_ref().map(|c| c.value), Some(Created::Instant(1_795_132_800)));
    assert_eq!(image.defaults.compression, Some(crate::oci::Compression::Gzip));
    let Input::Url { url, sha256, .. } = &recipe.inputs["tini"].value else { panic!() };
    assert_eq!(url.expand(&variables), "https://example.com/tini-v0.19.0-arm64");
    assert!(sha256[&Some("arm64".to_owned())].starts_with("0795"));
    assert_eq!(recipe.config.ports[1].value, Port { number: 9090, protocol: "udp" });
    assert_eq!(recipe.config.healthcheck.as_ref().unwrap().interval, Some(30_000_000_000));
    assert_eq!(recipe.users["app"].shell, "/sbin/nologin");
    let [layer] = &recipe.layers[..] else { panic!() };
    let headers: Vec<_> = layer.statements.iter().map(|s| &TOML[s.span.start..s.span.end]).collect();
    assert_eq!(
        headers,
        [
            "[[layer.copy]]",
            "[[layer.copy]]",
            "[[layer.copy]]",
            "[[layer.write]]",
            "[[layer.mkdir]]",
            "[[layer.link]]",
            "[[layer.extract]]",
            "[[layer.remove]]",
        ]
    );
    let Statement::Copy(site) = &layer.statements[1].value else { panic!() };
    assert_eq!(site.modes, Modes { dirs: Some(0o750), files: Some(0o640) });
    assert_eq!(site.filter.include.len(), 2);
}

#[test]
fn a_recipe_that_says_little_has_defaults() {
    let text = minimal("[[layer]]\n[[layer.extract]]\nfrom = 'a.tar'\n");
    let recipe = good(&text);
    let platform = &recipe.image.platforms[0];
    assert_eq!(platform.to_string(), "linux/amd64");
    assert_eq!(&text[platform.span.start..platform.span.end], "[image]");
    let Statement::Extract(extract) = &recipe.layers[0].statements[0].value else { panic!() };
    assert_eq!((extract.to.to_string().as_str(), extract.strip), ("/", 0));
}

#[test]
fn a_statement_without_header_stands_at_its_path() {
    let text = r#"{"edition": "2026", "image": {"name": "a"}, "layer": [{"mkdir": [{"mode": "0700", "path": "/x"}]}]}"#;
    let recipe = parse(text, Syntax::Json).unwrap();
    let span = recipe.layers[0].statements[0].span;
    assert_eq!(&text[span.start..span.end], "\"path\"");
}
