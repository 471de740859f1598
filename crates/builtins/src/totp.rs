//! `totp`: one-time passwords by time (RFC 6238), as a generator and as a verifier.
//!
//! Compared by hand with OpenBao 2.7.2: parameters, their order of checks and texts, the import of
//! URLs, codes, verification, and the stored record. We differ where it answers 500 to a caller's
//! mistake (a symbol too small or a text too long for it), in bounds on `qr_size` and `key_size`,
//! in an `&` or `+` of an issuer, which we escape, and in that two simultaneous verifications of
//! one code cannot both succeed.

mod barcode;
mod base32;
mod code;
mod key;
mod parameters;
mod url;
mod used;

use code::counter;
use key::Key;
use linchpin_engine::path::{Call, Engine, FieldType, PathSpec, Table};
use linchpin_engine::{Context, Error, Page, SpecialPaths, StorageEntry, StorageView};
use linchpin_model::{JsonObject, Operation, PluginType, Response};
use serde::Serialize;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use used::UsedCodes;

/// The engine.
pub(crate) struct Totp {
    storage: Arc<dyn StorageView>,
    used: UsedCodes,
    clock: fn() -> SystemTime,
}

impl Engine for Totp {
    fn plugin_type(&self) -> PluginType {
        PluginType::Secret
    }
}

/// Its paths.
pub(crate) fn table() -> Table<Totp> {
    Table {
        help: "Generates and verifies one-time passwords that depend on the time (TOTP). A key is\n\
               either made here, for the authenticator of a person, or brought here, to generate\n\
               its codes.",
        special: SpecialPaths::default(),
        paths: vec![
            PathSpec::<Totp>::new("keys/?", "List the keys.")
                .field("after", FieldType::String, "List only names that sort after this one.")
                .field("limit", FieldType::Int, "List at most so many names; all by default.")
                .on(Operation::List, |totp, ctx, call| Box::pin(totp.list(ctx, call))),
            keys(),
            PathSpec::<Totp>::new("code/{name:segment}", "Generate a code, or verify one.")
                .describe("A read answers the code of this moment. A write with `code` answers whether it is valid; a valid code is taken once.")
                .field("name", FieldType::String, "The key's name.")
                .field("code", FieldType::String, "The code to verify.")
                .on(Operation::Read, |totp, ctx, call| Box::pin(totp.generate(ctx, call)))
                .on_write(|totp, ctx, call| Box::pin(totp.verify(ctx, call))),
        ],
    }
}

fn keys() -> PathSpec<Totp> {
    PathSpec::<Totp>::new("keys/{name:segment}", "Make, read and delete a key.")
        .describe("With `generate` a key is made here, and shown once as URL and QR code. Without, the key is given as `key` or as `url`.")
        .field("name", FieldType::String, "The key's name.")
        .field("generate", FieldType::Bool, "Make a new key. Default: false.")
        .field("exported", FieldType::Bool, "Answer URL and QR code of a key that was made. Default: true.")
        .field("key_size", FieldType::Int, "Bytes of a key that is made. Default: 20.")
        .field("key", FieldType::String, "The key in base 32, when it is brought.")
        .field("issuer", FieldType::String, "Who issues the key. Needed to make one.")
        .field("account_name", FieldType::String, "Whose key it is. Needed to make one.")
        .field("period", FieldType::Duration, "How long a code is valid. Default: 30 s.")
        .field("algorithm", FieldType::String, "SHA1 (default), SHA256 or SHA512.")
        .field("digits", FieldType::Int, "Digits of a code: 6 (default) or 8.")
        .field("skew", FieldType::Int, "Periods before and after that a code may be off: 0 or 1 (default).")
        .field("qr_size", FieldType::Int, "Width of the QR code in pixels; 0 = none. Default: 200.")
        .field("url", FieldType::String, "An otpauth URL with everything, when the key is brought.")
        .on(Operation::Read, |totp, ctx, call| Box::pin(totp.read_key(ctx, call)))
        .on(Operation::Delete, |totp, ctx, call| Box::pin(totp.delete_key(ctx, call)))
        .on_write(|totp, ctx, call| Box::pin(totp.write_key(ctx, call)))
}

impl Totp {
    pub(crate) fn new(storage: Arc<dyn StorageView>) -> Self {
        Self {
            storage,
            used: UsedCodes::default(),
            clock: SystemTime::now,
        }
    }

    /// Seconds since 1970.
    fn now(&self) -> u64 {
        (self.clock)()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    }

    async fn list(&self, ctx: &Context, call: Call) -> Result<Option<Response>, Error> {
        let page = Page {
            after: call.fields.text("after").to_owned(),
            limit: usize::try_from(call.fields.int("limit").unwrap_or(0)).unwrap_or(0),
        };
        let keys = self.storage.list(ctx, "key/", page).await?;
        answer(&serde_json::json!({ "keys": keys }))
    }

    async fn stored(&self, ctx: &Context, name: &str) -> Result<Option<Key>, Error> {
        let Some(entry) = self.storage.get(ctx, &storage_key(name)).await? else {
            return Ok(None);
        };
        Key::decode(&entry.value).map(Some)
    }

    async fn read_key(&self, ctx: &Context, call: Call) -> Result<Option<Response>, Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            account_name: &'a str,
            algorithm: &'static str,
            digits: u32,
            issuer: &'a str,
            period: u64,
        }
        let Some(key) = self.stored(ctx, name(&call)?).await? else {
            return Ok(None);
        };
        answer(&Shown {
            account_name: &key.account_name,
            algorithm: key.algorithm.name(),
            digits: key.digits,
            issuer: &key.issuer,
            period: key.period,
        })
    }

    async fn write_key(&self, ctx: &Context, call: Call) -> Result<Option<Response>, Error> {
        let name = name(&call)?;
        let asked = parameters::read(&call.fields)?;
        let response = match &asked.export {
            // Drawn before the key is stored: what cannot be shown is not made.
            Some(export) => answer(&export.render(&asked.key)?)?,
            None => None,
        };
        self.storage
            .put(
                ctx,
                StorageEntry {
                    key: storage_key(name),
                    value: asked.key.encode()?,
                    seal_wrap: false,
                },
            )
            .await?;
        Ok(response)
    }

    async fn delete_key(&self, ctx: &Context, call: Call) -> Result<Option<Response>, Error> {
        self.storage.delete(ctx, &storage_key(name(&call)?)).await?;
        Ok(None)
    }

    async fn known(&self, ctx: &Context, name: &str) -> Result<Key, Error> {
        self.stored(ctx, name)
            .await?
            .ok_or_else(|| Error::refused(format!("unknown key: {name}")))
    }

    async fn generate(&self, ctx: &Context, call: Call) -> Result<Option<Response>, Error> {
        #[derive(Serialize)]
        struct Generated {
            code: String,
            expire_time: u64,
            generated: u64,
            period: String,
        }
        let key = self.known(ctx, name(&call)?).await?;
        let now = self.now();
        let counter = counter(now, key.period);
        answer(&Generated {
            code: key.code(counter)?,
            expire_time: counter.saturating_add(1).saturating_mul(key.period),
            generated: now,
            period: code::go_duration(key.period),
        })
    }

    async fn verify(&self, ctx: &Context, call: Call) -> Result<Option<Response>, Error> {
        let name = name(&call)?;
        let key = self.known(ctx, name).await?;
        let code = call.fields.text("code");
        if code.is_empty() {
            return Err(Error::refused("the code value is required"));
        }
        let now = self.now();
        if self.used.contains(name, code, now) {
            return Err(already_used());
        }
        if code.len() != usize::try_from(key.digits).unwrap_or(usize::MAX) {
            return Err(Error::refused("invalid number of digits for the code"));
        }
        let valid = key.verifies(code, now)?;
        if valid {
            // As long as any clock that is off by the skew could take it again.
            let until = now.saturating_add(key.period.saturating_mul(2 + u64::from(key.skew)));
            if !self.used.take(name, code, now, until) {
                return Err(already_used());
            }
        }
        answer(&serde_json::json!({ "valid": valid }))
    }
}

fn already_used() -> Error {
    Error::refused("code already used; wait until the next time period")
}

fn storage_key(name: &str) -> String {
    format!("key/{name}")
}

/// The key's name: word characters, with dots, dashes and `@` inside. Any other path is not served.
fn name(call: &Call) -> Result<&str, Error> {
    let name = call.fields.text("name");
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let fits = name.starts_with(is_word)
        && name.ends_with(is_word)
        && name
            .chars()
            .all(|c| is_word(c) || matches!(c, '.' | '-' | '@'));
    fits.then_some(name).ok_or_else(Error::unsupported_path)
}

fn answer<T: Serialize>(data: &T) -> Result<Option<Response>, Error> {
    JsonObject::from_serialize(data)
        .map(|data| Some(Response::data(data)))
        .map_err(|error| Error::internal("write the answer as JSON").with_source(error))
}

#[cfg(test)]
mod tests;
