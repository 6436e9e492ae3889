//! `rebake diff`: pairs of images, each on its rung and with its cause.

mod causes;
mod content;
mod hostile;
mod made;
mod others;
mod rungs;
mod substance;

use crate::support::{Work, attempt, rebake};
use made::Made;
use serde_json::Value;

/// What `rebake diff` says of two names: the exit status, and JSON.
#[track_caller]
fn diff(work: &Work, a: &str, b: &str, options: &[&str]) -> (Option<i32>, Value) {
    let mut command = rebake();
    command.current_dir(work.path()).args(["diff", a, b, "--json"]).args(options);
    let out = attempt(&mut command);
    let json = serde_json::from_slice(&out.stdout).unwrap_or_else(|error| panic!("{error}\n{out}"));
    (out.code(), json)
}

/// The same as text.
#[track_caller]
fn text(work: &Work, a: &str, b: &str) -> String {
    let out = attempt(rebake().current_dir(work.path()).args(["diff", a, b]));
    assert!(matches!(out.code(), Some(0 | 1)), "{out}");
    String::from_utf8(out.stdout).expect("UTF-8")
}

/// Two images of ours, compared.
struct Compared {
    json: Value,
}

impl Compared {
    #[track_caller]
    fn new(a: &Made, b: &Made) -> Self {
        let work = Work::new();
        a.write(&work, "a");
        b.write(&work, "b");
        let (code, json) = diff(&work, "a", "b", &[]);
        assert_eq!(code, Some(i32::from(json["rung"] != "identical")), "{json:#}");
        // Nobody is compared with a stranger only.
        let (_, same) = diff(&work, "b", "b", &[]);
        assert_eq!(same["rung"], "identical");
        assert_eq!(same["causes"], serde_json::json!([]));
        Self { json }
    }

    /// The rung.
    fn rung(&self) -> &str {
        self.json["rung"].as_str().expect("a rung")
    }

    /// The codes of the causes, most telling first.
    fn codes(&self) -> Vec<&str> {
        let causes = self.json["causes"].as_array().expect("causes");
        causes.iter().map(|cause| cause["code"].as_str().expect("a code")).collect()
    }

    /// Rung and causes at once.
    #[track_caller]
    fn expect(&self, rung: &str, codes: &[&str]) {
        assert_eq!((self.rung(), self.codes()), (rung, codes.to_vec()), "{:#}", self.json);
    }

    /// What a cause says, and how many entries it explains.
    #[track_caller]
    fn cause(&self, code: &str) -> (String, u64) {
        let causes = self.json["causes"].as_array().expect("causes");
        let cause = causes.iter().find(|cause| cause["code"] == code).unwrap_or_else(|| panic!("{:#}", self.json));
        (cause["text"].as_str().expect("a text").to_owned(), cause["entries"].as_u64().expect("a number"))
    }

    /// The differing entries of the first layer that has some.
    fn entries(&self) -> &Value {
        let layers = self.json["platforms"][0]["layers"].as_array().expect("layers");
        layers.iter().map(|layer| &layer["entries"]).find(|entries| entries.is_array()).expect("entries")
    }
}
