//! One request and its answer, spoken by a thread of its own.
//!
//! A read that blocks cannot look at a flag. So the thread that reads is not the one that waits: who waits looks up ten
//! times a second whether the user asked to stop, and leaves the other one to its timeout.

use super::error::{Hop, kind};
use super::{HttpErrorKind, Method, Response, Timing, host};
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;
use ureq::SendBody;
use ureq::http::{self, HeaderMap, HeaderValue, header};
use url::Url;

/// Bytes of a body that are read at once, and how many such pieces may wait to be written, or to be sent.
const PIECE: usize = 64 << 10;
const PIECES: usize = 4;

/// Who sends more than this asks first whether it may (RFC 9110 section 10.1.1): a server that refuses says why then, where
/// it would else break the connection.
const ASKED: u64 = 1 << 20;

/// How long nobody looks whether the user asked to stop.
const LOOK: Duration = Duration::from_millis(100);

enum Said {
    Head(u16, HeaderMap),
    /// The next piece of the request's body is to be sent.
    Wants,
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

/// What is sent with a request.
pub(super) enum Body<'a> {
    Bytes(&'a [u8]),
    /// So many bytes, read by who waits, piece by piece as the speaker wants them.
    Stream(&'a mut dyn Read, u64),
}

/// What the speaker has of the body.
enum Sent {
    Nothing,
    Bytes(Vec<u8>),
    Pipe(Pipe),
}

/// Sends a request and waits for the head of its answer.
pub(super) fn ask(
    agent: &ureq::Agent,
    timing: Timing,
    (method, url, headers): (Method, &Url, &HeaderMap),
    body: Body<'_>,
    interrupt: &AtomicBool,
) -> Result<Answer, Hop> {
    let failed = |kind| Hop { host: host(url), kind };
    let verb = match method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
        Method::Delete => http::Method::DELETE,
    };
    let mut request = http::Request::new(());
    *request.method_mut() = verb;
    *request.headers_mut() = headers.clone();
    *request.uri_mut() =
        url.as_str().parse().map_err(|_| failed(HttpErrorKind::Url("it has characters that no URL has".to_owned())))?;
    let (say, said) = sync_channel(PIECES);
    let (sent, mut source) = match body {
        Body::Bytes(_) if !method.has_body() => (Sent::Nothing, None),
        Body::Bytes(bytes) => (Sent::Bytes(bytes.to_vec()), None),
        Body::Stream(body, length) => {
            // With its length, it is not sent in chunks.
            request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            if length > ASKED {
                request.headers_mut().insert(header::EXPECT, HeaderValue::from_static("100-continue"));
            }
            let (give, pieces) = channel();
            let pipe = Pipe { wants: say.clone(), pieces, piece: io::Cursor::default(), left: length };
            (Sent::Pipe(pipe), Some(Source { body, left: length, give }))
        }
    };
    let agent = agent.clone();
    let speaker = thread::Builder::new().name("http".to_owned()).spawn(move || {
        let last = match speak(&agent, request, sent, &say) {
            Ok(()) => Said::End,
            Err(error) => Said::Failed(error),
        };
        // Nobody may be listening any more.
        let _ = say.send(last);
    });
    speaker.map_err(|error| failed(HttpErrorKind::Broken(error.to_string())))?;
    let mut answer = Answer { status: 0, headers: HeaderMap::new(), host: host(url), timing, said };
    loop {
        match (answer.hear(interrupt)?, &mut source) {
            (Said::Head(status, headers), _) => {
                (answer.status, answer.headers) = (status, headers);
                return Ok(answer);
            }
            (Said::Wants, Some(source)) => source.give().map_err(|error| match interrupt.load(Ordering::Relaxed) {
                true => failed(HttpErrorKind::Interrupted),
                false => failed(HttpErrorKind::Source(error)),
            })?,
            _ => return Err(failed(HttpErrorKind::Protocol("its answer has no head".to_owned()))),
        }
    }
}

/// The reading end of a body. Gone, it ends the speaker.
struct Source<'a> {
    body: &'a mut dyn Read,
    left: u64,
    give: Sender<Vec<u8>>,
}

impl Source<'_> {
    /// Reads the next piece.
    fn give(&mut self) -> io::Result<()> {
        let mut piece = Vec::new();
        let n = (&mut *self.body).take(self.left.min(PIECE as u64)).read_to_end(&mut piece)? as u64;
        if n == 0 && self.left > 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("its last {} bytes are missing", self.left),
            ));
        }
        self.left -= n;
        // A speaker that failed says why itself.
        let _ = self.give.send(piece);
        Ok(())
    }
}

/// The sending end of a body.
struct Pipe {
    wants: SyncSender<Said>,
    pieces: Receiver<Vec<u8>>,
    piece: io::Cursor<Vec<u8>>,
    left: u64,
}

impl Read for Pipe {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        loop {
            let n = self.piece.read(out)?;
            if n > 0 || self.left == 0 || out.is_empty() {
                return Ok(n);
            }
            self.wants.send(Said::Wants).map_err(|_| gone())?;
            let piece = self.pieces.recv().map_err(|_| gone())?;
            self.left = self.left.saturating_sub(piece.len() as u64);
            self.piece = io::Cursor::new(piece);
        }
    }
}

fn speak(
    agent: &ureq::Agent,
    request: http::Request<()>,
    sent: Sent,
    say: &SyncSender<Said>,
) -> Result<(), ureq::Error> {
    let response = match sent {
        Sent::Nothing => agent.run(request)?,
        Sent::Bytes(body) => agent.run(request.map(|()| body))?,
        Sent::Pipe(pipe) => agent.run(request.map(|()| SendBody::from_owned_reader(pipe)))?,
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
