//! Leases: secrets that end, and that a server renews and revokes (plugin-protocol §5.5).

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use linchpin_engine::Error;
use linchpin_model::{JsonObject, Lease, Request, Secret};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// The member of a secret's internal data that says which handlers it has. Go plugins use the same one.
const SECRET_TYPE: &str = "secret_type";

/// A kind of leased secret. Its name is stored with every lease, so it never changes.
///
/// ```
/// use std::time::Duration;
/// use linchpin_plugin_sdk::SecretType;
///
/// const TOKEN: SecretType = SecretType::new("token")
///     .ttl(Duration::from_secs(3600))
///     .max_ttl(Duration::from_secs(86_400));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretType {
    name: &'static str,
    ttl: Duration,
    max_ttl: Duration,
    renewable: bool,
}

impl SecretType {
    /// A renewable kind with the times of its mount.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            ttl: Duration::ZERO,
            max_ttl: Duration::ZERO,
            renewable: true,
        }
    }

    /// How long a lease is valid; zero = what the mount says.
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// How long it can be renewed to, from its issue; zero = what the mount says, which is also the most.
    #[must_use]
    pub const fn max_ttl(mut self, max_ttl: Duration) -> Self {
        self.max_ttl = max_ttl;
        self
    }

    /// Leases that end when they end.
    #[must_use]
    pub const fn not_renewable(mut self) -> Self {
        self.renewable = false;
        self
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether its leases can be renewed.
    #[must_use]
    pub const fn is_renewable(&self) -> bool {
        self.renewable
    }

    /// A secret of this kind, for [`crate::reply::leased`]. `internal` is what renewing and revoking need, an object: the server keeps it
    /// with the lease and shows it to nobody. Numbers above 2⁵³ in it do not survive a Go server: carry them as strings.
    ///
    /// # Errors
    /// When `internal` is no object.
    pub fn issue<T: Serialize + ?Sized>(&self, internal: &T) -> Result<Secret, Error> {
        let object = JsonObject::from_serialize(internal)
            .map_err(|error| Error::internal("internal data of a lease").with_source(error))?;
        let mut members = object.members();
        let name = RawValue::from_string(format!("\"{}\"", self.name))
            .map_err(|error| Error::internal("name of a secret type").with_source(error))?;
        members.insert(SECRET_TYPE.to_owned(), name);
        let internal = JsonObject::from_serialize(&members)
            .map_err(|error| Error::internal("internal data of a lease").with_source(error))?;
        Ok(Secret {
            lease: Lease {
                ttl: self.ttl,
                max_ttl: self.max_ttl,
                renewable: self.renewable,
                ..Lease::default()
            },
            internal_data: Some(internal),
        })
    }
}

/// A lease that the server wants renewed or revoked.
#[derive(Debug)]
pub struct Held {
    /// The request: its path is the one that the secret was read from, its data what was answered then. After a renewal the data is gone,
    /// so what is needed must be in the internal data.
    pub request: Request,
    secret: Secret,
}

impl Held {
    /// The lease of a request, and the name of its secret's kind.
    pub(crate) fn of(mut request: Request) -> Result<(Self, String), Error> {
        let secret = request
            .secret
            .take()
            .ok_or_else(|| Error::refused("the request has no secret"))?;
        let members: BTreeMap<String, Box<RawValue>> = secret
            .internal_data
            .as_ref()
            .map(JsonObject::members)
            .unwrap_or_default();
        let kind = members
            .get(SECRET_TYPE)
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .ok_or_else(|| Error::refused("the secret does not say which type it has"))?;
        Ok((Self { request, secret }, kind))
    }

    /// What [`SecretType::issue`] was given.
    ///
    /// # Errors
    /// When it does not have the shape of `T`.
    pub fn internal<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let data = self.secret.internal_data.clone().unwrap_or_default();
        data.decode().map_err(|_| {
            Error::internal("the internal data of the lease does not have the expected shape")
        })
    }

    /// When the lease was issued.
    #[must_use]
    pub fn issue_time(&self) -> Option<SystemTime> {
        self.secret.lease.issue_time
    }

    /// By how much the caller wants it longer; zero = did not say.
    #[must_use]
    pub fn increment(&self) -> Duration {
        self.secret.lease.increment
    }

    /// The secret as the server keeps it.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The answer to a renewal: the same secret for `ttl` more, at most until `max_ttl` after its issue (zero = what the mount says).
    #[must_use]
    pub fn extended(&self, ttl: Duration, max_ttl: Duration) -> Secret {
        let mut secret = self.secret.clone();
        secret.lease.ttl = ttl;
        secret.lease.max_ttl = max_ttl;
        secret
    }

    /// The same with the times of its kind.
    #[must_use]
    pub fn extended_as(&self, kind: &SecretType) -> Secret {
        self.extended(kind.ttl, kind.max_ttl)
    }
}
