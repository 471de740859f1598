//! A look at the `#!` line of a script, so that a missing interpreter is named.

use super::not_executable;
use crate::Error;
use crate::error::errno_text;
use rustix::fs::Access;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How much of a file the kernel looks at.
const LINE: usize = 256;

/// Whether the file begins with `#!`.
pub(super) fn is_script(path: &Path, file: &File) -> Result<bool, Error> {
    Ok(first_bytes(path, file)?.starts_with(b"#!"))
}

/// Checks that the interpreter is there.
pub(super) fn check(path: &Path, file: &File) -> Result<(), Error> {
    let bytes = first_bytes(path, file)?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or(&bytes);
    let words = line.get(2..).unwrap_or_default().trim_ascii_start();
    let end = words.iter().position(|byte| matches!(byte, b' ' | b'\t'));
    let interpreter = words.get(..end.unwrap_or(words.len())).unwrap_or_default();
    if interpreter.is_empty() {
        let reason = "exec format error: its #! line names no interpreter";
        return Err(not_executable(path, reason));
    }
    if interpreter.ends_with(b"\r") {
        let reason = "its #! line ends in a carriage return: save it with the line ends of Unix";
        return Err(not_executable(path, reason));
    }
    let interpreter = Path::new(std::ffi::OsStr::from_bytes(interpreter));
    let shown = interpreter.display();
    if let Err(error) = interpreter.metadata() {
        return Err(not_executable(
            path,
            format!(
                "its interpreter {shown}: {}: install it, or correct the #! line",
                errno_text(&error)
            ),
        ));
    }
    if rustix::fs::access(interpreter, Access::EXEC_OK).is_err() {
        let reason = format!("permission denied: its interpreter {shown} is not executable");
        return Err(not_executable(path, reason));
    }
    Ok(())
}

fn first_bytes(path: &Path, file: &File) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0_u8; LINE];
    let read = rustix::io::pread(file, &mut bytes, 0)
        .map_err(|e| not_executable(path, errno_text(&e.into())))?;
    bytes.truncate(read);
    Ok(bytes)
}
