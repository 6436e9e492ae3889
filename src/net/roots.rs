//! The certificates that are trusted: the system's, or those that the user names instead.
//!
//! None are built in. A list that a program carries cannot lose an authority that turned out bad, and this program is kept
//! for years.

use super::{HttpError, HttpErrorKind, Settings};
use rustls::pki_types::CertificateDer;
use std::path::Path;

/// Reads them. None is an error only once somebody has to be trusted.
pub(super) fn load(settings: &Settings) -> Result<Vec<CertificateDer<'static>>, HttpError> {
    let mut found = Vec::new();
    if settings.cert_file.is_none() && settings.cert_dir.is_none() {
        found.extend(rustls_native_certs::load_native_certs().certs);
    }
    if let Some(file) = &settings.cert_file {
        found.extend(read(Some(file), None)?);
    }
    for dir in settings.cert_dir.iter().flat_map(std::env::split_paths).filter(|dir| !dir.as_os_str().is_empty()) {
        found.extend(read(None, Some(&dir))?);
    }
    Ok(found)
}

/// What the user names has to have some: trusting nobody is no setting.
fn read(file: Option<&Path>, dir: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, HttpError> {
    let read = rustls_native_certs::load_certs_from_paths(file, dir);
    if read.certs.is_empty() {
        let path = file.or(dir).unwrap_or(Path::new("")).to_owned();
        let why = read.errors.first().map_or_else(|| "it has none".to_owned(), ToString::to_string);
        return Err(HttpError::setup(HttpErrorKind::Roots { path, why }));
    }
    Ok(read.certs)
}
