//! Redirects: followed so that no secret goes to another host, and nothing from https to http.

use super::error::Hop;
use super::wire::{Answer, Body, ask};
use super::{Http, HttpErrorKind, Method, host};
use std::sync::atomic::AtomicBool;
use ureq::http::{HeaderMap, header};
use url::Url;

/// How many redirects are followed.
pub(super) const REDIRECTS: usize = 10;

impl Http {
    /// The answer of that very URL.
    pub(super) fn once(
        &self,
        method: Method,
        url: &Url,
        headers: &HeaderMap,
        body: Body<'_>,
        interrupt: &AtomicBool,
    ) -> Result<Answer, Hop> {
        let agent = self.routes.agent(url).map_err(|kind| Hop { host: host(url), kind })?;
        ask(agent, self.timing, (method, url, headers), body, interrupt)
    }

    /// The answer at the end of the redirects.
    pub(super) fn follow(
        &self,
        method: Method,
        url: &Url,
        headers: &HeaderMap,
        body: &[u8],
        interrupt: &AtomicBool,
    ) -> Result<Answer, Hop> {
        let (mut at, mut headers) = (url.clone(), headers.clone());
        for _ in 0..=REDIRECTS {
            let answer = self.once(method, &at, &headers, Body::Bytes(body), interrupt)?;
            if method.has_body() || !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let failed = |kind| Hop { host: host(&at), kind };
            let to = answer.headers.get(header::LOCATION).and_then(|to| std::str::from_utf8(to.as_bytes()).ok());
            let mut to = to
                .and_then(|to| at.join(to).ok())
                .filter(|to| matches!(to.scheme(), "http" | "https") && to.has_host())
                .ok_or_else(|| failed(HttpErrorKind::Location))?;
            let _ = (to.set_username(""), to.set_password(None));
            to.set_fragment(None);
            if to.scheme() == "http" && url.scheme() == "https" {
                return Err(failed(HttpErrorKind::Downgrade));
            }
            // Scheme, host and port: who else gets the request gets no secret with it, nor does anybody after them.
            if to.origin() != at.origin() {
                headers.remove(header::AUTHORIZATION);
                headers.remove(header::COOKIE);
            }
            at = to;
        }
        Err(Hop { host: host(&at), kind: HttpErrorKind::Redirects })
    }
}
