//! Platforms: `os/architecture[/variant]`, in the words of Go's GOOS and GOARCH, as the image specification asks.

use std::{fmt, str::FromStr};

/// `linux/arm64`, `linux/arm/v7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// GOOS.
    pub os: String,
    /// GOARCH.
    pub architecture: String,
    /// `v7`, for architectures that have variants.
    pub variant: Option<String>,
}

/// Why some text is no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// Not two or three parts.
    #[error("`{0}` is not of the form os/architecture or os/architecture/variant")]
    Shape(String),
    /// An unknown operating system.
    #[error("`{0}` is no known operating system")]
    Os(String),
    /// An unknown architecture, and the name that the specification uses if it is known under another one.
    #[error("`{given}` is no known architecture{}", known.map(|name| format!("; images call it `{name}`")).unwrap_or_default())]
    Architecture {
        /// As it was written.
        given: String,
        /// The specification's name for it.
        known: Option<&'static str>,
    },
    /// A variant that is not `v` and a digit.
    #[error("`{0}` is no known variant")]
    Variant(String),
}

const OS: &[&str] = &[
    "linux",
    "windows",
    "darwin",
    "freebsd",
    "netbsd",
    "openbsd",
    "dragonfly",
    "solaris",
    "illumos",
    "aix",
    "android",
    "js",
    "wasip1",
    "plan9",
];
const ARCHITECTURES: &[&str] = &[
    "amd64", "arm64", "arm", "386", "ppc64le", "ppc64", "s390x", "riscv64", "loong64", "mips", "mipsle", "mips64",
    "mips64le", "wasm",
];

impl Platform {
    /// The platform of a recipe that names none.
    #[must_use]
    pub fn linux_amd64() -> Self {
        Self { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: None }
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match parts[..] {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some(variant)),
            _ => return Err(PlatformError::Shape(text.to_owned())),
        };
        if !OS.contains(&os) {
            return Err(PlatformError::Os(os.to_owned()));
        }
        if !ARCHITECTURES.contains(&architecture) {
            let known = match architecture {
                "x86_64" | "x86-64" | "x64" => Some("amd64"),
                "aarch64" | "armv8" => Some("arm64"),
                "i386" | "i686" | "x86" => Some("386"),
                "armhf" | "armv7" | "armv7l" => Some("arm/v7"),
                "armel" | "armv6" => Some("arm/v6"),
                "ppc64el" => Some("ppc64le"),
                "mips64el" => Some("mips64le"),
                _ => None,
            };
            return Err(PlatformError::Architecture { given: architecture.to_owned(), known });
        }
        if let Some(variant) = variant
            && !(variant.len() == 2 && variant.starts_with('v') && variant.as_bytes()[1].is_ascii_digit())
        {
            return Err(PlatformError::Variant(variant.to_owned()));
        }
        Ok(Self { os: os.to_owned(), architecture: architecture.to_owned(), variant: variant.map(str::to_owned) })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}
