//! Trying again: what may pass, how long to wait, and when to give up.

use super::error::Hop;
use super::{HttpError, HttpErrorKind, Response, Timing};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// The waits, in halves of [`Timing::delay`]; the last one stays. Without chance: a test and a log say what comes.
const DELAYS: [u32; 5] = [2, 5, 10, 20, 40];

/// A try that failed.
pub(super) struct Setback {
    pub(super) hop: Hop,
    /// What the server asks to wait.
    pub(super) wait: Option<Duration>,
    /// Whether it brought something that no try before had.
    pub(super) progress: bool,
}

impl From<Hop> for Setback {
    fn from(hop: Hop) -> Self {
        Self { hop, wait: None, progress: false }
    }
}

impl Setback {
    /// An answer that is no success.
    pub(super) fn status((host, response): (String, Response)) -> Self {
        let wait = asked(&response);
        Self { hop: Hop { host, kind: HttpErrorKind::Status(Box::new(response)) }, wait, progress: false }
    }
}

/// Whether a server that gives this status may give another one soon.
pub(super) fn passing(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

/// Tries that failed, and what follows from them.
#[derive(Debug)]
pub struct Retry {
    timing: Timing,
    tries: u32,
    failures: u32,
}

impl Retry {
    pub(super) fn new(timing: Timing, tries: u32) -> Self {
        Self { timing, tries, failures: 0 }
    }

    /// How many tries failed since the last one that brought something.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// After a try that failed: waits, and says whether another one may go better. `progress` says whether it brought
    /// something that no try before had. If the user asks to stop meanwhile, the next request says so.
    pub fn again(&mut self, failed: Result<&Response, &HttpError>, progress: bool, interrupt: &AtomicBool) -> bool {
        let (passes, response) = match failed {
            Ok(response) => (passing(response.status), Some(response)),
            Err(HttpError { kind: HttpErrorKind::Status(response), .. }) => {
                (passing(response.status), Some(&**response))
            }
            Err(error) => (error.kind.passes(), None),
        };
        let wait = response.and_then(asked);
        self.wait(passes, wait, progress).is_some_and(|wait| {
            sleep(wait, interrupt);
            true
        })
    }

    /// How long to wait before the next try; `None` if there is no point in one.
    fn wait(&mut self, passes: bool, asked: Option<Duration>, progress: bool) -> Option<Duration> {
        self.failures = if progress { 1 } else { self.failures + 1 };
        // To come back earlier than a server asks is in vain, and to wait for long is not what anybody expects of a command.
        let asked = asked.unwrap_or_default();
        if !passes || self.failures >= self.tries || asked > self.timing.patience {
            return None;
        }
        let steps = DELAYS.get(self.failures as usize - 1).or(DELAYS.last()).copied().unwrap_or_default();
        Some((self.timing.delay / 2 * steps).max(asked))
    }
}

/// Tries until it works, cannot work, or has failed `tries` times without progress; then tells the failure and their number.
pub(super) fn persist<T>(
    timing: &Timing,
    tries: u32,
    interrupt: &AtomicBool,
    mut attempt: impl FnMut() -> Result<T, Setback>,
) -> Result<T, (Hop, u32)> {
    let mut retry = Retry::new(*timing, tries);
    loop {
        let setback = match attempt() {
            Ok(done) => return Ok(done),
            Err(setback) => setback,
        };
        match retry.wait(setback.hop.kind.passes(), setback.wait, setback.progress) {
            None => return Err((setback.hop, retry.failures)),
            Some(wait) if sleep(wait, interrupt) => {}
            Some(_) => return Err((Hop { kind: HttpErrorKind::Interrupted, ..setback.hop }, retry.failures)),
        }
    }
}

/// What a server asks to wait.
fn asked(response: &Response) -> Option<Duration> {
    retry_after(response.header("retry-after"), response.header("date"))
}

/// `false` if the user asked to stop meanwhile.
fn sleep(time: Duration, interrupt: &AtomicBool) -> bool {
    let start = Instant::now();
    while !interrupt.load(Ordering::Relaxed) {
        let left = time.saturating_sub(start.elapsed());
        if left.is_zero() {
            return true;
        }
        thread::sleep(left.min(Duration::from_millis(100)));
    }
    false
}

/// `Retry-After`: seconds, or a date (RFC 9110 section 10.2.3). The date is held against the server's own clock, which is
/// the one that it means.
fn retry_after(value: Option<&str>, date: Option<&str>) -> Option<Duration> {
    let value = value?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let instant = |text: &str| OffsetDateTime::parse(text.trim(), &Rfc2822).ok();
    Duration::try_from(instant(value)? - instant(date?)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_in_both_forms() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(retry_after(Some("7"), None), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(Some("Sun, 06 Nov 1994 08:50:07 GMT"), date), Some(Duration::from_secs(30)));
        assert_eq!(retry_after(Some("Sun, 06 Nov 1994 08:49:07 GMT"), date), None, "it is over");
        assert_eq!(retry_after(Some("Sun, 06 Nov 1994 08:50:07 GMT"), None), None);
        assert_eq!(retry_after(Some("soon"), date), None);
        assert_eq!(retry_after(None, date), None);
    }

    #[test]
    fn tries_end_where_nothing_moves() {
        let timing = Timing { delay: Duration::ZERO, ..Timing::default() };
        let broken = |progress| {
            let hop = Hop { host: String::new(), kind: HttpErrorKind::Broken(String::new()) };
            Setback { hop, wait: None, progress }
        };
        let mut count = 0;
        let never = AtomicBool::new(false);
        let failed = persist(&timing, 5, &never, || {
            count += 1;
            Err::<(), _>(broken(count <= 10))
        });
        assert_eq!((failed.err().map(|(_, tries)| tries), count), (Some(5), 14), "the tenth is the first of five");
    }
}
