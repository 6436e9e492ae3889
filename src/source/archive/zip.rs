//! The members of a zip (APPNOTE.TXT of PKWARE, and the extra fields of Info-ZIP).

use super::Trouble;
use super::error::Fault;
use super::members::{Members, symlink};
use super::slice::Slice;
use super::spool::Spool;
use super::watch::Watch;
use crate::layer::read::{RawEntry, RawKind};
use crate::tree::{Attributes, Kind};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::sync::atomic::AtomicBool;
use zip::extra_fields::ExtraField;
use zip::read::{ZipArchive, ZipFile};
use zip::{DateTime, System};

/// File type bits of a Unix mode, and the three that a zip may have.
const S_IFMT: u32 = 0o170_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;

/// 1980-01-01T00:00:00Z, the first time that a zip can say: that of a member whose time is none.
const DOS_EPOCH: i64 = 315_532_800;

/// Reads all members, in the order of the central directory.
pub(super) fn read(
    file: &File,
    interrupt: &AtomicBool,
    spool: &mut Spool<'_>,
    members: &mut Members<'_>,
) -> Result<(), Trouble> {
    let mut zip = ZipArchive::new(BufReader::new(file)).map_err(Fault::Zip)?;
    if zip.has_duplicate_names() {
        return Err(Fault::Twice.into());
    }
    for index in 0..zip.len() {
        let name = zip.by_index_data(index).map_err(Fault::Zip)?.name_raw().to_vec();
        member(&mut zip, index, interrupt, spool, members).map_err(|fault| Trouble { member: Some(name), fault })?;
    }
    Ok(())
}

fn member<R: Read + Seek>(
    zip: &mut ZipArchive<R>,
    index: usize,
    interrupt: &AtomicBool,
    spool: &mut Spool<'_>,
    members: &mut Members<'_>,
) -> Result<(), Fault> {
    if zip.by_index_data(index)?.encrypted() {
        return Err(Fault::Encrypted);
    }
    let file = zip.by_index(index)?;
    let path = name(&file)?;
    let unix = unix_mode(&file);
    let folder = path.ends_with(b"/") || unix & S_IFMT == S_IFDIR;
    let mode = match unix {
        0 if folder => 0o755,
        0 => 0o644,
        mode => mode & 0o7777,
    };
    let attributes = Attributes { mode, mtime: mtime(&file), ..Attributes::default() };
    // The content comes later: what it is decides only how it is read.
    let entry = RawEntry { path, attributes, kind: RawKind::File { size: file.size() } };
    let Some(path) = members.admit(&entry)? else { return Ok(()) };
    let kind = if folder { Kind::Directory } else { content(file, unix, interrupt, spool)? };
    members.add(path, entry.attributes, kind);
    Ok(())
}

fn content<R: Read>(
    file: ZipFile<'_, R>,
    unix: u32,
    interrupt: &AtomicBool,
    spool: &mut Spool<'_>,
) -> Result<Kind<Slice>, Fault> {
    let size = file.size();
    let mut bytes = Watch::new(file, interrupt);
    match unix & S_IFMT {
        0 | S_IFREG => Ok(Kind::File { content: spool.copy(size, bytes)?, size, link: None }),
        S_IFLNK => {
            let mut target = Vec::new();
            bytes.by_ref().take(4096).read_to_end(&mut target).map_err(Fault::Content)?;
            symlink(target)
        }
        other => Err(Fault::FileType(other)),
    }
}

/// The name as it stands; one from DOS that is no UTF-8 is taken for code page 437, as APPNOTE says.
fn name<R: Read>(file: &ZipFile<'_, R>) -> Result<Vec<u8>, Fault> {
    Ok(match file.system() {
        System::Unix | System::OsDarwin => file.name_raw().to_vec(),
        _ => file.name()?.into_owned().into_bytes(),
    })
}

/// The upper half of the external attributes, if the archive was made on a Unix; else 0.
fn unix_mode<R: Read>(file: &ZipFile<'_, R>) -> u32 {
    match file.system() {
        System::Unix | System::OsDarwin => file.external_attributes() >> 16,
        _ => 0,
    }
}

/// The time of the extended timestamp, else the DOS time, which knows no time zone, taken as UTC.
///
/// The timestamp has 32 bits with a sign; a time that DOS puts past 2037 was meant without (Info-ZIP does the same).
pub(crate) fn mtime<R: Read>(file: &ZipFile<'_, R>) -> i64 {
    let dos = file.last_modified();
    let extended = file.extra_data_fields().find_map(|field| match field {
        ExtraField::ExtendedTimestamp(times) => times.mod_time(),
        _ => None,
    });
    match extended {
        Some(seconds) if dos.is_some_and(|dos| dos.year() > 2037) => i64::from(seconds),
        Some(seconds) => i64::from(seconds.cast_signed()),
        None => dos.and_then(dos_seconds).unwrap_or(DOS_EPOCH),
    }
}

fn dos_seconds(dos: DateTime) -> Option<i64> {
    let month = time::Month::try_from(dos.month()).ok()?;
    let date = time::Date::from_calendar_date(i32::from(dos.year()), month, dos.day()).ok()?;
    Some(date.with_hms(dos.hour(), dos.minute(), dos.second()).ok()?.assume_utc().unix_timestamp())
}
