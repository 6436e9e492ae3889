//! File capabilities, as `setcap` reads them and as the kernel stores them.

/// To be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities;
