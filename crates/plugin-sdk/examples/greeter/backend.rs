//! The backend of one mount.

use std::time::Duration;

use linchpin_plugin_sdk::prelude::*;
use linchpin_plugin_sdk::random;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::house::House;

const CONFIG: &str = "config";
const STATUS: &str = "status";

/// A guest's stay. The name is stored with every lease, so it never changes.
const STAY: SecretType = SecretType::new("stay");

/// The kind of log entries that say: this guest may have been let in without anybody knowing.
const LET_IN: &str = "let_in";

/// What the methods need.
pub(crate) struct Greeter {
    storage: Storage,
    house: House,
    /// The stored configuration, once it has been read. Never locked while storage is called.
    config: RwLock<Option<Config>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Config {
    greeting: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Role {
    /// In whole seconds; 0 = as long as the mount says.
    #[serde(default)]
    ttl: u64,
    #[serde(default)]
    max_ttl: u64,
}

/// What a lease needs to be renewed and revoked. `data` of the answer is not kept over a renewal, this is.
#[derive(Debug, Serialize, Deserialize)]
struct Stay {
    guest: String,
    role: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Status {
    rounds: u64,
    guests: usize,
}

/// Makes the backend of one mount. A probe calls it, too, so nothing here needs configuration or storage.
pub(crate) fn create(setup: &Setup) -> Result<Backend<Greeter>, Error> {
    let storage = Storage::of(setup);
    let greeter = Greeter {
        storage: storage.clone(),
        house: House::new(storage.clone()),
        config: RwLock::new(None),
    };
    Backend::secrets(
        "Lets guests into a house and shows them out.",
        storage,
        greeter,
    )
    .path(
        PathSpec::new("config", "How the house greets.")
            .field(
                "greeting",
                FieldType::String,
                "The word before a guest's name.",
            )
            .read(Greeter::read_config)
            .write(Greeter::write_config)
            .delete(Greeter::delete_config),
    )
    .path(PathSpec::new("roles/?", "The kinds of guests.").list(Greeter::list_roles))
    .path(
        PathSpec::new("roles/{name}", "A kind of guest.")
            .field("name", FieldType::String, "The name of the role.")
            .field("ttl", FieldType::Duration, "How long a guest stays.")
            .field("max_ttl", FieldType::Duration, "How long at the most.")
            .exists(Greeter::role_exists)
            .read(Greeter::read_role)
            .write(Greeter::write_role)
            .delete(Greeter::delete_role),
    )
    .path(
        PathSpec::new("creds/{role}", "A new guest, with a key.")
            .field("role", FieldType::String, "The kind of guest.")
            .read(Greeter::let_in),
    )
    .path(PathSpec::new("guests/?", "Who is in the house.").list(Greeter::list_guests))
    .path(PathSpec::new("card/{name:segment}", "A greeting as plain text.").read(Greeter::card))
    .path(PathSpec::new("status", "What the periodic work has counted.").read(Greeter::status))
    .root("config")
    .renew(STAY, Greeter::renew)
    .revoke(STAY, Greeter::revoke)
    .undo(LET_IN, Greeter::undo_let_in)
    .initialize(Greeter::initialize)
    .invalidate(Greeter::invalidate)
    .periodic(Greeter::make_a_round)
    .build()
}

/// Configuration.
impl Greeter {
    async fn config(&self, ctx: &Context) -> Result<Config, Error> {
        if let Some(config) = self.config.read().clone() {
            return Ok(config);
        }
        let stored = self.storage.get(ctx, CONFIG).await?;
        let config: Config = stored.unwrap_or_else(|| Config {
            greeting: "Welcome".to_owned(),
        });
        *self.config.write() = Some(config.clone());
        Ok(config)
    }

    async fn read_config(&self, ctx: &Context, _: Call) -> Answer {
        reply::data(&self.config(ctx).await?)
    }

    async fn write_config(&self, ctx: &Context, call: Call) -> Answer {
        let config: Config = call.fields.decode()?;
        if config.greeting.is_empty() {
            return Err(Error::refused("greeting is empty"));
        }
        self.storage.put(ctx, CONFIG, &config).await?;
        *self.config.write() = Some(config);
        reply::nothing()
    }

    async fn delete_config(&self, ctx: &Context, _: Call) -> Answer {
        self.storage.delete(ctx, CONFIG).await?;
        *self.config.write() = None;
        reply::nothing()
    }

    /// Storage was changed behind our back, by a restore for example.
    async fn invalidate(&self, _: &Context, key: String) {
        if key == CONFIG {
            *self.config.write() = None;
        }
    }

    /// Storage can be written from here on. What an older version has stored in another shape is converted here.
    async fn initialize(&self, ctx: &Context) -> Result<(), Error> {
        if self.storage.get::<Status>(ctx, STATUS).await?.is_none() {
            self.storage.put(ctx, STATUS, &Status::default()).await?;
        }
        Ok(())
    }
}

/// Roles.
impl Greeter {
    async fn role(&self, ctx: &Context, name: &str) -> Result<Option<Role>, Error> {
        self.storage.get(ctx, &format!("roles/{name}")).await
    }

    async fn role_exists(&self, ctx: &Context, call: Call) -> Result<bool, Error> {
        Ok(self.role(ctx, call.fields.text("name")).await?.is_some())
    }

    async fn list_roles(&self, ctx: &Context, _: Call) -> Answer {
        reply::keys(self.storage.list(ctx, "roles/").await?)
    }

    async fn read_role(&self, ctx: &Context, call: Call) -> Answer {
        match self.role(ctx, call.fields.text("name")).await? {
            Some(role) => reply::data(&role),
            None => reply::nothing(),
        }
    }

    async fn write_role(&self, ctx: &Context, call: Call) -> Answer {
        let role: Role = call.fields.decode()?;
        let too_long = role.max_ttl != 0 && role.ttl > role.max_ttl;
        if too_long {
            return Err(Error::refused("ttl is longer than max_ttl"));
        }
        let key = format!("roles/{}", call.fields.text("name"));
        self.storage.put(ctx, &key, &role).await?;
        let answer = reply::nothing();
        if role.ttl == 0 {
            return answer.with_warning("no ttl: guests stay as long as the mount lets them");
        }
        answer
    }

    async fn delete_role(&self, ctx: &Context, call: Call) -> Answer {
        let key = format!("roles/{}", call.fields.text("name"));
        self.storage.delete(ctx, &key).await?;
        reply::nothing()
    }
}

/// Guests: credentials with a lease.
impl Greeter {
    async fn let_in(&self, ctx: &Context, call: Call) -> Answer {
        let name = call.fields.text("role");
        let Some(role) = self.role(ctx, name).await? else {
            return Err(Error::refused(format!("there is no role {name:?}")));
        };
        let stay = Stay {
            guest: format!("{name}-{}", random::base62(12)),
            role: name.to_owned(),
        };
        let key = random::base62(24);
        // Written down first: if this process ends before the lease exists, the guest is shown out again by `undo_let_in`.
        let wal = Wal::new(&self.storage);
        let entry = wal.put(ctx, LET_IN, &stay).await?;
        self.house.let_in(ctx, &stay.guest, &key).await?;
        let secret = STAY
            .ttl(Duration::from_secs(role.ttl))
            .max_ttl(Duration::from_secs(role.max_ttl))
            .issue(&stay)?;
        wal.delete(ctx, &entry).await?;
        log::info("greeter", "let a guest in", &[("role", &stay.role)]);
        reply::leased(secret, &json!({"guest": stay.guest, "key": key}))
    }

    async fn renew(&self, ctx: &Context, lease: Held) -> Result<Secret, Error> {
        let stay: Stay = lease.internal()?;
        // The role as it is now: a shorter stay is meant for those who are here, too.
        let Some(role) = self.role(ctx, &stay.role).await? else {
            return Err(Error::refused(format!("there is no role {:?}", stay.role)));
        };
        Ok(lease.extended(
            Duration::from_secs(role.ttl),
            Duration::from_secs(role.max_ttl),
        ))
    }

    async fn revoke(&self, ctx: &Context, lease: Held) -> Result<(), Error> {
        let stay: Stay = lease.internal()?;
        self.house.show_out(ctx, &stay.guest).await
    }

    async fn undo_let_in(&self, ctx: &Context, entry: WalEntry) -> Result<(), Error> {
        let stay: Stay = entry.data()?;
        self.house.show_out(ctx, &stay.guest).await
    }

    async fn list_guests(&self, ctx: &Context, _: Call) -> Answer {
        reply::keys(self.house.guests(ctx).await?)
    }

    async fn card(&self, ctx: &Context, call: Call) -> Answer {
        let config = self.config(ctx).await?;
        let text = format!("{}, {}!\n", config.greeting, call.fields.text("name"));
        reply::raw(200, "text/plain; charset=utf-8", text)
    }
}

/// Periodic work.
impl Greeter {
    async fn make_a_round(&self, ctx: &Context) -> Result<(), Error> {
        let guests = self.house.guests(ctx).await?.len();
        self.storage
            .transact(ctx, |mut tx| {
                Box::pin(async move {
                    let last: Status = tx.get(STATUS).await?.unwrap_or_default();
                    let rounds = last.rounds + 1;
                    tx.put(STATUS, &Status { rounds, guests }).await
                })
            })
            .await
    }

    async fn status(&self, ctx: &Context, _: Call) -> Answer {
        let status: Option<Status> = self.storage.get(ctx, STATUS).await?;
        reply::data(&status.unwrap_or_default())
    }
}
