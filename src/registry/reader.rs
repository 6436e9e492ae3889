//! Blobs as streams, read on where a connection broke.

use super::auth::{Access, Pass};
use super::error::{Action, RegistryError, RegistryErrorKind};
use super::{Repository, Way};
use crate::net::{HttpError, HttpErrorKind, Retry, Stream};
use crate::oci::Descriptor;
use std::fmt;
use std::io::{self, Read};
use std::sync::atomic::AtomicBool;

/// A blob, as it comes. It ends at its size; whether these are the right bytes is for the reader to say, by their digest.
pub struct BlobReader<'a> {
    repository: Repository<'a>,
    way: Way,
    descriptor: Descriptor,
    pass: Pass,
    retry: Retry,
    interrupt: &'a AtomicBool,
    /// How much was read.
    position: u64,
    stream: Option<Stream>,
    /// What came and was not read yet.
    piece: io::Cursor<Vec<u8>>,
}

impl fmt::Debug for BlobReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobReader({:?}, {} at {})", self.repository, self.descriptor.digest, self.position)
    }
}

impl<'r> Repository<'r> {
    /// A blob as a stream. It is asked for at once, so that one that is not there is an error here.
    ///
    /// # Errors
    /// All that [`RegistryErrorKind`] lists. While it is read, the same stand in an [`io::Error`].
    pub fn reader(&self, descriptor: &Descriptor, interrupt: &'r AtomicBool) -> Result<BlobReader<'r>, RegistryError> {
        self.reader_at(descriptor, 0, interrupt)
    }

    /// As [`Repository::reader`], from byte `position` on.
    ///
    /// # Errors
    /// As there.
    pub fn reader_at(
        &self,
        descriptor: &Descriptor,
        position: u64,
        interrupt: &'r AtomicBool,
    ) -> Result<BlobReader<'r>, RegistryError> {
        let failed = |kind| self.failed(Action::Pull, &descriptor.digest, kind);
        let way = self.registry.way(&self.host, interrupt).map_err(failed)?;
        let mut reader = BlobReader {
            repository: self.clone(),
            retry: way.http.retry(),
            way,
            descriptor: descriptor.clone(),
            pass: self.pass(Access::Pull),
            interrupt,
            position,
            stream: None,
            piece: io::Cursor::default(),
        };
        reader.open().map_err(failed)?;
        Ok(reader)
    }
}

impl BlobReader<'_> {
    /// Asks for what was not read yet.
    fn open(&mut self) -> Result<(), RegistryErrorKind> {
        let url = format!("{}/v2/{}/blobs/{}", self.way.base, self.repository.name, self.descriptor.digest);
        let mut renewed = false;
        loop {
            match self.way.http.stream(&url, &self.pass.headers(), self.position, self.interrupt) {
                Ok(stream) => {
                    let (expected, found) = (self.descriptor.size, stream.total());
                    if let Some(found) = found.filter(|found| *found != expected) {
                        return Err(RegistryErrorKind::Size { expected, found });
                    }
                    self.stream = Some(stream);
                    return Ok(());
                }
                Err(HttpError { kind: HttpErrorKind::Status(refused), .. }) => {
                    // A token may expire while a large blob comes.
                    if refused.status != 401 || renewed {
                        return Err(RegistryErrorKind::of(&refused, self.pass.file.clone()));
                    }
                    renewed = true;
                    let (way, pass) = (&self.way, &self.pass);
                    self.pass = self.repository.authorize(way, Access::Pull, pass, &refused, self.interrupt)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The next bytes, which are not the last ones.
    fn next(&mut self) -> Result<Vec<u8>, RegistryErrorKind> {
        let mut progress = true;
        loop {
            if self.stream.is_none() {
                self.open()?;
            }
            let next = self.stream.as_mut().map(|stream| stream.next(self.interrupt)).transpose();
            let error = match next {
                Ok(next) => match next.flatten() {
                    Some(bytes) => return Ok(bytes),
                    None => self.ended(),
                },
                Err(error) => error,
            };
            self.stream = None;
            if !self.retry.again(Err(&error), progress, self.interrupt) {
                return Err(HttpError { tries: self.retry.failures(), ..error }.into());
            }
            progress = false;
        }
    }

    /// The answer ended before the blob did.
    fn ended(&self) -> HttpError {
        let why = format!("{} of {} bytes came", self.position, self.descriptor.size);
        let url = format!("{}/v2/{}/blobs/{}", self.way.base, self.repository.name, self.descriptor.digest);
        HttpError { url, host: self.repository.host.clone(), tries: 1, kind: HttpErrorKind::Broken(why) }
    }
}

impl Read for BlobReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.descriptor.size.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let room = out.len().min(left);
        if room == 0 {
            return Ok(0);
        }
        loop {
            let n = self.piece.read(out.get_mut(..room).unwrap_or_default())?;
            if n > 0 {
                self.position += n as u64;
                return Ok(n);
            }
            // Not `ErrorKind::Interrupted`, which asks to try again.
            self.piece = match self.next() {
                Ok(bytes) => io::Cursor::new(bytes),
                Err(kind) => {
                    let failed = self.repository.failed(Action::Pull, &self.descriptor.digest, kind);
                    return Err(io::Error::other(failed));
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_may_share_a_repository_and_pass_readers_on() {
        fn is_sync<T: Send + Sync>() {}
        fn is_send<T: Send>() {}
        is_sync::<Repository<'_>>();
        is_send::<BlobReader<'_>>();
    }
}
