//! Uploads of blobs: in one piece, or large ones in several, so that a connection that breaks costs one piece.

use super::auth::{Access, Ask, Pass, Reply, TOKEN};
use super::error::{Action, RegistryError, RegistryErrorKind};
use super::{Repository, Way};
use crate::net::{HttpError, HttpErrorKind, Method, Request, Response};
use crate::oci::{Descriptor, Digest};
use std::io::{self, Read};
use std::sync::atomic::AtomicBool;
use url::Url;

/// How often an upload that the registry lost is started over.
const RESTARTS: u32 = 4;

const BYTES: (&str, &str) = ("content-type", "application/octet-stream");

/// Where a blob is sent to, and how much the registry has of it.
#[derive(Clone)]
struct Session {
    location: Url,
    offset: u64,
    piece: u64,
}

/// An upload in progress.
struct Upload<'u, 's> {
    repository: &'u Repository<'u>,
    way: Way,
    descriptor: &'u Descriptor,
    open: &'u mut dyn FnMut(u64) -> io::Result<Box<dyn Read + Send + 's>>,
    /// What was opened and can be read on, and where it is.
    source: Option<(u64, Box<dyn Read + Send + 's>)>,
    interrupt: &'u AtomicBool,
}

impl Repository<'_> {
    /// Pushes a blob. `open` gives its bytes from an offset on; it is called again where an upload has to be resumed or
    /// started over. The registry holds what it got against the digest.
    ///
    /// # Errors
    /// All that [`RegistryErrorKind`] lists.
    pub fn push_blob<'s>(
        &self,
        descriptor: &Descriptor,
        open: &mut dyn FnMut(u64) -> io::Result<Box<dyn Read + Send + 's>>,
        interrupt: &AtomicBool,
    ) -> Result<(), RegistryError> {
        let pushed = self.registry.way(&self.host, interrupt).and_then(|way| {
            let mut upload = Upload { repository: self, way, descriptor, open, source: None, interrupt };
            upload.run()
        });
        pushed.map_err(|kind| self.failed(Action::Push, &descriptor.digest, kind))
    }

    /// Ends an upload that nobody needs. If that fails, the registry does it some day.
    pub(super) fn cancel(&self, way: &Way, location: &Url, interrupt: &AtomicBool) {
        let delete = Request { method: Method::Delete, tries: 1, ..Request::get(location.as_str(), TOKEN) };
        let _ = self.at(way, location, interrupt, &mut |pass| {
            way.http.request(&Request { headers: pass, ..delete }, interrupt)
        });
    }

    /// Sends something to the place of an upload. Only the registry itself gets to know who we are.
    fn at(
        &self,
        way: &Way,
        location: &Url,
        interrupt: &AtomicBool,
        ask: &mut Ask<'_>,
    ) -> Result<Reply, RegistryErrorKind> {
        if way.is_own(location) {
            return self.authorized(way, Access::Push, interrupt, ask);
        }
        Ok(Reply { response: ask(&[])?, pass: Pass::default() })
    }
}

impl Way {
    /// Whether a URL is one of the registry itself.
    pub(super) fn is_own(&self, url: &Url) -> bool {
        Url::parse(&self.base).is_ok_and(|base| base.origin() == url.origin())
    }

    /// Where an answer says to go on.
    pub(super) fn location(&self, at: &Url, response: &Response) -> Result<Url, RegistryErrorKind> {
        let to = response.header("location").and_then(|to| at.join(to).ok());
        let mut to = to
            .filter(|to| matches!(to.scheme(), "http" | "https") && to.has_host())
            .ok_or(RegistryErrorKind::Location)?;
        if to.scheme() == "http" && at.scheme() == "https" {
            let host = at.host_str().unwrap_or_default().to_owned();
            let error =
                HttpError { url: crate::net::printable(at.as_str()), host, tries: 1, kind: HttpErrorKind::Downgrade };
            return Err(error.into());
        }
        // Nobody hands us credentials in an address.
        let _ = (to.set_username(""), to.set_password(None));
        to.set_fragment(None);
        Ok(to)
    }
}

impl Upload<'_, '_> {
    fn run(&mut self) -> Result<(), RegistryErrorKind> {
        let size = self.descriptor.size;
        let mut in_pieces = size > self.repository.registry.pieces.above;
        let mut retry = self.way.http.retry();
        let (mut restarts, mut best, mut known) = (0, 0, 0);
        let mut session = None;
        loop {
            let at = match session.take() {
                Some(session) => session,
                None => self.start()?,
            };
            let is_piece = in_pieces && at.offset < size;
            let tried = if is_piece { self.patch(&at) } else { self.put(&at) };
            let status = tried.as_ref().map_or(0, |reply| reply.response.status);
            match &tried {
                Ok(reply) if (200..300).contains(&status) && !is_piece => return self.check(&reply.response),
                Ok(reply) if (200..300).contains(&status) => {
                    let end = at.end(size);
                    let offset = received(&reply.response).unwrap_or(end);
                    if offset > at.offset && offset <= end {
                        let location = self.way.location(&at.location, &reply.response).unwrap_or(at.location);
                        best = best.max(offset);
                        session = Some(Session { location, offset, ..at });
                        continue;
                    }
                }
                _ => {}
            }
            self.source = None;
            // It takes no pieces at all: most do, some say so in one way or another.
            if is_piece && at.offset == 0 && matches!(status, 400..=499 | 501) && !is_plain(status) {
                self.repository.cancel(&self.way, &at.location, self.interrupt);
                in_pieces = false;
                continue;
            }
            let is_lost = matches!(status, 404 | 416) || is_piece && matches!(status, 200..=299 | 400);
            if best > known {
                restarts = 0;
            }
            let goes_on = match &tried {
                _ if is_lost => {
                    restarts += 1;
                    restarts < RESTARTS
                }
                Ok(reply) => retry.again(Ok(&reply.response), best > known, self.interrupt),
                Err(RegistryErrorKind::Http(error)) => retry.again(Err(error), best > known, self.interrupt),
                Err(_) => false,
            };
            known = best;
            if !goes_on {
                return Err(match tried {
                    Ok(reply) => reply.error(),
                    Err(RegistryErrorKind::Http(error)) => HttpError { tries: retry.failures(), ..*error }.into(),
                    Err(kind) => kind,
                });
            }
            if in_pieces {
                session = self.state(&at)?;
            }
            // The last answer may have been all that was lost.
            if session.is_none() && self.repository.has(self.descriptor.digest, self.interrupt)? {
                return Ok(());
            }
        }
    }

    /// Opens an upload.
    fn start(&self) -> Result<Session, RegistryErrorKind> {
        let url = format!("{}/v2/{}/blobs/uploads/", self.way.base, self.repository.name);
        let post = Request { method: Method::Post, ..Request::get(&url, TOKEN) };
        let reply = self.repository.call(&self.way, Access::Push, &post, self.interrupt)?;
        if !(200..300).contains(&reply.response.status) {
            return Err(reply.error());
        }
        let at = Url::parse(&url).map_err(|_| RegistryErrorKind::Location)?;
        let location = self.way.location(&at, &reply.response)?;
        let least = reply.response.header("oci-chunk-min-length").and_then(|least| least.parse().ok()).unwrap_or(0);
        Ok(Session { location, offset: 0, piece: self.repository.registry.pieces.size.max(least).max(1) })
    }

    /// Sends the next piece.
    fn patch(&mut self, at: &Session) -> Result<Reply, RegistryErrorKind> {
        let end = at.end(self.descriptor.size);
        let range = format!("{}-{}", at.offset, end.saturating_sub(1));
        let headers = [BYTES, ("content-range", &range)];
        self.send((Method::Patch, &at.location, &headers), at.offset, end)
    }

    /// Sends what is left, and with it the digest: all that was sent is a blob now.
    fn put(&mut self, at: &Session) -> Result<Reply, RegistryErrorKind> {
        let mut url = at.location.clone();
        url.query_pairs_mut().append_pair("digest", &self.descriptor.digest.to_string());
        self.send((Method::Put, &url, &[BYTES]), at.offset, self.descriptor.size)
    }

    fn send(
        &mut self,
        (method, location, headers): (Method, &Url, &[(&str, &str)]),
        start: u64,
        end: u64,
    ) -> Result<Reply, RegistryErrorKind> {
        let Self { repository, way, open, source, interrupt, .. } = self;
        repository.at(way, location, interrupt, &mut |pass| {
            let mut body = match source.take() {
                Some((at, body)) if at == start => body,
                _ => (*open)(start).map_err(|error| HttpError {
                    url: String::new(),
                    host: repository.host.clone(),
                    tries: 1,
                    kind: HttpErrorKind::Source(error),
                })?,
            };
            let headers = [headers, pass].concat();
            let request = Request { method, headers: &headers, ..Request::get(location.as_str(), TOKEN) };
            let response = way.http.send(&request, &mut body, end.saturating_sub(start), interrupt)?;
            if (200..300).contains(&response.status) {
                *source = Some((end, body));
            }
            Ok(response)
        })
    }

    /// What the registry has; `None` if it knows nothing of the upload any more.
    fn state(&self, at: &Session) -> Result<Option<Session>, RegistryErrorKind> {
        let Self { repository, way, interrupt, .. } = self;
        let reply = repository.at(way, &at.location, interrupt, &mut |pass| {
            way.http.request(&Request { headers: pass, ..Request::get(at.location.as_str(), TOKEN) }, interrupt)
        })?;
        let offset = received(&reply.response).unwrap_or(0);
        if !(200..300).contains(&reply.response.status) || offset > self.descriptor.size {
            return Ok(None);
        }
        let location = way.location(&at.location, &reply.response).unwrap_or_else(|_| at.location.clone());
        Ok(Some(Session { location, offset, piece: at.piece }))
    }

    /// The registry says what it made of it.
    fn check(&self, response: &Response) -> Result<(), RegistryErrorKind> {
        let expected = self.descriptor.digest;
        let found = response.header("docker-content-digest").and_then(|digest| digest.parse::<Digest>().ok());
        match found.filter(|found| *found != expected) {
            Some(found) => Err(RegistryErrorKind::Digest { expected, found }),
            None => Ok(()),
        }
    }
}

impl Session {
    /// Where the next piece ends.
    fn end(&self, size: u64) -> u64 {
        self.offset.saturating_add(self.piece).min(size)
    }
}

/// Whether a refusal of a piece is one of the whole blob.
fn is_plain(status: u16) -> bool {
    matches!(status, 401 | 403 | 408 | 413 | 429)
}

/// How many bytes the registry says it has: `Range: 0-N`, both ends counted. Nothing at all is `0-0` too.
fn received(response: &Response) -> Option<u64> {
    let range = response.header("range")?;
    let (start, end) = range.strip_prefix("bytes=").unwrap_or(range).split_once('-')?;
    let end: u64 = end.trim().parse().ok().filter(|_| start.trim() == "0")?;
    Some(if end == 0 { 0 } else { end.saturating_add(1) })
}
