//! A look at the head of an executable, so that a wrong architecture is named before `exec` says
//! no more than `exec format error`.

use crate::Error;
use crate::error::errno_text;
use std::fs::File;
use std::path::Path;

/// Checks magic, class and machine. What else can be wrong is left to the kernel.
pub(super) fn check(path: &Path, file: &File) -> Result<(), Error> {
    let refuse = |reason: String| Error::NotExecutable {
        file: path.to_owned(),
        reason,
    };
    let mut head = [0_u8; 20];
    let read = rustix::io::pread(file, &mut head, 0).map_err(|e| refuse(errno_text(&e.into())))?;
    if read < head.len() || !head.starts_with(b"\x7fELF") {
        return Err(refuse(
            "it is neither an ELF executable nor a script with a #! line".to_owned(),
        ));
    }
    let [.., low, high] = head;
    let big_endian = head.get(5) == Some(&2);
    let machine = if big_endian {
        u16::from_be_bytes([low, high])
    } else {
        u16::from_le_bytes([low, high])
    };
    match OURS {
        Some((ours, name)) if big_endian || machine != ours => Err(refuse(format!(
            "it was built for {}, this server runs on {name}",
            machine_name(machine)
        ))),
        _ => Ok(()),
    }
}

/// The machine number and name of this build; `None` = not checked.
const OURS: Option<(u16, &str)> = if cfg!(target_arch = "x86_64") {
    Some((62, "x86-64"))
} else if cfg!(target_arch = "aarch64") {
    Some((183, "arm64"))
} else {
    None
};

fn machine_name(machine: u16) -> String {
    match machine {
        3 => "x86 (32 bit)".to_owned(),
        40 => "arm (32 bit)".to_owned(),
        62 => "x86-64".to_owned(),
        183 => "arm64".to_owned(),
        243 => "RISC-V".to_owned(),
        other => format!("another architecture (ELF machine {other})"),
    }
}
