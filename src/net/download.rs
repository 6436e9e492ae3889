//! Downloads into a file of the store, resumed where a connection broke.

use super::error::Hop;
use super::retry::Setback;
use super::wire::Answer;
use super::{Http, HttpError, Method, Request, error, retry};
use crate::store::Part;
use std::io::Write;
use std::sync::atomic::AtomicBool;
use ureq::http::{HeaderMap, HeaderValue, header};
use url::Url;

/// How much of an answer that is no success is kept for its message.
pub(super) const COMPLAINT: u64 = 64 << 10;

/// What is known of the file from try to try.
struct Known {
    /// Names this version of the file (RFC 9110 section 8.8): what is fetched by it fits to what is there.
    validator: Option<HeaderValue>,
    /// Its length.
    total: Option<u64>,
    /// What an earlier rebake received is resumed without more ado: it asked for a digest, and so does its successor.
    pinned: bool,
    /// The most that any try had.
    high: u64,
    /// Whether the server refused to send the rest once.
    refused: bool,
}

impl Http {
    /// Fetches a file of at most `limit` bytes into `part`, behind what it has. Whether these are the right bytes is for
    /// the caller to say, by their digest.
    ///
    /// # Errors
    /// All that [`super::HttpErrorKind`] lists. The part keeps what came, so that a later call goes on there.
    pub fn download(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        limit: u64,
        part: &mut Part,
        interrupt: &AtomicBool,
    ) -> Result<(), HttpError> {
        let (url, headers) = error::parse(url, headers)?;
        let mut known =
            Known { validator: None, total: None, pinned: part.len() > 0, high: part.len(), refused: false };
        let fetched = retry::persist(&self.timing, Request::TRIES, interrupt, || {
            let fetched = self.fetch(&url, &headers, limit, part, &mut known, interrupt);
            let progress = part.len() > known.high;
            known.high = known.high.max(part.len());
            fetched.map_err(|setback| Setback { progress, ..setback })
        });
        fetched.map_err(|(hop, tries)| HttpError::new(&url, hop, tries))
    }

    /// One try.
    fn fetch(
        &self,
        url: &Url,
        headers: &HeaderMap,
        limit: u64,
        part: &mut Part,
        known: &mut Known,
        interrupt: &AtomicBool,
    ) -> Result<(), Setback> {
        loop {
            // Bytes of two versions of a file are no file.
            let resumes = part.len() > 0 && part.len() <= limit && (known.pinned || known.validator.is_some());
            let mut headers = headers.clone();
            if resumes {
                headers.insert(header::RANGE, value(&format!("bytes={}-", part.len())));
                if let Some(validator) = &known.validator {
                    headers.insert(header::IF_RANGE, validator.clone());
                }
            }
            let answer = self.follow(Method::Get, url, &headers, &[], interrupt)?;
            let disk = |error| answer.disk(error);
            match answer.status {
                200 => {
                    part.restart().map_err(disk)?;
                    known.total = answer.length();
                }
                206 if resumes => match range(&answer) {
                    Some((start, total)) if start == part.len() && agree(known.total, total) => {
                        known.total = total.or(known.total);
                    }
                    _ => {
                        part.restart().map_err(disk)?;
                        return Err(another_part(&answer).into());
                    }
                },
                // Nothing is left to send.
                416 if resumes && unsatisfied(&answer) == Some(part.len()) => return Ok(()),
                416 if resumes && !known.refused => {
                    part.restart().map_err(disk)?;
                    (known.refused, known.total) = (true, None);
                    continue;
                }
                _ => return Err(Setback::status(answer.collect(COMPLAINT, interrupt)?)),
            }
            known.validator = validator(&answer).or(known.validator.take().filter(|_| answer.status == 206));
            return Ok(receive(&answer, limit, part, known.total, interrupt)?);
        }
    }
}

pub(super) fn another_part(answer: &Answer) -> Hop {
    answer.broken("it sent another part of the file than it was asked for".to_owned())
}

/// Writes the body behind what is there.
fn receive(
    answer: &Answer,
    limit: u64,
    part: &mut Part,
    total: Option<u64>,
    interrupt: &AtomicBool,
) -> Result<(), Hop> {
    if total.is_some_and(|total| total > limit) {
        return Err(answer.too_large(limit));
    }
    while let Some(bytes) = answer.next(interrupt)? {
        if bytes.len() as u64 > limit.saturating_sub(part.len()) {
            return Err(answer.too_large(limit));
        }
        part.write_all(&bytes).map_err(|error| answer.disk(error))?;
    }
    match total {
        Some(total) if part.len() < total => Err(answer.broken(format!("{} of {total} bytes came", part.len()))),
        Some(total) if part.len() > total => {
            let why = format!("{} bytes came, where {total} were announced", part.len());
            part.restart().map_err(|error| answer.disk(error))?;
            Err(answer.broken(why))
        }
        _ => Ok(()),
    }
}

/// A strong ETag; else Last-Modified, if the answer is younger than that, as only then it names one version.
fn validator(answer: &Answer) -> Option<HeaderValue> {
    let strong = |tag: &&HeaderValue| tag.as_bytes().starts_with(b"\"");
    let modified = answer.headers.get(header::LAST_MODIFIED);
    let younger = || modified.filter(|modified| answer.headers.get(header::DATE).is_some_and(|date| date != modified));
    answer.headers.get(header::ETAG).filter(strong).or_else(younger).cloned()
}

/// Where a partial answer starts, and how long the whole is if that is known: `Content-Range: bytes 5-9/10`.
pub(super) fn range(answer: &Answer) -> Option<(u64, Option<u64>)> {
    let (range, total) = answer.header("content-range")?.strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end): (u64, u64) = (start.trim().parse().ok()?, end.trim().parse().ok()?);
    let total = if total.trim() == "*" { None } else { Some(total.trim().parse::<u64>().ok()?) };
    (start <= end && total.is_none_or(|total| end < total)).then_some((start, total))
}

/// The length of the file in an answer that has none of it: `Content-Range: bytes */10`.
fn unsatisfied(answer: &Answer) -> Option<u64> {
    answer.header("content-range")?.strip_prefix("bytes */")?.trim().parse().ok()
}

fn agree(known: Option<u64>, said: Option<u64>) -> bool {
    known.is_none() || said.is_none() || known == said
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
