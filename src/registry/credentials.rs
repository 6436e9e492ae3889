//! Credentials as docker and podman keep them: `config.json`, `auth.json`, and helper programs.
//!
//! Read by ourselves: the crate there is for it knows neither podman's keys (`HOST/NAMESPACE`) nor docker.io's, and cannot
//! say which file a password came from.

use serde_json::Value;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// No file of credentials, and no helper's answer, is larger.
const LIMIT: u64 = 1 << 20;

/// Where credentials are looked for. Nothing is read before a registry asks.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    files: Vec<PathBuf>,
    path: Option<OsString>,
}

/// Why credentials cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The disk says no.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The disk's word.
        source: io::Error,
    },
    /// Not what docker and podman write.
    #[error("{} is no file of credentials: {why}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong; nothing of its content.
        why: &'static str,
    },
    /// A helper program fails.
    #[error("{program}, which {} names, fails: {why}", file.display())]
    Helper {
        /// The file that names it.
        file: PathBuf,
        /// The program.
        program: String,
        /// What it says.
        why: String,
    },
}

/// What opens a repository. It has no `Debug`: all of it is secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    Password {
        user: String,
        password: String,
    },
    /// Is exchanged for a token.
    Identity(String),
    /// Is a token.
    Bearer(String),
}

/// A login, and the file it came from.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) file: PathBuf,
    pub(super) login: Login,
}

impl Credentials {
    /// The first of the files that has something for a repository counts; those that are not there do not. `path` says where
    /// helpers are, as `PATH` does.
    #[must_use]
    pub fn new(files: Vec<PathBuf>, path: Option<OsString>) -> Self {
        Self { files, path }
    }

    /// The credentials for a repository; `None` if there are none.
    pub(super) fn find(&self, host: &str, repository: &str) -> Result<Option<Found>, CredentialsError> {
        for file in &self.files {
            let Some(config) = read(file)? else { continue };
            if let Some(login) = self.login(file, &config, host, repository)? {
                return Ok(Some(Found { file: file.clone(), login }));
            }
        }
        Ok(None)
    }

    /// What one file has for a repository: a helper for its host first, then what is written there, the most specific key
    /// first, then the helper for all.
    fn login(
        &self,
        file: &Path,
        config: &Value,
        host: &str,
        repository: &str,
    ) -> Result<Option<Login>, CredentialsError> {
        let host = canonical(host);
        if let Some(helpers) = config.get("credHelpers").and_then(Value::as_object)
            && let Some((key, helper)) = helpers.iter().find(|(key, _)| canonical(key) == host)
            && let Some(helper) = helper.as_str()
        {
            return self.ask(file, helper, key);
        }
        let none = serde_json::Map::new();
        let auths = config.get("auths").and_then(Value::as_object).unwrap_or(&none);
        let full = format!("{host}/{repository}");
        let lengths = std::iter::once(full.len()).chain(full.rmatch_indices('/').map(|(at, _)| at));
        for wanted in lengths.filter_map(|at| full.get(..at)) {
            for (_, entry) in auths.iter().filter(|(key, _)| canonical(key) == wanted) {
                if let Some(login) = written(file, entry)? {
                    return Ok(Some(login));
                }
            }
        }
        match config.get("credsStore").and_then(Value::as_str).filter(|store| !store.is_empty()) {
            Some(store) => {
                self.ask(file, store, if host == "docker.io" { "https://index.docker.io/v1/" } else { &host })
            }
            None => Ok(None),
        }
    }

    /// Asks `docker-credential-HELPER get`.
    fn ask(&self, file: &Path, helper: &str, key: &str) -> Result<Option<Login>, CredentialsError> {
        let program = format!("docker-credential-{helper}");
        let failed = |why: String| CredentialsError::Helper { file: file.to_owned(), program: program.clone(), why };
        // Found on PATH, as docker does it; never a path of the file's choosing.
        if helper.contains('/') {
            return Err(failed("it is no name of a program".to_owned()));
        }
        let io = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => failed("there is no such program on PATH".to_owned()),
            _ => failed(error.to_string()),
        };
        let mut child = Command::new(&program)
            .envs(self.path.iter().map(|path| ("PATH", path)))
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(io)?;
        // One that asks nothing may have closed its input.
        if let Some(mut input) = child.stdin.take() {
            let _ = input.write_all(key.as_bytes());
        }
        let mut out = Vec::new();
        if let Some(output) = child.stdout.take() {
            output.take(LIMIT).read_to_end(&mut out).map_err(io)?;
        }
        if !child.wait().map_err(io)?.success() {
            let said = String::from_utf8_lossy(&out);
            return match said.contains("credentials not found") {
                true => Ok(None),
                false => Err(failed(super::error::line(&said))),
            };
        }
        let answer: Value = serde_json::from_slice(&out).map_err(|_| failed("its answer is no JSON".to_owned()))?;
        let text = |name| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(user), Some(secret)) = (text("Username"), text("Secret")) else {
            return Err(failed("its answer has no name and secret".to_owned()));
        };
        let identity = user == "<token>";
        Ok(Some(if identity { Login::Identity(secret) } else { Login::Password { user, password: secret } }))
    }
}

fn read(file: &Path) -> Result<Option<Value>, CredentialsError> {
    let failed = |source| CredentialsError::Io { file: file.to_owned(), source };
    let mut bytes = Vec::new();
    match File::open(file) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        opened => opened.and_then(|file| file.take(LIMIT).read_to_end(&mut bytes)).map_err(failed)?,
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let json: Option<Value> = serde_json::from_slice(&bytes).ok();
    let malformed = CredentialsError::Malformed { file: file.to_owned(), why: "it is no JSON object" };
    json.filter(Value::is_object).map(Some).ok_or(malformed)
}

/// A key in one spelling. One that is a URL names a host; another one may name a namespace too.
fn canonical(key: &str) -> String {
    let url = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    let key = url.map_or(key, |url| url.split('/').next().unwrap_or_default()).trim_end_matches('/');
    let (host, rest) = key.split_at(key.find('/').unwrap_or(key.len()));
    match host {
        "index.docker.io" | "registry-1.docker.io" => format!("docker.io{rest}"),
        host => format!("{host}{rest}"),
    }
}

/// An entry of `auths`. Empty ones are common: the password is then in the helper's store.
fn written(file: &Path, entry: &Value) -> Result<Option<Login>, CredentialsError> {
    use base64::Engine;
    let text = |name| entry.get(name).and_then(Value::as_str).filter(|text: &&str| !text.is_empty());
    if let Some(token) = text("identitytoken") {
        return Ok(Some(Login::Identity(token.to_owned())));
    }
    if let Some(token) = text("registrytoken") {
        return Ok(Some(Login::Bearer(token.to_owned())));
    }
    if let Some(auth) = text("auth") {
        let malformed = || CredentialsError::Malformed {
            file: file.to_owned(),
            why: "an `auth` in it is not the base64 of `NAME:PASSWORD`",
        };
        let plain = base64::engine::general_purpose::STANDARD.decode(auth.trim()).map_err(|_| malformed())?;
        let plain = String::from_utf8(plain).map_err(|_| malformed())?;
        let (user, password) = plain.split_once(':').ok_or_else(malformed)?;
        // docker pads with zeros.
        let password = password.trim_end_matches('\0');
        return Ok(Some(Login::Password { user: user.to_owned(), password: password.to_owned() }));
    }
    let pair = text("username").zip(text("password"));
    Ok(pair.map(|(user, password)| Login::Password { user: user.to_owned(), password: password.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn none() -> Credentials {
        Credentials::default()
    }

    fn found(config: &Value, host: &str, repository: &str) -> Option<String> {
        none().login(Path::new("auth.json"), config, host, repository).expect("a sound file").map(|login| match login {
            Login::Password { user, password } => format!("{user}:{password}"),
            Login::Identity(token) => format!("identity {token}"),
            Login::Bearer(token) => format!("bearer {token}"),
        })
    }

    #[test]
    fn the_most_specific_key_wins() {
        let config = json!({ "auths": {
            "quay.io": { "auth": "YTpob3N0" },
            "quay.io/acme": { "auth": "YTpuYW1lc3BhY2U=" },
            "quay.io/acme/app": { "username": "a", "password": "repository" },
            "https://index.docker.io/v1/": { "auth": "ZG9ja2VyOnB3AAA=" },
            "http://old.example.com/v2/": { "identitytoken": "t" },
            "empty.example.com": {},
        }});
        assert_eq!(found(&config, "quay.io", "acme/app").as_deref(), Some("a:repository"));
        assert_eq!(found(&config, "quay.io", "acme/application").as_deref(), Some("a:namespace"));
        assert_eq!(found(&config, "quay.io", "acmes/app").as_deref(), Some("a:host"));
        assert_eq!(found(&config, "docker.io", "library/debian").as_deref(), Some("docker:pw"));
        assert_eq!(found(&config, "old.example.com", "x").as_deref(), Some("identity t"));
        assert_eq!(found(&config, "empty.example.com", "x"), None);
        assert_eq!(found(&config, "io", "x"), None);
    }

    #[test]
    fn a_malformed_file_is_named_and_not_shown() {
        let config = json!({ "auths": { "quay.io": { "auth": "c2VjcmV0" } } });
        let error =
            none().login(Path::new("/home/me/auth.json"), &config, "quay.io", "x").err().expect("an error").to_string();
        assert!(
            error.contains("/home/me/auth.json") && !error.contains("c2VjcmV0") && !error.contains("secret"),
            "{error}"
        );
        let error = none().ask(Path::new("f"), "../../evil", "x").err().expect("an error").to_string();
        assert!(error.contains("no name of a program"), "{error}");
        let error = none().ask(Path::new("f"), "no-such-helper", "x").err().expect("an error").to_string();
        assert!(error.contains("docker-credential-no-such-helper") && error.contains("PATH"), "{error}");
    }
}
