//! Which file is registered: by its digest and its name, or by a local copy of it (`-file`), from which both are taken. And the
//! flags that say so and how it is run, which registering and upgrading share.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use linchpin_crypto::Sha256Hasher;

use crate::call::Call;
use crate::failure::Failure;
use crate::grammar::Flag;

pub(crate) const SHA256: Flag = Flag::value(
    "sha256",
    "HEX",
    "SHA-256 of the plugin's binary. Required, unless -file is given.",
);
pub(crate) const FILE: Flag = Flag::value(
    "file",
    "PATH",
    "A local copy of the binary, from which -sha256 and -command are taken.",
);
pub(crate) const COMMAND: Flag = Flag::value(
    "command",
    "FILE",
    "The file in the plugin directory. The default is NAME, with -file its last path segment.",
);
pub(crate) const ARGS: Flag = Flag::value(
    "args",
    "WORD",
    "An argument for the plugin. May be given several times.",
);
pub(crate) const ENV: Flag = Flag::value(
    "env",
    "KEY=VALUE",
    "A variable for the plugin. May be given several times.",
);
pub(crate) const OVERLAP: Flag = Flag::switch(
    "overlap",
    "-overlap=false: two versions of this plugin cannot run at the same time.",
);
pub(crate) const EXECUTION: Flag = Flag::value(
    "execution",
    "MODE",
    "How the file is run: sealed, descriptor or path.",
);

/// How much of a file is read at a time.
const CHUNK: usize = 256 * 1024;

/// A file of the plugin directory.
pub(crate) struct Artefact {
    /// Its name there; empty for an image that brings its own.
    pub(crate) command: String,
    /// Its digest as it was typed, or as it was computed.
    pub(crate) sha256: String,
}

/// The artefact that the flags name.
pub(crate) fn artefact(call: &Call<'_, '_>, name: &str) -> Result<Artefact, Failure> {
    let typed = &call.typed;
    let given = typed.value("sha256").filter(|sha256| !sha256.is_empty());
    let file = typed.value("file").filter(|file| !file.is_empty());
    let sha256 = match (given, file) {
        (Some(given), None) => given.to_owned(),
        (given, Some(file)) => {
            let computed = digest(Path::new(file))
                .map_err(|error| Failure::usage(format!("Error reading {file}: {error}")))?;
            if given.is_some_and(|given| !given.eq_ignore_ascii_case(&computed)) {
                return Err(Failure::usage(format!(
                    "-sha256 and -file differ: the SHA-256 of {file} is {computed}"
                )));
            }
            computed
        }
        (None, None) => {
            return Err(Failure::usage(
                "SHA256 is required for all plugins, please provide -sha256 (or -file, which computes it)",
            ));
        }
    };
    let last_segment = file.and_then(|file| Path::new(file).file_name());
    let command = match (typed.value("command"), last_segment) {
        (Some(command), _) => command.to_owned(),
        (None, Some(segment)) => segment.to_string_lossy().into_owned(),
        (None, None) if typed.value("oci_image").is_some() => String::new(),
        (None, None) => name.to_owned(),
    };
    Ok(Artefact { command, sha256 })
}

/// The SHA-256 of a file in hexadecimal digits.
fn digest(file: &Path) -> std::io::Result<String> {
    let mut file = File::open(file)?;
    let mut hasher = Sha256Hasher::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            return Ok(hex::encode(hasher.finish()));
        }
        hasher.update(chunk.get(..read).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_whole_file() {
        let file = std::env::temp_dir().join(format!("linchpin-cli-file-{}", std::process::id()));
        std::fs::write(&file, vec![b'a'; 1_000_000]).unwrap();
        let known = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
        assert_eq!(digest(&file).unwrap(), known);
        std::fs::remove_file(&file).unwrap();
        assert!(digest(&file).is_err());
    }
}
