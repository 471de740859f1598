//! A look at the head of an executable, so that what is wrong with it is named before `exec` says
//! no more than `exec format error` or `no such file or directory`.

use super::not_executable;
use crate::Error;
use crate::error::errno_text;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The length of a 64-bit ELF header.
const HEADER: usize = 64;
/// The length of a 64-bit program header.
const PROGRAM_HEADER: usize = 56;
/// More program headers than any program has.
const MOST_HEADERS: u16 = 256;
/// The longest name of a loader.
const LONGEST_NAME: usize = 4_096;

/// Checks magic, machine, kind, length and loader. What else can be wrong is left to the kernel.
pub(super) fn check(path: &Path, file: &File) -> Result<(), Error> {
    let refuse = |reason: String| not_executable(path, reason);
    let head = read(path, file, 0, HEADER)?;
    if !head.starts_with(b"\x7fELF") {
        let what = foreign(&head);
        return Err(refuse(format!("exec format error: {what}")));
    }
    let Some(header) = Header::parse(&head) else {
        return Err(refuse("it is cut off: copy it again".to_owned()));
    };
    if let Some((ours, name, go)) = OURS
        && (header.big_endian || !header.is_64_bit || header.machine != ours)
    {
        return Err(refuse(format!(
            "exec format error: it was built for {}, this server runs on {name}: use a build for \
             that (Go: GOARCH={go})",
            machine_name(header.machine)
        )));
    }
    match header.kind {
        1 => return Err(refuse("it is an object file, not a linked program".into())),
        4 => return Err(refuse("it is a core dump, not a program".into())),
        3 if header.entry == 0 => {
            let reason = "it is a shared library, not a program (Go: build without -buildmode)";
            return Err(refuse(reason.to_owned()));
        }
        _ => {}
    }
    check_segments(path, file, &header)
}

fn check_segments(path: &Path, file: &File, header: &Header) -> Result<(), Error> {
    let length = file
        .metadata()
        .map_err(|e| not_executable(path, errno_text(&e)))?
        .len();
    let count = usize::from(header.segments.min(MOST_HEADERS));
    let table = read(path, file, header.table, count * PROGRAM_HEADER)?;
    if table.len() < count * PROGRAM_HEADER {
        return Err(cut_off(path, length));
    }
    for segment in table.chunks_exact(PROGRAM_HEADER) {
        let (Some(kind), Some(offset), Some(size)) =
            (u32_at(segment, 0), u64_at(segment, 8), u64_at(segment, 32))
        else {
            continue;
        };
        match kind {
            1 if offset.saturating_add(size) > length => return Err(cut_off(path, length)),
            3 => check_loader(path, file, offset, size)?,
            _ => {}
        }
    }
    Ok(())
}

fn cut_off(path: &Path, length: u64) -> Error {
    let reason = format!("it is cut off after {length} bytes: copy it again");
    not_executable(path, reason)
}

fn check_loader(path: &Path, file: &File, offset: u64, size: u64) -> Result<(), Error> {
    let size = usize::try_from(size).map_or(LONGEST_NAME, |size| size.min(LONGEST_NAME));
    let name = read(path, file, offset, size)?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let loader = Path::new(std::ffi::OsStr::from_bytes(name));
    let Err(error) = loader.metadata() else {
        return Ok(());
    };
    let origin = if name.windows(7).any(|part| part == b"ld-musl") {
        "the plugin was built for a system with musl, such as Alpine Linux"
    } else {
        "the plugin was built for a system with another C library"
    };
    Err(not_executable(
        path,
        format!(
            "its loader {}: {}: {origin}; use a build for this system, or one that is linked \
             statically (Go: CGO_ENABLED=0)",
            loader.display(),
            errno_text(&error)
        ),
    ))
}

/// What matters of an ELF header.
struct Header {
    is_64_bit: bool,
    big_endian: bool,
    kind: u16,
    machine: u16,
    entry: u64,
    table: u64,
    segments: u16,
}

impl Header {
    /// `None` when the file ends within it.
    fn parse(head: &[u8]) -> Option<Self> {
        let big_endian = *head.get(5)? == 2;
        let machine = u16_at(head, 18)?;
        Some(Self {
            is_64_bit: *head.get(4)? == 2,
            big_endian,
            kind: u16_at(head, 16)?,
            machine: if big_endian {
                machine.swap_bytes()
            } else {
                machine
            },
            entry: u64_at(head, 24)?,
            table: u64_at(head, 32)?,
            segments: u16_at(head, 56)?,
        })
    }
}

/// What a file is that is no ELF file.
fn foreign(head: &[u8]) -> &'static str {
    let text = head.trim_ascii_start();
    match head {
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => {
            "it is a program for macOS, use a build for Linux (Go: GOOS=linux)"
        }
        [b'M', b'Z', ..] => "it is a program for Windows, use a build for Linux (Go: GOOS=linux)",
        [b'P', b'K', 3, 4, ..] => "it is a zip archive: unpack it",
        [0x1f, 0x8b, ..] => "it is compressed with gzip: unpack it",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "it is compressed with zstd: unpack it",
        [0xfd, b'7', b'z', b'X', b'Z', ..] => "it is compressed with xz: unpack it",
        _ if text.starts_with(b"<") => "it is a page of a web site: download the file itself",
        _ => "it is neither an ELF executable nor a script with a #! line",
    }
}

/// The machine number of this build, with its name and Go's; `None` = not checked.
const OURS: Option<(u16, &str, &str)> = if cfg!(target_arch = "x86_64") {
    Some((62, "x86-64", "amd64"))
} else if cfg!(target_arch = "aarch64") {
    Some((183, "arm64", "arm64"))
} else {
    None
};

fn machine_name(machine: u16) -> String {
    match machine {
        3 => "x86 (32 bit)".to_owned(),
        21 => "ppc64".to_owned(),
        22 => "s390x".to_owned(),
        40 => "arm (32 bit)".to_owned(),
        62 => "x86-64".to_owned(),
        183 => "arm64".to_owned(),
        243 => "RISC-V".to_owned(),
        other => format!("another architecture (ELF machine {other})"),
    }
}

/// Up to `size` bytes from `offset` on; fewer at the end of the file.
fn read(path: &Path, file: &File, offset: u64, size: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0_u8; size];
    let mut filled = 0;
    while filled < size {
        let Some(rest) = bytes.get_mut(filled..) else {
            break;
        };
        let place = offset.saturating_add(filled as u64);
        // An offset that no file has is the end of the file, too.
        match rustix::io::pread(file, rest, place) {
            Ok(0) | Err(rustix::io::Errno::INVAL) => break,
            Ok(read) => filled += read,
            Err(e) => return Err(not_executable(path, errno_text(&e.into()))),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    bytes.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    bytes.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?;
    bytes.try_into().ok().map(u64::from_le_bytes)
}
