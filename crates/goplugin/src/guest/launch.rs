//! What the environment says about how the plugin was started (plugin-protocol §1.2 to §1.5, §2.2).

use std::path::{Path, PathBuf};

use linchpin_crypto::{random, tls};
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::names::{BACKEND_COOKIE, BACKEND_VERSION, env};

/// How a host started this process.
#[derive(Debug)]
pub struct Launch {
    /// The app version to speak: 5, or the lowest of ours, which the host then refuses by itself.
    pub(super) app_version: u32,
    /// The host's certificate, the only one that is accepted.
    pub(super) host_certificate: CertificateDer<'static>,
    /// Where sockets go.
    socket_dir: PathBuf,
    /// Who they are given to.
    socket_group: Option<String>,
    pub(super) metadata_mode: bool,
    pub(super) asked_for_broker_multiplexing: bool,
}

/// Why the process must not serve. The text is for whoever started it by hand.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No host started it, or one for another kind of plugin.
    #[error(
        "This binary is a plugin. It is started by a secrets server, which talks to it over a socket, and does nothing when it is \
         executed by hand. Register it in the plugin catalog of the server."
    )]
    NotStartedByHost,
    /// The host wants plaintext, which is only for old protocol versions.
    #[error("the host sent no certificate; this plugin speaks to its host with TLS only")]
    NoCertificate,
    /// The host's certificate cannot be read.
    #[error("the host's certificate cannot be read")]
    Certificate(#[from] linchpin_crypto::Error),
    /// Memory was to be locked and could not be.
    #[error("lock memory")]
    Mlock(#[source] std::io::Error),
}

impl Launch {
    /// Reads the environment of a backend plugin through `variable`.
    ///
    /// # Errors
    /// [`Refusal`] when the process should end with status 1 without printing anything to stdout.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Refusal> {
        let (cookie, value) = BACKEND_COOKIE;
        if variable(cookie).as_deref() != Some(value) {
            return Err(Refusal::NotStartedByHost);
        }
        // A variable of OpenBao's wins, also an empty one; Vault's is the fallback.
        let of_vault = |suffix: &str| {
            let mut names = env::PREFIXES
                .iter()
                .map(|prefix| format!("{prefix}{suffix}"));
            names.find_map(|name| variable(&name))
        };
        if of_vault(env::MLOCK_ENABLED).as_deref() == Some("true") {
            lock_memory()?;
        }
        let certificate = variable(env::CLIENT_CERT).filter(|pem| !pem.is_empty());
        let certificate = certificate.ok_or(Refusal::NoCertificate)?;
        let given = |name: &str| variable(name).filter(|text| !text.is_empty());
        Ok(Self {
            app_version: BACKEND_VERSION,
            host_certificate: tls::certificate_from_pem(&certificate)?,
            socket_dir: given(env::UNIX_SOCKET_DIR).map_or_else(std::env::temp_dir, PathBuf::from),
            socket_group: given(env::UNIX_SOCKET_GROUP),
            metadata_mode: of_vault(env::METADATA_MODE).as_deref() == Some("true"),
            asked_for_broker_multiplexing: given(env::MULTIPLEX_GRPC).is_some(),
        })
    }

    /// A path for the main socket that nobody else uses.
    pub(super) fn socket_path(&self) -> PathBuf {
        self.socket_dir.join(format!("plugin{}", random::base62(9)))
    }

    /// Lets the group that the host named use the socket.
    pub(super) fn give_to_group(&self, socket: &Path) -> std::io::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let Some(group) = &self.socket_group else {
            return Ok(());
        };
        let id = match group.parse() {
            Ok(id) => id,
            Err(_) => group_id(group)?,
        };
        std::os::unix::fs::chown(socket, None, Some(id))?;
        std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o660))
    }
}

/// The id of a group in the system's list.
fn group_id(name: &str) -> std::io::Result<u32> {
    let list = std::fs::read_to_string("/etc/group")?;
    let found = list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(name);
        let id = fields.nth(1)?.parse().ok()?;
        is_it.then_some(id)
    });
    found.ok_or_else(|| std::io::Error::other("unknown group for the plugin's socket"))
}

fn lock_memory() -> Result<(), Refusal> {
    use rustix::mm::{MlockAllFlags, mlockall};
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE)
        .map_err(|errno| Refusal::Mlock(errno.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn read(variables: &[(&str, &str)]) -> Result<Launch, Refusal> {
        let find = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Launch::read(find)
    }

    #[test]
    fn without_the_cookie_it_is_a_binary_started_by_hand() {
        assert!(matches!(read(&[]), Err(Refusal::NotStartedByHost)));
        let wrong = [(BACKEND_COOKIE.0, "x")];
        assert!(matches!(read(&wrong), Err(Refusal::NotStartedByHost)));
    }

    #[test]
    fn plaintext_is_refused() {
        let plain = [BACKEND_COOKIE, (env::CLIENT_CERT, "")];
        assert!(matches!(read(&plain), Err(Refusal::NoCertificate)));
    }

    #[test]
    fn the_environment_of_a_host_is_read() {
        let host = tls::OneTimeIdentity::generate(SystemTime::now()).unwrap();
        let launch = read(&[
            BACKEND_COOKIE,
            (env::CLIENT_CERT, host.certificate_pem()),
            (env::UNIX_SOCKET_DIR, "/run/x"),
            (env::MULTIPLEX_GRPC, "true"),
            ("BAO_PLUGIN_METADATA_MODE", ""),
            ("VAULT_PLUGIN_METADATA_MODE", "true"),
        ])
        .unwrap();
        assert!(launch.socket_path().starts_with("/run/x"));
        assert!(launch.asked_for_broker_multiplexing);
        assert!(
            !launch.metadata_mode,
            "OpenBao's variable wins also when it is empty"
        );
        assert_eq!(launch.app_version, 5);
    }
}
