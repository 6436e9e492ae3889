//! Files as they come, from an offset on. Whoever reads them asks again where a connection broke.

use super::download::{COMPLAINT, another_part, range};
use super::error;
use super::retry::{self, Setback};
use super::wire::Answer;
use super::{Http, HttpError, Method, Request};
use std::sync::atomic::AtomicBool;
use ureq::http::{HeaderValue, header};
use url::Url;

/// The rest of a file.
pub struct Stream {
    url: Url,
    answer: Answer,
    /// What the server sends although it was not asked for.
    skip: u64,
    total: Option<u64>,
}

impl Http {
    /// Asks for a file from byte `from` on.
    ///
    /// # Errors
    /// All that [`super::HttpErrorKind`] lists; an answer that is no success is one.
    pub fn stream(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        from: u64,
        interrupt: &AtomicBool,
    ) -> Result<Stream, HttpError> {
        let (url, mut headers) = error::parse(url, headers)?;
        if from > 0
            && let Ok(range) = HeaderValue::try_from(format!("bytes={from}-"))
        {
            headers.insert(header::RANGE, range);
        }
        let opened = retry::persist(&self.timing, Request::TRIES, interrupt, || {
            let answer = self.follow(Method::Get, &url, &headers, &[], interrupt)?;
            let (skip, total) = match answer.status {
                200 => (from, answer.length()),
                206 if from > 0 => match range(&answer) {
                    Some((start, total)) if start == from => (0, total),
                    _ => return Err(Setback::from(another_part(&answer))),
                },
                _ => return Err(Setback::status(answer.collect(COMPLAINT, interrupt)?)),
            };
            Ok((answer, skip, total))
        });
        match opened {
            Ok((answer, skip, total)) => Ok(Stream { url, answer, skip, total }),
            Err((hop, tries)) => Err(HttpError::new(&url, hop, tries)),
        }
    }
}

impl Stream {
    /// The length of the whole file, as far as the server says it.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// The connection broke, stalled, or the user asked to stop.
    pub fn next(&mut self, interrupt: &AtomicBool) -> Result<Option<Vec<u8>>, HttpError> {
        loop {
            let next = self.answer.next(interrupt).map_err(|hop| HttpError::new(&self.url, hop, 1))?;
            let Some(mut bytes) = next else { return Ok(None) };
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            self.skip -= skipped as u64;
            if skipped < bytes.len() {
                return Ok(Some(if skipped == 0 { bytes } else { bytes.split_off(skipped) }));
            }
        }
    }
}
