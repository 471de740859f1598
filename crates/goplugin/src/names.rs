//! Names and numbers of the protocol that are the same on both sides.

/// The environment variable that proves to a backend plugin that a host started it (plugin-protocol §1.3). Not a secret.
pub const BACKEND_COOKIE: (&str, &str) = (
    "VAULT_BACKEND_PLUGIN",
    "6669da05-b1c8-4f49-97d9-c8e5bed98e20",
);
/// The same for a database plugin.
pub const DATABASE_COOKIE: (&str, &str) = (
    "VAULT_DATABASE_PLUGIN",
    "926a0820-aea2-be28-51d6-83cdf00e8edb",
);

/// The app protocol version of backend plugins (§2.1).
pub const BACKEND_VERSION: u32 = 5;

/// Environment variables of the go-plugin layer (§1.2) and the suffixes of Vault's (§2.2).
pub mod env {
    /// Acceptable app protocol versions, decimal, joined by commas.
    pub const PROTOCOL_VERSIONS: &str = "PLUGIN_PROTOCOL_VERSIONS";
    /// First port that a plugin may listen on, where it listens on TCP.
    pub const MIN_PORT: &str = "PLUGIN_MIN_PORT";
    /// Last such port.
    pub const MAX_PORT: &str = "PLUGIN_MAX_PORT";
    /// The host's certificate as PEM; switches AutoMTLS on.
    pub const CLIENT_CERT: &str = "PLUGIN_CLIENT_CERT";
    /// Where a plugin makes its sockets.
    pub const UNIX_SOCKET_DIR: &str = "PLUGIN_UNIX_SOCKET_DIR";
    /// The group that a plugin's sockets are given to.
    pub const UNIX_SOCKET_GROUP: &str = "PLUGIN_UNIX_SOCKET_GROUP";
    /// Asks for broker multiplexing (§1.13).
    pub const MULTIPLEX_GRPC: &str = "PLUGIN_MULTIPLEX_GRPC";
    /// The prefixes under which every variable of Vault's layer is set.
    pub const PREFIXES: [&str; 2] = ["BAO", "VAULT"];
    /// Suffix: `true` makes a plugin use AutoMTLS.
    pub const AUTOMTLS_ENABLED: &str = "_PLUGIN_AUTOMTLS_ENABLED";
    /// Suffix: `true` allows only the calls of a probe.
    pub const METADATA_MODE: &str = "_PLUGIN_METADATA_MODE";
    /// Suffix: `true` makes a plugin lock its memory.
    pub const MLOCK_ENABLED: &str = "_PLUGIN_MLOCK_ENABLED";
    /// Suffix: the server's version without a leading `v`.
    pub const VERSION: &str = "_VERSION";
}

/// The gRPC metadata key that names an instance (§3.12).
pub const MULTIPLEX_ID: &str = "multiplex_id";
/// The service name of health checks (§1.11).
pub const HEALTH_SERVICE: &str = "plugin";
/// The largest message that a plugin takes from its host, in bytes (§1.10).
pub const MAX_MESSAGE: usize = (1 << 31) - 1;
/// The largest callback that a host takes from a plugin, in bytes: a storage value of 32 MiB, which is the limit of the storage, with
/// its key and what is around them. A larger one is refused with a gRPC status before its body is read; the connection goes on.
pub const MAX_CALLBACK: usize = 33 << 20;
/// The largest answer that a host takes from a plugin, in bytes: twice the largest request, since an answer may repeat it escaped.
pub const MAX_ANSWER: usize = 64 << 20;
/// HTTP/2 flow control window of a stream, in bytes (§1.10).
pub const STREAM_WINDOW: u32 = 1024 * 1024;
/// HTTP/2 flow control window of a connection, in bytes (§1.10).
pub const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
