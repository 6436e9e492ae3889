//! Who we are: an answer to `WWW-Authenticate`, by password or by a token that is fetched with one.
//!
//! What opens a repository is kept for what it was asked for: a token to pull does not push.

use super::credentials::{Found, Login};
use super::error::{RegistryErrorKind, said};
use super::{Repository, Way, lock};
use crate::net::{Http, HttpError, Method, Request, Response, basic};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use url::{Url, form_urlencoded};

/// No answer about who we are is larger.
pub(super) const TOKEN: u64 = 1 << 20;

/// What is asked of a repository.
#[derive(Debug, Clone, Copy)]
pub(super) enum Access<'a> {
    /// To read.
    Pull,
    /// To read and to write.
    Push,
    /// To write what this other repository of the registry has.
    Mount(&'a str),
}

/// Sends a request with these headers.
pub(super) type Ask<'a> = dyn FnMut(&[(&str, &str)]) -> Result<Response, HttpError> + 'a;

/// What opens a repository.
#[derive(Clone, Default)]
pub(super) struct Pass {
    /// The value of `Authorization`.
    pub(super) header: Option<String>,
    /// The file that the credentials came from.
    pub(super) file: Option<PathBuf>,
}

impl Pass {
    /// As it is sent.
    pub(super) fn headers(&self) -> Vec<(&str, &str)> {
        self.header.iter().map(|header| ("authorization", header.as_str())).collect()
    }
}

/// `Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="..."`.
struct Bearer {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

/// An answer, and what it was asked with.
pub(super) struct Reply {
    pub(super) response: Response,
    pub(super) pass: Pass,
}

impl Reply {
    /// It is no success.
    pub(super) fn error(&self) -> RegistryErrorKind {
        RegistryErrorKind::of(&self.response, self.pass.file.clone())
    }
}

impl Repository<'_> {
    /// The scopes of a token (distribution's "token scope documentation").
    fn scopes(&self, access: Access<'_>) -> Vec<String> {
        let name = &self.name;
        match access {
            Access::Pull => vec![format!("repository:{name}:pull")],
            Access::Push => vec![format!("repository:{name}:pull,push")],
            Access::Mount(from) => vec![format!("repository:{name}:pull,push"), format!("repository:{from}:pull")],
        }
    }

    fn key(&self, access: Access<'_>) -> String {
        format!("{} {}", self.host, self.scopes(access).join(" "))
    }

    /// What opened the repository last.
    pub(super) fn pass(&self, access: Access<'_>) -> Pass {
        lock(&self.registry.passes).get(&self.key(access)).cloned().unwrap_or_default()
    }

    /// Asks with what opens the repository; after a 401 once more, with something new.
    pub(super) fn authorized(
        &self,
        way: &Way,
        access: Access<'_>,
        interrupt: &AtomicBool,
        ask: &mut Ask<'_>,
    ) -> Result<Reply, RegistryErrorKind> {
        let mut pass = self.pass(access);
        let mut response = ask(&pass.headers())?;
        if response.status == 401 {
            pass = self.authorize(way, access, &pass, &response, interrupt)?;
            response = ask(&pass.headers())?;
        }
        Ok(Reply { response, pass })
    }

    /// As [`Repository::authorized`], for a small document. What `request` sends as headers stays.
    pub(super) fn call(
        &self,
        way: &Way,
        access: Access<'_>,
        request: &Request<'_>,
        interrupt: &AtomicBool,
    ) -> Result<Reply, RegistryErrorKind> {
        self.authorized(way, access, interrupt, &mut |pass| {
            let headers = [request.headers, pass].concat();
            way.http.request(&Request { headers: &headers, ..*request }, interrupt)
        })
    }

    /// After a 401 to `used`: finds out what the registry wants, and gets it.
    pub(super) fn authorize(
        &self,
        way: &Way,
        access: Access<'_>,
        used: &Pass,
        refused: &Response,
        interrupt: &AtomicBool,
    ) -> Result<Pass, RegistryErrorKind> {
        // Somebody who asked at the same time has a new one.
        let known = self.pass(access);
        if known.header.is_some() && known.header != used.header {
            return Ok(known);
        }
        let found = self.registry.credentials.find(&self.host, &self.name).map_err(RegistryErrorKind::Credentials)?;
        let file = found.as_ref().map(|found| found.file.clone());
        let denied = || RegistryErrorKind::of(refused, file.clone());
        let (bearer, has_basic) = challenges(refused);
        let header = match (bearer, found) {
            (Some(_), Some(Found { login: Login::Bearer(token), .. })) => format!("Bearer {token}"),
            (Some(bearer), found) => {
                let token = self.token(way, access, &bearer, found, interrupt)?;
                format!("Bearer {token}")
            }
            (None, Some(Found { login: Login::Password { user, password }, .. })) if has_basic => {
                basic(&user, &password)
            }
            _ => return Err(denied()),
        };
        let pass = Pass { header: Some(header), file: file.clone() };
        // A password that was refused will be refused again.
        if pass.header == used.header {
            return Err(denied());
        }
        lock(&self.registry.passes).insert(self.key(access), pass.clone());
        Ok(pass)
    }

    /// What a token is asked for: what the registry says, and to push at least what that takes, as some always say `pull`.
    fn scope(&self, access: Access<'_>, said: Option<&str>) -> String {
        let mut scopes = self.scopes(access);
        match (access, said) {
            (Access::Pull, Some(said)) => return said.to_owned(),
            (_, said) => {
                let is_new = |scope: &&str| {
                    let of = scope.rsplit_once(':').map_or(*scope, |(of, _)| of);
                    !scopes.iter().any(|ours| ours.rsplit_once(':').is_some_and(|(ours, _)| ours == of))
                };
                let new: Vec<_> =
                    said.unwrap_or_default().split_whitespace().filter(is_new).map(str::to_owned).collect();
                scopes.extend(new);
            }
        }
        scopes.join(" ")
    }

    /// Fetches a token (distribution's "token authentication", and OAuth2 for identity tokens).
    fn token(
        &self,
        way: &Way,
        access: Access<'_>,
        bearer: &Bearer,
        found: Option<Found>,
        interrupt: &AtomicBool,
    ) -> Result<String, RegistryErrorKind> {
        let wrong = |why: &str| RegistryErrorKind::Token { why: why.to_owned() };
        let mut url = Url::parse(&bearer.realm).map_err(|_| wrong("its token server is no URL"))?;
        if url.scheme() != "https" && way.base.starts_with("https:") {
            return Err(wrong("its token server speaks no TLS, and a password would be read by anybody on the way"));
        }
        let scope = self.scope(access, bearer.scope.as_deref());
        let mut fields: Vec<(&str, &str)> = Vec::new();
        fields.extend(bearer.service.as_deref().map(|service| ("service", service)));
        let (file, login) = found.map(|found| (found.file, found.login)).unzip();
        let http: &Http = &way.http;
        let response = if let Some(Login::Identity(token)) = &login {
            fields.extend([("grant_type", "refresh_token"), ("client_id", "rebake"), ("scope", &scope)]);
            fields.push(("refresh_token", token));
            let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            let headers = [("content-type", "application/x-www-form-urlencoded")];
            let post = Request {
                method: Method::Post,
                headers: &headers,
                body: body.as_bytes(),
                ..Request::get(url.as_str(), TOKEN)
            };
            http.request(&post, interrupt)
        } else {
            fields.extend(scope.split_whitespace().map(|scope| ("scope", scope)));
            url.query_pairs_mut().extend_pairs(fields);
            let password = match &login {
                Some(Login::Password { user, password }) => Some(basic(user, password)),
                _ => None,
            };
            let headers: Vec<_> = password.iter().map(|password| ("authorization", password.as_str())).collect();
            http.request(&Request { headers: &headers, ..Request::get(url.as_str(), TOKEN) }, interrupt)
        }?;
        match response.status {
            200 => {
                let json = crate::oci::json::parse(&response.body).unwrap_or_default();
                let text = |name| json.get(name).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty());
                let token = text("token").or_else(|| text("access_token"));
                token.map(str::to_owned).ok_or_else(|| wrong("its token server gives none"))
            }
            // OAuth2 says 400 to a token that is not valid.
            400 | 401 | 403 => Err(RegistryErrorKind::Denied { credentials: file, said: said(&response.body) }),
            429 => Err(RegistryErrorKind::of(&response, file)),
            status => {
                let said = said(&response.body).map(|said| format!(": {said}")).unwrap_or_default();
                Err(wrong(&format!("its token server answers {status}{said}")))
            }
        }
    }
}

/// What a registry accepts: a token, a password.
fn challenges(refused: &Response) -> (Option<Bearer>, bool) {
    let (mut bearer, mut has_basic) = (None, false);
    for value in refused.headers("www-authenticate") {
        for challenge in http_auth::parse_challenges(value).unwrap_or_default() {
            let parameter = |name: &str| {
                let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("bearer")
                && let Some(realm) = parameter("realm")
            {
                bearer = Some(Bearer { realm, service: parameter("service"), scope: parameter("scope") });
            }
            has_basic |= challenge.scheme.eq_ignore_ascii_case("basic");
        }
    }
    (bearer, has_basic)
}
