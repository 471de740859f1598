//! The bodies of mounting and tuning, read as Vault reads them (core-api §2.8).
//!
//! `config` of a new mount is decoded strictly: a value of a wrong shape refuses all of it in one
//! sentence. What tuning takes are fields of their own, converted as fields are.

use crate::mount_entry::token_type_number;
use linchpin_core::{MountConfig, NewMount, Tuning};
use linchpin_engine::Error;
use linchpin_engine::path::Fields;
use linchpin_model::{JsonObject, PluginType, duration};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The mount that a body asks for at `path`.
pub(crate) fn new_mount(
    plugin_type: PluginType,
    path: &str,
    fields: &Fields,
) -> Result<NewMount, Error> {
    let config = Config::read(plugin_type, fields.object("config"))?;
    let plugin_name = match config.plugin_name.as_str() {
        "" => fields.text("plugin_name").to_owned(),
        name => name.to_owned(),
    };
    Ok(NewMount {
        plugin_type: Some(plugin_type),
        path: path.to_owned(),
        mount_type: fields.text("type").to_owned(),
        plugin_name,
        description: fields.text("description").to_owned(),
        config: config.stored,
        plugin_version: config.plugin_version,
        // As they were sent: `null` is stored and shown as such, and absent is an empty object.
        options: (!fields.is_null("options"))
            .then(|| fields.pairs("options").cloned().unwrap_or_default()),
        local: fields.bool("local"),
        seal_wrap: fields.bool("seal_wrap"),
        external_entropy_access: fields.bool("external_entropy_access"),
    })
}

/// What a body of `…/tune` changes.
pub(crate) fn tuning(fields: &Fields) -> Result<Tuning, Error> {
    let text = |name| fields.optional_text(name).map(str::to_owned);
    let list = |name| fields.has(name).then(|| without_empty(fields.list(name)));
    let seconds = |name| {
        // An empty time is none: clients send it for what they do not want to change.
        let given = fields.optional_text(name).filter(|text| !text.is_empty());
        given.map(ttl).transpose().map_err(Error::refused)
    };
    Ok(Tuning {
        default_lease_ttl: seconds("default_lease_ttl")?,
        max_lease_ttl: seconds("max_lease_ttl")?,
        description: text("description"),
        listing_visibility: text("listing_visibility"),
        audit_non_hmac_request_keys: list("audit_non_hmac_request_keys"),
        audit_non_hmac_response_keys: list("audit_non_hmac_response_keys"),
        passthrough_request_headers: list("passthrough_request_headers"),
        allowed_response_headers: list("allowed_response_headers"),
        allowed_managed_keys: list("allowed_managed_keys"),
        delegated_auth_accessors: list("delegated_auth_accessors"),
        identity_token_key: text("identity_token_key"),
        options: fields.pairs("options").cloned(),
        plugin_version: text("plugin_version"),
        token_type: text("token_type"),
    })
}

/// Terraform empties a list by sending `[""]` (terraform.md §7).
fn without_empty(list: &[String]) -> Vec<String> {
    list.iter()
        .filter(|item| !item.is_empty())
        .cloned()
        .collect()
}

/// `config` of a new mount.
#[derive(Debug, Default)]
struct Config {
    stored: MountConfig,
    plugin_version: String,
    plugin_name: String,
}

impl Config {
    /// Reads the object. Names are told apart without regard to case, unknown ones are ignored;
    /// everything is converted before the times are looked at.
    fn read(plugin_type: PluginType, object: Option<&JsonObject>) -> Result<Self, Error> {
        let is_auth = plugin_type == PluginType::Auth;
        let wrong_shape = |WrongShape| {
            Error::refused(format!(
                "unable to convert given {} config information",
                if is_auth { "auth" } else { "mount" }
            ))
        };
        let given = Given::of(object).map_err(wrong_shape)?;
        let mut config = Self::default();
        let stored = &mut config.stored;
        stored.force_no_cache = given.boolean("force_no_cache").map_err(wrong_shape)?;
        let default = given.text("default_lease_ttl").map_err(wrong_shape)?;
        let max = given.text("max_lease_ttl").map_err(wrong_shape)?;
        let token_type = given.text("token_type").map_err(wrong_shape)?;
        for (name, text) in [
            ("listing_visibility", &mut stored.listing_visibility),
            ("identity_token_key", &mut stored.identity_token_key),
            ("plugin_version", &mut config.plugin_version),
            ("plugin_name", &mut config.plugin_name),
        ] {
            *text = given.text(name).map_err(wrong_shape)?;
        }
        for (name, list) in [
            (
                "audit_non_hmac_request_keys",
                &mut stored.audit_non_hmac_request_keys,
            ),
            (
                "audit_non_hmac_response_keys",
                &mut stored.audit_non_hmac_response_keys,
            ),
            (
                "passthrough_request_headers",
                &mut stored.passthrough_request_headers,
            ),
            (
                "allowed_response_headers",
                &mut stored.allowed_response_headers,
            ),
            ("allowed_managed_keys", &mut stored.allowed_managed_keys),
            (
                "delegated_auth_accessors",
                &mut stored.delegated_auth_accessors,
            ),
        ] {
            *list = given.list(name).map_err(wrong_shape)?;
        }
        stored.default_lease_ttl = named_ttl("default", &default)?;
        stored.max_lease_ttl = named_ttl("max", &max)?;
        if is_auth {
            stored.token_type = token_type_number(&token_type)
                .ok_or_else(|| Error::refused("invalid value for 'token_type'"))?;
        }
        Ok(config)
    }
}

/// A value of another shape than its field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct WrongShape;

/// The members of `config` as they were given, by lower-case name. `null` is the same as absent.
struct Given(BTreeMap<String, Value>);

impl Given {
    fn of(object: Option<&JsonObject>) -> Result<Self, WrongShape> {
        let mut given = BTreeMap::new();
        for (name, raw) in object.map(JsonObject::members).unwrap_or_default() {
            let value = serde_json::from_str(raw.get()).map_err(|_| WrongShape)?;
            given.insert(name.to_lowercase(), value);
        }
        Ok(Self(given))
    }

    /// A string, or a number as its text; empty when absent.
    fn text(&self, name: &str) -> Result<String, WrongShape> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(_) => Err(WrongShape),
        }
    }

    /// A boolean, and nothing that could be taken for one.
    fn boolean(&self, name: &str) -> Result<bool, WrongShape> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(WrongShape),
        }
    }

    /// A list of strings, or one string with commas.
    fn list(&self, name: &str) -> Result<Vec<String>, WrongShape> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(text.split(',').map(str::to_owned).collect()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text.clone()),
                    Value::Number(number) => Ok(number.to_string()),
                    Value::Null => Ok(String::new()),
                    _ => Err(WrongShape),
                })
                .collect(),
            Some(_) => Err(WrongShape),
        }
    }
}

fn named_ttl(name: &str, text: &str) -> Result<Duration, Error> {
    ttl(text).map_err(|why| Error::refused(format!("unable to parse {name} TTL of {text}: {why}")))
}

/// A time of a mount. `system`, nothing, and a negative one, as old clients write it, are the
/// system's: zero.
fn ttl(text: &str) -> Result<Duration, String> {
    match text {
        "" | "system" => Ok(Duration::ZERO),
        _ => match text.strip_prefix('-') {
            Some(amount) => duration::parse(amount).map(|_| Duration::ZERO),
            None => duration::parse(text),
        }
        .map_err(|why| why.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(plugin_type: PluginType, config: Value) -> Result<Config, String> {
        let object = JsonObject::from_serialize(&config).unwrap();
        Config::read(plugin_type, Some(&object)).map_err(|error| error.to_string())
    }

    fn secret(config: Value) -> Result<Config, String> {
        read(PluginType::Secret, config)
    }

    #[test]
    fn times_are_taken_as_numbers_and_in_every_form() {
        let seconds = |value: Value| {
            let config = secret(json!({"default_lease_ttl": value})).unwrap();
            config.stored.default_lease_ttl.as_secs()
        };
        assert_eq!(seconds(json!(1800)), 1800);
        assert_eq!(seconds(json!("1800")), 1800);
        assert_eq!(seconds(json!("1h30m")), 5400);
        assert_eq!(seconds(json!("0s")), 0);
        for of_the_system in [
            json!("system"),
            json!(""),
            json!(-1),
            json!("-1h"),
            json!(null),
        ] {
            assert_eq!(seconds(of_the_system.clone()), 0, "{of_the_system}");
        }
    }

    #[test]
    fn a_time_that_cannot_be_read_is_named() {
        let refusal = |config| secret(config).unwrap_err();
        let text = refusal(json!({"default_lease_ttl": "bad", "max_lease_ttl": "worse"}));
        assert!(
            text.starts_with("unable to parse default TTL of bad: "),
            "{text}"
        );
        let text = refusal(json!({"max_lease_ttl": "bad"}));
        assert!(
            text.starts_with("unable to parse max TTL of bad: "),
            "{text}"
        );
        assert_eq!(
            refusal(json!({"default_lease_ttl": 1.5})),
            "unable to parse default TTL of 1.5: time: missing unit in duration \"1.5\""
        );
    }

    #[test]
    fn a_wrong_shape_refuses_the_whole_configuration() {
        for config in [
            json!({"default_lease_ttl": ["1h"]}),
            json!({"default_lease_ttl": {"a": 1}}),
            json!({"default_lease_ttl": true}),
            json!({"force_no_cache": "true"}),
            json!({"force_no_cache": 1}),
            json!({"audit_non_hmac_request_keys": 5}),
            json!({"audit_non_hmac_request_keys": ["a", true]}),
            json!({"listing_visibility": ["zz"]}),
            // Shapes come before times.
            json!({"default_lease_ttl": "bad", "force_no_cache": "x"}),
        ] {
            assert_eq!(
                secret(config.clone()).unwrap_err(),
                "unable to convert given mount config information",
                "{config}"
            );
        }
        assert_eq!(
            read(PluginType::Auth, json!({"default_lease_ttl": []})).unwrap_err(),
            "unable to convert given auth config information"
        );
    }

    #[test]
    fn lists_are_lists_or_comma_strings() {
        let config = secret(json!({
            "audit_non_hmac_request_keys": "a,b",
            "audit_non_hmac_response_keys": "",
            "passthrough_request_headers": ["X", 1],
            "allowed_response_headers": [],
        }));
        let stored = config.unwrap().stored;
        assert_eq!(stored.audit_non_hmac_request_keys, ["a", "b"]);
        assert!(stored.audit_non_hmac_response_keys.is_empty());
        assert_eq!(stored.passthrough_request_headers, ["X", "1"]);
        assert!(stored.allowed_response_headers.is_empty());
        assert_eq!(without_empty(&[String::new()]), Vec::<String>::new());
        assert_eq!(without_empty(&["a".into(), String::new()]), ["a"]);
    }

    #[test]
    fn names_have_no_case_and_unknown_ones_do_not_matter() {
        let config = secret(json!({
            "Force_No_Cache": true, "unknown": {"a": 1}, "options": null, "plugin_version": 5,
            "plugin_name": "kv",
        }));
        let config = config.unwrap();
        assert!(config.stored.force_no_cache);
        assert_eq!(config.plugin_version, "5");
        assert_eq!(config.plugin_name, "kv");
    }

    #[test]
    fn a_token_type_is_an_auth_methods() {
        let stored = |config: Value| read(PluginType::Auth, config).map(|c| c.stored.token_type);
        assert_eq!(stored(json!({})), Ok(3));
        assert_eq!(stored(json!({"token_type": "batch"})), Ok(2));
        let refusal = stored(json!({"token_type": "zz"})).unwrap_err();
        assert_eq!(refusal, "invalid value for 'token_type'");
        let ignored = secret(json!({"token_type": "zz"})).unwrap();
        assert_eq!(ignored.stored.token_type, 0);
    }
}
