//! A reader that stops when the user wants to.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};

/// Fails once `interrupt` is true. The kind is not [`io::ErrorKind::Interrupted`], which means "try again".
pub(super) struct Watch<'a, R> {
    inner: R,
    interrupt: &'a AtomicBool,
}

impl<'a, R> Watch<'a, R> {
    pub(super) fn new(inner: R, interrupt: &'a AtomicBool) -> Self {
        Self { inner, interrupt }
    }
}

impl<R: Read> Read for Watch<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Err(io::Error::other("interrupted"));
        }
        self.inner.read(buf)
    }
}
