//! Files from URLs: each mirror in turn.

use super::shortage::cannot_write;
use super::{Online, Reach, Supply, SupplyError};
use crate::lock::File;
use crate::net::{HttpErrorKind, printable};
use crate::oci::Digest;
use crate::store::{Part, Store};
use std::path::PathBuf;

/// The longest file of which nobody has said how long it is, in bytes: 64 GiB.
const LONGEST: u64 = 64 << 30;

impl Supply<'_> {
    pub(super) fn file(&self, file: &File) -> Result<PathBuf, SupplyError> {
        self.once(file.digest, || {
            if let Some(path) = self.at_hand(file.digest)? {
                return Ok(path);
            }
            let (Reach::Network(online), Some(store)) = (self.reach, self.store) else { return Err(self.missing()) };
            let pin = Some((file.digest, file.size));
            self.fetch(file.digest, &mut |part: &mut Part| self.receive((online, store), &file.urls, pin, part))
        })
    }

    /// Receives a file from the first URL that has it: with a pin, the first that has *it*.
    ///
    /// # Errors
    /// What each URL said.
    pub fn receive(
        &self,
        (online, store): (&Online, &Store),
        urls: &[String],
        pin: Option<(Digest, Option<u64>)>,
        part: &mut Part,
    ) -> Result<(), SupplyError> {
        let pinned_size = pin.and_then(|(_, size)| size);
        let is_it = |part: &Part| pin.is_none_or(|(digest, _)| part.digest() == digest);
        let http = online.http()?;
        let download = |url: &str, part: &mut Part| {
            let limit = pinned_size.unwrap_or(LONGEST);
            http.download(url, &[], limit, part, self.interrupt)
        };
        let restart = |part: &mut Part| part.restart().map_err(|error| cannot_write(store, &error));
        let mut reasons: Vec<String> = Vec::new();
        let mut changed = true;
        for (n, url) in urls.iter().enumerate() {
            let resumed = part.len() > 0;
            let mut got = download(url, part);
            if got.is_ok() && resumed && !is_it(part) {
                // What was there already may have come from elsewhere.
                restart(part)?;
                got = download(url, part);
            }
            let shown = printable(url);
            let (reason, other) = match (got, pin) {
                (Ok(()), Some((digest, _))) if !is_it(part) => {
                    let found = part.digest();
                    restart(part)?;
                    (format!("{shown} gives another file: its digest is {found}, and {digest} is pinned"), true)
                }
                (Ok(()), _) => {
                    // That a mirror had to help out is worth knowing.
                    reasons.iter().for_each(|reason| self.say(&format!("{reason}; {shown} has it")));
                    return Ok(());
                }
                (Err(error), _) => match (error.kind, pinned_size) {
                    (HttpErrorKind::Interrupted, _) => return Err(SupplyError::Interrupted),
                    (HttpErrorKind::Disk(error), _) => return Err(cannot_write(store, &error)),
                    (HttpErrorKind::TooLarge { .. }, Some(size)) => {
                        restart(part)?;
                        (
                            format!(
                                "{shown} gives another file: it is longer than it should be, more than {size} bytes"
                            ),
                            true,
                        )
                    }
                    (kind, _) => {
                        // Bytes of one mirror are the start of another's only if a digest says so in the end.
                        if pin.is_none() && n + 1 < urls.len() {
                            restart(part)?;
                        }
                        (crate::net::HttpError { kind, ..error }.to_string(), false)
                    }
                },
            };
            changed &= other;
            reasons.push(reason);
        }
        let why = match &reasons[..] {
            [one] => one.clone(),
            several => several.iter().fold("each of its URLs fails".to_owned(), |all, one| format!("{all}\n- {one}")),
        };
        Err(if changed { SupplyError::Changed(why) } else { SupplyError::failed(why) })
    }
}
