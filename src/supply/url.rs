//! Files from URLs: each mirror in turn.

use super::{Reach, Supply, SupplyError};
use crate::lock::File;
use crate::net::{Http, HttpErrorKind};
use crate::oci::Digest;
use crate::store::Part;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// The longest file of which nobody has said how long it is, in bytes: 64 GiB.
const LONGEST: u64 = 64 << 30;

impl Supply<'_> {
    pub(super) fn file(&self, file: &File) -> Result<PathBuf, SupplyError> {
        if let Some(path) = self.at_hand(file.digest)? {
            return Ok(path);
        }
        let Reach::Network(online) = self.reach else {
            return Err(SupplyError::Missing(format!("{}, and the network is not asked", self.looked())));
        };
        let mut receive = |part: &mut Part| {
            let pin = Some((file.digest, file.size));
            receive(&online.http, &file.urls, pin, part, self.interrupt, self.notice)
        };
        self.fetch(file.digest, &mut receive)
    }
}

/// Receives a file from the first URL that has it: with a pin, the first that has *it*.
///
/// # Errors
/// What each URL said.
pub fn receive(
    http: &Http,
    urls: &[String],
    pin: Option<(Digest, Option<u64>)>,
    part: &mut Part,
    interrupt: &AtomicBool,
    notice: &(dyn Fn(&str) + Sync),
) -> Result<(), SupplyError> {
    let limit = pin.and_then(|(_, size)| size).unwrap_or(LONGEST);
    let mut reasons: Vec<String> = Vec::new();
    for (n, url) in urls.iter().enumerate() {
        let resumed = part.len() > 0;
        let mut got = http.download(url, &[], limit, part, interrupt);
        let is_it = |part: &Part| pin.is_none_or(|(digest, _)| part.digest() == digest);
        if got.is_ok() && resumed && !is_it(part) {
            // What was there already may have come from elsewhere.
            restart(part)?;
            got = http.download(url, &[], limit, part, interrupt);
        }
        let reason = match (got, pin) {
            (Ok(()), _) if is_it(part) => {
                // A mirror that had to help out is worth knowing.
                reasons.iter().for_each(|reason| notice(reason));
                return Ok(());
            }
            (Ok(()), Some((digest, _))) => {
                let reason = format!(
                    "{} gave another file: its digest is {}, and {digest} is pinned",
                    crate::net::printable(url),
                    part.digest()
                );
                restart(part)?;
                reason
            }
            (Ok(()), None) => return Ok(()),
            (Err(error), _) if matches!(error.kind, HttpErrorKind::Interrupted) => {
                return Err(SupplyError::Interrupted);
            }
            (Err(error), _) => {
                // Bytes of one mirror are the start of another's only if a digest says so in the end.
                if pin.is_none() && n + 1 < urls.len() {
                    restart(part)?;
                }
                error.to_string()
            }
        };
        reasons.push(reason);
    }
    Err(SupplyError::Failed(reasons.join("; ")))
}

fn restart(part: &mut Part) -> Result<(), SupplyError> {
    part.restart().map_err(|error| SupplyError::Failed(format!("the store cannot be written: {error}")))
}
