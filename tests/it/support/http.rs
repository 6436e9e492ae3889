//! An HTTP server of this machine that misbehaves as it is told, and remembers what it was asked.

use super::{Work, run, tool};
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What a path answers: a file or a status, and what goes wrong with it.
#[derive(Debug, Clone)]
pub struct Behaviour {
    status: u16,
    body: Vec<u8>,
    headers: Vec<(String, String)>,
    ranges: bool,
    chunked: bool,
    length: Option<usize>,
    close_after: Option<usize>,
    stall_after: Option<usize>,
    hang_up_after: Option<usize>,
    early: bool,
}

impl Behaviour {
    /// A file, with an ETag of its content, in parts to who asks for a part.
    pub fn bytes(body: impl Into<Vec<u8>>) -> Behaviour {
        let body = body.into();
        let etag = format!("\"{}\"", &super::sha256(&body)[..16]);
        Behaviour { ranges: true, ..Behaviour::status(200).header("ETag", etag) }.body(body)
    }

    /// A status without a body.
    pub fn status(status: u16) -> Behaviour {
        let (body, headers) = Default::default();
        let (length, close_after, stall_after, hang_up_after) = Default::default();
        let (ranges, chunked, early) = Default::default();
        Behaviour { status, body, headers, ranges, chunked, length, close_after, stall_after, hang_up_after, early }
    }

    /// A redirect.
    pub fn redirect(status: u16, to: impl Into<String>) -> Behaviour {
        Behaviour::status(status).header("Location", to)
    }

    /// With this body.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Behaviour {
        Behaviour { body: body.into(), ..self }
    }

    /// With this header, in place of one of the same name.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Behaviour {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Without this header.
    pub fn without(mut self, name: &str) -> Behaviour {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// Always the whole file, whatever part is asked for.
    pub fn whole(self) -> Behaviour {
        Behaviour { ranges: false, ..self }
    }

    /// In chunks, without a length.
    pub fn chunked(self) -> Behaviour {
        Behaviour { chunked: true, ..self }
    }

    /// Says that the body has this length.
    pub fn lying(self, length: usize) -> Behaviour {
        Behaviour { length: Some(length), ..self }
    }

    /// Ends the connection after so many bytes of the body.
    pub fn close_after(self, bytes: usize) -> Behaviour {
        Behaviour { close_after: Some(bytes), ..self }
    }

    /// Sends nothing any more after so many bytes of the body, and keeps the connection.
    pub fn stall_after(self, bytes: usize) -> Behaviour {
        Behaviour { stall_after: Some(bytes), ..self }
    }

    /// Ends the connection after so many bytes of the request's body, without an answer.
    pub fn hang_up_after(self, bytes: usize) -> Behaviour {
        Behaviour { hang_up_after: Some(bytes), ..self }
    }

    /// Answers before it reads the request's body, and ends the connection.
    pub fn early(self) -> Behaviour {
        Behaviour { early: true, ..self }
    }
}

/// A request, as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `GET`.
    pub method: String,
    /// Path and query; behind `CONNECT`, host and port.
    pub path: String,
    /// The body.
    pub body: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Seen {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct Shared {
    paths: Mutex<BTreeMap<String, VecDeque<Behaviour>>>,
    seen: Mutex<Vec<Seen>>,
    stop: AtomicBool,
}

/// The server. Dropped, it ends every connection.
pub struct Server {
    port: u16,
    tls: bool,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// One that speaks HTTP on a free port of 127.0.0.1. It is also a proxy: to CONNECT it says yes and plays the other
    /// end itself.
    pub fn start() -> Server {
        Server::listen(None)
    }

    /// One that speaks HTTPS, for `localhost` and 127.0.0.1.
    pub fn start_tls(identity: &Identity) -> Server {
        Server::listen(Some(Arc::new(identity.config())))
    }

    fn listen(tls: Option<Arc<rustls::ServerConfig>>) -> Server {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Shared::default());
        let secure = tls.is_some();
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for stream in listener.incoming() {
                    if shared.stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let (stream, shared, tls) = (stream.expect("a connection"), Arc::clone(&shared), tls.clone());
                    thread::spawn(move || converse(stream, &shared, tls));
                }
            }
        });
        Server { port, tls: secure, shared, accepting: Some(accepting) }
    }

    /// The full URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http{}://{}{path}", if self.tls { "s" } else { "" }, self.host())
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// From now on this path answers so. A path with nothing to say answers 404.
    pub fn serve(&self, path: &str, behaviour: Behaviour) {
        self.script(path, [behaviour]);
    }

    /// From now on this path answers so, one after the other; the last one stays.
    pub fn script(&self, path: &str, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.shared.paths.lock().expect("the paths").insert(path.to_owned(), behaviours.into_iter().collect());
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("the requests").clone()
    }

    /// The requests for a path, whatever their query.
    pub fn requests_of(&self, path: &str) -> Vec<Seen> {
        let of = |seen: &Seen| seen.path.split('?').next() == Some(path);
        self.requests().into_iter().filter(of).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// The names of a server of this machine.
const HERE: &str = "DNS:localhost,IP:127.0.0.1";

/// A certificate for `localhost` and 127.0.0.1, made by openssl.
pub struct Identity {
    /// The certificate (PEM).
    pub certificate: PathBuf,
    /// Its key (PEM).
    pub key: PathBuf,
    /// The certificate that it is signed by; it is its own authority if nothing else is said.
    pub authority: PathBuf,
    _work: Work,
}

impl Identity {
    /// A new one.
    #[track_caller]
    pub fn new() -> Identity {
        Identity::named(HERE)
    }

    /// A new one for other names.
    #[track_caller]
    pub fn named(names: &str) -> Identity {
        Identity::made(tool("openssl"), names, false)
    }

    /// One that an authority signed.
    #[track_caller]
    pub fn signed() -> Identity {
        Identity::made(tool("openssl"), HERE, true)
    }

    /// One that was valid in the first days of a year, and is not any more or not yet.
    #[track_caller]
    pub fn of_year(year: u32, is_signed: bool) -> Identity {
        let mut make = tool("faketime");
        make.arg(format!("{year}-01-02 00:00:00")).arg("openssl");
        Identity::made(make, HERE, is_signed)
    }

    fn made(mut make: Command, names: &str, is_signed: bool) -> Identity {
        let work = Work::new();
        let (certificate, key) = (work.join("tls.crt"), work.join("tls.key"));
        make.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]);
        let mut authority = certificate.clone();
        if is_signed {
            authority = work.join("ca.crt");
            let ca_key = work.join("ca.key");
            let mut ca = tool("openssl");
            ca.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]);
            run(ca.args(["-subj", "/CN=authority", "-keyout"]).arg(&ca_key).arg("-out").arg(&authority));
            make.args(["-addext", "basicConstraints=critical,CA:FALSE", "-CA"])
                .arg(&authority)
                .arg("-CAkey")
                .arg(ca_key);
        }
        make.args(["-subj", "/CN=localhost", "-addext", &format!("subjectAltName={names}")]);
        run(make.arg("-keyout").arg(&key).arg("-out").arg(&certificate));
        Identity { certificate, key, authority, _work: work }
    }

    fn config(&self) -> rustls::ServerConfig {
        use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
        let chain = vec![CertificateDer::from_pem_file(&self.certificate).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(&self.key).expect("a key");
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .expect("a server's settings")
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// Answers on one connection until it ends.
fn converse(stream: TcpStream, shared: &Shared, tls: Option<Arc<rustls::ServerConfig>>) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let Ok(raw) = stream.try_clone() else { return };
    // Who tries TLS with a server that speaks none is told so at once, as by other servers.
    let mut first = [0];
    if tls.is_none() && stream.peek(&mut first).is_ok_and(|n| n == 1) && first == [22] {
        return;
    }
    let stream: Box<dyn Stream> = match tls {
        Some(config) => {
            let connection = rustls::ServerConnection::new(config).expect("a TLS connection");
            Box::new(rustls::StreamOwned::new(connection, stream))
        }
        None => Box::new(stream),
    };
    let mut stream = BufReader::new(stream);
    while let Some(mut seen) = head(&mut stream) {
        let behaviour = (seen.method != "CONNECT").then(|| next(shared, &seen.path));
        let whole = receive(&mut stream, &mut seen, behaviour.as_ref());
        shared.seen.lock().expect("the requests").push(seen.clone());
        let open = match &behaviour {
            None => stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\n\r\n").is_ok(),
            Some(behaviour) if whole || behaviour.early => {
                answer(stream.get_mut(), &seen, behaviour, shared).unwrap_or(false) && whole
            }
            Some(_) => false,
        };
        if !open {
            break;
        }
    }
    let _ = raw.shutdown(Shutdown::Both);
}

fn next(shared: &Shared, path: &str) -> Behaviour {
    let mut paths = shared.paths.lock().expect("the paths");
    let key = path.split('?').next().unwrap_or_default();
    match paths.get_mut(key) {
        Some(queue) if queue.len() > 1 => queue.pop_front().expect("one of several"),
        Some(queue) => queue.front().cloned().unwrap_or_else(|| Behaviour::status(404)),
        None => Behaviour::status(404),
    }
}

fn head(stream: &mut impl BufRead) -> Option<Seen> {
    let mut line = || {
        let mut line = String::new();
        let n = stream.read_line(&mut line).ok()?;
        (n > 0).then(|| line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let header = line()?;
        match header.split_once(':') {
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None => break,
        }
    }
    Some(Seen { method, path, headers, body: Vec::new() })
}

/// Receives the body, as far as `said` lets it come; whether all of it came.
fn receive(stream: &mut BufReader<Box<dyn Stream>>, seen: &mut Seen, said: Option<&Behaviour>) -> bool {
    let length = seen.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    if said.is_some_and(|said| said.early) {
        return length == 0;
    }
    if seen.header("expect").is_some() {
        let _ = stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        let _ = stream.get_mut().flush();
    }
    let wanted = said.and_then(|said| said.hang_up_after).unwrap_or(length).min(length);
    let came = stream.take(wanted as u64).read_to_end(&mut seen.body);
    came.is_ok() && seen.body.len() == length && said.is_none_or(|said| said.hang_up_after.is_none())
}

/// Answers one request; whether the connection stays open.
fn answer(out: &mut dyn Stream, seen: &Seen, said: &Behaviour, shared: &Shared) -> std::io::Result<bool> {
    let (mut status, mut body, total) = (said.status, said.body.as_slice(), said.body.len());
    let mut headers = said.headers.clone();
    let of =
        |name: &str| said.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone());
    let fits = seen
        .header("if-range")
        .is_none_or(|wanted| [of("etag"), of("last-modified")].into_iter().flatten().any(|known| known == wanted));
    let start = seen.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    if let Some(start) = start.filter(|_| said.ranges && fits) {
        if start < total {
            (status, body) = (206, &body[start..]);
            if of("content-range").is_none() {
                headers.push(("Content-Range".into(), format!("bytes {start}-{}/{total}", total - 1)));
            }
        } else {
            (status, body) = (416, &[]);
            headers.push(("Content-Range".into(), format!("bytes */{total}")));
        }
    }
    if said.chunked {
        headers.push(("Transfer-Encoding".into(), "chunked".into()));
    } else {
        headers.push(("Content-Length".into(), said.length.unwrap_or(body.len()).to_string()));
    }
    let mut head = format!("HTTP/1.1 {status} Said\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    out.write_all(format!("{head}\r\n").as_bytes())?;
    if seen.method == "HEAD" {
        out.flush()?;
        return Ok(true);
    }
    let cut = said.close_after.or(said.stall_after).unwrap_or(body.len()).min(body.len());
    for piece in body[..cut].chunks(8 << 10) {
        if said.chunked {
            out.write_all(format!("{:x}\r\n", piece.len()).as_bytes())?;
            out.write_all(piece)?;
            out.write_all(b"\r\n")?;
        } else {
            out.write_all(piece)?;
        }
    }
    out.flush()?;
    while said.stall_after.is_some() && !shared.stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(20));
    }
    // Who announced more than there is can only end.
    if said.close_after.is_some() || said.stall_after.is_some() || said.length.is_some_and(|length| length > body.len())
    {
        return Err(ErrorKind::ConnectionAborted.into());
    }
    if said.chunked {
        out.write_all(b"0\r\n\r\n")?;
        out.flush()?;
    }
    // Bytes behind an answer that was announced shorter would be taken for the next one.
    Ok(said.length.is_none())
}
