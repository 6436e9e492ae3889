//! File capabilities, as `setcap` reads them and as the kernel stores them.

use super::suggest::nearest;

/// The capabilities of Linux (`linux/capability.h`), each at its number.
const NAMES: [&str; 41] = [
    "cap_chown",
    "cap_dac_override",
    "cap_dac_read_search",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_setgid",
    "cap_setuid",
    "cap_setpcap",
    "cap_linux_immutable",
    "cap_net_bind_service",
    "cap_net_broadcast",
    "cap_net_admin",
    "cap_net_raw",
    "cap_ipc_lock",
    "cap_ipc_owner",
    "cap_sys_module",
    "cap_sys_rawio",
    "cap_sys_chroot",
    "cap_sys_ptrace",
    "cap_sys_pacct",
    "cap_sys_admin",
    "cap_sys_boot",
    "cap_sys_nice",
    "cap_sys_resource",
    "cap_sys_time",
    "cap_sys_tty_config",
    "cap_mknod",
    "cap_lease",
    "cap_audit_write",
    "cap_audit_control",
    "cap_setfcap",
    "cap_mac_override",
    "cap_mac_admin",
    "cap_syslog",
    "cap_wake_alarm",
    "cap_block_suspend",
    "cap_audit_read",
    "cap_perfmon",
    "cap_bpf",
    "cap_checkpoint_restore",
];
const ALL: u64 = (1 << NAMES.len()) - 1;

/// `struct vfs_cap_data` of `linux/capability.h`: its revision without a root user id, and the bit for "effective".
const REVISION_2: u32 = 0x0200_0000;
const EFFECTIVE: u32 = 0x0000_0001;

/// What a file grants to the process that runs it.
///
/// ```
/// use rebake::recipe::Capabilities;
/// let capabilities = Capabilities::parse("cap_net_bind_service=ep").unwrap();
/// assert_eq!(capabilities.to_xattr()[..8], [1, 0, 0, 2, 0, 4, 0, 0]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    permitted: u64,
    inheritable: u64,
    effective: bool,
}

/// Why some text names no capabilities.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CapabilityError {
    /// Nothing but white space.
    #[error("names no capability")]
    Empty,
    /// No such capability.
    #[error("`{name}` is no capability of Linux{}", near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Unknown {
        /// As it was written.
        name: String,
        /// The one that was probably meant.
        near: Option<&'static str>,
    },
    /// A clause without `=`, `+` or `-`.
    #[error("`{0}` does not say which sets: write it as `{0}=ep`")]
    NoSets(String),
    /// A clause that names no capability before `+` or `-`.
    #[error("`{0}` names no capability before its operator")]
    NoNames(String),
    /// A letter that is no set.
    #[error("`{0}` is no capability set; the sets are `e`, `i` and `p`")]
    Set(char),
    /// `+` or `-` with nothing behind it.
    #[error("`{0}` names no set behind `+` or `-`")]
    NoFlags(String),
    /// The kernel stores one effective bit for the whole file.
    #[error(
        "the effective set is not that of all permitted and inheritable ones: a file has one effective bit for all of them"
    )]
    PartlyEffective,
}

#[derive(Default)]
struct Sets {
    effective: u64,
    inheritable: u64,
    permitted: u64,
}

impl Capabilities {
    /// Reads the text form of cap_from_text(3): clauses divided by white space, each the names (or `all`), then `=`,
    /// `+` or `-` with the sets `e`, `i`, `p`. Numbers for names are not taken.
    ///
    /// # Errors
    /// See [`CapabilityError`].
    pub fn parse(text: &str) -> Result<Self, CapabilityError> {
        let mut sets = Sets::default();
        if text.trim().is_empty() {
            return Err(CapabilityError::Empty);
        }
        for clause in text.split_whitespace() {
            sets.apply(clause)?;
        }
        let Sets { effective, inheritable, permitted } = sets;
        if effective != 0 && effective != permitted | inheritable {
            return Err(CapabilityError::PartlyEffective);
        }
        Ok(Self { permitted, inheritable, effective: effective != 0 })
    }

    /// The value of the extended attribute `security.capability`: `struct vfs_cap_data`, revision 2, little endian.
    ///
    /// Reaches digests; edition 2026.
    #[must_use]
    pub fn to_xattr(&self) -> [u8; 20] {
        let magic = if self.effective { REVISION_2 | EFFECTIVE } else { REVISION_2 };
        let [permitted, inheritable] = [self.permitted, self.inheritable].map(u64::to_le_bytes);
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&magic.to_le_bytes());
        bytes[4..8].copy_from_slice(&permitted[..4]);
        bytes[8..12].copy_from_slice(&inheritable[..4]);
        bytes[12..16].copy_from_slice(&permitted[4..]);
        bytes[16..].copy_from_slice(&inheritable[4..]);
        bytes
    }
}

impl Sets {
    /// `cap_a,cap_b=e+p`: the names, then operators with their sets.
    fn apply(&mut self, clause: &str) -> Result<(), CapabilityError> {
        const OPERATORS: [char; 3] = ['=', '+', '-'];
        let start = clause.find(OPERATORS).ok_or_else(|| CapabilityError::NoSets(clause.to_owned()))?;
        let (names, mut actions) = clause.split_at(start);
        let mask = match names {
            "" if actions.starts_with('=') => ALL,
            "" => return Err(CapabilityError::NoNames(clause.to_owned())),
            names => names.split(',').try_fold(0, |mask, name| Ok(mask | bits(name)?))?,
        };
        while let Some(operator) = actions.chars().next() {
            let rest = &actions[operator.len_utf8()..];
            let (flags, next) = rest.split_at(rest.find(OPERATORS).unwrap_or(rest.len()));
            if operator == '=' {
                for set in [&mut self.effective, &mut self.inheritable, &mut self.permitted] {
                    *set &= !mask;
                }
            } else if flags.is_empty() {
                return Err(CapabilityError::NoFlags(clause.to_owned()));
            }
            for flag in flags.chars() {
                let set = match flag {
                    'e' => &mut self.effective,
                    'i' => &mut self.inheritable,
                    'p' => &mut self.permitted,
                    other => return Err(CapabilityError::Set(other)),
                };
                *set = if operator == '-' { *set & !mask } else { *set | mask };
            }
            actions = next;
        }
        Ok(())
    }
}

fn bits(name: &str) -> Result<u64, CapabilityError> {
    let lower = name.to_ascii_lowercase();
    if lower == "all" {
        return Ok(ALL);
    }
    match NAMES.iter().position(|&known| known == lower) {
        Some(number) => Ok(1 << number),
        None => Err(CapabilityError::Unknown { name: name.to_owned(), near: nearest(name, NAMES) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> String {
        Capabilities::parse(text).unwrap().to_xattr().map(|byte| format!("{byte:02x}")).concat()
    }

    /// The expected bytes are those that `setcap` of libcap 2.66 writes.
    #[test]
    fn bytes_are_those_of_setcap() {
        for (text, bytes) in [
            ("cap_net_bind_service=ep", "0100000200040000000000000000000000000000"),
            ("CAP_NET_BIND_SERVICE+ep", "0100000200040000000000000000000000000000"),
            ("cap_net_raw,cap_net_admin=p", "0000000200300000000000000000000000000000"),
            ("cap_net_raw=eip", "0100000200200000002000000000000000000000"),
            ("cap_checkpoint_restore=ep", "0100000200000000000000000001000000000000"),
            ("cap_bpf=i", "0000000200000000000000000000000080000000"),
            ("cap_chown=p cap_kill=p", "0000000221000000000000000000000000000000"),
            ("all=ep", "01000002ffffffff00000000ff01000000000000"),
            ("=ep cap_chown-ep", "01000002feffffff00000000ff01000000000000"),
            ("=", "0000000200000000000000000000000000000000"),
            ("cap_kill=e+p", "0100000220000000000000000000000000000000"),
        ] {
            assert_eq!(hex(text), bytes, "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, message) in [
            (" ", "names no capability"),
            ("cap_net_raww=ep", "`cap_net_raww` is no capability of Linux; did you mean `cap_net_raw`?"),
            ("banana=ep", "`banana` is no capability of Linux"),
            ("cap_kill", "`cap_kill` does not say which sets: write it as `cap_kill=ep`"),
            ("+ep", "`+ep` names no capability before its operator"),
            ("cap_kill=x", "`x` is no capability set; the sets are `e`, `i` and `p`"),
            ("cap_kill+", "`cap_kill+` names no set behind `+` or `-`"),
            ("cap_kill,=ep", "`` is no capability of Linux"),
            (
                "cap_kill=ep cap_chown=p",
                "the effective set is not that of all permitted and inheritable ones: a file has one effective bit for all of them",
            ),
        ] {
            assert_eq!(Capabilities::parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }
}
