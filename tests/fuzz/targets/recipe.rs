//! Any text is a recipe or a list of mistakes whose places lie in the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rebake::recipe::{Syntax, parse};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for syntax in [Syntax::Toml, Syntax::Json] {
        if let Err(mistakes) = parse(text, syntax) {
            assert!(!mistakes.is_empty());
            for label in mistakes.iter().flat_map(|mistake| &mistake.labels) {
                assert!(text.get(label.span.start..label.span.end).is_some(), "{:?} is no place of the text", label.span);
            }
        }
    }
});
