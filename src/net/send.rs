//! Bodies that are read while they are sent.

use super::wire::Body;
use super::{Http, HttpError, Request, Response, Retry, error};
use std::io::Read;
use std::sync::atomic::AtomicBool;

impl Http {
    /// Sends `length` bytes of `body`, whatever [`Request::body`] and [`Request::tries`] say: once, as only the caller can
    /// read them again, and to no other place. The answer may be of any status.
    ///
    /// # Errors
    /// No answer, or one that is too large; [`super::HttpErrorKind::Source`] if the body cannot be read.
    pub fn send(
        &self,
        request: &Request<'_>,
        body: &mut dyn Read,
        length: u64,
        interrupt: &AtomicBool,
    ) -> Result<Response, HttpError> {
        let (url, headers) = error::parse(request.url, request.headers)?;
        let answer = self.once(request.method, &url, &headers, Body::Stream(body, length), interrupt);
        let whole = answer.and_then(|answer| answer.collect(request.limit, interrupt));
        whole.map(|(_, response)| response).map_err(|hop| HttpError::new(&url, hop, 1))
    }

    /// Counts the tries of somebody who tries again by himself.
    #[must_use]
    pub fn retry(&self) -> Retry {
        Retry::new(self.timing, Request::TRIES)
    }
}
