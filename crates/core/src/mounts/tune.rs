//! What can be changed about a mount without touching what runs (core-api §2.8, plugin-lifecycle
//! §4.4). Everything is checked before the first value is written; all are written together.

use super::check::{check_ttls, check_visibility};
use super::{Tuning, with_slash};
use crate::Core;
use crate::mount::{Mount, plugin_type};
use linchpin_catalog::{Resolved, warnings};
use linchpin_engine::{Context, Error};
use linchpin_formats::MountEntry;
use linchpin_model::PluginType;
use std::sync::Arc;

impl Core {
    /// Tunes the mount at a full path. The answer's texts are warnings.
    ///
    /// # Errors
    /// The texts of core-api §2.8 and plugin-lifecycle §4.4; nothing has changed then.
    pub async fn tune(
        &self,
        _ctx: &Context,
        path: &str,
        tuning: Tuning,
    ) -> Result<Vec<String>, Error> {
        let path = with_slash(path);
        let found = self.node.load().at(&path).cloned();
        let Some(mount) = found else {
            return Err(Error::refused(format!(
                "tune of path {path:?} failed: no mount entry found"
            )));
        };
        if mount.is_singleton() {
            return match tuning.first_given() {
                Some(parameter) => Err(Error::refused(format!(
                    "cannot tune parameter {parameter} of {path}"
                ))),
                None => Ok(Vec::new()),
            };
        }
        if mount.is_leaving() {
            return Err(Error::refused(format!(
                "{path:?} is being removed: there is nothing left to tune"
            )));
        }
        let version = self.tuned_version(&mount.record(), &tuning).await?;
        self.change_record(&mount, Vec::new(), |record| {
            *record = changed(record, &tuning, version.as_deref())?;
            Ok(())
        })
        .await?;
        tracing::info!(mount = %path, plugin_version = %mount.record().plugin_version, "tuned");
        Ok(self.tune_warnings(&mount, version.is_some()))
    }

    /// The version to store; `None` when none was given.
    async fn tuned_version(
        &self,
        record: &MountEntry,
        tuning: &Tuning,
    ) -> Result<Option<String>, Error> {
        let Some(requested) = &tuning.plugin_version else {
            return Ok(None);
        };
        let (catalog, kind) = (self.catalog(), plugin_type(record));
        let stored = catalog
            .tune(kind, &record.mount_type, requested)
            .map_err(crate::refused)?;
        let name = linchpin_catalog::without_alias(kind, &record.mount_type);
        let found = stored
            .as_ref()
            .and_then(|version| catalog.lookup(kind, name, Some(version)));
        if let Some(Resolved::External(entry)) = found
            && entry.oci_image.is_empty()
        {
            let inspected = self.fleet.inspect(&entry.command).await;
            // The texts are the same as at registration, the shape is not.
            inspected.map_err(|error| Error::refused(error.to_string()).with_source(error))?;
        }
        Ok(Some(stored.map_or(String::new(), |v| v.to_string())))
    }

    fn tune_warnings(&self, mount: &Arc<Mount>, versioned: bool) -> Vec<String> {
        let record = mount.record();
        let instance = mount.gate().instance();
        let running = instance.running();
        let is_same = record.plugin_version == running.version
            || (record.plugin_version.is_empty() && running.sha256.is_none());
        if !versioned || is_same {
            return Vec::new();
        }
        let point = &mount.facts().point;
        vec![warnings::tuned_not_reloaded(
            point,
            &record.plugin_version,
            &running.version,
        )]
    }
}

impl Tuning {
    /// The first parameter that is given, by the name that callers know.
    fn first_given(&self) -> Option<&'static str> {
        let given = [
            ("default_lease_ttl", self.default_lease_ttl.is_some()),
            ("max_lease_ttl", self.max_lease_ttl.is_some()),
            ("description", self.description.is_some()),
            ("listing_visibility", self.listing_visibility.is_some()),
            (
                "audit_non_hmac_request_keys",
                self.audit_non_hmac_request_keys.is_some(),
            ),
            (
                "audit_non_hmac_response_keys",
                self.audit_non_hmac_response_keys.is_some(),
            ),
            (
                "passthrough_request_headers",
                self.passthrough_request_headers.is_some(),
            ),
            (
                "allowed_response_headers",
                self.allowed_response_headers.is_some(),
            ),
            ("allowed_managed_keys", self.allowed_managed_keys.is_some()),
            (
                "delegated_auth_accessors",
                self.delegated_auth_accessors.is_some(),
            ),
            ("identity_token_key", self.identity_token_key.is_some()),
            ("options", self.options.is_some()),
            ("plugin_version", self.plugin_version.is_some()),
            ("token_type", self.token_type.is_some()),
        ];
        given.into_iter().find(|(_, is)| *is).map(|(name, _)| name)
    }
}

/// The record with everything that was asked for, or the first thing that is wrong with it.
fn changed(
    record: &MountEntry,
    tuning: &Tuning,
    version: Option<&str>,
) -> Result<MountEntry, Error> {
    let mut record = record.clone();
    let config = &mut record.config;
    if let Some(ttl) = tuning.default_lease_ttl {
        config.default_lease_ttl = ttl;
    }
    if let Some(ttl) = tuning.max_lease_ttl {
        config.max_lease_ttl = ttl;
    }
    check_ttls(config.default_lease_ttl, config.max_lease_ttl)?;
    if let Some(word) = &tuning.listing_visibility {
        check_visibility(word)?;
        config.listing_visibility.clone_from(word);
    }
    for (given, kept) in [
        (
            &tuning.audit_non_hmac_request_keys,
            &mut config.audit_non_hmac_request_keys,
        ),
        (
            &tuning.audit_non_hmac_response_keys,
            &mut config.audit_non_hmac_response_keys,
        ),
        (
            &tuning.passthrough_request_headers,
            &mut config.passthrough_request_headers,
        ),
        (
            &tuning.allowed_response_headers,
            &mut config.allowed_response_headers,
        ),
        (
            &tuning.allowed_managed_keys,
            &mut config.allowed_managed_keys,
        ),
        (
            &tuning.delegated_auth_accessors,
            &mut config.delegated_auth_accessors,
        ),
    ] {
        if let Some(given) = given {
            kept.clone_from(given);
        }
    }
    if let Some(key) = &tuning.identity_token_key {
        config.identity_token_key.clone_from(key);
    }
    if let Some(word) = &tuning.token_type {
        if plugin_type(&record) != PluginType::Auth {
            return Err(Error::refused(
                "'token_type' can only be modified on auth mounts",
            ));
        }
        return Err(Error::refused(format!(
            "token_type {word:?} cannot be set: auth methods issue no tokens in this release"
        )));
    }
    if let Some(text) = &tuning.description {
        record.description.clone_from(text);
    }
    for (key, value) in tuning.options.iter().flatten() {
        check_option(&record, key, value)?;
        if value.is_empty() {
            record.options.get_or_insert_default().remove(key);
        } else {
            let options = record.options.get_or_insert_default();
            options.insert(key.clone(), value.clone());
        }
    }
    if let Some(version) = version {
        version.clone_into(&mut record.plugin_version);
    }
    Ok(record)
}

fn check_option(record: &MountEntry, key: &str, value: &str) -> Result<(), Error> {
    if key != "version" {
        return Ok(());
    }
    if record.mount_type != "kv" {
        return Err(Error::refused(format!(
            "secrets engine {:?} does not allow setting a version",
            record.mount_type
        )));
    }
    match value {
        "" | "1" => Ok(()),
        "2" => Err(Error::refused(
            "kv version 2 is not in this release: use version 1, or mount a kv plugin from the catalog",
        )),
        other => Err(Error::refused(format!("kv has no version {other:?}"))),
    }
}
