//! Whatever the text of a lock, reading it ends in a lock or a mistake with a place in that text; and a lock is read as it was
//! written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rebake::lock::Lock;

fuzz_target!(|text: &str| {
    match Lock::parse(text) {
        Ok(lock) => {
            let written = lock.to_string();
            assert_eq!(Lock::parse(&written).expect("what we wrote"), lock, "{written}");
            assert_eq!(lock.to_string(), written);
        }
        Err(mistake) => {
            for label in &mistake.labels {
                assert!(label.span.start <= label.span.end && label.span.end <= text.len(), "{mistake:?}");
            }
        }
    }
});
