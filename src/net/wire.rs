//! One request and its answer, spoken by a thread of its own.
//!
//! A read that blocks cannot look at a flag. So the thread that reads is not the one that waits: who waits looks up ten
//! times a second whether the user asked to stop, and leaves the other one to its timeout.

use super::error::{Hop, kind};
use super::{HttpErrorKind, Method, Response, Timing, host};
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;
use ureq::http::{self, HeaderMap};
use url::Url;

/// Bytes of a body that are read at once, and how many such pieces may wait to be written.
const PIECE: usize = 64 << 10;
const PIECES: usize = 4;

/// How long nobody looks whether the user asked to stop.
const LOOK: Duration = Duration::from_millis(100);

enum Said {
    Head(u16, HeaderMap),
    Bytes(Vec<u8>),
    End,
    Failed(ureq::Error),
}

/// An answer whose body is still to come.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    host: String,
    timing: Timing,
    said: Receiver<Said>,
}

/// Sends a request and waits for the head of its answer.
pub(super) fn ask(
    agent: &ureq::Agent,
    timing: Timing,
    (method, url, headers, body): (Method, &Url, &HeaderMap, &[u8]),
    interrupt: &AtomicBool,
) -> Result<Answer, Hop> {
    let failed = |kind| Hop { host: host(url), kind };
    let verb = match method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
        Method::Post => http::Method::POST,
    };
    let mut request = http::Request::new(());
    *request.method_mut() = verb;
    *request.headers_mut() = headers.clone();
    *request.uri_mut() =
        url.as_str().parse().map_err(|_| failed(HttpErrorKind::Url("it has characters that no URL has".to_owned())))?;
    let body = (method == Method::Post).then(|| body.to_vec());
    let agent = agent.clone();
    let (say, said) = sync_channel(PIECES);
    let speaker = thread::Builder::new().name("http".to_owned()).spawn(move || {
        let last = match speak(&agent, request, body, &say) {
            Ok(()) => Said::End,
            Err(error) => Said::Failed(error),
        };
        // Nobody may be listening any more.
        let _ = say.send(last);
    });
    speaker.map_err(|error| failed(HttpErrorKind::Broken(error.to_string())))?;
    let mut answer = Answer { status: 0, headers: HeaderMap::new(), host: host(url), timing, said };
    match answer.hear(interrupt)? {
        Said::Head(status, headers) => (answer.status, answer.headers) = (status, headers),
        _ => return Err(failed(HttpErrorKind::Protocol("its answer has no head".to_owned()))),
    }
    Ok(answer)
}

fn speak(
    agent: &ureq::Agent,
    request: http::Request<()>,
    body: Option<Vec<u8>>,
    say: &SyncSender<Said>,
) -> Result<(), ureq::Error> {
    let response = match body {
        Some(body) => agent.run(request.map(|()| body))?,
        None => agent.run(request)?,
    };
    let (head, body) = response.into_parts();
    let mut heard = say.send(Said::Head(head.status.as_u16(), head.headers)).is_ok();
    let mut body = body.into_reader();
    while heard {
        let mut piece = vec![0; PIECE];
        let n = body.read(&mut piece)?;
        if n == 0 {
            break;
        }
        piece.truncate(n);
        heard = say.send(Said::Bytes(piece)).is_ok();
    }
    Ok(())
}

impl Answer {
    fn failed(&self, kind: HttpErrorKind) -> Hop {
        Hop { host: self.host.clone(), kind }
    }

    fn hear(&self, interrupt: &AtomicBool) -> Result<Said, Hop> {
        loop {
            if interrupt.load(Ordering::Relaxed) {
                return Err(self.failed(HttpErrorKind::Interrupted));
            }
            match self.said.recv_timeout(LOOK) {
                Ok(Said::Failed(error)) => return Err(self.failed(kind(error, &self.timing))),
                Ok(said) => return Ok(said),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.failed(HttpErrorKind::Broken("its reader ended".to_owned())));
                }
            }
        }
    }

    /// The next bytes of the body; `None` at its end.
    pub(super) fn next(&self, interrupt: &AtomicBool) -> Result<Option<Vec<u8>>, Hop> {
        match self.hear(interrupt)? {
            Said::Bytes(bytes) => Ok(Some(bytes)),
            _ => Ok(None),
        }
    }

    /// A header's value, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The length that the head announces, if it does.
    pub(super) fn length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Too large a body. It is no answer of that host's that is wrong, but its size.
    pub(super) fn too_large(&self, limit: u64) -> Hop {
        self.failed(HttpErrorKind::TooLarge { limit })
    }

    /// Failed on the way, as far as anybody can tell.
    pub(super) fn broken(&self, why: String) -> Hop {
        self.failed(HttpErrorKind::Broken(why))
    }

    /// The file that it is to be written to fails.
    pub(super) fn disk(&self, error: std::io::Error) -> Hop {
        self.failed(HttpErrorKind::Disk(error))
    }

    /// The host, and the whole answer. A success of more than `limit` bytes is an error, another answer is cut there.
    pub(super) fn collect(self, limit: u64, interrupt: &AtomicBool) -> Result<(String, Response), Hop> {
        let mut body = Vec::new();
        // HEAD announces the length of what it does not send.
        loop {
            let Some(bytes) = self.next(interrupt)? else { break };
            let room = limit.saturating_sub(body.len() as u64);
            if bytes.len() as u64 > room {
                if self.is_success() {
                    return Err(self.too_large(limit));
                }
                body.extend(bytes.iter().take(usize::try_from(room).unwrap_or(usize::MAX)));
                break;
            }
            body.extend(bytes);
        }
        Ok((self.host, Response { status: self.status, body, headers: self.headers }))
    }
}
